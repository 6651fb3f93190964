"""The tables of a comparison's page, with the paper's number beside ours where it printed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from genotransfer.comparison import published
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.comparison.words import describe_kind, describe_search
from genotransfer.report.cells import (
    NOTHING,
    Cell,
    Section,
    show_count,
    show_fraction,
    show_percent,
    write_decimal,
    write_interval,
    write_range,
)


def lay_out_models(study: ComparisonStudy, table: pd.DataFrame) -> Section:
    """Return the table of results: every metric with its interval."""
    rows = []
    for one in table.to_dict("records"):
        row = [Cell(str(one["model"])), Cell(describe_kind(study.find_model(str(one["model"]))))]
        for name, low, high in (
            ("accuracy", "low", "high"),
            *((name, f"{name}_low", f"{name}_high") for name in ("sensitivity", "specificity", "precision")),
        ):
            row += [show_percent(one[name]), Cell(write_interval(one[low], one[high]))]
        interval = NOTHING
        if not pd.isna(one["auc_low"]):
            interval = f"{one['auc_low']:.3f} to {one['auc_high']:.3f}"
        row += [Cell(write_decimal(one["auc"], 3), number=True), Cell(interval)]
        row += [show_fraction(one["f1"]), Cell(write_decimal(one["brier"], 3), number=True)]
        rows.append(row)
    header = ["Model", "What it is"]
    for name in ("Accuracy %", "Sensitivity %", "Specificity %", "Precision %", "AUC"):
        header += [name, "95 %"]
    notes = (
        "Intervals: Wilson's for shares, DeLong's for the AUC, over people. They do not cover another draw of the "
        "people that train, which the spread over folds below shows something of.",
        "The support vector machine has no probabilities: its Brier score is that of the logistic of its margin.",
    )
    return Section("Every model on the same people", [*header, "F1", "Brier"], rows, notes)


def lay_out_published(study: ComparisonStudy, table: pd.DataFrame) -> Section:
    """Return Dhaliwal's Table 1 with this study's numbers, and the paper's below them."""
    columns = {name: find_beside(study, name) for name in published.COLUMNS}
    metrics = {str(one["model"]): one for one in table.to_dict("records")}
    rows = []
    for label, printed in published.TABLE_1.items():
        row = [Cell(label)]
        for name, text in zip(published.COLUMNS, printed, strict=True):
            model = columns[name]
            metric = published.ROW_METRICS[label]
            ours = NOTHING
            if model is not None:
                value = float(metrics[model][metric])
                ours = write_decimal(value, 2) if metric == "auc" else f"{100 * value:.1f}%"
            row.append(Cell(ours, text, number=True))
        rows.append(row)
    named = [f"{name}: {model}" for name, model in columns.items() if model is not None]
    notes = (f"This study's models beside the paper's columns: {'; '.join(named) or 'none'}.",)
    return Section("Table 1 of Dhaliwal", ["", *published.COLUMNS], rows, notes)


def find_beside(study: ComparisonStudy, column: str) -> str | None:
    """Return the study's model that stands beside a column of the paper's table, if there is one.

    Beside CNNs stands a convolutional network of the target alone, and no other network.
    """
    kind = published.COLUMN_KINDS[column]
    for model in study.models:
        if model.kind == kind and (kind != "network" or model.network.startswith("cnn")):
            return model.name
    return None


def lay_out_pairs(pairs: pd.DataFrame) -> Section:
    """Return the table of models in pairs."""
    rows = [
        [
            Cell(f"{one['second']} less {one['first']}"),
            Cell(
                write_range(one["accuracy_difference"], one["accuracy_difference"]).split(" to ")[0],
                number=True,
            ),
            Cell(write_range(one["accuracy_low"], one["accuracy_high"])),
            Cell(write_decimal(one["mcnemar_p"], 4), number=True),
            Cell(write_decimal(one["mcnemar_p_holm"], 4), number=True),
            Cell(write_decimal(one["auc_difference"], 3), number=True),
            Cell(_write_span(one["auc_low"], one["auc_high"])),
            Cell(write_decimal(one["auc_p"], 4), number=True),
            Cell(write_decimal(one["auc_p_holm"], 4), number=True),
        ]
        for one in pairs.to_dict("records")
    ]
    header = (
        "Models",
        "Accuracy, points",
        "95 %",
        "McNemar P",
        "corrected",
        "AUC",
        "95 %",
        "bootstrap P",
        "corrected",
    )
    notes = (
        "Corrected: by Holm's method for the number of pairs, for accuracies and AUCs apart.",
        "The tests take the folds' models as given. Folds share most of the people they train on, so another draw "
        "of people may order close models otherwise more often than the P values say.",
    )
    return Section("Models in pairs, on the same people", header, rows, notes)


def lay_out_timings(timings: pd.DataFrame, table: pd.DataFrame) -> Section:
    """Return the table of what training took."""
    sizes = table.set_index("model")
    rows = [
        [
            Cell(str(one["model"])),
            Cell(write_decimal(one["seconds"], 1), number=True),
            Cell(write_decimal(one["cpu_seconds"], 1), number=True),
            Cell(write_decimal(one["source_seconds"], 1), number=True),
            Cell(f"{one['cost']:.5f} {one['currency']}", number=True),
            show_count(sizes.loc[one["model"], "n_snps"]),
            show_count(sizes.loc[one["model"], "n_parameters"]),
        ]
        for one in timings.to_dict("records")
    ]
    header = ("Model", "Seconds", "CPU seconds", "on the source", "Cost", "SNPs", "Numbers in the model")
    notes = (
        "Seconds: search and fitting in all folds, compiling of networks among them; on the source: once for all "
        "folds. They depend on the machine and on what else it does.",
        "SNPs and numbers in the model: medians over the folds. The numbers are coefficients, support vectors and "
        "their weights, nodes of trees, a network's weights, or effects that are not 0.",
    )
    return Section("What training took", header, rows, notes)


def lay_out_folds(folds: Sequence[pd.DataFrame]) -> Section:
    """Return each model's accuracy, AUC and settings in every fold."""
    rows = []
    for one in folds:
        for number, fold in enumerate(one.to_dict("records")):
            rows.append(
                [
                    Cell(str(fold["model"]) if number == 0 else ""),
                    show_count(fold["fold"]),
                    show_percent(fold["accuracy"]),
                    Cell(write_decimal(fold["auc"], 3), number=True),
                    Cell(write_decimal(fold["inner_score"], 3), number=True),
                    Cell(str(fold["settings"]) if fold["settings"] != "{}" else NOTHING),
                ]
            )
    header = ("Model", "Fold", "Accuracy %", "AUC", "Inner score", "Settings found")
    note = "Inner score: what the search saw of the settings it chose, on folds inside the training part."
    return Section("In every fold", header, rows, (note,))


def lay_out_searches(study: ComparisonStudy) -> Section:
    """Return how each model's settings were searched."""
    rows = [[Cell(model.name), Cell(describe_search(model).replace("`", ""))] for model in study.models]
    return Section("Searches", ("Model", "Search"), rows)


def lay_out_people(study: ComparisonStudy, facts: Mapping[str, object]) -> Section:
    """Return who was compared on, and who taught."""
    rows = [
        [Cell(study.target), show_count(facts["n_target"]), show_count(facts["n_target_cases"])],
        [Cell(study.source), show_count(facts["n_source"]), show_count(facts["n_source_cases"])],
    ]
    notes = [f"{facts['n_variants']:,} SNPs passed quality control, which saw no label."]
    if facts["n_families"] is not None:
        notes.append(f"{facts['n_families']:,} families, each within one fold.")
    return Section("People", ("Population", "People", "Cases"), rows, notes)


def _write_span(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    return f"{write_decimal(low, 3)} to {write_decimal(high, 3)}"
