"""Width buckets: networks of nearby widths share one compiled program.

A network is padded with zero inputs to the width of its bucket. The added rows of its first kernel
see no input, so their gradient is exactly 0, and they are 0 before and after training.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Shaped

from genotransfer.models.networks import find_network, keeps_width
from genotransfer.training.jobs import Weights

# The panels of Muneeb 2022, Table 2, crowd below 300 and near 1,000, 3,500, 4,900 and 6,700.
BUCKETS = (256, 1280, 3584, 5120, 6784)
BEYOND = 2048
# Tracing one more program takes as long as training so many more columns of one network.
PROGRAM_COLUMNS = 3000
MULTIPLE = 8


def choose_buckets(widths: Iterable[int]) -> tuple[int, ...]:
    """Return the widths of the buckets that cost least for these networks.

    A network costs in proportion to the width of its bucket, and each bucket costs what tracing
    its program does. The best buckets end at widths of the networks, so the best set of the
    narrower ones is part of it, and a pass over the sorted widths finds it.

    Parameters
    ----------
    widths : numbers of variants, one for each network of a kind; repeated where several share it.
    """
    distinct, counts = np.unique(np.fromiter(widths, dtype=np.int64), return_counts=True)
    tops = -(-distinct // MULTIPLE) * MULTIPLE
    until = np.concatenate([[0], np.cumsum(counts)])
    costs, first = [0.0], []
    for last, top in enumerate(tops):
        starts = [
            costs[start] + PROGRAM_COLUMNS + float(top * (until[last + 1] - until[start]))
            for start in range(last + 1)
        ]
        first.append(int(np.argmin(starts)))
        costs.append(min(starts))
    buckets: list[int] = []
    last = len(tops) - 1
    while last >= 0:
        buckets.append(int(tops[last]))
        last = first[last] - 1
    return tuple(reversed(buckets))


def choose_width(n_variants: int, window: int | None = None, buckets: Sequence[int] = BUCKETS) -> int:
    """Return the width of the bucket that holds `n_variants`.

    A network with a window keeps its own width: padding would add time steps, and those would
    change its output.

    Parameters
    ----------
    buckets : widths, ascending.
    """
    if window is not None:
        return n_variants
    for width in buckets:
        if n_variants <= width:
            return width
    return -(-n_variants // BEYOND) * BEYOND


def find_width(network: str, n_variants: int, window: int | None, buckets: Sequence[int] = BUCKETS) -> int:
    """Return the width at which a network is trained: its own, or that of its bucket."""
    return n_variants if keeps_width(network, window) else choose_width(n_variants, None, buckets)


def find_first_kernels(network: str) -> tuple[int, ...]:
    """Return which of a network's weight arrays multiply its input."""
    # Keras lists a layer as kernel, (recurrent kernel,) bias; a bidirectional one twice over.
    return (0, 3) if find_network(network).family == "bilstm" else (0,)


def resize_weights(network: str, weights: Weights, width: int, window: int | None = None) -> Weights:
    """Return weights for inputs of another width: zero rows are added, or the last rows dropped.

    Only the kernels of the first layer change; the others are the same arrays. With a window
    nothing changes: those kernels are as wide as the window. Nor does a convolutional network.
    """
    if keeps_width(network, window):
        return weights
    resized = list(weights)
    for position in find_first_kernels(network):
        kernel = weights[position]
        if len(kernel) < width:
            wider = np.zeros((width, kernel.shape[1]), dtype=np.float32)
            wider[: len(kernel)] = kernel
            resized[position] = wider
        elif len(kernel) > width:
            resized[position] = kernel[:width].copy()
    return resized


def widen_inputs(
    values: Shaped[np.ndarray, "n_samples n_variants"], width: int
) -> Shaped[np.ndarray, "n_samples width"]:
    """Return dosages, standardised or not, with columns of 0 added up to `width`."""
    if values.shape[1] == width:
        return values
    wider = np.zeros((len(values), width), dtype=values.dtype)
    wider[:, : values.shape[1]] = values
    return wider
