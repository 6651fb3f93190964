"""The people of one or two populations taken together, and their division into folds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64
from scipy.stats import rankdata

from genotransfer.scores.base import Sample

# A variant of less variance (in copies squared) is taken to be monomorphic: it is rounding.
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True)
class Pool:
    """People of several populations, one population after the other.

    Dosages stay centred on each population's means, and the responses are centred in it too: a
    difference of allele frequency between populations is no evidence about a variant. This is the
    same as an intercept for each population.

    Attributes
    ----------
    samples : the populations, none of them without people.
    """

    samples: tuple[Sample, ...]

    @classmethod
    def gather(cls, *samples: Sample) -> Pool:
        """Return the pool of those samples that have people, none of them twice."""
        kept: list[Sample] = []
        for one in samples:
            if one.n and not any(one is other for other in kept):
                kept.append(one)
        return cls(tuple(kept))

    @property
    def n(self) -> int:
        """Number of people."""
        return sum(one.n for one in self.samples)

    @property
    def n_variants(self) -> int:
        """Number of variants."""
        return len(self.samples[0].means)

    @cached_property
    def labels(self) -> Int8[np.ndarray, " n"]:
        """1 case, 0 control."""
        return np.concatenate([one.labels for one in self.samples])

    @cached_property
    def group(self) -> Int64[np.ndarray, " n"]:
        """Position of each person's population in `samples`."""
        return np.repeat(np.arange(len(self.samples)), [one.n for one in self.samples])

    @cached_property
    def variances(self) -> Float64[np.ndarray, " n_variants"]:
        """Variance of each dosage within the populations; 0 where it is below `LEAST_VARIANCE`."""
        squares = np.zeros(self.n_variants)
        for one in self.samples:
            squares += np.einsum("ij,ij->j", one.dosages, one.dosages)
        squares /= self.n
        return np.where(squares < LEAST_VARIANCE, 0.0, squares)

    @property
    def scales(self) -> Float64[np.ndarray, " n_variants"]:
        """Factors that give each dosage the standard deviation 1; 0 for monomorphic variants."""
        return invert(np.sqrt(self.variances))

    @property
    def responses(self) -> Float32[np.ndarray, " n"]:
        """Labels less the share of cases in the person's population."""
        return np.concatenate([one.residuals for one in self.samples])

    def multiply(self, responses: Float32[np.ndarray, "n k"]) -> Float32[np.ndarray, "n_variants k"]:
        """Return the sums over people of dosage times response."""
        total = np.zeros((self.n_variants, responses.shape[1]), dtype=np.float32)
        for number, one in enumerate(self.samples):
            total += one.dosages.T @ responses[self.group == number]
        return total

    def take(self, columns: Int64[np.ndarray, " k"]) -> Float32[np.ndarray, "n k"]:
        """Return the centred dosages of some variants, column by column in memory."""
        return np.asfortranarray(np.concatenate([one.dosages[:, columns] for one in self.samples]))

    def deal_folds(self, n_folds: int, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
        """Return each person's fold; cases and controls of each population are spread evenly.

        The folds are the same when cases and controls change places.
        """
        fold = np.empty(self.n, dtype=np.int64)
        turn = rng.random(self.n)
        for stratum in np.unique(2 * self.group + self.labels):
            members = np.flatnonzero(2 * self.group + self.labels == stratum)
            fold[members[np.argsort(turn[members])]] = np.arange(len(members)) % n_folds
        return fold

    def leave_out(self, fold: Int64[np.ndarray, " n"], n_folds: int) -> Float32[np.ndarray, "n k"]:
        """Return the responses without each fold in turn, and in the last column those of everyone.

        A person left out has the response 0; the others are centred without them, so that sums of
        products with dosages centred on everyone are those of the people kept.
        """
        kept = np.ones((self.n, n_folds + 1), dtype=bool)
        kept[np.arange(self.n), fold] = False
        out = np.zeros(kept.shape, dtype=np.float32)
        for number in range(len(self.samples)):
            ours = self.group == number
            share = (kept & ours[:, None] & (self.labels == 1)[:, None]).sum(axis=0)
            share = share / np.maximum((kept & ours[:, None]).sum(axis=0), 1)
            out[ours] = self.labels[ours, None] - share
        return np.where(kept, out, np.float32(0))

    def correlate(self, responses: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, "n_variants k"]:
        """Return the correlation of each dosage with each response; 0 where either does not vary.

        Parameters
        ----------
        responses : as of `leave_out`; a person whose response is 0 exactly is not counted.
        """
        counted = (responses != 0).sum(axis=0)
        sizes = np.sqrt(counted * (responses.astype(np.float64) ** 2).sum(axis=0))
        found = self.multiply(responses) * self.scales[:, None] * invert(sizes)
        return np.asarray(np.clip(found, -1, 1), dtype=np.float64)


def invert(values: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
    """Return 1 / values, and 0 where they are 0."""
    out = np.zeros(values.shape)
    np.divide(1.0, values, out=out, where=values > 0)
    return out


def measure_aucs(
    labels: Int8[np.ndarray, " n"], scores: Float64[np.ndarray, "n k"]
) -> Float64[np.ndarray, " k"]:
    """Return the area under the ROC curve of each column; 1/2 when a class is absent."""
    cases = labels == 1
    n_cases, n_controls = int(cases.sum()), int((~cases).sum())
    if not n_cases or not n_controls:
        return np.full(scores.shape[1], 0.5)
    ranks = rankdata(scores, axis=0)[cases].sum(axis=0)
    return np.asarray((ranks - n_cases * (n_cases + 1) / 2) / (n_cases * n_controls), dtype=np.float64)
