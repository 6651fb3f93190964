"""The measures of importance, and which of them a model allows."""

from __future__ import annotations

from collections.abc import Sequence

from genotransfer.interpretation.activation import has_convolution
from genotransfer.interpretation.inherent import measure_coefficients, measure_impurity, read_impurity
from genotransfer.interpretation.outputs import take_gradient
from genotransfer.models.predictors import FeaturePredictor, Predictor

# The one that ranks a model's variants comes first: the first that the model has.
KINDS = (
    "pursuit",
    "pattern",
    "expected_gradients",
    "impurity",
    "carried_impurity",
    "integrated_gradients",
    "activation",
    "coefficient",
    "permutation_change",
    "permutation_loss",
)
EVERY_MODELS = ("pursuit", "pattern", "permutation_change", "permutation_loss")


def list_kinds(predictors: Sequence[Predictor], asked: Sequence[str] | None = None) -> list[str]:
    """Return the measures that every one of some models allows, whether or not they find anything.

    Parameters
    ----------
    asked : measures; all when None.
    """
    return [
        kind
        for kind in KINDS
        if (asked is None or kind in asked) and all(_allows(one, kind) for one in predictors)
    ]


def _allows(predictor: Predictor, kind: str) -> bool:
    if kind in EVERY_MODELS:
        return True
    if kind in ("expected_gradients", "integrated_gradients"):
        return take_gradient(predictor) is not None
    if kind == "impurity":
        return measure_impurity(predictor) is not None
    if kind == "carried_impurity":
        return isinstance(predictor, FeaturePredictor) and read_impurity(predictor.estimator) is not None
    if kind == "activation":
        return has_convolution(predictor)
    return measure_coefficients(predictor) is not None
