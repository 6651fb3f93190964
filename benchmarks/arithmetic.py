"""The arithmetic a training needs: floating-point operations of its layers at their true width."""

from __future__ import annotations

import math

from genotransfer.models.cnn import list_pooled, list_shapes
from genotransfer.models.networks import CNN, N_CLASSES, count_trainable_depths, find_network

# Kernels side by side in one layer: the gates of a recurrent one, of both directions.
GATES = {"gru": 3, "lstm": 4, "bilstm": 8}


def count_multiplications(network: str, n_variants: int) -> list[int]:
    """Return the multiply-adds of one sample's forward pass through each weighted layer, bottom to top.

    A recurrent layer reads one step from a state of zero, so its recurrent kernels, which multiply
    that state, need none.
    """
    spec = find_network(network)
    counts, width = [], n_variants
    if spec.family == CNN:
        # Each position of a convolution is one row of products.
        *kernels, _ = list_pooled(spec.form, n_variants)
        shapes = [shape for shape in list_shapes(spec, n_variants) if len(shape) > 2]
        counts = [math.prod(at) * math.prod(of) for at, of in zip(kernels, shapes, strict=True)]
        width = math.prod(list_pooled(spec.form, n_variants)[-1]) * spec.filters
    for units in spec.recurrent:
        counts.append(width * units * GATES[spec.family])
        width = units * (2 if spec.family == "bilstm" else 1)
    for units in (*spec.dense, N_CLASSES):
        counts.append(width * units)
        width = units
    return counts


def count_flops(
    network: str, n_variants: int, depth: int, n_train: int, n_validation: int, epochs: int
) -> int:
    """Return the floating-point operations of one training; a multiply-add is two.

    Each epoch takes every sample of TD forward and back and every sample of VD forward. Going back,
    a layer needs the gradient of its weights, and of its input unless it is the lowest that is
    trained. Frozen layers need one pass over TD and VD.

    Parameters
    ----------
    depth : weighted layers that are trained, from the top.
    n_train, n_validation : samples of TD and VD.
    epochs : epochs that were run.
    """
    if not 1 <= depth <= count_trainable_depths(network):
        raise ValueError(f"{network} has no {depth} layers to train")
    counts = count_multiplications(network, n_variants)
    trained, frozen = counts[-depth:], counts[:-depth]
    forward, backward = sum(trained), sum(trained) + sum(trained[1:])
    an_epoch = n_train * (forward + backward) + n_validation * forward
    return 2 * (epochs * an_epoch + (n_train + n_validation) * sum(frozen))
