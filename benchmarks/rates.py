"""The machine's rates of matrix multiplication, alone and of the shapes the networks consist of."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import Any

from benchmarks.processes import ONE_THREAD, SLOTS, run_chains

SQUARE = 2048
SECONDS = 2.0  # of each shape
BATCH = 32
# Panels near the paper's widest and middle ones; the units of ann_2 and of an LSTM's four gates.
THIN = [(6600, 80), (6600, 200), (1000, 80), (1000, 200)]


def read_rates() -> dict[str, Any]:
    """Measure float32 multiplication in GF/s a core, with one process of one thread on each core.

    The seconds are those of the CPU, so that a busy machine tells what a quiet one would.

    Returns
    -------
    cores; square: of 2048 x 2048 by 2048 x 2048; thin: for each width P and units H, forward
    (32 x P by P x H) and back (P x 32 by 32 x H).
    """
    cores = min(SLOTS, os.cpu_count() or 1)
    finished = run_chains([[{"task": "measure_rates"}]] * cores, slots=cores, environment=ONE_THREAD)
    results = [result for [result] in finished.results]
    thin = {
        shape: {way: _mean([one["thin"][shape][way] for one in results]) for way in ("forward", "back")}
        for shape in results[0]["thin"]
    }
    return {"cores": cores, "square": _mean([one["square"] for one in results]), "thin": thin}


def measure_rates() -> dict[str, Any]:
    """Measure the rates of one process: a task of `benchmarks.worker`."""
    thin = {
        f"{width} x {units}": {
            "forward": _measure(BATCH, width, units),
            "back": _measure(width, BATCH, units),
        }
        for width, units in THIN
    }
    return {"square": _measure(SQUARE, SQUARE, SQUARE), "thin": thin}


def _measure(rows: int, inner: int, columns: int) -> float:
    """Return the median rate, in GF/s, of products that fill some seconds."""
    # Imported here: the process's threads are set by its environment.
    import numpy as np

    generator = np.random.default_rng(0)
    left = generator.random((rows, inner), dtype=np.float32)
    right = generator.random((inner, columns), dtype=np.float32)
    out = np.empty((rows, columns), dtype=np.float32)
    flops = 2 * rows * inner * columns
    repeats = max(1, round(1e9 / flops))  # of which one timing consists: some tens of milliseconds
    rates, until = [], time.perf_counter() + SECONDS
    while time.perf_counter() < until or len(rates) < 3:
        began = time.process_time()
        for _ in range(repeats):
            np.matmul(left, right, out=out)
        rates.append(repeats * flops / (time.process_time() - began) / 1e9)
    return median(rates)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
