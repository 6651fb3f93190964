"""A score that somebody has published, its weights as they are: only its slope and intercept are learnt.

Source: Lambert et al. 2021, Nat Genet 53:420 (the PGS Catalog).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64
from sklearn.utils.validation import validate_data

from genotransfer.errors import StudyError
from genotransfer.scores.base import PolygenicScore, Sample, take_sample
from genotransfer.scores.from_summary import calibrate_target


class ReadyScore(PolygenicScore):
    """A sum of given weights, brought to the log odds of a person of the target.

    Parameters
    ----------
    weights : float (n_variants,); of one copy of each counted allele, in the order of the dosages'
        columns: beta of `genotransfer.summary.align_statistics`, for a file of the PGS Catalog.
    """

    def __init__(self, weights: Any = None) -> None:
        self.weights = weights

    def fit(self, X: Any, y: Any, target: Any = None) -> ReadyScore:
        """Find the slope and the intercept on people of the target.

        Parameters
        ----------
        X, y, target : as in `PolygenicScore.fit`; people of the source are left aside.

        Raises
        ------
        StudyError
            There is one class only among people of the target, or not one weight for each variant.
        """
        X, y = validate_data(self, X, y, dtype=np.float32)
        if target is not None and np.any(target):
            X, y = X[np.asarray(target, dtype=bool)], y[np.asarray(target, dtype=bool)]
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) != 2:
            raise StudyError(
                f"A score needs cases and controls to be adapted to; the {len(y)} people of the target have "
                f"{len(self.classes_)} class(es). Give people of both."
            )
        return self.fit_people(take_sample(X, labels.astype(np.int8), np.ones(len(y), dtype=bool)))

    def fit_people(self, people: Sample) -> ReadyScore:
        """Find the slope and the intercept on people of the target, prepared once for several scores."""
        self.n_features_in_ = people.dosages.shape[1]
        self.classes_ = getattr(self, "classes_", np.array([0, 1]))
        self.coef_, self.intercept_ = calibrate_target(self._learn_effects(people, people), people)
        self.source_intercept_ = self.intercept_
        return self

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        return check_weights(self.weights, target)


def check_weights(weights: Any, people: Sample) -> Float64[np.ndarray, " n_variants"]:
    """Return weights as numbers, one for each variant of the people's dosages.

    Raises
    ------
    StudyError
        There are more or fewer of them, or one is no finite number.
    """
    numbers = np.asarray([] if weights is None else weights, dtype=np.float64)
    m = people.dosages.shape[1]
    if numbers.shape != (m,) or not np.isfinite(numbers).all():
        raise StudyError(
            f"The score has {numbers.size} weights for {m} variants. Align the score to the genotypes, "
            "and give the dosages of the variants they have in common."
        )
    return numbers
