"""What all polygenic scores share: checks, effects from a method, and calibration on the target.

A score is ``dosages @ coef_ + intercept_``, the log odds of being a case for a person of the target.
Each method says how the effects come about; whatever their scale, one step, the same for all,
then adapts the score to the target: its slope and its intercept.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from genotransfer.errors import StudyError


@dataclass(frozen=True)
class Sample:
    """The people of one population that a score learns from.

    Attributes
    ----------
    dosages : float32 (n_samples, n_variants), centred on `means`.
    labels : int8 (n_samples,); 1 case, 0 control.
    means : float64 (n_variants,); mean dosage of each variant in these people.
    """

    dosages: Float32[np.ndarray, "n_samples n_variants"]
    labels: Int8[np.ndarray, " n_samples"]
    means: Float64[np.ndarray, " n_variants"]

    @property
    def n(self) -> int:
        """Number of people."""
        return len(self.labels)

    @property
    def residuals(self) -> Float32[np.ndarray, " n_samples"]:
        """Labels less the share of cases."""
        return (self.labels - self.labels.mean()).astype(np.float32) if self.n else np.empty(0, np.float32)


class PolygenicScore(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the scores: a scikit-learn classifier of people of the target.

    Attributes
    ----------
    coef_ : float64 (n_variants,); change of the log odds with each copy of the counted allele.
    intercept_ : log odds at no copy of any allele.
    classes_ : 0 control, 1 case.
    """

    @abstractmethod
    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        """Return the effect of one copy of each counted allele, on any scale that is the same for all."""

    def fit(self, X: Any, y: Any, target: Any = None) -> PolygenicScore:
        """Learn the score from people of both populations.

        Parameters
        ----------
        X : float32 (n_samples, n_variants); copies of the counted allele, 0 to 2, none missing.
        y : (n_samples,); two classes, the second in order being the cases.
        target : bool (n_samples,); True for people of the target. When None all are of the source,
            and stand for the target too.

        Raises
        ------
        StudyError
            There is one class only, or a mask of another length.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise StudyError(
                f"A score needs cases and controls to learn from; the {len(y)} samples have "
                f"{len(self.classes_)} class(es). Change the split's sizes, the phenotype or the seed."
            )
        theirs = np.zeros(len(y), dtype=bool) if target is None else np.asarray(target, dtype=bool)
        if theirs.shape != (len(y),):
            raise StudyError(f"`target` has {theirs.size} values for {len(y)} samples. Give one for each.")
        labels = labels.astype(np.int8)
        source, ours = (_take(X, labels, at) for at in (~theirs, theirs))
        effects = np.asarray(self._learn_effects(source, ours), dtype=np.float64)
        self.coef_, self.intercept_ = calibrate(effects, ours if ours.n else source, source)
        return self

    def decision_function(self, X: Any) -> Float64[np.ndarray, " n_samples"]:
        """Return the log odds of being a case.

        Parameters
        ----------
        X : (n_samples, n_variants); copies of the counted allele.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        return np.asarray(X @ self.coef_ + self.intercept_, dtype=np.float64)

    def predict_proba(self, X: Any) -> Float64[np.ndarray, "n_samples 2"]:
        """Return the probability of control and case."""
        case = expit(self.decision_function(X))
        return np.column_stack([1 - case, case])

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of each person."""
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])


def calibrate(
    effects: Float64[np.ndarray, " n_variants"], target: Sample, source: Sample
) -> tuple[Float64[np.ndarray, " n_variants"], float]:
    """Adapt a score to the target: return its effects on the log odds, and its intercept there.

    The slope is found in both populations by logistic regression of the label on the score, each
    with an intercept of its own, and carried over; the target's few labels alone would give one that
    is mostly noise. The intercept is where as many are above 1/2 as there are cases in the target:
    the score's own distribution there, which needs no labels, and the share of cases, which needs one
    number, place it much better than a regression on the labels would.

    Parameters
    ----------
    effects : of one copy of each counted allele, on any scale.
    target, source : people of both populations. A target without people takes the source's place.
    """
    groups = [one for one in (source, target) if one.n]
    scores = [one.dosages @ effects.astype(np.float32) for one in groups]
    spread = float(np.std(np.concatenate(scores)))
    place = groups.index(target)
    share = (target.labels.sum() + 0.5) / (target.n + 1)
    if not np.isfinite(spread) or spread < 1e-9:
        return np.zeros_like(effects), float(logit(share))
    scaled = [np.asarray(one, dtype=np.float64) / spread for one in scores]
    slope = _fit_slope(scaled, [one.labels for one in groups])
    cut = float(np.quantile(scaled[place], 1 - share, method="median_unbiased"))
    coef = effects * (slope / spread)
    return coef, float(-slope * cut - target.means @ coef)


def _fit_slope(scores: list[np.ndarray], labels: list[np.ndarray]) -> float:
    """Return the slope, not negative, of a logistic regression with an intercept for each population."""
    x = np.concatenate(scores)
    y = np.concatenate(labels).astype(np.float64)
    group = np.repeat(np.arange(len(scores)), [len(one) for one in scores])
    design = np.column_stack([x, *(group == number for number in range(len(scores)))]).astype(np.float64)
    # A normal prior of sd 5 keeps a score that parts cases from controls finite.
    penalty = np.diag([0.04, *([1e-6] * len(scores))])
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        p = expit(design @ beta)
        weight = np.maximum(p * (1 - p), 1e-9)
        step = np.linalg.solve(
            design.T @ (design * weight[:, None]) + penalty, design.T @ (y - p) - penalty @ beta
        )
        beta += np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-8:
            break
    return max(float(beta[0]), 0.0)


def _take(
    X: Float32[np.ndarray, "n m"], labels: Int8[np.ndarray, " n"], at: Bool[np.ndarray, " n"]
) -> Sample:
    dosages = X[at]
    means = dosages.mean(axis=0, dtype=np.float64) if len(dosages) else np.zeros(X.shape[1])
    return Sample(dosages - means.astype(np.float32), labels[at], means)
