"""The command `genotransfer exome-cnn`, and how the results of its runs are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genotransfer.errors import StudyError

if TYPE_CHECKING:
    from rich.console import Console


def exome_cnn(
    study: Annotated[str, typer.Argument(help="A study file, or the name of one that is shipped.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Replace a setting: key.key=value. May be given often.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of all runs.")] = Path("runs"),
    publish: Annotated[
        str | None, typer.Option(help="Then send the run's folder below this gs:// address.")
    ] = None,
    containers: Annotated[
        bool, typer.Option("--containers", help="Run every task in a container of its image, with Docker.")
    ] = False,
) -> None:
    """Tell cases from controls by an exome with convolutional networks, honestly and as published."""
    from genotransfer.exome_cnn.settings import KIND
    from pipelines.cli import run_any
    from pipelines.kinds import find_any_study

    kind, chosen = find_any_study(study, overrides)
    if kind != KIND:
        raise StudyError(f"{study} is no study of an exome. Begin it with 'pipeline: {KIND}'.")
    run_any(kind, chosen, runs, publish, containers)


def show_results(folder: Path, console: Console) -> None:
    """Show the accuracy of each protocol."""
    import pandas as pd
    from rich.table import Table

    results = pd.read_csv(folder / "results.csv", dtype={"fold": str})
    whole = results[results["fold"] == "all"]
    optimism = pd.read_csv(folder / "optimism.csv").set_index("protocol")
    title = f"Accuracy on {int(whole['n'].iloc[0])} test people"
    table = Table(title=title, box=None, padding=(0, 1, 0, 0), pad_edge=False)
    names = ("protocol", "accuracy", "95 %", "AUC", "above honest", "95 %")
    for name in names:
        table.add_column(name, justify="left" if name == "protocol" else "right", no_wrap=True)
    for row in whole.to_dict("records"):
        above = optimism.loc[row["protocol"]] if row["protocol"] in optimism.index else None
        table.add_row(
            row["protocol"],
            f"{row['accuracy']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            f"{row['auc']:.3f}",
            "" if above is None else f"{above['optimism']:+.3f}",
            "" if above is None else f"{above['low']:+.3f} to {above['high']:+.3f}",
        )
    console.print(table)
    first = whole.iloc[0]
    console.print(f"Everybody the commoner class: {first['majority']:.3f}", highlight=False)
    if pd.notna(first["ceiling"]):
        console.print(f"The true genetic score (the ceiling): {first['ceiling']:.3f}", highlight=False)


COMMANDS = (exome_cnn,)
