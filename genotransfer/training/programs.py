"""A TensorFlow program that trains networks of one shape for their whole run.

Epochs, batches, Adam and early stopping are loops and masks inside one `tf.function`; the forward
pass is the real Keras layers, called through ``stateless_call``. A program trains one network, or
a stack of them side by side on a model axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

from genotransfer.training.jobs import TrainingSettings, Weights
from genotransfer.training.opened import OpenedModel

# Adam's constants, as in Keras.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


@dataclass(frozen=True, eq=False)
class Batches:
    """The samples of one network; of a stack, with ``n_models`` as the first axis of every array.

    Attributes
    ----------
    train, validation : int8 dosages (n_samples, width), -1 missing; or float32 (n_samples, ...),
        what the layer below the trained ones puts out.
    train_labels, validation_labels : int32 (n_samples,).
    validation_counts : float32 (n_samples,); 1 for a sample, 0 for a row that only fills up.
    mean, sd : float32 (width,) of the dosages; not read where `train` is no dosages.
    order : int32 (n_steps, batch_size), the batches of all epochs one after another; -1 fills up.
    n_batches : of an epoch, the same for all networks of a stack.
    """

    train: np.ndarray
    train_labels: np.ndarray
    validation: np.ndarray
    validation_labels: np.ndarray
    validation_counts: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    order: np.ndarray
    n_batches: int

    @classmethod
    def stack(cls, batches: list[Batches]) -> Batches:
        """Put the samples of several networks, of equal shapes, side by side."""
        arrays = [name.name for name in fields(cls) if name.name != "n_batches"]
        stacked = {name: np.stack([getattr(one, name) for one in batches]) for name in arrays}
        return cls(**stacked, n_batches=batches[0].n_batches)


@dataclass(frozen=True, eq=False)
class Run:
    """What a program made of its networks; without a model axis, `n_models` is left out.

    Attributes
    ----------
    weights : of the best epoch, in the order of ``get_weights``, each (n_models, ...).
    curves : (epochs, n_models, 4): loss, accuracy, val_loss, val_accuracy; 0 after the last epoch.
    best : (n_models,), the best epoch, from 1.
    stopped : (n_models,), the last epoch, from 1.
    """

    weights: Weights
    curves: Float32[np.ndarray, "epochs ... 4"]
    best: Int32[np.ndarray, ...]
    stopped: Int32[np.ndarray, ...]


class Program:
    """Trains networks of one shape; traced once, run for as many networks as there are.

    Parameters
    ----------
    opened : from dosages, or from a hidden layer, to the logits. Its own weights are not used.
    stacked : whether networks lie side by side on a model axis.
    dosages : whether the input is int8 dosages, which are standardised here.
    compiled : whether XLA compiles the program; else TensorFlow runs it as a graph.
    settings : of all runs.
    """

    def __init__(
        self, opened: OpenedModel, settings: TrainingSettings, *, stacked: bool, dosages: bool, compiled: bool
    ) -> None:
        import tensorflow as tf

        self._opened, self._settings = opened, settings
        model = opened.model
        self._constants = [variable.numpy() for variable in model.non_trainable_variables]
        self.stacked, self._dosages, self._compiled = stacked, dosages, compiled
        self._weights, self._momenta, self._squares, self._best = (
            [make_variable(shape, stacked) for shape in opened.shapes] for _ in range(4)
        )
        axis = (None,) if stacked else ()
        shape = (None,) if opened.identities else model.inputs[0].shape[1:]
        inputs = tf.TensorSpec((*axis, None, *shape), tf.int8 if dosages else tf.float32)
        labels, floats = tf.TensorSpec((*axis, None), tf.int32), tf.TensorSpec((*axis, None), tf.float32)
        order, whole = tf.TensorSpec((*axis, None, None), tf.int32), tf.TensorSpec((), tf.int32)
        factors = tf.TensorSpec((len(self._weights), *axis), tf.float32)
        scale = [floats, floats]

        def trace(function: Callable[..., Any], *signature: Any) -> Any:
            # A partial is its own: TensorFlow counts traces, and would warn of those of other programs.
            return tf.function(
                partial(function), input_signature=signature, jit_compile=compiled, autograph=False
            )

        self._run = trace(
            self._trace_run, inputs, labels, inputs, labels, floats, *scale, order, whole, factors
        )
        self.run_block = trace(self._trace_block, inputs, labels, *scale, order, whole, factors)
        self.measure_block = trace(self._trace_measure, inputs, labels, floats, *scale)
        self.keep_weights = trace(lambda: self._keep(self._read(), tf.constant(True)))

    def train(
        self, weights: list[Weights], factors: Float32[np.ndarray, "n_models n_arrays"], batches: Batches
    ) -> Run:
        """Train networks from the given weights to the end of their run.

        Parameters
        ----------
        weights : of each network.
        factors : 1 for an array that is trained, 0 for one that is frozen.
        batches : their samples, stacked where the program is.
        """
        self.load(weights)
        values = [getattr(batches, one.name) for one in fields(batches)]
        curves, best, stopped = self._run(*values, self.arrange_factors(factors))
        run = Run(self.read_best(), curves.numpy(), best.numpy(), stopped.numpy())
        if self.stacked:
            self.load([])
        return run

    def arrange_factors(self, factors: Float32[np.ndarray, "n_models n_arrays"]) -> Float32[np.ndarray, ...]:
        """Return factors with one row an array, as the traced functions take them."""
        return np.ascontiguousarray(factors.T) if self.stacked else factors[0]

    def load(self, weights: list[Weights]) -> None:
        """Set the weights of each network, and forget what Adam knew of earlier ones; [] frees a stack."""
        for position, variable in enumerate(self._weights):
            arrays = [one[position] for one in weights]
            if self.stacked:
                empty = [0 if size is None else size for size in variable.shape]
                first = np.stack(arrays) if arrays else np.zeros(empty, np.float32)
            else:
                first = arrays[0]
            zeros = np.zeros_like(first)
            variable.assign(first)
            for others in (self._momenta, self._squares, self._best):
                others[position].assign(zeros)

    def read_best(self) -> Weights:
        """Return the weights of the best epoch."""
        return [variable.numpy() for variable in self._best]

    def _trace_run(
        self,
        x: Any,
        y: Any,
        val_x: Any,
        val_y: Any,
        counts: Any,
        mean: Any,
        sd: Any,
        order: Any,
        n_batches: Any,
        factors: Any,
    ) -> Any:
        import tensorflow as tf

        epochs, patience = self._settings.epochs, self._settings.patience
        x, val_x = self._standardise(x, mean, sd), self._standardise(val_x, mean, sd)
        none = tf.zeros_like(y[..., 0])

        def run_epoch(epoch: Any, lowest: Any, best: Any, stopped: Any, curves: Any) -> Any:
            loss, right, n = self._run_batches(x, y, order, epoch * n_batches, n_batches, factors)
            with tf.control_dependencies([loss]):
                weights = self._read()
            val_loss, val_right, val_n = self._measure(weights, val_x, val_y, counts)
            row = tf.stack([loss / n, right / n, val_loss / val_n, val_right / val_n], axis=-1)
            lower, active = row[..., 2] < lowest, stopped == 0
            # The first epoch counts even when its loss is not a number, as in Keras.
            improved = active & (lower | (best == 0))
            self._keep(weights, improved)
            curves = tf.tensor_scatter_nd_update(curves, [[epoch]], [row])
            epoch += 1
            best = tf.where(improved, epoch, best)
            ended = active & ((epoch - best >= patience) | (epoch == epochs))
            lowest = tf.where(lower, row[..., 2], lowest)
            return epoch, lowest, best, tf.where(ended, epoch, stopped), curves

        _, _, best, stopped, curves = tf.while_loop(
            lambda epoch, lowest, best, stopped, curves: tf.reduce_any(stopped == 0),
            run_epoch,
            (
                tf.constant(0),
                tf.fill(tf.shape(none), np.float32(np.inf)),
                none,
                none,
                tf.zeros([epochs, *([tf.shape(none)[0]] if self.stacked else []), 4]),
            ),
            parallel_iterations=1,
        )
        return curves, best, stopped

    def _trace_block(self, x: Any, y: Any, mean: Any, sd: Any, order: Any, step: Any, factors: Any) -> Any:
        """Train on the batches of one block of samples; `step` counts those of the run before it."""
        import tensorflow as tf

        x = self._standardise(x, mean, sd)
        return self._run_batches(x, y, order, tf.constant(0), tf.shape(order)[-2], factors, step)

    def _trace_measure(self, x: Any, y: Any, counts: Any, mean: Any, sd: Any) -> Any:
        return self._measure(self._read(), self._standardise(x, mean, sd), y, counts)

    def _run_batches(
        self, x: Any, y: Any, order: Any, first: Any, n_batches: Any, factors: Any, step: Any = None
    ) -> Any:
        """Take `n_batches` steps; return the sum of the losses, of the right ones, and of the samples."""
        import tensorflow as tf

        start = first if step is None else step
        axis = 1 if self.stacked else 0

        def take_step(batch: Any, *sums: Any) -> Any:
            rows = tf.gather(order, first + batch, axis=axis)
            if not self.stacked and not self._compiled:
                # Fewer rows in the last batch of an epoch, not rows that count nothing.
                rows = tf.boolean_mask(rows, rows >= 0)
            counts = tf.cast(rows >= 0, tf.float32)
            rows = tf.maximum(rows, 0)
            taken = [tf.gather(values, rows, batch_dims=axis) for values in (x, y)]
            gradients, *measured = self._map(self._differentiate, (self._read(), *taken, counts))
            with tf.control_dependencies(measured):
                self._take_adam_step(gradients, start + batch + 1, factors)
            return batch + 1, *(total + one for total, one in zip(sums, measured, strict=True))

        none = tf.zeros_like(y[..., 0], tf.float32)
        return tf.while_loop(
            lambda batch, *sums: batch < n_batches,
            take_step,
            (tf.constant(0), none, none, none),
            parallel_iterations=1,
        )[1:]

    def _differentiate(self, weights: Any, x: Any, y: Any, counts: Any) -> Any:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss, right, n = self._score(weights, x, y, counts)
            mean = loss / n
        return tape.gradient(mean, weights), loss, right, n

    def _measure(self, weights: Any, x: Any, y: Any, counts: Any) -> Any:
        return self._map(self._score, (weights, x, y, counts))

    def _score(self, weights: Any, x: Any, y: Any, counts: Any) -> Any:
        import tensorflow as tf

        logits = self._opened.call(weights, self._constants, x)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.cast(logits, tf.float32))
        right = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == y, tf.float32)
        return tf.reduce_sum(losses * counts), tf.reduce_sum(right * counts), tf.reduce_sum(counts)

    def _take_adam_step(self, gradients: Any, step: Any, factors: Any) -> None:
        import tensorflow as tf

        powers = compute_powers(step)
        for position, gradient in enumerate(gradients):
            # A gradient of 0 from the first step on leaves a weight as it was, to the last bit.
            factor = factors[position]
            shape = tf.concat([tf.shape(factor), tf.ones(tf.rank(gradient) - tf.rank(factor), tf.int32)], 0)
            apply_adam(
                self._weights[position],
                self._momenta[position],
                self._squares[position],
                gradient * tf.reshape(factor, shape),
                powers,
                self._settings.learning_rate,
            )

    def _read(self) -> list[Any]:
        return [variable.read_value() for variable in self._weights]

    def _keep(self, weights: list[Any], improved: Any) -> None:
        """Make `weights` the best ones where they have improved."""
        import tensorflow as tf

        if not self.stacked:
            tf.cond(
                improved,
                lambda: tf.group([best.assign(one) for best, one in zip(self._best, weights, strict=True)]),
                tf.no_op,
            )
            return
        for best, one in zip(self._best, weights, strict=True):
            mask = tf.reshape(improved, [-1, *[1] * (len(one.shape) - 1)])
            best.assign(tf.where(mask, one, best))

    def _map(self, function: Callable[..., Any], values: tuple[Any, ...]) -> Any:
        """Call a function of one network, or of each network of the stack."""
        import tensorflow as tf

        if not self.stacked:
            return function(*values)
        return tf.vectorized_map(lambda one: function(*one), values, fallback_to_while_loop=False)

    def _standardise(self, x: Any, mean: Any, sd: Any) -> Any:
        return standardise_dosages(x, mean, sd) if self._dosages else x


def compute_powers(step: Any) -> list[Any]:
    """Return both of Adam's constants to the power of the step, which counts from 1."""
    import tensorflow as tf

    return [tf.pow(beta, tf.cast(step, tf.float32)) for beta in (BETA_1, BETA_2)]


def apply_adam(
    variable: Any, momentum: Any, square: Any, gradient: Any, powers: list[Any], rate: float
) -> None:
    """Take one of Adam's steps with a variable, in a traced function."""
    import tensorflow as tf

    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=momentum.handle,
        v=square.handle,
        beta1_power=powers[0],
        beta2_power=powers[1],
        lr=rate,
        beta1=BETA_1,
        beta2=BETA_2,
        epsilon=EPSILON,
        grad=gradient,
    )


def standardise_dosages(x: Any, mean: Any, sd: Any) -> Any:
    """Return int8 dosages (..., n_samples, n_variants) as `Standardiser.transform` does, float32."""
    import tensorflow as tf

    values = (tf.cast(x, tf.float32) - mean[..., None, :]) / sd[..., None, :]
    return tf.where(x < 0, 0.0, values)


def make_variable(shape: tuple[int | None, ...], stacked: bool = False) -> Any:
    """Return a variable of zeros that takes any size where the shape has None, and any number if stacked."""
    import tensorflow as tf

    shape = (None, *shape) if stacked else shape
    empty = np.zeros([0 if size is None else size for size in shape], np.float32)
    return tf.Variable(empty, shape=tf.TensorShape(shape), trainable=False)
