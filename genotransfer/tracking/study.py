"""MLflow: one run for the study, and under it one for each phenotype and method.

Every candidate is in the leaderboard, a table; runs are for the chosen ones. Everything is logged
in batches: one metric at a time is ten times slower.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from genotransfer import __version__
from genotransfer.config import Study
from genotransfer.events import JOB_VARIABLE
from genotransfer.formats.files import replace_together
from genotransfer.stages.curves import read_curves
from genotransfer.tracking.client import connect, find_uri
from genotransfer.tracking.datasets import Datum, log_datasets

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

NOT_METRICS = {"phenotype", "method", "panel", "model", "key", "part", "fit_on", "n_snps", "trainable_layers"}
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def track_study(
    study: Study,
    results_folder: str | Path,
    selection_folder: str | Path,
    report_folder: str | Path,
    models: dict[str, str],
    tracked: str | Path,
    data: list[Datum] | None = None,
    job: str = "",
) -> None:
    """Log a study.

    The study's run has the settings as parameters, mean accuracies on FD as metrics, the genotypes and
    phenotypes as datasets, and the report's folder as artifacts: the page, the tables, the leaderboard
    (once more as a table MLflow shows), and the learning curves of all networks in one table. Each
    phenotype and method has a run under it with the chosen model, its parameters, metrics, learning
    curve and figures. Where MLFLOW_RUN_ID is set (KFP's own MLflow plugin sets it), that run is the
    study's and its parameters are left as they are.

    Parameters
    ----------
    study : the study; ``tracking`` says where. Without a uri there, MLFLOW_TRACKING_URI does.
    results_folder, selection_folder, report_folder : what earlier stages wrote.
    models : folders of saved models by part.
    tracked : where the runs' ids are written, JSON: {"study": id, "5_1/none": id, ...}.
    data : what the study read, by their hashes.
    job : the pipeline's run, where GENOTRANSFER_JOB does not name it. A run of the same job that was cut
        off in the middle is marked as killed.

    Raises
    ------
    StudyError
        No MLflow store is named, or it cannot be reached.
    """
    uri = find_uri(study)
    results = pd.read_parquet(Path(results_folder) / "results.parquet")
    chosen = pd.read_parquet(Path(selection_folder) / "chosen.parquet")
    members = pd.read_parquet(Path(selection_folder) / "members.parquet")
    curves = read_curves(list(models.values())).take(chosen["key"])
    report = Path(report_folder)
    with connect(uri) as client, keep_study_run(client, study, uri, job) as parent:
        _log_study(client, parent, study, results, report)
        log_datasets(client, parent, data or [])
        runs = {"study": parent}
        merged = chosen.merge(results.drop(columns=_shared(chosen, results)), on=["phenotype", "method"])
        for _, row in merged.iterrows():
            mine = (members["phenotype"] == row["phenotype"]) & (members["method"] == row["method"])
            folders = [Path(models[one["part"]]) / one["key"] for _, one in members[mine].iterrows()]
            run = _log_choice(client, parent, study, row, folders, curves, report)
            runs[f"{row['phenotype']}/{row['method']}"] = run
    with replace_together(tracked) as [path]:
        path.write_text(json.dumps(runs, indent=1))


def _shared(chosen: pd.DataFrame, results: pd.DataFrame) -> list[str]:
    return [str(name) for name in results if name in chosen and name not in {"phenotype", "method"}]


@contextlib.contextmanager
def keep_study_run(client: MlflowClient, study: Any, uri: str, job: str) -> Iterator[str]:
    """Begin the run of a study of any kind, with its settings; yield its id, and end it however it goes.

    Where MLFLOW_RUN_ID names a run, that run is the study's, and its owner's to end.

    Parameters
    ----------
    study : with a name, source, target, tracking and to_json.
    uri : of the store.
    job : the pipeline's run, where GENOTRANSFER_JOB does not name it. What an earlier try of the same one
        left running is marked as killed.
    """
    owned = "MLFLOW_RUN_ID" not in os.environ  # a run of KFP's plugin is the plugin's to end
    run = _open_study_run(client, study, uri, os.environ.get(JOB_VARIABLE) or job)
    try:
        yield run
    except BaseException:
        if owned:
            with contextlib.suppress(Exception):
                client.set_terminated(run, "FAILED")
        raise
    if owned:
        client.set_terminated(run)


def _open_study_run(client: MlflowClient, study: Any, uri: str, job: str) -> str:
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
    tags = {"study": study.name, "source": study.source, "target": study.target, "version": __version__}
    tags |= {"job": job} if job else {}
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


def _log_study(client: MlflowClient, run: str, study: Study, results: pd.DataFrame, report: Path) -> None:
    means = results.groupby("method")[["ed_accuracy", "fd_accuracy", "fd_auc"]].mean()
    values = {f"mean_{name}_{method}": value for name in means for method, value in means[name].items()}
    client.log_batch(run, metrics=make_metrics(values))
    client.log_artifacts(run, str(report))
    client.log_text(run, study.to_json(with_cluster=False), "study.json")
    client.log_table(run, pd.read_parquet(report / "leaderboard.parquet"), "leaderboard.json")


def _log_choice(
    client: MlflowClient,
    parent: str,
    study: Study,
    row: pd.Series,
    models: list[Path],
    curves: pd.DataFrame,
    report: Path,
) -> str:
    experiment = client.get_run(parent).info.experiment_id
    name = f"{study.target}_{row['phenotype']} {row['method']}"
    tags = {"mlflow.parentRunId": parent, "phenotype": row["phenotype"], "method": row["method"]}
    run = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    names = ("phenotype", "method", "fit_on", "panel", "n_snps", "model", "trainable_layers", "n_tied")
    curve = curves[curves["key"] == row["key"]]
    metrics = make_metrics({name: row[name] for name in row.index if name not in NOT_METRICS})
    for point in curve.to_dict("records"):
        metrics += make_metrics({one: point[one] for one in CURVES if one in point}, int(point["epoch"]))
    params = make_params({name: row[name] for name in names})
    for start in range(0, max(len(metrics), 1), 1000):  # MLflow's limit on one batch
        client.log_batch(run, metrics=metrics[start : start + 1000], params=params if start == 0 else [])
    for folder in models:
        client.log_artifacts(run, str(folder), "model" if len(models) == 1 else f"model/{folder.name}")
    for figure in sorted((report / "figures").glob(f"*{study.target}_{row['phenotype']}_*.png")):
        client.log_artifact(run, str(figure), "figures")
    client.set_terminated(run)
    return run


def make_params(values: dict[str, Any]) -> list[Any]:
    """Return values as MLflow's parameters, cut where they are too long for it."""
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
