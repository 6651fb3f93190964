"""What a comparison leaves behind: results.csv, tables, figures, and one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from genotransfer import __version__
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
from genotransfer.comparison.words import answer, describe_results
from genotransfer.formats.files import replace_together
from genotransfer.report.cells import show_percent
from genotransfer.report.pages import embed_figure, render_page
from genotransfer.report.tables import write_table

DECIMALS = 6
# Of these a reader may ask whether two runs agree; times they cannot.
TIMINGS = "timings.csv"


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
    write_table(folder / "tables" / TIMINGS, timings, DECIMALS)
    figures = {
        "ROC curves over the predictions of all folds": draw_roc(folder / "figures/roc.png", judged, table),
        "Accuracy with its 95 % interval": draw_accuracies(folder / "figures/accuracy.png", table, bounds),
    }
    said, told = answer(table, pairs)
    page = render_page(
        "comparison.html.jinja",
        study=study,
        version=__version__,
        said=said,
        told=told,
        facts=facts,
        tiles=[
            (label, f"{show_percent(value).text} %")
            for label, value in [
                *zip(table["model"], table["accuracy"], strict=True),
                *((label, bounds[name]) for name, label in BOUNDS),
            ]
            if value == value
        ],
        models=sections.lay_out_models(study, table),
        beside=sections.lay_out_published(study, table),
        pairs=sections.lay_out_pairs(pairs),
        timings=sections.lay_out_timings(timings, table),
        folds=sections.lay_out_folds(folds),
        searches=sections.lay_out_searches(study),
        people=sections.lay_out_people(study, facts),
        figures=[(title, embed_figure(path)) for title, path in figures.items()],
        needed=[
            (percent, show_percent(published.require_heritability(percent / 100)).text) for percent in (90, 95)
        ],
        citation=published.CITATION,
        discrepancies=published.DISCREPANCIES,
    )
    with replace_together(folder / "report.html") as [path]:
        path.write_text(page, encoding="utf-8", newline="\n")
    return results, pairs


BOUNDS = (("oracle_accuracy", "True risk SNPs (oracle)"), ("ceiling", "Ceiling"))


def lay_beside(study: ComparisonStudy, table: pd.DataFrame) -> pd.DataFrame:
    """Return Dhaliwal's Table 1, cell by cell, with this study's model and number beside each.

    Returns
    -------
    metric, column, printed (as it stands in the paper), model and ours; the last two empty where the
    study has no such model.
    """
    metrics = table.set_index("model")
    rows = []
    for label, printed in published.TABLE_1.items():
        for column, text in zip(published.COLUMNS, printed, strict=True):
            model = sections.find_beside(study, column)
            ours = None if model is None else float(metrics.loc[model, published.ROW_METRICS[label]])
            rows.append({"metric": label, "column": column, "printed": text, "model": model, "ours": ours})
    return pd.DataFrame(rows)


def write_summary(study: ComparisonStudy, table: pd.DataFrame, pairs: pd.DataFrame, path: str | Path) -> None:
    """Write what was found as Markdown."""
    with replace_together(path) as [temporary]:
        temporary.write_text(describe_results(study, table, pairs), encoding="utf-8")
