"""Gathering: the runs of one study with many seeds, as one table of what each method reached.

One row a seed, phenotype and method, with the method ``deep`` beside the others: the candidate the
selection rule puts first among all deep methods, as in the paper's Tables 7 to 9. Besides the accuracy
on all of FD a row holds the right answers in disjoint sets of 50 people of FD, the paper's size.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.candidates import CHOSEN, DEEP_METHODS, RESULT_METHODS, Candidate
from genotransfer.errors import InputError, StudyError
from genotransfer.evaluation import predict_cases
from genotransfer.formats.files import replace_together
from genotransfer.report import published
from genotransfer.report.gains import choose_deep
from genotransfer.selection import split_digits

SET_SIZE = published.N_FD
DEEP = "deep"
GATHERED_METHODS = (*RESULT_METHODS, DEEP)
# Those whose ED accuracy is the one they were chosen by, on the people of ED alone.
PAPER_METHODS = ("none", "snp_transfer", *DEEP_METHODS)
COLUMNS = [
    "seed",
    "phenotype",
    "n_risk_snps",
    "method",
    "panel",
    "n_snps",
    "model",
    "n_candidates",
    "n_tied",
    "n_ed",
    "mean_ed",
    "ed_accuracy",
    "n_fd",
    "fd_accuracy",
    "oracle_accuracy",
    "ceiling",
    "right_of_50",
]


@dataclass(frozen=True)
class RunTables:
    """What one run left: its results, the predictions on FD, and the table of all candidates.

    ``n_ed`` is the number of people of ED.
    """

    results: pd.DataFrame
    predictions: pd.DataFrame
    leaderboard: pd.DataFrame
    n_ed: int


def gather_runs(runs: Mapping[int, RunTables]) -> pd.DataFrame:
    """Put runs of one study together.

    Parameters
    ----------
    runs : tables of each run, by seed.

    Returns
    -------
    `COLUMNS`, in the order of seeds, phenotypes and methods; accuracies 0 to 1. ``n_candidates`` and
    ``mean_ed`` are the number of the method's candidates and their mean accuracy on ED;
    ``right_of_50`` holds the right answers in each set of 50 people, the first 50 of FD first,
    separated by blanks. Simulated people have no order, so that the first 50 are any 50.

    Raises
    ------
    StudyError
        There is no run, or the predictions of one are not those of its results.
    """
    if not runs:
        raise StudyError("There are no runs to gather. Run the study with at least one seed.")
    rows = [row for seed in sorted(runs) for row in _list_rows(seed, runs[seed])]
    return pd.DataFrame(rows, columns=COLUMNS)


def gather_predictions(runs: Mapping[int, RunTables]) -> pd.DataFrame:
    """Return all predictions on FD with their seed: seed, phenotype, method, IID, label, score."""
    parts = [runs[seed].predictions.assign(seed=seed) for seed in sorted(runs)]
    names = ["seed", "phenotype", "method", "IID", "label", "score"]
    return pd.concat(parts, ignore_index=True)[names]


def write_replicates(path: str | Path, table: pd.DataFrame) -> None:
    """Write what `gather_runs` made as CSV, fractions with six decimals."""
    with replace_together(path) as [temporary]:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")


def read_replicates(path: str | Path) -> pd.DataFrame:
    """Read what `write_replicates` wrote.

    Raises
    ------
    InputError
        The file is absent or lacks a column.
    """
    remedy = "Name a table that genotransfer replicate has gathered"
    try:
        table = pd.read_csv(path, dtype={"phenotype": str, "right_of_50": str}, keep_default_na=True)
    except (OSError, ValueError) as error:
        raise InputError(f"the table cannot be read ({error})", file=path, remedy=remedy) from error
    absent = [name for name in COLUMNS if name not in table]
    if absent:
        raise InputError(f"the table lacks the column {absent[0]}", file=path, remedy=remedy)
    return table.fillna({"right_of_50": ""})


def read_sets(rows: pd.DataFrame) -> Float64[np.ndarray, "n_rows n_sets"]:
    """Return accuracies on the sets of 50 people, 0 to 1: a row for each of `rows`.

    There is no set where FD is smaller than 50.

    Raises
    ------
    StudyError
        The rows have different numbers of sets.
    """
    counts = [[int(one) for one in text.split()] for text in rows["right_of_50"]]
    widths = sorted({len(one) for one in counts})
    if len(widths) > 1:
        raise StudyError(
            f"The replicates hold {' and '.join(map(str, widths))} sets of {SET_SIZE} people. Run all "
            "seeds with one splits.final."
        )
    return np.array(counts, dtype=np.float64).reshape(len(counts), -1) / SET_SIZE


def _list_rows(seed: int, run: RunTables) -> list[dict[str, object]]:
    board = _complete(run.leaderboard)
    deep = choose_deep(run.results, board)
    behind = {str(row["phenotype"]): str(row["method"]) for _, row in deep.iterrows()}
    results = pd.concat([run.results, deep.assign(method=DEEP)], ignore_index=True)
    rows = []
    for phenotype in sorted(set(results["phenotype"].astype(str)), key=split_digits):
        mine = results[results["phenotype"] == phenotype]
        for method in GATHERED_METHODS:
            competing = {DEEP: DEEP_METHODS, CHOSEN: RESULT_METHODS}.get(method, (method,))
            candidates = board[(board["phenotype"] == phenotype) & board["method"].isin(competing)]
            for _, row in mine[mine["method"] == method].iterrows():
                right = _answer(run.predictions, phenotype, behind[phenotype] if method == DEEP else method)
                if not len(right) or abs(right.mean() - row["fd_accuracy"]) > 1e-9:
                    raise StudyError(
                        f"Seed {seed}, {phenotype}, {method}: the predictions are not those of the results, "
                        f"which are right for {row['fd_accuracy']:.4f} of FD. Gather files of one run."
                    )
                best = np.round(candidates["ed_accuracy"], 9) == round(float(row["ed_accuracy"]), 9)
                sets = right[: len(right) // SET_SIZE * SET_SIZE].reshape(-1, SET_SIZE).sum(axis=1)
                rows.append(
                    {name: row[name] for name in COLUMNS if name in row}
                    | {
                        "seed": seed,
                        "n_risk_snps": _count_risk(row["n_risk_snps"]),
                        "n_candidates": len(candidates),
                        "n_tied": int(best.sum()),
                        "n_ed": run.n_ed,
                        "mean_ed": float(candidates["ed_accuracy"].mean()),
                        "n_fd": len(right),
                        "right_of_50": " ".join(str(one) for one in sets),
                    }
                )
    return rows


def _complete(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Return a leaderboard with the columns that runs of an earlier version lack, at their defaults."""
    fields = Candidate.__dataclass_fields__.values()
    absent = {
        one.name: one.default
        for one in fields
        if one.name not in leaderboard and one.default is not dataclasses.MISSING
    }
    return leaderboard.assign(**absent)


def _answer(predictions: pd.DataFrame, phenotype: str, method: str) -> np.ndarray:
    """Say for whom of FD, in the order of the file, a method's chosen model is right."""
    own = predictions[(predictions["phenotype"] == phenotype) & (predictions["method"] == method)]
    return np.asarray(predict_cases(own["score"].to_numpy(dtype=np.float64)) == (own["label"] == 1))


def _count_risk(number: float | int) -> int:
    return 0 if np.isnan(number) else int(number)
