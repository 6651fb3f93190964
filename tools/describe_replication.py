"""Renew docs/explanation/replication.md from gathered replicates: python tools/describe_replication.py.

With --gathered FOLDER (what `genotransfer replicate` writes) and --null FILE (what
`make null-calibration` writes) their tables are taken over into docs/explanation/replication/ first. The
page's text is written by hand; what stands between `<!-- NAME -->` and `<!-- end -->` is made here.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from pathlib import Path

import pandas as pd

from genotransfer.evaluation import best_accuracy
from genotransfer.replication.distributions import (
    compute_power,
    count_people_needed,
    find_detectable_gain,
    measure_disagreement,
    tabulate_accuracies,
    tabulate_selection,
)
from genotransfer.replication.gathering import (
    DEEP,
    PAPER_METHODS,
    read_replicates,
    write_replicates,
)
from genotransfer.replication.places import PRINTED, count_significant, place_groups, place_phenotypes
from genotransfer.replication.rejections import tabulate_rejections
from genotransfer.report import published
from genotransfer.report.cells import NOTHING
from genotransfer.report.findings import METHOD_NAMES, describe_points
from genotransfer.report.replicates import SEED, draw_choices, draw_differences, draw_rejections
from genotransfer.simulation.variance import paper_model

PAGE = Path(__file__).parents[1] / "docs/explanation/replication.md"
FOLDER = PAGE.with_suffix("")
MINUS = "\N{MINUS SIGN}"
KINDS = {"5": "5 risk SNPs", "10": "10 risk SNPs", "all": "both"}
BLOCK = re.compile(r"<!-- (?P<name>[a-z]+) -->\n.*?<!-- end -->", re.DOTALL)


def percent(value: float) -> str:
    """Return a share in percent with one decimal."""
    return NOTHING if math.isnan(value) else f"{100 * value:.1f}"


def points(value: float) -> str:
    """Return a share as signed percent points."""
    return NOTHING if math.isnan(value) else describe_points(value)


def round_off(value: float) -> str:
    """Return a number with one decimal, and no negative zero."""
    return f"{round(value, 1) + 0.0:.1f}".replace("-", MINUS)


def span(low: float, high: float, write=percent) -> str:
    """Return an interval in brackets, nothing where there is none."""
    return "" if math.isnan(low) else f" ({write(low)} to {write(high)})"


def lay_out(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, numbers to the right."""
    lines = [f"| {' | '.join(row)} |" for row in [header, *rows]]
    lines.insert(1, "|---" + "|---:" * (len(header) - 1) + "|")
    return "\n".join(lines)


def describe_accuracies(table: pd.DataFrame) -> str:
    """Return what each method reaches on all of FD."""
    rows = [
        [
            f"{KINDS[one['n_risk_snps']]}: {METHOD_NAMES[one['method']]}",
            percent(one["ed"]),
            percent(one["fd"]) + span(one["fd_low"], one["fd_high"]),
            f"{percent(one['fd_min'])} to {percent(one['fd_max'])}",
            percent(one["fd_sd"]),
            percent(one["fd_50_sd"]),
            points(one["gain"]) + span(one["gain_low"], one["gain_high"], points),
            percent(one["gain_50_sd"]),
        ]
        for one in tabulate_accuracies(table).to_dict("records")
    ]
    header = ["", "ED", "FD (95 %)", "lowest to highest", "SD", "SD on 50", "gain (95 %)", "SD of gain on 50"]
    return lay_out(header, rows)


def describe_summary(table: pd.DataFrame) -> str:
    """Return the finding in sentences; the numbers choose the words."""
    accuracies = tabulate_accuracies(table)
    whole = accuracies[accuracies["n_risk_snps"] == "all"].set_index("method")
    deep, snp = whole.loc["deep"], whole.loc["snp_transfer"]
    n_seeds, n = table["seed"].nunique(), int(deep["n_replicates"])
    own = table[table["method"] != "deep"]
    paper = sum(sum(one.rows[published.DEEP_GAIN]) for one in PRINTED.values()) / 8
    lines = [
        f"{n_seeds} seeds, {n} phenotypes, {int(own['n_candidates'].sum()):,} candidates; FD of "
        f"{int(table['n_fd'].iloc[0]):,} people each.",
        f"Right on FD, in percent: without transfer {percent(whole.loc['none', 'fd'])}, SNP transfer "
        f"{percent(snp['fd'])}, deep transfer {percent(deep['fd'])}; the true risk SNPs "
        f"{percent(deep['oracle'])}, the ceiling {percent(deep['ceiling'])}.",
    ]
    for name, row in (("SNP transfer", snp), ("Deep transfer", deep)):
        low, high = row["gain_low"], row["gain_high"]
        verdict = (
            "a gain that can be told from none"
            if low > 0
            else "a loss that can be told from none"
            if high < 0
            else "no difference that can be told from none"
        )
        lines.append(
            f"{name} less no transfer: {points(row['gain'])} points{span(low, high, points)}, {verdict}; above it in "
            f"{percent(row['gain_above'])} % of phenotypes."
        )
    ed = own["ed_accuracy"]
    lines.append(
        f"On ED the same models had {percent(float(ed.min()))} to {percent(float(ed.max()))} %, "
        f"{percent(float(ed.mean()))} on average: the best of dozens to hundreds of guesses on 20 people."
    )
    inside = "above" if paper / 100 > deep["gain_high"] else "not above"
    lines.append(f"The paper's mean gain of eight, {paper:+.2f} points, is {inside} that interval.")
    return "\n".join(f"- {line}" for line in lines)


def take_paper_methods(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the paper's methods; those of any others are in the file."""
    return table[table["method"].isin([*PAPER_METHODS, DEEP])]


def describe_selection(table: pd.DataFrame) -> str:
    """Return ED against FD of the chosen."""
    rows = [
        [
            METHOD_NAMES[one["method"]],
            f"{one['n_candidates']:.0f}",
            percent(one["mean_ed"]),
            percent(one["ed"]),
            percent(one["by_chance"]),
            percent(one["fd"]),
            points(one["noise"]) + span(one["noise_low"], one["noise_high"], points),
            f"{100 * one['above']:.0f} %",
            f"{one['correlation']:+.2f}".replace("-", MINUS),
        ]
        for one in tabulate_selection(table).to_dict("records")
    ]
    header = [
        "",
        "candidates",
        "mean ED of all",
        "ED of the chosen",
        "best of as many guesses",
        "FD of the chosen",
        "ED less FD (95 %)",
        "ED above FD",
        "correlation of ED and FD",
    ]
    return lay_out(header, rows)


def describe_means(table: pd.DataFrame) -> str:
    """Return the places of the paper's means of four, and of its t."""
    rows = [
        [
            f"{KINDS[one['n_risk_snps']]}: {one['figure']}",
            f"{one['paper']:.2f}".replace("-", MINUS),
            round_off(one["median"]),
            f"{round_off(one['low'])} to {round_off(one['high'])}",
            percent(one["place"]) + span(one["place_low"], one["place_high"]),
        ]
        for one in place_groups(table, SEED).to_dict("records")
    ]
    return lay_out(["mean", "paper", "median", "95 % of draws", "percentile (95 %)"], rows)


def describe_phenotypes(table: pd.DataFrame) -> str:
    """Return the places of the paper's figures of each phenotype, one row a phenotype."""
    places = place_phenotypes(table, SEED)
    figures = list(dict.fromkeys(places["figure"]))[:-1]
    rows = []
    for phenotype, group in places.groupby("phenotype", sort=False):
        by_figure = group.set_index("figure")
        cells = []
        for figure in figures:
            one = by_figure.loc[figure]
            low, high = (f"{100 * one[name]:.0f}" for name in ("place_low", "place_high"))
            cells.append(
                f"{one['paper']:.0f}: {100 * one['place']:.0f} ({low} to {high})".replace("-", MINUS)
            )
        rows.append([str(phenotype), *cells])
    return lay_out(["", *figures], rows)


def describe_tests(table: pd.DataFrame) -> str:
    """Return how often the tests reject."""
    names = {
        "5": "four phenotypes, 5 risk SNPs",
        "10": "four phenotypes, 10 risk SNPs",
        "both": "both groups at once",
        "all": "all eight in one test",
    }
    rows = [
        [
            f"{names[one['n_risk_snps']]}: {one['test']}",
            f"{100 * one['rate']:.2f}",
            f"{100 * one['rate_for']:.2f}",
        ]
        for one in count_significant(table, SEED).to_dict("records")
    ]
    return lay_out(["", "P < .05 (% of draws)", "and deep transfer ahead"], rows)


def describe_power(table: pd.DataFrame) -> str:
    """Return what the paper's design could have shown, from the measured spread on 50 people."""
    accuracies = tabulate_accuracies(table).set_index(["n_risk_snps", "method"])
    sd = float(accuracies.loc[("all", ["none", "deep"]), "fd_50_sd"].mean())
    most = best_accuracy(paper_model().snp_heritability) - 0.5
    disagreement = measure_disagreement(table, "deep")
    rows = [
        ["standard deviation of an accuracy on 50 people", f"{percent(sd)} points"],
        ["the largest gain there can be: from a coin to the ceiling", f"{percent(most)} points"],
        ["power of the unpaired t-test of 4 and 4 for that gain", f"{percent(compute_power(most, sd, 4))} %"],
        ["gain it finds with power .8", f"{percent(find_detectable_gain(sd, 4))} points"],
        ["people for whom deep transfer and no transfer disagree", f"{percent(disagreement)} %"],
        [
            "people of FD that show the largest gain with power .8, one model against another",
            f"{count_people_needed(most, disagreement):,}",
        ],
    ]
    return lay_out(["", ""], rows)


def describe_null(counts: pd.DataFrame) -> str:
    """Return rejection rates of the null studies."""
    tests = {"accuracy": "accuracy is 1/2", "difference": "as often right as no transfer"}
    rows = [
        [
            f"chosen on {one['chosen_on']}, {METHOD_NAMES[one['method']]}: {tests[one['test']]}",
            percent(one["mean_share"]),
            f"{one['n_rejected']} of {one['n_replicates']}",
            percent(one["rate"]),
            f"{percent(one['expected'])}{span(one['low'], one['high'])}",
            "yes" if one["calibrated"] else "no",
        ]
        for one in tabulate_rejections(counts).to_dict("records")
    ]
    return lay_out(["", "right (%)", "rejected", "rate (%)", "must be (95 %)", "calibrated"], rows)


def compose(page: str, table: pd.DataFrame, counts: pd.DataFrame) -> str:
    """Return the page with every generated block made anew."""
    table = take_paper_methods(table)
    blocks = {
        "summary": describe_summary(table),
        "accuracies": describe_accuracies(table),
        "selection": describe_selection(table),
        "means": describe_means(table),
        "phenotypes": describe_phenotypes(table),
        "tests": describe_tests(table),
        "power": describe_power(table),
        "null": describe_null(counts),
    }
    return BLOCK.sub(lambda found: f"<!-- {found['name']} -->\n{blocks[found['name']]}\n<!-- end -->", page)


def main() -> None:
    """Take new tables over, and renew the page and its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gathered", type=Path, help="folder that genotransfer replicate gathered")
    parser.add_argument("--null", type=Path, help="counts of make null-calibration")
    settings = parser.parse_args()
    if settings.gathered is not None:
        write_replicates(FOLDER / "replicates.csv", read_replicates(settings.gathered / "replicates.csv"))
    if settings.null is not None and settings.null.is_file():
        (FOLDER / "null.csv").write_bytes(settings.null.read_bytes())
    table, counts = read_replicates(FOLDER / "replicates.csv"), pd.read_csv(FOLDER / "null.csv")
    PAGE.write_text(compose(PAGE.read_text(), table, counts))
    draw_differences(FOLDER / "differences.png", table)
    draw_choices(FOLDER / "selection.png", table)
    draw_rejections(FOLDER / "rejections.png", tabulate_rejections(counts))
    sys.stdout.write(f"{PAGE}\n")


if __name__ == "__main__":
    main()
