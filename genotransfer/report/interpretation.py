"""The report's tables of what the chosen models rest on, and of whether those are true risk SNPs."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from genotransfer.candidates import CHOSEN
from genotransfer.report.cells import Cell, Section, show_count, show_percent, write_decimal
from genotransfer.report.findings import METHOD_NAMES
from genotransfer.report.tables import StudyFacts

MOST_LISTED = 5
HIT = 0.8  # r2


@dataclass(frozen=True)
class Interpretation:
    """What `genotransfer.stages.interpretation` found.

    Attributes
    ----------
    importance, recovery : its tables.
    """

    importance: pd.DataFrame = field(repr=False)
    recovery: pd.DataFrame = field(repr=False)


def lay_out_interpretation(interpretation: Interpretation, study: StudyFacts) -> list[Section]:
    """Return the variants each phenotype's one model rests on, and how each method finds the risk SNPs."""
    sections = [_lay_out_variants(interpretation, study)]
    if len(interpretation.recovery):
        sections.append(_lay_out_recovery(interpretation.recovery, study))
    return sections


def _lay_out_variants(interpretation: Interpretation, study: StudyFacts) -> Section:
    table = interpretation.importance
    simulated = len(interpretation.recovery) > 0
    rows = []
    for phenotype, group in table.groupby("phenotype", sort=False):
        # The study's one model; it has no row where its output does not vary.
        chosen = group[group["method"] == CHOSEN]
        if chosen.empty:
            continue
        first = chosen[chosen["kind"] == chosen["kind"].iloc[0]]  # the measure it is ranked by
        leads = first[first["lead"]].sort_values("bin_rank", kind="stable").head(MOST_LISTED)
        for one in leads.to_dict("records"):
            cells = [
                Cell(f"{study['target']}_{phenotype}"),
                Cell(str(one["model"])),
                Cell(str(one["id"])),
                Cell(f"{one['chromosome']}:{int(one['position']):,}"),
                show_percent(one["bin_share"]),
                Cell({1: "case", -1: "control"}.get(int(one["direction"]), "")),
            ]
            if simulated:
                near = float(one["risk_r2"])
                cells.append(Cell(f"{write_decimal(near, 2)} {one['risk_id']}" if near > 0 else "none near"))
            rows.append(cells)
    header = ["Phenotype", "Model", "Variant", "Position (bp)", "Share %", "Speaks for"]
    note = (
        "Share: what the variant, with those in LD with it, tells of the model's output beyond the variants "
        "before it, as a share of all that the listed and further variants tell."
    )
    notes = [note]
    known = {*table["phenotype"], *interpretation.recovery["phenotype"]}
    if known - set(table.loc[table["method"] == CHOSEN, "phenotype"]):
        notes.append("A phenotype whose model gives everybody the same output has no row.")
    if simulated:
        header.append("r\N{SUPERSCRIPT TWO} with risk SNP")
    return Section("The variants each phenotype's model rests on", header, rows, tuple(notes))


def _lay_out_recovery(recovery: pd.DataFrame, study: StudyFacts) -> Section:
    rows = []
    for (phenotype, method), group in recovery.groupby(["phenotype", "method"], sort=False):
        one = group.iloc[0]
        missed = pd.isna(one["first_rank"])
        rows.append(
            [
                Cell(f"{study['target']}_{phenotype}"),
                Cell(METHOD_NAMES.get(str(method), "Association, by p")),
                Cell(str(one["model"])),
                Cell("none" if missed else f"{int(one['first_rank']):,}", number=True),
                show_percent(one["found_10"]),
                show_percent(one["chance_panel"]),
                show_percent(one["chance_all"]),
                show_count(one["n_ranked"]),
            ]
        )
    header = (
        "Phenotype",
        "Method",
        "Model",
        "First hit",
        "Found %",
        "By chance %",
        "By chance, all %",
        "Ranked",
    )
    note = (
        f"A hit: r\N{SUPERSCRIPT TWO} of {HIT} or more with a true risk SNP in {recovery['population'].iloc[0]}. "
        "First hit: its rank. Found: risk SNPs with a hit among the first ten. By chance: that a variant drawn "
        "from those the model reads is a hit, and from all that were tested."
    )
    return Section("Do they find the true risk SNPs?", header, rows, (note,))
