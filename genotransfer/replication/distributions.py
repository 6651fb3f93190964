"""Distributions over replicates: what each method reaches, and how far ED was above FD."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import optimize, stats

from genotransfer.evaluation import expect_best_by_chance
from genotransfer.intervals import NAN
from genotransfer.replication.gathering import DEEP, GATHERED_METHODS, PAPER_METHODS, SET_SIZE, read_sets

KEYS = ["seed", "phenotype"]
LEVEL = 0.05
POWER = 0.8


def list_groups(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the replicates by number of risk SNPs, fewest first, and ``all`` where there are several."""
    numbers = sorted(set(table["n_risk_snps"]))
    groups = [(str(number), table[table["n_risk_snps"] == number]) for number in numbers]
    return groups if len(groups) == 1 else [*groups, ("all", table)]


def tabulate_accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Return what each method reaches on FD, and what it adds to no transfer; fractions.

    Parameters
    ----------
    table : from `genotransfer.replication.gathering.gather_runs`.

    Returns
    -------
    By ``n_risk_snps`` (or ``all``) and method: ``n_replicates``; the mean accuracy on ED of the chosen
    and on all of FD (``ed``, ``fd``) with ``fd``'s 95 % interval over seeds; its standard deviation and
    range over replicates; ``gain`` against no transfer on the same people, with interval, standard
    deviation and the share of replicates above 0; ``fd_50_sd`` and ``gain_50_sd``, the standard
    deviations on 50 people; ``oracle`` and ``ceiling``.
    """
    rows = []
    for name, group in list_groups(table):
        without = group[group["method"] == "none"].set_index(KEYS)
        for method in GATHERED_METHODS:
            own = group[group["method"] == method].set_index(KEYS)
            if own.empty:
                continue
            fd = own["fd_accuracy"]
            mean, low, high = average_seeds(fd)
            row: dict[str, object] = {"n_risk_snps": name, "method": method, "n_replicates": len(own)}
            row |= {"ed": own["ed_accuracy"].mean(), "fd": mean, "fd_low": low, "fd_high": high}
            row |= {"fd_sd": fd.std(ddof=1), "fd_min": fd.min(), "fd_max": fd.max()}
            row |= {"fd_50_sd": _spread(read_sets(own))}
            row |= _compare(own, without) if method != "none" else {}
            row |= {"oracle": own["oracle_accuracy"].mean(), "ceiling": own["ceiling"].mean()}
            rows.append(row)
    return pd.DataFrame(rows)


def tabulate_selection(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far the accuracy on ED of the chosen is above their accuracy on FD; fractions.

    Returns
    -------
    By method chosen on ED, over all phenotypes: ``n_candidates``, their mean accuracy on ED (``mean_ed``), that of
    the chosen (``ed``) and what the best of as many guessing independently would have (``by_chance``);
    ``fd``; ``noise``, ED less FD of the chosen, with its 95 % interval over seeds; ``above``, the share of
    replicates with ED above FD; ``correlation`` of ED and FD over replicates (Spearman); ``n_tied``.
    """
    rows = []
    for method in (*PAPER_METHODS, DEEP):
        own = table[table["method"] == method].set_index(KEYS)
        if own.empty:
            continue
        noise = own["ed_accuracy"] - own["fd_accuracy"]
        mean, low, high = average_seeds(noise)
        guessed = [
            expect_best_by_chance(int(n), int(people))
            for n, people in zip(own["n_candidates"], own["n_ed"], strict=True)
        ]
        rows.append(
            {
                "method": method,
                "n_replicates": len(own),
                "n_candidates": own["n_candidates"].mean(),
                "n_tied": own["n_tied"].mean(),
                "mean_ed": own["mean_ed"].mean(),
                "ed": own["ed_accuracy"].mean(),
                "by_chance": float(np.mean(guessed)),
                "fd": own["fd_accuracy"].mean(),
                "noise": mean,
                "noise_low": low,
                "noise_high": high,
                "above": float((noise > 0).mean()),
                "correlation": _correlate(own["ed_accuracy"], own["fd_accuracy"]),
            }
        )
    return pd.DataFrame(rows)


def average_seeds(values: pd.Series) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval by the t distribution.

    Phenotypes of one seed share their genotypes, so that they are averaged first. With one seed there
    is no interval (NaN).
    """
    means = values.groupby(level="seed").mean().to_numpy(dtype=np.float64)
    mean = float(means.mean())
    if len(means) < 2:
        return mean, NAN, NAN
    half = float(stats.t.ppf(0.975, len(means) - 1)) * float(means.std(ddof=1)) / math.sqrt(len(means))
    return mean, mean - half, mean + half


def compute_power(gain: float, sd: float, n_phenotypes: int, level: float = LEVEL) -> float:
    """Return the power of the paper's test for a true gain: unpaired, two-tailed.

    Parameters
    ----------
    gain : true difference of the mean accuracies.
    sd : standard deviation of one method's accuracy between phenotypes, sampling included; same unit.
    n_phenotypes : on each side.

    Source
    ------
    The noncentral t distribution; Cohen 1988, Statistical Power Analysis, chapter 2.
    """
    df = 2 * n_phenotypes - 2
    shift = gain / (sd * math.sqrt(2 / n_phenotypes))
    limit = float(stats.t.ppf(1 - level / 2, df))
    return float(stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift))


def find_detectable_gain(sd: float, n_phenotypes: int, power: float = POWER, level: float = LEVEL) -> float:
    """Return the least true gain that `compute_power` gives a power; in the unit of `sd`."""
    # Eight standard errors are found for certain, and further out the noncentral t is not computed well.
    most = 8 * sd * math.sqrt(2 / n_phenotypes)
    return float(
        optimize.brentq(lambda gain: compute_power(gain, sd, n_phenotypes, level) - power, 0.0, most)
    )


def count_people_needed(gain: float, disagreement: float, power: float = POWER, level: float = LEVEL) -> int:
    """Return how many people of FD show a true gain between two models, by the normal approximation.

    Parameters
    ----------
    gain : true difference of the accuracies of two models.
    disagreement : share of people for whom just one of the two is right.
    """
    z = float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(power))
    return math.ceil(z * z * (disagreement - gain * gain) / (gain * gain))


def measure_disagreement(table: pd.DataFrame, method: str) -> float:
    """Return the share of people for whom just one of a method and no transfer is right.

    From the variance of their difference between the sets of 50 people of a replicate, 50 times which
    is the share (less the square of the difference).
    """
    own, without = (table[table["method"] == one].set_index(KEYS) for one in (method, "none"))
    shared = own.index.intersection(without.index)
    difference = read_sets(own.loc[shared]) - read_sets(without.loc[shared])
    if difference.shape[1] < 2:
        return NAN
    return float(SET_SIZE * difference.var(axis=1, ddof=1).mean() + np.mean(difference.mean(axis=1) ** 2))


def _compare(own: pd.DataFrame, without: pd.DataFrame) -> dict[str, object]:
    shared = own.index.intersection(without.index)
    if not len(shared):
        return {}
    own, without = own.loc[shared], without.loc[shared]
    gain = own["fd_accuracy"] - without["fd_accuracy"]
    mean, low, high = average_seeds(gain)
    return {
        "gain": mean,
        "gain_low": low,
        "gain_high": high,
        "gain_sd": gain.std(ddof=1),
        "gain_above": float((gain > 0).mean()),
        "gain_50_sd": _spread(read_sets(own) - read_sets(without)),
    }


def _spread(values: Float64[np.ndarray, "n_rows n_sets"]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else NAN


def _correlate(first: pd.Series, second: pd.Series) -> float:
    """Return Spearman's correlation; NaN where one does not vary or there are fewer than three."""
    if len(first) < 3 or first.nunique() < 2 or second.nunique() < 2:
        return NAN
    return float(stats.spearmanr(first, second).statistic)
