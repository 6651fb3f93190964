"""What is explained of each kind of model: a number a person, from standardised dosages, and its gradient.

Networks and polygenic scores are explained on the log odds of being a case, a support vector machine on
its decision function, ensembles of trees and single trees on the share of votes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from genotransfer.errors import StudyError
from genotransfer.models.predictors import (
    ClassicalPredictor,
    FeaturePredictor,
    NetworkPredictor,
    Predictor,
    ScorePredictor,
)

Values = Float32[np.ndarray, "n_samples n_variants"]
Output = Callable[[Values], Float64[np.ndarray, " n_samples"]]
Gradient = Callable[[Values], Float64[np.ndarray, "n_samples n_variants"]]

# Numbers of a block of rows; 64 MiB of float32.
MOST_NUMBERS = 1 << 24


def take_output(predictor: Predictor) -> Output:
    """Return the function of standardised dosages that a predictor is explained by.

    Raises
    ------
    StudyError
        The predictor is of an unknown kind.
    """
    if isinstance(predictor, ScorePredictor):
        effects, constant = predictor.effects, predictor.constant
        return lambda values: np.asarray(values.astype(np.float64) @ effects + constant)
    if isinstance(predictor, ClassicalPredictor):
        return _take_classifier(predictor.estimator)
    if isinstance(predictor, NetworkPredictor):
        run = run_to(_take_logits(predictor))

        def subtract(values: Values) -> Float64[np.ndarray, " n_samples"]:
            logits = run(values).astype(np.float64)
            return np.asarray(logits[:, 1] - logits[:, 0])

        return subtract
    if isinstance(predictor, FeaturePredictor):
        hidden, head = run_to(take_features(predictor)), _take_classifier(predictor.estimator)
        return lambda values: head(hidden(values))
    raise StudyError(f"A model of kind {predictor.kind!r} cannot be explained. Name another method.")


def take_gradient(predictor: Predictor) -> Gradient | None:
    """Return the gradient of `take_output` by each standardised dosage; None where there is none: trees."""
    if isinstance(predictor, ScorePredictor):
        effects = predictor.effects
        return lambda values: np.broadcast_to(effects, values.shape)
    if isinstance(predictor, NetworkPredictor):
        return _differentiate(_take_logits(predictor), lambda logits: np.array([[-1.0, 1.0]]))
    if not is_svm(predictor):
        return None
    assert isinstance(predictor, ClassicalPredictor | FeaturePredictor)
    machine = predictor.estimator
    if isinstance(predictor, ClassicalPredictor):
        return lambda values: differentiate_svm(machine, values)
    return _differentiate(take_features(predictor), lambda features: differentiate_svm(machine, features))


def is_svm(predictor: Predictor) -> bool:
    """Say whether a predictor decides by a support vector machine of a radial kernel."""
    return _is_radial(getattr(predictor, "estimator", None))


def take_features(predictor: FeaturePredictor) -> Any:
    """Return the network up to its last hidden layer, a Keras model."""
    from genotransfer.models.networks import last_hidden_model

    return last_hidden_model(predictor.model)


def _take_logits(predictor: NetworkPredictor) -> Any:
    import keras

    return keras.Model(predictor.model.input, predictor.model.get_layer("logits").output)


def run_to(part: Any) -> Callable[[Values], Float32[np.ndarray, "n k"]]:
    """Return a function from standardised dosages to what a Keras model puts out, in blocks of rows."""

    def run(values: Values) -> Float32[np.ndarray, "n k"]:
        blocks = [
            np.asarray(part(values[rows], training=False))
            for rows in split_rows(len(values), values.shape[1])
        ]
        return np.concatenate(blocks)

    return run


def split_rows(n_rows: int, width: int) -> list[slice]:
    """Return slices of rows, each of at most `MOST_NUMBERS` numbers; at least one."""
    size = max(MOST_NUMBERS // max(width, 1), 1)
    return [slice(start, start + size) for start in range(0, max(n_rows, 1), size)]


def decide_svm(machine: Any, values: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
    """Return a radial support vector machine's decision function, f(x) = sum_i a_i exp(-g |x - s_i|^2) + b.

    It is scikit-learn's ``decision_function``, by products of matrices, which are an order of magnitude
    faster than the library behind it.
    """
    return np.asarray(_weigh_vectors(machine, values).sum(axis=1) + machine.intercept_[0])


def differentiate_svm(machine: Any, values: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
    """Return the gradient of `decide_svm`: -2 g sum_i a_i exp(-g |x - s_i|^2) (x - s_i)."""
    weights = _weigh_vectors(machine, values)
    pull = weights.sum(axis=1)[:, None] * values - weights @ machine.support_vectors_
    return np.asarray(-2 * float(machine._gamma) * pull)


def _weigh_vectors(machine: Any, values: Float32[np.ndarray, "n k"]) -> Float64[np.ndarray, "n s"]:
    """Return a_i exp(-g |x - s_i|^2) of each person and support vector."""
    vectors = np.asarray(machine.support_vectors_, dtype=np.float64)
    x = values.astype(np.float64)
    distance = (x**2).sum(axis=1)[:, None] - 2 * x @ vectors.T + (vectors**2).sum(axis=1)
    return np.asarray(machine.dual_coef_[0] * np.exp(-float(machine._gamma) * np.maximum(distance, 0)))


def _is_radial(estimator: Any) -> bool:
    return getattr(estimator, "kernel", None) == "rbf"


def _take_classifier(estimator: Any) -> Callable[[np.ndarray], Float64[np.ndarray, " n"]]:
    if _is_radial(estimator):
        return lambda values: np.concatenate(
            [decide_svm(estimator, values[rows]) for rows in split_rows(len(values), values.shape[1])]
        )
    return lambda values: np.asarray(estimator.predict_proba(values)[:, 1], dtype=np.float64)


def _differentiate(part: Any, weigh: Callable[[np.ndarray], np.ndarray]) -> Gradient:
    """Return the gradient of a sum over a model's outputs, with weights that may depend on them."""
    import tensorflow as tf

    def differentiate(values: Values) -> Float64[np.ndarray, "n_samples n_variants"]:
        found = np.empty(values.shape, dtype=np.float64)
        for rows in split_rows(len(values), 4 * values.shape[1]):
            dosages = tf.constant(values[rows])
            with tf.GradientTape() as tape:
                tape.watch(dosages)
                told = part(dosages, training=False)
            weights = np.broadcast_to(weigh(told.numpy()), told.shape).astype(np.float32)
            found[rows] = tape.gradient(told, dosages, output_gradients=tf.constant(weights)).numpy()
        return found

    return differentiate
