"""Quality control: filters on variants and samples, each with a count of what it removed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int8, Int64

from genotransfer.counts import count_alleles, count_genotypes, find_autosomal
from genotransfer.errors import StudyError
from genotransfer.exact import hardy_weinberg_exact
from genotransfer.genotypes import MISSING, Genotypes

# Rates are compared with thresholds such as 0.95, which have no exact binary form.
ROUNDING = 1e-9
QUALITY_COLUMNS = ["step", "unit", "removed", "left"]


@dataclass(frozen=True)
class QualitySettings:
    """Thresholds of quality control.

    Attributes
    ----------
    autosomes_only : take out variants that are not on chromosomes 1 to 22 (or unplaced, 0).
    bases_only : take out variants whose alleles are not all made of A, C, G and T, such as ``0``,
        ``.``, ``I``, ``D``, ``<DEL>`` or ``*``.
    unique_variants : of variants with one chromosome, position and pair of alleles keep the first.
    sample_call_rate : least share of variants called in a sample (PLINK's 1 - ``--mind``).
    variant_call_rate : least share of samples called at a variant (1 - ``--geno``).
    maf : least frequency of the minor allele (``--maf``).
    hwe_p : least p-value of Hardy–Weinberg proportions (``--hwe``); 0: no filter.

    Raises
    ------
    StudyError
        A threshold is out of range.
    """

    autosomes_only: bool = True
    bases_only: bool = True
    unique_variants: bool = True
    sample_call_rate: float = 0.95
    variant_call_rate: float = 0.95
    maf: float = 0.01
    hwe_p: float = 1e-6

    def __post_init__(self) -> None:
        for name, most in (("sample_call_rate", 1), ("variant_call_rate", 1), ("maf", 0.5), ("hwe_p", 1)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise StudyError(
                    f"Quality control's {name} is {value}. "
                    f"Give a number between 0 and {most}; 0 filters nothing."
                )


def control_quality(
    genotypes: Genotypes,
    labels: Int8[np.ndarray, " n_samples"] | None = None,
    settings: QualitySettings | None = None,
) -> tuple[Genotypes, pd.DataFrame]:
    """Filter variants and samples, in the order of PLINK 1.9.

    First by what the tables say: autosomes, alleles, doubled ids, doubled variants. Then by the
    genotypes: samples by call rate; and, on the samples left, variants by call rate, having one
    allele only, minor allele frequency, and Hardy–Weinberg proportions.

    The statistics are those of the samples passed, no others: a study passes TD, VD and ED, so
    that nothing is learnt from FD. All samples count as founders.

    Parameters
    ----------
    genotypes : of one population.
    labels : int8 (n_samples,); 1 case, 0 control. Hardy–Weinberg is tested in controls, or in
        everybody when None: where people were not chosen by the phenotype, but parted by a threshold
        on it, controls depart from the proportions at a SNP of a large effect.
    settings : the defaults of `QualitySettings` when None.

    Returns
    -------
    A view of the genotypes left, and a table with a row for each step: step, unit (``variants``
    or ``samples``), removed and left.

    Raises
    ------
    StudyError
        A step removed all that was left, no control is left, or labels are of the wrong number.

    Source: Anderson et al. 2010, Nat Protoc 5:1564; Muneeb 2022, Quality control.
    """
    settings = settings or QualitySettings()
    if labels is not None and len(labels) != genotypes.n_samples:
        raise StudyError(
            f"{len(labels)} labels were given for {genotypes.n_samples} samples of genotypes. "
            "Give one for each sample, in the samples' order."
        )
    rows: list[tuple[str, str, int, int]] = []

    for step, find in _table_steps(settings):
        genotypes = _filter_variants(genotypes, step, ~find(genotypes.variants), rows)

    keep = compute_sample_call_rates(genotypes) >= settings.sample_call_rate - ROUNDING
    _record("sample call rate", "samples", keep, rows)
    genotypes, labels = genotypes.select(samples=keep), None if labels is None else labels[keep]
    if labels is not None and not (labels == 0).any() and settings.hwe_p > 0:
        raise StudyError(
            f"No control is among the {len(labels)} samples left, and Hardy-Weinberg proportions "
            "are tested in controls. Give more samples, lower sample_call_rate, or set hwe_p to 0."
        )

    groups = np.zeros(genotypes.n_samples, dtype=np.int8) if labels is None else labels
    counts = count_genotypes(genotypes, groups, 2)
    tested = "everybody" if labels is None else "controls"
    for step, find_kept in _genotype_steps(settings, genotypes.n_samples, tested):
        kept = find_kept(counts)
        genotypes, counts = _filter_variants(genotypes, step, kept, rows), counts[kept]
    return genotypes, pd.DataFrame(rows, columns=QUALITY_COLUMNS)


def compute_sample_call_rates(genotypes: Genotypes) -> Float64[np.ndarray, " n_samples"]:
    """Return the share of variants called in each sample."""
    missing = np.zeros(genotypes.n_samples, dtype=np.int64)
    for _, dosages in genotypes.blocks():
        missing += np.count_nonzero(dosages == MISSING, axis=1)
    return np.asarray(1 - missing / max(genotypes.n_variants, 1))


def compute_maf(counts: Int64[np.ndarray, "k 3"]) -> Float64[np.ndarray, " k"]:
    """Return minor allele frequencies from counts of 0, 1 and 2 copies; 0 where nobody is called."""
    alleles = count_alleles(counts)
    return np.asarray(alleles.min(axis=1) / np.maximum(alleles.sum(axis=1), 1))


def _table_steps(
    settings: QualitySettings,
) -> Iterator[tuple[str, Callable[[pd.DataFrame], Bool[np.ndarray, " k"]]]]:
    """Yield (step, function finding the variants to remove) of the filters that read no genotype."""
    if settings.autosomes_only:
        yield "not on an autosome", lambda variants: ~find_autosomal(variants["chromosome"])
    if settings.bases_only:
        yield "missing or invalid allele", _find_invalid_alleles
    yield "duplicate id", lambda variants: variants["id"].duplicated().to_numpy(dtype=bool)
    if settings.unique_variants:
        yield "duplicate variant", find_duplicates


def _find_invalid_alleles(variants: pd.DataFrame) -> Bool[np.ndarray, " k"]:
    counted, other = (variants[name].astype(str).str.upper() for name in ("counted", "other"))
    valid = counted.str.fullmatch("[ACGT]+") & other.str.fullmatch("[ACGT]+") & (counted != other)
    return ~valid.to_numpy(dtype=bool)


def find_duplicates(variants: pd.DataFrame) -> Bool[np.ndarray, " k"]:
    """Say which variants have the chromosome, position and alleles, in any order, of one before them."""
    counted, other = (variants[name].astype(str).to_numpy() for name in ("counted", "other"))
    first, second = np.minimum(counted.astype(object), other), np.maximum(counted.astype(object), other)
    key = pd.DataFrame(
        {"chromosome": variants["chromosome"], "position": variants["position"], "a": first, "b": second}
    )
    return key.duplicated().to_numpy(dtype=bool)


def _genotype_steps(
    settings: QualitySettings, n_samples: int, tested: str
) -> Iterator[tuple[str, Callable[[Int64[np.ndarray, "k 2 3"]], Bool[np.ndarray, " k"]]]]:
    """Yield (step, function finding the variants to keep) of the filters on genotype counts."""
    yield (
        "variant call rate",
        lambda counts: counts.sum(axis=(1, 2)) >= n_samples * settings.variant_call_rate - ROUNDING,
    )
    yield "monomorphic", lambda counts: compute_maf(counts.sum(axis=1)) > 0
    yield (
        "minor allele frequency",
        lambda counts: compute_maf(counts.sum(axis=1)) >= settings.maf * (1 - ROUNDING),
    )
    if settings.hwe_p > 0:
        yield (
            f"Hardy-Weinberg in {tested}",
            lambda counts: hardy_weinberg_exact(counts[:, 0]) >= settings.hwe_p * (1 - ROUNDING),
        )


def _filter_variants(
    genotypes: Genotypes, step: str, keep: Bool[np.ndarray, " k"], rows: list[tuple[str, str, int, int]]
) -> Genotypes:
    _record(step, "variants", keep, rows)
    return genotypes if keep.all() else genotypes.select(variants=keep)


def _record(
    step: str, unit: str, keep: Bool[np.ndarray, " k"], rows: list[tuple[str, str, int, int]]
) -> None:
    removed, left = int((~keep).sum()), int(keep.sum())
    rows.append((step, unit, removed, left))
    if not left:
        before = "; ".join(f"{row[0]} removed {row[2]} {row[1]}" for row in rows[:-1] if row[2])
        raise StudyError(
            f"Quality control left no {unit}: the step {step!r} removed all {removed} there were"
            f"{f' (before it, {before})' if before else ''}. Loosen its threshold, or look whether "
            "the genotypes are the right ones."
        )
