"""Adapt networks of the source to the target by minimax entropy, one after another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int32

from genotransfer.models.networks import find_network
from genotransfer.models.standardise import Standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import CURVE_COLUMNS, TrainingSettings, Weights
from genotransfer.training.minimax import MinimaxProgram, MinimaxRule, cut_logits

# People without a label in a step, in labelled people of one population: as published.
UNLABELLED_SHARE = 2
# One for each network, and with a window one for each width besides.
MOST_PROGRAMS = 32


@dataclass(frozen=True, eq=False)
class AdaptationJob:
    """One network to adapt.

    Attributes
    ----------
    network, window : as `build_network` takes them.
    weights : of the network trained on the source, in the order of Keras's ``get_weights``.
    source, target, validation : the source's TD, the target's TD, and its VD for early stopping.
    unlabelled : int8 (n_people, n_variants), people of the target; -1 missing.
    standardiser : of the dosages, fitted to the source's TD.
    seed : of the order of the batches.
    """

    network: str
    window: int | None
    weights: Weights = field(repr=False)
    source: LabelledSamples = field(repr=False)
    target: LabelledSamples = field(repr=False)
    validation: LabelledSamples = field(repr=False)
    unlabelled: Int8[np.ndarray, "n_people n_variants"] = field(repr=False)
    standardiser: Standardiser = field(repr=False)
    seed: int


@dataclass(frozen=True, eq=False)
class AdaptedNetwork:
    """An adapted network.

    Attributes
    ----------
    weights : of the hidden layers, in the order of ``get_weights``, and the classifier's kernel, float32
        (n_features, 2), whose columns have the length 1 / temperature.
    curve : one row an epoch, in `CURVE_COLUMNS`; the loss is the cross-entropy alone.
    """

    weights: Weights = field(repr=False)
    curve: pd.DataFrame = field(repr=False)


class MinimaxTrainer:
    """Adapts networks; it keeps one traced program for each, whatever the panel's width.

    Parameters
    ----------
    settings : of all runs. Steps are float32, and networks are adapted one after another.
    rule : constants of the method.
    """

    def __init__(self, settings: TrainingSettings, rule: MinimaxRule | None = None) -> None:
        self._settings, self._rule = settings, rule or MinimaxRule()
        self._programs: dict[tuple[Any, ...], MinimaxProgram] = {}

    def train(self, job: AdaptationJob) -> AdaptedNetwork:
        """Adapt a network, stopped early by the loss on the target's VD, whose best epoch is kept.

        An epoch is as many steps as one reading of the source's TD takes. Each step reads as many
        people of the target's TD as of the source's, again and again, and twice as many without a label.
        """
        program = self._find(job.network, job.unlabelled.shape[1], job.window)
        settings, size = self._settings, self._settings.batch_size
        generator = np.random.Generator(np.random.PCG64(job.seed))
        n_steps = -(-len(job.source.labels) // size)
        groups = (
            (job.source.dosages, size),
            (job.target.dosages, size),
            (job.unlabelled, UNLABELLED_SHARE * size),
        )
        order = [draw_batches(len(rows), n, (settings.epochs, n_steps), generator) for rows, n in groups]
        data = program.take(job.source, job.target, job.unlabelled, job.validation, job.standardiser)
        program.load(job.weights)
        best_weights: Weights = []
        rows: list[tuple[float, ...]] = []
        lowest, best = np.inf, 0
        for epoch in range(1, settings.epochs + 1):
            step = (epoch - 1) * n_steps
            measured = program.run_epoch(*data, *(one[epoch - 1] for one in order), step)
            rows.append((epoch, *np.asarray(measured).tolist()))
            val_loss = rows[-1][3]
            if val_loss < lowest or not best:
                # The first epoch counts even when its loss is not a number, as in Keras.
                lowest, best = (val_loss if val_loss < lowest else lowest), epoch
                best_weights = program.read()
            elif epoch - best >= settings.patience:
                break
        *hidden, kernel = best_weights
        length = np.maximum(np.linalg.norm(kernel, axis=0), np.finfo(np.float32).tiny)
        final = (kernel / length / self._rule.temperature).astype(np.float32)
        curve = pd.DataFrame(rows, columns=CURVE_COLUMNS).astype({"epoch": np.int32})
        return AdaptedNetwork([*program.opened.restore(hidden, job.weights[:-2]), final], curve)

    def _find(self, network: str, n_variants: int, window: int | None) -> MinimaxProgram:
        # An ANN has no time steps, and takes no notice of a window.
        window = window if find_network(network).recurrent else None
        key = (network, window, None if window is None else n_variants)
        if key not in self._programs:
            self._programs[key] = MinimaxProgram(
                cut_logits(network, n_variants, window), self._settings.learning_rate, self._rule
            )
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
        return self._programs[key]


def draw_batches(
    n: int, size: int, shape: tuple[int, int], generator: np.random.Generator
) -> Int32[np.ndarray, "epochs n_steps size"]:
    """Return rows of batches, all of one size, n at most: permutations of all rows, one after another."""
    size = min(size, n)
    total = shape[0] * shape[1] * size
    rows = np.concatenate([generator.permutation(n) for _ in range(-(-total // n))])
    return rows[:total].reshape(*shape, size).astype(np.int32)
