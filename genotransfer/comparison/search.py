"""Searches of a model's settings, on folds inside the training part."""

from __future__ import annotations

from typing import Any

from genotransfer.comparison.folds import Indices
from genotransfer.comparison.settings import ComparedModel, Scoring, Span


def make_search(
    model: ComparedModel, pipeline: Any, splits: list[tuple[Indices, Indices]], scoring: Scoring, seed: int
) -> Any:
    """Return the search of a model, an estimator that fits the best settings to all it is given.

    Parameters
    ----------
    model : its settings; without a search the pipeline itself is returned.
    pipeline : from `build_pipeline`.
    splits : training and test positions inside the training part.
    scoring : scikit-learn's name of what is looked at.
    seed : of a random search.
    """
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

    search = model.search
    common = {"scoring": scoring, "cv": splits, "refit": True, "n_jobs": 1, "error_score": "raise"}
    if search.kind == "none":
        return pipeline
    if search.kind == "grid":
        return GridSearchCV(pipeline, dict(search.space), **common)
    if search.kind == "bayes":
        from genotransfer.comparison.bayes import BayesSearch

        return BayesSearch(pipeline, dict(search.space), search.iterations, splits, scoring, seed)
    space = {name: _draw_from(values) for name, values in search.space.items()}
    return RandomizedSearchCV(pipeline, space, n_iter=search.iterations, random_state=seed % 2**32, **common)


def _draw_from(values: Any) -> Any:
    from scipy import stats

    if not isinstance(values, Span):
        return values
    if values.whole:
        return stats.randint(int(values.low), int(values.high) + 1)
    kind = stats.loguniform if values.log else stats.uniform
    return kind(values.low, values.high if values.log else values.high - values.low)
