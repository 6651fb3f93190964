"""One trial of a search that somebody else leads: the inner score of one model with given settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from genotransfer.comparison.folds import list_splits
from genotransfer.comparison.judging import explain_fit, find_inner_folds
from genotransfer.comparison.people import ComparisonPeople
from genotransfer.comparison.pipelines import build_pipeline
from genotransfer.comparison.settings import ComparedModel, ComparisonStudy, Search
from genotransfer.comparison.source import SourceCohort
from genotransfer.errors import StudyError
from genotransfer.plain_yaml import read_yaml
from genotransfer.randomness import derive_seed


def parse_parameters(given: list[str]) -> dict[str, Any]:
    """Return settings of a model from ``step__parameter=value``, the value in YAML.

    Raises
    ------
    StudyError
        One has no ``=``, or its value is no number, word, true, false or null.
    """
    parsed = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise StudyError(f"--parameter {one!r} has no '='. Write --parameter step__parameter=value.")
        try:
            value, _ = read_yaml(text)
        except yaml.YAMLError as error:
            told = " ".join(str(error).split())
            raise StudyError(
                f"--parameter {name.strip()}: {text!r} cannot be read: {told}. Give a number, a word, true, false "
                "or null."
            ) from error
        if not isinstance(value, bool | int | float | str | None):
            raise StudyError(
                f"--parameter {one!r} is no single value. Give a number, a word, true, false or null."
            )
        parsed[name.strip()] = value
    return parsed


def try_settings(
    study: ComparisonStudy, name: str, people: ComparisonPeople, settings: Mapping[str, Any], fold: int = 1
) -> float:
    """Return the mean score of a model with given settings on the inner folds of one fold's training part.

    The people that judge the fold have no part in it, so that settings chosen by many trials can be judged
    by them. With the fold's own search it is the same number.

    Parameters
    ----------
    name : of the model; its own search is set aside.
    people : from `load_people`.
    settings : by step__parameter of its pipeline.
    fold : from 1.

    Raises
    ------
    StudyError
        There is no such model or fold, the pipeline has no such setting, or the model cannot be fitted
        with it.
    """
    from sklearn.model_selection import cross_val_score

    splits = list_splits(people.folds)
    if not 1 <= fold <= len(splits):
        raise StudyError(f"There is no fold {fold}. Choose from 1 to {len(splits)}.")
    model = study.find_model(name)
    fixed = model.settings | dict(settings)
    model = ComparedModel.model_validate(
        model.model_dump() | {"settings": fixed, "search": Search().model_dump()}
    )
    train, _ = splits[fold - 1]
    seed = derive_seed(study.seed, "model", name, fold)
    pipeline = build_pipeline(model, study.training, seed, SourceCohort(people.source, study.seed))
    inner = list_splits(find_inner_folds(study, people, train, fold))
    with explain_fit(model, fold):
        found = cross_val_score(
            pipeline,
            people.target.dosages[train],
            people.target.labels[train],
            scoring=study.scoring,
            cv=inner,
            error_score="raise",
        )
    score = float(found.mean())
    if not math.isfinite(score):
        raise StudyError(f"The score of {name} is {score}. Try other settings.")
    return score
