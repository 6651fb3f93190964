"""Run networks forward, many of them through few compiled programs."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.models.networks import count_trainable_depths, weighted_layers
from genotransfer.training.jobs import Weights
from genotransfer.training.opened import close_network, open_network

# Two for each network, and with a window two for each width besides.
MOST_PROGRAMS = 128


class ForwardRunner:
    """Outputs of every layer of a network, for many networks one after another.

    It keeps one Keras model and one traced function for each shape, and gives it the weights.
    """

    def __init__(self) -> None:
        self._programs: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

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
        width = None if window is None else values.shape[1]
        run = self._prepare(network, count_trainable_depths(network), width, window)
        return [output.numpy() for output in run(values, weights)]

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
        width = None if window is None else n_variants
        run = self._prepare(network, count_trainable_depths(network) - 1, width, window)
        return np.asarray(run(first, weights)[-1].numpy())

    def _prepare(self, network: str, depth: int, width: int | None, window: int | None) -> Any:
        key = (network, depth, width, window)
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        self._programs[key] = run = _make_program(network, depth, width, window)
        if len(self._programs) > MOST_PROGRAMS:
            self._programs.popitem(last=False)
        return run


def _make_program(network: str, depth: int, width: int | None, window: int | None) -> Any:
    import keras
    import tensorflow as tf

    if width is None and depth == count_trainable_depths(network):
        opened = open_network(network)
    else:
        opened = close_network(network, width or 1, depth, window)
    model = opened.model
    outputs = [model.output]
    if depth == count_trainable_depths(network):
        outputs = [layer.output for layer in weighted_layers(model)]
    every = replace(opened, model=keras.Model(model.input, outputs))
    constants = [variable.numpy() for variable in model.non_trainable_variables]

    def run(values: Any, weights: Any) -> Any:
        return tf.nest.flatten(every.call(weights, constants, values))

    shape = (None,) if opened.identities else model.inputs[0].shape[1:]
    signature = [
        tf.TensorSpec((None, *shape), tf.float32),
        [tf.TensorSpec(one, tf.float32) for one in opened.shapes],
    ]
    # A partial is its own: TensorFlow counts traces, and would warn of those of other programs.
    traced = tf.function(partial(run), input_signature=signature, autograph=False)
    return lambda values, weights: traced(values, weights[-len(opened.shapes) :])


def score_logits(logits: Float32[np.ndarray, "n_samples 2"]) -> Float64[np.ndarray, " n_samples"]:
    """Return the probability of being a case, from the logits of control and case."""
    difference = logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64)
    # The logistic of the difference is the softmax; written so that it cannot overflow.
    small = np.exp(-np.abs(difference))
    return np.where(difference > 0, 1 / (1 + small), small / (1 + small))
