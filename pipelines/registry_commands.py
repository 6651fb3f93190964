"""Commands on the registry: `genotransfer models`, `compare`, `rollback` and `promote`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

TrackingUri = Annotated[
    str, typer.Option(help="MLflow store; MLFLOW_TRACKING_URI, or runs/mlflow.db, when not given.")
]
ModelName = Annotated[str, typer.Argument(help="Name of a registered model.")]


def find_tracking(uri: str) -> str:
    """Return the MLflow store a command is about: the one given, the environment's, or that of runs/."""
    beside = Path("runs/mlflow.db")
    if not uri and not os.environ.get("MLFLOW_TRACKING_URI") and beside.is_file():
        return f"sqlite:///{beside.resolve()}"
    return uri


def models(tracking_uri: TrackingUri = "") -> None:
    """List the registered models, their champions and challengers."""
    from genotransfer.tracking.comparison import list_models

    table = list_models(find_tracking(tracking_uri))
    if table.empty:
        typer.echo("No model is registered.")
        return
    _print(table, list(table.columns))


def compare(
    name: ModelName,
    versions: Annotated[list[str] | None, typer.Argument(help="Versions or aliases; all when none.")] = None,
    out: Annotated[Path | None, typer.Option(help="Draw them to this PNG file.")] = None,
    tracking_uri: TrackingUri = "",
) -> None:
    """Print, and draw, versions of a registered model side by side."""
    from genotransfer.tracking.comparison import compare_versions, draw_comparison, name_tested

    table = compare_versions(name, versions, find_tracking(tracking_uri))
    who = name_tested(table)
    shown = table.assign(
        accuracy=[_interval(row, "fd_accuracy", "fd_low", "fd_high") for _, row in table.iterrows()],
        AUC=[_interval(row, "fd_auc", "fd_auc_low", "fd_auc_high") for _, row in table.iterrows()],
        **{who: [f"{row.final_sha256[:12]} n {row.fd_n:.0f}" for row in table.itertuples()]},
    )
    columns = [
        "version",
        "aliases",
        "created",
        "study",
        "model",
        "n_variants",
        who,
        "accuracy",
        "AUC",
        "decision",
    ]
    _print(shown, columns)
    if who != "FD":
        typer.echo(
            "The people one version was tested on may have taught another: intervals alone compare them."
        )
    for row in table.itertuples():
        if row.decision_reason:
            typer.echo(f"{row.version}: {row.decision_reason}")
    if out is not None:
        typer.echo(draw_comparison(out, name, table))


def rollback(
    name: ModelName,
    to: Annotated[str, typer.Option(help="Version to go back to; the champion before when not given.")] = "",
    tracking_uri: TrackingUri = "",
) -> None:
    """Make an earlier version the champion again."""
    from genotransfer.tracking.comparison import roll_back

    done = roll_back(name, to, find_tracking(tracking_uri))
    typer.echo(f"{done.name}: the champion is version {done.now} again; it was version {done.before}.")


def promote(
    name: ModelName,
    version: Annotated[str, typer.Argument(help="Version or alias, such as challenger.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "",
    tracking_uri: TrackingUri = "",
) -> None:
    """Make a version the champion by your own word."""
    from genotransfer.tracking.comparison import promote_version

    done = promote_version(name, version, reason, find_tracking(tracking_uri))
    was = f"; it was version {done.before}" if done.before else ""
    typer.echo(f"{done.name}: the champion is version {done.now}{was}.")


COMMANDS = (models, compare, rollback, promote)


def _interval(row: pd.Series, middle: str, low: str, high: str) -> str:
    from math import isnan

    if isnan(row[middle]):
        return "-"
    return f"{row[middle]:.3f}" + ("" if isnan(row[low]) else f" ({row[low]:.3f}-{row[high]:.3f})")


def _print(table: pd.DataFrame, columns: list[str]) -> None:
    from rich.table import Table

    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in table[columns].astype(str).itertuples(index=False):
        shown.add_row(*row)
    _make_console().print(shown)


def _make_console() -> Console:
    from rich.console import Console

    console = Console(file=sys.stdout)
    return console if console.is_terminal else Console(file=sys.stdout, width=220)
