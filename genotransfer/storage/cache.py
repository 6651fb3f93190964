"""Copies of files of buckets, each kept by name and generation, whole or absent.

The folder is GENOTRANSFER_CACHE, or ``~/.cache/genotransfer``. A copy has the file's own name, which
tells its format. When the copies take more than GENOTRANSFER_CACHE_GIB (50 where unset), those not
used for a day are removed, the oldest first; what was used since stays, for a study may hold it open.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from genotransfer.errors import InputError
from genotransfer.formats.files import UNFINISHED, replace_together
from genotransfer.storage.local import lock_folder
from genotransfer.storage.names import StoredFile, name_last, split_uri

FOLDER_VARIABLE, SIZE_VARIABLE = "GENOTRANSFER_CACHE", "GENOTRANSFER_CACHE_GIB"
DEFAULT_GIB = 50.0
REST_S = 24 * 3600.0  # unused for so long before it may be removed


def find_cache(cache: str | Path | None = None) -> Path:
    """Return the folder of the copies."""
    chosen = cache or os.environ.get(FOLDER_VARIABLE) or Path.home() / ".cache" / "genotransfer"
    return Path(chosen).expanduser().absolute()


def keep_file(file: StoredFile, cache: Path, bring: Callable[[Path], None]) -> Path:
    """Return the copy of a file's generation; `bring` it where there is none yet.

    Processes that want the same file take turns: the first brings it.
    """
    entry = _make_entry(file.uri, cache)
    path = entry / str(file.generation) / name_last(file.uri)
    with lock_folder(entry):
        if path.is_file() and path.stat().st_size == file.size:
            os.utime(path.parent)
            return path
        for left in [*entry.glob(f"{UNFINISHED}*"), *entry.glob(f"*/{UNFINISHED}*")]:
            shutil.rmtree(left, ignore_errors=True)
        with replace_together(path) as [part]:
            bring(part)
            part.chmod(0o444)  # one copy serves many: nobody changes it in place
    trim_cache(cache)
    return path


def keep_together(files: list[tuple[StoredFile, str, Path]], cache: Path) -> Path:
    """Return a folder in which the copies of several files stand side by side.

    Parameters
    ----------
    files : of each: what it is, its name in the folder, its copy.
    """
    text = "\n".join(f"{name}\t{file.uri}\t{file.generation}" for file, name, _ in files)
    entry = _make_folder(cache / "sets" / hashlib.sha256(text.encode()).hexdigest()[:24])
    folder = entry / "files"
    with lock_folder(entry):
        if folder.is_dir():
            os.utime(folder)
            return folder
        for left in entry.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
        with replace_together(folder) as [part]:
            part.mkdir()
            for _, name, copy in files:
                _link(copy, part / name)
    return folder


def trim_cache(cache: Path, *, now: float | None = None) -> None:
    """Remove copies that were not used for a day, the oldest first, until the rest is small enough."""
    limit = _read_limit()
    kept = [*cache.glob("files/*/[0-9]*"), *cache.glob("sets/*/files")]
    used = sorted((_find_use(folder), folder) for folder in kept)
    inodes: dict[tuple[int, int], tuple[int, int]] = {}  # a set's files are the copies themselves, linked
    for _, folder in used:
        for one in _list_sizes(folder):
            size, links = inodes.get(one[0], (one[1], 0))
            inodes[one[0]] = (size, links + 1)
    total = sum(size for size, _ in inodes.values())
    for when, folder in used:
        if total <= limit or (now or time.time()) - when < REST_S:
            return
        for key, _ in _list_sizes(folder):
            size, links = inodes[key]
            inodes[key] = (size, links - 1)
            total -= size if links == 1 else 0
        shutil.rmtree(folder, ignore_errors=True)


def _make_entry(uri: str, cache: Path) -> Path:
    # The bucket's name is for people who look; the hash tells names apart that no folder could have.
    name = f"{split_uri(uri)[0]}-{hashlib.sha256(uri.encode()).hexdigest()[:24]}"
    return _make_folder(cache / "files" / name)


def _make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"no copies of files of buckets can be kept there: {error.strerror}",
            file=folder,
            remedy=f"Set {FOLDER_VARIABLE} to a folder you may write to",
        ) from error
    return folder


def _link(copy: Path, place: Path) -> None:
    try:
        os.link(copy, place)
    except OSError:  # a file system without links
        shutil.copy2(copy, place)


def _find_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _list_sizes(folder: Path) -> list[tuple[tuple[int, int], int]]:
    found = []
    for path in folder.glob("*"):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        found.append(((status.st_dev, status.st_ino), status.st_size))
    return found


def _read_limit() -> float:
    text = os.environ.get(SIZE_VARIABLE) or str(DEFAULT_GIB)
    try:
        return float(text) * 2**30
    except ValueError:
        raise InputError(
            f"{SIZE_VARIABLE} is {text!r}, no number", remedy="Set it to GiB, such as 50"
        ) from None
