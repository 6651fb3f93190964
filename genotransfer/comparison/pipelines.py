"""A model of a comparison as one scikit-learn pipeline: all that learns is fitted where the model is.

The steps, those that a model has, in this order: `associated`, `uncorrelated` and `recursive` choose
SNPs; `imputed`, `encoded` and `scaled` make numbers of dosages; `resampled` evens out cases and
controls; `classifier` is the model. A search names parameters by them, such as
``associated__n_variants`` or ``classifier__C``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from genotransfer.comparison.bayes import import_optuna
from genotransfer.comparison.estimators import NetworkClassifier, ScoreClassifier, TransferClassifier
from genotransfer.comparison.features import AssociationSelector, CorrelationFilter
from genotransfer.comparison.settings import (
    CLASSICAL_KINDS,
    SOURCE_KINDS,
    ComparedModel,
    ComparisonStudy,
    NetworkTraining,
)
from genotransfer.comparison.source import SourceCohort
from genotransfer.errors import StudyError
from genotransfer.genotypes import MISSING
from genotransfer.randomness import derive_seed

FOREST_TREES = 200
RESAMPLERS = ("oversample", "undersample", "smote")


def build_pipeline(
    model: ComparedModel, training: NetworkTraining, seed: int, cohort: SourceCohort | None = None
) -> Any:
    """Return a model's unfitted pipeline, which takes dosages, int8 with -1 missing.

    Parameters
    ----------
    model : its settings.
    training : how networks are trained.
    seed : of all that is random in it.
    cohort : the source, for models that learn from it.

    Returns
    -------
    A pipeline of imbalanced-learn, which is scikit-learn's with steps that resample.

    Raises
    ------
    StudyError
        The model's settings or search name what its pipeline does not have.
    """
    from imblearn.pipeline import Pipeline

    steps = [*_list_selectors(model), *_list_encoders(model)]
    if model.kind in CLASSICAL_KINDS and model.imbalance in RESAMPLERS:
        steps.append(("resampled", _make_sampler(model.imbalance)))
    steps.append(("classifier", _make_classifier(model, training, cohort)))
    pipeline = Pipeline(steps)
    known = pipeline.get_params()
    _check_names(model, known)
    seeds = {name: derive_seed(seed, name) for name in known if name.endswith("random_state")}
    return pipeline.set_params(**(seeds | model.settings))


def check_models(study: ComparisonStudy, *, searched_here: bool = True) -> None:
    """Check that every model of a study can be built and its search names parameters it has.

    Parameters
    ----------
    searched_here : whether this program carries out the searches, and not Katib.

    Raises
    ------
    StudyError
        A network is unknown, Optuna is asked for and absent, or a search names what the model's pipeline does not have.
    """
    from genotransfer.models.networks import find_network

    for model in study.models:
        if model.network:
            find_network(model.network)
        if searched_here and model.search.kind == "bayes":
            import_optuna()
        build_pipeline(model, study.training, study.seed)


def _check_names(model: ComparedModel, known: Iterable[str]) -> None:
    # Nested ones only: a search that put another step in a step's place would undo the settings.
    nested = [name for name in known if "__" in name]
    for name in (*model.settings, *model.search.space):
        if name not in nested:
            raise StudyError(
                f"models: {model.name} names {name!r}, which its pipeline does not have. It has: "
                f"{', '.join(_list_searchable(nested))}."
            )


def _list_searchable(known: list[str]) -> list[str]:
    left = ("random_state", "cohort", "__estimator", "verbose", "memory", "steps", "copy", "n_jobs")
    return sorted(name for name in known if not any(part in name for part in left))


def _list_selectors(model: ComparedModel) -> list[tuple[str, Any]]:
    """Return the steps that choose SNPs; the kinds that learn from the source choose theirs there."""
    if model.kind in SOURCE_KINDS:
        return []
    chosen = model.selection
    steps: list[tuple[str, Any]] = []
    if chosen.associated is not None:
        steps.append(("associated", AssociationSelector(chosen.associated)))
    if chosen.r2 is not None:
        steps.append(("uncorrelated", CorrelationFilter(chosen.r2)))
    if chosen.recursive is not None:
        steps.append(("recursive", _make_elimination(chosen.recursive)))
    return steps


def _make_elimination(n_variants: int) -> Any:
    from sklearn.feature_selection import RFE
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [("imputed", _make_imputer()), ("scaled", StandardScaler()), ("ranked", _make_logistic(0.01))]
    return RFE(
        Pipeline(steps),
        n_features_to_select=n_variants,
        step=0.2,
        importance_getter="named_steps.ranked.coef_",
    )


def _list_encoders(model: ComparedModel) -> list[tuple[str, Any]]:
    if model.kind not in CLASSICAL_KINDS:
        return []
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    steps: list[tuple[str, Any]] = []
    if model.encoding == "one_hot":
        # A missing genotype is an indicator of its own where the training part has one.
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
        steps.append(("encoded", encoder))
    else:
        steps.append(("imputed", _make_imputer()))
    if model.scaling:
        steps.append(("scaled", StandardScaler()))
    return steps


def _make_imputer() -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer(missing_values=MISSING, strategy="mean", keep_empty_features=True)


def _make_sampler(how: str) -> Any:
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    return {"oversample": RandomOverSampler, "undersample": RandomUnderSampler, "smote": SMOTE}[how]()


def _make_logistic(c: float, **more: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=2000, **more)


def _make_classifier(model: ComparedModel, training: NetworkTraining, cohort: SourceCohort | None) -> Any:
    weights = {"class_weight": "balanced" if model.imbalance == "weights" else None}
    if model.kind == "logistic":
        return _make_logistic(0.01, **weights)
    if model.kind == "svm":
        from sklearn.svm import SVC

        return SVC(kernel="rbf", **weights)
    if model.kind == "forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(n_estimators=FOREST_TREES, n_jobs=1, **weights)
    chosen = model.selection
    if model.kind == "score":
        assert model.score is not None
        return ScoreClassifier(cohort, model.score, model.learn_on, chosen.associated)
    settings = training.model_dump() | {"network": model.network, "imbalance": model.imbalance}
    if model.kind == "network":
        return NetworkClassifier(**settings)
    n_variants = chosen.associated if chosen.associated is not None else np.iinfo(np.int32).max
    return TransferClassifier(cohort, n_variants=int(n_variants), r2=chosen.r2, **settings)
