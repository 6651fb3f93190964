"""What goes wrong around a task: its container is killed, the disk is full, MLflow is away."""

import json
import os
import subprocess
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from mlflow import MlflowClient

from pipelines.containers import RUN_LABEL
from tests.containers.conftest import TASK_USER, make_place, read_all_events
from tests.integration.servers import find_port, serve_mlflow
from tests.integration.support import TINY, Run, run_cli, start_cli

pytestmark = [
    pytest.mark.containers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
]
SAME = ("results.csv", "leaderboard.parquet", "curves.parquet", "study.yaml")
ONE = TINY.replace("iterations: 2", "iterations: 1")
TASKS = {
    "plan_study", "prepare_genotypes", "prepare_phenotypes", "control_quality", "test_association",
    "select_panels", "train_baselines", "train_scores", "draw_figures", "gather_cohorts",
    "train_source_models", "transfer_models", "select_best_model", "evaluate_final", "interpret_models",
    "write_report", "track_study", "register_models", "show_performance", "promote_models",
}  # fmt: skip


@pytest.fixture(scope="session")
def undisturbed(docker_client, tmp_path_factory) -> Run:
    """The study with one phenotype, in containers."""
    folder = make_place(tmp_path_factory.mktemp("undisturbed"), ONE)
    done = run_cli("run", "study.yaml", "--containers", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Run((folder / "runs/latest").resolve())


def name_task(container) -> str:
    command = container.attrs["Config"]["Cmd"]
    return command[command.index("--function_to_execute") + 1]


def find_outputs(container) -> Path:
    """Return the folder a task's outputs go to."""
    command = container.attrs["Config"]["Cmd"]
    given = json.loads(command[command.index("--executor_input") + 1])
    return Path(given["outputs"]["outputFile"]).parent


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def kill_one(
    client, process, folder: Path, left: set[str], learnt: dict[str, float]
) -> tuple[str, Path] | None:
    """Kill the container of the first task in `left` that is at work; None where the run ended before.

    It is killed when its first output appears, or when half of the time has gone that the undisturbed
    task took.
    """
    while process.poll() is None:
        began = Counter(one["task"] for one in read_all_events(folder) if one["event"] == "began")
        for one in client.containers.list(filters={"label": RUN_LABEL}):
            if not one.labels[RUN_LABEL].startswith(str(folder)) or name_task(one) not in left:
                continue
            task, outputs = name_task(one), find_outputs(one)
            seen = began[task]
            while not seen and process.poll() is None:  # until the function itself runs
                seen = sum(e["task"] == task and e["event"] == "began" for e in read_all_events(folder))
            until = time.monotonic() + learnt.get(task, 0) / 2
            while time.monotonic() < until and not any(outputs.rglob("*")):
                time.sleep(0.002)
            try:
                one.kill()
            except docker.errors.APIError:
                continue  # it had ended
            return task, outputs
        time.sleep(0.01)
    return None


def learn_times(run: Run) -> dict[str, float]:
    from genotransfer.events import read_events

    began, took = {}, {}
    for one in read_events(run.folder / "events.jsonl")[0]:
        if one["event"] == "began":
            began[one["task"]] = one["time"]
        elif one["event"] == "ended":
            took[one["task"]] = one["time"] - began[one["task"]]
    return took


def kill_in_turn(
    client, undisturbed: Run, folder: Path, left: set[str]
) -> dict[str, tuple[Path, dict[str, bytes]]]:
    """Run a study, kill every task in `left` that can be met at work, and resume until it ends well.

    Returns the folders of the killed tasks' outputs, and the files that were in them.
    """
    learnt, found = learn_times(undisturbed), {}
    process = start_cli("run", "study.yaml", "--containers", cwd=folder)
    try:
        while True:
            killed = []
            while (one := kill_one(client, process, folder, left, learnt)) is not None:
                killed.append(one)
                left.discard(one[0])
            status = process.wait(timeout=900)
            said = (folder / "said.txt").read_text()
            [run] = (folder / "runs").glob("tiny-*")
            if not killed:
                assert status == 0, said
                return found
            found |= {task: (place, list_files(place)) for task, place in killed}
            if status:
                tail = said[said.rindex("Error") :]
                assert status == 1, said
                assert any(task.replace("_", " ") in tail for task, _ in killed), said
                assert "its container ended with status 137: it was killed" in tail
                assert f"genotransfer resume {run}" in tail
            process = start_cli("resume", run, cwd=folder)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def test_every_component_is_killed_and_the_run_ends_as_one_undisturbed(docker_client, undisturbed, tmp_path):
    assert set(learn_times(undisturbed)) == TASKS
    left, compared = set(TASKS), 0
    for attempt in range(4):  # a task of a tenth of a second may have ended before it is met
        if not left:
            break
        (tmp_path / str(attempt)).mkdir()
        folder = make_place(tmp_path / str(attempt), ONE)
        outputs = kill_in_turn(docker_client, undisturbed, folder, left)
        run = (folder / "runs/latest").resolve()
        for name in SAME:
            assert (run / name).read_bytes() == (undisturbed.folder / name).read_bytes(), name
        compared += compare_left(run, outputs)
    assert left == set()
    print(f"{len(TASKS)} components killed; {compared} files they left were compared")


def compare_left(run: Path, outputs: dict[str, tuple[Path, dict[str, bytes]]]) -> int:
    """Check that what a killed task left under its outputs' names is whole: what the retry wrote."""
    compared = 0
    for task, (place, files) in outputs.items():
        written = run.glob(f"artifacts/**/{task.replace('_', '-')}/executor_output.json")
        whole = [list_files(one.parent) for one in written if one.parent != place]
        assert whole, task
        for name, content in files.items():
            if name == "executor_output.json":  # KFP's own, with the names of folders
                json.loads(content)
                continue
            assert content in [one.get(name) for one in whole], (
                f"{task} left {name}, half-written or needless"
            )
            compared += 1
    return compared


# ---- the disk ----------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str):
    """A file system of its own at a folder, of a few MB."""
    options = f"size={size},mode=0755,uid={TASK_USER},gid={TASK_USER}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.parametrize("size", ["48k", "600k", "1200k", "2m", "4m"])
@pytest.mark.parametrize("how", ["containers", "processes"])
def test_a_full_disk_is_told_and_the_run_goes_on_with_more_room(undisturbed, tmp_path, size, how):
    folder = make_place(tmp_path, ONE)
    options = ["--containers"] if how == "containers" else []
    with small_disk(folder / "runs", size) as resize:
        done = run_cli("run", "study.yaml", *options, cwd=folder)
        assert done.returncode == 2, (done.stdout, done.stderr)
        assert "The disk is full" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert not (folder / "runs/latest").exists()
        resize("200m")
        [run] = (folder / "runs").glob("tiny-*")
        again = ["resume", run] if (run / "study.yaml").exists() else ["run", "study.yaml", *options]
        done = run_cli(*again, cwd=folder)
        assert done.returncode == 0, done.stderr
        for name in SAME:
            assert (folder / "runs/latest" / name).read_bytes() == (undisturbed.folder / name).read_bytes(), (
                name
            )


# ---- MLflow ------------------------------------------------------------------------------------------------


@contextmanager
def serve_at(folder: Path, port: int):
    with serve_mlflow(folder, port=port) as uri:
        yield uri


def count_runs(uri: str) -> Counter:
    client = MlflowClient(uri, registry_uri=uri)
    ids = [one.experiment_id for one in client.search_experiments()]
    return Counter((run.info.run_name, run.info.status) for run in client.search_runs(ids, max_results=900))


def test_mlflow_away_for_a_minute_is_ridden_out(undisturbed, tmp_path):
    """It goes in the middle of logging, comes back after a minute, and nothing is doubled or lost."""
    folder, store, port = make_place(tmp_path, ONE), tmp_path / "mlflow", find_port()
    store.mkdir()
    due = count_runs(f"sqlite:///{undisturbed.folder.parent / 'mlflow.db'}")
    with serve_at(store, port) as uri:
        process = start_cli("run", "study.yaml", "--containers", cwd=folder, MLFLOW_TRACKING_URI=uri)
        while not any(one["task"] == "track_study" for one in read_all_events(folder)):
            assert process.poll() is None, (folder / "said.txt").read_text()
            time.sleep(0.02)
        while sum(count_runs(uri).values()) < 3:
            assert process.poll() is None, (folder / "said.txt").read_text()
    went = time.monotonic()
    while time.monotonic() - went < 60:
        assert process.poll() is None, (folder / "said.txt").read_text()
        time.sleep(1)
    with serve_at(store, port) as uri:
        assert process.wait(timeout=600) == 0, (folder / "said.txt").read_text()
        assert count_runs(uri) == due
    [run] = (folder / "runs").glob("tiny-*")
    assert (run / "results.csv").read_bytes() == (undisturbed.folder / "results.csv").read_bytes()


def test_mlflow_away_for_good_is_one_error_and_no_lost_training(undisturbed, tmp_path):
    folder, store, port = make_place(tmp_path, ONE), tmp_path / "mlflow", find_port()
    store.mkdir()
    away = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
    done = run_cli("run", "study.yaml", "--containers", cwd=folder, **away)
    assert done.returncode == 2
    assert done.stderr.count("Error") == 1, done.stderr
    assert f"track study: MLflow at http://127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
    [run] = (folder / "runs").glob("tiny-*")
    assert (run / "results.csv").read_bytes() == (undisturbed.folder / "results.csv").read_bytes()
    before = len(read_all_events(folder))
    with serve_at(store, port) as uri:
        done = run_cli("resume", run, cwd=folder, MLFLOW_TRACKING_URI=uri)
        assert done.returncode == 0, done.stderr
        began = {one["task"] for one in read_all_events(folder)[before:] if one["event"] == "began"}
        assert began == {"track_study", "register_models", "promote_models", "show_performance"} & began
        assert "track_study" in began
        due = count_runs(f"sqlite:///{undisturbed.folder.parent / 'mlflow.db'}")
        assert count_runs(uri) == due
