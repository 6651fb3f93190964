"""A TensorFlow program that trains networks of one shape for their whole run.

Epochs, batches, Adam, its learning rate and early stopping are loops and masks inside one
`tf.function`; the forward pass is the real Keras layers, called through ``stateless_call``, but for
convolutional networks. A program trains one network, or a stack of them side by side on a model axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

from genotransfer.training.adam import apply_adam, compute_powers, make_variable
from genotransfer.training.convolution import ConvolutionalModel
from genotransfer.training.jobs import TrainingSettings, Weights
from genotransfer.training.opened import OpenedModel
from genotransfer.training.rates import Plateau, list_rates

# Rows of VD that a convolutional network is measured on at a time.
LATE_ROWS = 64


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
    seeds : int32 (n_dropouts,), of the network's dropout layers.
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
    seeds: np.ndarray
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
        self,
        opened: OpenedModel | ConvolutionalModel,
        settings: TrainingSettings,
        *,
        stacked: bool,
        dosages: bool,
        compiled: bool,
    ) -> None:
        import tensorflow as tf

        self._opened, self._settings = opened, settings
        self.stacked, self._dosages, self._compiled = stacked, dosages, compiled
        # Convolutions take so long that a batch can be standardised when it is its turn, and so much
        # memory that VD is measured in parts.
        self._late = isinstance(opened, ConvolutionalModel)
        self._weights, self._best = (
            [make_variable(shape, stacked) for shape in opened.shapes] for _ in range(2)
        )
        # Moving statistics are kept with the weights, and moved by no gradient.
        self._learnt = opened.learnt
        self._momenta, self._squares = (
            [make_variable(opened.shapes[at], stacked) for at in self._learnt] for _ in range(2)
        )
        axis = (None,) if stacked else ()
        inputs = tf.TensorSpec((*axis, None, *opened.input_shape), tf.int8 if dosages else tf.float32)
        labels, floats = tf.TensorSpec((*axis, None), tf.int32), tf.TensorSpec((*axis, None), tf.float32)
        order, whole = tf.TensorSpec((*axis, None, None), tf.int32), tf.TensorSpec((), tf.int32)
        factors = tf.TensorSpec((len(self._weights), *axis), tf.float32)
        scale, rate = [floats, floats], tf.TensorSpec((), tf.float32)

        def trace(function: Callable[..., Any], *signature: Any) -> Any:
            # A partial is its own: TensorFlow counts traces, and would warn of those of other programs.
            return tf.function(
                partial(function), input_signature=signature, jit_compile=compiled, autograph=False
            )

        self._run = trace(
            self._trace_run, inputs, labels, inputs, labels, floats, *scale, order, labels, whole, factors
        )
        self.run_block = trace(self._trace_block, inputs, labels, *scale, order, labels, whole, rate, factors)
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
            self._best[position].assign(zeros)
            if position in self._learnt:
                for others in (self._momenta, self._squares):
                    others[self._learnt.index(position)].assign(zeros)

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
        seeds: Any,
        n_batches: Any,
        factors: Any,
    ) -> Any:
        import tensorflow as tf

        settings = self._settings
        epochs, patience = settings.epochs, settings.patience
        scale = (mean, sd)
        if not self._late:
            x, val_x = self._standardise(x, *scale), self._standardise(val_x, *scale)
        none = tf.zeros_like(y[..., 0])
        rates = tf.constant(list_rates(settings))

        def run_epoch(
            epoch: Any, lowest: Any, best: Any, stopped: Any, curves: Any, plateau: tuple[Any, ...]
        ) -> Any:
            state = Plateau(*plateau)
            rate = rates[epoch]
            if settings.plateau_factor is not None:
                rate *= state.factor
            loss, right, n = self._run_batches(
                x, y, scale, order, epoch * n_batches, n_batches, factors, seeds, rate
            )
            with tf.control_dependencies([loss]):
                weights = self._read()
            val_loss, val_right, val_n = self._measure(weights, val_x, val_y, counts, scale)
            row = tf.stack([loss / n, right / n, val_loss / val_n, val_right / val_n], axis=-1)
            lower, active = row[..., 2] < lowest, stopped == 0
            # The first epoch counts even when its loss is not a number, as in Keras.
            improved = active & (lower | (best == 0))
            self._keep(weights, improved)
            state = state.hear(settings, epoch, row[..., 2])
            curves = tf.tensor_scatter_nd_update(curves, [[epoch]], [row])
            epoch += 1
            best = tf.where(improved, epoch, best)
            ended = active & ((epoch - best >= patience) | (epoch == epochs))
            lowest = tf.where(lower, row[..., 2], lowest)
            return epoch, lowest, best, tf.where(ended, epoch, stopped), curves, state.values

        _, _, best, stopped, curves, _ = tf.while_loop(
            lambda epoch, lowest, best, stopped, curves, plateau: tf.reduce_any(stopped == 0),
            run_epoch,
            (
                tf.constant(0),
                tf.fill(tf.shape(none), np.float32(np.inf)),
                none,
                none,
                tf.zeros([epochs, *([tf.shape(none)[0]] if self.stacked else []), 4]),
                Plateau.start(none).values,
            ),
            parallel_iterations=1,
        )
        return curves, best, stopped

    def _trace_block(
        self,
        x: Any,
        y: Any,
        mean: Any,
        sd: Any,
        order: Any,
        seeds: Any,
        step: Any,
        rate: Any,
        factors: Any,
    ) -> Any:
        """Train on the batches of one block of samples; `step` counts those of the run before it."""
        import tensorflow as tf

        if not self._late:
            x = self._standardise(x, mean, sd)
        n_batches = tf.shape(order)[-2]
        scale, first = (mean, sd), tf.constant(0)
        return self._run_batches(x, y, scale, order, first, n_batches, factors, seeds, rate, step)

    def _trace_measure(self, x: Any, y: Any, counts: Any, mean: Any, sd: Any) -> Any:
        if not self._late:
            x = self._standardise(x, mean, sd)
        return self._measure(self._read(), x, y, counts, (mean, sd))

    def _run_batches(
        self,
        x: Any,
        y: Any,
        scale: tuple[Any, Any],
        order: Any,
        first: Any,
        n_batches: Any,
        factors: Any,
        seeds: Any,
        rate: Any,
        step: Any = None,
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
            if self._late:
                taken[0] = self._standardise(taken[0], *scale)
            differentiate = partial(self._differentiate, seeds=seeds, step=start + batch)
            gradients, moved, *measured = self._map(differentiate, (self._read(), *taken, counts))
            with tf.control_dependencies(measured):
                self._take_adam_step(gradients, start + batch + 1, factors, rate)
                for position, value in zip(self._opened.moving, moved, strict=True):
                    self._weights[position].assign(value)
            return batch + 1, *(total + one for total, one in zip(sums, measured, strict=True))

        none = tf.zeros_like(y[..., 0], tf.float32)
        return tf.while_loop(
            lambda batch, *sums: batch < n_batches,
            take_step,
            (tf.constant(0), none, none, none),
            parallel_iterations=1,
        )[1:]

    def _differentiate(
        self, weights: Any, x: Any, y: Any, counts: Any, *, seeds: Any, step: Any
    ) -> tuple[Any, ...]:
        """Return gradients, new moving statistics, and the sums of `_sum_up`."""
        import tensorflow as tf

        learnt = [weights[at] for at in self._learnt]
        with tf.GradientTape() as tape:
            tape.watch(learnt)
            logits, moved = self._opened.call_training(weights, x, seeds, step)
            loss, right, n = _sum_up(logits, y, counts)
            mean = loss / n
        return tape.gradient(mean, learnt), moved, loss, right, n

    def _measure(self, weights: Any, x: Any, y: Any, counts: Any, scale: tuple[Any, Any]) -> Any:
        import tensorflow as tf

        if not self._late:
            return self._map(self._score, (weights, x, y, counts))

        def measure_part(start: Any, *sums: Any) -> Any:
            part = slice(start, start + LATE_ROWS)
            values = self._standardise(x[part], *scale)
            found = self._score(weights, values, y[part], counts[part])
            return start + LATE_ROWS, *(total + one for total, one in zip(sums, found, strict=True))

        state = (tf.constant(0), *(tf.constant(0.0) for _ in range(3)))
        n = tf.shape(y)[0]
        return tf.while_loop(lambda start, *_: start < n, measure_part, state, parallel_iterations=1)[1:]

    def _score(self, weights: Any, x: Any, y: Any, counts: Any) -> Any:
        return _sum_up(self._opened.call(weights, x), y, counts)

    def _take_adam_step(self, gradients: Any, step: Any, factors: Any, rate: Any) -> None:
        import tensorflow as tf

        powers = compute_powers(step)
        for place, gradient in enumerate(gradients):
            position = self._learnt[place]
            if not self._late:  # else nothing that it holds is frozen
                # A gradient of 0 from the first step on leaves a weight as it was, to the last bit.
                factor = factors[position]
                ones = tf.ones(tf.rank(gradient) - tf.rank(factor), tf.int32)
                gradient *= tf.reshape(factor, tf.concat([tf.shape(factor), ones], 0))
            state = self._weights[position], self._momenta[place], self._squares[place]
            apply_adam(*state, gradient, powers, rate)

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


def _sum_up(logits: Any, y: Any, counts: Any) -> tuple[Any, Any, Any]:
    """Return the sum of the losses, of the right ones, and of the samples."""
    import tensorflow as tf

    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, tf.cast(logits, tf.float32))
    right = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == y, tf.float32)
    return tf.reduce_sum(losses * counts), tf.reduce_sum(right * counts), tf.reduce_sum(counts)


def standardise_dosages(x: Any, mean: Any, sd: Any) -> Any:
    """Return int8 dosages (..., n_samples, n_variants) as `Standardiser.transform` does, float32."""
    import tensorflow as tf

    values = (tf.cast(x, tf.float32) - mean[..., None, :]) / sd[..., None, :]
    return tf.where(x < 0, 0.0, values)
