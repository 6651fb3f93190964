"""What all polygenic scores share: checks, effects from a method, and calibration on the target.

A score is ``dosages @ coef_ + intercept_``, the log odds of being a case for a person of the target.
Each method says how the effects come about; whatever their scale, one step, the same for all,
then adapts the score to the target: its slope and its intercept.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from genotransfer.errors import StudyError


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def products(self) -> Float32[np.ndarray, " n_variants"]:
        """Sum over people of dosage times residual of the label, for each variant."""
        return np.asarray(self.residuals @ self.dosages)

    @cached_property
    def squares(self) -> Float32[np.ndarray, " n_variants"]:
        """Sum over people of the squared centred dosage, for each variant."""
        return np.asarray(np.einsum("ij,ij->j", self.dosages, self.dosages))


class PolygenicScore(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the scores: a scikit-learn classifier of people of the target.

    Attributes
    ----------
    coef_ : float64 (n_variants,); change of the log odds with each copy of the counted allele.
    intercept_ : log odds of a person of the target at no copy of any allele.
    source_intercept_ : the same for a person of the source.
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
        return self.fit_samples(*(take_sample(X, labels, at) for at in (~theirs, theirs)))

    def fit_samples(self, source: Sample, target: Sample) -> PolygenicScore:
        """Learn the score from people of both populations, prepared once for several scores.

        Parameters
        ----------
        source, target : the same variants; one of them may be without people.
        """
        if not source.n:
            # Nobody counts twice: people of the target alone are the only population there is.
            source, target = target, source
        self.n_features_in_ = source.dosages.shape[1]
        self.classes_ = getattr(self, "classes_", np.array([0, 1]))
        effects = np.asarray(self._learn_effects(source, target), dtype=np.float64)
        self.coef_, intercepts = calibrate(effects, [source, target])
        self.source_intercept_, self.intercept_ = intercepts
        return self

    def recalibrate(self, factor: float, samples: list[Sample]) -> PolygenicScore:
        """Multiply the log odds by a factor, and place the intercepts anew.

        Parameters
        ----------
        factor : slope of the labels on log odds that had not seen them; below 1 for a score that
            fits the people it learnt from too well.
        samples : source and target, as in `fit_samples`. A source known by its statistics has nobody:
            its intercept keeps its distance, on the new scale, from the target's.
        """
        self.coef_ = self.coef_ * factor
        if samples[0].n:
            self.source_intercept_, self.intercept_ = place_intercepts(self.coef_, samples)
            return self
        distance = factor * (self.source_intercept_ - self.intercept_)
        [self.intercept_] = place_intercepts(self.coef_, samples[1:])
        self.source_intercept_ = self.intercept_ + distance
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
        case = (self.decision_function(X) > 0).astype(int)
        return np.asarray(self.classes_[case])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def calibrate(
    effects: Float64[np.ndarray, " n_variants"], samples: list[Sample]
) -> tuple[Float64[np.ndarray, " n_variants"], list[float]]:
    """Adapt a score to each population: return its effects on the log odds, and its intercepts.

    The slope is found in all populations by logistic regression of the label on the score, each
    with an intercept of its own, and shared; the target's few labels alone would give one that is
    mostly noise. The intercept is where the probabilities of the population's people add up to its
    cases: the score's own distribution there, which needs no labels, and the number of cases place it.

    Parameters
    ----------
    effects : of one copy of each counted allele, on any scale.
    samples : people of each population; one without people takes the intercept of the one before.
    """
    groups = [one for one in samples if one.n]
    scores = [one.dosages @ effects.astype(np.float32) for one in groups]
    spread = float(np.std(np.concatenate(scores)))
    coef = np.zeros_like(effects)
    if np.isfinite(spread) and spread > 1e-9:
        scaled = [np.asarray(one, dtype=np.float64) / spread for one in scores]
        coef = effects * (fit_slope(scaled, [one.labels for one in groups]) / spread)
    return coef, place_intercepts(coef, samples)


def place_intercepts(coef: Float64[np.ndarray, " n_variants"], samples: list[Sample]) -> list[float]:
    """Return each population's intercept, with which its probabilities add up to its cases.

    Parameters
    ----------
    coef : effects on the log odds.
    samples : people of each population; one without people takes the intercept of the one before.
    """
    intercepts: list[float] = []
    for one in samples:
        if not one.n:
            intercepts.append(intercepts[-1])
            continue
        margins = (one.dosages @ coef.astype(np.float32)).astype(np.float64)
        share = (int(one.labels.sum()) + 0.5) / (one.n + 1)
        intercepts.append(_place_intercept(margins, share) - float(one.means @ coef))
    return intercepts


def _place_intercept(margins: Float64[np.ndarray, " n"], share: float) -> float:
    """Return the constant with which the mean probability is `share`; bisection cannot fail."""
    low, high = -float(margins.max()) + logit(share) - 1, -float(margins.min()) + logit(share) + 1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(margins + middle).mean() < share else (low, middle)
    return float(low + high) / 2


def fit_slope(scores: list[np.ndarray], labels: list[np.ndarray]) -> float:
    """Return the slope, not negative, of a logistic regression with an intercept for each population.

    Parameters
    ----------
    scores, labels : of the people of each population.
    """
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


def take_sample(
    X: Float32[np.ndarray, "n n_variants"], labels: Int8[np.ndarray, " n"], at: Bool[np.ndarray, " n"]
) -> Sample:
    """Return the people of a mask as a sample of one population."""
    dosages = X[at]
    n = len(dosages)
    # Dosages are 0 to 2, so that float32 adds up those of a million people well enough to centre them.
    means = (np.ones(n, dtype=np.float32) @ dosages / np.float32(max(n, 1))).astype(np.float64)
    dosages -= means.astype(np.float32)
    return Sample(dosages, labels[at], means)
