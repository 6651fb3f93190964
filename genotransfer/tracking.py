"""MLflow: one run for the study, and under it one for each phenotype and method.

The only module that imports mlflow. Every candidate is in the leaderboard, a table; runs are for
the chosen ones. Everything is logged in batches: one metric at a time is ten times slower.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from genotransfer import __version__
from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.stages.curves import read_curves

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
) -> None:
    """Log a study.

    The study's run has the settings as parameters, mean accuracies on FD as metrics, and the report's
    folder as artifacts: the page, the tables, the leaderboard, and the learning curves of all
    networks in one table. Each phenotype and method has a run under it with the chosen
    model, its parameters, metrics and learning curve. Where MLFLOW_RUN_ID is set (KFP's own MLflow
    plugin sets it), that run is the study's and its parameters are left as they are.

    Parameters
    ----------
    study : the study; ``tracking`` says where. Without a uri there, MLFLOW_TRACKING_URI does.
    results_folder, selection_folder, report_folder : what earlier stages wrote.
    models : folders of saved models by part.
    tracked : where the runs' ids are written, JSON: {"study": id, "5_1/none": id, ...}.

    Raises
    ------
    StudyError
        No MLflow store is named, or it cannot be reached.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = study.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise StudyError("No MLflow store is named. Set tracking.uri or MLFLOW_TRACKING_URI.")
    results = pd.read_parquet(Path(results_folder) / "results.parquet")
    chosen = pd.read_parquet(Path(selection_folder) / "chosen.parquet")
    members = pd.read_parquet(Path(selection_folder) / "members.parquet")
    curves = read_curves(list(models.values())).take(chosen["key"])
    owned = "MLFLOW_RUN_ID" not in os.environ  # a run of KFP's plugin is the plugin's to end
    parent = ""
    try:
        client = MlflowClient(tracking_uri=uri)
        parent = _open_study_run(client, study, uri)
        _log_study(client, parent, study, results, Path(report_folder))
        runs = {"study": parent}
        merged = chosen.merge(results.drop(columns=_shared(chosen, results)), on=["phenotype", "method"])
        for _, row in merged.iterrows():
            mine = (members["phenotype"] == row["phenotype"]) & (members["method"] == row["method"])
            folders = [Path(models[one["part"]]) / one["key"] for _, one in members[mine].iterrows()]
            run = _log_choice(client, parent, study, row, folders, curves)
            runs[f"{row['phenotype']}/{row['method']}"] = run
        if owned:
            client.set_terminated(parent)
    except MlflowException as error:
        if owned and parent:
            with contextlib.suppress(MlflowException):
                client.set_terminated(parent, "FAILED")
        # Without user and password, which a tracking URI may hold.
        place = re.sub(r"//[^/@]*@", "//", uri)
        reason = str(error).replace(uri, place)
        raise StudyError(
            f"MLflow at {place} refused: {reason}. The results stay in the run's folder; check the server "
            "and run again."
        ) from error
    with replace_together(tracked) as [path]:
        path.write_text(json.dumps(runs, indent=1))


def _shared(chosen: pd.DataFrame, results: pd.DataFrame) -> list[str]:
    return [str(name) for name in results if name in chosen and name not in {"phenotype", "method"}]


def _open_study_run(client: MlflowClient, study: Study, uri: str) -> str:
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
    tags = {"study": study.name, "source": study.source, "target": study.target, "version": __version__}
    run = client.create_run(experiment_id, run_name=study.name, tags=tags)
    client.log_batch(
        run.info.run_id, params=_make_params(_flatten(json.loads(study.to_json(with_cluster=False))))
    )
    return str(run.info.run_id)


def _log_study(client: MlflowClient, run: str, study: Study, results: pd.DataFrame, report: Path) -> None:
    means = results.groupby("method")[["ed_accuracy", "fd_accuracy", "fd_auc"]].mean()
    values = {f"mean_{name}_{method}": value for name in means for method, value in means[name].items()}
    client.log_batch(run, metrics=_make_metrics(values))
    client.log_artifacts(run, str(report))
    client.log_text(run, study.to_json(with_cluster=False), "study.json")


def _log_choice(
    client: MlflowClient, parent: str, study: Study, row: pd.Series, models: list[Path], curves: pd.DataFrame
) -> str:
    experiment = client.get_run(parent).info.experiment_id
    name = f"{study.target}_{row['phenotype']} {row['method']}"
    tags = {"mlflow.parentRunId": parent, "phenotype": row["phenotype"], "method": row["method"]}
    run = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    names = ("phenotype", "method", "fit_on", "panel", "n_snps", "model", "trainable_layers", "n_tied")
    curve = curves[curves["key"] == row["key"]]
    metrics = _make_metrics({name: row[name] for name in row.index if name not in NOT_METRICS})
    for point in curve.to_dict("records"):
        metrics += _make_metrics({one: point[one] for one in CURVES if one in point}, int(point["epoch"]))
    params = _make_params({name: row[name] for name in names})
    for start in range(0, max(len(metrics), 1), 1000):  # MLflow's limit on one batch
        client.log_batch(run, metrics=metrics[start : start + 1000], params=params if start == 0 else [])
    for folder in models:
        client.log_artifacts(run, str(folder), "model" if len(models) == 1 else f"model/{folder.name}")
    client.set_terminated(run)
    return run


def _make_params(values: dict[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:6000]) for name, value in values.items()]


def _make_metrics(values: dict[str, Any], step: int = 0) -> list[Metric]:
    """Return the finite numbers among the values; an undefined metric is not logged."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    numbers = {name: pd.to_numeric(value, errors="coerce") for name, value in values.items()}
    return [Metric(name, float(value), now, step) for name, value in numbers.items() if pd.notna(value)]


def _flatten(settings: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = value
    return flat
