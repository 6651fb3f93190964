"""Evaluation: the metrics of one set of predictions, and what they could at best have been."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int8
from scipy import stats

from genotransfer.errors import StudyError
from genotransfer.genotypes import MISSING
from genotransfer.intervals import NAN, bootstrap_difference, measure_auc, wilson_interval
from genotransfer.splits import LabelledSamples

METRICS = (
    "n",
    "n_cases",
    "accuracy",
    "low",
    "high",
    "auc",
    "auc_low",
    "auc_high",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "mcc",
    "brier",
)
CHOSEN_COLUMNS = (
    "phenotype",
    "method",
    "panel",
    "n_snps",
    "model",
    "trainable_layers",
    "ed_accuracy",
    "n_tied",
)


def predict_cases(scores: Float64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Return who is called a case: a score above 0.5.

    Exactly 0.5 is a control, as with the argmax over (control, case) of a softmax or a forest.
    """
    return scores > 0.5


def evaluate_predictions(
    labels: Int8[np.ndarray, " n"], scores: Float64[np.ndarray, " n"]
) -> dict[str, float]:
    """Return all metrics of one set of predictions, by the names of `METRICS`.

    Parameters
    ----------
    labels : 1 case, 0 control.
    scores : P(case), 0 to 1; above 0.5 is a predicted case.

    Returns
    -------
    ``n`` and ``n_cases``; ``accuracy`` with Wilson's 95 % interval (``low``, ``high``); ``auc``
    with DeLong's (``auc_low``, ``auc_high``); ``balanced_accuracy``, ``sensitivity``,
    ``specificity``, ``precision``, ``f1``, ``mcc``, ``brier``. A metric whose denominator is 0 is
    NaN: with one class only, balanced accuracy, AUC and MCC; with no predicted case, precision.

    Raises
    ------
    StudyError
        There are no people, the two differ in length, a label is not 0 or 1, or a score is not a
        number within 0 and 1.
    """
    _check_predictions(labels, scores)
    case, called = labels == 1, predict_cases(scores)
    true_case, true_control = int((case & called).sum()), int((~case & ~called).sum())
    false_case, false_control = int((~case & called).sum()), int((case & ~called).sum())
    n, n_cases = len(labels), true_case + false_control
    right = true_case + true_control
    low, high = wilson_interval(right, n)
    auc, auc_low, auc_high = measure_auc(labels, scores)
    sensitivity = _divide(true_case, n_cases)
    specificity = _divide(true_control, n - n_cases)
    margins = (true_case + false_case) * n_cases * (n - n_cases) * (true_control + false_control)
    return {
        "n": float(n),
        "n_cases": float(n_cases),
        "accuracy": right / n,
        "low": low,
        "high": high,
        "auc": auc,
        "auc_low": auc_low,
        "auc_high": auc_high,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": _divide(true_case, true_case + false_case),
        "f1": _divide(2 * true_case, 2 * true_case + false_case + false_control),
        "mcc": _divide(true_case * true_control - false_case * false_control, math.sqrt(margins)),
        "brier": float(np.mean((scores - labels) ** 2)),
    }


def build_result(
    chosen: Mapping[str, object],
    metrics: Mapping[str, float],
    *,
    oracle_accuracy: float = NAN,
    ceiling: float = NAN,
    n_risk_snps: int | float = NAN,
) -> dict[str, object]:
    """Return one row of the results: a chosen candidate with its metrics on FD.

    Parameters
    ----------
    chosen : one row of `genotransfer.selection.select_best`.
    metrics : its metrics on FD, from `evaluate_predictions`.
    oracle_accuracy : accuracy of the true risk SNPs on FD; NaN where they are not known.
    ceiling : `best_accuracy` of the study's SNP heritability; NaN where it is not known.
    n_risk_snps : number of risk SNPs of the phenotype; NaN where it is not known.

    Returns
    -------
    The columns of ``results.csv``, the other metrics as ``fd_<metric>``, and ``n_risk_snps``.
    """
    row: dict[str, object] = {name: chosen[name] for name in CHOSEN_COLUMNS}
    row |= {f"fd_{name}": metrics[name] for name in METRICS}
    return row | {"oracle_accuracy": oracle_accuracy, "ceiling": ceiling, "n_risk_snps": n_risk_snps}


def compare_predictions(
    labels: Int8[np.ndarray, " n"],
    first: Float64[np.ndarray, " n"],
    second: Float64[np.ndarray, " n"],
    generator: np.random.Generator,
) -> dict[str, float]:
    """Return the accuracy of `second` less that of `first` on the same people.

    Parameters
    ----------
    labels : 1 case, 0 control.
    first, second : P(case) of two models for the same people.
    generator : source of randomness of the bootstrap.

    Returns
    -------
    ``gain``, and ``gain_low`` and ``gain_high``, the 95 % bootstrap interval over people.
    """
    _check_predictions(labels, first)
    _check_predictions(labels, second)
    right_first = (predict_cases(first) == (labels == 1)).astype(np.float64)
    right_second = (predict_cases(second) == (labels == 1)).astype(np.float64)
    low, high = bootstrap_difference(right_first, right_second, generator)
    return {"gain": float(right_second.mean() - right_first.mean()), "gain_low": low, "gain_high": high}


def best_accuracy(heritability: int | float) -> float:
    """Return the best accuracy that SNPs of a given heritability of liability can reach.

    1/2 + arcsin(sqrt(h2))/pi: the chance that a normal liability and its genetic part lie on the
    same side of the mean, which is the threshold. It holds for a genetic score that is normal, as
    of many SNPs; with 5 or 10 risk SNPs the best can lie a few points to either side, see
    `expect_oracle_accuracy`. NaN in, NaN out.

    Raises
    ------
    StudyError
        The heritability is not within 0 and 1.

    Source
    ------
    Sheppard 1899: P(same sign) = 1/2 + arcsin(r)/pi of a bivariate normal of correlation r.
    """
    if math.isnan(heritability):
        return NAN
    if not 0 <= heritability <= 1:
        raise StudyError(f"A heritability of {heritability} is impossible. Give one from 0 to 1.")
    return 0.5 + math.asin(math.sqrt(heritability)) / math.pi


def expect_oracle_accuracy(scores: Float64[np.ndarray, " n"], heritability: float) -> float:
    """Return the best accuracy of one phenotype's own genetic scores, whatever their distribution.

    The mean over people of Phi(|score - mean| / sd of the noise): what the true risk SNPs reach on
    a large sample, without the chance of a small one. Equals `best_accuracy` for normal scores.

    Parameters
    ----------
    scores : genetic scores, ``dosages @ effects``, of a large sample of the population.
    heritability : share of the liability's variance that the scores explain, above 0 to 1.
    """
    if not 0 < heritability <= 1:
        return best_accuracy(heritability)
    away = np.abs(scores - scores.mean())
    if heritability == 1:
        return float(np.mean(np.where(away > 0, 1.0, 0.5)))
    noise = float(scores.std()) * math.sqrt((1 - heritability) / heritability)
    return float(stats.norm.cdf(away / noise).mean()) if noise > 0 else 0.5


def measure_recovery(accuracy: float, oracle_accuracy: float) -> float:
    """Return the recovered fraction, (accuracy - 1/2) / (oracle - 1/2).

    NaN when the oracle is no better than a coin: there is then nothing to recover.
    """
    return (accuracy - 0.5) / (oracle_accuracy - 0.5) if oracle_accuracy > 0.5 else NAN


def predict_oracle(
    training: LabelledSamples,
    dosages: Int8[np.ndarray, "n_samples n_risk"],
    effects: Float64[np.ndarray, " n_risk"],
) -> Float64[np.ndarray, " n_samples"]:
    """Predict cases from the true risk SNPs and their true effects.

    A person is a case when the genetic score, ``dosages @ effects``, is above its mean in
    training: liability was cut at its mean. A score that is constant in training (no risk SNP, no
    effect, or no variation) knows nothing, and predicts the majority class of training.

    Parameters
    ----------
    training : the target's training split at the risk SNPs; 0, 1, 2 copies, -1 missing.
    dosages : the people to predict, same SNPs; a missing one counts as the mean of training.
    effects : effect of one copy of the counted allele on liability.

    Returns
    -------
    1.0 for a predicted case, 0.0 for a control.
    """
    known = np.where(training.dosages == MISSING, np.nan, training.dosages.astype(np.float64))
    n_known = np.isfinite(known).sum(axis=0)
    means = np.nansum(known, axis=0) / np.maximum(n_known, 1)
    trained = np.where(np.isnan(known), means, known) @ effects
    if len(trained) == 0 or np.ptp(trained) < 1e-12:
        majority = float(training.labels.mean() > 0.5) if len(training.labels) else 0.0
        return np.full(len(dosages), majority)
    score = np.where(dosages == MISSING, means, dosages) @ effects
    return np.asarray(score > trained.mean(), dtype=np.float64)


def expect_best_by_chance(n_candidates: int, n_samples: int, probability: float = 0.5) -> float:
    """Return the expected best accuracy of candidates that all guess.

    The mean of the maximum of `n_candidates` independent binomials over `n_samples` people,
    as a share: sum over k of (1 - F(k)^N) / n. Candidates of a study are not independent, so what
    guessing really reaches is lower.

    Parameters
    ----------
    n_candidates : number of candidates among which the best is chosen.
    n_samples : number of people on whom it is chosen.
    probability : chance of one right guess.
    """
    if n_candidates < 1 or n_samples < 1:
        return NAN
    below = stats.binom.cdf(np.arange(n_samples), n_samples, probability)
    return float(np.sum(1 - below**n_candidates) / n_samples)


def tabulate_results(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Return the results, one row a phenotype and method, from the rows of `build_result`."""
    extra = [name for name in ("fd_gain", "fd_gain_low", "fd_gain_high") if any(name in row for row in rows)]
    fixed = [*CHOSEN_COLUMNS, *(f"fd_{name}" for name in METRICS)]
    return pd.DataFrame(rows, columns=[*fixed, "oracle_accuracy", "ceiling", "n_risk_snps", *extra])


def _check_predictions(labels: np.ndarray, scores: np.ndarray) -> None:
    if len(labels) == 0 or len(labels) != len(scores):
        raise StudyError(
            f"There are {len(labels)} labels and {len(scores)} scores to evaluate. "
            "Give one score for each of one or more people."
        )
    wrong = ~np.isin(labels, (0, 1))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise StudyError(f"The label of person {at + 1} is {labels[at]}. Labels are 1 (case) or 0 (control).")
    bad = ~((scores >= 0) & (scores <= 1))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise StudyError(
            f"The score of person {at + 1} is {scores[at]}. A score is a probability from 0 to 1; "
            "a model that gives none did not converge."
        )


def _divide(numerator: int, denominator: int | float) -> float:
    return numerator / denominator if denominator else NAN
