"""Make the shipped reference panel again: needs the ``panel`` extra (msprime and stdpopsim).

    python -m genotransfer.simulation.make_panel --out chr21.npz

It takes 20 s and writes 3.29 MB: 162,861 variants, at MAF >= .01 in the panel 82,408 in
CEU, 137,984 in YRI and 57,531 in both (the paper's HAPGEN2 samples: 101,053, 136,021 and 62,283).

CEU and YRI haplotypes of chromosome 21 come out of one tree sequence under the demography
OutOfAfrica_3G09 (Gutenkunst et al. 2009, PLoS Genet 5:e1000695; stdpopsim's catalogue) with that
model's own mutation rate and the HapMap recombination map. See panels/README.md.
"""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8

from genotransfer.formats.files import replace_together
from genotransfer.simulation.genetic_map import GeneticMap, read_genetic_map
from genotransfer.simulation.panel import LETTERS, SHIPPED_MAP, SHIPPED_POPULATIONS

DEMOGRAPHY = "OutOfAfrica_3G09"
START, END = 13_000_000, 46_700_000  # bp, half-open; below 13 Mb the map is level or absent
N_DIPLOIDS = 60
MIN_MAF = 0.01
SEED = 20220208
GC_CONTENT = 0.41  # International Human Genome Sequencing Consortium 2001, Nature 409:860
P_TRANSITION = 2 / 3  # transitions : transversions of 2 : 1, about that of human genomes
TRANSITION = {"A": "G", "G": "A", "C": "T", "T": "C"}


def simulate_trees(genetic_map: GeneticMap, seed: int) -> Any:
    """Return a msprime tree sequence of 60 CEU and 60 YRI diploids; position 0 is `START`."""
    import msprime
    import stdpopsim

    model = stdpopsim.get_species("HomSap").get_demographic_model(DEMOGRAPHY)
    inside = genetic_map.positions[(genetic_map.positions > START) & (genetic_map.positions < END)]
    ends = np.concatenate([[START], inside, [END]])
    rate = np.diff(genetic_map.interpolate(ends)) / 100 / np.diff(ends)  # Morgan per bp
    ancestry = msprime.sim_ancestry(
        samples=dict.fromkeys(SHIPPED_POPULATIONS, N_DIPLOIDS),
        demography=model.model,
        recombination_rate=msprime.RateMap(position=ends - START, rate=rate),
        random_seed=seed,
    )
    return msprime.sim_mutations(
        ancestry, rate=model.mutation_rate, model=msprime.BinaryMutationModel(), random_seed=seed + 1
    )


def extract_haplotypes(
    trees: Any,
) -> tuple[Int64[np.ndarray, " n_variants"], dict[str, UInt8[np.ndarray, "n_haplotypes n_variants"]]]:
    """Return positions (bp) and haplotypes (1 derived) of the sites worth keeping.

    Kept are sites that mutated once, with a minor-allele frequency >= `MIN_MAF` in a population.
    """
    populations = {
        population.metadata["name"]: trees.samples(population.id) for population in trees.populations()
    }
    n = 2 * N_DIPLOIDS
    columns = np.concatenate([populations[name] for name in SHIPPED_POPULATIONS])
    positions, rows = [], []
    for variant in trees.variants(samples=columns):
        if len(variant.site.mutations) != 1:
            continue
        counts = variant.genotypes.reshape(len(SHIPPED_POPULATIONS), n).sum(axis=1)
        if (np.minimum(counts, n - counts) >= MIN_MAF * n).any():
            positions.append(START + int(variant.site.position))
            rows.append(np.packbits(variant.genotypes.astype(np.uint8)))
    bits = np.unpackbits(np.array(rows), axis=1, count=len(columns)).T
    kept = {name: bits[at * n : (at + 1) * n] for at, name in enumerate(SHIPPED_POPULATIONS)}
    return np.array(positions, dtype=np.int64), kept


def draw_alleles(n_variants: int, seed: int) -> UInt8[np.ndarray, " n_variants"]:
    """Return 4 * index of REF + index of ALT: letters at random, transitions twice as often."""
    generator = np.random.default_rng(seed)
    at = {letter: index for index, letter in enumerate(LETTERS.tolist())}
    weights = [(1 - GC_CONTENT) / 2 if letter in "AT" else GC_CONTENT / 2 for letter in at]
    reference = generator.choice(4, size=n_variants, p=weights)
    partner = np.array([at[TRANSITION[letter]] for letter in at])
    transversions = np.array([[i for i in range(4) if i not in {j, partner[j]}] for j in range(4)])
    alternate = np.where(
        generator.random(n_variants) < P_TRANSITION,
        partner[reference],
        transversions[reference, generator.integers(2, size=n_variants)],
    )
    return (4 * reference + alternate).astype(np.uint8)


def write_panel(
    path: Path,
    positions: Int64[np.ndarray, " n_variants"],
    alleles: UInt8[np.ndarray, " n_variants"],
    haplotypes: dict[str, UInt8[np.ndarray, "n_haplotypes n_variants"]],
    origin: dict[str, str | int | float],
) -> None:
    """Write the panel as a compressed .npz: steps between positions, letters, haplotypes 8 to a byte."""
    arrays: dict[str, Any] = {name: np.packbits(matrix, axis=1) for name, matrix in haplotypes.items()}
    arrays |= {
        "position_steps": np.diff(positions, prepend=0).astype(np.uint32),
        "alleles": alleles,
        "origin": np.array(json.dumps(origin, sort_keys=True)),
    }
    with replace_together(path) as (temporary,), temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def main() -> None:
    """Simulate, write and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="the .npz to write")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    with as_file(files("genotransfer.simulation") / "panels" / SHIPPED_MAP) as path:
        genetic_map = read_genetic_map(path)
    positions, haplotypes = extract_haplotypes(simulate_trees(genetic_map, arguments.seed))
    origin: dict[str, str | int | float] = {
        "demography": DEMOGRAPHY,
        "seed": arguments.seed,
        "start": START,
        "end": END,
        "map": SHIPPED_MAP,
        "min_maf": MIN_MAF,
        "msprime": version("msprime"),
        "stdpopsim": version("stdpopsim"),
    }
    write_panel(
        arguments.out, positions, draw_alleles(len(positions), arguments.seed + 2), haplotypes, origin
    )
    common = {}
    for name, matrix in haplotypes.items():
        counts = matrix.sum(axis=0, dtype=np.int64)
        common[name] = np.minimum(counts, len(matrix) - counts) >= MIN_MAF * len(matrix)
    both = np.logical_and.reduce(list(common.values()))
    named = ", ".join(f"{int(which.sum()):,} {name}" for name, which in common.items())
    print(f"{len(positions):,} variants; at MAF >= {MIN_MAF}: {named}, {int(both.sum()):,} common")
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
