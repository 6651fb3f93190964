"""Fresh processes: chains of tasks, some side by side, with the memory of all of them together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from genotransfer.errors import GenotransferError

SLOTS = 2  # tasks KFP's local runner keeps going at once
SAMPLED_EVERY = 0.1  # seconds
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Task = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """What tasks gave back, chain by chain, and the most memory they held together at one time.

    Attributes
    ----------
    results : for each chain, for each of its tasks, what the task returned.
    peak_bytes : of resident memory, summed over the processes; None where there is no /proc.
    """

    results: list[list[dict[str, Any]]]
    peak_bytes: int | None


def run_chains(
    chains: Sequence[Sequence[Task]], *, slots: int = SLOTS, environment: dict[str, str] | None = None
) -> Finished:
    """Run chains of tasks, each task in a fresh process, `slots` chains at a time.

    A chain's tasks follow one another; chains are taken up in order, as KFP's local runner takes up
    the turns of a loop.

    Parameters
    ----------
    chains : tasks for `benchmarks.worker`.
    environment : variables added to this process's own.
    """
    variables = {"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ | (environment or {})
    with tempfile.TemporaryDirectory() as folder, _MemorySampler() as memory:

        def run_chain(at: int) -> list[dict[str, Any]]:
            stems = [Path(folder) / f"{at}-{number}" for number in range(len(chains[at]))]
            return [
                _run_task(task, stem, variables, memory) for task, stem in zip(chains[at], stems, strict=True)
            ]

        with ThreadPoolExecutor(slots) as pool:
            results = list(pool.map(run_chain, range(len(chains))))
    return Finished(results, memory.peak_bytes)


def _run_task(task: Task, stem: Path, variables: dict[str, str], memory: _MemorySampler) -> dict[str, Any]:
    given, back = stem.with_suffix(".task.json"), stem.with_suffix(".result.json")
    given.write_text(json.dumps(task))
    command = [sys.executable, "-m", "benchmarks.worker", str(given), str(back)]
    with stem.with_suffix(".log").open("w+") as log:
        process = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        memory.watch(process.pid)
        try:
            status = process.wait()
        finally:
            process.kill()
            memory.forget(process.pid)
        if status:
            log.seek(0)
            raise GenotransferError(f"Task {task['task']} ended with status {status}:\n{log.read()[-3000:]}")
    return dict(json.loads(back.read_text()))


class _MemorySampler:
    """The most resident memory some processes hold together, by looking often."""

    def __init__(self) -> None:
        self.peak_bytes: int | None = None
        self._pids: set[int] = set()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_often, daemon=True)

    def __enter__(self) -> _MemorySampler:
        if Path("/proc/self/statm").exists():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()

    def watch(self, pid: int) -> None:
        with self._lock:
            self._pids.add(pid)

    def forget(self, pid: int) -> None:
        with self._lock:
            self._pids.discard(pid)

    def _look_often(self) -> None:
        while not self._done.wait(SAMPLED_EVERY):
            with self._lock:
                pids = tuple(self._pids)
            self.peak_bytes = max(self.peak_bytes or 0, sum(map(_read_resident, pids)))


def _read_resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):  # it has just ended
        return 0


def find_makespan(seconds: dict[str, float], order: Sequence[str], slots: int = SLOTS) -> float:
    """Return how long chains take when each free slot takes up the next chain of the order."""
    free = [0.0] * slots
    for name in order:
        free.sort()
        free[0] += seconds[name]
    return max(free)


def find_best_order(seconds: dict[str, float], slots: int = SLOTS) -> tuple[str, ...]:
    """Return the order in which chains take the least time together."""
    return min(permutations(seconds), key=lambda order: find_makespan(seconds, order, slots))
