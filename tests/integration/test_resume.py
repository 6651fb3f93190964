"""Runs that were killed, or that failed, go on from where they were and end as one undisturbed."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from genotransfer.events import read_events
from tests.integration.servers import serve_mlflow
from tests.integration.support import TINY, Run, run_cli, share, start_cli

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")  # its use of SQLAlchemy
SAME = ("results.csv", "leaderboard.parquet", "curves.parquet", "study.yaml")
Event = dict[str, object]


@dataclass(frozen=True)
class Stop:
    """A try that was killed: what its tasks had reported, and when."""

    why: str
    offset: int
    time: float


@dataclass(frozen=True)
class Stopped:
    """A run that was killed some times and then ended."""

    run: Run
    stops: list[Stop]
    refused: tuple[int, str]  # exit status and standard error of a second process at the run

    @property
    def tries(self) -> list[list[Event]]:
        """Events of each try."""
        path = self.run.folder / "events.jsonl"
        starts = [0, *(one.offset for one in self.stops)]
        since = [read_events(path, start)[0] for start in starts]
        counts = [len(one) for one in since] + [0]
        return [one[: count - later] for one, count, later in zip(since, counts, counts[1:], strict=False)]


def kill_when(process: subprocess.Popen, folder: Path, due: Callable[[list[Event]], bool], why: str) -> Stop:
    """Kill a run and all its tasks once its new events, or the world, are as due.

    `folder` is that of all runs; it holds one.
    """
    [before] = [path.stat().st_size for path in folder.glob("tiny-*/events.jsonl")] or [0]
    while True:
        assert process.poll() is None, (folder.parent / "said.txt").read_text()
        events = [one for path in folder.glob("tiny-*/events.jsonl") for one in read_events(path, before)[0]]
        if due(events):
            break
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    killed = time.time()
    process.wait()
    time.sleep(0.5)  # what the kernel had accepted is written
    [path] = folder.glob("tiny-*/events.jsonl")
    return Stop(why, path.stat().st_size, killed)


def count_running(store: Path) -> int:
    """Return how many MLflow runs are running, as the database says without MLflow."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT COUNT(*) FROM runs WHERE status = 'RUNNING'").fetchone()[0])
    except sqlite3.OperationalError:  # no store yet, or no tables
        return 0


def has(events: list[Event], event: str, *tasks: str) -> bool:
    """Say whether a task reported such an event."""
    return any(one["event"] == event and one["task"] in tasks for one in events)


@pytest.fixture(scope="session")
def stopped(tmp_path_factory) -> Stopped:
    """The tiny study, killed three times and resumed each time: see the conditions below."""

    def make(folder: Path) -> None:
        (folder / "study.yaml").write_text(TINY)
        runs = folder / "runs"
        process = start_cli("run", "study.yaml", cwd=folder)
        stops = [kill_when(process, runs, lambda now: has(now, "began", "prepare_phenotypes"), "genotypes")]
        [run] = runs.glob("tiny-*")

        refused: list[tuple[int, str]] = []

        def is_training(now: list[Event]) -> bool:
            if not refused and has(now, "began", "train_baselines"):
                done = run_cli("resume", run, cwd=folder)
                refused.append((done.returncode, done.stderr))
            return has(now, "progressed", "train_source_models")

        stops.append(kill_when(start_cli("resume", run, cwd=folder), runs, is_training, "training"))
        tracking = start_cli("resume", run, cwd=folder)
        # The study's run and one under it.
        stops.append(kill_when(tracking, runs, lambda _: count_running(runs / "mlflow.db") > 1, "tracking"))
        done = run_cli("resume", cwd=folder)  # runs/latest is not there yet
        assert done.returncode == 2, done.stdout
        done = run_cli("resume", run, cwd=folder)
        assert done.returncode == 0, done.stderr
        facts = {"stops": [vars(one) for one in stops], "refused": refused}
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = share(tmp_path_factory, "stopped", make)
    facts = json.loads((folder / "facts.json").read_text())
    [run] = folder.glob("runs/tiny-*")
    return Stopped(Run(run), [Stop(**one) for one in facts["stops"]], tuple(facts["refused"][0]))


def test_a_run_killed_three_times_ends_as_one_undisturbed(finished, stopped):
    for name in SAME:
        assert (stopped.run.folder / name).read_bytes() == (finished.folder / name).read_bytes(), name
    assert (stopped.run.folder.parent / "latest").resolve() == stopped.run.folder.resolve()


def test_tasks_that_had_ended_are_not_begun_again(stopped):
    ended: dict[tuple[object, object], float] = {}
    tries = stopped.tries
    for events, stop in zip(tries, [*stopped.stops, None], strict=True):
        began = {(one["task"], one["item"]) for one in events if one["event"] == "began"}
        assert not began & set(ended), stop
        for one in events:
            # What ended in the second before the kill may not have been put away yet.
            if one["event"] == "ended" and (stop is None or float(str(one["time"])) < stop.time - 1):
                ended[one["task"], one["item"]] = float(str(one["time"]))
    assert ("prepare_genotypes", "") in {(one["task"], one["item"]) for one in tries[0]}
    for task, at in (("prepare_phenotypes", 0), ("train_source_models", 1), ("track_study", 2)):
        # What the kill cut off was begun again, and ended.
        assert has(tries[at], "began", task)
        assert has(tries[at + 1], "began", task)
        assert has(tries[at + 1], "ended", task)
    # All that a study does was done, and ended once.
    assert {task for task, _ in ended} == {
        str(one["task"]) for events in tries for one in events if one["event"] == "began"
    }
    assert not [one for events in tries for one in events if one["event"] == "failed"]


def test_mlflow_has_one_finished_study_and_none_left_running(stopped):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{stopped.run.folder.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("genotransfer").experiment_id
    runs = client.search_runs([experiment])
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}
    studies = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert {run.data.tags["job"] for run in studies} == {str(stopped.run.folder.resolve())}
    assert sorted(run.info.status for run in studies) == ["FINISHED", "KILLED"]
    [study] = [run.info.run_id for run in studies if run.info.status == "FINISHED"]
    tracked = json.loads(stopped.run.find("track_study", "tracked").read_text())
    assert tracked["study"] == study
    under = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == study]
    assert {run.info.run_id for run in under} == set(tracked.values()) - {study}
    assert {run.info.status for run in under} == {"FINISHED"}
    for phenotype in ("3_1", "3_2"):
        [version] = client.search_model_versions(f"name = 'tiny-YRI-{phenotype}'")
        assert version.run_id == tracked[f"{phenotype}/chosen"]
        assert (
            client.get_model_version_by_alias(f"tiny-YRI-{phenotype}", "champion").version == version.version
        )


def test_a_second_process_at_a_run_is_told(stopped):
    status, said = stopped.refused
    assert status == 2
    assert f"Another process is at the run {stopped.run.folder.resolve()}. Wait until it has ended." in said
    assert "Traceback" not in said


def hash_tree(folder: Path) -> dict[str, str]:
    """Return hashes of a run's files but those that say that somebody was there."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("log.txt", "lock")
    }


def test_to_resume_a_finished_run_changes_nothing(stopped):
    folder = stopped.run.folder
    before, runs = hash_tree(folder), (folder.parent / "mlflow.db").read_bytes()
    began = time.monotonic()
    done = run_cli("resume", "runs/latest", cwd=folder.parents[1])
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert hash_tree(folder) == before
    assert (folder.parent / "mlflow.db").read_bytes() == runs
    assert done.stdout.rstrip().endswith(f"Report: {folder / 'report.html'}")
    times = [float(str(one["time"])) for events in stopped.tries for one in events]
    assert took < (max(times) - min(times)) / 3


def test_what_is_no_run_is_told(tmp_path):
    done = run_cli("resume", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert "this is no folder of a run: it has no study.yaml" in done.stderr


def test_a_study_whose_tracking_failed_is_resumed_when_mlflow_is_back(finished, again, tmp_path):
    from mlflow import MlflowClient

    run, said = again
    command = said.strip().splitlines()[-1].partition("Go on from there with: ")[2].split()
    assert command == ["genotransfer", "resume", str(run.folder)]
    before = (run.folder / "events.jsonl").stat().st_size
    with serve_mlflow(tmp_path) as uri:
        done = run_cli(*command[1:], cwd=tmp_path, MLFLOW_TRACKING_URI=uri)
        assert done.returncode == 0, done.stderr
        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("genotransfer").experiment_id
        studies = [
            one for one in client.search_runs([experiment]) if "mlflow.parentRunId" not in one.data.tags
        ]
        assert [one.info.status for one in studies] == ["FINISHED"]
        for phenotype in ("3_1", "3_2"):
            version = client.get_model_version_by_alias(f"tiny-YRI-{phenotype}", "champion")
            assert version.tags["decision"] == "promoted"
    events, _ = read_events(run.folder / "events.jsonl", before)
    began = [one["task"] for one in events if one["event"] == "began"]
    assert began == ["track_study", "register_models", "promote_models"]
    assert (run.folder / "results.csv").read_bytes() == (finished.folder / "results.csv").read_bytes()
