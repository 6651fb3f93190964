"""What the tasks of a run report of themselves, shown on a console while they run.

A terminal has a moving row for each task that runs. Anything else, such as a file, gets a line when
a task ends, and one every half a minute while it goes on.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from genotransfer.events import read_events

POLL_SECONDS = 0.2
PLAIN_SECONDS = 30.0
Key = tuple[str, str]


def show_progress(
    events: Path, done: threading.Event, console: Console, offset: int = 0
) -> list[dict[str, Any]]:
    """Show the events of tasks until the run is done; return those of tasks that failed.

    Parameters
    ----------
    events : file the tasks write their events to, see `genotransfer.events`; it may not be there yet.
    done : set when nothing more will be written.
    console : where they are shown.
    offset : bytes of the file that are of an earlier try.
    """
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    # Standard output is the run's log by now; on a terminal, rich would take it and show the log.
    with Progress(
        *columns,
        console=console,
        transient=console.is_terminal,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        rows = _Rows(progress)
        while True:
            finished = done.wait(POLL_SECONDS)
            new, offset = read_events(events, offset)
            for event in new:
                rows.show(event)
            if finished and not new:
                return rows.failures


class _Rows:
    """The rows of the tasks that run."""

    def __init__(self, progress: Progress) -> None:
        self.failures: list[dict[str, Any]] = []
        self._progress = progress
        self._rows: dict[Key, TaskID] = {}
        self._began: dict[Key, float] = {}
        self._told: dict[Key, float] = {}

    def show(self, event: dict[str, Any]) -> None:
        key = (event["task"], event["item"])
        name = event["task"].replace("_", " ") + (f" {event['item']}" if event["item"] else "")
        if event["event"] == "began":
            self._rows[key] = self._progress.add_task(name, total=None, note="")
            self._began[key] = self._told[key] = event["time"]
        elif key not in self._rows:
            if event.get("by") == "runner":  # it could not even say that it began
                self.failures.append(event)
            return  # of a task that outlived the process of an earlier try
        elif event["event"] == "progressed":
            self._advance(key, name, event)
        else:
            self._end(key, name, event)

    def _advance(self, key: Key, name: str, event: dict[str, Any]) -> None:
        done, total = event["done"], event["total"]
        note = f"{done}/{total} {event['note']}"
        self._progress.update(self._rows[key], completed=done, total=total, note=note)
        silent = event["time"] - self._told[key]
        if not self._progress.console.is_terminal and silent >= PLAIN_SECONDS and done < total:
            self._told[key] = event["time"]
            self._progress.console.print(f"  {name} {note}", highlight=False)

    def _end(self, key: Key, name: str, event: dict[str, Any]) -> None:
        seconds = event["time"] - self._began.get(key, event["time"])
        mark = "[green]✓[/]" if event["event"] == "ended" else "[red]✗[/]"
        self._progress.remove_task(self._rows.pop(key))
        self._progress.console.print(f"{mark} {name} [dim]{seconds:.1f} s[/]", highlight=False)
        if event["event"] == "failed":
            self.failures.append(event)
