"""Importance that a fitted model holds in itself: impurity of trees, coefficients of polygenic scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.interpretation.outputs import take_features
from genotransfer.models.predictors import ClassicalPredictor, FeaturePredictor, Predictor, ScorePredictor

PEOPLE = 20


def measure_impurity(predictor: Predictor) -> Float64[np.ndarray, " n_variants"] | None:
    """Return the mean decrease of impurity at each variant's splits, summing to 1 (0 without any split).

    Of an ensemble the mean over its trees; of bagged trees each tree's, which need not see every
    variant. None for models without trees.

    Source
    ------
    Breiman et al. 1984, Classification and regression trees; scikit-learn's ``feature_importances_``.
    """
    if not isinstance(predictor, ClassicalPredictor):
        return None
    return read_impurity(predictor.estimator)


def read_impurity(estimator: Any) -> Float64[np.ndarray, " n_features"] | None:
    """Return `measure_impurity` of a scikit-learn classifier's features."""
    if hasattr(estimator, "feature_importances_"):
        return np.asarray(estimator.feature_importances_, dtype=np.float64)
    if not hasattr(estimator, "estimators_features_"):
        return None
    total = np.zeros(estimator.n_features_in_)
    for part, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        tree = part[-1] if hasattr(part, "steps") else part  # behind an under-sampler
        np.add.at(total, features, tree.feature_importances_)
    return total / len(estimator.estimators_)


def measure_coefficients(predictor: Predictor) -> Float64[np.ndarray, " n_variants"] | None:
    """Return the effect of each copy of the counted allele on the log odds; None but for polygenic scores."""
    return predictor.effects if isinstance(predictor, ScorePredictor) else None


def carry_impurity(
    predictor: Predictor, values: Float32[np.ndarray, "n_samples n_variants"]
) -> Float64[np.ndarray, " n_variants"] | None:
    """Carry the impurity of trees on a network's last hidden layer to the variants.

    Each unit's impurity, divided by the unit's standard deviation, times the mean absolute gradient of
    the unit by each variant, summed over units. None for models of another form.

    Parameters
    ----------
    values : standardised dosages of some people; the first 20 give the gradients.
    """
    impurity = read_impurity(predictor.estimator) if isinstance(predictor, FeaturePredictor) else None
    if not isinstance(predictor, FeaturePredictor) or impurity is None:
        return None
    import tensorflow as tf  # seconds, which trees on variants need not wait for

    part = take_features(predictor)
    spread = np.asarray(part(values, training=False)).std(axis=0)
    weights = np.divide(impurity, spread, out=np.zeros_like(impurity), where=spread > 0)
    dosages = tf.constant(values[:PEOPLE])
    total = np.zeros(values.shape[1])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(dosages)
        hidden = part(dosages, training=False)
        units = [hidden[:, at] for at in range(len(weights))]
    for weight, unit in zip(weights, units, strict=True):
        if weight > 0:
            total += weight * np.abs(tape.gradient(unit, dosages).numpy()).mean(axis=0)
    return total
