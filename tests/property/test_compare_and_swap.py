"""Compare and swap of local files: whatever processes do at once, it is as if one did it after another."""

import multiprocessing
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from genotransfer import storage


def append(path, writer, names, barrier):
    """Add names to the lines of a file, each once, whoever else does."""
    barrier.wait()
    for name in names:
        while True:
            try:
                data, generation = storage.read_bytes(path)
            except storage.AbsentError:
                data, generation = b"", 0
            try:
                storage.write_bytes(path, data + f"{writer}:{name}\n".encode(), if_generation=generation)
                break
            except storage.ConflictError:
                continue


def take(path, writer, names, barrier):
    """Hold a lock while the lines are written past compare and swap."""
    barrier.wait()
    lock = Path(f"{path}.lock")
    for name in names:
        while True:
            try:
                held = storage.write_bytes(lock, f"{writer}".encode(), if_generation=0)
                break
            except storage.ConflictError:
                continue
        with path.open("ab") as file:
            before = file.tell()
            file.write(f"{writer}:".encode())
            file.flush()
            assert file.tell() == before + len(f"{writer}:"), "somebody else holds the lock"
            file.write(f"{name}\n".encode())
        storage.delete_file(lock, held.generation)


def run_processes(work, path, writes):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(writes))
    processes = [
        context.Process(target=work, args=(path, writer, names, barrier))
        for writer, names in enumerate(writes)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join(60)
    assert [one.exitcode for one in processes] == [0] * len(writes)
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(
        f"{writer}:{name}" for writer, names in enumerate(writes) for name in names
    )
    for writer, names in enumerate(writes):  # and each writer's in its own order
        assert [int(one.split(":")[1]) for one in lines if one.startswith(f"{writer}:")] == names


WRITES = st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=12), min_size=2, max_size=5)


@settings(max_examples=12, deadline=None)
@given(WRITES)
def test_nothing_is_lost_or_doubled(writes):
    with tempfile.TemporaryDirectory() as folder:
        run_processes(append, Path(folder) / "lines", writes)


@settings(max_examples=12, deadline=None)
@given(WRITES)
def test_a_lock_is_held_by_one(writes):
    with tempfile.TemporaryDirectory() as folder:
        run_processes(take, Path(folder) / "lines", writes)
