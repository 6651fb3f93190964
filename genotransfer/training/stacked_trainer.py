"""The fast trainer: whole runs inside TensorFlow programs, many networks side by side.

It takes the same steps as Keras's ``fit`` from the same weights over the same batches. What it
leaves out is what ``fit`` spends on each network: tracing, and Python between epochs.

- A program is traced once for each architecture and width bucket, and serves a whole study.
- Networks of which the first layer is frozen do not depend on the panel's width: all depths of all
  panels train side by side on a model axis.
- Whole networks lie side by side on a GPU, as many as the memory budget holds. On a CPU they are
  trained one after another: their multiplications fill it.
- Samples that the budget does not hold stay int8 on the host and are fed in blocks.
- Convolutional networks are trained one after another, as graphs, one program for each depth and all
  widths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32

from genotransfer.models.initial_weights import draw_weights
from genotransfer.models.networks import CNN, count_trainable_depths, find_network
from genotransfer.training.blocks import train_in_blocks
from genotransfer.training.convolution import ConvolutionalModel, open_convolutional
from genotransfer.training.devices import choose_memory_budget, has_gpu, limit_threads
from genotransfer.training.forward import ForwardRunner
from genotransfer.training.jobs import (
    CURVE_COLUMNS,
    TrainedNetwork,
    TrainingJob,
    TrainingSettings,
    Weights,
    check_job,
)
from genotransfer.training.opened import OpenedModel, close_network, open_network
from genotransfer.training.programs import Batches, Program, Run
from genotransfer.training.stacks import (
    Prepared,
    arrange_batches,
    count_feature_bytes,
    estimate_bytes,
    group_jobs,
    split_group,
)
from genotransfer.training.widths import BUCKETS, find_width, resize_weights

MOST_IN_STACK = 128


class StackedTrainer:
    """The fast trainer; it keeps its programs from one call to the next.

    Parameters
    ----------
    buckets : widths that programs are traced for, ascending: see `choose_buckets`.
    compiled : whether XLA compiles the programs. None does so on a GPU only: on a CPU, XLA takes
        four times as long to compile as TensorFlow to trace, for runs that are no shorter.
    stack_whole : whether whole networks lie side by side. None does so on a GPU only: on a CPU the
        multiplications of one fill it, and a stack runs until its last network stops.

    Attributes
    ----------
    n_passes : how often a program was run.
    """

    def __init__(
        self,
        buckets: Sequence[int] = BUCKETS,
        *,
        compiled: bool | None = None,
        stack_whole: bool | None = None,
    ) -> None:
        self.n_passes = 0
        self._buckets = tuple(buckets)
        self._compiled, self._stack_whole = compiled, stack_whole
        self._shapes: dict[tuple[Any, ...], Shape] = {}
        self._frozen: tuple[tuple[Any, ...], tuple[np.ndarray, np.ndarray]] | None = None
        self._forward = ForwardRunner()

    def train_networks(
        self,
        jobs: Iterable[TrainingJob],
        settings: TrainingSettings,
        progress: Callable[[TrainedNetwork], Any] | None = None,
    ) -> Iterator[TrainedNetwork]:
        """Yield one trained network for each job, stack by stack.

        Adam on the sparse categorical cross-entropy of the logits; training stops `patience`
        epochs after the lowest loss on VD, whose weights are kept. The jobs are read to the end
        before the first of them is trained.

        Raises
        ------
        StudyError
            A job has no samples, an unknown network, or more trainable layers than there are.
        """
        limit_threads(settings.threads)
        on_gpu = has_gpu()
        compiled = on_gpu if self._compiled is None else self._compiled
        stack_whole = on_gpu if self._stack_whole is None else self._stack_whole
        budget = choose_memory_budget(settings.memory_gib)
        buckets = self._buckets if compiled else ()
        prepared = [self._prepare(job) for job in jobs]
        for group in group_jobs(prepared, buckets):
            first = self._freeze(prepared[group[0]], budget)
            size = estimate_bytes(first)
            convolutional = find_network(first.job.network).family == CNN
            # Steps of a window are loops, which gain nothing from a stack; nor do convolutions.
            alone = convolutional or first.job.window is not None
            alone |= first.is_whole and (not stack_whole or size > budget)
            # Of each width XLA would compile them anew, and rows that fill up would enter the statistics.
            shape = self._find_shape(
                first, settings, stacked=not alone, compiled=compiled and not convolutional
            )
            for positions in split_group(group, 1 if alone else min(budget // size, MOST_IN_STACK)):
                stack = (
                    first if position == group[0] else self._freeze(prepared[position], budget)
                    for position in positions
                )
                yield from self._train_stack(
                    list(stack), shape, settings, budget if alone else None, progress
                )

    def _train_stack(
        self,
        stack: list[Prepared],
        shape: Shape,
        settings: TrainingSettings,
        budget: int | None,
        progress: Callable[[TrainedNetwork], Any] | None,
    ) -> Iterator[TrainedNetwork]:
        """Yield the networks of one stack.

        Parameters
        ----------
        budget : bytes, beyond which the samples of the one network are fed in blocks; None for a stack.
        """
        self.n_passes += 1
        if budget is not None and stack[0].features is None and estimate_bytes(stack[0]) > budget:
            runs = [train_in_blocks(shape, stack[0], settings, budget)]
        else:
            runs = shape.train(stack)
        for one, run in zip(stack, runs, strict=True):
            trained = _finish(one, run, shape.restore_weights(one, run.weights))
            if progress is not None:
                progress(trained)
            yield trained

    def _prepare(self, job: TrainingJob) -> Prepared:
        depth = check_job(job)
        weights = job.initial_weights
        if weights is None:
            weights = draw_weights(job.network, job.train.dosages.shape[1], window=job.window, seed=job.seed)
        one = Prepared(job, depth, weights)
        if one.is_whole or find_network(job.network).family == CNN:
            return one
        return replace(one, features=self._run_first(job, weights))

    def _freeze(self, one: Prepared, budget: int) -> Prepared:
        """Return a job with what the highest frozen layer of its CNN puts out, unless that fills the memory.

        Convolutions put out more than they read, so it is done when the job's turn comes, and not for all
        jobs before the first.
        """
        job = one.job
        convolutional = find_network(job.network).family == CNN
        if not convolutional or one.is_whole or count_feature_bytes(one) > budget:
            return one
        return replace(one, features=self._run_layer(job, one.weights, one.depth + 1))

    def _run_first(self, job: TrainingJob, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
        """Return what the first layer puts out on TD and on VD."""
        # Jobs of one source model at successive depths share their frozen outputs.
        asked = (weights, job.train, job.validation, job.standardiser)
        if self._frozen is None or any(a is not b for a, b in zip(self._frozen[0], asked, strict=True)):
            self._frozen = (asked, self._run_layer(job, weights, None))
        return self._frozen[1]

    def _run_layer(
        self, job: TrainingJob, weights: Weights, from_top: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a layer puts out on TD and on VD: the first, or one counted from the top."""
        train, validation = (
            self._forward.run_layers(
                job.network,
                weights,
                job.standardiser.transform(split.dosages),
                window=job.window,
                last=from_top,
            )[0]
            for split in (job.train, job.validation)
        )
        return train, validation

    def _find_shape(
        self, one: Prepared, settings: TrainingSettings, *, stacked: bool, compiled: bool
    ) -> Shape:
        job = one.job
        # Only the number of time steps of a window depends on the number of variants.
        width = job.train.dosages.shape[1] if job.window is not None else None
        frozen = one.depth if find_network(job.network).family == CNN else one.is_whole
        key = (job.network, job.window, width, frozen, one.features is None, settings, stacked, compiled)
        if key not in self._shapes:
            buckets = self._buckets if compiled else ()
            self._shapes[key] = Shape(one, settings, buckets, stacked=stacked, compiled=compiled)
        return self._shapes[key]


class Shape:
    """A program, and how the networks of its shape are put into it.

    Parameters
    ----------
    buckets : widths that networks are padded to; none where any width does.
    """

    def __init__(
        self,
        one: Prepared,
        settings: TrainingSettings,
        buckets: Sequence[int],
        *,
        stacked: bool,
        compiled: bool,
    ) -> None:
        network, window = one.job.network, one.job.window
        opened: OpenedModel | ConvolutionalModel
        if find_network(network).family == CNN:
            if one.features is None:
                frozen = count_trainable_depths(network) - one.depth
                opened = open_convolutional(network, None, settings.precision, frozen)
            else:
                opened = open_convolutional(network, one.depth, settings.precision)
        elif one.is_whole and window is None:
            opened = open_network(network)
        else:
            n_variants = one.job.train.dosages.shape[1] if window is not None else 1
            n_layers = count_trainable_depths(network) - (0 if one.is_whole else 1)
            opened = close_network(network, n_variants, n_layers, window)
        if isinstance(opened, OpenedModel):
            opened.compute_in(settings.precision)
        self._settings, self._buckets, self._compiled = settings, buckets, compiled
        self._opened, self._arrays = opened, opened.layer_sizes
        self.program = Program(
            opened, settings, stacked=stacked, dosages=one.features is None, compiled=compiled
        )

    def choose_width(self, one: Prepared) -> int:
        """Return the width at which the program takes a network."""
        n_variants = int(one.job.train.dosages.shape[1])
        if not self._buckets:
            return n_variants
        return find_width(one.job.network, n_variants, one.job.window, self._buckets)

    def draw_seeds(self, one: Prepared) -> np.ndarray:
        """Return the seeds of the dropout layers that the program holds."""
        return self._opened.draw_seeds(one.job.seed)

    def train(self, stack: list[Prepared]) -> list[Run]:
        """Train networks side by side, or the one there is."""
        batches = [
            arrange_batches(
                one, self._settings, self.choose_width(one), self.draw_seeds(one), fill=self._compiled
            )
            for one in stack
        ]
        weights = [self.take_weights(one) for one in stack]
        factors = np.stack([self.choose_factors(one) for one in stack])
        if not self.program.stacked:
            return [self.program.train(weights, factors, batches[0])]
        run = self.program.train(weights, factors, Batches.stack(batches))
        return [
            Run([array[at] for array in run.weights], run.curves[:, at], run.best[at], run.stopped[at])
            for at in range(len(stack))
        ]

    def take_weights(self, one: Prepared) -> Weights:
        """Return the first weights of the layers that the program holds, at the width of the bucket."""
        weights = one.weights
        if one.is_whole:
            weights = resize_weights(one.job.network, weights, self.choose_width(one), one.job.window)
        return self._opened.narrow(weights)

    def restore_weights(self, one: Prepared, trained: Weights) -> Weights:
        """Return all weights of a network, those of frozen layers as they were given."""
        weights = self._opened.restore(trained, one.weights)
        kept = len(weights) - sum(self._arrays[-one.depth :])
        return [*one.weights[:kept], *weights[kept:]]

    def choose_factors(self, one: Prepared) -> Float32[np.ndarray, " n_arrays"]:
        """Return 1 for each array that is trained, 0 for each that is frozen."""
        frozen = len(self._arrays) - one.depth
        layers = np.repeat(np.arange(len(self._arrays)), self._arrays)
        return (layers >= frozen).astype(np.float32)


def _finish(one: Prepared, run: Run, weights: Weights) -> TrainedNetwork:
    job = one.job
    n_variants = job.train.dosages.shape[1]
    stopped = int(run.stopped)
    curve = pd.DataFrame(run.curves[:stopped].astype(np.float64), columns=CURVE_COLUMNS[1:])
    curve.insert(0, "epoch", np.arange(1, stopped + 1, dtype=np.int32))
    return TrainedNetwork(
        job.key,
        job.network,
        n_variants,
        job.window,
        weights,
        curve,
        best_epoch=int(run.best),
        stopped_epoch=stopped,
    )
