"""The accuracy benchmark's rows made into a table and its main figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

TRANSFER_AT = 0.5


def summarise(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the main figures; a mean of accuracies on FD, 0 to 1, with its standard error.

    Parameters
    ----------
    rows : of all replicates, from `benchmarks.accuracy_replicate.run_replicate`.
    """
    figures: dict[str, Any] = {}
    for heritability in (0.3, 0.5, 0.8, 0.0):
        mean, error, n = _mean(rows, heritability, "chosen")
        label = f"h2_{heritability:g}"
        figures |= {label: _round(mean), f"{label}_se": _round(error), f"{label}_n": n}
    for name, label in (
        ("none", "none"),
        ("deep", "deep"),
        ("snp_transfer", "snp"),
        ("prscsx", "peer"),
        ("prscsx_screened", "peer_screened"),
    ):
        mean, error, n = _mean(rows, TRANSFER_AT, name)
        figures |= {f"{label}_h2_0.5": _round(mean), f"{label}_h2_0.5_se": _round(error), f"{label}_n": n}
    figures["p_transfer_h2_0.5"] = compare(rows, TRANSFER_AT, "none", "chosen")["p"]
    return figures


def compare(rows: pd.DataFrame, heritability: float, first: str, second: str) -> dict[str, float]:
    """Return the paired difference of two models over replicates; phenotypes of one replicate are averaged.

    Two phenotypes of a replicate share their genotypes, so that the replicate is the unit of the test.
    """
    table = _pivot(rows, heritability)
    if first not in table or second not in table:
        return {"difference": math.nan, "se": math.nan, "p": math.nan, "n": 0}
    paired = (table[second] - table[first]).dropna()
    change = paired.groupby(level="seed").mean().to_numpy()
    if len(change) < 2:
        return {
            "difference": float(change.mean()) if len(change) else math.nan,
            "se": math.nan,
            "p": math.nan,
            "n": len(change),
        }
    test = stats.ttest_1samp(change, 0.0)
    return {
        "difference": float(change.mean()),
        "se": float(change.std(ddof=1) / math.sqrt(len(change))),
        "p": float(test.pvalue),
        "n": len(change),
    }


def describe(rows: pd.DataFrame) -> str:
    """Return the table of all models: mean, standard error, and the paired difference to the chosen one."""
    lines = []
    for heritability in (0.3, 0.5, 0.8, 0.0):
        table = _pivot(rows, heritability)
        if not len(table):
            continue
        lines.append(f"\nh2 {heritability:g}: accuracy on FD, mean +- standard error over replicates")
        order = table.mean().sort_values(ascending=False).index
        for name in order:
            mean, error, n = _mean(rows, heritability, str(name))
            by_k = "  ".join(
                f"k {k}: {group[name].mean():.3f}"
                for k, group in table.groupby(level="k")
                if group[name].notna().any()
            )
            against = compare(rows, heritability, str(name), "chosen") if name != "chosen" else None
            less = (
                ""
                if against is None
                else f"chosen less it {against['difference']:+.4f} +- {against['se']:.4f}"
            )
            lines.append(f"  {name:24s} {mean:.4f} +- {error:.4f} (n {n:3d})  {by_k}  {less}")
        lines += _describe_rules(table)
    seconds = rows[rows["name"].str.startswith("seconds:")].groupby("name")["seconds"].mean()
    lines.append(
        "\nseconds a phenotype: " + ", ".join(f"{name[8:]} {value:.1f}" for name, value in seconds.items())
    )
    return "\n".join(lines)


def _describe_rules(table: pd.DataFrame) -> list[str]:
    if "paper_rule" not in table:
        return []
    better = int((table["chosen"] > table["paper_rule"]).sum())
    worse = int((table["chosen"] < table["paper_rule"]).sum())
    same = len(table) - better - worse
    return [
        f"  the default rule's model on FD: better than the paper rule's {better} times, the same {same}, worse {worse}"
    ]


def _pivot(rows: pd.DataFrame, heritability: float) -> pd.DataFrame:
    mine = rows[(rows["heritability"] == heritability) & rows["accuracy"].notna()]
    return mine.pivot_table(index=["seed", "k"], columns="name", values="accuracy")


def _mean(rows: pd.DataFrame, heritability: float, name: str) -> tuple[float, float, int]:
    table = _pivot(rows, heritability)
    if name not in table:
        return math.nan, math.nan, 0
    values = table[name].dropna()
    by_replicate = values.groupby(level="seed").mean().to_numpy()
    error = (
        float(np.std(by_replicate, ddof=1) / math.sqrt(len(by_replicate)))
        if len(by_replicate) > 1
        else math.nan
    )
    return float(values.mean()), error, len(values)


def _round(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
