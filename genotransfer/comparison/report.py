"""What a comparison leaves behind: results.csv, tables, figures, and one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.comparison import published, sections
from genotransfer.comparison.figures import draw_accuracies, draw_roc
from genotransfer.comparison.judging import JudgedModel
from genotransfer.comparison.people import load_people, read_facts
from genotransfer.comparison.results import (
    compare_pairs,
    measure_bounds,
    tabulate_folds,
    tabulate_models,
    tabulate_timings,
)
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.comparison.words import answer, describe_method, describe_needed, describe_results
from genotransfer.formats.files import replace_together
from genotransfer.report.cells import show_percent
from genotransfer.report.pages import Chapter, Page, write_page
from genotransfer.report.tables import write_table

DECIMALS = 6
BOUNDS = (("oracle_accuracy", "True risk SNPs (oracle)"), ("ceiling", "Ceiling"))
BESIDE = (
    "Numbers in blue are the paper's, as printed. Its data are not known, and are not these: the two tables need "
    "not agree."
)


def write_report(
    study: ComparisonStudy, people_folder: str | Path, judged: Sequence[JudgedModel], folder: str | Path
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Write everything a comparison found.

    Parameters
    ----------
    people_folder : what `prepare_people` wrote.
    judged : the models, in any order.
    folder : where ``report.html``, ``results.csv``, ``predictions.csv``, ``tables/`` (pairs, folds,
        searches, published and timings) and ``figures/`` are written. But for the timings and the page,
        which shows them, the same study and seed give the same bytes.

    Returns
    -------
    The tables of models and of pairs.

    Raises
    ------
    StudyError
        The models were judged on other people or folds.
    """
    folder = Path(folder)
    order = {name: number for number, name in enumerate(study.model_names)}
    judged = sorted(judged, key=lambda one: order[one.name])
    table, pairs = tabulate_models(judged), compare_pairs(judged, study.seed)
    folds = [tabulate_folds(one) for one in judged]
    timings = tabulate_timings(judged, study.cost)
    facts, bounds = read_facts(people_folder), measure_bounds(load_people(people_folder))
    results = table.assign(**bounds)
    write_table(folder / "results.csv", results, DECIMALS)
    write_table(
        folder / "predictions.csv",
        pd.concat([one.predictions.assign(model=one.name) for one in judged], ignore_index=True),
        DECIMALS,
    )
    tables = {
        "pairs": pairs,
        "folds": pd.concat(folds, ignore_index=True),
        "searches": pd.concat([one.searches.assign(model=one.name) for one in judged], ignore_index=True),
        "published": lay_beside(study, table),
    }
    for name, one in tables.items():
        write_table(folder / "tables" / f"{name}.csv", one, DECIMALS)
    write_table(folder / "tables" / "timings.csv", timings, DECIMALS)
    figures = [
        ("ROC curves over the predictions of all folds", draw_roc(folder / "figures/roc.png", judged, table)),
        (
            "Accuracy with its 95 % interval",
            draw_accuracies(folder / "figures/accuracy.png", table, bounds),
        ),
    ]
    said, told = answer(table, pairs)
    named = {name: bounds[key] for key, name in BOUNDS if not np.isnan(bounds[key])}
    accuracies = dict(zip(table["model"], table["accuracy"], strict=True)) | named
    chapters = [
        Chapter(
            "Every model", describe_method(study, facts), [sections.lay_out_models(study, table)], figures
        ),
        Chapter("Which differences can be told", tables=[sections.lay_out_pairs(pairs)]),
        Chapter(
            "Beside the paper",
            [BESIDE, describe_needed()],
            [sections.lay_out_published(study, table)],
            points=published.DISCREPANCIES,
            beside=True,
        ),
        Chapter("Cost", tables=[sections.lay_out_timings(timings, table)]),
        Chapter(
            "Details",
            tables=[
                sections.lay_out_searches(study),
                sections.lay_out_folds(folds),
                sections.lay_out_people(study, facts),
            ],
        ),
    ]
    write_page(
        folder / "report.html",
        Page(
            title=f"{study.name}: models compared on {study.target}",
            heading=f"{study.name}: models compared on {study.target}",
            answer=said,
            lead=told,
            chapters=chapters,
            tiles=[(name, f"{show_percent(value).text} %", "") for name, value in accuracies.items()],
            facts=f"Phenotype {study.compared_phenotype} · seed {study.seed}",
            footer=f"The paper: {published.CITATION}",
        ),
    )
    return results, pairs


def lay_beside(study: ComparisonStudy, table: pd.DataFrame) -> pd.DataFrame:
    """Return Dhaliwal's Table 1, cell by cell, with this study's model and number beside each.

    Returns
    -------
    metric, column, printed (as it stands in the paper), model and ours; the last two empty where the
    study has no such model.
    """
    metrics = {str(one["model"]): one for one in table.to_dict("records")}
    rows = []
    for label, printed in published.TABLE_1.items():
        for column, text in zip(published.COLUMNS, printed, strict=True):
            model = sections.find_beside(study, column)
            ours = None if model is None else float(metrics[model][published.ROW_METRICS[label]])
            rows.append({"metric": label, "column": column, "printed": text, "model": model, "ours": ours})
    return pd.DataFrame(rows)


def write_summary(study: ComparisonStudy, table: pd.DataFrame, pairs: pd.DataFrame, path: str | Path) -> None:
    """Write what was found as Markdown."""
    with replace_together(path) as [temporary]:
        temporary.write_text(describe_results(study, table, pairs), encoding="utf-8")
