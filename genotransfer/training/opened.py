"""Networks opened at their first layer, so that one traced program serves every width.

The first layer multiplies the dosages by its kernels before it does anything else. Here that
product is taken out of the network: the program multiplies, by kernels with any number of rows,
and hands the products to the real Keras layer, whose own kernels are then the identity. A product
with the identity is exact, so nothing else changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genotransfer.models.networks import build_network, count_trainable_depths, cut_top, weighted_layers
from genotransfer.training.widths import find_first_kernels


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A Keras model whose first kernels are given to it as products.

    Attributes
    ----------
    model : from the products, or from dosages or a hidden layer where nothing is opened.
    identities : float32 arrays that stand for the first kernels, by their place among the
        weights; empty where nothing is opened.
    """

    model: Any
    identities: dict[int, np.ndarray] = field(default_factory=dict)

    def compute_in(self, precision: str) -> None:
        """Let the layers compute in a Keras dtype policy, e.g. ``mixed_bfloat16``."""
        import keras

        for layer in _list_layers(self.model.layers):
            layer.dtype_policy = keras.DTypePolicy(precision)

    @property
    def layer_sizes(self) -> list[int]:
        """Number of weight arrays of each weighted layer, bottom to top."""
        return [len(layer.weights) for layer in weighted_layers(self.model)]

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """Shape of each weight array; None for the rows of an opened kernel."""
        return [
            (None, array.shape[1]) if position in self.identities else tuple(array.shape)
            for position, array in enumerate(self.model.trainable_variables)
        ]

    def call(self, weights: list[Any], constants: list[Any], x: Any) -> Any:
        """Return what the model puts out for `x`, with the given weights, within a traced function."""
        import tensorflow as tf

        if self.identities:
            compute = self.model.layers[-1].compute_dtype
            products = [
                tf.matmul(tf.cast(x, compute), tf.cast(weights[at], compute)) for at in self.identities
            ]
            x = tf.concat(products, axis=-1)
            weights = [self.identities.get(position, array) for position, array in enumerate(weights)]
        return self.model.stateless_call(weights, constants, x, training=False)[0]


def open_network(network: str) -> OpenedModel:
    """Return a network, to its logits, that takes products of dosages and first kernels."""
    narrow = build_network(network, 1, seed=0)
    arrays = narrow.get_weights()
    places = find_first_kernels(network)
    columns = [arrays[place].shape[1] for place in places]
    model = build_network(network, sum(columns), seed=0)
    starts = np.cumsum([0, *columns[:-1]])
    identities = {
        place: np.eye(sum(columns), size, -start, dtype=np.float32)
        for place, size, start in zip(places, columns, starts.tolist(), strict=True)
    }
    return OpenedModel(cut_top(model, count_trainable_depths(network)), identities)


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
