"""Run networks forward, many of them through few compiled programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.models.networks import CNN, count_trainable_depths, find_network, list_trainable
from genotransfer.training.convolution import ConvolutionalModel, open_convolutional
from genotransfer.training.jobs import Weights
from genotransfer.training.opened import OpenedModel, close_network, open_network

# Two for each network, and with a window two for each width besides.
MOST_PROGRAMS = 128
# People at a time of a convolutional network, for the memory its layers take.
ROWS_OF_CONVOLUTIONS = 128


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
        last: int | None = None,
    ) -> list[Float32[np.ndarray, "n_samples ..."]]:
        """Return the output of every trainable layer, bottom to top; the last is the logits.

        Parameters
        ----------
        network : key of the network.
        weights : in the order of Keras's ``get_weights``.
        values : standardised dosages.
        last : return only so many, the top ones; the outputs of convolutions are large.
        """
        width = None if window is None else values.shape[1]
        depth = count_trainable_depths(network)
        run = self._prepare(network, depth, width, window, last or depth)
        return list(run(values, weights))

    def run_top(
        self,
        network: str,
        weights: Weights,
        first: Float32[np.ndarray, "n_samples ..."],
        *,
        n_variants: int,
        window: int | None = None,
    ) -> Float32[np.ndarray, "n_samples 2"]:
        """Return the logits from the output of the first trainable layer."""
        width = None if window is None else n_variants
        run = self._prepare(network, count_trainable_depths(network) - 1, width, window, 1)
        return np.asarray(run(first, weights)[-1])

    def _prepare(self, network: str, depth: int, width: int | None, window: int | None, last: int) -> Any:
        key = (network, depth, width, window, last)
        if key in self._programs:
            self._programs.move_to_end(key)
            return self._programs[key]
        self._programs[key] = run = _make_program(network, depth, width, window, last)
        if len(self._programs) > MOST_PROGRAMS:
            self._programs.popitem(last=False)
        return run


def _make_program(network: str, depth: int, width: int | None, window: int | None, last: int) -> Any:
    import keras
    import tensorflow as tf

    opened: OpenedModel | ConvolutionalModel
    convolutional = find_network(network).family == CNN
    cut = depth < count_trainable_depths(network)
    if convolutional:
        opened = open_convolutional(network, depth)
        call_layers: Callable[..., Any] = opened.call_layers
    else:
        opened = close_network(network, width or 1, depth, window) if width or cut else open_network(network)
        outputs = [opened.model.output]
        if not cut:
            outputs = [one.last.output for one in list_trainable(opened.model)[-last:]]
        call_layers = replace(opened, model=keras.Model(opened.model.input, outputs)).call

    def run(values: Any, weights: Any) -> Any:
        return tf.nest.flatten(call_layers(weights, values))[-last:]

    signature = [
        tf.TensorSpec((None, *opened.input_shape), tf.float32),
        [tf.TensorSpec(one, tf.float32) for one in opened.shapes],
    ]
    # A partial is its own: TensorFlow counts traces, and would warn of those of other programs.
    traced = tf.function(partial(run), input_signature=signature, autograph=False)
    most = ROWS_OF_CONVOLUTIONS if convolutional else None

    def run_rows(values: np.ndarray, weights: Weights) -> list[np.ndarray]:
        narrowed = opened.narrow(weights)
        size = most or max(len(values), 1)
        starts = range(0, max(len(values), 1), size)
        parts = [traced(values[start : start + size], narrowed) for start in starts]
        return [
            one[0].numpy() if len(one) == 1 else np.concatenate([part.numpy() for part in one])
            for one in zip(*parts, strict=True)
        ]

    return run_rows


def score_logits(logits: Float32[np.ndarray, "n_samples 2"]) -> Float64[np.ndarray, " n_samples"]:
    """Return the probability of being a case, from the logits of control and case."""
    difference = logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64)
    # The logistic of the difference is the softmax; written so that it cannot overflow.
    small = np.exp(-np.abs(difference))
    return np.where(difference > 0, 1 / (1 + small), small / (1 + small))
