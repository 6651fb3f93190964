"""Width buckets: networks of nearby widths share one compiled program.

A network is padded with zero inputs to the next bucket. The added rows of its first kernel see
no input, so their gradient is exactly 0, and they are 0 before and after training.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from genotransfer.models.networks import NETWORKS
from genotransfer.training.jobs import Weights

# The panels of Muneeb 2022, Table 2, crowd below 300 and near 1,000, 3,500, 4,900 and 6,700.
BUCKETS = (256, 1280, 3584, 5120, 6784)
BEYOND = 2048


def choose_width(n_variants: int, window: int | None = None) -> int:
    """Return the width of the bucket that holds `n_variants`.

    A network with a window keeps its own width: padding would add time steps, and those would
    change its output.
    """
    if window is not None:
        return n_variants
    for width in BUCKETS:
        if n_variants <= width:
            return width
    return -(-n_variants // BEYOND) * BEYOND


def resize_weights(network: str, weights: Weights, width: int, window: int | None = None) -> Weights:
    """Return weights for inputs of another width: zero rows are added, or the last rows dropped.

    Only the kernels of the first layer change; the others are the same arrays. With a window
    nothing changes: those kernels are as wide as the window.
    """
    if window is not None:
        return weights
    resized = list(weights)
    # Keras lists a layer as kernel, (recurrent kernel,) bias; a bidirectional one twice over.
    for position in (0, 3) if NETWORKS[network].family == "bilstm" else (0,):
        kernel = weights[position]
        if len(kernel) < width:
            wider = np.zeros((width, kernel.shape[1]), dtype=np.float32)
            wider[: len(kernel)] = kernel
            resized[position] = wider
        elif len(kernel) > width:
            resized[position] = kernel[:width].copy()
    return resized


def widen_inputs(
    values: Float32[np.ndarray, "n_samples n_variants"], width: int
) -> Float32[np.ndarray, "n_samples width"]:
    """Return standardised dosages with zero columns added up to `width`."""
    if values.shape[1] == width:
        return values
    wider = np.zeros((len(values), width), dtype=np.float32)
    wider[:, : values.shape[1]] = values
    return wider
