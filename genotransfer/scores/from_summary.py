"""Scores that learn from individual data of the source, or from its statistics alone.

Such a score asks its populations for X'y and X'X only, by the functions here, which a `Sample` and a
`SummarySample` answer alike. The target always has people: few, but they calibrate the score.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import expit
from scipy.stats import norm
from sklearn.utils.validation import validate_data

from genotransfer.errors import StudyError
from genotransfer.scores.base import PolygenicScore, Sample, place_intercepts, take_sample
from genotransfer.scores.evidence import Evidence
from genotransfer.scores.summary_sample import SummarySample

# How far the target's slope may lie from the source's: one sd, as a share of the source's.
SLOPE_DIFFERS = 0.25
# A normal prior of sd 5, per sd of the score, keeps the slope of a score that parts cases from controls finite.
WIDE = (0.0, 0.04)
# No outcome of 0 and 1 has a larger variance.
MOST_BINARY = 0.25


class SummaryScore(PolygenicScore):
    """Base of the scores that need X'y and X'X of the source, and no more.

    Attributes
    ----------
    source_only : whether the effects follow from the source alone, and the target only adapts them.
    """

    source_only = False

    def fit_summary(self, X: Any, y: Any, source: SummarySample) -> SummaryScore:
        """Learn the score from people of the target and the statistics of a study of the source.

        Parameters
        ----------
        X : float32 (n_samples, n_variants); dosages of people of the target, none missing.
        y : (n_samples,); two classes, the second in order being the cases.
        source : of the columns of `X`; see `make_summary_sample`.

        Raises
        ------
        StudyError
            There is one class only, or the source has other variants.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise StudyError(
                f"A score needs cases and controls to be adapted to; the {len(y)} samples have "
                f"{len(self.classes_)} class(es). Give people of the target of both."
            )
        if len(source.correlations) != X.shape[1]:
            raise StudyError(
                f"The statistics have {len(source.correlations)} variants, the target's people {X.shape[1]}. "
                "Align both to the same variants first."
            )
        return self.fit_statistics(
            source, take_sample(X, labels.astype(np.int8), np.ones(len(y), dtype=bool))
        )

    def fit_statistics(self, source: SummarySample, target: Sample) -> SummaryScore:
        """Learn the score from statistics of the source and people of the target, prepared once for several.

        Parameters
        ----------
        source : of the columns of the target's dosages.
        target : people of the target.
        """
        return self.adapt(self.learn_effects(source, target), source, target)

    def learn_effects(self, source: SummarySample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        """Return the effects, on any scale that is the same for all; `adapt` brings them to the target's."""
        return np.asarray(self._learn_effects(source, target), dtype=np.float64)

    def adapt(
        self, effects: Float64[np.ndarray, " n_variants"], source: SummarySample, target: Sample
    ) -> SummaryScore:
        """Find the slope and the intercepts of effects that were learnt.

        Parameters
        ----------
        effects : from `learn_effects`.
        source, target : as in `fit_statistics`.
        """
        self.n_features_in_ = len(effects)
        self.classes_ = getattr(self, "classes_", np.array([0, 1]))
        self.coef_, self.intercept_ = calibrate_target(effects, target, source)
        self.source_intercept_ = self.intercept_ + float((target.means - source.means) @ self.coef_)
        return self

    @abstractmethod
    def _learn_effects(
        self, source: Sample | SummarySample, target: Sample
    ) -> Float64[np.ndarray, " n_variants"]:
        """Return the effects, as `PolygenicScore` has it, from people or from statistics of the source."""


def get_outcome_variance(sample: Sample | SummarySample) -> float:
    """Return the outcome's variance; 0 where nobody is."""
    if isinstance(sample, SummarySample):
        return sample.outcome_variance
    return float(sample.labels.var()) if sample.n else 0.0


def make_gram(
    sample: Sample | SummarySample, variants: Int64[np.ndarray, " k"]
) -> Float64[np.ndarray, "k k"]:
    """Return X'X among some variants."""
    if isinstance(sample, SummarySample):
        return sample.gram(variants)
    columns = sample.dosages[:, variants]
    return np.asarray(columns.T @ columns, dtype=np.float64)


def scale_outcome(source: SummarySample, target: Sample) -> float:
    """Return by how much to multiply the source's outcome to have effects on the target's log odds.

    A case of the target is taken to be a person whose outcome, of variance 1 in the source, is above
    some value: an effect of b on a normal outcome is one of b phi(t) / (K (1 - K)) on the log odds, t being
    the value that a share K exceeds. 1 where the source's outcome is itself 0 or 1.

    Source: Lee et al. 2011, Am J Hum Genet 88:294 (observed and liability scale).
    """
    if source.outcome_variance <= MOST_BINARY or not target.n:
        return 1.0
    share = (int(target.labels.sum()) + 0.5) / (target.n + 1)
    return float(norm.pdf(norm.ppf(share)) / (share * (1 - share)))


def make_evidence(sample: SummarySample, variants: Int64[np.ndarray, " k"], scale: float = 1.0) -> Evidence:
    """Return what statistics say of some variants, in the form individual data are given in.

    Where X'X is a reference's, not the study's own, the residual variance is that of the outcome: what
    the reference gets wrong would else be taken for signal.

    The rows of its design are no people: they are any vectors whose products are X'X, which is all
    that a sum of single effects needs of them (SuSiE-RSS).

    Parameters
    ----------
    scale : multiplies the outcome; see `scale_outcome`.

    Source: Zou, Carbonetto, Wang & Stephens 2022, PLoS Genet 18:e1010299.
    """
    if sample.windows is None and not sample.shrinkage:
        lengths = np.sqrt(sample.n * sample.variances[variants])
        design = sample.reference[:, variants] * lengths.astype(np.float32)
    else:
        gram = sample.gram(variants)
        # Positive semi-definite but for rounding.
        gram[np.diag_indices_from(gram)] *= 1 + 1e-6
        design = np.linalg.cholesky(gram).T.astype(np.float32)
    products = sample.products[variants] * (scale / sample.outcome_variance)
    return Evidence(
        np.ascontiguousarray(design),
        products.astype(np.float32),
        sample.squares[variants].astype(np.float32),
        scale**2 * sample.n / sample.outcome_variance,
        sample.n,
        known_noise=sample.reference_error > 0,
    )


def rank_variants(
    samples: list[Sample | SummarySample], most: int
) -> tuple[Int64[np.ndarray, " k"], Float64[np.ndarray, " n_variants"]]:
    """Return the variants most associated in all populations together, ascending, and every one's z.

    Parameters
    ----------
    most : how many to return at most.
    """
    m = samples[0].squares.shape[0]
    total, information = np.zeros(m), np.zeros(m)
    for sample in samples:
        variance = get_outcome_variance(sample)
        if variance > 0:
            total += sample.products.astype(np.float64) / variance
            information += sample.squares.astype(np.float64) / variance
    z = np.divide(total, np.sqrt(information), out=np.zeros(m), where=information > 1e-9)
    strongest = np.argsort(-np.abs(z), kind="stable")[:most]
    return np.sort(strongest), z


def calibrate_target(
    effects: Float64[np.ndarray, " n_variants"], target: Sample, source: SummarySample | None = None
) -> tuple[Float64[np.ndarray, " n_variants"], float]:
    """Return the effects on the log odds of a person of the target, and the intercept.

    As `genotransfer.scores.base.calibrate`, for a source without people: what its statistics say of
    the slope is a normal prior of the target's.

    Parameters
    ----------
    effects : of one copy of each counted allele, on any scale.
    target : people of the target.
    source : None for a score of which nothing is known but its weights.
    """
    score = (target.dosages @ effects.astype(np.float32)).astype(np.float64)
    spread = float(score.std())
    coef = np.zeros_like(effects)
    if np.isfinite(spread) and spread > 1e-9:
        share = (int(target.labels.sum()) + 0.5) / (target.n + 1)
        mean, precision = WIDE if source is None else _expect_slope(effects, source, share, spread)
        coef = effects * (_fit_slope(score / spread, target.labels, mean, precision) / spread)
    return coef, place_intercepts(coef, [target])[0]


def _expect_slope(
    effects: Float64[np.ndarray, " n_variants"], source: SummarySample, share: float, spread: float
) -> tuple[float, float]:
    """Return mean and precision of the log odds ratio of a score change of `spread`.

    The first step of a logistic regression of cases, as many as in the target, on a score whose
    correlation with the outcome is the source's. Slopes are allowed to differ between populations,
    so that a study of many people does not silence the target's own.
    """
    variance = float(effects @ source.gram_times(effects)) / source.n
    if variance <= 0:
        return WIDE
    covariance = float(effects @ source.products) / source.n
    correlation = float(np.clip(covariance / np.sqrt(variance * source.outcome_variance), 0, 0.99))
    ratio = spread / np.sqrt(variance)
    outcome = share * (1 - share)
    mean = ratio * correlation / np.sqrt(outcome)
    return mean, 1 / (ratio**2 / (source.n * outcome) + (SLOPE_DIFFERS * mean) ** 2)


def _fit_slope(score: np.ndarray, labels: np.ndarray, mean: float, precision: float) -> float:
    """Return the slope, not negative, of a logistic regression with a normal prior of the slope."""
    design = np.column_stack([score, np.ones(len(score))])
    penalty, start = np.diag([precision, 1e-6]), np.array([mean, 0.0])
    beta = start.copy()
    for _ in range(50):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-9)
        pull = design.T @ (labels - p) - penalty @ (beta - start)
        step = np.linalg.solve(design.T @ (design * weight[:, None]) + penalty, pull)
        beta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return max(float(beta[0]), 0.0)
