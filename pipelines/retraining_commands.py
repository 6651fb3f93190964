"""The command `genotransfer retrain`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def retrain(
    study: Annotated[
        str, typer.Argument(help="A study file whose section retraining says where cohorts land.")
    ],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replace a setting: key.key=value. May be given often.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    containers: Annotated[
        bool, typer.Option("--containers", help="Run every task in a container of its image, with Docker.")
    ] = False,
) -> None:
    """Take the cohorts that have landed, train anew, and promote what is better."""
    from rich.console import Console

    from genotransfer.retraining.plan import describe_landing
    from pipelines.cli import find_study
    from pipelines.local import run_retraining
    from pipelines.run_folder import RunFolder

    console = Console(file=sys.stdout)
    folder, found = run_retraining(find_study(study, overrides), runs, console, containers)
    pages = [describe_landing(found)]
    if found.outcome == "new":
        done = RunFolder(folder)
        for task in ("measure_drift", "promote_models", "finish_retraining"):
            pages.append(done.find(task, "summary").read_text())
        pages.append(f"Report: {folder / 'report.html'}")
    for page in pages:
        console.print(page, soft_wrap=True, highlight=False, markup=False)


COMMANDS = (retrain,)
