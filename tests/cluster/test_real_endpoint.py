"""Against a real Kubeflow Pipelines: uploading, versions, runs, schedules. Set KFP_ENDPOINT to run it.

KFP_TOKEN and KFP_NAMESPACE are used where the endpoint wants them. Everything made has a name of its own
and is deleted at the end; no run gets to the end, for it is stopped as soon as it is there, so that the
cluster needs neither images nor GPUs.
"""

import contextlib
import os
import uuid

import pytest
from kfp_server_api import ApiException
from rich.console import Console

from genotransfer.study_files import load_study
from pipelines.cli import STUDIES
from pipelines.cluster import prepare_version, read_runs, submit_study, terminate_run
from pipelines.connection import ClusterError, connect
from pipelines.following import ENDED, follow_run, read_run
from pipelines.schedules import (
    create_schedule,
    delete_schedule,
    find_schedule,
    list_schedules,
    pause_schedule,
    resume_schedule,
)

ENDPOINT = os.environ.get("KFP_ENDPOINT", "")
pytestmark = pytest.mark.skipif(not ENDPOINT, reason="KFP_ENDPOINT names no Kubeflow Pipelines to test with")
NEVER_SOON = "0 0 1 1 *"


@pytest.fixture(scope="module")
def name():
    return f"genotransfer-test-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def connection(name):
    made = connect(ENDPOINT, os.environ.get("KFP_NAMESPACE", ""))
    yield made
    client, namespace = made.client, made.namespace or None
    for schedule in list_schedules(made):
        if schedule.display_name == name:
            delete_schedule(made, schedule.recurring_run_id)
    for pipeline in client.list_pipelines(page_size=100, namespace=namespace).pipelines or []:
        if pipeline.display_name == name:
            for version in (
                client.list_pipeline_versions(pipeline.pipeline_id, page_size=100).pipeline_versions or []
            ):
                client.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
            client.delete_pipeline(pipeline.pipeline_id)
    with contextlib.suppress(ValueError, ApiException):
        client.delete_experiment(
            client.get_experiment(experiment_name=name, namespace=namespace).experiment_id
        )


def load_demo(*overrides):
    return load_study(STUDIES / "demo.yaml", list(overrides))


def test_a_version_is_uploaded_once(connection, name):
    first = prepare_version(connection, load_demo(), name)
    assert prepare_version(connection, load_demo(), name) == first
    other = prepare_version(connection, load_demo("cluster.gpu.count=1", "cluster.timeout.task=1"), name)
    assert other["pipeline_id"] == first["pipeline_id"]
    assert other["version_id"] != first["version_id"]


def test_a_run_is_started_followed_and_stopped(connection, name):
    started = submit_study(connection, load_demo(), experiment=name, run_name=name, pipeline=name)
    assert started.run_id in [run.run_id for run in read_runs(connection, name)]
    assert read_run(connection, started.run_id).display_name == name
    terminate_run(connection, started.run_id)
    ended = follow_run(connection, started.run_id, Console(quiet=True))
    assert ended.state in ENDED - {"SUCCEEDED"}
    connection.client.delete_run(started.run_id)


def test_a_schedule_is_replaced_paused_and_deleted(connection, name):
    settings = {"name": name, "experiment": name, "pipeline": name}
    first = create_schedule(connection, load_demo(), NEVER_SOON, **settings)
    second = create_schedule(
        connection, load_demo("seed=2"), NEVER_SOON, catch_up=True, concurrency=2, **settings
    )
    found = find_schedule(connection, name)
    assert found.recurring_run_id == second.schedule_id != first.schedule_id
    assert second.n_replaced == 1
    assert (found.status, found.trigger.cron_schedule.cron) == ("ENABLED", "0 0 0 1 1 *")
    pause_schedule(connection, second.schedule_id)
    assert find_schedule(connection, name).status == "DISABLED"
    resume_schedule(connection, second.schedule_id)
    assert find_schedule(connection, name).status == "ENABLED"
    delete_schedule(connection, second.schedule_id)
    with pytest.raises(ClusterError, match="There is no schedule"):
        find_schedule(connection, name)
