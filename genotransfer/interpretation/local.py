"""One person's prediction explained by a linear model around it, as LIME does.

Bins of variants in linkage disequilibrium are switched off at random: a bin that is off has the mean
dosages. A ridge regression, in which a copy counts the more the less of it is switched off,
then says what each bin adds. Any model can be explained so, trees too.

Source: Ribeiro, Singh and Guestrin 2016, "Why should I trust you?", KDD. Their library had its last
release in 2020, so the method is written here on scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from genotransfer.interpretation.outputs import MOST_NUMBERS, Output

SAMPLES = 2000
MOST_BINS = 50
# A copy counts exp(-d**2 / .75**2) for its cosine distance d to the person, whatever the number of bins.
KERNEL_WIDTH = 0.75
PENALTY = 1.0


@dataclass(frozen=True)
class LocalExplanation:
    """A linear model around one person.

    Attributes
    ----------
    bins : int64 (k,); the bins that were switched, as they were given.
    contributions : float64 (k,); what each adds to the output when it is on, in the output's unit.
    intercept : the output with all of them off.
    output : of the person.
    fit : weighted R2 of the linear model on the switched copies; near 1 it tells all there is.
    """

    bins: Int64[np.ndarray, " k"]
    contributions: Float64[np.ndarray, " k"]
    intercept: float
    output: float
    fit: float


def explain_person(
    output: Output,
    person: Float32[np.ndarray, " n_variants"],
    baseline: Float32[np.ndarray, " n_variants"],
    members: list[Int64[np.ndarray, " _"]],
    generator: np.random.Generator,
    *,
    among: Int64[np.ndarray, " k"] | None = None,
    samples: int = SAMPLES,
) -> LocalExplanation:
    """Fit a linear model to the output of copies of a person with some bins switched off.

    Parameters
    ----------
    output : from `outputs.take_output`.
    person : standardised dosages.
    baseline : what a bin has that is off: the mean standardised dosages of some people.
    members : columns of each bin.
    generator : of what is switched off.
    among : the bins to switch, 50 at most are sensible; the others keep what the person has. The first
        50 when None.
    samples : copies.
    """
    from sklearn.linear_model import Ridge

    chosen = np.arange(min(len(members), MOST_BINS)) if among is None else among
    k = len(chosen)
    # As many bins off, from none to all, in one copy as in another; the first is the person.
    off = generator.random((samples, k)).argsort(axis=1) < generator.integers(0, k + 1, samples)[:, None]
    off[0] = False
    told = np.empty(samples)
    at_once = max(MOST_NUMBERS // max(len(person), 1), 1)
    for start in range(0, samples, at_once):
        some = off[start : start + at_once]
        copies = np.repeat(person[None], len(some), axis=0)
        for column, number in enumerate(chosen):
            copies[np.ix_(some[:, column], members[number])] = baseline[members[number]]
        told[start : start + at_once] = output(copies)
    on = ~off
    # The cosine distance to the person, to whom every bin is on.
    distance = 1 - np.sqrt(on.mean(axis=1))
    weights = np.exp(-(distance**2) / KERNEL_WIDTH**2)
    model = Ridge(alpha=PENALTY).fit(on.astype(np.float64), told, sample_weight=weights)
    return LocalExplanation(
        np.asarray(chosen, dtype=np.int64),
        np.asarray(model.coef_, dtype=np.float64),
        float(model.intercept_),
        float(told[0]),
        float(model.score(on.astype(np.float64), told, sample_weight=weights)),
    )
