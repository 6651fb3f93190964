"""The same study in containers and in processes: equal results, and containers that may do nothing else."""

import os
import time

import pytest
from mlflow import MlflowClient

from pipelines.containers import RUN_LABEL
from tests.containers.conftest import TASK_USER, make_place, read_all_events, start_in
from tests.integration.support import run_cli

pytestmark = [
    pytest.mark.containers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
]
SAME = ("results.csv", "leaderboard.parquet", "curves.parquet", "study.yaml")


def test_results_are_those_of_processes_byte_for_byte(both):
    for name in SAME:
        ours, due = (one.folder / name for one in (both.containers, both.processes))
        assert ours.read_bytes() == due.read_bytes(), name
    tables = sorted(one.name for one in (both.processes.folder / "tables").iterdir())
    assert tables == sorted(one.name for one in (both.containers.folder / "tables").iterdir())
    assert (both.containers.folder / "report.html").stat().st_size > 100_000


def test_both_are_in_mlflow_alike(both):
    client = MlflowClient(both.uri, registry_uri=both.uri)
    [experiment] = [one for one in client.search_experiments() if one.name != "Default"]
    runs = client.search_runs([experiment.experiment_id], max_results=500)
    of = {}
    for run in runs:
        assert run.info.status == "FINISHED"
        of.setdefault(run.data.tags.get("mlflow.parentRunId"), []).append(run)
    studies = [one for one in of[None] if one.info.run_name == "tiny"]
    assert {one.data.tags["job"] for one in studies} == {
        str(one.folder) for one in (both.processes, both.containers)
    }
    for one in studies[1:]:
        assert sorted(run.info.run_name for run in of[one.info.run_id]) == sorted(
            run.info.run_name for run in of[studies[0].info.run_id]
        )
        assert one.data.metrics == studies[0].data.metrics
    for model in client.search_registered_models():
        assert len(client.search_model_versions(f"name = '{model.name}'")) == 2


def test_nothing_is_left_of_the_containers(both, docker_client):
    label = f"{RUN_LABEL}={both.containers.folder}"
    assert docker_client.containers.list(all=True, filters={"label": label}) == []
    if os.geteuid() == 0:
        made = [one for one in both.containers.folder.glob("artifacts/**/*") if one.is_file()]
        assert {one.stat().st_uid for one in made} == {TASK_USER}


def test_containers_may_do_no_more_than_their_task(docker_client, tmp_path):
    """Looked at while they run; and a run that somebody stops leaves none of them."""
    folder = make_place(tmp_path)
    process = start_in(folder, "run", "study.yaml", "--containers")
    seen = {}
    while len(seen) < 6:
        assert process.poll() is None, (folder / "said.txt").read_text()
        for one in docker_client.containers.list(filters={"label": RUN_LABEL}):
            if one.labels[RUN_LABEL].startswith(str(folder)):
                seen[one.id] = one.attrs
        time.sleep(0.05)
    process.send_signal(2)
    assert process.wait(timeout=60) != 0
    assert [
        one
        for one in docker_client.containers.list(all=True, filters={"label": RUN_LABEL})
        if one.labels[RUN_LABEL].startswith(str(folder))
    ] == []
    for attrs in seen.values():
        host, config = attrs["HostConfig"], attrs["Config"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["Privileged"] is False
        assert config["User"] == f"{TASK_USER if os.geteuid() == 0 else os.getuid()}:" + (
            f"{TASK_USER}" if os.geteuid() == 0 else f"{os.getgid()}"
        )
        writable = {one["Source"] for one in attrs["Mounts"] if one["RW"] and one["Type"] == "bind"}
        assert all(
            one.startswith(str(folder / "runs")) or one.endswith(".cache/genotransfer") for one in writable
        )


def test_files_of_a_study_are_read_and_cannot_be_written(docker_client, tmp_path):
    from tests.integration.support import make_cohorts

    folder = make_place(tmp_path)
    make_cohorts(folder)
    for one in folder.iterdir():
        one.chmod(0o755 if one.is_dir() else 0o644)
    done = run_cli("run", "study.yaml", "--containers", cwd=folder)
    assert done.returncode == 0, done.stderr
    due = run_cli("run", "study.yaml", "--runs", "others", cwd=folder)
    assert due.returncode == 0, due.stderr
    ours, others = (folder / one / "latest/results.csv" for one in ("runs", "others"))
    assert ours.read_bytes() == others.read_bytes()


def test_an_image_of_another_release_stops_at_the_first_task(docker_client, tmp_path):
    """The image that the run is made to take for its own says in time that it is not."""
    folder = make_place(tmp_path)
    code = (
        "import sys; from genotransfer import release; from components import images;"
        "release.name_release = lambda: '0.0.9-feedfeedfeed';"
        "import pipelines.containers as c; c.name_release = release.name_release;"
        "from pipelines.cli import main; sys.argv = ['genotransfer', 'run', 'study.yaml', '--containers']; main()"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "its pipeline was compiled with genotransfer 0.0.9-feedfeedfeed" in done.stderr
    assert [one["event"] for one in read_all_events(folder)] == ["began", "failed"]


def test_an_image_that_is_not_there_is_told_before_anything(docker_client, tmp_path):
    folder = make_place(tmp_path)
    done = run_cli("run", "study.yaml", "--containers", cwd=folder, GENOTRANSFER_IMAGES="nobody/nothing")
    assert done.returncode == 2
    assert "The image nobody/nothing/python-data:" in done.stderr
    assert "make images" in done.stderr
    assert list((folder / "runs").iterdir()) == []


def test_without_docker_the_error_says_so(tmp_path):
    folder = make_place(tmp_path)
    done = run_cli("run", "study.yaml", "--containers", cwd=folder, DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 2
    assert "Docker's engine does not answer" in done.stderr
    assert list((folder / "runs").iterdir()) == []
