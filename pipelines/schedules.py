"""Schedules on a cluster: a study that runs at set times, as Kubeflow's recurring runs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genotransfer.errors import StudyError
from pipelines.cluster import ensure_experiment, prepare_version
from pipelines.connection import ClusterError, Connection, explain_errors
from pipelines.kinds import AnyStudy

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, least, most, and names of the values from the least on.
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 6, DAYS),
)
PART = re.compile(r"^(?P<first>\*|\?|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?$")
PAGE = 100


@dataclass(frozen=True)
class Schedule:
    """A schedule that was made, and how many of the same name it took the place of."""

    schedule_id: str
    name: str
    cron: str
    n_replaced: int
    link: str


def convert_cron(text: str) -> str:
    """Return a cron expression as Kubeflow takes it: six fields, the seconds first.

    Parameters
    ----------
    text : five fields as of crontab: minute, hour, day of the month, month, day of the week (0 or SUN
        is Sunday); or six with the second first.

    Raises
    ------
    StudyError
        A field is not of cron, or beyond its range.
    """
    fields = text.upper().split()
    if len(fields) not in (5, 6):
        raise StudyError(
            f"--cron {text!r} has {len(fields)} fields. Write five, as in '0 3 * * 1': Mondays at 3:00."
        )
    second = fields.pop(0) if len(fields) == 6 else "0"
    if not second.isdecimal() or int(second) > 59:
        raise StudyError(f"--cron {text!r}: the second must be one number from 0 to 59, not {second!r}.")
    for value, (name, least, most, names) in zip(fields, FIELDS, strict=True):
        for part in value.split(","):
            if problem := _check_part(part, least, most, names):
                raise StudyError(f"--cron {text!r}: the {name} {value!r} {problem}.")
    return " ".join([str(int(second)), *fields])


def _check_part(part: str, least: int, most: int, names: tuple[str, ...]) -> str:
    """Return what is wrong with one part of a field's list; nothing when it is right."""
    found = PART.match(part)
    if not found:
        return "is not of cron; write *, 5, 1-5, */15 or lists of these with commas"
    bounds = [found["first"], found["last"]]
    if bounds[0] in ("*", "?"):
        if bounds[1]:
            return "is not of cron: a range goes from number to number"
        bounds = []
    numbers = []
    for one in bounds:
        if one is None:
            continue
        if one in names:
            numbers.append(least + names.index(one))
        elif one.isdecimal() and least <= int(one) <= most:
            numbers.append(int(one))
        else:
            sunday = "; Sunday is 0" if names == DAYS and one == "7" else ""
            return f"is beyond {least} to {most}{sunday}"
    if numbers != sorted(numbers):
        return "ends before it begins"
    return "has a step of 0" if found["step"] and int(found["step"]) == 0 else ""


def create_schedule(
    connection: Connection,
    study: AnyStudy,
    cron: str,
    *,
    name: str = "",
    experiment: str = "",
    catch_up: bool = False,
    concurrency: int = 1,
    pipeline: str = "",
    kind: str = "study",
) -> Schedule:
    """Make a schedule of a study, in place of those of the same name in the same experiment.

    The new one is made disabled, then enabled, and only then are the old ones deleted: whichever step
    fails, the new one is taken back and an old one goes on. For a moment both are enabled, rather
    than none.

    Parameters
    ----------
    connection : the way to Kubeflow.
    study : the study, compiled and uploaded as it is now.
    cron : see `convert_cron`; times are those of the cluster, UTC as a rule.
    name : of the schedule; the study's when empty.
    experiment : of Kubeflow; `tracking.experiment` when empty.
    catch_up : whether turns missed while it was paused are made up for.
    concurrency : runs at a time, 1 to 10.
    pipeline : name of the pipeline in Kubeflow; that of its kind when empty.
    kind : of `pipelines.kinds.KINDS`.

    Raises
    ------
    StudyError
        `cron` is none.
    ClusterError
        Kubeflow refuses; what was there before goes on, or the error says what is left.
    """
    six, name = convert_cron(cron), name or study.name
    reference = prepare_version(connection, study, pipeline, kind)
    experiment_id = ensure_experiment(connection, experiment or study.tracking.experiment)
    old = [one for one in list_schedules(connection, experiment_id) if one.display_name == name]
    try:
        with explain_errors(connection.endpoint):
            made = connection.client.create_recurring_run(
                experiment_id=experiment_id,
                job_name=name,
                description=f"Study {study.name}, version {reference['version']}",
                cron_expression=six,
                max_concurrency=concurrency,
                no_catchup=not catch_up,
                pipeline_id=reference["pipeline_id"],
                version_id=reference["version_id"],
                enabled=False,  # one that Kubeflow made but did not answer of starts nothing
                service_account=study.cluster.service_account or None,
            )
    except ClusterError as error:
        _clear_lost(connection, experiment_id, name, {one.recurring_run_id for one in old}, error)
        raise
    new = str(made.recurring_run_id)
    try:
        resume_schedule(connection, new)
        for one in old:
            delete_schedule(connection, one.recurring_run_id)
    except ClusterError as error:
        raise _take_back(connection, new, name, error) from error
    return Schedule(new, name, six, len(old), connection.link(f"recurringrun/details/{new}"))


def _clear_lost(
    connection: Connection, experiment_id: str, name: str, known: set[str], error: ClusterError
) -> None:
    """Delete a new schedule that Kubeflow made but did not answer of; it is disabled, should this fail too."""
    if error.passing:
        with contextlib.suppress(ClusterError):
            for one in list_schedules(connection, experiment_id):
                if (
                    one.display_name == name
                    and one.recurring_run_id not in known
                    and one.status == "DISABLED"
                ):
                    delete_schedule(connection, one.recurring_run_id)


def _take_back(connection: Connection, new: str, name: str, error: ClusterError) -> ClusterError:
    """Delete a new schedule that cannot take an old one's place; return what to tell."""
    try:
        delete_schedule(connection, new)
        left = "The new schedule was taken back; what was there before is as it was."
    except ClusterError:
        left = f"The new schedule {new} could not be taken back: genotransfer schedule delete {new}"
    return ClusterError(f"The schedule {name!r} could not be replaced: {error}\n{left}", status=error.status)


def list_schedules(connection: Connection, experiment_id: str | None = None) -> list[Any]:
    """Return all schedules of the namespace, or of one experiment."""
    return read_pages(
        connection,
        lambda token: connection.client.list_recurring_runs(
            page_token=token,
            page_size=PAGE,
            experiment_id=experiment_id,
            namespace=connection.namespace or None,
        ),
        "recurring_runs",
    )


def read_pages(connection: Connection, read: Callable[[str], Any], what: str) -> list[Any]:
    """Return all rows of one of Kubeflow's lists, page by page."""
    rows: list[Any] = []
    token = ""
    while True:
        with explain_errors(connection.endpoint):
            page = read(token)
        rows += getattr(page, what) or []
        token = page.next_page_token or ""
        if not token:
            return rows


def find_schedule(connection: Connection, name: str) -> Any:
    """Return the schedule of a name or an id.

    Raises
    ------
    ClusterError
        There is none, or several have the name.
    """
    every = list_schedules(connection)
    found = [one for one in every if name in (one.display_name, one.recurring_run_id)]
    if not found:
        known = ", ".join(sorted({one.display_name for one in every})) or "none at all"
        raise ClusterError(f"There is no schedule {name!r}. There are: {known}.", status=404)
    if len(found) > 1:
        ids = ", ".join(one.recurring_run_id for one in found)
        raise ClusterError(f"{len(found)} schedules are named {name!r}. Name one by its id: {ids}.")
    return found[0]


def pause_schedule(connection: Connection, schedule_id: str) -> None:
    """Let a schedule start no runs until it is resumed."""
    with explain_errors(connection.endpoint):
        connection.client.disable_recurring_run(schedule_id)


def resume_schedule(connection: Connection, schedule_id: str) -> None:
    """Let a schedule start runs."""
    with explain_errors(connection.endpoint):
        connection.client.enable_recurring_run(schedule_id)


def delete_schedule(connection: Connection, schedule_id: str) -> None:
    """Delete a schedule; the runs it started stay."""
    with explain_errors(connection.endpoint):
        connection.client.delete_recurring_run(schedule_id)
