"""A search led by Optuna, of the optional extra `tuning`: each trial learns from those before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from genotransfer.comparison.folds import Indices
from genotransfer.comparison.settings import Scoring, Span, Value
from genotransfer.errors import StudyError


class BayesSearch(BaseEstimator):  # type: ignore[misc]
    """Search settings with Optuna's tree-structured Parzen estimator, and fit the best to all people.

    Parameters
    ----------
    estimator : unfitted pipeline.
    space : by step__parameter, a list of values or a span.
    iterations : settings tried.
    splits : training and test positions of the inner folds.
    scoring : scikit-learn's name of what is looked at.
    seed : of the sampler.

    Attributes
    ----------
    best_estimator_, best_score_, best_params_, cv_results_ : as of scikit-learn's searches.

    Source
    ------
    Bergstra et al. 2011, Adv Neural Inf Process Syst 24; Akiba et al. 2019, KDD 2623.
    """

    def __init__(
        self,
        estimator: Any,
        space: dict[str, list[Value] | Span],
        iterations: int,
        splits: list[tuple[Indices, Indices]],
        scoring: Scoring,
        seed: int,
    ) -> None:
        self.estimator = estimator
        self.space = space
        self.iterations = iterations
        self.splits = splits
        self.scoring = scoring
        self.seed = seed

    def fit(self, X: Any, y: Any) -> BayesSearch:
        """Search, and fit the best settings to all of X.

        Raises
        ------
        StudyError
            Optuna is not installed.
        """
        from sklearn.model_selection import cross_val_score

        optuna = import_optuna()
        tried: list[dict[str, Any]] = []
        scores: list[np.ndarray] = []

        def try_one(trial: Any) -> float:
            settings = {name: _suggest(trial, name, values) for name, values in self.space.items()}
            pipeline = clone(self.estimator).set_params(**settings)
            found = cross_val_score(pipeline, X, y, scoring=self.scoring, cv=self.splits, error_score="raise")
            tried.append(settings)
            scores.append(np.asarray(found, dtype=np.float64))
            return float(found.mean())

        sampler = optuna.samplers.TPESampler(seed=self.seed % 2**32)
        optuna.create_study(direction="maximize", sampler=sampler).optimize(try_one, self.iterations)
        means = np.array([one.mean() for one in scores])
        best = int(np.argmax(means))
        self.best_params_, self.best_score_ = tried[best], float(means[best])
        self.cv_results_ = {
            "params": tried,
            "mean_test_score": means,
            "std_test_score": np.array([one.std() for one in scores]),
            "rank_test_score": 1 + (means[None, :] > means[:, None]).sum(axis=1),
        }
        self.best_estimator_ = clone(self.estimator).set_params(**self.best_params_).fit(X, y)
        return self


def import_optuna() -> Any:
    """Return Optuna, quiet.

    Raises
    ------
    StudyError
        It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise StudyError(
            "A search of kind bayes needs Optuna, which is not installed. Install genotransfer[tuning], or search "
            "by grid or at random. The images of tasks hold no Optuna: on a cluster, and with --containers, "
            "search by grid or at random, or let Katib search."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _suggest(trial: Any, name: str, values: list[Value] | Span) -> Value:
    """Ask a trial for a value; of a list, one of its own, whatever its type."""
    if not isinstance(values, Span):
        chosen: Value = values[trial.suggest_categorical(name, list(range(len(values))))]
        return chosen
    if values.whole:
        return int(trial.suggest_int(name, int(values.low), int(values.high)))
    return float(trial.suggest_float(name, values.low, values.high, log=values.log))
