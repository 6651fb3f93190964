"""Networks opened at their first layer, so that one traced program serves every width.

The first layer multiplies the dosages by its kernels before it does anything else. Here that
product is taken out of the network: the program multiplies, by kernels with any number of rows,
and hands the products to the real Keras layer, whose own kernels are then the identity. A product
with the identity is exact, so nothing else changes.

An LSTM that reads one time step multiplies its forget gate by the state it starts from, which is 0:
that quarter of its first kernel has a gradient of exactly 0 and no part in what it puts out. These
columns are left out of the products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genotransfer.models.networks import (
    build_network,
    count_trainable_depths,
    cut_top,
    find_network,
    weighted_layers,
)
from genotransfer.training.jobs import Weights
from genotransfer.training.widths import find_first_kernels


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A Keras model whose first kernels are given to it as products.

    Attributes
    ----------
    model : from the products, or from dosages or a hidden layer where nothing is opened.
    identities : float32 arrays that stand for the first kernels, by their place among the
        weights; empty where nothing is opened.
    columns : of each of these kernels, the columns that are multiplied.
    constants : variables of the layers that are not trained.
    """

    model: Any
    identities: dict[int, np.ndarray] = field(default_factory=dict)
    columns: dict[int, np.ndarray] = field(default_factory=dict)
    constants: list[np.ndarray] = field(init=False, repr=False)

    def narrow(self, weights: Weights) -> Weights:
        """Return weights as `call` takes them, from those of the whole network."""
        narrowed = weights[-len(self.model.trainable_variables) :]
        for place, columns in self.columns.items():
            narrowed[place] = np.ascontiguousarray(narrowed[place][:, columns])
        return narrowed

    def restore(self, narrowed: Weights, first: Weights) -> Weights:
        """Return whole weights: those that `call` takes, in their places among the first ones."""
        weights = [*first[: len(first) - len(narrowed)], *narrowed]
        for place, columns in self.columns.items():
            weights[place] = first[place].copy()
            weights[place][:, columns] = narrowed[place][: len(first[place])]
        return weights

    def compute_in(self, precision: str) -> None:
        """Let the layers compute in a Keras dtype policy, e.g. ``mixed_bfloat16``."""
        import keras

        for layer in _list_layers(self.model.layers):
            layer.dtype_policy = keras.DTypePolicy(precision)

    def __post_init__(self) -> None:
        # Read now: within a traced function variables have no values.
        constants = [variable.numpy() for variable in self.model.non_trainable_variables]
        object.__setattr__(self, "constants", constants)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """What it reads of each person."""
        return (None,) if self.identities else tuple(self.model.inputs[0].shape[1:])

    @property
    def moving(self) -> tuple[int, ...]:
        """Places of arrays that are not weights to train: there are none."""
        return ()

    @property
    def learnt(self) -> list[int]:
        """Places of the arrays that have a gradient: all."""
        return list(range(len(self.model.trainable_variables)))

    def draw_seeds(self, seed: int) -> np.ndarray:
        """Return the seeds of its dropout layers, int32 (0,): it has none."""
        return np.zeros(0, np.int32)

    @property
    def layer_sizes(self) -> list[int]:
        """Number of weight arrays of each weighted layer, bottom to top."""
        return [len(layer.weights) for layer in weighted_layers(self.model)]

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """Shape of each weight array; None for the rows of an opened kernel."""
        return [
            (None, len(self.columns[position])) if position in self.columns else tuple(array.shape)
            for position, array in enumerate(self.model.trainable_variables)
        ]

    def call(self, weights: list[Any], x: Any) -> Any:
        """Return what the model puts out for `x`, with the given weights, within a traced function."""
        import tensorflow as tf

        if self.identities:
            compute = self.model.layers[-1].compute_dtype
            products = [
                tf.matmul(tf.cast(x, compute), tf.cast(weights[at], compute)) for at in self.identities
            ]
            x = tf.concat(products, axis=-1)
            weights = [self.identities.get(position, array) for position, array in enumerate(weights)]
        return self.model.stateless_call(weights, self.constants, x, training=False)[0]

    def call_training(self, weights: list[Any], x: Any, seeds: Any, step: Any) -> tuple[Any, list[Any]]:
        """Return what it puts out in training, which is the same, and no moving statistics."""
        return self.call(weights, x), []


def open_network(network: str) -> OpenedModel:
    """Return a network, to its logits, that takes products of dosages and first kernels."""
    arrays = build_network(network, 1, seed=0).get_weights()
    columns = {place: _find_live_columns(network, arrays[place]) for place in find_first_kernels(network)}
    model = build_network(network, sum(map(len, columns.values())), seed=0)
    identities, start = {}, 0
    for place, kept in columns.items():
        identity = np.zeros((model.inputs[0].shape[1], arrays[place].shape[1]), np.float32)
        identity[start + np.arange(len(kept)), kept] = 1
        identities[place] = identity
        start += len(kept)
    return OpenedModel(cut_top(model, count_trainable_depths(network)), identities, columns)


def _find_live_columns(network: str, kernel: np.ndarray) -> np.ndarray:
    columns = np.arange(kernel.shape[1])
    if find_network(network).family not in ("lstm", "bilstm"):
        return columns
    # Keras's gates are input, forget, cell and output.
    return np.delete(columns, np.arange(len(columns) // 4, len(columns) // 2))


def close_network(network: str, n_variants: int, depth: int, window: int | None) -> OpenedModel:
    """Return the top `depth` weighted layers of a network of one width, as they are."""
    whole = build_network(network, n_variants, window=window, seed=0, allow_many_steps=True)
    return OpenedModel(cut_top(whole, depth))


def _list_layers(layers: list[Any]) -> Iterator[Any]:
    """Yield layers, and those that recurrent layers are made of."""
    for layer in layers:
        yield layer
        parts = [getattr(layer, name, None) for name in ("cell", "forward_layer", "backward_layer")]
        yield from _list_layers([part for part in parts if part is not None])
