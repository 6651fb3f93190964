"""First weights of a network, drawn without building it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genotransfer.models.cnn import draw_cnn_weights
from genotransfer.models.networks import CNN, N_CLASSES, find_network
from genotransfer.randomness import derive_seed

if TYPE_CHECKING:
    from genotransfer.training.jobs import Weights

GATES = {"gru": 3, "lstm": 4, "bilstm": 4}


def draw_weights(name: str, n_variants: int, *, window: int | None = None, seed: int) -> Weights:
    """Return the weights that `build_network` starts with, in the order of ``get_weights``.

    Parameters
    ----------
    name, n_variants, window, seed : as for `build_network`.

    Raises
    ------
    StudyError
        There is no such network.

    Notes
    -----
    The same initialisers draw the same numbers from the same seeds, without the layers around them.
    """
    spec = find_network(name)
    if spec.family == CNN:
        return draw_cnn_weights(spec, n_variants, seed)
    width = window if spec.recurrent and window is not None else n_variants
    weights: Weights = []
    for position, units in enumerate(spec.recurrent, start=1):
        label = f"{spec.family}_{position}"
        directions = (f"{label}_forward", f"{label}_backward") if spec.family == "bilstm" else (label,)
        for direction in directions:
            weights += _draw_recurrent(spec.name, spec.family, direction, width, units, seed)
        width = units * len(directions)
    layers = [(f"dense_{position}", units) for position, units in enumerate(spec.dense, start=1)]
    for layer, units in (*layers, ("logits", N_CLASSES)):
        weights += [_draw_kernel(spec.name, layer, (width, units), seed), np.zeros(units, np.float32)]
        width = units
    return weights


def _draw_recurrent(network: str, family: str, layer: str, width: int, units: int, seed: int) -> Weights:
    import keras

    gates = GATES[family]
    orthogonal = keras.initializers.Orthogonal(seed=derive_seed(seed, network, layer, "recurrent"))
    # A GRU has one bias for its input and one for its state.
    bias = np.zeros((2, gates * units) if family == "gru" else gates * units, np.float32)
    if family != "gru":
        bias[units : 2 * units] = 1  # the forget gate starts open
    recurrent = np.asarray(orthogonal((units, gates * units)))
    return [_draw_kernel(network, layer, (width, gates * units), seed), recurrent, bias]


def _draw_kernel(network: str, layer: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    import keras

    draw = keras.initializers.GlorotUniform(derive_seed(seed, network, layer, "kernel"))
    return np.asarray(draw(shape))
