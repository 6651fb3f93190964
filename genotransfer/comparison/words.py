"""A comparison in words: its plan, its answer, and its results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from genotransfer.comparison.published import require_heritability
from genotransfer.comparison.settings import SOURCE_KINDS, ComparedModel, ComparisonStudy, Span
from genotransfer.report.cells import show_percent, write_decimal, write_interval
from genotransfer.report.markdown import lay_out_table

KINDS = {
    "logistic": "logistic regression",
    "svm": "support vector machine",
    "forest": "random forest",
    "network": "network of the target alone",
    "transfer": "network of the source, fine-tuned",
    "score": "polygenic score",
}
SIGNIFICANT = 0.05


def describe_plan(study: ComparisonStudy) -> str:
    """Return what a comparison will run, as Markdown."""
    folds = study.folds
    kept = f", {folds.groups} together" if folds.groups else ""
    rows = [
        ("Question", f"Which model predicts {study.compared_phenotype} of {study.target} best?"),
        ("Folds", f"{folds.outer} that judge, {folds.inner} of every search{kept}"),
        ("Searches look at", f"`{study.scoring}`"),
        ("Seed", f"{study.seed}"),
    ]
    models = [(model.name, describe_kind(model), describe_search(model)) for model in study.models]
    return (
        f"# Comparison {study.name}\n\n"
        + lay_out_table(("", ""), rows)
        + "\n"
        + lay_out_table(("Model", "What it is", "Search"), models)
    )


def describe_kind(model: ComparedModel) -> str:
    """Return what a model is, in a few words."""
    detail = model.network or (f"{model.score}, {model.learn_on}" if model.score else "")
    return KINDS[model.kind] + (f" ({detail})" if detail else "")


def describe_search(model: ComparedModel) -> str:
    """Return how a model's settings are searched."""
    if model.search.kind == "none":
        return "none"
    space = "; ".join(f"`{name}` {_describe_values(values)}" for name, values in model.search.space.items())
    times = "" if model.search.kind == "grid" else f" of {model.search.iterations}"
    return f"{model.search.kind}{times}: {space}"


def _describe_values(values: Any) -> str:
    if isinstance(values, Span):
        return f"{values.low:g} to {values.high:g}" + (" (log)" if values.log else "")
    return ", ".join("all" if one is None else str(one) for one in values)


def answer(table: pd.DataFrame, pairs: pd.DataFrame) -> tuple[str, str]:
    """Return the comparison's answer and its explanation, a sentence or two each.

    Parameters
    ----------
    table : from `tabulate_models`.
    pairs : from `compare_pairs`.
    """
    ranked = table.sort_values(["accuracy", "auc"], ascending=False, kind="stable")
    best = ranked.iloc[0]
    said = f"{best['model']} is right for {show_percent(best['accuracy']).text} % of people"
    if len(table) == 1:
        return f"{said}.", f"95 % interval {write_interval(best['low'], best['high'])} %."
    involved = pairs[(pairs["first"] == best["model"]) | (pairs["second"] == best["model"])]
    beaten = [
        str(row["second"] if row["first"] == best["model"] else row["first"])
        for row in involved.to_dict("records")
        if row["mcnemar_p_holm"] < SIGNIFICANT
    ]
    level = [one for one in ranked["model"].iloc[1:] if one not in beaten]
    against = f"more than {_join(beaten)}" if beaten else "not significantly more than any other"
    told = f"The highest accuracy is that of {best['model']}, {against} (McNemar, corrected for all pairs)."
    if beaten and level:
        told += f" From {_join(level)} it cannot be told apart with {int(best['n'])} people."
    return f"{said}.", told


def describe_method(study: ComparisonStudy, facts: Mapping[str, Any]) -> list[str]:
    """Return how models were judged, as paragraphs.

    Parameters
    ----------
    facts : from `read_facts`.
    """
    folds = study.folds
    judged = (
        f"Every model was judged on the same {facts['n_target']:,} people of {study.target} in the same {folds.outer} "
        "folds, each person by a model that has not seen that person. The choice of SNPs, the scaling, the evening "
        f"out of cases and controls and the search of the settings (by {study.scoring}, on {folds.inner} folds) were "
        "done inside the training part of each fold."
    )
    paragraphs = [judged]
    if any(model.kind in SOURCE_KINDS for model in study.models):
        paragraphs.append(
            f"Transfer and polygenic scores learnt from {facts['n_source']:,} people of {study.source} besides, none "
            "of whom is judged."
        )
    if facts["heritability"] is not None:
        paragraphs.append(
            f"The SNPs explain {100 * facts['heritability']:g} % of the liability. The ceiling is what a perfect "
            "model of very many SNPs could reach, 1/2 + arcsin(√h²)/π; the oracle is what the true risk SNPs with "
            "their true effects reached on these people."
        )
    return paragraphs


def describe_needed() -> str:
    """Return what heritability the paper's accuracies would take."""
    needed = [f"{100 * require_heritability(share):.1f} % for {100 * share:.0f} %" for share in (0.90, 0.95)]
    return (
        "Where half of the people are cases and the liability is normal, no model of SNPs can reach an accuracy "
        f"unless the SNPs explain enough of the liability: {' and '.join(needed)} of people told rightly."
    )


def describe_results(study: ComparisonStudy, table: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Return what a comparison found, as Markdown."""
    said, told = answer(table, pairs)
    rows = [
        (
            str(one["model"]),
            show_percent(one["accuracy"]).text,
            write_interval(one["low"], one["high"]),
            show_percent(one["sensitivity"]).text,
            show_percent(one["specificity"]).text,
            write_decimal(one["auc"], 3),
        )
        for one in table.to_dict("records")
    ]
    header = ("Model", "Accuracy %", "95 %", "Sensitivity %", "Specificity %", "AUC")
    return f"# {study.name}: {study.target}\n\n**{said}** {told}\n\n{lay_out_table(header, rows)}"


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
