"""The page of a study of an exome: what each protocol claims, beside what can be reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from genotransfer.exome_cnn import published
from genotransfer.exome_cnn.protocols import PROTOCOLS
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.exome_cnn.tables import Takes
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
from genotransfer.report.findings import SPACE, describe_points
from genotransfer.report.pages import Chapter, Page

FORM_NAMES = {"1d": "1D", "2d": "2D", "3d": "3D", "dense": "Dense"}


@dataclass(frozen=True, eq=False)
class Findings:
    """All that the page tells; tables as their modules make them.

    Attributes
    ----------
    facts : of the exome: case_share, prevalence, majority, heritability, ceiling, oracle, note.
    takes : the least heritabilities at which the headline's accuracy can be reached.
    """

    study: ExomeCnnStudy
    results: pd.DataFrame = field(repr=False)
    configurations: pd.DataFrame = field(repr=False)
    optimism: pd.DataFrame = field(repr=False)
    counts: pd.DataFrame = field(repr=False)
    steps: pd.DataFrame = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    table_1: pd.DataFrame = field(repr=False)
    table_2: pd.DataFrame = field(repr=False)
    ceilings: pd.DataFrame = field(repr=False)
    takes: Takes

    def find_whole(self, protocol: str) -> Mapping[str, Any]:
        """Return the result of a protocol on the people of all folds."""
        mine = (self.results["protocol"] == protocol) & (self.results["fold"] == "all")
        return dict(self.results[mine].iloc[0])


def describe_page(findings: Findings, figures: Sequence[tuple[str, Path]]) -> Page:
    """Return the page.

    Parameters
    ----------
    findings : what was found.
    figures : protocols and learning curves.
    """
    study = findings.study
    honest = findings.find_whole("honest")
    protocols, curves = figures
    beside = "Numbers in blue are those the paper printed, of other people and other variants."
    return Page(
        title=f"{study.name}: an exome by convolutional networks",
        heading=f"{study.name}: cases and controls told apart by their exomes",
        answer=f"{_percent(honest['accuracy'])} of people who were set apart are told right.",
        lead=_explain(findings),
        tiles=_list_tiles(findings),
        facts=f"{int(honest['n']):,} people tested, {int(honest['n_cases']):,} of them cases; "
        f"{len(findings.configurations):,} networks trained; seed {study.seed}; {findings.facts['note']}",
        chapters=[
            Chapter(
                "By protocol",
                [f"{name.capitalize()}: {PROTOCOLS[name].told}" for name in study.protocols],
                [_lay_out_protocols(findings), _lay_out_optimism(findings), _lay_out_folds(findings)],
                [protocols],
            ),
            Chapter(
                "What 80 % would take",
                [_explain_headline(findings)],
                [_lay_out_ceilings(findings)],
            ),
            Chapter(
                "The paper's tables",
                [beside],
                [
                    _lay_out_printed("Table 1: form, filters and batch size", findings.table_1, study),
                    _lay_out_printed("Table 2: form and dense layers", findings.table_2, study),
                ],
                beside=True,
            ),
            Chapter("Learning", figures=[curves]),
            Chapter("Data", tables=[_lay_out_counts(findings), _lay_out_steps(findings)]),
            Chapter("Notes on the paper's numbers", points=published.DISCREPANCIES),
        ],
        footer=f"The paper: {published.CITATION} doi:{published.DOI}",
    )


def _explain(findings: Findings) -> str:
    honest = findings.find_whole("honest")
    said = [
        f"The 95 % interval is {write_interval(honest['low'], honest['high'])} %; calling everybody the commoner "
        f"class is right for {_percent(honest['majority'])}."
    ]
    if pd.notna(honest["ceiling"]):
        said.append(f"The best that can be reached is {_percent(honest['ceiling'])}.")
    for row in findings.optimism.to_dict("records"):
        other = findings.find_whole(str(row["protocol"]))
        said.append(
            f"The {row['protocol']} protocol says {_percent(other['accuracy'])} of the same people: "
            f"{describe_points(row['optimism'])} points ({write_range(row['low'], row['high'])})."
        )
    return " ".join(said)


def _explain_headline(findings: Findings) -> str:
    share, takes = findings.facts["case_share"], findings.takes
    return (
        f"Of this sample {_percent(share)} are cases. If they and the controls were drawn from a population of which "
        f"{_percent(takes.prevalence)} are cases, no predictor that reads these variants alone is right for 80 % of "
        f"people unless they explain {_percent(takes.drawn)} of the liability in that population; if the sample is "
        f"the population, as in a cohort, {_percent(takes.cohort)}. A study that claims more than the ceiling of its "
        "variants' heritability has measured something else."
    )


def _list_tiles(findings: Findings) -> list[tuple[str, str, str]]:
    tiles = []
    for name in findings.study.protocols:
        whole = findings.find_whole(name)
        interval = write_interval(whole["low"], whole["high"])
        tiles.append((name.capitalize(), _percent(whole["accuracy"]), f"{interval} %"))
    honest = findings.find_whole("honest")
    tiles.append(("Commoner class", _percent(honest["majority"]), "everybody called the same"))
    if pd.notna(honest["ceiling"]):
        tiles.append(("Ceiling", _percent(honest["ceiling"]), "the true genetic score"))
    return tiles


def _lay_out_protocols(findings: Findings) -> Section:
    rows = []
    for name in findings.study.protocols:
        one = findings.find_whole(name)
        rows.append(
            [
                Cell(name.capitalize()),
                show_percent(one["accuracy"]),
                Cell(write_interval(one["low"], one["high"])),
                show_percent(one["fold_mean"]),
                Cell(write_interval(one["fold_low"], one["fold_high"])),
                show_fraction(one["auc"]),
                Cell(_write_fractions(one["auc_low"], one["auc_high"])),
                show_fraction(one["fold_auc"]),
                *(show_percent(one[key]) for key in ("balanced_accuracy", "sensitivity", "specificity")),
                show_percent(one["best_epoch_accuracy"]),
            ]
        )
    return Section(
        "What each protocol says of the test people, %",
        (
            "Protocol",
            "Accuracy",
            "95 % (Wilson)",
            "Mean of folds",
            "95 % (t)",
            "AUC",
            "95 % (DeLong)",
            "AUC, mean of folds",
            "Balanced",
            "Sensitivity",
            "Specificity",
            "Best epoch",
        ),
        rows,
        [
            "Wilson's interval covers the choice of the test people, not of those who train. Folds share training "
            "people, so the t interval over them is too narrow. The AUC is of everybody together, whom networks of "
            "several folds scored, each on a scale of its own; the mean of folds compares people within a fold. "
            "Best epoch: the highest accuracy of any epoch on those who stop the training."
        ],
    )


def _lay_out_optimism(findings: Findings) -> Section:
    rows = [
        [
            Cell(str(row["protocol"]).capitalize()),
            Cell(describe_points(float(row["optimism"])), number=True),
            Cell(write_range(float(row["low"]), float(row["high"]))),
            show_count(row["n"]),
        ]
        for row in findings.optimism.to_dict("records")
    ]
    return Section(
        "Optimism: accuracy above the honest protocol's on the same people, points",
        ("Protocol", "Optimism", "95 % (bootstrap over people)", "People"),
        rows,
    )


def _lay_out_folds(findings: Findings) -> Section:
    folds = findings.results[findings.results["fold"] != "all"]
    rows = [
        [
            Cell(str(row["protocol"]).capitalize()),
            Cell(str(row["fold"]), number=True),
            Cell(str(row["configuration"])),
            show_count(row["n"]),
            show_percent(row["accuracy"]),
            Cell(write_interval(row["low"], row["high"])),
            show_fraction(row["auc"]),
            show_percent(row["majority"]),
        ]
        for row in folds.to_dict("records")
    ]
    return Section(
        "Fold by fold, with the configuration chosen",
        ("Protocol", "Fold", "Configuration", "People", "Accuracy %", "95 %", "AUC", "Majority %"),
        rows,
    )


def _lay_out_ceilings(findings: Findings) -> Section:
    drawn = f"prevalence {_percent(findings.takes.prevalence)}"
    shown = (("accuracy", show_percent), ("auc", show_fraction))
    rows = [
        [
            show_fraction(row["heritability"]),
            *(show(row[f"{of}{name}"]) for of in ("", "cohort_") for name, show in shown),
        ]
        for row in findings.ceilings.to_dict("records")
    ]
    return Section(
        "The best that can be reached, by heritability",
        (
            "Heritability of liability",
            f"Accuracy %, {drawn}",
            f"AUC, {drawn}",
            "Accuracy %, sample as population",
            "AUC, sample as population",
        ),
        rows,
        [
            f"Normal liability, {_percent(findings.facts['case_share'])} of the sample cases. Where the study names no "
            "prevalence, it is schizophrenia's."
        ],
    )


def _lay_out_printed(title: str, table: pd.DataFrame, study: ExomeCnnStudy) -> Section:
    """Return one of the paper's tables; its numbers stand below those of the protocol most like its own."""
    alike = "published" if "published" in study.protocols else "honest"
    keys = [name for name in ("form", "filters", "batch_size", "layers") if name in table]
    heads = {"form": "Form", "filters": "Filters", "batch_size": "Batch", "layers": "Layers"}
    rows = []
    for row in table.to_dict("records"):
        cells = [Cell(FORM_NAMES[str(row["form"])]), *(Cell(str(row[key]), number=True) for key in keys[1:])]
        for name in study.protocols:
            for part in ("train", "test"):
                printed = row[f"printed_{part}"] if name == alike else float("nan")
                paper = None if pd.isna(printed) else write_decimal(printed, 2)
                cells.append(Cell(write_decimal(row[f"{part}_{name}"], 2), paper, number=True))
        note = row["printed_note"]
        cells.append(Cell(NOTHING if pd.isna(note) else str(note)))
        rows.append(cells)
    parts = [f"{name.capitalize()} {part} %" for name in study.protocols for part in ("train", "test")]
    return Section(
        title,
        [*(heads[key] for key in keys), *parts, "The paper's remark"],
        rows,
        [
            "Means over folds. Training accuracy is that of the epoch kept, measured while training, as Keras prints "
            "it. A dash: not tried by this study."
        ],
    )


def _lay_out_counts(findings: Findings) -> Section:
    counts = findings.counts
    heads = ("n_training", "n_validation", "n_test", "n_tested", "n_kept", "n_expected")
    rows = [
        [
            Cell(str(row["protocol"]).capitalize()),
            Cell(str(row["fold"]), number=True),
            *(show_count(row[name]) for name in heads),
        ]
        for row in counts.to_dict("records")
    ]
    return Section(
        "People and variants",
        (
            "Protocol",
            "Fold",
            "Training",
            "Validation",
            "Test",
            "Variants tested",
            "Kept",
            "At most by chance",
        ),
        rows,
        [
            "At most by chance: variants tested times the threshold of p. A rare variant has few possible values of "
            "p, so fewer reach it by chance."
        ],
    )


def _lay_out_steps(findings: Findings) -> Section:
    rows = [
        [Cell(str(row["step"])), show_count(row["removed"]), show_count(row["left"])]
        for row in findings.steps.to_dict("records")
    ]
    return Section("Quality control", ("Step", "Removed", "Left"), rows)


def _write_fractions(low: float, high: float) -> str:
    if pd.isna(low) or pd.isna(high):
        return NOTHING
    return f"{write_decimal(low, 2)} to {write_decimal(high, 2)}"


def _percent(value: Any) -> str:
    return f"{describe_points(float(value), sign=False)}{SPACE}%"
