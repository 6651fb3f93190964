"""Replicates: one study with many seeds, each in a folder of its own, gathered at the end.

A seed whose run has ended before is not run again, so that the command can be given again after it was
stopped, or with more seeds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from genotransfer.candidates import SCORES_METHOD
from genotransfer.config import Study
from genotransfer.errors import GenotransferError, StudyError
from genotransfer.formats.files import replace_together
from genotransfer.replication.gathering import RunTables, gather_predictions, gather_runs, write_replicates
from genotransfer.report.replicates import write_replication
from genotransfer.study_files import parse_study
from pipelines.local import TaskFailedError, run_study

GATHERED = "gathered"
# What does not change a result: two studies that differ in these alone are one.
INDIFFERENT = ("name", "seed", "tracking", "outputs", "cluster", "registry", "retraining")


@dataclass(frozen=True)
class Finished:
    """A finished run: its folder, and the one with its results and predictions on FD."""

    folder: Path
    results: Path


def parse_seeds(text: str) -> list[int]:
    """Return the seeds named by ``1-20``, ``3,7`` or ``1-4,9``, in ascending order.

    Raises
    ------
    StudyError
        The text names no seeds, or one of them twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or not (last if dash else first).isdecimal():
            raise StudyError(f"--seeds {text!r} names no seeds. Write 1-20, or 1,3,5-8.")
        named = range(int(first), int(last or first) + 1)
        if not named or set(named) & set(seeds):
            raise StudyError(
                f"--seeds {text!r}: {part.strip()!r} {'is named twice' if named else 'holds no seed'}. "
                "Write 1-20, or 1,3,5-8."
            )
        seeds += named
    return sorted(seeds)


def run_replicates(study: Study, seeds: Sequence[int], runs: Path, console: Console | None = None) -> Path:
    """Run a study with each seed, where it has not been, and gather all of them.

    Parameters
    ----------
    study : the study; its own seed is not used.
    seeds : the seeds.
    runs : folder of the replicates; that of seed 3 is ``seed-3``.
    console : where progress is shown; standard error when None.

    Returns
    -------
    The folder ``gathered``: replicates.csv, predictions.parquet, and the tables and figures of
    `genotransfer.report.replicates.write_replication`.

    Raises
    ------
    StudyError
        A seed's folder holds a finished run of another study.
    TaskFailedError
        A seed's run failed; the others have been run and gathered all the same.
    """
    console = console or Console(file=sys.stderr)
    # Before hours are spent: no folder may hold another study.
    found = {seed: find_finished(study, seed, runs) for seed in seeds}
    failures = {}
    for seed in seeds:
        if found[seed] is not None:
            console.print(f"seed {seed}: done before", highlight=False)
            continue
        console.print(f"seed {seed}", style="bold", highlight=False)
        try:
            run_study(study.model_copy(update={"seed": seed}), runs / f"seed-{seed}", console)
        except TaskFailedError as error:
            failures[seed] = error
            console.print(f"seed {seed}: {error}", style="red", highlight=False, markup=False)
            continue
        found[seed] = find_finished(study, seed, runs)
    finished = {seed: one for seed, one in found.items() if one is not None}
    folder = gather_folder(study, finished, runs / GATHERED) if finished else runs / GATHERED
    if failures:
        first = next(iter(failures))
        named = ", ".join(str(seed) for seed in failures)
        raise TaskFailedError(
            f"{len(failures)} of {len(seeds)} seeds failed ({named}). The first, {first}: {failures[first]}\n"
            "Give the command again when it is mended: seeds that are done are not run again.",
            users=all(error.users for error in failures.values()),
        )
    return folder


def find_finished(study: Study, seed: int, runs: Path) -> Finished | None:
    """Return the latest finished run of a seed, if there is one.

    Raises
    ------
    StudyError
        The seed's folder holds a finished run, but of other settings.
    """
    wanted = _take_settings(study)
    for folder in sorted((runs / f"seed-{seed}").glob("*-*"), reverse=True):
        results = list(folder.glob("artifacts/*/evaluate-final/results/results.parquet"))
        if not results or not (folder / "results.csv").is_file():
            continue
        held = parse_study((folder / "study.yaml").read_text())
        settings = _take_settings(held)
        differ = [name for name in wanted if wanted[name] != settings.get(name)]
        if differ or held.seed != seed:
            raise StudyError(
                f"{folder} holds a finished run of other settings ({', '.join(differ) or 'seed'}). Name "
                "another folder with --runs."
            )
        return Finished(folder, results[0].parent)
    return None


def gather_folder(study: Study, finished: dict[int, Finished], folder: Path) -> Path:
    """Write the table of all replicates, their predictions, and what they say; returns the folder."""
    runs = {
        seed: RunTables(
            results=pd.read_parquet(one.results / "results.parquet"),
            predictions=pd.read_parquet(one.results / "predictions.parquet"),
            leaderboard=pd.read_parquet(one.folder / "leaderboard.parquet"),
            n_ed=study.splits.target.ED,
        )
        for seed, one in finished.items()
    }
    table = gather_runs(runs)
    write_replicates(folder / "replicates.csv", table)
    with replace_together(folder / "predictions.parquet") as [path]:
        gather_predictions(runs).to_parquet(path, index=False)
    try:
        write_replication(folder, table)
    except GenotransferError as error:
        raise StudyError(f"The replicates are in {folder}, but cannot be summarised: {error}") from error
    return folder


def _take_settings(study: Study) -> dict[str, Any]:
    """Return the settings that decide a result."""
    settings: dict[str, Any] = json.loads(study.to_json())
    if SCORES_METHOD not in study.transfer.methods:
        # Not asked for; their defaults may be others in another version.
        settings["models"] = {
            name: value for name, value in settings["models"].items() if name not in ("scores", "folds")
        }
    return {name: value for name, value in settings.items() if name not in INDIFFERENT}
