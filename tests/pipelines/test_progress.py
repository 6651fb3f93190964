"""What is shown of a run's tasks on a terminal and in a file."""

import contextlib
import io
import json
import sys
import threading

import pytest
from rich.console import Console

from pipelines.progress import show_progress

LOSS = "models, loss 0.431"


def make_event(event, seconds, **more):
    return {"time": 1e9 + seconds, "task": "transfer_models", "item": "gru", "event": event, **more}


def make_steps(*seconds):
    return [make_event("progressed", at, done=at, total=200, note=LOSS) for at in seconds]


@pytest.fixture
def show(tmp_path):
    """Return a function that shows events and returns the text shown, the failures, and what was logged."""

    def run(events, *, terminal, said="a line of KFP's\n"):
        path, done = tmp_path / "events.jsonl", threading.Event()
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        shown, log = io.StringIO(), io.StringIO()
        console = Console(file=shown, force_terminal=terminal, width=100)

        def work():
            sys.stdout.write(said)
            done.set()

        with contextlib.redirect_stdout(log):
            worker = threading.Timer(0.5, work)
            worker.start()
            failures = show_progress(path, done, console)
            worker.join()
        return shown.getvalue(), failures, log.getvalue()

    return run


def test_a_terminal_shows_the_last_loss_and_not_the_log(show):
    text, failures, log = show([make_event("began", 0), *make_steps(1, 2, 120)], terminal=True)
    assert "transfer models gru" in text
    assert f"120/200 {LOSS}" in text
    assert "KFP" not in text
    assert log == "a line of KFP's\n"
    assert failures == []


def test_a_file_has_a_line_every_half_a_minute(show):
    steps = make_steps(1, 29, 30, 31, 59, 61, 62, 95, 200)
    events = [make_event("began", 0), *steps, make_event("ended", 200.04)]
    text, _, log = show(events, terminal=False)
    due = [f"  transfer models gru {at}/200 {LOSS}" for at in (30, 61, 95)]
    assert text.split("\n")[:4] == [*due, "✓ transfer models gru 200.0 s"]
    assert log == "a line of KFP's\n"


def test_failures_are_handed_back_whole(show):
    failed = make_event("failed", 3, message="no such file", users=True)
    text, failures, _ = show([make_event("began", 0), failed], terminal=False)
    assert failures == [failed]
    assert text.startswith("✗ transfer models gru 3.0 s")


def test_what_a_task_of_an_earlier_try_still_reports_is_left_out(show):
    """A run whose process was killed, not its tasks, and that is resumed while they end."""
    strays = [*make_steps(1, 2), make_event("failed", 3, message="no such pipe", users=False)]
    own = [make_event("began", 4), *make_steps(5), make_event("ended", 6), make_event("ended", 6.5)]
    text, failures, _ = show([*strays, *own], terminal=False)
    assert failures == []
    assert text.strip() == "✓ transfer models gru 2.0 s"
