"""GBLUP: every variant has a small effect, all of one variance, found by REML."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.pool import Pool


class GblupScore(PolygenicScore):
    """Ridge regression on all variants, its penalty by restricted maximum likelihood (REML).

    The genetic values of the people of both populations are normal with covariance proportional to
    ``Z Z'``, Z being their dosages centred in each population (the first relationship matrix of
    VanRaden); the rest is independent. Each population has its intercept. The effects of the alleles
    that give the best predictor of the genetic values are those of a ridge regression whose penalty is
    the ratio of the two variances.

    Parameters
    ----------
    most : variants at most, evenly spaced: how people are related takes few of many dense variants to
        know, and time is in proportion to them.

    Attributes
    ----------
    heritability_ : share of the label's variance (0/1 scale) that the genetic values have, by REML.
    penalty_ : of the ridge regression, in squared copies.

    Source
    ------
    VanRaden 2008, J Dairy Sci 91:4414; Patterson and Thompson 1971, Biometrika 58:545 (REML); Kang
    et al. 2008, Genetics 178:1709 (by eigenvalues).
    """

    def __init__(self, most: int = 20_000) -> None:
        self.most = most

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        n_variants = source.dosages.shape[1]
        if n_variants <= self.most:
            return self._learn_all(source, target)
        used = np.linspace(0, n_variants - 1, self.most).round().astype(np.int64)
        effects = np.zeros(n_variants)
        effects[used] = self._learn_all(
            *(Sample(one.dosages[:, used], one.labels, one.means[used]) for one in (source, target))
        )
        return effects

    def _learn_all(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        people = Pool.gather(source, target)
        total = float(people.variances.sum())
        responses = people.responses.astype(np.float64)
        if total <= 0 or not responses.any():
            self.heritability_, self.penalty_ = 0.0, np.inf
            return np.zeros(people.n_variants)
        relationship = _relate(people) / total
        # Centring left each population's intercept with the eigenvalue 0. REML goes without them; at -1
        # they come first, apart from any other direction of eigenvalue 0.
        for number, one in enumerate(people.samples):
            ours = people.group == number
            relationship[np.ix_(ours, ours)] -= 1 / one.n
        values, vectors = eigh(relationship, overwrite_a=True, check_finite=False)
        n_free = people.n - len(people.samples)
        values = np.maximum(values[-n_free:], 0)
        self.heritability_ = estimate_heritability(values, vectors[:, -n_free:].T @ responses)
        if self.heritability_ <= 0:
            self.penalty_ = np.inf
            return np.zeros(people.n_variants)
        ratio = (1 - self.heritability_) / self.heritability_
        self.penalty_ = ratio * total
        turned = (vectors[:, -n_free:].T @ responses) / (values + ratio) / total
        weights = (vectors[:, -n_free:] @ turned).astype(np.float32)
        return people.multiply(weights[:, None])[:, 0].astype(np.float64)


def estimate_heritability(values: Float64[np.ndarray, " k"], turned: Float64[np.ndarray, " k"]) -> float:
    """Return the share of variance that is genetic, by REML.

    Parameters
    ----------
    values : eigenvalues of the relationship matrix without the intercepts' directions; of mean about 1.
    turned : the responses along the eigenvectors.

    Returns
    -------
    0 to .999; 0 when no share above it has the larger likelihood.
    """

    def lose(share: float) -> float:
        spread = share * values + (1 - share)
        return float(np.log(spread).sum() + len(values) * np.log(np.mean(turned**2 / spread)))

    # The likelihood may have two tops: a coarse grid first.
    grid = np.append(0.0, np.geomspace(1e-3, 0.999, 40))
    losses = [lose(share) for share in grid]
    at = int(np.argmin(losses))
    if at == 0:
        return 0.0
    found = minimize_scalar(
        lose, bounds=(grid[at - 1], grid[min(at + 1, len(grid) - 1)]), method="bounded",
        options={"xatol": 1e-6},
    )  # fmt: skip
    return float(found.x if found.fun < losses[at] else grid[at])


def _relate(people: Pool) -> Float64[np.ndarray, "n n"]:
    """Return Z Z' of the people, Z being the centred dosages."""
    blocks = [
        [one.dosages @ other.dosages.T if place <= after else None for after, other in enumerate(people.samples)]
        for place, one in enumerate(people.samples)
    ]  # fmt: skip
    for place, row in enumerate(blocks):
        for after in range(place):
            row[after] = blocks[after][place].T  # type: ignore[union-attr]
    return np.block(blocks).astype(np.float64)  # type: ignore[arg-type]
