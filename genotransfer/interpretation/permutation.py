"""Permutation importance of variants and of whole bins of variants in linkage disequilibrium.

A variant whose neighbours say the same can be permuted at no loss: the model reads them instead. So a
bin's variants are permuted together, in the same order, as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64

from genotransfer.interpretation.outputs import MOST_NUMBERS, Output
from genotransfer.scores.pool import measure_aucs

REPEATS = 5


@dataclass(frozen=True)
class Permuted:
    """What permuting each of some bins did.

    Attributes
    ----------
    loss : float64 (n,); mean decrease of the AUC, -1 to 1; 0 where people are all of one class.
    change : float64 (n,); root mean squared change of the output, in its unit.
    """

    loss: Float64[np.ndarray, " n"]
    change: Float64[np.ndarray, " n"]


def permute_bins(
    output: Output,
    values: Float32[np.ndarray, "n_samples n_variants"],
    labels: Int8[np.ndarray, " n_samples"],
    members: list[Int64[np.ndarray, " _"]],
    generator: np.random.Generator,
    repeats: int = REPEATS,
) -> Permuted:
    """Permute each bin's columns among the people, and see what becomes of the output and of its AUC.

    Parameters
    ----------
    output : from `outputs.take_output`.
    values : standardised dosages of people whom the model has not learnt from.
    labels : 1 case, 0 control.
    members : columns of each bin.
    generator : of the orders; all bins are permuted in the same.
    repeats : orders tried.

    Source
    ------
    Breiman 2001, Machine Learning 45:5; of groups: Gregorutti, Michel and Saint-Pierre 2015, Comput Stat
    Data Anal 90:15.
    """
    count = len(values)
    base = output(values)
    before = measure_aucs(labels, base[:, None])[0]
    loss, squares = np.zeros(len(members)), np.zeros(len(members))
    at_once = max(MOST_NUMBERS // max(values.size, 1), 1)
    for order in [generator.permutation(count) for _ in range(repeats)]:
        for start in range(0, len(members), at_once):
            some = members[start : start + at_once]
            copies = np.repeat(values[None], len(some), axis=0)
            for copy, columns in zip(copies, some, strict=True):
                copy[:, columns] = values[order][:, columns]
            told = output(copies.reshape(-1, values.shape[1])).reshape(len(some), count)
            here = slice(start, start + len(some))
            loss[here] += before - measure_aucs(labels, told.T)
            squares[here] += ((told - base) ** 2).mean(axis=1)
    return Permuted(loss / repeats, np.sqrt(squares / repeats))
