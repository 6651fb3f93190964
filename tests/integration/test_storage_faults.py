"""Storage where the service and the network fail, and where writers race: against storage-testbench.

These need preconditions and faults on request, which the stand-in that is installed with the tests
does not have: `make test-storage TESTBENCH=folder of a checkout`.
"""

import multiprocessing
import os
import time

import numpy as np
import pytest

from genotransfer import storage
from genotransfer.errors import GenotransferError, InputError
from genotransfer.storage import client, downloads
from tests.storage_support import Fault

# The client library leaves the connection of a download that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
LARGE = 20 << 20
FAULTS = ["return-503", "return-429", "return-reset-connection"]


def make_file(path, size=LARGE, seed=1):
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


@pytest.mark.parametrize("fault", FAULTS)
def test_every_call_is_tried_again(testbench, fault):
    uri = testbench.at("a")
    with testbench.failing(objects_insert=[fault] * 3) as happened:
        written = storage.write_bytes(uri, b"1", if_generation=0)
        assert happened()
    with testbench.failing(objects_get=[fault] * 3) as happened:
        assert storage.read_bytes(uri) == (b"1", written.generation)
        assert happened()
    with testbench.failing(objects_list=[fault] * 3) as happened:
        assert [one.generation for one in storage.list_files(uri)] == [written.generation]
        assert happened()
    with testbench.failing(objects_delete=[fault] * 3) as happened:
        storage.delete_file(uri, written.generation)
        assert happened()
    assert storage.list_files(uri) == []


@pytest.mark.parametrize(
    "faults",
    [
        ["return-503", "return-reset-connection", "return-503"],
        ["return-503-after-256K"],
        ["return-503-after-8192K", "return-503-after-16384K", "return-reset-connection"],
        ["return-503-after-9000K"],
        ["return-broken-stream-final-chunk-after-50B"],
        ["stall-for-3s-after-9000K"],
    ],
)
@pytest.mark.parametrize("if_generation", [0, None])
def test_a_large_upload_survives(testbench, tmp_path, monkeypatch, faults, if_generation):
    monkeypatch.setattr(client, "READ_TIMEOUT_S", 2.0)
    path = make_file(tmp_path / "a.bed")
    with testbench.failing(objects_insert=faults) as happened:
        written = storage.upload_file(path, testbench.at("a.bed"), if_generation=if_generation)
        assert happened()
    [there] = storage.list_files(testbench.at(""))
    assert (there.generation, there.crc32c, there.size) == (written.generation, written.crc32c, LARGE)
    assert storage.fetch_file(there.uri).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("faults", "part"),
    [
        (["return-broken-stream"] * 3, 64 << 10),
        (["return-broken-stream"] * 3, 16 << 20),
        (["return-reset-connection"] * 3, 64 << 10),
        (["return-broken-stream-after-256K", "return-503", "return-broken-stream-after-128K"], 16 << 20),
        (["stall-for-3s-after-128K"], 16 << 20),
    ],
)
def test_a_download_survives(testbench, tmp_path, monkeypatch, faults, part):
    monkeypatch.setattr(client, "READ_TIMEOUT_S", 2.0)
    monkeypatch.setattr(downloads, "PART", part)
    path = make_file(tmp_path / "a.bed", 1 << 20)
    uri = storage.upload_file(path, testbench.at("a.bed")).uri
    with testbench.failing(objects_get=faults) as happened:
        assert storage.fetch_file(uri).read_bytes() == path.read_bytes()
        assert happened()


def lose_answer(stand, request):
    """Let the next answer to a request be lost, after the service has done what was asked."""
    stand.wire.faults.append(Fault(request, "down", 0, "cut"))
    return lambda: not stand.wire.faults and stand.wire.happened


@pytest.mark.parametrize("know", ["new", "current", "any"])
def test_a_write_whose_answer_was_lost_counts_once(testbench, know):
    uri = testbench.at("a")
    if_generation = {"new": 0, "any": None}.get(know)
    if know == "current":
        if_generation = storage.write_bytes(uri, b"0", if_generation=0).generation
    happened = lose_answer(testbench, b"POST /upload")
    written = storage.write_bytes(uri, b"1", if_generation=if_generation)
    assert happened()
    [there] = storage.list_files(uri)
    assert there.generation == written.generation
    assert storage.read_bytes(uri) == (b"1", written.generation)
    if if_generation is not None:
        # The second try met the first one's file: it was looked at, not written again.
        assert sum(one.startswith("POST /upload") for one in testbench.wire.requests) in {2, 3}
        with pytest.raises(storage.ConflictError):
            storage.write_bytes(uri, b"1", if_generation=if_generation)


def test_another_writers_same_content_is_not_taken_for_ours(testbench):
    storage.write_bytes(testbench.at("lock"), b"held", if_generation=0)
    with pytest.raises(storage.ConflictError, match="it was to be new"):
        storage.write_bytes(testbench.at("lock"), b"held", if_generation=0)


def test_a_deletion_whose_answer_was_lost_is_done(testbench):
    uri = testbench.at("a")
    written = storage.write_bytes(uri, b"1", if_generation=0)
    happened = lose_answer(testbench, b"DELETE /")
    storage.delete_file(uri, written.generation)
    assert happened()
    assert storage.list_files(uri) == []


def test_what_was_deleted_and_made_again_stays(testbench):
    uri = testbench.at("a")
    first = storage.write_bytes(uri, b"1", if_generation=0)
    storage.delete_file(uri, first.generation)
    second = storage.write_bytes(uri, b"2", if_generation=0)
    with pytest.raises(storage.ConflictError):
        storage.delete_file(uri, first.generation)
    assert storage.read_bytes(uri) == (b"2", second.generation)


def test_content_damaged_on_the_way_there_is_refused(testbench):
    testbench.wire.faults.append(Fault(b"POST /upload", "up", 1000, "flip"))
    with pytest.raises(GenotransferError):
        storage.write_bytes(testbench.at("a"), b"x" * 100_000, if_generation=0)
    assert storage.list_files(testbench.at("")) == []


def test_a_file_overwritten_while_it_is_read_is_read_again(testbench, monkeypatch):
    uri = testbench.at("a")
    storage.write_bytes(uri, b"first", if_generation=0)
    read, overwritten = downloads.read_range, []

    def overwrite(file, start, end):
        if not overwritten:
            storage.delete_file(uri)  # a bucket forgets what was overwritten; the testbench does not
            overwritten.append(storage.write_bytes(uri, b"second", if_generation=0))
        return read(file, start, end)

    monkeypatch.setattr(downloads, "read_range", overwrite)
    assert storage.read_bytes(uri) == (b"second", overwritten[0].generation)


def test_an_outage_ends_at_the_deadline(testbench, tmp_path, monkeypatch):
    monkeypatch.setattr(client, "DEADLINE_S", 1.5)
    path, began = make_file(tmp_path / "a.bed", 1000), time.monotonic()
    down = ["return-503"] * 500
    with testbench.failing(objects_insert=down, objects_get=down, objects_list=down):
        for call in (
            lambda: storage.read_bytes(testbench.at("a")),
            lambda: storage.list_files(testbench.at("a")),
            lambda: storage.upload_file(path, testbench.at("a"), if_generation=0),
        ):
            with pytest.raises(storage.UnreachableError, match=r"at last: status 503"):
                call()
    assert time.monotonic() - began < 20
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(storage.UnreachableError, match=r"at last: ConnectionError"):
        storage.read_bytes(testbench.at("a"))


@pytest.mark.parametrize(
    ("status", "problem"), [(401, "wants credentials"), (403, "may not do this"), (400, "status 400")]
)
def test_a_refusal_is_said_at_once(testbench, status, problem):
    refusals = [f"return-{status}"]
    began = time.monotonic()
    with testbench.failing(objects_get=refusals), pytest.raises(InputError, match=problem):
        storage.read_bytes(testbench.at("a"))
    with testbench.failing(objects_insert=refusals), pytest.raises(InputError, match=problem) as caught:
        storage.write_bytes(testbench.at("a"), b"1", if_generation=0)
    assert time.monotonic() - began < 2
    assert "http" not in str(caught.value)
    assert caught.value.__cause__ is None


def add_up(uri, times, environment, fault):
    """Add one to a number in a file, many times, whoever else does."""
    os.environ |= environment
    client.FIRST_WAIT_S, client.DEADLINE_S = 0.02, 60.0
    done = 0
    while done < times:
        data, generation = storage.read_bytes(uri)
        try:
            storage.write_bytes(uri, str(int(data) + 1).encode(), if_generation=generation)
            done += 1
        except storage.ConflictError:
            continue


def race(uri, environment, writers, times):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=add_up, args=(uri, times, environment, None)) for _ in range(writers)]
    for one in processes:
        one.start()
    for one in processes:
        one.join(120)
    assert [one.exitcode for one in processes] == [0] * writers
    return int(storage.read_bytes(uri)[0])


def test_nothing_is_lost_where_processes_race(testbench):
    uri = testbench.at("number")
    storage.write_bytes(uri, b"0", if_generation=0)
    assert race(uri, testbench.environment, 3, 15) == 45


def test_nothing_is_lost_or_doubled_where_answers_are_lost_too(testbench):
    uri = testbench.at("number")
    storage.write_bytes(uri, b"0", if_generation=0)
    testbench.wire.faults += [Fault(b"POST /upload", "down", 0, "cut") for _ in range(15)]
    assert race(uri, testbench.environment, 3, 15) == 45
    assert len(testbench.wire.happened) == 15


def test_one_of_two_who_make_a_file_wins(testbench):
    uri = testbench.at("lock")
    storage.write_bytes(uri, b"a", if_generation=0)
    with pytest.raises(storage.ConflictError) as caught:
        storage.write_bytes(uri, b"b", if_generation=0)
    assert (caught.value.uri, caught.value.expected) == (uri, 0)
    assert storage.read_bytes(uri)[0] == b"a"
