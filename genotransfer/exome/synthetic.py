"""A synthetic exome of cases and controls: genotypes, genes, truth and what can at best be predicted.

Its size is that of Henriques et al. 2025: 11,214 people (4,969 cases), 18,970 variants, 9,160 genes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int64
from pydantic import Field

from genotransfer.errors import StudyError
from genotransfer.exome.annotation import annotate_variants, write_annotation
from genotransfer.exome.ceiling import expect_ceiling, find_threshold
from genotransfer.exome.gene_models import read_gene_models
from genotransfer.exome.synthetic_genes import draw_gene_sizes, place_genes, write_refgene
from genotransfer.formats import plink
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import SAMPLE_COLUMNS, VARIANT_COLUMNS, Genotypes
from genotransfer.randomness import make_generator
from genotransfer.settings import Settings, Share, Size
from genotransfer.simulation.phenotypes import (
    SimulatedPhenotype,
    additive_model,
    draw_raw_effects,
    draw_risk_variants,
    simulate_phenotype,
)

BLOCK = 512
BASES = np.array(list("ACGT"))


class ExomeShape(Settings):
    """What a synthetic exome is like, whatever its seed."""

    n_samples: Annotated[int, Field(ge=2)] = 11_214
    n_cases: Size = 4_969
    n_variants: Size = 18_970
    n_genes: Size = 9_160
    singleton_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.54, description="share of variants seen once (ExAC: Lek et al. 2016, Nature 536:285)"
    )
    heritability: Share = Field(0.5, description="of liability, of the causal variants together")
    n_causal: Size = 500
    alpha: float = Field(
        -0.38,
        description="a copy's effect grows with (2p(1-p))^(alpha/2) as the allele gets rarer; -0.38: Schoech "
        "et al. 2019, Nat Commun 10:790; 0: every copy alike",
    )
    missing_rate: Share = Field(0.005, description="share of genotypes that are not called")


class SyntheticExome(ExomeShape):
    """What `simulate_exome` makes."""

    seed: Annotated[int, Field(ge=0)] = 20250616


def simulate_exome(folder: str | Path, settings: SyntheticExome | None = None) -> Genotypes:
    """Write a synthetic exome: everything in one folder, the same bytes for the same settings.

    Copies of an allele are i with a probability in proportion to i^-a, up to half of all chromosomes,
    a such that the share of singletons is the one asked for, and lie on chromosomes drawn at random:
    Hardy-Weinberg, and no LD, of which rare variants have next to none. A case is one of the `n_cases`
    people of highest liability, whose genetic part is drawn by `simulation.phenotypes` from causal
    variants drawn at random.

    Parameters
    ----------
    folder : absent or empty; gets ``exome.bed``, ``.bim``, ``.fam`` (phenotype 2 case, 1 control),
        ``phenotypes.tsv`` (FID, IID, phenotype 1 or 0, liability, genetic), ``genes.txt`` (refGene's
        columns), ``annotation.tsv``, ``causal.tsv`` and ``truth.json`` (settings, ceiling, and what
        the true scores reach on these very people).
    settings : the defaults of `SyntheticExome` when None.

    Returns
    -------
    The genotypes; dosages count the alternative (and rarer) allele.

    Raises
    ------
    StudyError
        There are more genes than variants, more causal variants than variants, no control, or the
        share of singletons cannot be had.
    InputError
        The folder is not empty.
    """
    settings = settings or SyntheticExome()
    _check(settings)
    copies = draw_allele_counts(settings)
    genes = place_genes(draw_gene_sizes(settings.n_variants, settings.n_genes, settings.seed), settings.seed)
    variants = _name_variants(genes.variants, settings.seed)
    causal = draw_risk_variants(
        settings.n_variants, settings.n_causal, make_generator(settings.seed, "exome", "causal")
    )
    phenotype = _draw_phenotype(copies, causal, settings)
    labels = np.zeros(settings.n_samples, dtype=np.int8)
    labels[np.argsort(-phenotype.liability, kind="stable")[: settings.n_cases]] = 1
    samples = _name_samples(labels)
    with replace_together(folder) as (made,):
        made.mkdir()
        plink.write_blocks(made / "exome", samples, _draw_blocks(variants, copies, settings))
        write_refgene(made / "genes.txt", genes.transcripts)
        annotation = annotate_variants(variants, read_gene_models(made / "genes.txt"))
        write_annotation(made / "annotation.tsv", annotation)
        _write_truth(made, samples, annotation, copies, causal, phenotype, labels, settings)
    return Genotypes.open(Path(folder) / "exome")


def draw_allele_counts(settings: SyntheticExome) -> Int64[np.ndarray, " n_variants"]:
    """Return how many copies of each variant's alternative allele are among the people, 1 to n_samples.

    Raises
    ------
    StudyError
        No spectrum i^-a has the share of singletons asked for.
    """
    from scipy.optimize import brentq  # half a second to import, and only needed here

    counts = np.arange(1, settings.n_samples + 1)

    def find_excess(power: float) -> float:
        return float(1 / (counts**-power).sum()) - settings.singleton_share

    if find_excess(0.0) > 0 or find_excess(20.0) < 0:
        raise StudyError(f"singleton_share {settings.singleton_share} cannot be had. Give 0.1 to 0.9.")
    chances = counts ** -float(brentq(find_excess, 0.0, 20.0))
    generator = make_generator(settings.seed, "exome", "allele counts")
    drawn = np.searchsorted(np.cumsum(chances / chances.sum()), generator.random(settings.n_variants))
    return np.asarray(np.minimum(drawn, len(counts) - 1) + 1, dtype=np.int64)


def draw_dosages(
    copies: Int64[np.ndarray, " n_variants"], at: int, settings: SyntheticExome
) -> Int8[np.ndarray, " n_samples"]:
    """Return the copies each person has of one variant, none missing."""
    generator = make_generator(settings.seed, "exome", "genotypes", at)
    chromosomes = generator.choice(2 * settings.n_samples, size=int(copies[at]), replace=False)
    return np.bincount(chromosomes // 2, minlength=settings.n_samples).astype(np.int8)


def _check(settings: SyntheticExome) -> None:
    for name, most, what in (
        ("n_genes", settings.n_variants, "variants"),
        ("n_causal", settings.n_variants, "variants"),
        ("n_cases", settings.n_samples - 1, "people who can be cases"),
    ):
        if getattr(settings, name) > most:
            raise StudyError(f"{name} is {getattr(settings, name)}, of {most} {what}. Give at most {most}.")


def _draw_phenotype(
    copies: Int64[np.ndarray, " n_variants"],
    causal: Int64[np.ndarray, " k"],
    settings: SyntheticExome,
) -> SimulatedPhenotype:
    dosages = np.stack([draw_dosages(copies, at, settings) for at in causal.tolist()], axis=1)
    model = additive_model(settings.heritability)
    generator = make_generator(settings.seed, "exome", "phenotype")
    frequency = copies[causal] / (2 * settings.n_samples)
    spread = (2 * frequency * (1 - frequency)) ** (settings.alpha / 2)
    raw = draw_raw_effects(len(causal), model, generator) * spread
    return simulate_phenotype(dosages, model, raw, None, generator)


def _draw_blocks(
    variants: pd.DataFrame, copies: Int64[np.ndarray, " n_variants"], settings: SyntheticExome
) -> Iterator[tuple[pd.DataFrame, Int8[np.ndarray, "n_samples k"]]]:
    for start in range(0, len(variants), BLOCK):
        part = variants.iloc[start : start + BLOCK]
        dosages = np.stack(
            [draw_dosages(copies, at, settings) for at in range(start, start + len(part))], axis=1
        )
        generator = make_generator(settings.seed, "exome", "missing", start)
        dosages[generator.random(dosages.shape, dtype=np.float32) < settings.missing_rate] = -1
        yield part, dosages


def _name_variants(placed: pd.DataFrame, seed: int) -> pd.DataFrame:
    generator = make_generator(seed, "exome", "alleles")
    other = generator.integers(4, size=len(placed))
    counted = (other + generator.integers(1, 4, size=len(placed))) % 4
    table = placed.assign(cm=0.0, counted=BASES[counted], other=BASES[other])
    places = zip(*(table[name] for name in ("chromosome", "position", "other", "counted")), strict=True)
    return table.assign(id=[":".join(map(str, place)) for place in places])[VARIANT_COLUMNS]


def _name_samples(labels: Int8[np.ndarray, " n_samples"]) -> pd.DataFrame:
    names = [f"P{number:06d}" for number in range(1, len(labels) + 1)]
    rows = [(name, name, "0", "0", 0, str(label + 1)) for name, label in zip(names, labels, strict=True)]
    return pd.DataFrame(rows, columns=SAMPLE_COLUMNS)


def _write_truth(
    folder: Path,
    samples: pd.DataFrame,
    annotation: pd.DataFrame,
    copies: Int64[np.ndarray, " n_variants"],
    causal: Int64[np.ndarray, " k"],
    phenotype: SimulatedPhenotype,
    labels: Int8[np.ndarray, " n_samples"],
    settings: SyntheticExome,
) -> None:
    from genotransfer.intervals import measure_auc  # it imports scipy.stats

    people = {"FID": samples["fid"], "IID": samples["iid"], "phenotype": labels}
    table = pd.DataFrame(people | {"liability": phenotype.liability, "genetic": phenotype.genetic})
    table.to_csv(folder / "phenotypes.tsv", sep="\t", index=False, lineterminator="\n")
    known = annotation.iloc[causal][["id", "gene"]].reset_index(drop=True)
    known = known.assign(allele_count=copies[causal], effect=phenotype.effects)
    known.to_csv(folder / "causal.tsv", sep="\t", index=False, lineterminator="\n")
    genetic = phenotype.genetic
    noise = max(float((phenotype.liability - genetic).std()), 1e-12)
    threshold = find_threshold(genetic, noise, float(labels.mean()))
    oracle = {
        "accuracy": float(((genetic > threshold) == (labels == 1)).mean()),
        "auc": measure_auc(labels, genetic)[0],
    }
    truth = {
        "settings": settings.model_dump(),
        "heritability_realised": float(np.var(genetic) / np.var(phenotype.liability)),
        "ceiling": asdict(expect_ceiling(genetic, noise, threshold)),
        "oracle": oracle,
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")
