"""One file of a bucket brought here: in parts side by side, and refused where it does not add up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from genotransfer.events import Progress
from genotransfer.storage.checksums import sum_bytes, sum_file
from genotransfer.storage.errors import AbsentError, DamagedError
from genotransfer.storage.names import StoredFile, name_last
from genotransfer.storage.remote import find_remote, read_range

PART = 16 << 20  # bytes of one request
THREADS = 8  # files, and parts of a file, side by side
SLOTS = threading.BoundedSemaphore(THREADS)  # parts in memory, of all files together
ATTEMPTS = 4  # where the file is overwritten meanwhile
MIB = 1 << 20
One = TypeVar("One")
Result = TypeVar("Result")


def download_file(file: StoredFile, path: Path, progress: Progress | None = None) -> None:
    """Write a file's generation to `path`, and check its checksum.

    Raises
    ------
    DamagedError
        What arrived is not what the bucket says it holds.
    AbsentError
        That generation is not there any more.
    """
    done, counted = 0, threading.Lock()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    def bring(start: int) -> None:
        nonlocal done
        end = min(start + PART, file.size)
        with SLOTS:
            data = read_range(file, start, end)
            if len(data) != end - start:
                raise _explain_damage(file)
            _write_at(descriptor, data, start)
        with counted:
            done += len(data)
            if progress is not None:
                whole = max(1, file.size // MIB)
                progress(whole if done == file.size else done // MIB, whole, f"MiB of {name_last(file.uri)}")

    try:
        os.truncate(descriptor, file.size)
        run_together(bring, range(0, file.size, PART))
    finally:
        os.close(descriptor)
    if sum_file(path) != file.crc32c:
        raise _explain_damage(file)


def read_current(uri: str) -> tuple[bytes, int]:
    """Return the whole content of a file and the generation it is of."""

    def read(file: StoredFile) -> bytes:
        data = read_range(file, 0, file.size) if file.size else b""
        if sum_bytes(data) != file.crc32c:
            raise _explain_damage(file)
        return data

    return take_current(uri, lambda file: (read(file), file.generation))


def take_current(uri: str, take: Callable[[StoredFile], Result]) -> Result:
    """Look at a file and do something with its generation; again where that is gone meanwhile."""
    for attempt in range(ATTEMPTS):
        file = find_remote(uri).file
        try:
            return take(file)
        except AbsentError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def run_together(do: Callable[[One], Result], what: Iterable[One]) -> list[Result]:
    """Do something with each of several, some side by side; the first error ends it."""
    items = list(what)
    if len(items) <= 1:
        return [do(one) for one in items]
    pool = ThreadPoolExecutor(min(THREADS, len(items)))
    try:
        futures: list[Any] = [pool.submit(do, one) for one in items]
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _write_at(descriptor: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, start)
        view, start = view[written:], start + written


def _explain_damage(file: StoredFile) -> DamagedError:
    return DamagedError(
        "what arrived is not what the bucket says it holds: the checksums differ, and nothing was kept",
        file=file.uri,
        remedy="Try again; if it stays so, copy the file to the bucket again",
    )
