"""The same study in containers and in processes: equal results, and containers that may do nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines.containers import RUN_LABEL
from tests.containers.conftest import TASK_USER, make_place, read_all_events
from tests.integration.support import TINY, make_cohorts, run_cli, start_cli
from tests.unit.test_retraining import land_cohort

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


def list_ours(client, folder):
    """Return the containers of the runs in a folder."""
    found = client.containers.list(all=True, ignore_removed=True, filters={"label": RUN_LABEL})
    return [one for one in found if one.labels[RUN_LABEL].startswith(str(folder))]


def test_containers_may_do_no_more_than_their_task(docker_client, tmp_path):
    """Looked at while they run; and a run that somebody stops leaves none of them."""
    folder = make_place(tmp_path)
    process = start_cli("run", "study.yaml", "--containers", cwd=folder)
    seen = {}
    while len(seen) < 6:
        assert process.poll() is None, (folder / "said.txt").read_text()
        for one in list_ours(docker_client, folder):
            seen[one.id] = one.attrs
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 130
    assert list_ours(docker_client, folder) == []
    told = len(read_all_events(folder))
    time.sleep(3)
    assert list_ours(docker_client, folder) == []
    assert len(read_all_events(folder)) == told
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
        [run] = (folder / "runs").glob("tiny-*")
        cache = (
            folder / "runs/.cache/genotransfer" if os.geteuid() == 0 else Path.home() / ".cache/genotransfer"
        )
        assert {Path(one) for one in writable if not Path(one).is_relative_to(run)} == {cache}
        assert not [one for one in config["Env"] if one.startswith("MLFLOW_")]


def test_files_of_a_study_are_found_behind_links_and_cannot_be_written(docker_client, tmp_path):
    folder = make_place(tmp_path)
    (tmp_path / "far").mkdir()
    make_cohorts(tmp_path / "far")
    (tmp_path / "near").symlink_to(tmp_path / "far")
    for one in (tmp_path / "far", *(tmp_path / "far").iterdir()):
        one.chmod(0o755 if one.is_dir() else 0o644)
    arguments = ["run", tmp_path / "far/study.yaml", "--set", f"genotypes.folder={tmp_path / 'near'}"]
    done = run_cli(*arguments, "--containers", cwd=folder)
    assert done.returncode == 0, done.stderr
    due = run_cli(*arguments, "--runs", "others", cwd=folder)
    assert due.returncode == 0, due.stderr
    ours, others = (folder / one / "latest/results.csv" for one in ("runs", "others"))
    assert ours.read_bytes() == others.read_bytes()


def test_a_retraining_goes_into_containers_too(docker_client, tmp_path):
    """The cohort lands beside the study; both ways take it, and find the same."""
    results = []
    for how in ([], ["--containers"]):
        (tmp_path / str(len(results))).mkdir()
        folder = make_place(tmp_path / str(len(results)))
        make_cohorts(folder)
        text = (folder / "study.yaml").read_text().replace("threshold: mean", "threshold: 174")
        text = text.replace("classical: [svm]", "scores: [lasso]").replace(
            "[none, snp_transfer]", "[score_transfer]"
        )
        (folder / "study.yaml").write_text(text + "retraining: {cohorts: landing, least_people: 20}\n")
        done = run_cli("run", "study.yaml", *how, cwd=folder)
        assert done.returncode == 0, done.stderr
        land_cohort(folder / "landing" / "a", "new", 60, 3)
        if os.geteuid() == 0:
            for one in (folder / "landing", *(folder / "landing").rglob("*")):
                os.chown(one, TASK_USER, TASK_USER)
        done = run_cli("retrain", "study.yaml", *how, cwd=folder)
        assert done.returncode == 0, done.stderr
        results.append((folder / "runs/latest/results.csv").read_bytes())
        done = run_cli("retrain", "study.yaml", *how, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "nothing new" in done.stdout.lower(), done.stdout
    assert results[0] == results[1]


def test_a_store_that_containers_do_not_see_is_told(docker_client, tmp_path):
    folder = make_place(tmp_path)
    elsewhere = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/elsewhere.db"}
    done = run_cli("run", "study.yaml", "--containers", cwd=folder, **elsewhere)
    assert done.returncode != 0
    assert "is a file that containers do not see" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have such a folder")
def test_tasks_are_never_root(docker_client, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/older").mkdir()
    (tmp_path / "study.yaml").write_text(TINY)
    done = run_cli("run", "study.yaml", "--containers", cwd=tmp_path)
    assert done.returncode == 2
    assert "tasks in containers are not to be root" in done.stderr
    assert [one.name for one in (tmp_path / "runs").iterdir()] == ["older"]


def test_an_image_of_another_release_stops_at_the_first_task(docker_client, tmp_path):
    """The image that the run is made to take for its own says in time that it is not."""
    folder = make_place(tmp_path)
    code = (
        "import sys; from genotransfer import release; from components import images;"
        "release.name_release = lambda: '0.0.9-feedfeedfeed';"
        "import pipelines.containers as c; c.name_release = release.name_release;"
        "from pipelines.cli import main; sys.argv = ['genotransfer', 'run', 'study.yaml', '--containers']; main()"
    )
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
