"""A whole study through the command line, and where its time goes, from the run's events."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import SLOTS
from genotransfer.errors import GenotransferError
from genotransfer.events import read_events

TRAINING_TASKS = ("train_source_models", "transfer_models")


@dataclass(frozen=True)
class Interval:
    """A task at work: from its ``began`` to its ``ended``, in seconds since the epoch."""

    task: str
    began: float
    ended: float


@dataclass(frozen=True)
class EndToEnd:
    """Where the time of a run went.

    Attributes
    ----------
    wall_seconds : from the command to its end.
    by_task : seconds inside each kind of task, summed.
    training_share : of the wall, with a task of networks at work.
    none_share : of the wall, with no task at work.
    overhead_share : of the slots' time (`SLOTS` times the wall), outside any task: processes that
        start, import and end, the orchestration, and slots that stand idle.
    """

    wall_seconds: float
    by_task: dict[str, float]
    training_share: float
    none_share: float
    overhead_share: float


def run_command(study: str, overrides: Iterable[str], runs: Path) -> EndToEnd:
    """Run a study by `genotransfer run` in a process of its own, and measure it.

    Raises
    ------
    GenotransferError
        The run failed; the message is its own.
    """
    given = [part for override in overrides for part in ("--set", override)]
    command = [sys.executable, "-m", "pipelines.cli", "run", study, "--runs", str(runs), *given]
    # A run of its own must not log to the caller's server.
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    began = time.perf_counter()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        raise GenotransferError(f"genotransfer run {study} failed:\n{done.stderr[-3000:]}")
    events, _ = read_events(runs / "latest" / "events.jsonl")
    return divide_time(find_intervals(events), wall)


def find_intervals(events: Iterable[dict[str, Any]]) -> list[Interval]:
    """Return the stretches in which tasks were at work."""
    began, intervals = {}, []
    for event in events:
        key = (event["task"], event["item"])
        if event["event"] == "began":
            began[key] = event["time"]
        elif event["event"] == "ended":
            intervals.append(Interval(event["task"], began.pop(key), event["time"]))
    return intervals


def divide_time(intervals: list[Interval], wall: float, slots: int = SLOTS) -> EndToEnd:
    """Divide the time of a run.

    Parameters
    ----------
    wall : seconds of the whole command.
    slots : tasks that can be at work at one time.
    """
    by_task: dict[str, float] = {}
    for one in intervals:
        by_task[one.task] = by_task.get(one.task, 0.0) + one.ended - one.began
    training = [one for one in intervals if one.task in TRAINING_TASKS]
    return EndToEnd(
        wall_seconds=wall,
        by_task=by_task,
        training_share=measure_union(training) / wall,
        none_share=1 - measure_union(intervals) / wall,
        overhead_share=1 - sum(by_task.values()) / (slots * wall),
    )


def measure_union(intervals: Iterable[Interval]) -> float:
    """Return the seconds in which at least one of the intervals runs."""
    total, until = 0.0, float("-inf")
    for one in sorted(intervals, key=lambda one: one.began):
        total += max(0.0, one.ended - max(one.began, until))
        until = max(until, one.ended)
    return total
