"""Run networks forward, many of them through few compiled programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.models.networks import build_network, count_trainable_depths, cut_top, weighted_layers
from genotransfer.training.jobs import Weights
from genotransfer.training.widths import BUCKETS, choose_width, resize_weights, widen_inputs

# The nine networks need at most 74 shapes. TensorFlow gives little memory back of those let go.
MOST_PROGRAMS = 128


class ForwardRunner:
    """Outputs of every layer of a network, for many networks one after another.

    It keeps one Keras model and one traced function for each shape, and sets weights into it.

    Parameters
    ----------
    buckets : widths that functions are traced for, ascending: see `choose_buckets`.
    """

    def __init__(self, buckets: Sequence[int] = BUCKETS) -> None:
        self._buckets = buckets
        self._programs: OrderedDict[tuple[Any, ...], tuple[Any, Any]] = OrderedDict()

    def run_layers(
        self,
        network: str,
        weights: Weights,
        values: Float32[np.ndarray, "n_samples n_variants"],
        *,
        window: int | None = None,
    ) -> list[Float32[np.ndarray, "n_samples ..."]]:
        """Return the output of every weighted layer, bottom to top; the last is the logits.

        Parameters
        ----------
        network : key of the network.
        weights : in the order of Keras's ``get_weights``.
        values : standardised dosages.
        """
        width = choose_width(values.shape[1], window, self._buckets)
        model, run = self._prepare(network, count_trainable_depths(network), width, window)
        model.set_weights(resize_weights(network, weights, width, window))
        return [output.numpy() for output in run(widen_inputs(values, width))]

    def run_top(
        self,
        network: str,
        weights: Weights,
        first: Float32[np.ndarray, "n_samples ..."],
        *,
        n_variants: int,
        window: int | None = None,
    ) -> Float32[np.ndarray, "n_samples 2"]:
        """Return the logits from the output of the first weighted layer."""
        width = choose_width(n_variants, window, self._buckets)
        model, run = self._prepare(network, count_trainable_depths(network) - 1, width, window)
        model.set_weights(weights[-len(model.weights) :])
        return np.asarray(run(first)[-1].numpy())

    def _prepare(self, network: str, depth: int, width: int, window: int | None) -> tuple[Any, Any]:
        # Below the full depth nothing depends on the width, but the number of steps does on the window.
        full = depth == count_trainable_depths(network)
        key = (network, depth, width if full or window is not None else None, window)
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        self._programs[key] = prepared = _make_program(network, depth, width, window)
        if len(self._programs) > MOST_PROGRAMS:
            self._programs.popitem(last=False)
        return prepared


def _make_program(network: str, depth: int, width: int, window: int | None) -> tuple[Any, Any]:
    import keras
    import tensorflow as tf

    whole = build_network(network, width, window=window, seed=0, allow_many_steps=True)
    top = cut_top(whole, depth)
    # Calling shared layers on a new input gives them a second node; the model reads its own.
    outputs = [top.output]
    if depth == len(weighted_layers(whole)):
        outputs = [layer.output for layer in weighted_layers(whole)]
    model = keras.Model(top.input, outputs)

    def run(values: Any) -> Any:
        return [tf.convert_to_tensor(one) for one in tf.nest.flatten(model(values, training=False))]

    signature = tf.TensorSpec((None, *top.inputs[0].shape[1:]), tf.float32)
    return model, tf.function(run, input_signature=[signature], autograph=False)


def score_logits(logits: Float32[np.ndarray, "n_samples 2"]) -> Float64[np.ndarray, " n_samples"]:
    """Return the probability of being a case, from the logits of control and case."""
    difference = logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64)
    # The logistic of the difference is the softmax; written so that it cannot overflow.
    small = np.exp(-np.abs(difference))
    return np.where(difference > 0, 1 / (1 + small), small / (1 + small))
