"""The paper's Tables 1 and 2 with a study's numbers beside the printed ones, and what an accuracy takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genotransfer.exome_cnn import published
from genotransfer.exome_cnn.ceilings import find_ceiling, find_heritability

HERITABILITIES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)
TABLE_1_COLUMNS = ["form", "filters", "batch_size", "printed_train", "printed_test", "printed_note"]
TABLE_2_COLUMNS = ["form", "layers", "printed_train", "printed_test", "printed_note"]


@dataclass(frozen=True)
class Takes:
    """The least heritability at which the headline's accuracy can be reached.

    Attributes
    ----------
    prevalence : share of cases in the population.
    drawn : heritability where cases and controls were drawn from a population of this prevalence.
    cohort : heritability where the sample is the population.
    """

    prevalence: float
    drawn: float
    cohort: float


def lay_out_table_1(configurations: pd.DataFrame, first_layers: str) -> pd.DataFrame:
    """Return Table 1: accuracy by form, filters and batch size, ours beside the printed.

    Parameters
    ----------
    configurations : from `genotransfer.exome_cnn.evaluation.evaluate_networks`.
    first_layers : dense layers of the sweep's first entry, e.g. ``1000``.

    Returns
    -------
    A row a printed row, and one a configuration that the paper has not: `TABLE_1_COLUMNS`, accuracies in
    percent, and for each protocol ``train_<protocol>`` and ``test_<protocol>``, means over folds; NaN
    where there is none.
    """
    printed = [
        (one.form, one.filters, one.batch_size, one.train, one.test, one.note) for one in published.TABLE_1
    ]
    mine = (configurations["layers"] == first_layers) | (configurations["form"] == "dense")
    table = pd.DataFrame(printed, columns=TABLE_1_COLUMNS)
    return _set_beside(table, configurations, mine, TABLE_1_COLUMNS[:3])


def lay_out_table_2(configurations: pd.DataFrame, filters: int, batch_size: int) -> pd.DataFrame:
    """Return Table 2: accuracy by form and dense layers, ours beside the printed.

    Parameters
    ----------
    configurations : as for `lay_out_table_1`.
    filters, batch_size : the sweep's first, with which other dense layers are tried.

    Returns
    -------
    As `lay_out_table_1`, with `TABLE_2_COLUMNS`.
    """
    printed = [
        (one.form, "x".join(map(str, one.layers)), one.train, one.test, one.note) for one in published.TABLE_2
    ]
    mine = (configurations["filters"] == filters) & (configurations["batch_size"] == batch_size)
    table = pd.DataFrame(printed, columns=TABLE_2_COLUMNS)
    return _set_beside(table, configurations, mine, TABLE_2_COLUMNS[:2])


def tabulate_ceilings(
    case_share: float, prevalence: float, heritabilities: Sequence[float] = HERITABILITIES
) -> tuple[pd.DataFrame, Takes]:
    """Return the ceiling at several heritabilities, and the heritability that 80 % takes, on both scales.

    Parameters
    ----------
    case_share : of the sample.
    prevalence : of the population.
    heritabilities : of liability.

    Returns
    -------
    heritability; accuracy and auc of the true genetic score, of a sample that was drawn from a population of
    this prevalence; cohort_accuracy and cohort_auc, of a sample that is the population; majority. And the
    least heritabilities at which the best possible accuracy is that of the paper's headline.
    """
    rows: list[dict[str, float]] = []
    for heritability in heritabilities:
        drawn, cohort = (find_ceiling(heritability, case_share, one) for one in (prevalence, None))
        rows.append(
            {
                "heritability": heritability,
                "accuracy": drawn.accuracy,
                "auc": drawn.auc,
                "cohort_accuracy": cohort.accuracy,
                "cohort_auc": cohort.auc,
                "majority": drawn.majority,
            }
        )
    takes = (find_heritability(published.HEADLINE, case_share, one) for one in (prevalence, None))
    return pd.DataFrame(rows), Takes(prevalence, *takes)


def _set_beside(
    printed: pd.DataFrame, configurations: pd.DataFrame, wanted: pd.Series, keys: list[str]
) -> pd.DataFrame:
    ours: pd.DataFrame = configurations.loc[wanted, keys].drop_duplicates()
    for protocol, every in configurations.groupby("protocol", sort=False):
        mine = every[wanted.loc[every.index]]
        means = (
            100 * mine.groupby(keys, sort=False)[["train_accuracy", "test_accuracy"]].mean()
        ).reset_index()
        names = {f"{part}_accuracy": f"{part}_{protocol}" for part in ("train", "test")}
        ours = ours.merge(means.rename(columns=names), on=keys, how="left")
    forms = {form: at for at, form in enumerate(("1d", "2d", "3d", "dense"))}
    table = printed.assign(place=np.arange(len(printed))).merge(ours, on=keys, how="outer")
    order = table["form"].map(forms)
    table = table.assign(order=order, place=table["place"].fillna(len(printed)))
    table = table.sort_values(["order", "place"], kind="stable").drop(columns=["order", "place"])
    return table.reset_index(drop=True)
