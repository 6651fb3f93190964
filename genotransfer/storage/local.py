"""Files on this machine with the generations of a bucket: compare and swap, whole or absent.

A file's generation is its time of change in nanoseconds, which every write here makes greater than
the one before. Writers of a folder take turns by a lock on a file in it; a program that does not take
the lock can still not see, or leave, half a file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO, FileIO
from pathlib import Path

from genotransfer.errors import InputError
from genotransfer.storage.checksums import sum_file
from genotransfer.storage.errors import AbsentError, ConflictError
from genotransfer.storage.names import StoredFile, Written

LOCK, UNFINISHED = ".genotransfer-lock", ".storing-"
STEPS_NS = (1, 10**3, 10**6, 10**9, 2 * 10**9)  # some file systems keep times coarsely


def read_local(path: Path) -> tuple[bytes, int]:
    """Return content and generation of a file."""
    try:
        with path.open("rb") as file:  # never changed in place: what is open stays as it is
            return file.read(), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        raise AbsentError("there is no such file", file=path, remedy="Check the path") from None
    except OSError as error:
        raise _explain(error, path, "read") from error


def write_local(path: Path, content: BytesIO | FileIO, crc32c: str, if_generation: int | None) -> Written:
    """Write a file if its generation is the one given, 0 for none; any where None."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock_folder(path.parent):
            for left in path.parent.glob(f"{UNFINISHED}*"):  # by a process that was killed
                left.unlink(missing_ok=True)
            found = _find_generation(path)
            if if_generation is not None and found != if_generation:
                raise ConflictError(str(path), if_generation)
            return Written(str(path), _replace(path, content, found, if_generation == 0), crc32c)
    except OSError as error:
        raise _explain(error, path, "written") from error


def delete_local(path: Path, if_generation: int | None) -> None:
    """Delete a file if its generation is the one given; one that is absent is no error."""
    if not path.parent.is_dir():
        return
    try:
        with lock_folder(path.parent):
            found = _find_generation(path)
            if found and if_generation is not None and found != if_generation:
                raise ConflictError(str(path), if_generation)
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _explain(error, path, "deleted") from error


def list_local(prefix: str) -> list[StoredFile]:
    """Return the files whose path begins with `prefix`, in the order of their paths."""
    top = prefix if prefix.endswith("/") else os.path.dirname(prefix)  # noqa: PTH120 - a prefix, no path
    found = []
    for folder, below, names in os.walk(top or "."):
        inside = f"{folder.rstrip('/')}/"
        inside = inside if top else inside.removeprefix("./")
        below[:] = [name for name in below if _may_hold(f"{inside}{name}/", prefix)]
        for name in names:
            path = f"{inside}{name}"
            if path.startswith(prefix) and name != LOCK and not name.startswith(UNFINISHED):
                found.append(path)
    return [one for path in sorted(found) if (one := _describe(path)) is not None]


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; it is let go when the process ends, in whatever way."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, content: BytesIO | FileIO, before: int, new: bool) -> int:
    if path.is_dir():
        raise InputError("this is a folder", file=path, remedy="Name a file")
    descriptor, name = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        generation = _set_time(temporary, before)
        if new:
            try:
                os.link(temporary, path)  # fails where a program without the lock was faster
            except FileExistsError:
                raise ConflictError(str(path), 0) from None
        else:
            temporary.replace(path)
        return generation
    finally:
        temporary.unlink(missing_ok=True)


def _set_time(path: Path, before: int) -> int:
    """Give a file a time of change later than `before`, in nanoseconds; return it."""
    now = time.time_ns()
    for step in STEPS_NS:
        os.utime(path, ns=(now, max(now, before + step)))
        generation = path.stat().st_mtime_ns
        if generation > before:
            return generation
    raise InputError("the file system keeps no times", file=path, remedy="Use a folder on another one")


def _find_generation(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _may_hold(folder: str, prefix: str) -> bool:
    return folder.startswith(prefix) or prefix.startswith(folder)


def _describe(path: str) -> StoredFile | None:
    for _ in range(10):
        try:
            before = Path(path).stat()
            crc32c = sum_file(path)
            after = Path(path).stat()
        except FileNotFoundError:  # deleted since it was listed
            return None
        if before.st_mtime_ns == after.st_mtime_ns:
            break
    updated = datetime.fromtimestamp(after.st_mtime_ns / 1e9, UTC)
    return StoredFile(path, after.st_size, after.st_mtime_ns, crc32c, updated)


def _explain(error: OSError, path: Path, what: str) -> InputError:
    return InputError(
        f"the file cannot be {what}: {error.strerror}",
        file=path,
        remedy="Check the path, its permissions and the room on the disk",
    )
