"""What PRS-CSx reads and writes: thinned variants, summary statistics, LD blocks, effects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int8, Int64

from genotransfer.errors import StudyError

# PRS-CSx knows these five; its reference names a frequency and a sign for each.
POPULATIONS = ("AFR", "AMR", "EAS", "EUR", "SAS")
REFERENCE = "snpinfo_mult_1kg_hm3"


@dataclass(frozen=True)
class Cohort:
    """People of one population.

    Attributes
    ----------
    dosages : int8 (n_samples, n_variants); 0, 1 or 2 copies of the counted allele, none missing.
    labels : (n_samples,); 1 case, 0 control.
    """

    dosages: Int8[np.ndarray, "n_samples n_variants"]
    labels: np.ndarray


@dataclass(frozen=True)
class Summary:
    """Marginal linear regressions of the label on each variant, one population.

    Attributes
    ----------
    n : number of people.
    effects, errors : float64 (n_variants,); change of the label with each counted allele, and its
        standard error; NaN where all people have the same genotype.
    frequencies : float64 (n_variants,); of the counted allele; 0 where it does not vary, which makes
        PRS-CSx leave the variant out in this population.
    """

    n: int
    effects: Float64[np.ndarray, " n_variants"]
    errors: Float64[np.ndarray, " n_variants"]
    frequencies: Float64[np.ndarray, " n_variants"]


def summarise(cohort: Cohort) -> Summary:
    """Regress the label on each variant; all statistics are those of ordinary least squares."""
    n = len(cohort.labels)
    unit, spread = _to_units(cohort.dosages)
    y = cohort.labels - np.mean(cohort.labels)
    r = (y / np.sqrt(y @ y)) @ unit
    varies = spread > 0
    scale = np.divide(np.sqrt(y @ y), spread, out=np.full(len(spread), np.nan), where=varies)
    errors = scale * np.sqrt((1 - r**2) / (n - 2))
    frequencies = np.where(varies, cohort.dosages.mean(axis=0, dtype=np.float64) / 2, 0.0)
    return Summary(n, scale * r, errors, frequencies)


def thin_variants(
    source: Int8[np.ndarray, "n_source n_variants"],
    target: Int8[np.ndarray, "n_target n_variants"],
    variants: pd.DataFrame,
    *,
    n_kept: int,
    r2: float = 0.9,
    window: int = 400,
) -> Int64[np.ndarray, " kept"]:
    """Return the positions of variants to keep, in order; labels are not looked at.

    First a variant goes if an earlier kept one of its chromosome, at most `window` variants before it,
    stands for it in both populations (r2 above the limit in each). Of what is left every k-th is kept,
    so that the density follows that of the distinct variants. Only single letters A, C, G, T stay:
    PRS-CSx ignores all others.
    """
    letters = list("ACGT")
    keep = (variants["counted"].isin(letters) & variants["other"].isin(letters)).to_numpy(
        dtype=bool, copy=True
    )
    units = [_to_units(dosages)[0] for dosages in (source, target)]
    keep &= np.any([unit.any(axis=0) for unit in units], axis=0)
    for part in locate_chromosomes(variants).values():
        _prune(keep, units, part, r2, window)
    left = np.flatnonzero(keep)
    if len(left) <= n_kept:
        return left
    return left[np.linspace(0, len(left) - 1, n_kept).round().astype(np.int64)]


def _prune(
    keep: Bool[np.ndarray, " m"], units: list[np.ndarray], part: slice, r2: float, window: int
) -> None:
    for at in range(part.start, part.stop):
        if keep[at]:
            after = slice(at + 1, min(part.stop, at + 1 + window))
            twins = [(unit[:, at] @ unit[:, after]) ** 2 > r2 for unit in units]
            # A variant that does not vary in one population has no r2 there, and needs none.
            still = [~unit[:, after].any(axis=0) for unit in units]
            keep[after] &= ~np.logical_and.reduce([a | b for a, b in zip(twins, still, strict=True)])


def locate_chromosomes(variants: pd.DataFrame) -> dict[int, slice]:
    """Return where each chromosome's variants lie.

    Raises
    ------
    StudyError
        A chromosome is not one of the autosomes, or its variants are not sorted and together.
    """
    numbers = pd.to_numeric(variants["chromosome"], errors="coerce").fillna(0).to_numpy(dtype=np.int64)
    positions = variants["position"].to_numpy(dtype=np.int64)
    if not len(numbers) or numbers.min() < 1 or numbers.max() > 22:
        raise StudyError("PRS-CSx takes chromosomes 1 to 22 only. Leave the other variants out.")
    if np.any(np.lexsort((positions, numbers)) != np.arange(len(numbers))):
        raise StudyError("The variants are not in order. Sort them by chromosome and position.")
    return {int(c): slice(*np.searchsorted(numbers, [c, c + 1]).tolist()) for c in np.unique(numbers)}


def divide_blocks(dosages: Int8[np.ndarray, "n_samples m"], size: int = 200, reach: int = 20) -> list[slice]:
    """Divide variants into LD blocks of about `size`, none above 1.5 times it.

    Each boundary lies where the `reach` variants before it and after it have the least r2 with each
    other in the given people, between half and 1.5 times `size` after the last boundary.
    """
    unit, n = _to_units(dosages)[0], dosages.shape[1]
    cuts = [0]
    while n - cuts[-1] > 1.5 * size:
        last = min(cuts[-1] + 3 * size // 2, n - size // 2)
        places = range(cuts[-1] + size // 2, last + 1)
        across = [((unit[:, max(i - reach, 0) : i].T @ unit[:, i : i + reach]) ** 2).sum() for i in places]
        cuts.append(places[int(np.argmin(across))])
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], n], strict=True)]


def name_variants(n: int) -> list[str]:
    """Return short names; a study's own may repeat or hold what a table cannot."""
    return [f"v{number}" for number in range(n)]


def write_ld(
    path: Path, dosages: Int8[np.ndarray, "n_samples n_variants"], part: slice, blocks: list[slice]
) -> None:
    """Write the correlations in each block, of the variants that vary in these people.

    Parameters
    ----------
    dosages : of all variants.
    part : where the chromosome lies; `blocks` divide it and count from its start.
    """
    names = np.array(name_variants(dosages.shape[1]))[part]
    unit, spread = _to_units(dosages[:, part])
    with h5py.File(path, "w") as file:
        for block in blocks:
            varies = np.flatnonzero(spread[block] > 0) + block.start
            if len(varies):
                group = file.create_group(f"blk_{len(file) + 1}")
                group["ldblk"] = (unit[:, varies].T @ unit[:, varies]).astype(np.float64)
                group["snplist"] = names[varies].astype("S")


def write_tables(folder: Path, variants: pd.DataFrame, summaries: dict[str, Summary]) -> None:
    """Write ``target.bim``, the reference's table of variants and each population's statistics.

    All tables have the counted allele as A1, so that A/T and C/G variants, whose strand PRS-CSx would
    guess, agree. LD matrices have the same sign, hence the flip of 1.
    """
    names = name_variants(len(variants))
    counted, other = (variants[column].to_numpy() for column in ("counted", "other"))
    place = {"CHR": variants["chromosome"].to_numpy(), "SNP": names, "BP": variants["position"].to_numpy()}
    bim = pd.DataFrame({"CHR": place["CHR"], "SNP": names, "CM": 0, "BP": place["BP"]})
    bim.assign(A1=counted, A2=other).to_csv(folder / "target.bim", sep="\t", header=False, index=False)
    nothing = np.zeros(len(variants))
    frequencies = {
        f"FRQ_{name}": summaries[name].frequencies if name in summaries else nothing for name in POPULATIONS
    }
    flips = {f"FLP_{name}": int(name in summaries) for name in POPULATIONS}
    reference = pd.DataFrame({**place, "A1": counted, "A2": other, **frequencies}).assign(**flips)
    (folder / "ld").mkdir(exist_ok=True)
    reference.to_csv(folder / "ld" / REFERENCE, sep="\t", index=False)
    for name, one in summaries.items():
        table = pd.DataFrame(
            {"SNP": names, "A1": counted, "A2": other, "BETA": one.effects, "SE": one.errors}
        )
        table[one.frequencies > 0].to_csv(folder / f"{name}.txt", sep="\t", index=False)


def read_effects(files: list[Path], variants: pd.DataFrame) -> Float64[np.ndarray, " n_variants"]:
    """Return the effect of each counted allele from PRS-CSx's files; 0 for variants it left out.

    Raises
    ------
    StudyError
        A variant has other alleles than were given, or an effect is not finite.
    """
    columns = ["chromosome", "name", "position", "a1", "a2", "effect"]
    table = pd.concat([pd.read_csv(file, sep="\t", header=None, names=columns) for file in files])
    counted, other = (variants[column].to_numpy() for column in ("counted", "other"))
    at = table["name"].str[1:].astype(np.int64).to_numpy()
    same = (table["a1"] == counted[at]) & (table["a2"] == other[at])
    swapped = (table["a1"] == other[at]) & (table["a2"] == counted[at])
    bad = ~(same | swapped).to_numpy() | ~np.isfinite(table["effect"].to_numpy(dtype=np.float64))
    if bad.any():
        raise StudyError(
            f"PRS-CSx returned {bad.sum()} variants with other alleles or no finite effect, the first "
            f"in row {int(np.argmax(bad)) + 1} of {files[0].name}. Try another phi or more people."
        )
    effects = np.zeros(len(variants))
    effects[at] = np.where(same, 1.0, -1.0) * table["effect"].to_numpy(dtype=np.float64)
    return effects


def _to_units(dosages: Int8[np.ndarray, "n m"]) -> tuple[np.ndarray, Float64[np.ndarray, " m"]]:
    """Return centred columns of length 1, float32, and the lengths they had; 0 stays 0."""
    if dosages.size and dosages.min() < 0:
        raise StudyError("There are missing genotypes. Fill them in or leave those variants out.")
    centred = np.asfortranarray(dosages, dtype=np.float32)
    centred = centred - centred.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = np.sqrt((centred.astype(np.float32) ** 2).sum(axis=0, dtype=np.float64))
    spread[spread < 1e-3] = 0
    centred /= np.where(spread > 0, spread, 1).astype(np.float32)
    centred[:, spread == 0] = 0
    return centred, spread
