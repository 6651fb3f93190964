"""Drift: whether new people are of the population the champion knows, and whether it still predicts them.

Allele frequencies of the new people are compared with those of the people there were before, and the
champion's scores of both. Everything is measured before anybody trains on the new people.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8
from scipy import stats

from genotransfer.counts import count_alleles, count_genotypes
from genotransfer.genotypes import Genotypes
from genotransfer.intervals import NAN, measure_auc

# At this level, over all variants, by Bonferroni.
LEVEL = 0.05
# Of Cohen's scale: half a standard deviation is a medium shift.
NOTABLE_SHIFT = 0.5
NOTABLE_FST = 0.005


@dataclass(frozen=True)
class FrequencyDrift:
    """Allele frequencies of new people against those of the people before.

    Attributes
    ----------
    n_variants : variants typed in both groups.
    inflation : median of the tests' chi-squared over that expected; 1 where nothing drifts.
    fst : Hudson's, ratio of averages; 0 where nothing drifts.
    n_drifted : variants whose frequencies differ at .05 after Bonferroni's correction.
    largest : largest absolute difference of frequencies, 0 to 1.
    """

    n_variants: int
    inflation: float
    fst: float
    n_drifted: int
    largest: float


@dataclass(frozen=True)
class ScoreDrift:
    """The champion on new people against the people before.

    Attributes
    ----------
    n_before, n_new : people.
    shift : mean log odds of the new people less that of those before, in the latter's deviations.
    shift_p : of Welch's t-test.
    ks_p : of the two-sample Kolmogorov-Smirnov test.
    expected_cases, observed_cases : shares among the new people, by the champion and by their labels.
    auc, auc_low, auc_high : of the champion on the new people, none of whom it has learnt from.
    """

    n_before: int
    n_new: int
    shift: float
    shift_p: float
    ks_p: float
    expected_cases: float
    observed_cases: float
    auc: float
    auc_low: float
    auc_high: float


def measure_frequency_drift(before: Genotypes, new: Genotypes) -> tuple[FrequencyDrift, pd.DataFrame]:
    """Compare allele frequencies.

    Parameters
    ----------
    before, new : people with the same variants.

    Returns
    -------
    The summary; and one row a variant, those that differ most first: id, chromosome, position, counted,
    frequency_before, frequency_new, z, p.

    Source
    ------
    Hudson's F_ST by the ratio of averages: Bhatia et al. 2013, Genome Res 23:1514, equation 10.
    """
    tables = [count_alleles(count_genotypes(one).sum(axis=1)).astype(np.float64) for one in (before, new)]
    totals = [one.sum(axis=1) for one in tables]
    typed = (totals[0] > 1) & (totals[1] > 1)
    n0, n1 = (one[typed] for one in totals)
    p0, p1 = (one[typed, 0] / total for one, total in zip(tables, (n0, n1), strict=True))
    pooled = (p0 * n0 + p1 * n1) / (n0 + n1)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n0 + 1 / n1))
    z = np.divide(p1 - p0, error, out=np.zeros_like(p0), where=error > 0)
    varying = error > 0
    p = 2 * stats.norm.sf(np.abs(z))
    numerator = (p0 - p1) ** 2 - p0 * (1 - p0) / (n0 - 1) - p1 * (1 - p1) / (n1 - 1)
    denominator = p0 * (1 - p1) + p1 * (1 - p0)
    summary = FrequencyDrift(
        n_variants=int(typed.sum()),
        inflation=float(np.median(z[varying] ** 2) / stats.chi2.median(1)) if varying.any() else NAN,
        fst=float(numerator.sum() / denominator.sum()) if denominator.sum() > 0 else NAN,
        n_drifted=int((p[varying] < LEVEL / max(varying.sum(), 1)).sum()),
        largest=float(np.abs(p1 - p0).max()) if len(p0) else NAN,
    )
    table = before.variants.loc[typed, ["id", "chromosome", "position", "counted"]].assign(
        frequency_before=p0, frequency_new=p1, z=z, p=p
    )
    order = np.argsort(-np.abs(z), kind="stable")
    return summary, table.iloc[order].reset_index(drop=True)


def measure_score_drift(
    before: Float64[np.ndarray, " n"], new: Float64[np.ndarray, " m"], labels: Int8[np.ndarray, " m"]
) -> ScoreDrift:
    """Compare a model's predictions.

    Parameters
    ----------
    before, new : P(case) of the people before and of the new.
    labels : of the new people, 1 case, 0 control.
    """
    odds = [
        np.log(bounded / (1 - bounded)) for bounded in (np.clip(one, 1e-6, 1 - 1e-6) for one in (before, new))
    ]
    spread = float(odds[0].std(ddof=1)) if len(before) > 1 else NAN
    enough = len(before) > 1 and len(new) > 1 and spread > 0
    welch = stats.ttest_ind(odds[1], odds[0], equal_var=False).pvalue if enough else NAN
    auc, low, high = measure_auc(labels, new)
    return ScoreDrift(
        n_before=len(before),
        n_new=len(new),
        shift=float((odds[1].mean() - odds[0].mean()) / spread) if enough else NAN,
        shift_p=float(welch),
        ks_p=float(stats.ks_2samp(odds[1], odds[0]).pvalue) if enough else NAN,
        expected_cases=float(new.mean()) if len(new) else NAN,
        observed_cases=float(labels.mean()) if len(labels) else NAN,
        auc=auc,
        auc_low=low,
        auc_high=high,
    )


def warn_of_drift(frequencies: FrequencyDrift, scores: dict[str, ScoreDrift]) -> list[str]:
    """Return, in words, what a person should look at before trusting models of these people together."""
    told = []
    if frequencies.fst > NOTABLE_FST:
        told.append(
            f"The new people differ from those before as two populations do (F_ST {frequencies.fst:.4f}); people "
            "of one population have about 0."
        )
    if frequencies.n_drifted:
        told.append(
            f"{frequencies.n_drifted:,} of {frequencies.n_variants:,} variants have other frequencies among the "
            "new people (P below .05 after Bonferroni's correction): another ancestry, array or strand."
        )
    for name, one in scores.items():
        if abs(one.shift) > NOTABLE_SHIFT and one.shift_p < LEVEL:
            told.append(
                f"{name}: the champion scores the new people {one.shift:+.2f} standard deviations from those before."
            )
        if not math.isnan(one.auc_low) and one.auc_low <= 0.5:
            told.append(
                f"{name}: on the {one.n_new:,} new people the champion is not better than chance "
                f"(AUC {one.auc:.3f}, {one.auc_low:.3f} to {one.auc_high:.3f})."
            )
    return told


def describe_drift(
    frequencies: FrequencyDrift, scores: dict[str, ScoreDrift], table: pd.DataFrame, most: int = 10
) -> str:
    """Return the drift as Markdown.

    Parameters
    ----------
    scores : by phenotype; none where there is no champion yet.
    table : of the variants, from `measure_frequency_drift`.
    most : variants listed.
    """
    lines = ["# Drift", ""]
    lines += [f"- **Look:** {one}" for one in warn_of_drift(frequencies, scores)] or [
        "Nothing stands out: the new people are like those before."
    ]
    lines += [
        "",
        f"Allele frequencies of {frequencies.n_variants:,} variants: inflation {frequencies.inflation:.3f}, "
        f"F_ST {frequencies.fst:.5f}, largest difference {frequencies.largest:.3f}.",
        "",
        "| variant | before | new | z |",
        "|---|---|---|---|",
    ]
    for row in table.head(most).to_dict("records"):
        lines.append(
            f"| {row['id']} ({row['counted']}) | {row['frequency_before']:.3f} | {row['frequency_new']:.3f} | "
            f"{row['z']:+.1f} |"
        )
    if scores:
        names = [one.name for one in fields(ScoreDrift)]
        lines += ["", f"| phenotype | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for name, one in scores.items():
            lines.append(f"| {name} | {' | '.join(f'{value:.4g}' for value in asdict(one).values())} |")
    else:
        lines += ["", "There is no champion yet whose scores could be compared."]
    return "\n".join([*lines, ""])
