"""Lasso and elastic net: many variants at once, most of them with no effect."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64, Int64
from sklearn.linear_model import enet_path

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.pool import Pool


class ElasticNetScore(PolygenicScore):
    """Least squares on standardised dosages with a penalty on the effects' sizes and squares.

    Both populations together, with an intercept for each. The variants of the largest marginal
    correlations enter; the penalty is that of the least squared error in people left out in turn,
    with the variants chosen anew without them.

    Parameters
    ----------
    l1_ratio : share of the penalty on the sizes, above 0 to 1; the rest is on the squares.
    n_screened : number of variants that enter.
    n_penalties : number of penalties tried.
    smallest : the least penalty tried, as a share of the one at which every effect is 0.
    n_folds : number of parts the people are divided into.
    random_state : seed of that division.

    Notes
    -----
    scikit-learn's coordinate descent, because it is there already. celer 0.7.4 (BSD), made for long
    lasso paths, fits the locked versions and gives the same effects, but brings libsvmdata and
    download (data sets from the web), seaborn, xarray and tqdm with it.

    Source
    ------
    Tibshirani 1996, J R Stat Soc B 58:267; Zou and Hastie 2005, J R Stat Soc B 67:301; for
    screening, Fan and Lv 2008, J R Stat Soc B 70:849; Privé et al. 2019, Genetics 212:65.
    """

    def __init__(
        self,
        l1_ratio: float = 0.5,
        n_screened: int = 2000,
        n_penalties: int = 20,
        smallest: float = 0.2,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.n_screened = n_screened
        self.n_penalties = n_penalties
        self.smallest = smallest
        self.n_folds = n_folds
        self.random_state = random_state

    @property
    def _l1_ratio(self) -> float:
        return self.l1_ratio

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        people = Pool.gather(source, target)
        fold = people.deal_folds(self.n_folds, np.random.default_rng(self.random_state))
        responses = people.leave_out(fold, self.n_folds)
        correlations = people.correlate(responses)
        largest = float(np.abs(correlations[:, -1]).max()) * float(responses[:, -1].std())
        effects = np.zeros(people.n_variants)
        if largest <= 0:
            return effects
        penalties = largest / self._l1_ratio * np.geomspace(1, self.smallest, self.n_penalties)
        errors = np.zeros(self.n_penalties)
        for number in range(self.n_folds):
            columns = self._screen(correlations[:, number])
            dosages = self._standardise(people, columns)
            kept = fold != number
            found = self._fit_path(dosages[kept], responses[kept, number], penalties)
            errors += ((responses[~kept, -1:] - dosages[~kept] @ found) ** 2).sum(axis=0)
        self.penalty_ = float(penalties[int(np.argmin(errors))])
        columns = self._screen(correlations[:, -1])
        found = self._fit_path(
            self._standardise(people, columns),
            responses[:, -1],
            penalties[: int(np.argmin(errors)) + 1],
        )
        effects[columns] = found[:, -1] * people.scales[columns]
        return effects

    def _screen(self, correlations: Float64[np.ndarray, " n_variants"]) -> Int64[np.ndarray, " k"]:
        strengths = np.abs(correlations)
        number = min(self.n_screened, len(strengths))
        columns = np.sort(np.argpartition(-strengths, number - 1)[:number])
        return np.asarray(columns[strengths[columns] > 0])

    def _standardise(self, people: Pool, columns: Int64[np.ndarray, " k"]) -> Float32[np.ndarray, "n k"]:
        return np.asarray(people.take(columns) * people.scales[columns].astype(np.float32))

    def _fit_path(
        self,
        dosages: Float32[np.ndarray, "n k"],
        responses: Float32[np.ndarray, " n"],
        penalties: Float64[np.ndarray, " p"],
    ) -> Float32[np.ndarray, "k p"]:
        """Return the effects of standardised dosages at each penalty, the largest first."""
        if not dosages.shape[1]:
            return np.zeros((0, len(penalties)), dtype=np.float32)
        found = enet_path(
            np.asfortranarray(dosages),
            responses,
            l1_ratio=self._l1_ratio,
            alphas=penalties.astype(np.float32),
            precompute=False,
            tol=1e-4,
            max_iter=10_000,
        )
        return np.asarray(found[1], dtype=np.float32)


class LassoScore(ElasticNetScore):
    """Least squares on standardised dosages with a penalty on the effects' sizes.

    As `ElasticNetScore` with ``l1_ratio`` 1.

    Parameters
    ----------
    n_screened, n_penalties, smallest, n_folds, random_state : see `ElasticNetScore`.
    """

    def __init__(
        self,
        n_screened: int = 2000,
        n_penalties: int = 20,
        smallest: float = 0.2,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.n_screened = n_screened
        self.n_penalties = n_penalties
        self.smallest = smallest
        self.n_folds = n_folds
        self.random_state = random_state

    @property
    def _l1_ratio(self) -> float:
        return 1.0
