"""Train a network on more samples than fit the memory budget: int8 on the host, fed in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int8, Int32

from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import TrainingSettings, batch_order
from genotransfer.training.programs import Program, Run
from genotransfer.training.rates import RateKeeper
from genotransfer.training.stacks import BYTES_A_DOSAGE, Prepared, widen_scale
from genotransfer.training.widths import widen_inputs

if TYPE_CHECKING:
    from genotransfer.training.stacked_trainer import Shape

MOST_BATCHES = 32


def train_in_blocks(shape: Shape, one: Prepared, settings: TrainingSettings, budget: int) -> Run:
    """Train a whole network on blocks of its batches: the same steps as with all samples at hand.

    The next block is taken from the host's array while the program works on the one before it.

    Parameters
    ----------
    shape : of the network, with a program that is not stacked.
    budget : bytes that blocks may fill.
    """
    job, program, width = one.job, shape.program, shape.choose_width(one)
    size = settings.batch_size
    n_batches = int(np.clip(budget // (BYTES_A_DOSAGE * width * size * 2), 1, MOST_BATCHES))
    scale = widen_scale(job, width)
    factors = program.arrange_factors(shape.choose_factors(one)[None])
    order = batch_order(len(job.train.labels), size, settings.epochs, job.seed)
    seeds, keeper = shape.draw_seeds(one), RateKeeper(settings)
    program.load([shape.take_weights(one)])
    curve = np.zeros((settings.epochs, 4), np.float32)
    lowest, best, step = np.inf, 0, 0
    for epoch in range(1, settings.epochs + 1):
        sums, rate = np.zeros(3), keeper.find_rate(epoch)
        for block, labels, batches in _take_blocks(job.train, order[epoch - 1], n_batches, width):
            found = program.run_block(block, labels, *scale, batches, seeds, step, rate, factors)
            sums += np.array([float(total) for total in found])
            step += len(batches)
        curve[epoch - 1, :2] = sums[:2] / sums[2]
        curve[epoch - 1, 2:] = _measure(program, job.validation, scale, n_batches * size, width)
        val_loss = float(curve[epoch - 1, 2])
        keeper.hear(val_loss)
        if val_loss < lowest or not best:
            lowest, best = min(val_loss, lowest), epoch
            program.keep_weights()
        elif epoch - best >= settings.patience:
            break
    return Run(program.read_best(), curve, np.array(best, np.int32), np.array(epoch, np.int32))


def _take_blocks(
    samples: LabelledSamples, order: Int32[np.ndarray, "n_batches batch_size"], n_batches: int, width: int
) -> Iterator[tuple[Int8[np.ndarray, "n width"], Int32[np.ndarray, " n"], Int32[np.ndarray, "b batch_size"]]]:
    """Yield the dosages and labels of successive batches, and the batches as rows of these."""

    def take(batches: Int32[np.ndarray, "b batch_size"]) -> tuple[Any, Any, Any]:
        rows = batches[batches >= 0]
        places = np.full(batches.shape, -1, np.int32)
        places[batches >= 0] = np.arange(len(rows), dtype=np.int32)
        return widen_inputs(samples.dosages[rows], width), samples.labels[rows].astype(np.int32), places

    parts = [order[start : start + n_batches] for start in range(0, len(order), n_batches)]
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(take, parts[0])
        for following in [*parts[1:], None]:
            taken = coming.result()
            if following is not None:
                coming = pool.submit(take, following)
            yield taken


def _measure(
    program: Program, samples: LabelledSamples, scale: tuple[Any, Any], n_rows: int, width: int
) -> Any:
    """Return mean loss and accuracy of the present weights."""
    sums = np.zeros(3)
    for start in range(0, len(samples.labels), n_rows):
        part = slice(start, start + n_rows)
        labels = samples.labels[part].astype(np.int32)
        counts = np.ones(len(labels), np.float32)
        found = program.measure_block(widen_inputs(samples.dosages[part], width), labels, counts, *scale)
        sums += np.array([float(total) for total in found])
    return sums[:2] / sums[2]
