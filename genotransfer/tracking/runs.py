"""Runs in MLflow that any kind of study makes: the study's own, and what is logged to it in batches."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pandas as pd

from genotransfer import __version__
from genotransfer.config import Tracking
from genotransfer.events import JOB_VARIABLE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

MOST_IN_BATCH = 1000  # MLflow's limit


@runtime_checkable
class TrackedStudy(Protocol):
    """What tracking asks of a study, whatever its kind."""

    @property
    def name(self) -> str:
        """Name of the study."""
        ...

    @property
    def tracking(self) -> Tracking:
        """Where runs are logged."""
        ...

    def to_json(self, *, with_cluster: bool = True) -> str:
        """Return the study as JSON."""
        ...


@contextlib.contextmanager
def open_study_run(
    client: MlflowClient, study: TrackedStudy, uri: str, job: str, tags: dict[str, str]
) -> Iterator[str]:
    """Yield the id of a study's run, with its settings as parameters; it ends as the block does.

    Where MLFLOW_RUN_ID is set (KFP's own MLflow plugin sets it), that run is the study's; its parameters
    are left as they are, and it is the plugin's to end.

    Parameters
    ----------
    client, uri : of the store.
    study : the study.
    job : the pipeline's run, where GENOTRANSFER_JOB does not name it. A run of the same job that was cut
        off in the middle is marked as killed.
    tags : of the run, beside the study's name and the library's version.
    """
    owned = "MLFLOW_RUN_ID" not in os.environ
    run = _open_run(client, study, uri, os.environ.get(JOB_VARIABLE) or job, tags)
    try:
        yield run
    except BaseException:
        if owned:
            with contextlib.suppress(Exception):
                client.set_terminated(run, "FAILED")
        raise
    if owned:
        client.set_terminated(run)


def log_in_batches(client: MlflowClient, run: str, metrics: list[Metric], params: list[Any]) -> None:
    """Log metrics and parameters in as few calls as MLflow's limit allows."""
    for start in range(0, max(len(metrics), 1), MOST_IN_BATCH):
        client.log_batch(
            run, metrics=metrics[start : start + MOST_IN_BATCH], params=params if start == 0 else []
        )


def _open_run(client: MlflowClient, study: TrackedStudy, uri: str, job: str, tags: dict[str, str]) -> str:
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        return run_id
    experiment = client.get_experiment_by_name(study.tracking.experiment)
    if experiment is not None:
        experiment_id = experiment.experiment_id
    else:
        place = None
        if uri.startswith("sqlite:///"):
            place = (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts").as_uri()
        experiment_id = client.create_experiment(study.tracking.experiment, artifact_location=place)
    if job:
        _end_interrupted(client, experiment_id, job)
    tags = {"study": study.name, "version": __version__} | tags | ({"job": job} if job else {})
    run = client.create_run(experiment_id, run_name=study.name, tags=tags)
    client.log_batch(
        run.info.run_id, params=make_params(flatten(json.loads(study.to_json(with_cluster=False))))
    )
    return str(run.info.run_id)


def _end_interrupted(client: MlflowClient, experiment_id: str, job: str) -> None:
    """Mark what an earlier try of the same job left running as killed, and the runs under it."""
    quote = '"' if "'" in job else "'"  # the name of a folder may hold one
    for run in client.search_runs([experiment_id], f"tags.job = {quote}{job}{quote}"):
        under = f"tags.mlflow.parentRunId = '{run.info.run_id}'"
        left = client.search_runs([experiment_id], f"{under} and attributes.status = 'RUNNING'")
        for one in [*left, *([run] if run.info.status == "RUNNING" else [])]:
            client.set_terminated(one.info.run_id, "KILLED")


def make_params(values: dict[str, Any]) -> list[Any]:
    """Return values as MLflow's parameters."""
    from mlflow.entities import Param

    return [Param(name, str(value)[:6000]) for name, value in values.items()]


def make_metrics(values: dict[str, Any], step: int = 0) -> list[Metric]:
    """Return the finite numbers among the values; an undefined metric is not logged."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    numbers = {name: pd.to_numeric(value, errors="coerce") for name, value in values.items()}
    return [Metric(name, float(value), now, step) for name, value in numbers.items() if pd.notna(value)]


def flatten(settings: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Return settings of settings by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = value
    return flat
