"""Which jobs are trained side by side, and the arrays they are trained from."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32

from genotransfer.models.cnn import N_BLOCKS, list_pooled
from genotransfer.models.networks import CNN, count_trainable_depths, find_network, keeps_width
from genotransfer.training.jobs import TrainingJob, TrainingSettings, Weights, batch_order
from genotransfer.training.programs import Batches
from genotransfer.training.widths import find_width, widen_inputs

# XLA compiles anew for each number of rows, so rows are filled up to a multiple of these.
TRAIN_ROWS, VALIDATION_ROWS = 1024, 128

# A dosage as int8 and as float32, with the values TensorFlow holds while it standardises.
BYTES_A_DOSAGE = 5 * 3


@dataclass(frozen=True, eq=False)
class Prepared:
    """A job with all that its program needs, at the width of its bucket.

    Attributes
    ----------
    job : the job.
    depth : how many weighted layers are trained, from the top.
    weights : all first weights of the network, at its own width.
    features : what the first layer puts out for TD and VD, where it is frozen; else None. Of a convolutional
        network it is the highest frozen layer, not the first; None where that fills too much memory.
    """

    job: TrainingJob
    depth: int
    weights: Weights = field(repr=False)
    features: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether every layer is trained."""
        return self.depth == count_trainable_depths(self.job.network)


def arrange_batches(
    one: Prepared, settings: TrainingSettings, width: int, seeds: np.ndarray, *, fill: bool
) -> Batches:
    """Return the samples of a job as its program takes them.

    Parameters
    ----------
    width : of the bucket.
    seeds : of the network's dropout layers.
    fill : fill rows up to the multiples for which XLA has compiled.
    """
    job = one.job
    n_train, n_validation = len(job.train.labels), len(job.validation.labels)
    rows = _round_up(n_train, TRAIN_ROWS) if fill else n_train
    validation_rows = _round_up(n_validation, VALIDATION_ROWS) if fill else n_validation
    order = batch_order(n_train, settings.batch_size, settings.epochs, job.seed)
    n_batches = order.shape[1]
    steps = order.reshape(-1, settings.batch_size)
    if fill:
        steps = fill_rows(steps, settings.epochs * -(-rows // settings.batch_size), -1)
    if one.features is None:
        values = [widen_inputs(split.dosages, width) for split in (job.train, job.validation)]
        mean, sd = widen_scale(job, width)
    else:
        values = list(one.features)
        mean = sd = np.zeros(0, np.float32)
    return Batches(
        train=fill_rows(values[0], rows),
        train_labels=fill_rows(job.train.labels.astype(np.int32), rows),
        validation=fill_rows(values[1], validation_rows),
        validation_labels=fill_rows(job.validation.labels.astype(np.int32), validation_rows),
        validation_counts=fill_rows(np.ones(n_validation, np.float32), validation_rows),
        mean=mean,
        sd=sd,
        order=steps,
        seeds=seeds,
        n_batches=n_batches,
    )


def widen_scale(job: TrainingJob, width: int) -> tuple[Float32[np.ndarray, " w"], Float32[np.ndarray, " w"]]:
    """Return the mean and deviation of each column; those that only fill up have 0 and 1."""
    mean, sd = np.zeros(width, np.float32), np.ones(width, np.float32)
    mean[: len(job.standardiser.mean)] = job.standardiser.mean
    sd[: len(job.standardiser.sd)] = job.standardiser.sd
    return mean, sd


def fill_rows(values: np.ndarray, rows: int, filling: int = 0) -> np.ndarray:
    """Return an array with rows of `filling` added up to `rows`."""
    if len(values) == rows:
        return values
    filled = np.full((rows, *values.shape[1:]), filling, values.dtype)
    filled[: len(values)] = values
    return filled


def group_jobs(jobs: Sequence[Prepared], buckets: Sequence[int]) -> list[list[int]]:
    """Return the positions of jobs that can lie side by side in one stack, group by group.

    They share the network, the width at which it is trained, what is frozen, and the numbers of
    samples.

    Parameters
    ----------
    buckets : widths that networks are padded to; none where each keeps its own.
    """
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for position, one in enumerate(jobs):
        job = one.job
        width = job.train.dosages.shape[1]
        if buckets:
            width = find_width(job.network, width, job.window, buckets)
        fixed = keeps_width(job.network, job.window)
        samples = (len(job.train.labels), len(job.validation.labels))
        frozen = one.depth if fixed else one.is_whole
        key = (job.network, job.window, frozen, width if one.is_whole or fixed else None, samples)
        groups[key].append(position)
    return list(groups.values())


def split_group(group: list[int], most: int) -> Iterator[list[int]]:
    """Cut a group into stacks of at most `most`, as even as whole jobs allow."""
    n_stacks = -(-len(group) // max(most, 1))
    for part in np.array_split(np.array(group), n_stacks):
        yield part.tolist()


def estimate_bytes(one: Prepared) -> int:
    """Return about how many bytes a network and its samples take while it is trained."""
    job = one.job
    rows = len(job.train.labels) + len(job.validation.labels)
    if one.features is not None:
        return 5 * _count_bytes(one.weights) + _count_bytes(one.features)
    # Weights, two moments, the best ones and the gradient. A convolutional network's batches are
    # standardised one by one, and the whole stays int8.
    each = 1 if find_network(job.network).family == CNN else BYTES_A_DOSAGE
    return 5 * _count_bytes(one.weights) + each * rows * len(job.standardiser.mean)


def count_feature_bytes(one: Prepared) -> int:
    """Return how many bytes the outputs of the highest frozen layer take; 0 where that is little.

    A convolution puts out more than it reads. Where it does not fit, it is run again for each batch.
    """
    spec, n_frozen = find_network(one.job.network), count_trainable_depths(one.job.network) - one.depth
    if spec.family != CNN or n_frozen > N_BLOCKS:
        return 0
    rows = len(one.job.train.labels) + len(one.job.validation.labels)
    positions = list_pooled(spec.form, len(one.job.standardiser.mean))[n_frozen]
    return 4 * rows * spec.filters * math.prod(positions)


def _count_bytes(arrays: Iterable[np.ndarray]) -> int:
    return sum(array.nbytes for array in arrays)


def _round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple
