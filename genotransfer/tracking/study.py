"""MLflow: one run for the study, and under it one for each phenotype and method.

Every candidate is in the leaderboard, a table; runs are for the chosen ones. Everything is logged
in batches: one metric at a time is ten times slower.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from genotransfer.config import Study
from genotransfer.formats.files import replace_together
from genotransfer.stages.curves import read_curves
from genotransfer.tracking.client import connect, find_uri
from genotransfer.tracking.datasets import Datum, log_datasets
from genotransfer.tracking.runs import log_in_batches, make_metrics, make_params, open_study_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

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
    tags = {"source": study.source, "target": study.target}
    with connect(uri) as client, open_study_run(client, study, uri, job, tags) as parent:
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
    log_in_batches(client, run, metrics, params)
    for folder in models:
        client.log_artifacts(run, str(folder), "model" if len(models) == 1 else f"model/{folder.name}")
    for figure in sorted((report / "figures").glob(f"*{study.target}_{row['phenotype']}_*.png")):
        client.log_artifact(run, str(figure), "figures")
    client.set_terminated(run)
    return run
