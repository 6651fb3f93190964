"""Patterns: how much of a model's output each variant accounts for by itself, over many people.

A model spreads what it knows of a risk SNP over all variants in LD with it that it reads, as it happens:
a large weight need not stand at the variant that matters most, nor a small one far from it. The
correlation of a variant with the output undoes that. It needs no gradients and no labels.

Source: Haufe et al. 2014, NeuroImage 87:96, for linear models, whose covariance with the inputs it is;
Wilming et al. 2022, Machine Learning 111:1903, for others. Pursuit: Pati, Rezaiifar and Krishnaprasad
1993, Asilomar 27:40; in the form that takes the largest reduction, Chen, Billings and Luo 1989, Int J
Control 50:1873.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

MOST_STEPS = 20
LEAST_GAIN, LEAST_FREE = 1e-3, 0.1


def correlate_output(
    values: Float32[np.ndarray, "n_samples n_variants"], output: Float64[np.ndarray, " n_samples"]
) -> Float64[np.ndarray, " n_variants"]:
    """Return each variant's correlation with the output, -1 to 1; 0 where either does not vary.

    Parameters
    ----------
    values : standardised dosages; a missing one is the mean.
    output : of the same people, from `outputs.take_output`.
    """
    centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    told = output - output.mean()
    length = np.sqrt((centred**2).sum(axis=0) * (told**2).sum())
    return np.asarray(np.divide(told @ centred, length, out=np.zeros(values.shape[1]), where=length > 1e-12))


def pursue_output(
    values: Float32[np.ndarray, "n_samples n_variants"],
    output: Float64[np.ndarray, " n_samples"],
    most: int = MOST_STEPS,
) -> tuple[Float64[np.ndarray, " n_variants"], Float64[np.ndarray, " n_variants"]]:
    """Tell a model's output by few variants, one after another.

    Each step takes the variant that reduces most what is left of the output's variance, given those
    taken before. A variant of which they leave less than a tenth of its own variance is not taken.

    Parameters
    ----------
    values : standardised dosages; a missing one is the mean.
    output : of the same people, from `outputs.take_output`.
    most : steps at most; fewer where what is left falls below a thousandth.

    Returns
    -------
    The share (0 to 1) of the output's variance that each variant tells beyond those before it, falling
    in their order but for a later one that tells more with its predecessors than alone; 0 for variants
    not taken. And the sign of its correlation with what was left.
    """
    share, sign = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    rest = output - output.mean()
    whole = float((rest**2).sum())
    if whole <= 1e-24:
        return share, sign
    columns = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    length = (columns**2).sum(axis=0)
    left = length.copy()
    for _ in range(min(most, len(values) - 1)):
        free = (left > LEAST_FREE * length) & (left > 1e-9)
        told = rest @ columns
        gain = np.divide(told**2, left, out=np.zeros_like(left), where=free)
        at = int(np.argmax(gain))
        if gain[at] < LEAST_GAIN * whole:
            break
        share[at], sign[at] = gain[at] / whole, np.sign(told[at])
        unit = columns[:, at] / np.sqrt(left[at])
        rest = rest - unit * (unit @ rest)
        along = unit @ columns
        columns -= np.outer(unit, along)
        left = np.maximum(left - along**2, 0)
        left[at] = 0
    return share, sign
