"""Genes of a synthetic exome: exons laid along the autosomes, with the variants in their coding parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.randomness import make_generator

# Round figures of human genes: a coding exon of 150 bp, introns of a few kb, genes some tens of kb apart.
EXON_BP, INTRON_BP, UTR_BP, APART_BP = 150, 3000, 200, 40_000
N_AUTOSOMES = 22


@dataclass(frozen=True)
class PlacedGenes:
    """Transcripts, one a gene, in refGene's columns, and the variants' chromosome and position (1-based)."""

    transcripts: pd.DataFrame
    variants: pd.DataFrame


def draw_gene_sizes(n_variants: int, n_genes: int, seed: int) -> Int64[np.ndarray, " n_genes"]:
    """Return the number of variants of each gene, 1 at the least; longer genes have more."""
    generator = make_generator(seed, "exome", "gene sizes")
    lengths = generator.lognormal(0.0, 1.0, n_genes)
    more = generator.multinomial(n_variants - n_genes, lengths / lengths.sum())
    return np.asarray(1 + more, dtype=np.int64)


def place_genes(sizes: Int64[np.ndarray, " n_genes"], seed: int) -> PlacedGenes:
    """Lay genes along the autosomes in order, and their variants at distinct bases of coding exons."""
    generator = make_generator(seed, "exome", "genes")
    per_chromosome = -(-len(sizes) // N_AUTOSOMES)
    rows, chromosomes, positions = [], [], []
    edge = 0
    for number, size in enumerate(sizes.tolist()):
        if number % per_chromosome == 0:
            edge = 0
        chromosome = str(number // per_chromosome + 1)
        # Twice the bases that the variants need, at the least.
        n_exons = int(1 + generator.poisson(7) + 2 * size // EXON_BP)
        start = edge + APART_BP + int(generator.integers(APART_BP))
        starts = start + np.arange(n_exons) * (EXON_BP + INTRON_BP) + UTR_BP
        ends = starts + EXON_BP
        coding = (starts[:, None] + np.arange(EXON_BP)).ravel()
        chosen = np.sort(generator.choice(coding, size=size, replace=False))
        chromosomes.extend([chromosome] * size)
        positions.extend((chosen + 1).tolist())
        cds = int(starts[0]), int(ends[-1])
        starts[0] -= UTR_BP
        ends[-1] += UTR_BP
        edge = int(ends[-1])
        rows.append(
            (
                f"T{number + 1:05d}",
                f"chr{chromosome}",
                "+-"[int(generator.integers(2))],
                int(starts[0]),
                edge,
                *cds,
                n_exons,
                "".join(f"{one}," for one in starts.tolist()),
                "".join(f"{one}," for one in ends.tolist()),
                f"G{number + 1:05d}",
            )
        )
    columns = ["name", "chrom", "strand", "txStart", "txEnd", "cdsStart", "cdsEnd", "exonCount"]
    transcripts = pd.DataFrame(rows, columns=[*columns, "exonStarts", "exonEnds", "name2"])
    return PlacedGenes(transcripts, pd.DataFrame({"chromosome": chromosomes, "position": positions}))


def write_refgene(path: Path, transcripts: pd.DataFrame) -> None:
    """Write transcripts as a refGene table (genePredExt with the column ``bin``)."""
    frames = ["0," * count for count in transcripts["exonCount"]]
    table = transcripts.assign(cdsStartStat="cmpl", cdsEndStat="cmpl", exonFrames=frames)
    table.insert(0, "bin", 0)
    table.insert(table.columns.get_loc("name2"), "score", 0)  # type: ignore[arg-type]
    table.to_csv(path, sep="\t", header=False, index=False, lineterminator="\n")
