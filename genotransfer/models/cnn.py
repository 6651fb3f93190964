"""Convolutional networks on genotypes, after Henriques et al. 2025: names, sizes and Keras models.

Two blocks (convolution, batch normalisation, ReLU, max pooling), dense hidden layers, and the two units
that all networks end in. Dropout lies before every layer with weights but the first. The variants, in
the panel's order, are a line (``cnn_1d``), a square folded row by row (``cnn_2d``), or that square with
a channel for each genotype (``cnn_3d``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genotransfer.errors import StudyError
from genotransfer.randomness import derive_seed

if TYPE_CHECKING:
    from genotransfer.models.networks import NetworkSpec

FORMS = ("1d", "2d", "3d")
# Of batch normalisation the names are Keras's. Its momentum of .99 would lag behind an epoch of few steps,
# and so would early stopping.
KERNEL, POOL = 3, 2
BLOCK_DROPOUT, DENSE_DROPOUT = 0.25, 0.5
MOMENTUM, EPSILON = 0.9, 1e-3
N_BLOCKS = 2
FILTERS, DENSE = 32, (100,)
MOST_FILTERS, MOST_UNITS, MOST_DENSE = 256, 1000, 3
GENOTYPES = 3

_NAME = re.compile(r"cnn_(1d|2d|3d)(?:_f([1-9]\d{0,3})_d([1-9]\d{0,4}(?:x[1-9]\d{0,4})*))?")


def name_cnn(form: str, filters: int = FILTERS, dense: Sequence[int] = DENSE) -> str:
    """Return the key of a convolutional network, e.g. ``cnn_2d_f64_d1000x100``.

    Parameters
    ----------
    form : one of `FORMS`.
    filters : of both blocks.
    dense : units of the dense hidden layers, bottom to top.

    Raises
    ------
    StudyError
        There is no such form, or a size is out of bounds.
    """
    _check_sizes(f"{form}, {filters} filters and dense layers of {tuple(dense)}", form, filters, dense)
    if (filters, tuple(dense)) == (FILTERS, DENSE):
        return f"cnn_{form}"
    return f"cnn_{form}_f{filters}_d{'x'.join(map(str, dense))}"


def parse_cnn(name: str) -> tuple[str, int, tuple[int, ...]] | None:
    """Return form, filters and dense units that a key names; None where it is no key of the family.

    Raises
    ------
    StudyError
        It names the family, but no network of it, or sizes out of bounds.
    """
    if not name.startswith("cnn_"):
        return None
    match = _NAME.fullmatch(name)
    if match is None:
        raise StudyError(
            f"There is no network {name!r}. A convolutional network is cnn_1d, cnn_2d or cnn_3d, with sizes "
            "of its own cnn_2d_f64_d1000 (64 filters, a dense layer of 1000) or cnn_2d_f64_d500x100."
        )
    form, filters, dense = match.groups()
    if filters is None:
        return form, FILTERS, DENSE
    units = tuple(map(int, dense.split("x")))
    _check_sizes(name, form, int(filters), units)
    if (int(filters), units) == (FILTERS, DENSE):
        # One network, one name: it is part of every seed and file name.
        raise StudyError(f"Network {name!r} is named cnn_{form}: these are the sizes it has by itself.")
    return form, int(filters), units


def _check_sizes(told: str, form: str, filters: int, dense: Sequence[int]) -> None:
    if form not in FORMS:
        raise StudyError(
            f"There is no convolutional network of form {form!r}. Choose from: {', '.join(FORMS)}."
        )
    right = 1 <= filters <= MOST_FILTERS and 1 <= len(dense) <= MOST_DENSE
    if not right or not all(1 <= units <= MOST_UNITS for units in dense):
        raise StudyError(
            f"A convolutional network of {told} is not to be had: it has 1 to {MOST_FILTERS} filters and 1 to "
            f"{MOST_DENSE} dense hidden layers of 1 to {MOST_UNITS} units."
        )


def count_side(n_variants: int) -> int:
    """Return the side of the smallest square that holds so many variants."""
    return math.isqrt(n_variants - 1) + 1


def list_pooled(form: str, n_variants: int) -> list[tuple[int, ...]]:
    """Return what the first layer reads and what each block puts out, as positions: (length,) or (side, side).

    Pooling keeps a last odd position, so that a panel of one variant is a network's as well.
    """
    shape: tuple[int, ...] = (n_variants,) if form == "1d" else (count_side(n_variants),) * 2
    shapes = [shape]
    for _ in range(N_BLOCKS):
        shape = tuple(-(-size // POOL) for size in shape)
        shapes.append(shape)
    return shapes


def name_dropouts(spec: NetworkSpec) -> tuple[str, ...]:
    """Return the names of the dropout layers, bottom to top: one above each trainable layer but the last."""
    blocks = tuple(f"dropout_conv_{position}" for position in range(1, N_BLOCKS + 1))
    return blocks + tuple(f"dropout_dense_{position}" for position in range(1, len(spec.dense) + 1))


def find_rates(spec: NetworkSpec) -> tuple[float, ...]:
    """Return the rate of each dropout layer, as `name_dropouts` names them."""
    return (BLOCK_DROPOUT,) * N_BLOCKS + (DENSE_DROPOUT,) * len(spec.dense)


def derive_dropout_seed(seed: int, network: str, layer: str) -> int:
    """Return the seed from which a dropout layer draws its masks, step by step."""
    return derive_seed(seed, network, layer, "mask")


def build_cnn(spec: NetworkSpec, n_variants: int, seed: int) -> Any:
    """Build a convolutional network with fresh weights: see `networks.build_network`."""
    import keras

    layers = keras.layers
    values = keras.Input((n_variants,), dtype="float32", name="dosages")
    flat = spec.form == "1d"
    hidden = values
    if spec.form == "3d":
        hidden = _split_genotypes(values, n_variants)
    else:
        hidden = layers.Reshape((n_variants, 1), name="column")(values)
    if not flat:
        hidden = _fold_into_square(hidden, n_variants)
    convolution, pooling = (
        (layers.Conv1D, layers.MaxPooling1D) if flat else (layers.Conv2D, layers.MaxPooling2D)
    )
    dropouts = iter(zip(name_dropouts(spec), find_rates(spec), strict=True))

    def drop(given: Any) -> Any:
        name, rate = next(dropouts)
        return layers.Dropout(rate, seed=derive_dropout_seed(seed, spec.name, name), name=name)(given)

    def draw(layer: str) -> Any:
        return keras.initializers.GlorotUniform(derive_seed(seed, spec.name, layer, "kernel"))

    for position in range(1, N_BLOCKS + 1):
        name = f"conv_{position}"
        # Batch normalisation takes a bias out again, so there is none.
        hidden = convolution(
            spec.filters, KERNEL, padding="same", use_bias=False, kernel_initializer=draw(name), name=name
        )(hidden)
        hidden = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"norm_{position}")(
            hidden
        )
        hidden = layers.Activation("relu", name=f"relu_{position}")(hidden)
        hidden = pooling(POOL, padding="same", name=f"pool_{position}")(hidden)
        hidden = drop(hidden)
    hidden = layers.Flatten(name="flat")(hidden)
    for position, units in enumerate(spec.dense, start=1):
        name = f"dense_{position}"
        hidden = layers.Dense(units, activation="relu", kernel_initializer=draw(name), name=name)(hidden)
        hidden = drop(hidden)
    logits = layers.Dense(2, kernel_initializer=draw("logits"), name="logits")(hidden)
    probabilities = layers.Activation("softmax", name="probabilities")(logits)
    return keras.Model(values, probabilities, name=spec.name)


def _split_genotypes(values: Any, n_variants: int) -> Any:
    """Return a channel for 0, 1 and 2 copies, from copies + 1; 0, which is missing, is 0 in all of them.

    A dosage between two genotypes is shared between their channels.
    """
    import keras

    layers = keras.layers
    column = layers.Reshape((n_variants, 1), name="column")(values)
    copies = layers.Concatenate(name="copies")([column] * GENOTYPES)
    # How much of each whole number is reached, less how much of the next.
    reached = [
        layers.ReLU(max_value=1.0, name=f"reach_{name}")(
            layers.Rescaling(1.0, [float(-first - one) for one in range(GENOTYPES)], name=f"shift_{name}")(
                copies
            )
        )
        for first, name in enumerate(("this", "next"))
    ]
    return layers.Subtract(name="genotypes")(reached)


def _fold_into_square(line: Any, n_variants: int) -> Any:
    import keras

    side, channels = count_side(n_variants), line.shape[-1]
    if side * side > n_variants:
        line = keras.layers.ZeroPadding1D((0, side * side - n_variants), name="filled")(line)
    return keras.layers.Reshape((side, side, channels), name="square")(line)


def list_shapes(spec: NetworkSpec, n_variants: int) -> list[tuple[int, ...]]:
    """Return the shape of each weight array, in the order of ``get_weights``.

    Those of a block: kernel, scale, offset, moving mean, moving variance.
    """
    positions = list_pooled(spec.form, n_variants)
    shapes: list[tuple[int, ...]] = []
    channels = GENOTYPES if spec.form == "3d" else 1
    for _ in range(N_BLOCKS):
        shapes.append((*(KERNEL,) * len(positions[0]), channels, spec.filters))
        shapes += [(spec.filters,)] * 4
        channels = spec.filters
    width = math.prod(positions[-1]) * channels
    for units in (*spec.dense, 2):
        shapes += [(width, units), (units,)]
        width = units
    return shapes


def draw_cnn_weights(spec: NetworkSpec, n_variants: int, seed: int) -> list[Any]:
    """Return the weights `build_cnn` starts with, in the order of ``get_weights``."""
    import keras
    import numpy as np

    shapes = list_shapes(spec, n_variants)
    blocks = [f"conv_{position}" for position in range(1, N_BLOCKS + 1)]
    dense = [f"dense_{position}" for position in range(1, len(spec.dense) + 1)]
    kernels = iter([*blocks, *dense, "logits"])
    # Scales and moving variances start at 1, offsets, moving means and biases at 0.
    ones = {5 * block + at for block in range(N_BLOCKS) for at in (1, 4)}
    weights: list[Any] = []
    for at, shape in enumerate(shapes):
        if len(shape) == 1:
            weights.append(np.full(shape, float(at in ones), np.float32))
        else:
            kernel = keras.initializers.GlorotUniform(derive_seed(seed, spec.name, next(kernels), "kernel"))
            weights.append(np.asarray(kernel(shape)))
    return weights
