"""The report's tables as rows of cells, with the paper's number beside each of the study's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from genotransfer.report import published
from genotransfer.report.cells import (
    NOTHING,
    Cell,
    Section,
    is_whole,
    show_count,
    show_fraction,
    show_percent,
    write_interval,
    write_percent,
    write_range,
)
from genotransfer.report.findings import METHOD_NAMES, MethodSummary, describe_points, tabulate_chance
from genotransfer.report.tables import (
    StudyFacts,
    format_cell,
    tabulate_choices,
    tabulate_panels,
    tabulate_ties,
)

TIES_SHOWN = 6


def lay_out_results(results: pd.DataFrame) -> Section:
    """Return the table of results: each phenotype and method, FD accuracy with its interval."""
    rows = [
        [
            Cell(str(one["phenotype"])),
            Cell(METHOD_NAMES[str(one["method"])]),
            Cell(str(one["model"])),
            show_count(one["n_snps"]),
            show_percent(one["ed_accuracy"]),
            show_percent(one["fd_accuracy"]),
            Cell(write_interval(one["fd_low"], one["fd_high"])),
            show_fraction(one["fd_auc"]),
            show_percent(one["oracle_accuracy"]),
            show_count(one["n_tied"]),
        ]
        for one in results.to_dict("records")
    ]
    header = (
        "Phenotype",
        "Method",
        "Model",
        "SNPs",
        "ED %",
        "FD %",
        "95 % interval",
        "AUC",
        "Oracle %",
        "Tied",
    )
    return Section("Results by phenotype and method", header, rows)


def lay_out_summaries(summaries: Sequence[MethodSummary]) -> Section:
    """Return the table of means over phenotypes, gains and recovered fractions."""
    rows = []
    for one in summaries:
        gain = one.gain
        rows.append(
            [
                Cell(METHOD_NAMES[one.method]),
                show_percent(one.accuracy),
                Cell(write_interval(one.low, one.high)),
                Cell(NOTHING if gain is None else describe_points(gain.difference), number=True),
                Cell(NOTHING if gain is None else write_range(gain.low, gain.high)),
                Cell(write_range(one.gain_low, one.gain_high)),
                Cell(
                    NOTHING if pd.isna(one.recovered) else f"{describe_points(one.recovered, False)} %",
                    number=True,
                ),
                show_count(one.n_phenotypes),
            ]
        )
    return Section(
        "Means over phenotypes",
        (
            "Method",
            "FD %",
            "95 % interval",
            "Gain",
            "95 % (paired t)",
            "95 % (bootstrap)",
            "Recovered",
            "Phenotypes",
        ),
        rows,
        (
            "Gain is in percent points against no transfer, paired by phenotype. Recovered is what part of "
            "the way from a coin (50 %) to the true risk SNPs the method went; below 0, worse than a coin.",
        ),
    )


def lay_out_panels(panel_sizes: pd.DataFrame, study: StudyFacts) -> list[Section]:
    """Return Tables 1 and 2."""
    sections = []
    for number, population, printed in ((1, "target", published.TABLE_1), (2, "source", published.TABLE_2)):
        name = study["target"] if population == "target" else study["source"]
        table = tabulate_panels(panel_sizes, population, name)
        rows = []
        for values in table.to_dict("records"):
            phenotype = str(values["phenotype"]).removeprefix(f"{name}_")
            paper = [str(n) for n in printed.get(phenotype, ())]
            rows.append(
                [
                    Cell(str(values["phenotype"])),
                    *(
                        Cell(format_cell(values[column]), paper[at] if at < len(paper) else None, number=True)
                        for at, column in enumerate(table.columns[1:])
                    ),
                ]
            )
        note = "SNPs in each panel. 0 is an empty panel, which is left out of training."
        sections.append(
            Section(
                f"Table {number}. Panels of the {population}, {name}",
                ["Phenotype", *table.columns[1:]],
                rows,
                (note,),
            )
        )
    return sections


def lay_out_choices(results: pd.DataFrame, leaderboard: pd.DataFrame, study: StudyFacts) -> list[Section]:
    """Return Tables 3, 6 and 7: the models chosen on ED."""
    sections = []
    for number, method, printed in ((3, "none", published.TABLE_3), (6, "snp_transfer", published.TABLE_6)):
        table = tabulate_choices(results, method, study["target"])
        rows = []
        for values in table.to_dict("records"):
            paper = printed.get(str(values["phenotype"]).removeprefix(f"{study['target']}_"))
            rows.append(
                [
                    Cell(str(values["phenotype"])),
                    Cell(format_cell(values["n_snps"]), str(paper.n_snps) if paper else None, number=True),
                    Cell(str(values["best_model"]), paper.model if paper else None),
                    Cell(
                        write_percent(values["ed_accuracy"]),
                        str(paper.ed_accuracy) if paper else None,
                        number=True,
                    ),
                    Cell(
                        write_percent(values["fd_accuracy"]),
                        str(paper.fd_accuracy) if paper else None,
                        number=True,
                    ),
                    Cell(write_interval(values["fd_low"] / 100, values["fd_high"] / 100)),
                ]
            )
        header = ("Phenotype", "SNPs", "Best model", "ED %", "FD %", "95 % interval")
        sections.append(Section(f"Table {number}. {METHOD_NAMES[method]}", header, rows))
    return [*sections, _lay_out_ties(leaderboard, study)]


def lay_out_chance(leaderboard: pd.DataFrame, n_ed: int) -> Section:
    """Return the best ED accuracies beside what as many guessing candidates would reach."""
    rows = [
        [
            Cell(str(one["phenotype"])),
            Cell(METHOD_NAMES[str(one["method"])]),
            show_count(one["n_candidates"]),
            show_percent(one["best_ed"]),
            show_percent(one["by_chance"]),
        ]
        for one in tabulate_chance(leaderboard, n_ed).to_dict("records")
    ]
    header = ("Phenotype", "Method", "Candidates", "Best ED %", "By guessing %")
    return Section("The best of many on a few people", header, rows)


def lay_out_quality(quality: pd.DataFrame) -> Section:
    """Return the counts of quality control, columns as they come."""
    columns = [str(name) for name in quality.columns]
    rows = [
        [
            Cell(f"{int(value):,}", number=True) if is_whole(value) else Cell(format_cell(value))
            for value in row
        ]
        for row in quality.itertuples(index=False)
    ]
    return Section("Quality control", [name.replace("_", " ").capitalize() for name in columns], rows)


def lay_out_alignment(alignment: Mapping[str, object]) -> Section:
    """Return the counts of bringing the two populations to common variants."""
    rows = [
        [
            Cell(str(name).replace("_", " ")),
            Cell(f"{value:,}" if isinstance(value, int) else format_cell(value), number=True),
        ]
        for name, value in alignment.items()
    ]
    return Section("Common variants of the two populations", ("", "Number"), rows)


def _lay_out_ties(leaderboard: pd.DataFrame, study: StudyFacts) -> Section:
    table = tabulate_ties(leaderboard, study["source"])
    rows = []
    for values in table.to_dict("records"):
        paper = published.TABLE_7.get(str(values["phenotype"]).removeprefix(f"{study['source']}_"))
        listed = zip(str(values["best_model"]).split(", "), str(values["n_snps"]).split(", "), strict=True)
        models = [f"{model} ({n} SNP{'' if n == '1' else 's'})" for model, n in listed]
        more = f" and {len(models) - TIES_SHOWN:,} more" if len(models) > TIES_SHOWN else ""
        pairs = zip(paper.models, paper.n_snps, strict=True) if paper else ()
        printed = ", ".join(f"Model {model} ({n} SNPs)" for model, n in pairs)
        rows.append(
            [
                Cell(str(values["phenotype"])),
                Cell(", ".join(models[:TIES_SHOWN]) + more, printed or None),
                Cell(
                    write_percent(values["ed_accuracy"]),
                    str(paper.ed_accuracy) if paper else None,
                    number=True,
                ),
                Cell(f"{values['n_tied']:,}", str(len(paper.models)) if paper else None, number=True),
            ]
        )
    note = (
        "All deep candidates that share the best ED accuracy, the chosen one first. All are in table_7.csv."
    )
    return Section("Table 7. Deep transfer", ("Phenotype", "Best models", "ED %", "Tied"), rows, (note,))
