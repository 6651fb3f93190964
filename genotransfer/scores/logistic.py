"""Penalised logistic regression on the variants most associated in the source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.linear_model import LogisticRegression

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.clumping import clump
from genotransfer.scores.pool import Pool

# Penalties tried, as the variance of the normal prior of an effect (scikit-learn's C).
PRIOR_VARIANCES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
INDICATOR = 100.0


class LogisticScore(PolygenicScore):
    """Logistic regression with a penalty on squared effects, on people of both populations.

    The variants are the strongest in the source after clumping, their dosages on the scale of the
    source's standard deviation; each population has its intercept. Their number
    and the penalty are those of the least log loss in people left out in turn. The variants are
    chosen anew without them: chosen with them, the variants would look better than they are, and the
    penalty would come out too small.

    Parameters
    ----------
    sizes : numbers of variants; each is tried.
    r2 : squared correlation in the source, from which on the weaker of two variants is left out.
    distance : number of columns within which that counts. Columns are in the genome's order.
    n_folds : number of parts the people are divided into.
    random_state : seed of that division.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (5, 10, 30, 100),
        r2: float = 0.3,
        distance: int = 500,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.sizes = sizes
        self.r2 = r2
        self.distance = distance
        self.n_folds = n_folds
        self.random_state = random_state

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        first = Pool.gather(source if source.n else target)
        people = Pool.gather(source, target)
        fold = people.deal_folds(self.n_folds, np.random.default_rng(self.random_state))
        responses = people.leave_out(fold, self.n_folds)
        correlations = first.correlate(responses[: first.n])
        losses = np.zeros((len(self.sizes), len(PRIOR_VARIANCES)))
        for number in range(self.n_folds):
            kept = fold != number
            if len(np.unique(people.labels[kept])) < 2:
                continue
            signs = np.where(people.labels[~kept] == 1, -1, 1)
            for place, columns in enumerate(self._choose(first, correlations[:, number])):
                found = self._fit(people, columns, first.scales[columns], kept, PRIOR_VARIANCES)
                losses[place] += [np.logaddexp(0, signs * margin[~kept]).sum() for _, margin in found]
        size, prior = np.unravel_index(int(np.argmin(losses)), losses.shape)
        self.prior_variance_ = PRIOR_VARIANCES[prior]
        columns = self._choose(first, correlations[:, -1])[size]
        everyone = np.ones(people.n, dtype=bool)
        scales = first.scales[columns]
        effects = np.zeros(people.n_variants)
        effects[columns] = self._fit(people, columns, scales, everyone, (self.prior_variance_,))[0][0]
        return effects

    def _choose(self, people: Pool, correlations: Float64[np.ndarray, " n_variants"]) -> list[np.ndarray]:
        """Return the strongest variants after clumping, as many as each size says."""
        strengths = np.abs(correlations)
        most = max(self.sizes)
        among = np.sort(np.argsort(-strengths, kind="stable")[: 20 * most])
        index, _ = clump(people.take(among), strengths[among], among, self.r2, self.distance, most)
        return [among[index[:size]] for size in self.sizes]

    def _map(
        self,
        values: Float64[np.ndarray, "n k"],
        group: Int64[np.ndarray, " n"],
        means: Float64[np.ndarray, "p k"],
    ) -> list[Float64[np.ndarray, "k d"]]:
        """Return, for each population, the linear map of its values to where the regression is done.

        Parameters
        ----------
        values : dosages centred in each population, over the source's standard deviations.
        group : position of each person's population.
        means : mean of each variant in each population, on the same scale.
        """
        return [np.eye(values.shape[1])] * len(means)

    def _fit(
        self,
        people: Pool,
        columns: Int64[np.ndarray, " k"],
        scales: Float64[np.ndarray, " k"],
        kept: Bool[np.ndarray, " n"],
        variances: tuple[float, ...],
    ) -> list[tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " n"]]]:
        """Return, for each penalty, the effect of a copy in the last population, and everyone's log odds.

        Parameters
        ----------
        scales : one over the standard deviation of each variant.
        kept : people to learn from.
        """
        values = people.take(columns) * scales
        means = np.array([one.means[columns] for one in people.samples]) * scales
        maps = self._map(values[kept], people.group[kept], means)
        mapped = np.empty((people.n, maps[0].shape[1] + 1))
        for number, one in enumerate(maps):
            ours = people.group == number
            mapped[ours, :-1] = values[ours] @ one
        # An intercept for each population; so large a column is hardly penalised.
        mapped[:, -1] = INDICATOR * people.group
        found = []
        for variance in variances:
            model = LogisticRegression(C=variance, solver="newton-cholesky", tol=1e-6, max_iter=200)
            model.fit(mapped[kept], people.labels[kept])
            effects = maps[-1] @ model.coef_[0, :-1] * scales
            found.append((effects, np.asarray(model.decision_function(mapped))))
        return found
