"""Events of running tasks: began, progressed, ended, failed.

A task appends one JSON line for each event to the file that GENOTRANSFER_EVENTS names, so that
whoever launched the tasks can show progress and the real error of a task that failed. Without the
variable, progress goes to standard output and errors are only raised.
"""

from __future__ import annotations

import errno
import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genotransfer.disk import explain_full_disk
from genotransfer.errors import GenotransferError
from genotransfer.release import check_release

EVENTS_VARIABLE = "GENOTRANSFER_EVENTS"
# Names the run a task belongs to where whoever launched it can take it up again.
JOB_VARIABLE = "GENOTRANSFER_JOB"
# Tells apart the containers of tasks that run side by side.
CONTAINER_VARIABLE = "GENOTRANSFER_CONTAINER"
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

    try:
        _write(task, item, "began")
        check_release()
        yield progress
        _write(task, item, "ended")
    except GenotransferError as error:
        _write(task, item, "failed", message=str(error), users=True)
        raise
    except BaseException as error:
        if (full := explain_full_disk(error)) is not None:
            _write(task, item, "failed", message=str(full), users=True)
            raise full from error
        message = f"{type(error).__name__}: {error}"
        _write(task, item, "failed", message=message, users=False, trace=traceback.format_exc())
        raise


def fail_task(path: Path, since: int, task: str, container: str, message: str) -> None:
    """Report that a task failed, unless it has said so itself.

    Parameters
    ----------
    path : file of events.
    since : where in it the task's own events begin, in bytes.
    task : its name.
    container : what CONTAINER_VARIABLE was to it.
    message : what is known of the failure.
    """
    told = [one for one in read_events(path, since)[0] if one.get("container") == container]
    if not any(one["event"] == "failed" for one in told):
        item = told[0]["item"] if told else ""
        failed = {"task": task, "item": item, "event": "failed", "message": message, "users": False}
        # The disk it failed for may be this one; that the task failed is known without this line.
        with suppress(OSError):
            _append(path, failed | {"container": container, "by": "runner"})


def name_job(run: str) -> str:
    """Return the name of the run a task belongs to: the launcher's, or `run` where it gave none."""
    job = os.environ.get(JOB_VARIABLE)
    return Path(job).name if job else run


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines written since `offset`, and the offset to go on from.

    A line that a full disk cut short is none.
    """
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    return [event for line in whole.splitlines() if (event := _parse(line))], offset + len(whole)


def mend_events(path: Path) -> None:
    """End the last line of a file of events where a full disk cut it short, for others to follow it."""
    if path.exists() and (data := path.read_bytes()) and not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")


def _parse(line: bytes) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return event


def _write(task: str, item: str, event: str, **more: Any) -> None:
    path = os.environ.get(EVENTS_VARIABLE)
    if not path:
        if event == "progressed":
            print(f"{task} {item}: {more['done']}/{more['total']} {more['note']}", flush=True)
        return
    try:
        container = os.environ.get(CONTAINER_VARIABLE)
        known = {"container": container} if container else {}
        _append(Path(path), {"task": task, "item": item, "event": event, **known, **more})
    except OSError:
        # That it failed matters more than that this cannot be written down.
        if event != "failed":
            raise


def _append(path: Path, event: dict[str, Any]) -> None:
    line = (json.dumps({"time": time.time(), **event}) + "\n").encode()
    # One write to a file opened for appending: lines of tasks that run side by side do not mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(descriptor)
