"""The tables and figures of replicates: distributions, selection noise, the paper's places, rejections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.replication.distributions import tabulate_accuracies, tabulate_selection
from genotransfer.replication.gathering import PAPER_METHODS, SET_SIZE
from genotransfer.replication.places import (
    DEEP,
    SNP,
    count_significant,
    draw_gains,
    list_kinds,
    list_printed,
    place_groups,
    place_phenotypes,
)
from genotransfer.replication.resampling import GROUP_METHODS, N_PHENOTYPES
from genotransfer.report.drawing import COLOURS, MARKERS, add_legend, save_figure, start_figure
from genotransfer.report.findings import METHOD_NAMES
from genotransfer.report.tables import write_table

SEED = 20221115  # of the resampling: the same replicates give the same tables
DECIMALS = 6
KIND_COLOURS = {5: "#0072b2", 10: "#d55e00"}
GAINS = {GROUP_METHODS[SNP]: "SNP transfer less none", GROUP_METHODS[DEEP]: "deep less none"}


def write_replication(folder: str | Path, table: pd.DataFrame) -> list[Path]:
    """Write what replicates say as CSV tables and figures.

    Parameters
    ----------
    folder : where accuracies.csv, selection.csv and selection.png go, and, where the replicates have
        the paper's phenotypes and methods, places.csv, means_of_four.csv, significant.csv and
        differences.png.
    table : from `genotransfer.replication.gathering.gather_runs`.
    """
    folder = Path(folder)
    tables = {"accuracies": tabulate_accuracies(table), "selection": tabulate_selection(table)}
    if can_place(table):
        tables["places"] = place_phenotypes(table, SEED)
        tables["means_of_four"] = place_groups(table, SEED)
        tables["significant"] = count_significant(table, SEED)
    paths = [write_table(folder / f"{name}.csv", one, DECIMALS) for name, one in tables.items()]
    paths.append(draw_choices(folder / "selection.png", table))
    if can_place(table):
        paths.append(draw_differences(folder / "differences.png", table))
    return paths


def can_place(table: pd.DataFrame) -> bool:
    """Say whether the replicates have phenotypes, methods and people to place the paper's figures among."""
    complete = set(GROUP_METHODS) <= set(table["method"]) and bool((table["n_fd"] >= SET_SIZE).all())
    return complete and bool(list_kinds(table))


def draw_differences(path: str | Path, table: pd.DataFrame) -> Path:
    """Draw the distribution of each transfer's gain with the paper's values as ticks, in percent points.

    Above, one phenotype on 50 people; below, means of four. Bars are the replicates, one colour for
    each number of risk SNPs, and triangles the paper's figures.
    """
    figure = start_figure(7.2, 4.8)
    axes = figure.subplots(2, 2, sharex="row")
    for column, (method, name) in enumerate(GAINS.items()):
        for row, n_phenotypes in enumerate((1, N_PHENOTYPES)):
            drawn = draw_gains(table, method, n_phenotypes, SEED)
            width = 2.0 if row == 0 else 1.0
            limit = 36 if row == 0 else 20
            edges = np.arange(-limit - width / 2, limit + width, width)
            for number, gains in drawn.items():
                shares, _ = np.histogram(gains, edges)
                axes[row][column].stairs(
                    100 * shares / len(gains),
                    edges,
                    color=KIND_COLOURS[number],
                    fill=True,
                    alpha=0.28,
                    label=f"replicates, {number} risk SNPs",
                )
                printed = [figures[name] for figures in list_printed(number).values()]
                values = printed if row == 0 else [float(np.mean(printed))]
                axes[row][column].plot(
                    values,
                    np.full(len(values), 0.6 if number == min(drawn) else 1.5),
                    "v",
                    color=KIND_COLOURS[number],
                    markersize=6,
                    label=f"the paper, {number} risk SNPs",
                )
            axes[row][column].axvline(0, color="#999999", linestyle="--", linewidth=0.8, zorder=0)
            axes[row][column].spines[["top", "right"]].set_visible(False)
            what = f"One phenotype, {SET_SIZE} people" if row == 0 else f"Mean of {n_phenotypes} phenotypes"
            axes[row][column].set_title(f"{METHOD_NAMES[method].split(',')[0]}. {what}", fontsize=9)
            axes[row][column].set_xlabel("Accuracy less that of no transfer (points)", fontsize=8)
            axes[row][column].set_ylabel("Share of draws (%)", fontsize=8)
    add_legend(figure, axes[0][0], 4)
    return save_figure(figure, path)


def draw_choices(path: str | Path, table: pd.DataFrame) -> Path:
    """Draw ED against FD accuracy of every replicate's chosen models, with chance and the diagonal."""
    figure = start_figure(6.0, 4.0)
    axes = figure.add_subplot()
    jitter = np.random.default_rng(SEED)  # ED has steps of 1 / 20; points would hide one another
    for method in PAPER_METHODS:
        rows = table[table["method"] == method]
        if len(rows):
            axes.plot(
                100 * rows["ed_accuracy"] + jitter.uniform(-1, 1, len(rows)),
                100 * rows["fd_accuracy"],
                MARKERS[method],
                color=COLOURS[method],
                alpha=0.6,
                markersize=4,
                label=METHOD_NAMES[method],
            )
    low, high = 100 * table["fd_accuracy"].min() - 4, 100 * table["fd_accuracy"].max() + 4
    axes.plot([low, high], [low, high], color="#999999", linestyle="--", linewidth=0.8, label="ED = FD")
    axes.axhline(50, color="#999999", linewidth=0.8, zorder=0, label="Chance")
    ceiling = table["ceiling"].dropna()
    if len(ceiling):
        axes.axhline(100 * ceiling.mean(), color="#555555", linestyle=":", linewidth=1, label="Ceiling")
    axes.set_xlim(min(low, 100 * table["ed_accuracy"].min() - 4), 102)
    axes.set_ylim(low, high)
    axes.set_xlabel("Accuracy on ED, where it was chosen (%)")
    axes.set_ylabel("Accuracy on FD (%)")
    add_legend(figure, axes, 4)
    return save_figure(figure, path)


def draw_rejections(path: str | Path, rates: pd.DataFrame) -> Path:
    """Draw rejection rates of null studies with the interval they must lie in.

    Parameters
    ----------
    path : PNG file to write.
    rates : from `genotransfer.replication.rejections.tabulate_rejections`.
    """
    figure = start_figure(6.4, 2.6)
    axes = figure.add_subplot()
    names = []
    for at, one in enumerate(rates.to_dict("records")):
        what = "accuracy is 1/2" if one["test"] == "accuracy" else "no better than no transfer"
        names.append(f"{METHOD_NAMES[str(one['method'])]}: {what}, chosen on {one['chosen_on']}")
        interval = [100 * one["low"], 100 * one["high"]]
        label = "95 % of honest series" if at == 0 else "_"
        axes.hlines(at, *interval, color="#8aa9c9", linewidth=7, label=label)
        colour = "#000000" if one["chosen_on"] == "ED" else "#d55e00"
        axes.plot(100 * one["rate"], at, "o" if one["chosen_on"] == "ED" else "s", color=colour)
    axes.axvline(5, color="#999999", linestyle="--", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, None)
    axes.set_xlabel("Called significant at .05 (% of null studies)")
    add_legend(figure, axes, 2)
    return save_figure(figure, path)
