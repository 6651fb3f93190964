"""Events of running tasks: began, progressed, ended, failed.

A task appends one JSON line for each event to the file that GENOTRANSFER_EVENTS names, so that
whoever launched the tasks can show progress and the real error of a task that failed. Without the
variable, progress goes to standard output and errors are only raised.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genotransfer.errors import GenotransferError
from genotransfer.release import check_release

EVENTS_VARIABLE = "GENOTRANSFER_EVENTS"
# Names the run a task belongs to where whoever launched it can take it up again.
JOB_VARIABLE = "GENOTRANSFER_JOB"
Progress = Callable[[int, int, str], None]


@contextmanager
def report_task(task: str, item: str = "") -> Iterator[Progress]:
    """Report the beginning, progress and end of a task.

    Parameters
    ----------
    task : name of the task, e.g. ``transfer_models``.
    item : what of a loop it works on, e.g. ``gru``.

    Yields
    ------
    progress(done, total, note) : to be called as often as wanted; at most five events a second are kept.
    """
    last = 0.0

    def progress(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last > 0.2:
            last = now
            _write(task, item, "progressed", done=done, total=total, note=note)

    _write(task, item, "began")
    try:
        check_release()
        yield progress
    except GenotransferError as error:
        _write(task, item, "failed", message=str(error), users=True)
        raise
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"
        _write(task, item, "failed", message=message, users=False, trace=traceback.format_exc())
        raise
    _write(task, item, "ended")


def fail_task(path: Path, task: str, message: str) -> None:
    """Report, in a file of events, that a task failed which could not say so itself."""
    _append(path, task=task, item="", event="failed", message=message, users=False)


def name_job(run: str) -> str:
    """Return the name of the run a task belongs to: the launcher's, or `run` where it gave none."""
    job = os.environ.get(JOB_VARIABLE)
    return Path(job).name if job else run


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines written since `offset`, and the offset to go on from."""
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], offset + len(whole)


def _write(task: str, item: str, event: str, **more: Any) -> None:
    path = os.environ.get(EVENTS_VARIABLE)
    if not path:
        if event == "progressed":
            print(f"{task} {item}: {more['done']}/{more['total']} {more['note']}", flush=True)
        return
    _append(Path(path), task=task, item=item, event=event, **more)


def _append(path: Path, **event: Any) -> None:
    line = json.dumps({"time": time.time(), **event}) + "\n"
    # One write to a file opened for appending: lines of tasks that run side by side do not mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
