"""Files of this machine by the calls of storage: generations, conflicts, whole or absent."""

import os
import subprocess
import sys
import threading
import time

import pytest

from genotransfer import storage
from genotransfer.errors import InputError
from genotransfer.storage import local
from genotransfer.storage.checksums import sum_bytes, sum_file
from genotransfer.storage.names import join_path, split_uri


def test_a_file_is_made_once(tmp_path):
    path = tmp_path / "a" / "state.json"
    written = storage.write_bytes(path, b"1", if_generation=0)
    assert storage.read_bytes(path) == (b"1", written.generation)
    with pytest.raises(storage.ConflictError, match="it was to be new"):
        storage.write_bytes(path, b"2", if_generation=0)
    assert storage.read_bytes(path) == (b"1", written.generation)


def test_only_who_knows_the_file_replaces_it(tmp_path):
    path = tmp_path / "state.json"
    first = storage.write_bytes(path, b"1", if_generation=0).generation
    second = storage.write_bytes(path, b"2", if_generation=first).generation
    assert second > first
    with pytest.raises(storage.ConflictError):
        storage.write_bytes(path, b"3", if_generation=first)
    with pytest.raises(storage.ConflictError):
        storage.delete_file(path, first)
    assert storage.read_bytes(path) == (b"2", second)
    third = storage.write_bytes(path, b"3", if_generation=None).generation
    storage.delete_file(path, third)
    storage.delete_file(path, third)
    assert storage.list_files(tmp_path) == []
    with pytest.raises(storage.ConflictError):
        storage.write_bytes(path, b"4", if_generation=third)
    with pytest.raises(storage.AbsentError, match="there is no such file"):
        storage.read_bytes(path)


def test_the_same_content_again_is_another_generation(tmp_path):
    path = tmp_path / "lock"
    generations = [storage.write_bytes(path, b"x", if_generation=None).generation for _ in range(200)]
    assert len(set(generations)) == 200
    assert generations == sorted(generations)


def test_a_file_another_program_wrote_has_another_generation(tmp_path):
    path = tmp_path / "state.json"
    known = storage.write_bytes(path, b"1", if_generation=0).generation
    time.sleep(0.02)
    path.write_text("edited")
    with pytest.raises(storage.ConflictError):
        storage.write_bytes(path, b"2", if_generation=known)
    assert path.read_text() == "edited"


def test_a_program_without_the_lock_is_not_overwritten(tmp_path, monkeypatch):
    path, look = tmp_path / "lock", local._find_generation

    def look_and_lose(one):
        found = look(one)
        path.write_text("theirs")
        return found

    monkeypatch.setattr(local, "_find_generation", look_and_lose)
    with pytest.raises(storage.ConflictError):
        storage.write_bytes(path, b"ours", if_generation=0)
    assert path.read_text() == "theirs"


def test_a_clock_that_goes_back_does_not_bring_a_generation_back(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    first = storage.write_bytes(path, b"1", if_generation=0).generation
    monkeypatch.setattr(local.time, "time_ns", lambda: first - 10**12)
    assert storage.write_bytes(path, b"2", if_generation=first).generation > first


def test_lists_are_of_prefixes(tmp_path):
    for name in ("a/x", "a/y", "ab/z", "b", "a.txt"):
        storage.write_bytes(tmp_path / name, name.encode(), if_generation=0)

    def names(prefix):
        return [one.uri.removeprefix(f"{tmp_path}/") for one in storage.list_files(prefix)]

    assert names(f"{tmp_path}/") == ["a.txt", "a/x", "a/y", "ab/z", "b"]
    assert names(f"{tmp_path}/a/") == ["a/x", "a/y"]
    assert names(f"{tmp_path}/a") == ["a.txt", "a/x", "a/y", "ab/z"]
    assert names(f"{tmp_path}/none/") == []
    [one] = storage.list_files(f"{tmp_path}/b")
    assert (one.size, one.crc32c) == (1, sum_bytes(b"b"))
    assert storage.read_bytes(one.uri)[1] == one.generation


def test_lists_of_relative_prefixes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage.write_bytes("runs/a", b"1", if_generation=0)
    assert [one.uri for one in storage.list_files("runs/")] == ["runs/a"]
    assert [one.uri for one in storage.list_files("ru")] == ["runs/a"]
    assert [one.uri for one in storage.list_files("./runs/")] == ["./runs/a"]


KILLED = """
import io, os, signal, sys
from pathlib import Path
from genotransfer.storage import local
class Content(io.BytesIO):
    def read(self, size=-1):
        os.kill(os.getpid(), signal.SIGKILL) if self.tell() > 3 << 20 else None
        return super().read(1 << 20)
local.write_local(Path(sys.argv[1]), Content(bytes(8 << 20)), "", None)
"""


def test_a_write_that_was_killed_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "state.json"
    before = storage.write_bytes(path, b"1", if_generation=0)
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert done.returncode == -9
    assert list(tmp_path.glob(".storing-*")), "it was killed while it wrote"
    assert [one.generation for one in storage.list_files(f"{tmp_path}/")] == [before.generation]
    storage.write_bytes(path, b"2", if_generation=before.generation)
    assert list(tmp_path.glob(".storing-*")) == []


def test_readers_see_whole_files_only(tmp_path):
    path, stop, seen = tmp_path / "a", threading.Event(), set()
    storage.write_bytes(path, b"0" * 300_000, if_generation=0)

    def read():
        while not stop.is_set():
            seen.add(bytes(set(storage.read_bytes(path)[0])))

    reader = threading.Thread(target=read)
    reader.start()
    for at in range(50):
        storage.write_bytes(path, b"%d" % (at % 10) * 300_000, if_generation=None)
    stop.set()
    reader.join()
    assert len(seen) > 1
    assert all(len(one) == 1 for one in seen)


def test_files_are_sent_to_paths_too(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    told = []
    written = storage.upload_file(
        tmp_path / "a", tmp_path / "b/c", if_generation=0, progress=lambda *one: told.append(one)
    )
    assert (tmp_path / "b/c").read_bytes() == b"x" * 3_000_000
    assert (written.crc32c, written.generation) == (
        sum_file(tmp_path / "a"),
        storage.read_bytes(tmp_path / "b/c")[1],
    )
    assert told[-1] == (2, 2, "MiB of a")
    with pytest.raises(InputError, match="there is no such file"):
        storage.upload_file(tmp_path / "none", tmp_path / "d")
    with pytest.raises(InputError, match="is a folder"):
        storage.write_bytes(tmp_path / "b", b"1", if_generation=None)


def test_errors_of_the_disk_are_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        storage.write_bytes(tmp_path / "file" / "below", b"1", if_generation=0)


@pytest.mark.parametrize(
    ("folder", "path", "due"),
    [
        ("", "a/b", "a/b"),
        ("x", "a/b", "x/a/b"),
        ("x", "/a/b", "/a/b"),
        ("x", "gs://k/a", "gs://k/a"),
        ("gs://k/x", "a/b", "gs://k/x/a/b"),
        ("gs://k/x/", "./a", "gs://k/x/a"),
        ("gs://k/x", "/a/b", "/a/b"),
    ],
)
def test_a_folder_goes_before_a_path(folder, path, due):
    assert join_path(folder, path) == due


def test_addresses_are_taken_apart():
    assert split_uri("gs://k/a/b") == ("k", "a/b")
    assert split_uri("gs://k") == ("k", "")
    for bad in ("gs://", "gs:///a", "/a"):
        with pytest.raises(InputError, match="names no bucket"):
            split_uri(bad)


def test_checksums_are_those_of_cloud_storage():
    # RFC 3720, B.4: 32 bytes of zeros and of ones.
    assert sum_bytes(bytes(32)) == "ipE2qg=="
    assert sum_bytes(b"\xff" * 32) == "YqirQw=="


def test_the_client_library_is_not_loaded_for_local_files(tmp_path):
    code = (
        "import sys; from genotransfer import storage; storage.write_bytes(sys.argv[1], b'1', if_generation=0);"
        "storage.fetch_file(sys.argv[1]); sys.exit('google.cloud.storage' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], env=os.environ, check=False)
    assert done.returncode == 0
