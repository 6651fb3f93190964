"""Findings: what the results say, in numbers and in plain sentences, for the head of the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genotransfer.candidates import RESULT_METHODS
from genotransfer.evaluation import expect_best_by_chance
from genotransfer.intervals import NAN, Comparison, bootstrap_difference, compare_paired, measure_half_width
from genotransfer.randomness import make_generator
from genotransfer.report.gains import choose_deep, read_accuracies
from genotransfer.report.tables import StudyFacts
from genotransfer.selection import select_best, split_digits

SPACE = "\N{NO-BREAK SPACE}"
METHOD_NAMES = {
    "none": "Without transfer",
    "snp_transfer": "SNP transfer",
    "deep_simple": "Deep, not retrained",
    "deep_pretrained": "Deep, frozen layers",
    "deep_finetuned": "Deep, fine-tuned",
    "deep_adapted": "Deep, adapted",
    "score_transfer": "Polygenic score",
    "chosen": "The chosen model",
    "deep": "Deep transfer, best on ED",
}


@dataclass(frozen=True)
class MethodSummary:
    """One method over all phenotypes; accuracies 0 to 1, NaN where undefined.

    ``gain`` is the paired comparison with no transfer over phenotypes; ``gain_low`` and
    ``gain_high`` are its bootstrap interval: over phenotypes, or, where there is one phenotype only,
    over its people (``fd_gain_low`` and ``fd_gain_high`` of the results). ``recovered`` is the ratio of means
    (accuracy - 1/2) / (oracle - 1/2), which one phenotype with a poor oracle cannot upset. ``n_pairs``
    phenotypes have this method and no transfer; ``accuracy_without`` is that of no transfer on them.
    """

    method: str
    n_phenotypes: int
    accuracy: float
    low: float
    high: float
    gain: Comparison | None
    gain_low: float
    gain_high: float
    recovered: float
    n_pairs: int
    accuracy_without: float


@dataclass(frozen=True)
class Findings:
    """What the head of the report says."""

    answer: str
    explanation: str
    n_phenotypes: int
    half_width: float
    oracle: float
    ceiling: float
    summaries: list[MethodSummary]


def find(results: pd.DataFrame, leaderboard: pd.DataFrame, study: StudyFacts) -> Findings:
    """Summarise a study's results.

    Parameters
    ----------
    results : one row a phenotype and method; accuracies 0 to 1.
    leaderboard : all candidates, to choose one deep method a phenotype by ED.
    study : its facts.
    """
    phenotypes = tuple(sorted(set(results["phenotype"].astype(str)), key=split_digits))
    deep = choose_deep(results, leaderboard)
    summaries = []
    for method in (*RESULT_METHODS, "deep"):
        rows = deep if method == "deep" else results[results["method"] == method]
        if len(rows):
            summaries.append(_summarise(results, rows, method, phenotypes, study["seed"]))
    answer, explanation = _answer(summaries)
    unique = results.drop_duplicates("phenotype")
    return Findings(
        answer=answer,
        explanation=explanation,
        n_phenotypes=len(phenotypes),
        half_width=measure_half_width(study["n_fd"]),
        oracle=_mean(unique["oracle_accuracy"]),
        ceiling=_mean(unique["ceiling"]),
        summaries=summaries,
    )


def tabulate_chance(leaderboard: pd.DataFrame, n_ed: int) -> pd.DataFrame:
    """Set each best ED accuracy beside the one that as many guessing candidates would reach.

    Returns
    -------
    phenotype, method, n_candidates, best_ed, by_chance; accuracies 0 to 1.
    """
    best = select_best(leaderboard)
    counts = leaderboard.groupby(["phenotype", "method"]).size().to_dict()
    numbers = [int(counts[pair]) for pair in zip(best["phenotype"], best["method"], strict=True)]
    return pd.DataFrame(
        {
            "phenotype": best["phenotype"],
            "method": best["method"],
            "n_candidates": numbers,
            "best_ed": best["ed_accuracy"],
            "by_chance": [expect_best_by_chance(n, n_ed) for n in numbers],
        }
    )


def describe_points(value: float, sign: bool = True) -> str:
    """Return a share as percent points with one decimal and, with `sign`, its sign: ``+7.0``."""
    points = round(100 * value, 1) + 0.0  # no negative zero
    text = f"{points:+.1f}" if sign else f"{points:.1f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _summarise(
    results: pd.DataFrame, rows: pd.DataFrame, method: str, phenotypes: tuple[str, ...], seed: int
) -> MethodSummary:
    without = read_accuracies(results, phenotypes, "none")
    values = read_accuracies(rows, phenotypes)
    accuracy = compare_paired(np.zeros(len(rows)), values[np.isfinite(values)])
    both = np.isfinite(without) & np.isfinite(values)
    gain, low, high = None, NAN, NAN
    if method != "none" and both.any():
        gain = compare_paired(without[both], values[both])
        generator = make_generator(seed, "report", "findings", method)
        low, high = bootstrap_difference(without[both], values[both], generator)
        if both.sum() == 1 and "fd_gain_low" in rows:
            row = rows[rows["phenotype"] == phenotypes[int(np.argmax(both))]].iloc[0]
            low, high = float(row["fd_gain_low"]), float(row["fd_gain_high"])
    # With one phenotype there is no spread over phenotypes; the interval is the one over its people.
    interval = [accuracy.low, accuracy.high]
    if len(rows) == 1:
        interval = [float(rows["fd_low"].iloc[0]), float(rows["fd_high"].iloc[0])]
    accuracy_low, accuracy_high = np.clip(interval, 0.0, 1.0)
    oracle = rows["oracle_accuracy"].to_numpy(dtype=np.float64)
    reached, possible = rows["fd_accuracy"].to_numpy(dtype=np.float64), oracle
    with_oracle = np.isfinite(reached) & np.isfinite(possible)
    room = float(np.sum(possible[with_oracle] - 0.5))
    recovered = float(np.sum(reached[with_oracle] - 0.5)) / room if room > 0 else NAN
    return MethodSummary(
        method=method,
        n_phenotypes=len(rows),
        accuracy=accuracy.difference,
        low=float(accuracy_low),
        high=float(accuracy_high),
        gain=gain,
        gain_low=low,
        gain_high=high,
        recovered=recovered,
        n_pairs=int(both.sum()),
        accuracy_without=float(without[both].mean()) if both.any() else NAN,
    )


def _answer(summaries: list[MethodSummary]) -> tuple[str, str]:
    """Return the headline and the sentence below it."""
    by_method = {one.method: one for one in summaries}
    chosen = by_method.get("deep") or by_method.get("snp_transfer")
    without = by_method.get("none")
    if without is None or chosen is None or chosen.gain is None:
        return (
            "This study cannot say whether transfer helped.",
            "It has no phenotype with both a model without transfer and one with it.",
        )
    name = "deep transfer" if chosen.method == "deep" else "SNP transfer"
    gain, n = chosen.gain, chosen.n_pairs
    measured = (
        f"On people no model had seen, models without transfer were right for "
        f"{describe_points(chosen.accuracy_without, sign=False)}{SPACE}% and models with {name} for "
        f"{describe_points(chosen.accuracy_without + gain.difference, sign=False)}{SPACE}%: "
        f"{describe_points(gain.difference)} points over {n} {'phenotype' if n == 1 else 'phenotypes'}"
    )
    if n >= 2:
        low, high, over = gain.low, gain.high, "paired by phenotype"
    else:
        low, high, over = chosen.gain_low, chosen.gain_high, "bootstrap over its people"
    if np.isnan(low) and n >= 2:
        return (
            f"Each phenotype gained the same {describe_points(gain.difference)} points from {name}.",
            f"{measured}. All differences are equal, so they have no interval.",
        )
    if np.isnan(low):
        return (
            f"One phenotype without an interval cannot say whether {name} helps.",
            f"{measured}. An interval over phenotypes needs at least two of them.",
        )
    title = f"{name[0].upper()}{name[1:]}"
    if low > 0:
        verdict = f"{title} helped."
    elif high < 0:
        verdict = f"{title} did harm."
    else:
        verdict = f"No clear effect of {name}: the data allow both a gain and a loss."
    interval = f"95{SPACE}% interval {describe_points(low)} to {describe_points(high)}"
    return verdict, f"{measured} ({interval}, {over})."


def _mean(values: pd.Series) -> float:
    known = values.to_numpy(dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else NAN
