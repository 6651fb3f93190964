"""MLflow: one run for a study of an exome, and under it one for each protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from genotransfer.exome_cnn.evaluation import ALL_FOLDS, CONFIGURATIONS, RESULTS
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.exome_cnn.training import CURVES
from genotransfer.formats.files import replace_together
from genotransfer.tracking.client import connect, find_store
from genotransfer.tracking.datasets import Datum, log_datasets
from genotransfer.tracking.runs import log_in_batches, make_metrics, make_params, open_study_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

NOT_METRICS = {"protocol", "fold", "configuration"}
POINTS = ("loss", "accuracy", "val_loss", "val_accuracy")


def track_exome(
    study: ExomeCnnStudy,
    results_folder: str | Path,
    report_folder: str | Path,
    tracked: str | Path,
    data: list[Datum] | None = None,
    job: str = "",
) -> None:
    """Log a study of an exome.

    Its run has the settings as parameters, the accuracy of each protocol as metrics, the report as
    artifacts and the table of configurations. Each protocol has a run under it: its metrics on the people
    of all folds, and the learning curves of what it chose, averaged over the folds that still trained.

    Parameters
    ----------
    study : the study; ``tracking`` says where.
    results_folder : from `genotransfer.exome_cnn.evaluation.evaluate_networks`.
    report_folder : from `genotransfer.exome_cnn.report.write_report`.
    tracked : where the runs' ids are written, JSON: {"study": id, "honest": id, ...}.
    data : what the study read, by their hashes.
    job : the pipeline's run.

    Raises
    ------
    StudyError
        No MLflow store is named, or it cannot be reached.
    """
    uri = find_store(study.tracking.uri)
    results = pd.read_parquet(Path(results_folder) / RESULTS)
    configurations = pd.read_parquet(Path(results_folder) / CONFIGURATIONS)
    curves = pd.read_parquet(Path(report_folder) / CURVES)
    whole = results[results["fold"] == ALL_FOLDS]
    with connect(uri) as client, open_study_run(client, study, uri, job, {"pipeline": study.pipeline}) as run:
        known = {f"{row['protocol']}_accuracy": row["accuracy"] for row in whole.to_dict("records")}
        known |= {name: whole.iloc[0][name] for name in ("majority", "ceiling", "oracle")}
        client.log_batch(run, metrics=make_metrics(known))
        client.log_artifacts(run, str(report_folder))
        client.log_text(run, study.to_json(with_cluster=False), "study.json")
        client.log_table(run, configurations, "configurations.json")
        log_datasets(client, run, data or [])
        runs = {"study": run}
        for _, row in whole.iterrows():
            mine = configurations[(configurations["protocol"] == row["protocol"]) & configurations["chosen"]]
            runs[row["protocol"]] = _log_protocol(client, run, row, mine, curves)
    with replace_together(tracked) as [path]:
        path.write_text(json.dumps(runs, indent=1))


def _log_protocol(
    client: MlflowClient, parent: str, row: pd.Series, chosen: pd.DataFrame, curves: pd.DataFrame
) -> str:
    experiment = client.get_run(parent).info.experiment_id
    name = str(row["protocol"])
    tags = {"mlflow.parentRunId": parent, "protocol": name}
    run = str(client.create_run(experiment, run_name=name, tags=tags).info.run_id)
    metrics = make_metrics({key: row[key] for key in row.index if key not in NOT_METRICS})
    metrics += _average_curves(chosen.merge(curves, on=["protocol", "fold", "configuration"]))
    params = {f"fold_{fold}": one for fold, one in zip(chosen["fold"], chosen["configuration"], strict=True)}
    log_in_batches(client, run, metrics, make_params({"protocol": name} | params))
    client.set_terminated(run)
    return run


def _average_curves(curves: pd.DataFrame) -> list[Metric]:
    means = curves.groupby("epoch")[list(POINTS)].mean()
    return [one for epoch, point in means.iterrows() for one in make_metrics(dict(point), int(str(epoch)))]
