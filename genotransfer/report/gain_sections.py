"""Tables 8 and 9 of the report and the tests below them, with the paper's numbers beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from genotransfer.report import published
from genotransfer.report.cells import (
    NOTHING,
    Cell,
    Section,
    show_gain,
    write_decimal,
    write_percent,
    write_points,
    write_range,
)
from genotransfer.report.gains import Group, compare_gains, group_phenotypes, join_groups, tabulate_gains
from genotransfer.report.tables import StudyFacts, format_cell

PRINTED = {"8": published.TABLE_8, "9": published.TABLE_9}
COMPARISONS = {"snp_transfer": "SNP transfer", "deep": "Deep transfer"}
LIMITS = {"oracle_accuracy": "True risk SNPs (oracle)", "ceiling": "Ceiling"}


def lay_out_gains(
    results: pd.DataFrame, leaderboard: pd.DataFrame, group: Group, study: StudyFacts
) -> tuple[Section, Section]:
    """Return Table 8 or 9 of a group of phenotypes, and the tests below it."""
    number = group.table.removeprefix("table_").split("_")[0]
    table = tabulate_gains(results, leaderboard, group)
    rows = []
    for values in table.to_dict("records"):
        label = str(values["row"])
        paper = {
            phenotype: printed.rows[label][at]
            for printed in PRINTED.values()
            for at, phenotype in enumerate(printed.phenotypes)
        }
        shown = [float(values[one]) for one in group.phenotypes]
        same = _is_printed(number, group)
        mean = Cell(
            write_percent(_mean(shown)),
            write_percent(_mean([paper[one] for one in group.phenotypes])) if same else None,
            number=True,
        )
        rows.append(
            [Cell(label), *(show_gain(values[one], paper.get(one)) for one in group.phenotypes), mean]
        )
    unique = results.drop_duplicates("phenotype").set_index("phenotype")
    for column, name in LIMITS.items():
        limits = (100 * unique.loc[list(group.phenotypes), column].to_numpy(dtype=np.float64)).tolist()
        if not np.isnan(limits).all():
            rows.append([Cell(name), *(show_gain(value, None) for value in [*limits, _mean(limits)])])
    of = "an unknown number of" if group.n_risk_snps is None else str(group.n_risk_snps)
    title = f"Table {number}. Transfer for phenotypes with {of} risk SNPs"
    notes = (
        "FD accuracy in percent. Deep transfer is the candidate chosen on ED among all deep methods. "
        "“Max achieved” and “Final improvement” pick the largest of three FD accuracies, as the paper "
        "does: they flatter, and no test uses them.",
    )
    tests = compare_gains(results, leaderboard, group, study["seed"])
    below = _lay_out_tests(tests, f"Tests of Table {number}", number, group)
    return Section(title, ("", *group.phenotypes, "Mean"), rows, notes), below


def lay_out_all_tests(results: pd.DataFrame, leaderboard: pd.DataFrame, study: StudyFacts) -> Section | None:
    """Return the tests over the phenotypes of all groups, where there is more than one."""
    together = join_groups(group_phenotypes(results))
    if together is None:
        return None
    tests = compare_gains(results, leaderboard, together, study["seed"])
    return _lay_out_tests(tests, f"Tests of all {len(together.phenotypes)} phenotypes", "", together)


def _lay_out_tests(tests: pd.DataFrame, title: str, number: str, group: Group) -> Section:
    printed = PRINTED.get(number)
    same = _is_printed(number, group)
    rows = []
    for one in tests.to_dict("records"):
        paper = printed if printed and same and one["comparison"] == "deep" else None
        rows.append(
            [
                Cell(COMPARISONS[str(one["comparison"])]),
                Cell(write_points(one["difference"]), number=True),
                Cell(write_decimal(one["t"], 2), f"{paper.t:.2f}" if paper else None, number=True),
                Cell(format_cell(one["df"]) or NOTHING, str(paper.df) if paper else None, number=True),
                Cell(write_decimal(one["p"], 4), f"{paper.p:.4f}" if paper else None, number=True),
                Cell(write_decimal(one["paired_t"], 2), number=True),
                Cell(write_decimal(one["paired_p"], 4), number=True),
                Cell(write_range(one["paired_low"] / 100, one["paired_high"] / 100)),
                Cell(write_decimal(one["wilcoxon_p"], 3), number=True),
                Cell(write_range(one["bootstrap_low"] / 100, one["bootstrap_high"] / 100)),
            ]
        )
    header = (
        "Against none",
        "Gain",
        "t",
        "df",
        "P",
        "t, paired",
        "P, paired",
        "95 % (paired t)",
        "P, Wilcoxon",
        "95 % (bootstrap)",
    )
    n = len(group.phenotypes)
    notes = [
        "t and P are those of the unpaired two-tailed test the paper used; the same phenotypes stand on "
        "both sides, so the paired test is the right one."
    ]
    if 2 <= n <= 13:
        notes.append(f"With {n} phenotypes Wilcoxon's P cannot be below {2 / 2**n:.3g}.")
    return Section(title, header, rows, notes)


def _is_printed(number: str, group: Group) -> bool:
    """Say whether a group has the phenotypes of the paper's table of that number."""
    return number in PRINTED and set(PRINTED[number].phenotypes) == set(group.phenotypes)


def _mean(values: list[float] | list[int]) -> float:
    known = np.array(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")
