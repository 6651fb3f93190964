"""The embedded runner: a study of any kind through KFP's local runner, with no cluster.

The same pipeline function and the same components as on Kubernetes; each task is a process of its
own. What the tasks report of themselves is shown while they run, and the real error of a task that
fails is shown instead of KFP's.
"""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import json
import os
import shutil
import sys
import threading
import uuid
import warnings
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from genotransfer.config import Study
from genotransfer.disk import explain_full_disk, is_full, name_full_disk
from genotransfer.errors import GenotransferError, InputError, StudyError
from genotransfer.events import EVENTS_VARIABLE, JOB_VARIABLE, mend_events
from genotransfer.formats.files import remove_unfinished, replace_together
from genotransfer.release import hash_code
from genotransfer.retraining.plan import Landing
from pipelines.containers import (
    check_images,
    connect_docker,
    find_task_user,
    guard_containers,
    make_runner,
    stop_containers,
)
from pipelines.kinds import KINDS, AnyStudy
from pipelines.progress import show_progress
from pipelines.run_folder import KIND_MARK, RunFolder

# In the folder of a run that is a retraining, and of one whose tasks go into containers.
RETRAINING_MARK = "retraining"
CONTAINERS_MARK = "containers"


class TaskFailedError(GenotransferError):
    """A task of a run failed.

    Attributes
    ----------
    users : whether the error is one the user can mend.
    """

    def __init__(self, message: str, *, users: bool) -> None:
        super().__init__(message)
        self.users = users


@dataclass
class _Run:
    folder: Path
    done: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None
    failures: list[dict[str, Any]] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def events(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def kind(self) -> str:
        """Of `pipelines.kinds.KINDS`."""
        mark = self.folder / KIND_MARK
        if mark.exists():
            return mark.read_text().strip()
        return "retraining" if (self.folder / RETRAINING_MARK).exists() else "study"

    @property
    def in_containers(self) -> bool:
        return (self.folder / CONTAINERS_MARK).exists()

    @property
    def job(self) -> str:
        """What the run is called by its tasks; the same however often it is taken up."""
        mark = self.folder / RETRAINING_MARK
        return f"{self.folder}-{mark.read_text()}" if mark.exists() else str(self.folder)

    @property
    def done_before(self) -> Path:
        """What tasks put out, by their inputs: a task that is there is not run again.

        What one put out under other code is not taken for what it would put out now.
        """
        return self.folder / "done" / hash_code()


def run_study(study: Study, runs: Path, console: Console | None = None, containers: bool = False) -> Path:
    """Run a transfer study on this machine; see `run_pipeline`."""
    return run_pipeline("study", study, runs, console, containers)


def run_pipeline(
    kind: str, study: AnyStudy, runs: Path, console: Console | None = None, containers: bool = False
) -> Path:
    """Run a study on this machine, by the pipeline of its kind.

    Parameters
    ----------
    kind : of `pipelines.kinds.KINDS`; for a retraining see `run_retraining`.
    study : the study.
    runs : folder of all runs; this one gets a folder of its own, and ``latest`` points to it.
    console : where progress is shown; standard error when None.
    containers : each task in a container of its image, as on a cluster, instead of a process; a run
        that is taken up again goes on as it began.

    Returns
    -------
    The run's folder: report.html, results.csv, tables/, figures/, study.yaml, log.txt,
    events.jsonl, and artifacts/ with what every task made.

    Raises
    ------
    StudyError
        Containers are asked for, and Docker or an image is not there.
    TaskFailedError
        A task failed; the message is its own error.
    """
    folder = _make_run_folder(study, runs, containers)
    if kind != "study":
        (folder / KIND_MARK).write_text(kind)
    _write_study(study, folder / "study.yaml")
    return _carry_out(study, _Run(folder), console)


def name_kind(folder: Path) -> str:
    """Return the kind of the study whose run a folder is."""
    return _Run(folder).kind


def run_retraining(
    study: Study, runs: Path, console: Console | None = None, containers: bool = False
) -> tuple[Path, Landing]:
    """Run a retraining on this machine: see `pipelines.retraining`.

    Parameters
    ----------
    study, runs, console, containers : as for `run_study`.

    Returns
    -------
    The run's folder, with the results of a study where there was something new; and what was found.

    Raises
    ------
    TaskFailedError
        A task failed; the message is its own error.
    """
    folder = _make_run_folder(study, runs, containers)
    # First, so that a run that is stopped here is taken up as what it is. Two machines can name a folder
    # alike; the claim on the place where cohorts land needs a name of its own.
    (folder / RETRAINING_MARK).write_text(uuid.uuid4().hex[:8])
    _write_study(study, folder / "study.yaml")
    folder = _carry_out(study, _Run(folder), console)
    return folder, Landing.read(RunFolder(folder).find("plan_retraining", "landing"))


def resume_run(folder: Path, console: Console | None = None) -> Path:
    """Go on with a run that failed or was stopped; tasks that were done are not done again.

    Parameters
    ----------
    folder : of the run, as `run_study` made it.
    console : where progress is shown; standard error when None.

    Raises
    ------
    InputError
        The folder is no run's.
    StudyError
        Another process is at this run.
    TaskFailedError
        A task failed; the message is its own error.
    """
    folder = folder.resolve()
    if not (folder / "study.yaml").is_file():
        raise InputError(
            "this is no folder of a run: it has no study.yaml",
            file=folder,
            remedy="Name a folder under runs/, or runs/latest",
        )
    run = _Run(folder)
    if run.kind not in KINDS:
        raise InputError(
            f"this is the folder of a run of the pipeline {run.kind!r}, which this release does not have",
            file=folder,
            remedy="Resume it with the release that began it",
        )
    return _carry_out(KINDS[run.kind].load(folder / "study.yaml"), run, console)


def _carry_out(study: AnyStudy, run: _Run, console: Console | None) -> Path:
    console = console or Console(file=sys.stderr)
    runs = run.folder.parent
    environment = _make_environment(study, runs, run)
    with _hold(run.folder):
        mend_events(run.events)
        remove_unfinished(run.folder / "artifacts")
        before = run.events.stat().st_size if run.events.exists() else 0
        worker = threading.Thread(target=_execute, args=(study, run, environment), daemon=True)
        worker.start()
        try:
            run.failures = show_progress(run.events, run.done, console, before)
            worker.join()
        except BaseException:  # somebody stops this process, which containers would outlive
            run.stopping.set()
            while run.in_containers and worker.is_alive():
                stop_containers(connect_docker(), run.folder)
                worker.join(0.5)
            raise
        # The report is whole or absent; where only MLflow failed after it, it is not lost.
        _collect_results(run)
    if run.error is not None:
        raise _explain_failure(run)
    if (run.folder / "report.html").exists():  # a retraining that found nothing has none
        _point_latest(runs, run.folder)
    return run.folder


@contextlib.contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Hold a run's folder; the system lets go of it when the process ends, however it ends."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(f"Another process is at the run {folder}. Wait until it has ended.") from None
        yield


def _make_run_folder(study: AnyStudy, runs: Path, containers: bool) -> Path:
    if containers:
        check_images(connect_docker())
    runs.mkdir(parents=True, exist_ok=True)
    if containers:
        find_task_user(runs)
    stem = f"{study.name}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in range(1, 1000):
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        if containers:
            (folder / CONTAINERS_MARK).touch()
        return folder.resolve()
    raise GenotransferError(f"{runs} holds a thousand runs of this second. Wait and try again.")


def _write_study(study: AnyStudy, path: Path) -> None:
    import yaml

    path.write_text(yaml.safe_dump(json.loads(study.to_json()), sort_keys=False))


def _make_environment(study: AnyStudy, runs: Path, run: _Run) -> dict[str, str]:
    environment = {
        EVENTS_VARIABLE: str(run.events),
        JOB_VARIABLE: run.job,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONUNBUFFERED": "1",
    }
    # Two tasks run side by side, and sums of floats must not depend on how many cores there are.
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    if not study.tracking.uri and not os.environ.get("MLFLOW_TRACKING_URI"):
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{runs.resolve() / 'mlflow.db'}"
    return environment


def _execute(study: AnyStudy, run: _Run, environment: dict[str, str]) -> None:
    try:
        with (
            run.log.open("a", buffering=1) as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
            _set_environment(environment),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            from kfp import local

            kind = KINDS[run.kind]
            pipeline = kind.open()
            (run.folder / "workspace").mkdir(exist_ok=True)
            with _make_runner(study, run, environment) as runner:
                local.init(
                    runner=runner,
                    pipeline_root=str(run.folder / "artifacts"),
                    workspace_root=str(run.folder / "workspace"),
                    enable_caching=True,
                    cache_root=str(run.done_before),
                )
                pipeline(study=study.to_json(with_cluster=False), **kind.find_loops(study, here=True))
    except BaseException as error:
        run.error = error
    finally:
        run.done.set()


@contextlib.contextmanager
def _make_runner(study: AnyStudy, run: _Run, environment: dict[str, str]) -> Iterator[Any]:
    if not run.in_containers:
        from kfp import local

        yield local.SubprocessRunner(use_venv=False)
        return
    client = connect_docker()
    check_images(client)
    with guard_containers(client, run.folder, run.stopping):
        yield make_runner(client, study, run.folder, environment)


@contextlib.contextmanager
def _set_environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _explain_failure(run: _Run) -> TaskFailedError:
    if run.failures:
        first = run.failures[0]
        name = first["task"].replace("_", " ") + (f" of {first['item']}" if first["item"] else "")
        again = f"Go on from there with: genotransfer resume {run.folder}"
        return TaskFailedError(
            f"{name}: {first['message']}\nThe whole log: {run.log}\n{again}", users=first["users"]
        )
    full = run.error and explain_full_disk(run.error)
    if full or is_full(run.folder):
        return TaskFailedError(
            f"{full or name_full_disk(run.folder)}\nGo on from there with: genotransfer resume {run.folder}",
            users=True,
        )
    with run.log.open(errors="replace") as log:
        tail = "".join(deque(log, maxlen=15))
    return TaskFailedError(
        f"The run stopped without a task saying why: {run.error}\nThe end of {run.log}:\n{tail}", users=False
    )


def _collect_results(run: _Run) -> None:
    """Lift the report, once its task has ended, to the top of the run's folder."""
    # KFP writes this file when the task's function has returned.
    ended = sorted((run.folder / "artifacts").glob("**/write-*report/executor_output.json"))
    for report in (one.parent / "report" for one in ended[-1:]):
        for path in sorted(one for one in report.rglob("*") if one.is_file()):
            target = run.folder / path.relative_to(report)
            if target.is_file() and filecmp.cmp(path, target, shallow=False):
                continue  # lifted by an earlier try; somebody may be reading it
            target.parent.mkdir(parents=True, exist_ok=True)
            with replace_together(target) as [temporary]:
                shutil.copy2(path, temporary)


def _point_latest(runs: Path, folder: Path) -> None:
    latest, temporary = runs / "latest", runs / f".latest-{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    temporary.replace(latest)
