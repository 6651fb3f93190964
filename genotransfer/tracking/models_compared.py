"""A comparison of models in MLflow: one run for the study, and one under it for each model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genotransfer.comparison.judging import JudgedModel
from genotransfer.comparison.results import read_by_model, tabulate_folds
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.formats.files import replace_together
from genotransfer.tracking.client import connect, find_store
from genotransfer.tracking.datasets import Datum, log_datasets
from genotransfer.tracking.runs import flatten, log_in_batches, make_metrics, make_params, open_study_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

OF_FOLDS = ("accuracy", "auc", "sensitivity", "specificity", "inner_score", "n_snps")
LOGGED = ("accuracy", "auc")


def track_comparison(
    study: ComparisonStudy,
    judged: Sequence[JudgedModel],
    report_folder: str | Path,
    tracked: str | Path,
    data: list[Datum] | None = None,
    job: str = "",
) -> None:
    """Log a comparison: settings, report, and every model's metrics, in all and by fold.

    Parameters
    ----------
    study : the study; ``tracking`` says where. Without a uri there, MLFLOW_TRACKING_URI does.
    judged : the models.
    report_folder : what `genotransfer.comparison.report.write_report` wrote.
    tracked : where the runs' ids are written, JSON: {"study": id, "forest": id, ...}.
    data : what the study read, by their hashes.
    job : the pipeline's run, where GENOTRANSFER_JOB does not name it.

    Raises
    ------
    StudyError
        No MLflow store is named, or it cannot be reached.
    """
    uri = find_store(study.tracking.uri)
    report = Path(report_folder)
    results = read_by_model(report / "results.csv").set_index("model")
    timings = read_by_model(report / "tables" / "timings.csv").set_index("model").drop(columns="currency")
    tags = {"source": study.source, "target": study.target, "pipeline": study.pipeline}
    with connect(uri) as client, open_study_run(client, study, uri, job, tags) as parent:
        values = {
            f"{metric}_{name}": results.loc[name, metric] for metric in LOGGED for name in results.index
        }
        client.log_batch(parent, metrics=make_metrics(values))
        client.log_artifacts(parent, str(report))
        client.log_text(parent, study.to_json(with_cluster=False), "study.json")
        log_datasets(client, parent, data or [])
        runs = {"study": parent}
        for one in judged:
            mine = results.join(timings).loc[[one.name]].to_dict("records")[0]
            measured = {str(name): float(value) for name, value in mine.items()}
            runs[one.name] = _log_model(client, parent, study, one, measured)
    with replace_together(tracked) as [path]:
        path.write_text(json.dumps(runs, indent=1))


def _log_model(
    client: MlflowClient, parent: str, study: ComparisonStudy, one: JudgedModel, measured: dict[str, float]
) -> str:
    experiment = client.get_run(parent).info.experiment_id
    tags = {"mlflow.parentRunId": parent, "phenotype": study.compared_phenotype, "model": one.name}
    run = str(client.create_run(experiment, run_name=f"{study.target} {one.name}", tags=tags).info.run_id)
    settings = flatten(json.loads(study.find_model(one.name).model_dump_json()))
    metrics = make_metrics(measured)
    for fold in tabulate_folds(one).to_dict("records"):
        metrics += make_metrics({f"{name}_by_fold": fold[name] for name in OF_FOLDS}, int(fold["fold"]))
    log_in_batches(client, run, metrics, make_params(settings))
    client.log_table(run, one.searches, "searches.json")
    client.log_table(run, one.predictions, "predictions.json")
    client.set_terminated(run)
    return run
