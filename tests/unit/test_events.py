"""Events of tasks: many writers, one reader, and errors told as they are."""

import json
import os
import subprocess
import sys
import threading

import pytest

from genotransfer.errors import StudyError
from genotransfer.events import EVENTS_VARIABLE, mend_events, read_events, report_task

WRITER = """
import sys
from genotransfer.events import report_task
with report_task("transfer_models", sys.argv[1]) as progress:
    for done in range(1, 201):
        progress(200, 200, f"{done} " + "x" * 2000)
"""


@pytest.fixture
def events(tmp_path, monkeypatch):
    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path / "events.jsonl"))
    return tmp_path / "events.jsonl"


def test_tasks_side_by_side_do_not_mix_their_lines(events):
    """Four processes write long lines while a reader reads: each event comes once, whole and in order."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, name]) for name in "abcd"]
    found, offset = [], 0
    while any(writer.poll() is None for writer in writers):
        more, offset = read_events(events, offset)
        found += more
    found += read_events(events, offset)[0]
    assert [writer.returncode for writer in writers] == [0] * 4
    for name in "abcd":
        mine = [event for event in found if event["item"] == name]
        assert [event["event"] for event in mine] == ["began", *["progressed"] * 200, "ended"]
        assert [int(event["note"].split()[0]) for event in mine[1:-1]] == list(range(1, 201))
    assert len(found) == 4 * 202


def test_threads_do_not_mix_their_lines(events):
    def work(name):
        with report_task("t", name) as progress:
            for _ in range(100):
                progress(1, 1, "y" * 500)

    threads = [threading.Thread(target=work, args=(str(at),)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_events(events)[0]) == 6 * 102


def test_a_line_that_is_not_whole_yet_waits(tmp_path):
    path = tmp_path / "events.jsonl"
    whole, late = json.dumps({"event": "began"}) + "\n", json.dumps({"event": "ended", "note": "é"}) + "\n"
    assert read_events(path) == ([], 0)
    path.write_bytes((whole + late).encode()[: len(whole) + 9])
    events, offset = read_events(path)
    assert (events, offset) == ([{"event": "began"}], len(whole))
    assert read_events(path, offset) == ([], offset)
    path.write_bytes((whole + late).encode())
    events, end = read_events(path, offset)
    assert (events, end) == ([{"event": "ended", "note": "é"}], path.stat().st_size)
    assert read_events(path, end) == ([], end)


def test_a_users_error_and_a_bug_are_told_apart(events):
    with pytest.raises(StudyError, match="too few"), report_task("train_baselines", "5_1"):
        raise StudyError("too few samples.")
    with pytest.raises(KeyError), report_task("train_baselines", "5_2"):
        {}["absent"]
    users, bug = [event for event in read_events(events)[0] if event["event"] == "failed"]
    assert (users["message"], users["users"], users["item"]) == ("too few samples.", True, "5_1")
    assert (bug["message"], bug["users"], bug["item"]) == ("KeyError: 'absent'", False, "5_2")
    assert "trace" not in users
    assert "Traceback" in bug["trace"]


def test_a_task_that_is_stopped_is_told(events):
    with pytest.raises(KeyboardInterrupt), report_task("plan_study"):
        raise KeyboardInterrupt
    assert read_events(events)[0][-1]["event"] == "failed"


def test_progress_is_thinned_but_its_end_is_kept(events):
    with report_task("train_source_models", "gru") as progress:
        for done in range(1, 1001):
            progress(done, 1000, "networks")
    told = [event["done"] for event in read_events(events)[0] if event["event"] == "progressed"]
    assert told[-1] == 1000
    assert len(told) < 50


def test_without_a_file_progress_is_printed(monkeypatch, capsys):
    monkeypatch.delenv(EVENTS_VARIABLE, raising=False)
    with report_task("transfer_models", "ann") as progress:
        progress(3, 3, "models")
    # KFP indents whatever is printed after a run in the same process.
    assert capsys.readouterr().out.strip() == "transfer_models ann: 3/3 models"
    assert EVENTS_VARIABLE not in os.environ


def test_a_line_that_was_cut_short_costs_no_other(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "began"}\n{"event": "prog')
    mend_events(path)
    with path.open("ab") as file:
        file.write(b'{"event": "ended"}\n')
    mend_events(path)
    assert [one["event"] for one in read_events(path)[0]] == ["began", "ended"]
