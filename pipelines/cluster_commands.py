"""The command line for a cluster: compile, submit, schedule and runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genotransfer.errors import StudyError

if TYPE_CHECKING:
    from pipelines.connection import Connection
    from pipelines.kinds import AnyStudy

StudyFile = Annotated[str, typer.Argument(help="A study file, or the name of one that is shipped.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Replace a setting: key.key=value. May be given often.")
]
Endpoint = Annotated[str, typer.Option(help="Address of Kubeflow Pipelines; KFP_ENDPOINT when not given.")]
Namespace = Annotated[
    str, typer.Option(envvar="KFP_NAMESPACE", help="Of the runs, where Kubeflow has several users.")
]
Experiment = Annotated[str, typer.Option(help="Of Kubeflow; the study's tracking.experiment when not given.")]
PipelineName = Annotated[
    str, typer.Option("--pipeline", help="Name of the pipeline in Kubeflow; that of its kind when not given.")
]
RunId = Annotated[str, typer.Argument(help="A run's id, as runs list shows it.")]
ScheduleName = Annotated[str, typer.Argument(help="A schedule's name or id.")]
Retraining = Annotated[
    bool, typer.Option("--retraining", help="The study's retraining, which takes cohorts as they land.")
]

schedule = typer.Typer(help="Run a study at set times on a cluster.", no_args_is_help=True)
runs = typer.Typer(help="Look after a cluster's runs.", no_args_is_help=True)


def add_cluster_commands(app: typer.Typer) -> None:
    """Add the commands of this module to the command line."""
    app.command("compile")(compile_study)
    app.command()(submit)
    app.add_typer(schedule, name="schedule")
    app.add_typer(runs, name="runs")


def compile_study(
    study: StudyFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the pipeline is written; transfer_study.yaml, by its kind, when not given."),
    ] = None,
    manifests: Annotated[
        Path | None, typer.Option(help="A folder for the same as Kubernetes manifests, for kubectl apply.")
    ] = None,
    retraining: Retraining = False,
) -> None:
    """Compile a study's pipeline to YAML for a Kubeflow cluster."""
    from pipelines.compilation import compile_pipeline, write_manifests
    from pipelines.kinds import KINDS

    kind, chosen = _find(study, overrides, retraining)
    out = out or Path(KINDS[kind].file_name)
    compile_pipeline(chosen, out, kind)
    typer.echo(out)
    if manifests is not None:
        typer.echo(write_manifests(chosen, manifests, kind))


def submit(
    study: StudyFile,
    overrides: Overrides = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay until the run has ended; fail if it fails.")
    ] = False,
    experiment: Experiment = "",
    run_name: Annotated[str, typer.Option(help="The study's name and the time when not given.")] = "",
    pipeline: PipelineName = "",
    retraining: Retraining = False,
) -> None:
    """Run a study on a Kubeflow cluster."""
    from pipelines.cluster import submit_study
    from pipelines.kinds import KINDS

    kind, chosen = _find(study, overrides, retraining)
    connection = _connect_for(chosen)
    started = submit_study(
        connection, chosen, experiment=experiment, run_name=run_name, pipeline=pipeline, kind=kind
    )
    typer.echo(f"Run {started.run_id} of {pipeline or KINDS[kind].name} {started.version}\n{started.link}")
    if follow:
        _follow(connection, started.run_id)


@schedule.command("create")
def create(
    study: StudyFile,
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, day of the week: '0 3 * * 1'.")],
    overrides: Overrides = None,
    catch_up: Annotated[
        bool, typer.Option("--catch-up/--no-catch-up", help="Make up for turns missed while it was paused.")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, max=10, help="Runs at a time.")] = 1,
    name: Annotated[str, typer.Option(help="The study's name when not given.")] = "",
    experiment: Experiment = "",
    pipeline: PipelineName = "",
    retraining: Retraining = False,
) -> None:
    """Run a study at set times; a schedule of the same name in the experiment is replaced."""
    from pipelines.schedules import convert_cron, create_schedule

    convert_cron(cron)  # before anybody is asked
    kind, chosen = _find(study, overrides, retraining)
    made = create_schedule(
        _connect_for(chosen),
        chosen,
        cron,
        name=name,
        experiment=experiment,
        catch_up=catch_up,
        concurrency=concurrency,
        pipeline=pipeline,
        kind=kind,
    )
    replaced = f", in place of {made.n_replaced}" if made.n_replaced else ""
    typer.echo(f"Schedule {made.name} ({made.schedule_id}) at {made.cron!r}{replaced}\n{made.link}")


@schedule.command("list")
def list_all(endpoint: Endpoint = "", namespace: Namespace = "") -> None:
    """List the schedules."""
    from pipelines.schedules import list_schedules

    rows = []
    for one in list_schedules(_connect(endpoint, namespace)):
        timer = one.trigger.cron_schedule if one.trigger else None
        rows.append(
            (
                one.display_name,
                timer.cron if timer else "not by cron",
                (one.status or "").lower(),
                "no" if one.no_catchup else "yes",
                one.max_concurrency or "",
                one.recurring_run_id,
            )
        )
    _print_table(("name", "cron", "status", "catches up", "at a time", "id"), rows)


@schedule.command()
def pause(name: ScheduleName, endpoint: Endpoint = "", namespace: Namespace = "") -> None:
    """Let a schedule start no runs until it is resumed."""
    from pipelines.schedules import find_schedule, pause_schedule

    connection = _connect(endpoint, namespace)
    pause_schedule(connection, find_schedule(connection, name).recurring_run_id)
    typer.echo(f"{name} is paused")


@schedule.command()
def resume(name: ScheduleName, endpoint: Endpoint = "", namespace: Namespace = "") -> None:
    """Let a paused schedule start runs again."""
    from pipelines.schedules import find_schedule, resume_schedule

    connection = _connect(endpoint, namespace)
    resume_schedule(connection, find_schedule(connection, name).recurring_run_id)
    typer.echo(f"{name} goes on")


@schedule.command()
def delete(name: ScheduleName, endpoint: Endpoint = "", namespace: Namespace = "") -> None:
    """Delete a schedule; the runs it started stay."""
    from pipelines.schedules import delete_schedule, find_schedule

    connection = _connect(endpoint, namespace)
    delete_schedule(connection, find_schedule(connection, name).recurring_run_id)
    typer.echo(f"{name} is deleted")


@runs.command("list")
def list_runs(
    endpoint: Endpoint = "",
    namespace: Namespace = "",
    experiment: Annotated[str, typer.Option(help="Runs of one experiment only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 20,
) -> None:
    """List the newest runs."""
    from pipelines.cluster import read_runs

    rows = [
        (one.display_name, (one.state or "").lower(), f"{one.created_at:%Y-%m-%d %H:%M}", one.run_id)
        for one in read_runs(_connect(endpoint, namespace), experiment, limit)
    ]
    _print_table(("name", "state", "made", "id"), rows)


@runs.command()
def status(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", help="Stay until the run has ended.")] = False,
    endpoint: Endpoint = "",
    namespace: Namespace = "",
) -> None:
    """Show a run and its tasks; fails if the run has failed, with its error."""
    from pipelines.following import ENDED, explain_failure, list_tasks, read_run

    connection = _connect(endpoint, namespace)
    if follow:
        _follow(connection, run_id)
        return
    run = read_run(connection, run_id)
    typer.echo(f"{run.display_name}: {(run.state or 'unknown').lower()}")
    _print_table(
        ("task", "state"), [(task.display_name, (task.state or "").lower()) for task in list_tasks(run)]
    )
    if run.state in ENDED and run.state != "SUCCEEDED":
        raise explain_failure(connection, run)


@runs.command()
def terminate(run_id: RunId, endpoint: Endpoint = "", namespace: Namespace = "") -> None:
    """Stop a run."""
    from pipelines.cluster import terminate_run

    terminate_run(_connect(endpoint, namespace), run_id)
    typer.echo(f"{run_id} is being stopped")


def _find(study: str, overrides: list[str] | None, retraining: bool) -> tuple[str, AnyStudy]:
    """Return a study and its kind, which is its retraining where that is asked for."""
    from pipelines.kinds import find_any_study

    kind, found = find_any_study(study, overrides)
    if retraining and kind != "study":
        raise StudyError(f"--retraining is of transfer studies; {study} is of the pipeline {kind!r}.")
    return "retraining" if retraining else kind, found


def _connect(endpoint: str, namespace: str) -> Connection:
    from pipelines.connection import connect

    return connect(endpoint, namespace)


def _connect_for(study: AnyStudy) -> Connection:
    import os

    return _connect(study.cluster.endpoint, study.cluster.namespace or os.environ.get("KFP_NAMESPACE", ""))


def _follow(connection: Connection, run_id: str) -> None:
    from rich.console import Console

    from pipelines.following import explain_failure, follow_run

    run = follow_run(connection, run_id, Console(file=sys.stdout))
    if run.state != "SUCCEEDED":
        raise explain_failure(connection, run)
    typer.echo(f"{run.display_name}: succeeded\n{connection.link(f'runs/details/{run_id}')}")


def _print_table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row))
    Console(file=sys.stdout).print(table)
