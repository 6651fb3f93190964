"""Submitting a study to a cluster: the pipeline, its version, the experiment and the run."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.compilation import compile_pipeline
from pipelines.connection import ClusterError, Connection, explain_errors, silence
from pipelines.kinds import KINDS, AnyStudy


@dataclass(frozen=True)
class Submitted:
    """A run that was started: its id, the version of the pipeline, and where a person sees it."""

    run_id: str
    version: str
    link: str


def submit_study(
    connection: Connection,
    study: AnyStudy,
    *,
    experiment: str = "",
    run_name: str = "",
    pipeline: str = "",
    kind: str = "study",
) -> Submitted:
    """Start a run of a study, uploading the pipeline and its version where they are not there yet.

    Parameters
    ----------
    connection : the way to Kubeflow.
    study : the study; its section `cluster` says how it runs.
    experiment : of Kubeflow; `tracking.experiment` when empty. Made where it is not there.
    run_name : the study's name and the time when empty.
    pipeline : name of the pipeline in Kubeflow; that of its kind when empty.
    kind : of `pipelines.kinds.KINDS`.
    """
    reference = prepare_version(connection, study, pipeline, kind)
    experiment_id = ensure_experiment(connection, experiment or study.tracking.experiment)
    with explain_errors(connection.endpoint), silence():
        run = connection.client.run_pipeline(
            experiment_id=experiment_id,
            job_name=run_name or f"{study.name} {datetime.now():%Y-%m-%d %H:%M:%S}",
            pipeline_id=reference["pipeline_id"],
            version_id=reference["version_id"],
            service_account=study.cluster.service_account or None,
        )
    return Submitted(run.run_id, reference["version"], connection.link(f"runs/details/{run.run_id}"))


def prepare_version(
    connection: Connection, study: AnyStudy, pipeline: str = "", kind: str = "study"
) -> dict[str, str]:
    """Compile a study and upload it as a version of the pipeline, where that version is not there yet.

    Returns
    -------
    pipeline_id, version_id and version, its name (see `pipelines.compilation.compile_pipeline`).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        version = compile_pipeline(study, path, kind)
        pipeline = pipeline or KINDS[kind].name
        pipeline_id = _find_pipeline(connection, pipeline) or _create_pipeline(connection, pipeline, kind)
        version_id = _find_version(connection, pipeline_id, version)
        if not version_id:
            version_id = _upload_version(connection, pipeline_id, version, path)
    return {"pipeline_id": pipeline_id, "version_id": version_id, "version": version}


def ensure_experiment(connection: Connection, name: str) -> str:
    """Return the id of an experiment of Kubeflow, made where it is not there."""
    with explain_errors(connection.endpoint), silence():
        made = connection.client.create_experiment(name, namespace=connection.namespace or None)
    return str(made.experiment_id)


def read_runs(connection: Connection, experiment: str = "", limit: int = 20) -> list[Any]:
    """Return the newest runs of the namespace, or of one experiment of it.

    Raises
    ------
    ClusterError
        There is no such experiment.
    """
    client, namespace = connection.client, connection.namespace or None
    chosen = None
    with explain_errors(connection.endpoint):
        if experiment:
            found = client.list_experiments(
                filter=equals("display_name", experiment), namespace=namespace
            ).experiments
            if not found:
                raise ClusterError(f"There is no experiment {experiment!r}. Check the name.", status=404)
            chosen = found[0].experiment_id
        page = client.list_runs(
            page_size=limit, sort_by="created_at desc", experiment_id=chosen, namespace=namespace
        )
    return page.runs or []


def terminate_run(connection: Connection, run_id: str) -> None:
    """Stop a run; Kubeflow ends its pods in the background."""
    with explain_errors(connection.endpoint):
        connection.client.terminate_run(run_id)


def equals(key: str, value: str) -> str:
    """Return the filter of KFP's lists for one value of one key."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": key, "stringValue": value}]})


def _find_pipeline(connection: Connection, name: str) -> str:
    with explain_errors(connection.endpoint):
        found = connection.client.list_pipelines(
            namespace=connection.namespace or None, filter=equals("display_name", name), page_size=2
        ).pipelines
    return str(found[0].pipeline_id) if found else ""


def _create_pipeline(connection: Connection, name: str, kind: str) -> str:
    client = connection.client
    body = client.api_models.V2beta1Pipeline(
        name=name,
        display_name=name,
        description=KINDS[kind].open_module().DESCRIPTION,
        namespace=connection.namespace or None,
    )
    try:
        with explain_errors(connection.endpoint):
            # Not upload_pipeline: the pipeline's first version would then bear the pipeline's name.
            return str(client.pipelines.pipeline_service_create_pipeline(pipeline=body).pipeline_id)
    except ClusterError as error:
        if error.status != 409:
            raise
        if found := _find_pipeline(connection, name):  # made by another in the meantime
            return found
        raise ClusterError(
            f"Kubeflow at {connection.endpoint} has a pipeline {name!r} that you cannot see: another user's. Choose "
            "another name with --pipeline.",
            status=409,
        ) from error


def _find_version(connection: Connection, pipeline_id: str, version: str) -> str:
    with explain_errors(connection.endpoint):
        found = connection.client.list_pipeline_versions(
            pipeline_id=pipeline_id, filter=equals("display_name", version), page_size=2
        ).pipeline_versions
    return str(found[0].pipeline_version_id) if found else ""


def _upload_version(connection: Connection, pipeline_id: str, version: str, path: Path) -> str:
    try:
        with explain_errors(connection.endpoint), silence():
            made = connection.client.upload_pipeline_version(str(path), version, pipeline_id=pipeline_id)
        return str(made.pipeline_version_id)
    except ClusterError as error:
        found = _find_version(connection, pipeline_id, version) if error.status == 409 else ""
        if not found:
            raise
        return found
