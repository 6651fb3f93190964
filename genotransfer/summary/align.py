"""Summary statistics brought to a fileset's variants, in its order, counting its alleles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from genotransfer.alignment import pair_variants
from genotransfer.alleles import compare_alleles, complement_alleles, fill_unknown_alleles
from genotransfer.errors import AlignmentError, InputError
from genotransfer.genotypes import Genotypes
from genotransfer.summary.statistics import UNKNOWN_ALLELE, SummaryStatistics


@dataclass(frozen=True, eq=False)
class AlignedStatistics:
    """Statistics and genotypes of the same variants.

    Attributes
    ----------
    statistics : of the variants kept; id, chromosome, position and alleles as in `genotypes`, beta and
        frequency per copy of the allele it counts.
    genotypes : a view of the fileset with these variants, in its order.
    report : counts by reason. ``variants of the statistics`` = ``only in the statistics`` + ``doubled``
        + ``alleles differ`` + ``ambiguous, dropped`` + ``kept``; ``kept`` = ``alleles equal`` +
        ``alleles swapped`` + ``strand flipped`` + ``strand flipped and alleles swapped``.
    """

    statistics: SummaryStatistics
    genotypes: Genotypes
    report: dict[str, int]


def align_statistics(
    statistics: SummaryStatistics, genotypes: Genotypes, *, match_by: str = "auto", ambiguous: str = "drop"
) -> AlignedStatistics:
    """Return statistics and a view of genotypes with the same variants, counting the same alleles.

    The fileset's order and alleles stand, also where it is the statistics that know an allele nobody
    in the fileset has. Effects of the other allele change their sign; alleles named on the other
    strand are renamed. An other allele the statistics do not name is taken to be the fileset's.

    Parameters
    ----------
    match_by : ``id``, ``position`` or ``auto``; see `genotransfer.alignment.align_populations`.
    ambiguous : ``drop`` or ``keep`` A/T and C/G variants; kept ones are taken as they are named.

    Raises
    ------
    AlignmentError
        There is no common variant, or none is left.
    InputError
        `match_by` or `ambiguous` is none of the above.
    """
    if ambiguous not in ("drop", "keep"):
        raise InputError(f"ambiguous variants: {ambiguous!r}", remedy="Give drop or keep")
    by, ours, theirs, doubled = pair_variants(genotypes.variants, statistics.variants, match_by)
    chosen = statistics.select(theirs)
    wanted = chosen.variants
    view = fill_unknown_alleles(wanted, genotypes.select(variants=ours))
    wanted = wanted.assign(other=_fill_other(wanted, view.variants))
    compared = compare_alleles(view.variants, wanted)
    out = compared.same & compared.ambiguous & (ambiguous == "drop")
    keep = compared.same & ~out
    swap = compared.swap
    beta, frequency = (wanted[name].to_numpy(dtype=np.float64) for name in ("beta", "frequency"))
    oriented = wanted.assign(
        **{name: view.variants[name].to_numpy() for name in _LABELS},
        beta=np.where(swap, -beta, beta),
        frequency=np.where(swap, 1 - frequency, frequency),
    )
    report = {
        "variants of the statistics": len(statistics.variants),
        "variants of the genotypes": genotypes.n_variants,
        "matched by id": int(by == "id"),
        "only in the statistics": len(statistics.variants) - len(theirs) - doubled[1],
        "only in the genotypes": genotypes.n_variants - len(ours) - doubled[0],
        "doubled": doubled[1],
        "doubled in the genotypes": doubled[0],
        "other allele taken from the genotypes": int((chosen.variants["other"] == UNKNOWN_ALLELE).sum()),
        "alleles differ": int((~compared.same).sum()),
        "ambiguous, dropped": int(out.sum()),
        "kept": int(keep.sum()),
        "alleles equal": int((compared.equal & keep).sum()),
        "alleles swapped": int((compared.swapped & keep).sum()),
        "strand flipped": int((compared.flipped & keep).sum()),
        "strand flipped and alleles swapped": int((compared.flipped_swapped & keep).sum()),
        "ambiguous, kept": int((compared.ambiguous & keep).sum()),
    }
    if not keep.any():
        raise AlignmentError(
            f"Of {len(ours)} variants common to statistics and genotypes none is left: "
            f"{report['alleles differ']} have other alleles, {report['ambiguous, dropped']} are A/T or C/G. "
            "Check that both name the alleles of the same variants, or keep the ambiguous ones."
        )
    return AlignedStatistics(
        replace(chosen, variants=oriented).select(keep), view.select(variants=keep), report
    )


_LABELS = ("id", "chromosome", "position", "counted", "other")


def _fill_other(wanted: pd.DataFrame, have: pd.DataFrame) -> np.ndarray:
    """Return the other alleles, those unknown taken from the pair that holds the counted one."""
    counted, other = (wanted[name].to_numpy(dtype=object) for name in ("counted", "other"))
    a, b = (have[name].str.upper().to_numpy(dtype=object) for name in ("counted", "other"))
    filled = np.full(len(other), UNKNOWN_ALLELE, dtype=object)
    # The last assignment wins: the same strand goes before the other.
    for one, two in ((complement_alleles(a), complement_alleles(b)), (a, b)):
        filled = np.where(counted == one, two, np.where(counted == two, one, filled))
    return np.where(other == UNKNOWN_ALLELE, filled, other)
