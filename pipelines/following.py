"""Following a run on a cluster: the state of each task, and the real error of one that failed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console

from pipelines.connection import ClusterError, Connection, explain_errors, hide_secrets

ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
MARKS = {
    "SUCCEEDED": "[green]✓[/]",
    "FAILED": "[red]✗[/]",
    "CANCELED": "[yellow]-[/]",
    "RUNNING": "[dim]…[/]",
}
# What Kubeflow lists beside a pipeline's own tasks: what starts them, the pods they run in, the loops' turns.
MACHINERY = re.compile(r"(.*-driver|executor|root|driver|iteration-.*|.*\(\d+.*\)|for-loop-\d+)?$")
POLL_SECONDS = 5.0
# Requests that fail one after another before following is given up; the run goes on without it.
MOST_MISSES = 24
ERROR_LINE = re.compile(r"^((?:\w+\.)*)(\w+(?:Error|Exception|Interrupt|Exit)): (.*)$")
LAUNCHERS_LINE = re.compile(r"^([IWEF]\d{4} |time=|\[KFP Executor)")


def follow_run(
    connection: Connection, run_id: str, console: Console, poll_seconds: float | None = None
) -> Any:
    """Show each task's states until a run has ended; return the run.

    Parameters
    ----------
    connection : the way to Kubeflow.
    run_id : the run.
    console : where states are shown, a line for each change.
    poll_seconds : between two looks; `POLL_SECONDS` when None.

    Raises
    ------
    ClusterError
        Kubeflow refuses, or has not answered for about two minutes; the run itself goes on.
    """
    shown: dict[str, str] = {}
    misses = 0
    while True:
        try:
            run = read_run(connection, run_id)
        except ClusterError as error:
            misses += 1
            if not error.passing or misses >= MOST_MISSES:
                raise ClusterError(
                    f"{error}\nThe run goes on without being followed: genotransfer runs status {run_id} --follow, or "
                    f"{connection.link(f'runs/details/{run_id}')}",
                    status=error.status,
                ) from error
        else:
            misses = 0
            for task in list_tasks(run):
                if task.state in MARKS and shown.get(task.task_id) != task.state:
                    shown[task.task_id] = task.state
                    console.print(f"{MARKS[task.state]} {_describe(task)}", highlight=False)
            if run.state in ENDED:
                return run
        time.sleep(POLL_SECONDS if poll_seconds is None else poll_seconds)


def read_run(connection: Connection, run_id: str) -> Any:
    """Return a run as Kubeflow has it now."""
    with explain_errors(connection.endpoint):
        return connection.client.get_run(run_id)


def list_tasks(run: Any) -> list[Any]:
    """Return a run's own tasks, in the order they were made, without what Kubeflow lists beside them."""
    details = _read_details(run)
    own = [task for task in details if not MACHINERY.match(task.display_name or "")]
    parents = {pod for task in details for pod in _list_children(task)}
    # The whole run is in the list too, as the one task that is nobody's child and has children.
    own = [task for task in own if task.pod_name in parents or not _list_children(task)]
    return sorted(own, key=lambda task: (str(task.create_time or ""), task.display_name))


def explain_failure(connection: Connection, run: Any) -> ClusterError:
    """Return the error of a run that failed or was stopped: that of each failed task, and where to look."""
    link = connection.link(f"runs/details/{run.run_id}")
    if run.state == "CANCELED":
        return ClusterError(f"The run was stopped before its end: {link}", users=False)
    failed = [task for task in list_tasks(run) if task.state == "FAILED"]
    told = [f"{task.display_name}: {_explain_task(connection, run, task)}" for task in failed]
    if not told:
        said = run.error.message if run.error and run.error.message else "Kubeflow names no task that failed."
        told = [hide_secrets(said)]
    return ClusterError("The run failed.\n" + "\n".join(dict.fromkeys(told)) + f"\n{link}", users=False)


def find_error(log: str) -> str:
    """Return the error a task's log ends with: that of the last traceback, or the log's last lines.

    An error of genotransfer is given by its message alone, any other with its name.
    """
    lines = [line.rstrip() for line in log.splitlines()]
    for at in reversed(range(len(lines))):
        found = ERROR_LINE.match(lines[at])
        if found:
            module, name, said = found.groups()
            rest = list(_take_message(lines[at + 1 :]))
            text = "\n".join([said, *rest]).strip()
            return text if module.startswith(("genotransfer.", "pipelines.")) else f"{name}: {text}"
    end = [line for line in lines if line and not LAUNCHERS_LINE.match(line)][-3:]
    return "its log ends with: " + " / ".join(end) if end else ""


def _take_message(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line or LAUNCHERS_LINE.match(line):
            return
        yield line


def _explain_task(connection: Connection, run: Any, task: Any) -> str:
    """Return a failed task's error: from its pod's log, or what Kubeflow says of it."""
    below = [one for one in _walk(run, task) if one.state == "FAILED"]
    for pod in dict.fromkeys(name for one in reversed(below) for name in _name_pods(one)):
        if found := find_error(_read_log(connection, run.run_id, pod)):
            return hide_secrets(found)
    said = [one.error.message for one in below if one.error and one.error.message]
    return (
        hide_secrets(said[-1])
        if said
        else "Kubeflow does not say why, and its log cannot be read; see its page."
    )


def _walk(run: Any, task: Any) -> list[Any]:
    """Return a task and all below it, those above first."""
    details = _read_details(run)
    found, names = [task], {task.pod_name}
    for one in found:  # grows as it goes
        below = set(_list_children(one))
        for other in details:
            if (
                other.pod_name in below or other.parent_task_id == one.task_id
            ) and other.pod_name not in names:
                names.add(other.pod_name)
                found.append(other)
    return found


def _name_pods(task: Any) -> list[str]:
    """Return the names that a task's pod may bear: that of its node, and Argo's longer one for KFP's pods."""
    name = task.pod_name or ""
    stem, _, number = name.rpartition("-")
    if not stem:
        return [name] if name else []
    kind = "driver" if (task.display_name or "").endswith("driver") else "impl"
    return [f"{stem}-system-container-{kind}-{number}", name]


def _read_log(connection: Connection, run_id: str, pod: str) -> str:
    """Return a pod's log, empty where it cannot be read: the pod is gone, or logs are not for this user."""
    api = connection.client._run_api.api_client
    try:
        with explain_errors(connection.endpoint):
            api.call_api(
                f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log",
                "GET",
                auth_settings=["Bearer"],
                response_type=None,
            )
    except ClusterError:
        return ""
    data = api.last_response.data
    return data.decode(errors="replace") if isinstance(data, bytes) else str(data)


def _read_details(run: Any) -> list[Any]:
    return (run.run_details.task_details if run.run_details else None) or []


def _list_children(task: Any) -> list[str]:
    return [child.pod_name for child in task.child_tasks or [] if child.pod_name]


def _describe(task: Any) -> str:
    took = ""
    if task.state in ENDED and task.start_time and task.end_time:
        took = f" [dim]{max((task.end_time - task.start_time).total_seconds(), 0):.0f} s[/]"
    return f"{task.display_name}{took}"
