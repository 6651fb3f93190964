"""The one reading of the test people: how right every configuration is, and what each protocol claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from genotransfer.evaluation import METRICS, compare_predictions, evaluate_predictions
from genotransfer.exome_cnn.choice import CHOSEN, LEADERBOARD
from genotransfer.exome_cnn.configurations import KEYS
from genotransfer.exome_cnn.folds import LABELS
from genotransfer.exome_cnn.training import SCORES, SHOWN
from genotransfer.formats.files import replace_together
from genotransfer.intervals import NAN
from genotransfer.randomness import make_generator

CONFIGURATIONS, RESULTS, PREDICTIONS, OPTIMISM = (
    "configurations.parquet",
    "results.parquet",
    "predictions.parquet",
    "optimism.parquet",
)
ALL_FOLDS = "all"
RESULT_COLUMNS = [
    "protocol",
    "fold",
    "configuration",
    *METRICS,
    "fold_mean",
    "fold_low",
    "fold_high",
    "fold_auc",
    "best_epoch_accuracy",
    "majority",
    "ceiling",
    "oracle",
]


@dataclass(frozen=True)
class Truth:
    """What is known of the best that can be reached; NaN where it is not known.

    Attributes
    ----------
    ceiling : accuracy of the true genetic score, expected over the noise.
    oracle : accuracy of the true genetic score on these very people.
    """

    ceiling: float = NAN
    oracle: float = NAN


def evaluate_networks(
    selection_folder: str | Path,
    scores_folders: Sequence[str | Path],
    tests_folder: str | Path,
    truth: Truth,
    seed: int,
    out: str | Path,
) -> pd.DataFrame:
    """Measure every configuration on the test people, and every protocol by what it chose.

    Parameters
    ----------
    selection_folder : from `choose_networks`.
    scores_folders : from `train_form`, one a form.
    tests_folder : from `split_exome`: the labels of the test people.
    truth : what can at best be reached.
    seed : the study's, of the bootstrap.
    out : folder that gets ``configurations.parquet``, the leaderboard with test_accuracy and its kin,
        ``test_low`` and ``test_high`` (Wilson), and ``chosen``; ``results.parquet``, what is returned;
        ``predictions.parquet``: protocol, fold, configuration, iid, phenotype, score of what was chosen; and
        ``optimism.parquet``: see `measure_optimism`.

    Returns
    -------
    A row a protocol and fold, and one a protocol with fold ``all``, the people of all folds together;
    columns `RESULT_COLUMNS`. fold_mean, fold_low and fold_high are the mean over folds with its 95 % t
    interval, and fold_auc the mean AUC within folds: each fold's network scores on a scale of its own, which
    the AUC of all people together mixes; best_epoch_accuracy is the highest accuracy of any epoch on the
    people who watch; majority is the accuracy of calling everybody the commoner class among the others.
    """
    leaderboard = pd.read_parquet(Path(selection_folder) / LEADERBOARD)
    chosen = pd.read_parquet(Path(selection_folder) / CHOSEN)
    scores = pd.concat([pd.read_parquet(Path(one) / SCORES) for one in scores_folders], ignore_index=True)
    scores = scores.merge(pd.read_parquet(Path(tests_folder) / LABELS), on=["fold", "iid"], validate="m:1")
    configurations = _measure_all(leaderboard, scores, chosen)
    # A left join keeps the order of what is chosen, and of people within it.
    predictions = chosen[[*KEYS, "best_accuracy"]].merge(scores, on=KEYS, how="left", validate="1:m")
    results = _tabulate(predictions, truth)
    with replace_together(out) as (made,):
        made.mkdir()
        configurations.to_parquet(made / CONFIGURATIONS, index=False)
        results.to_parquet(made / RESULTS, index=False)
        kept = [*KEYS, "iid", "phenotype", "score"]
        predictions[kept].to_parquet(made / PREDICTIONS, index=False)
        measure_optimism(predictions, seed).to_parquet(made / OPTIMISM, index=False)
    return results


def measure_optimism(predictions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return by how much each other protocol's accuracy exceeds the honest one's, on the same people.

    Parameters
    ----------
    predictions : protocol, fold, iid, phenotype, score of what each protocol chose.
    seed : of the bootstrap.

    Returns
    -------
    protocol, n, optimism (a difference of accuracies), low and high (95 % bootstrap over people).
    """
    honest = predictions[predictions["protocol"] == "honest"]
    rows = []
    for name, theirs in predictions.groupby("protocol", sort=False):
        if name == "honest":
            continue
        both = honest.merge(theirs[["fold", "iid", "score"]], on=["fold", "iid"], suffixes=("", "_other"))
        compared = compare_predictions(
            both["phenotype"].to_numpy(dtype=np.int8),
            both["score"].to_numpy(dtype=np.float64),
            both["score_other"].to_numpy(dtype=np.float64),
            make_generator(seed, "exome", "optimism", str(name)),
        )
        found = (compared["gain"], compared["gain_low"], compared["gain_high"])
        rows.append((name, len(both), *found))
    return pd.DataFrame(rows, columns=["protocol", "n", "optimism", "low", "high"])


def average_folds(accuracies: Float64[np.ndarray, " k"]) -> tuple[float, float, float]:
    """Return the mean over folds with its 95 % t interval; NaN bounds with fewer than two.

    Folds share most of the people they train on, so the interval is too narrow by an unknown amount.

    Source
    ------
    Bengio and Grandvalet 2004, J Mach Learn Res 5:1089: no unbiased estimate of the variance exists.
    """
    mean, n = float(np.mean(accuracies)), len(accuracies)
    if n < 2:
        return mean, NAN, NAN
    half = float(stats.t.ppf(0.975, n - 1) * np.std(accuracies, ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def _measure_all(leaderboard: pd.DataFrame, scores: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for key, group in scores.groupby(KEYS, sort=False):
        metrics = _measure(group)
        shown = {f"test_{name}": metrics[name] for name in SHOWN}
        row = dict(zip(KEYS, key, strict=True)) | {"n_test": len(group)} | shown
        rows.append(row | {"test_low": metrics["low"], "test_high": metrics["high"]})
    marked = chosen[KEYS].assign(chosen=True)
    table = leaderboard.merge(pd.DataFrame(rows), on=KEYS, how="left", validate="1:1")
    table = table.merge(marked, on=KEYS, how="left", validate="1:1")
    return table.assign(chosen=table["chosen"].eq(True))


def _tabulate(predictions: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for protocol, everyone in predictions.groupby("protocol", sort=False):
        folds = [
            _describe(str(protocol), str(fold), group, truth)
            for fold, group in everyone.groupby("fold", sort=False)
        ]
        together = _describe(str(protocol), ALL_FOLDS, everyone, truth)
        mean, low, high = average_folds(np.array([one["accuracy"] for one in folds], dtype=np.float64))
        together |= {"fold_mean": mean, "fold_low": low, "fold_high": high}
        together["fold_auc"] = float(np.mean([one["auc"] for one in folds]))
        together["best_epoch_accuracy"] = float(np.mean([one["best_epoch_accuracy"] for one in folds]))
        rows += [*folds, together]
    return pd.DataFrame(rows, columns=RESULT_COLUMNS)


def _describe(protocol: str, fold: str, group: pd.DataFrame, truth: Truth) -> dict[str, Any]:
    names = list(dict.fromkeys(group["configuration"]))
    return {
        "protocol": protocol,
        "fold": fold,
        "configuration": names[0] if len(names) == 1 else f"{len(names)} configurations",
        **_measure(group),
        "best_epoch_accuracy": float(group["best_accuracy"].iloc[0]),
        "majority": float((group["majority"] == group["phenotype"]).mean()),
        "ceiling": truth.ceiling,
        "oracle": truth.oracle,
    }


def _measure(group: pd.DataFrame) -> dict[str, float]:
    return evaluate_predictions(
        group["phenotype"].to_numpy(dtype=np.int8), group["score"].to_numpy(dtype=np.float64)
    )
