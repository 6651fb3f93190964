"""What a trainer of neural networks is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float32, Int32

from genotransfer.errors import StudyError
from genotransfer.models.networks import count_trainable_depths
from genotransfer.models.standardise import Standardiser
from genotransfer.splits import LabelledSamples

if TYPE_CHECKING:
    import keras

Weights = list[Float32[np.ndarray, "..."]]
CURVE_COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]


@dataclass(frozen=True)
class TrainingSettings:
    """How networks are trained.

    Attributes
    ----------
    epochs : the most passes over TD.
    batch_size : samples a step; the last step of an epoch takes what is left.
    learning_rate : of Adam; of the first epoch where there is a schedule.
    schedule : ``none``; ``exponential``, times `decay` from each epoch to the next; ``cosine``, half a
        wave that would end at 0 after the last epoch.
    decay : of the exponential schedule.
    plateau_factor : of the learning rate where the loss on VD has not been lower for
        `plateau_patience` epochs, each time that many more have passed; None for no such reduction.
    plateau_patience : epochs without a loss on VD that is lower by more than 1e-4.
    patience : epochs without a lower loss on VD after which training stops.
    threads : threads TensorFlow may use, None for its own choice. With 1, as many processes as
        there are cores run side by side. It holds for the process, from its first training on.
    memory_gib : GiB that networks trained side by side, and their samples, may fill; None for a
        share of what the GPU or the machine has.
    precision : ``float32``, or ``mixed_bfloat16``: layers compute in bfloat16, on weights that stay
        float32. The plain Keras trainer knows float32 only.
    """

    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 1e-3
    schedule: str = "none"
    decay: float = 0.95
    plateau_factor: float | None = None
    plateau_patience: int = 3
    patience: int = 10
    threads: int | None = None
    memory_gib: float | None = None
    precision: str = "float32"


@dataclass(frozen=True)
class TrainingJob:
    """One network to train.

    Attributes
    ----------
    key : name of the job, unique within a call.
    network : key of the network, e.g. ``gru_1``.
    train, validation : TD, and VD for early stopping.
    standardiser : of the dosages, fitted to the source's TD.
    seed : of the order of the batches, of what is dropped, and of the first weights where none are given.
    initial_weights : in the order of Keras's ``get_weights``; None draws them from the seed.
    trainable_layers : layers to train, counted from the top; None for all. The others are as at prediction:
        they drop nothing, and normalise by the statistics they have.
    window : variants a time step of a recurrent network reads; None for one step.
    allow_many_steps : train even when there are more than 700 time steps.
    """

    key: str
    network: str
    train: LabelledSamples
    validation: LabelledSamples
    standardiser: Standardiser
    seed: int
    initial_weights: Weights | None = None
    trainable_layers: int | None = None
    window: int | None = None
    allow_many_steps: bool = False


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network.

    Attributes
    ----------
    key, network, window : those of the job.
    n_variants : width of the input.
    weights : those of the best epoch, in the order of Keras's ``get_weights``. Arrays of frozen
        layers are the job's own, not copies.
    curve : one row an epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy.
    best_epoch : the epoch of the lowest loss on VD, from 1.
    stopped_epoch : the last epoch that was run, from 1.
    """

    key: str
    network: str
    n_variants: int
    window: int | None
    weights: Weights = field(repr=False)
    curve: pd.DataFrame = field(repr=False)
    best_epoch: int
    stopped_epoch: int

    @property
    def best_loss(self) -> float:
        """The loss on VD of the best epoch."""
        return float(self.curve["val_loss"].iloc[self.best_epoch - 1])

    @cached_property
    def model(self) -> keras.Model:
        """The Keras model: standardised dosages to probabilities of control and case."""
        return restore_model(self.network, self.n_variants, self.window, self.weights)


@runtime_checkable
class Trainer(Protocol):
    """Anything that trains networks: the plain Keras trainer, or a faster one equal to it."""

    def train_networks(
        self,
        jobs: Iterable[TrainingJob],
        settings: TrainingSettings,
        progress: Callable[[TrainedNetwork], Any] | None = None,
    ) -> Iterator[TrainedNetwork]:
        """Yield one trained network for each job; `progress` hears each when it is done.

        Networks may come in another order than the jobs; the keys tell them apart.
        """
        ...


def restore_model(network: str, n_variants: int, window: int | None, weights: Weights) -> keras.Model:
    """Return a Keras model with the given weights."""
    from genotransfer.models.networks import build_network

    model = build_network(network, n_variants, window=window, seed=0, allow_many_steps=True)
    model.set_weights(weights)
    return model


def batch_order(
    n_samples: int, batch_size: int, epochs: int, seed: int
) -> Int32[np.ndarray, "epochs n_batches batch_size"]:
    """Return the samples of each batch of each epoch; -1 fills up the last batch of an epoch.

    Every epoch is a fresh permutation of the samples. Any trainer that takes these batches in
    this order makes the same steps.
    """
    n_batches = -(-n_samples // batch_size)
    generator = np.random.Generator(np.random.PCG64(seed))
    order = np.full((epochs, n_batches * batch_size), -1, dtype=np.int32)
    for epoch in range(epochs):
        order[epoch, :n_samples] = generator.permutation(n_samples)
    return order.reshape(epochs, n_batches, batch_size)


def check_job(job: TrainingJob) -> int:
    """Return the number of layers to train, after checking that the job can be done.

    Raises
    ------
    StudyError
        It has no samples, an unknown network, or more trainable layers than there are.
    """
    for name, split in (("training", job.train), ("validation", job.validation)):
        if not len(split.labels):
            raise StudyError(f"Job {job.key} has no {name} samples. Give its split at least one sample.")
    depths = count_trainable_depths(job.network)
    depth = depths if job.trainable_layers is None else job.trainable_layers
    if not 1 <= depth <= depths:
        raise StudyError(
            f"Job {job.key} asks to train {depth} layers of {job.network}, which has {depths}. "
            f"Choose from 1 to {depths}."
        )
    return depth
