"""Activation maps of convolutional networks: where the last convolution sees evidence for a case."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.interpretation.outputs import split_rows
from genotransfer.models.predictors import NetworkPredictor, Predictor

CONVOLUTIONS = ("Conv1D", "Conv2D")
POOLINGS = ("MaxPooling1D", "MaxPooling2D")
# What stands between a convolution and its pooling.
WITHIN = ("BatchNormalization", "Activation")


def has_convolution(predictor: Predictor) -> bool:
    """Say whether a model is a network with a convolution."""
    layers = predictor.model.layers if isinstance(predictor, NetworkPredictor) else []
    return any(type(layer).__name__ in CONVOLUTIONS for layer in layers)


def map_activations(
    predictor: Predictor, values: Float32[np.ndarray, "n_samples n_variants"]
) -> Float64[np.ndarray, "n_samples n_variants"] | None:
    """Return each person's activation map of the log odds; None for a model without a convolution.

    The maps of the last convolution's filters are added up, each weighted by the mean gradient of the
    log odds over its positions. A position's value is given to every variant that was pooled into it; a
    folded network's map is unfolded row by row. Negative values speak against a case: unlike in
    pictures, they are kept. Neighbours share what they are given, so that the map says where to look,
    to within the convolution's reach.

    Parameters
    ----------
    values : the model's input, as `Standardiser.transform` makes it.

    Source
    ------
    Selvaraju et al. 2017, Grad-CAM, ICCV.
    """
    if not isinstance(predictor, NetworkPredictor) or not has_convolution(predictor):
        return None
    import keras
    import tensorflow as tf

    layers = list(predictor.model.layers)
    found = [at for at, layer in enumerate(layers) if type(layer).__name__ in CONVOLUTIONS]
    end = found[-1]
    while type(layers[end + 1]).__name__ in WITHIN:
        end += 1
    part = keras.Model(predictor.model.input, layers[end].output)
    maps = []
    for rows in split_rows(len(values), 16 * values.shape[1]):
        seen = part(values[rows], training=False)
        with tf.GradientTape() as tape:
            tape.watch(seen)
            told = _run_rest(predictor.model, end, seen)
            odds = told[:, 1] - told[:, 0]
        slopes = tape.gradient(odds, seen).numpy()
        positions = tuple(range(1, slopes.ndim - 1))
        weights = slopes.mean(axis=positions, keepdims=True)
        maps.append((weights * seen.numpy()).sum(axis=-1, dtype=np.float64))
    first = layers[found[0]].input.shape[1:-1]
    return _unfold(np.concatenate(maps), first, _count_pooled(layers[:end]), values.shape[1])


def _run_rest(model: Any, end: int, seen: Any) -> Any:
    """Return the logits from the output of the layer at `end`."""
    told = seen
    for layer in model.layers[end + 1 :]:
        told = layer(told, training=False) if type(layer).__name__ == "Dropout" else layer(told)
        if layer.name == "logits":
            break
    return told


def _count_pooled(layers: list[Any]) -> int:
    """Return how many places of the first layer, along each side, are pooled into one."""
    sizes = [layer.pool_size[0] for layer in layers if type(layer).__name__ in POOLINGS]
    return math.prod(sizes)


def _unfold(
    maps: Float64[np.ndarray, "n ..."], shape: tuple[int, ...], pooled: int, n_variants: int
) -> Float64[np.ndarray, "n n_variants"]:
    for axis, size in enumerate(shape, start=1):
        maps = np.repeat(maps, pooled, axis=axis).take(np.arange(size), axis=axis)
    return np.asarray(maps.reshape(len(maps), -1)[:, :n_variants])
