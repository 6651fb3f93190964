"""A full disk is told from other errors, whichever library met it."""

import errno
import os
import subprocess
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from genotransfer.disk import FullDiskError, explain_full_disk, is_full
from genotransfer.events import EVENTS_VARIABLE, read_events, report_task


def raise_from(first, second):
    try:
        try:
            raise first
        except type(first):
            raise second from None
    except type(second) as error:
        return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/a.bed"), "/data/a.bed could not be written"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "a file could not be written"),
        (OSError("[Errno 28] Error writing bytes to file. Detail: No space left on device"), "a file"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "a file"),
        (raise_from(OSError(errno.ENOSPC, "x", "/b"), ValueError("cannot save")), "/b could not be written"),
    ],
)
def test_a_full_disk_is_known_however_it_is_put(error, says):
    explained = explain_full_disk(error)
    assert isinstance(explained, FullDiskError)
    assert "The disk is full" in str(explained)
    assert says in str(explained)
    assert explain_full_disk(explained) is explained


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "no"), ValueError("28 rows"), KeyError("space")])
def test_other_errors_are_not(error):
    assert explain_full_disk(error) is None


@pytest.fixture
def full(tmp_path):
    """A disk of 1 MiB with nothing left on it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        assert not is_full("/")
        with (folder / "all").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_libraries_raise_what_is_recognised(full):
    """As they really do on a full disk: NumPy, Arrow, HDF5, SQLite and plain files."""
    import sqlite3

    import h5py

    def with_h5py():
        with h5py.File(full / "a.h5", "w") as file:
            file["x"] = np.zeros(100_000)

    def with_sqlite():
        with sqlite3.connect(full / "a.db") as database:
            database.execute("CREATE TABLE a (b)")
            database.execute("INSERT INTO a VALUES (?)", (bytes(100_000),))

    def in_text():
        (full / "a.txt").write_text("x" * 100_000)

    acts = {
        "numpy": lambda: np.save(full / "a.npy", np.zeros(100_000)),
        "arrow": lambda: pd.DataFrame({"a": np.random.default_rng(0).random(100_000)}).to_parquet(
            full / "a.parquet"
        ),
        "h5py": with_h5py,
        "sqlite": with_sqlite,
        "text": in_text,
    }
    assert is_full(full)
    for name, act in acts.items():
        with pytest.raises(Exception, match=r".") as raised:
            act()
        assert explain_full_disk(raised.value) is not None, (name, raised.value)


def test_a_task_says_so_even_where_its_events_cannot_be_written(full, tmp_path, monkeypatch):
    def fill():
        with report_task("select_panels", "3_1"):
            (full / "panels.parquet").write_bytes(bytes(100_000))

    monkeypatch.setenv(EVENTS_VARIABLE, str(tmp_path / "events.jsonl"))
    with pytest.raises(FullDiskError, match=r"panels\.parquet|a file"):
        fill()
    last = read_events(tmp_path / "events.jsonl")[0][-1]
    assert (last["event"], last["users"]) == ("failed", True)
    assert "The disk is full" in last["message"]
    monkeypatch.setenv(EVENTS_VARIABLE, str(full / "events.jsonl"))
    with pytest.raises(FullDiskError):
        fill()
