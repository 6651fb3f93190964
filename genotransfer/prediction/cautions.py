"""What speaks against a prediction, and how to read it: plain sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64

from genotransfer.intervals import measure_half_width
from genotransfer.prediction.ancestry import LEAST_TYPED, expect_ratios
from genotransfer.prediction.facts import BundleFacts
from genotransfer.prediction.match import VariantMatch
from genotransfer.prediction.opened import Bundle

# Deviations from both populations beyond which a person is far from both.
FAR = 5.0
# Populations whose means are nearer than this, in deviations, are not told apart.
APART = 4.0
FEW_PEOPLE = 100
# A share of all matched variants whose alleles do not fit: positions by chance, not the same variants.
ALLELES_DIFFER = 0.1


@dataclass(frozen=True, eq=False)
class AncestryComparison:
    """Where people stand between the populations.

    Attributes
    ----------
    target_z : distance from the mean of the target's people, in their deviations; NaN where unknown.
    nearer_source, far : bool (n,); False where unknown.
    known : whether the populations can be told apart at all by what was typed.
    """

    target_z: Float64[np.ndarray, " n"]
    nearer_source: Bool[np.ndarray, " n"]
    far: Bool[np.ndarray, " n"]
    known: bool


def compare_ancestry(
    bundle: Bundle, statistic: Float64[np.ndarray, " n"], typed: Int64[np.ndarray, " n"]
) -> AncestryComparison:
    """Compare people's ancestry statistic with the populations'.

    Fewer typed variants make the statistic vary more: deviations grow with the root of how many fewer.

    Parameters
    ----------
    statistic, typed : of each person; the number of variants the statistic is the mean of.
    """
    n, facts = len(statistic), bundle.facts.ancestry
    nobody = np.zeros(n, dtype=bool)
    enough = typed >= min(LEAST_TYPED, facts.n_variants)
    if facts.target_mean is None or not facts.target_sd or not enough.any():
        return AncestryComparison(np.full(n, np.nan), nobody, nobody, known=False)
    source_mean, source_sd = facts.source_mean, facts.source_sd
    if source_mean is None or not source_sd:  # statistics alone: what their frequencies lead to
        source_mean = float(expect_ratios(bundle.ancestry, "source_frequency").mean())
        source_sd = facts.target_sd
    wider = np.sqrt(facts.n_variants / np.maximum(typed, 1))
    target_z = np.where(enough, (statistic - facts.target_mean) / (facts.target_sd * wider), np.nan)
    source_z = np.where(enough, (statistic - source_mean) / (source_sd * wider), np.nan)
    apart = abs(facts.target_mean - source_mean) / max(facts.target_sd, source_sd)
    if apart < APART:
        return AncestryComparison(target_z, nobody, nobody, known=False)
    nearer = np.nan_to_num(np.abs(source_z), nan=np.inf) < np.nan_to_num(np.abs(target_z), nan=0.0)
    far = np.minimum(np.abs(target_z), np.abs(source_z)) > FAR  # NaN compares false
    return AncestryComparison(target_z, nearer, np.asarray(far), known=True)


def judge_people(
    bundle: Bundle, table: pd.DataFrame, compared: AncestryComparison, least: float
) -> list[str]:
    """Return warnings of people the model may not be for, or of whom little is known."""
    facts, n = bundle.facts, len(table)
    warnings = []
    nearer, far = int(compared.nearer_source.sum()), int((compared.far & ~compared.nearer_source).sum())
    if nearer:
        warnings.append(
            f"{_count(nearer, n)} nearer to {facts.source}, the source, than to {facts.target}, whose model "
            "this is, by their allele frequencies: the probabilities are not theirs."
        )
    if far:
        warnings.append(
            f"{_count(far, n)} far from both {facts.target} and {facts.source} by their allele frequencies: "
            "the model was made for neither's like."
        )
    if not facts.source:
        warnings.append(
            f"Whether the people are like those of {facts.study}, from whom the model learnt, is not checked: "
            "it knows of one population, and there is no other to tell them from."
        )
    elif not compared.known:
        warnings.append(
            f"Whether the people are like {facts.target} cannot be told: the populations differ too little, "
            "or too few of the variants that tell are in the file."
        )
    poor = int((table["call_rate"] < least).sum())
    if poor:
        warnings.append(
            f"{_count(poor, n)} called at fewer than {least:.0%} of the model's variants: their probabilities "
            "lie nearer to the mean than they should."
        )
    return warnings


def judge_positions(bundle: Bundle, matches: list[VariantMatch]) -> list[str]:
    """Return warnings of another genome build, and of variants that are others."""
    warnings = []
    if any(one.other_build for one in matches):
        moved = max(one.moved for one in matches if one.other_build)
        build = f" ({bundle.facts.build})" if bundle.facts.build else ""
        warnings.append(
            f"Another genome build is suspected: {moved:.0%} of the variants found by id stand at other "
            f"positions than the model's{build}. Only ids were used."
        )
    wanted = sum(len(one.differ) for one in matches)
    differ = sum(int(one.differ.sum()) for one in matches)
    if differ > ALLELES_DIFFER * wanted:
        warnings.append(
            f"{differ} of {wanted} variants have other alleles in the file than in the model: another genome "
            "build, or ids of other variants, is suspected."
        )
    return warnings


def judge_model(facts: BundleFacts) -> list[str]:
    """Return warnings of a model that little speaks for on the people it was measured on."""
    final = facts.final
    if final is None:
        return ["The model was not measured on people it had not learnt from: how good it is, is not known."]
    warnings = []
    if final.auc is not None and (final.auc_low is None or final.auc_high is None or final.auc_low <= 0.5):
        held = (
            "its interval is not known"
            if final.auc_low is None or final.auc_high is None
            else f"95 % interval {final.auc_low:.2f} to {final.auc_high:.2f}"
        )
        if final.auc_low is not None or final.auc < 1:
            warnings.append(
                f"The model is close to chance on {facts.tested_on}: AUC {final.auc:.2f}, {held}."
            )
    if final.n < FEW_PEOPLE:
        width = measure_half_width(final.n)
        warnings.append(
            (f"FD has {final.n} people" if facts.source else f"{final.n} people were tested")
            + f": the accuracy there, {final.accuracy:.2f}, is known to within about {width:.2f}."
        )
    return warnings


def describe_model(facts: BundleFacts) -> list[str]:
    """Return how the probabilities are to be read."""
    share, n = facts.case_share, facts.n_target
    notes = [
        f"A probability is that of {facts.phenotype} among people like those the model learnt from, of whom "
        f"{share:.0%} are cases ({facts.n_target_cases} of {n} of {facts.target}). Where cases are rarer or "
        "more common it is too high or too low.",
        f"A genotype that is missing counts as the mean of the people the model is scaled to "
        f"({facts.imputation})."
        if facts.imputation != "most common genotype"
        else "A variant that is not in the file counts as its most common genotype, and a genotype that is "
        "missing as none of the three, as where the model learnt.",
    ]
    if not facts.source and len(facts.members) > 1:
        notes.append(
            f"The model averages the networks of {len(facts.members)} folds. Accuracy and AUC are of the network "
            "of each fold, on people it did not know; how well the average is calibrated was not measured."
        )
    if facts.final is not None and facts.calibration.brier is not None:
        notes.append(
            f"observed is the share of cases, with its 95 % interval, among those of {facts.tested_on} "
            f"({facts.final.n}) who have a like probability."
        )
    slope = facts.calibration.slope
    if slope is not None and math.isfinite(slope):
        kind = "too extreme" if slope < 1 else "too near the mean"
        notes.append(
            f"On {facts.tested_on} the calibration slope is {slope:.2f} (1 is right, here probabilities are "
            f"{kind}) and the intercept {facts.calibration.intercept:+.2f}."
        )
    return notes


def _count(number: int, n: int) -> str:
    if n == 1:
        return "The person is"
    return f"{number} of {n} people {'is' if number == 1 else 'are'}"
