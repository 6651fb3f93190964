"""The tables of a comparison: every model's metrics with intervals, and the models in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.comparison.judging import JudgedModel
from genotransfer.comparison.people import ComparisonPeople
from genotransfer.comparison.settings import Cost
from genotransfer.errors import StudyError
from genotransfer.evaluation import best_accuracy, evaluate_predictions, predict_oracle
from genotransfer.intervals import NAN, bootstrap_difference, wilson_interval
from genotransfer.paired import compare_models
from genotransfer.randomness import make_generator
from genotransfer.splits import LabelledSamples

# Shares of a part of the people, each with Wilson's interval: of cases, of controls, of those called cases.
SHARES = ("sensitivity", "specificity", "precision")
OF_FOLDS = ("accuracy", "auc")


def read_by_model(path: str | Path) -> pd.DataFrame:
    """Read a table of the report with a row a model; a model may be called ``nan`` or ``null``."""
    return pd.read_csv(path, dtype={"model": str}, keep_default_na=False, na_values=[""])


def tabulate_models(judged: Sequence[JudgedModel]) -> pd.DataFrame:
    """Return the metrics of every model on the predictions of all folds together, one row a model.

    Returns
    -------
    model; the metrics of `evaluate_predictions`; ``sensitivity_low`` and so on, Wilson's 95 % intervals
    of sensitivity, specificity and precision; ``fold_accuracy`` and ``fold_auc``, means over the folds,
    with ``_sd``; ``n_snps`` and ``n_parameters``, medians over the folds; ``inner_score``, the mean of
    what the searches saw. Predictions of several folds' models are ranked together in ``auc``, and
    within each fold in ``fold_auc``.
    """
    _check_people(judged)
    rows = []
    for one in judged:
        labels, scores = _take_arrays(one.predictions)
        row: dict[str, Any] = {"model": one.name, **evaluate_predictions(labels, scores)}
        called = scores > 0.5
        bases = {"sensitivity": labels == 1, "specificity": labels == 0, "precision": called}
        for name in SHARES:
            right = (called == (labels == 1)) & bases[name]
            row[f"{name}_low"], row[f"{name}_high"] = wilson_interval(
                int(right.sum()), int(bases[name].sum())
            )
        folds = tabulate_folds(one)
        for name in OF_FOLDS:
            row[f"fold_{name}"] = float(folds[name].mean())
            row[f"fold_{name}_sd"] = float(folds[name].std(ddof=1))
        for name in ("n_snps", "n_parameters"):
            row[name] = float(one.fits[name].median())
        row["inner_score"] = float(one.fits["inner_score"].mean())
        rows.append(row)
    return _count_people(pd.DataFrame(rows))


def tabulate_folds(judged: JudgedModel) -> pd.DataFrame:
    """Return a model's metrics in every fold, with what was fitted there: one row a fold."""
    rows = []
    for fold, group in judged.predictions.groupby("fold", sort=True):
        rows.append({"model": judged.name, "fold": fold, **evaluate_predictions(*_take_arrays(group))})
    return _count_people(pd.DataFrame(rows)).merge(judged.fits, on="fold")


def compare_pairs(judged: Sequence[JudgedModel], seed: int) -> pd.DataFrame:
    """Return each pair of models compared on the same people.

    Parameters
    ----------
    judged : the models, in the study's order.
    seed : of the bootstraps.

    Returns
    -------
    One row a pair, ``second`` less ``first``: accuracy_difference with its bootstrap interval over people
    (accuracy_low, accuracy_high) and McNemar's exact P (mcnemar_p); auc_difference with its bootstrap
    interval and P; and ``mcnemar_p_holm`` and ``auc_p_holm``, corrected for the number of pairs. People
    of one fold share a model and folds share training people, which no test here knows of: the P values
    are of these predictions, not of another draw of training people.

    Source
    ------
    McNemar 1947, Psychometrika 12:153; Holm 1979, Scand J Stat 6:65; on what cross-validation leaves out,
    Dietterich 1998, Neural Comput 10:1895.
    """
    _check_people(judged)
    rows = []
    for first, second in combinations(judged, 2):
        labels, ours = _take_arrays(first.predictions)
        _, theirs = _take_arrays(second.predictions)
        generator = make_generator(seed, "pair", first.name, second.name)
        found = compare_models(labels, ours, theirs, generator)
        right = [((scores > 0.5) == (labels == 1)).astype(np.float64) for scores in (ours, theirs)]
        low, high = bootstrap_difference(right[0], right[1], generator)
        rows.append(
            {
                "first": first.name,
                "second": second.name,
                "n": found.n,
                "only_first": found.only_first,
                "only_second": found.only_second,
                "accuracy_difference": found.accuracy_difference,
                "accuracy_low": low,
                "accuracy_high": high,
                "mcnemar_p": found.mcnemar_p,
                "auc_difference": found.auc_difference,
                "auc_low": found.auc_low,
                "auc_high": found.auc_high,
                "auc_p": found.auc_p,
            }
        )
    columns = ["first", "second", "mcnemar_p", "auc_p"] if not rows else None
    table = pd.DataFrame(rows, columns=columns)
    for name in ("mcnemar_p", "auc_p"):
        table[f"{name}_holm"] = adjust_holm(table[name].to_numpy(dtype=np.float64))
    return table


def adjust_holm(p: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return P values corrected for their number by Holm's step-down method; NaN stays and counts for none.

    Source
    ------
    Holm 1979, Scand J Stat 6:65.
    """
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1) if len(order) else stepped
    return adjusted


def tabulate_timings(judged: Sequence[JudgedModel], cost: Cost) -> pd.DataFrame:
    """Return what each model's training took, one row a model.

    Returns
    -------
    model; seconds and cpu_seconds of all folds' searches and fits; source_seconds and source_cpu_seconds
    of learning from the source, once for all folds; score_seconds of predicting everybody; cost of
    seconds and source_seconds by the hour's price; currency.
    """
    rows = []
    for one in judged:
        total = one.timings.drop(columns="fold").sum()
        price = (total["seconds"] + total["source_seconds"]) / 3600 * cost.per_hour
        rows.append({"model": one.name, **total.to_dict(), "cost": price, "currency": cost.currency})
    return pd.DataFrame(rows)


def measure_bounds(people: ComparisonPeople) -> dict[str, float]:
    """Return what could be reached: the ceiling, and the accuracy of the true risk SNPs on these people.

    The oracle has the true effects; its threshold is of the training part of each fold. NaN where the
    heritability or the risk SNPs are not known.
    """
    heritability = NAN if people.heritability is None else people.heritability
    bounds = {"ceiling": best_accuracy(heritability), "oracle_accuracy": NAN}
    effects = people.risk["target_effect"].to_numpy(dtype=np.float64)
    if len(people.risk) and (effects != 0).any():
        at = pd.Index(people.variants["id"]).get_indexer(pd.Index(people.risk["id"]))
        dosages, labels = people.target.dosages[:, at], people.target.labels
        predicted = np.zeros(len(labels))
        for fold in np.unique(people.folds):
            out = people.folds == fold
            training = LabelledSamples(dosages[~out], labels[~out])
            predicted[out] = predict_oracle(training, dosages[out], effects)
        bounds["oracle_accuracy"] = float(np.mean(predicted == labels))
    return bounds


def _count_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return metrics with people as whole numbers."""
    return table.astype({"n": np.int64, "n_cases": np.int64})


def _take_arrays(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return predictions["label"].to_numpy(dtype=np.int8), predictions["score"].to_numpy(dtype=np.float64)


def _check_people(judged: Sequence[JudgedModel]) -> None:
    """Check that all models judged the same people on the same folds."""
    if not judged:
        raise StudyError("There is no model to compare. Name models in the study.")
    first = judged[0].predictions[["IID", "fold", "label"]]
    for one in judged[1:]:
        if not one.predictions[["IID", "fold", "label"]].equals(first):
            raise StudyError(
                f"The models {judged[0].name} and {one.name} were judged on other people or folds. Compare models "
                "of one run."
            )
