"""Predictors: fitted models with the variants they read, from dosages to a score of being a case."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, Int8

from genotransfer.models.classical import score_cases
from genotransfer.models.standardise import Standardiser

ROWS_AT_ONCE = 2048
# What a layer may put out at once: 128 MiB.
MOST_VALUES = 1 << 25
VARIANT_COLUMNS = ["id", "counted", "other"]


@dataclass(frozen=True, eq=False)
class Predictor(ABC):
    """A fitted model, ready for dosages of its variants.

    Attributes
    ----------
    variants : one row a variant, in the order the model reads them: id, counted, other (str).
        Dosages count copies of ``counted``.
    standardiser : of the dosages, from the split the model was trained on.
    """

    kind: ClassVar[str]
    variants: pd.DataFrame = field(repr=False)
    standardiser: Standardiser = field(repr=False)

    def score(
        self, dosages: Int8[np.ndarray, "n_samples n_variants"] | Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return each sample's score of being a case, 0 to 1; a case is predicted above .5.

        Parameters
        ----------
        dosages : 0 to 2 copies of the counted allele of `variants`, in their order; -1 or NaN missing.

        Raises
        ------
        AlignmentError
            The number of variants is not the model's.
        """
        scores = np.empty(len(dosages), dtype=np.float64)
        # At least one round, so that dosages of no samples are still checked for their width.
        for start in range(0, max(len(dosages), 1), ROWS_AT_ONCE):
            values = self.standardiser.transform(dosages[start : start + ROWS_AT_ONCE])
            if len(values):
                scores[start : start + ROWS_AT_ONCE] = self.score_values(values)
        return scores

    @abstractmethod
    def score_values(
        self, values: Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return scores from standardised dosages."""


@dataclass(frozen=True, eq=False)
class ClassicalPredictor(Predictor):
    """One of the five classical classifiers, on standardised dosages."""

    kind: ClassVar[str] = "classical"
    classifier: str
    estimator: Any = field(repr=False)

    def score_values(
        self, values: Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return scores from standardised dosages."""
        return score_cases(self.estimator, values)


@dataclass(frozen=True, eq=False)
class NetworkPredictor(Predictor):
    """A neural network, on standardised dosages."""

    kind: ClassVar[str] = "network"
    network: str
    window: int | None
    model: Any = field(repr=False)

    def score_values(
        self, values: Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return scores from standardised dosages."""
        from genotransfer.training.forward import score_logits

        return score_logits(_run_to(self.model, self.model.get_layer("logits").output, values))


@dataclass(frozen=True, eq=False)
class FeaturePredictor(Predictor):
    """A classical classifier on the last hidden layer of a frozen network."""

    kind: ClassVar[str] = "feature"
    network: str
    window: int | None
    model: Any = field(repr=False)
    classifier: str
    estimator: Any = field(repr=False)

    def score_values(
        self, values: Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return scores from standardised dosages."""
        from genotransfer.models.networks import list_trainable

        features = _run_to(self.model, list_trainable(self.model)[-2].last.output, values)
        return score_cases(self.estimator, features)


@dataclass(frozen=True, eq=False)
class ScorePredictor(Predictor):
    """A polygenic score: log odds as a sum over dosages, centred on the target's means.

    Attributes
    ----------
    score_name : of the score's method, e.g. ``susie_joint``.
    effects : float64 (n_variants,); change of the log odds with each copy of the counted allele.
    constant : log odds of a person with mean dosages.
    """

    kind: ClassVar[str] = "score"
    score_name: str
    effects: Float64[np.ndarray, " n_variants"] = field(repr=False)
    constant: float

    def score_values(
        self, values: Float32[np.ndarray, "n_samples n_variants"]
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return scores from centred dosages."""
        from scipy.special import expit

        return np.asarray(expit(values.astype(np.float64) @ self.effects + self.constant))


def _run_to(model: Any, output: Any, values: Float32[np.ndarray, "n k"]) -> Float32[np.ndarray, "n m"]:
    import keras

    run = keras.Model(model.input, output)
    # What convolutions put out of all rows at once could fill the memory.
    widest = max(math.prod(layer.output.shape[1:]) for layer in run.layers)
    rows = max(MOST_VALUES // widest, 1)
    starts = range(0, max(len(values), 1), rows)
    return np.concatenate([np.asarray(run(values[start : start + rows], training=False)) for start in starts])
