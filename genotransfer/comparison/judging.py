"""Nested cross-validation of one model: searched and fitted on the training part, judged on the rest."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from genotransfer.comparison.folds import deal_folds, list_splits
from genotransfer.comparison.people import ComparisonPeople
from genotransfer.comparison.pipelines import build_pipeline
from genotransfer.comparison.search import make_search
from genotransfer.comparison.settings import ComparedModel, ComparisonStudy
from genotransfer.comparison.source import SourceCohort
from genotransfer.errors import InputError, StudyError
from genotransfer.events import Progress
from genotransfer.formats.files import replace_together
from genotransfer.models.classical import score_cases
from genotransfer.randomness import derive_seed

TABLES = ("predictions", "fits", "searches", "timings")


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """What cross-validation found of one model.

    Attributes
    ----------
    name : of the model.
    predictions : one row a person, in the order of the people: FID, IID, fold (from 1), label, score
        (P(case) by the model of the fold that did not see the person).
    fits : one row a fold: fold, n_train, n_test, n_snps, n_parameters, inner_score (what the search saw of
        the best settings), settings (JSON).
    searches : one row a fold and settings tried: fold, settings (JSON), mean, sd, rank.
    timings : one row a fold: fold, seconds and cpu_seconds (of search and fitting), source_seconds and
        source_cpu_seconds (of learning from the source, which all folds share), score_seconds.
    """

    name: str
    predictions: pd.DataFrame
    fits: pd.DataFrame
    searches: pd.DataFrame
    timings: pd.DataFrame

    def write(self, folder: str | Path) -> None:
        """Write the four tables as Parquet files."""
        paths = [Path(folder) / f"{name}.parquet" for name in TABLES]
        with replace_together(*paths) as temporary:
            for name, path in zip(TABLES, temporary, strict=True):
                getattr(self, name).assign(model=self.name).to_parquet(path, index=False)

    @classmethod
    def read(cls, folder: str | Path) -> JudgedModel:
        """Read what `write` wrote.

        Raises
        ------
        InputError
            A table is absent.
        """
        paths = [Path(folder) / f"{name}.parquet" for name in TABLES]
        for path in paths:
            if not path.is_file():
                raise InputError(
                    "there is no such table of a model", file=path, remedy="Judge the model again"
                )
        tables = [pd.read_parquet(path) for path in paths]
        name = str(tables[0]["model"].iloc[0])
        return cls(name, *(table.drop(columns="model") for table in tables))


def judge_model(
    study: ComparisonStudy,
    name: str,
    people: ComparisonPeople,
    progress: Progress | None = None,
    cohort: SourceCohort | None = None,
) -> JudgedModel:
    """Cross-validate one model of a study on the study's folds.

    Everything that learns is fitted inside the training part of a fold: the choice of SNPs, the scaling,
    the search of the settings and the model.

    Parameters
    ----------
    name : of the model.
    people : from `load_people`.
    progress : told of each fold.
    cohort : the source; made of the people where it is None. What it has learnt already is not learnt again.

    Raises
    ------
    StudyError
        There is no such model, it cannot be fitted with settings of the search, or a training part has
        too few people for the inner folds.
    """
    model = study.find_model(name)
    cohort = cohort or SourceCohort(people.source, study.seed)
    splits = list_splits(people.folds)
    scores = np.zeros(len(people.folds))
    fits, searches, timings = [], [], []
    for number, (train, test) in enumerate(splits, start=1):
        search = build_search(study, model, people, train, number, cohort)
        clock = _Clock(cohort)
        with explain_fit(model, number):
            search.fit(people.target.dosages[train], people.target.labels[train])
        timing = clock.read()
        best = getattr(search, "best_estimator_", search)
        began = time.perf_counter()
        scores[test] = score_cases(best, people.target.dosages[test])
        timings.append({"fold": number, **timing, "score_seconds": time.perf_counter() - began})
        fits.append(
            {
                "fold": number,
                "n_train": len(train),
                "n_test": len(test),
                **measure_size(best, people.target.dosages.shape[1]),
                "inner_score": float(getattr(search, "best_score_", np.nan)),
                "settings": _write_settings(getattr(search, "best_params_", {})),
            }
        )
        searches += list(_list_tried(search, number))
        if progress is not None:
            progress(number, len(splits), f"folds of {name}")
    predictions = people.samples.assign(fold=people.folds + 1, label=people.target.labels, score=scores)
    columns = ["fold", "settings", "mean", "sd", "rank"]
    tried = pd.DataFrame(searches, columns=columns).astype({"fold": np.int64, "rank": np.int64})
    return JudgedModel(name, predictions, pd.DataFrame(fits), tried, pd.DataFrame(timings))


def build_search(
    study: ComparisonStudy,
    model: ComparedModel,
    people: ComparisonPeople,
    train: Int64[np.ndarray, " k"],
    number: int,
    cohort: SourceCohort,
) -> Any:
    """Return the unfitted search of a model on a training part.

    Parameters
    ----------
    train : positions of the people that may teach.
    number : of the fold, from 1; the seeds depend on it.
    """
    seed = derive_seed(study.seed, "model", model.name, number)
    inner = list_splits(find_inner_folds(study, people, train, number))
    pipeline = build_pipeline(model, study.training, seed, cohort)
    return make_search(model, pipeline, inner, study.scoring, derive_seed(seed, "search"))


def find_inner_folds(
    study: ComparisonStudy, people: ComparisonPeople, train: Int64[np.ndarray, " k"], number: int
) -> Int64[np.ndarray, " k"]:
    """Return the inner fold of each person of a training part; all models search on the same.

    Parameters
    ----------
    train : positions of the people of the training part.
    number : of the fold, from 1.

    Raises
    ------
    StudyError
        The training part has too few people, or families.
    """
    groups = None if people.groups is None else people.groups[train]
    seed = derive_seed(study.seed, "inner folds", number)
    try:
        return deal_folds(people.target.labels[train], study.folds.inner, seed, groups)
    except StudyError as error:
        raise StudyError(f"folds.inner, inside fold {number}: {error}") from error


def measure_size(pipeline: Any, n_variants: int) -> dict[str, int]:
    """Return how many SNPs a fitted pipeline reads, and how many numbers its model holds.

    The numbers are, by model: coefficients and intercept; support vectors and their weights; nodes of
    the trees; a network's weights; effects of a polygenic score that are not 0, and intercept.
    """
    model = pipeline.named_steps["classifier"]
    for name in ("recursive", "uncorrelated", "associated"):
        if name in pipeline.named_steps:
            n_variants = int(pipeline.named_steps[name].get_support().sum())
            break
    if hasattr(model, "columns_"):
        n_variants = len(model.columns_)
    if hasattr(model, "n_parameters_"):
        return {"n_snps": n_variants, "n_parameters": int(model.n_parameters_)}
    if hasattr(model, "estimators_"):
        return {"n_snps": n_variants, "n_parameters": sum(one.tree_.node_count for one in model.estimators_)}
    if hasattr(model, "dual_coef_"):
        return {
            "n_snps": n_variants,
            "n_parameters": int(model.support_vectors_.size + model.dual_coef_.size + 1),
        }
    effects = np.asarray(model.coef_)
    if effects.ndim == 1:  # a score, which reads the variants that have an effect
        n_variants = int(np.count_nonzero(effects))
        return {"n_snps": n_variants, "n_parameters": n_variants + 1}
    return {"n_snps": n_variants, "n_parameters": int(effects.size + 1)}


class _Clock:
    """Tells the time of fitting apart from that of learning from the source."""

    def __init__(self, cohort: SourceCohort) -> None:
        self._cohort, self._began = cohort, self._look(cohort)

    def read(self) -> dict[str, float]:
        now = self._look(self._cohort)
        seconds, cpu, source, source_cpu = now - self._began
        return {
            "seconds": float(seconds - source),
            "cpu_seconds": float(cpu - source_cpu),
            "source_seconds": float(source),
            "source_cpu_seconds": float(source_cpu),
        }

    @staticmethod
    def _look(cohort: SourceCohort) -> Float64[np.ndarray, " 4"]:
        return np.array(
            [time.perf_counter(), time.process_time(), cohort.seconds, cohort.cpu_seconds], dtype=np.float64
        )


@contextmanager
def explain_fit(model: ComparedModel, number: int) -> Iterator[None]:
    """Raise a library's complaint about a setting as an error of the study that names model and fold.

    Parameters
    ----------
    number : of the fold, from 1.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils._param_validation import InvalidParameterError

    try:
        with warnings.catch_warnings():
            # A setting that does not converge is judged as it is, and loses the search.
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    except InvalidParameterError as error:
        raise StudyError(f"models: the search of {model.name}: {error}") from error
    except StudyError as error:
        raise StudyError(f"Model {model.name}, fold {number}: {error}") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError) as error:
        # What scikit-learn and others say of settings, or of too few cases, that do not go together.
        raise StudyError(
            f"Model {model.name}, fold {number}: {error}. Look at its settings and the bounds of its search."
        ) from error


def _list_tried(search: Any, number: int) -> Iterator[dict[str, Any]]:
    found = getattr(search, "cv_results_", None)
    if found is None:
        return
    for at, settings in enumerate(found["params"]):
        yield {
            "fold": number,
            "settings": _write_settings(settings),
            "mean": float(found["mean_test_score"][at]),
            "sd": float(found["std_test_score"][at]),
            "rank": int(found["rank_test_score"][at]),
        }


def _write_settings(settings: dict[str, Any]) -> str:
    plain = {
        name: value.item() if isinstance(value, np.generic) else value for name, value in settings.items()
    }
    return json.dumps(plain, sort_keys=True)
