"""Learning rates: a schedule between epochs, and less of it where the loss on VD no longer falls.

The rate of an epoch is the schedule's, multiplied by the plateau's factor as often as there was one. It
is what Keras's ``LearningRateScheduler`` and ``ReduceLROnPlateau`` make together, if the scheduler
multiplies the rate there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32

from genotransfer.training.jobs import TrainingSettings

# The loss counts as lower when it is so by more than this, as in Keras.
LEAST_CHANGE = 1e-4


def list_rates(settings: TrainingSettings) -> Float32[np.ndarray, " epochs"]:
    """Return the schedule's learning rate of each epoch."""
    epochs = np.arange(settings.epochs)
    if settings.schedule == "exponential":
        share = settings.decay**epochs
    elif settings.schedule == "cosine":
        share = 0.5 * (1 + np.cos(np.pi * epochs / settings.epochs))
    else:
        share = np.ones(settings.epochs)
    return (settings.learning_rate * share).astype(np.float32)


@dataclass
class RateKeeper:
    """The learning rate of one run, epoch by epoch, on the host."""

    settings: TrainingSettings
    factor: float = 1.0
    _lowest: float | None = field(default=None, init=False)
    _wait: int = field(default=0, init=False)
    _rates: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._rates = list_rates(self.settings)

    def find_rate(self, epoch: int) -> float:
        """Return the rate of an epoch, from 1."""
        return float(np.float32(self._rates[epoch - 1] * np.float32(self.factor)))

    def hear(self, val_loss: float) -> None:
        """Take in an epoch's loss on VD."""
        if self.settings.plateau_factor is None:
            return
        if self._lowest is None or val_loss < self._lowest - LEAST_CHANGE:
            self._lowest, self._wait = val_loss, 0
            return
        self._wait += 1
        if self._wait >= self.settings.plateau_patience:
            self.factor *= self.settings.plateau_factor
            self._wait = 0


@dataclass(frozen=True)
class Plateau:
    """Where a run, or each of a stack, stands between reductions, in a traced program.

    Attributes
    ----------
    factor, lowest : float32 (), or (n_models,); the rate is multiplied by the former.
    wait : int32, epochs since the loss was lower.
    """

    factor: Any
    lowest: Any
    wait: Any

    @property
    def values(self) -> tuple[Any, ...]:
        """The state as a loop carries it."""
        return self.factor, self.lowest, self.wait

    @classmethod
    def start(cls, like: Any) -> Plateau:
        """Return the state before the first epoch, in the shape of `like`."""
        import tensorflow as tf

        ones = tf.ones_like(like, tf.float32)
        return cls(ones, ones * np.float32(np.inf), tf.zeros_like(like, tf.int32))

    def hear(self, settings: TrainingSettings, epoch: Any, val_loss: Any) -> Plateau:
        """Return the state after an epoch, counted from 0: `RateKeeper.hear`, traced."""
        import tensorflow as tf

        if settings.plateau_factor is None:
            return self
        lower = (val_loss < self.lowest - LEAST_CHANGE) | tf.equal(epoch, 0)
        wait = tf.where(lower, 0, self.wait + 1)
        due = wait >= settings.plateau_patience
        return Plateau(
            tf.where(due, self.factor * settings.plateau_factor, self.factor),
            tf.where(lower, val_loss, self.lowest),
            tf.where(due, 0, wait),
        )
