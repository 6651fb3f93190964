"""Folders, and what programs write by path, sent to buckets."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genotransfer.errors import InputError
from genotransfer.events import Progress
from genotransfer.storage.checksums import sum_bytes, sum_file
from genotransfer.storage.downloads import run_together
from genotransfer.storage.fetching import LIST
from genotransfer.storage.files import delete_file, list_files, upload_file, write_bytes
from genotransfer.storage.names import is_remote, join_uri, name_last, split_uri


def upload_folder(path: str | Path, uri: str, *, progress: Progress | None = None) -> str:
    """Send all files of a folder; the list of them is written last and says that all are there.

    Sent again after it was broken off, it sends what is missing.

    Parameters
    ----------
    path : the folder.
    uri : ``gs://bucket/folder``, which holds nothing, or part of the same folder.
    progress : told the number of files.

    Returns
    -------
    The address of the list, ``genotransfer-files.json``: size and checksum of each file.

    Raises
    ------
    InputError
        There is no such folder, or `uri` holds other files.
    ConflictError
        Another process sends to the same address.
    """
    folder, top = Path(path), uri.rstrip("/")
    files = sorted(one for one in folder.rglob("*") if one.is_file() and one != folder / LIST)
    if not files:
        raise InputError("there is no such folder, or it is empty", file=folder, remedy="Check the path")
    names = [one.relative_to(folder).as_posix() for one in files]
    sums = dict(zip(names, map(sum_file, files), strict=True))
    there = {one.uri[len(top) + 1 :]: one for one in list_files(f"{top}/")}
    _require_own(top, sums, {name: one.crc32c for name, one in there.items() if not name.endswith("/")})
    about = {name: {"size": (folder / name).stat().st_size, "crc32c": sums[name]} for name in names}
    text = json.dumps({"files": about}, indent=1).encode()
    if LIST in there:
        if there[LIST].crc32c == sum_bytes(text) and set(names) <= set(there):
            return there[LIST].uri
        delete_file(there[LIST].uri, there[LIST].generation)  # until all are there again
    done = 0

    def send(name: str) -> None:
        nonlocal done
        if name not in there:
            upload_file(folder / name, join_uri(top, name), if_generation=0)
        done += 1
        if progress is not None:
            progress(done, len(names), name)

    run_together(send, names)
    return write_bytes(join_uri(top, LIST), text, if_generation=0).uri


@contextmanager
def stage_output(uri: str | Path) -> Iterator[Path]:
    """Yield a path to write to; what was written there and beside it goes to the bucket at the end.

    Of a PLINK fileset the .bed goes last. Nothing goes when the block raises. A path that is not in a
    bucket is yielded as it is.
    """
    if not is_remote(uri):
        yield Path(uri)
        return
    address = str(uri).rstrip("/")
    if not split_uri(address)[1]:
        raise InputError("this names no file", file=address, remedy="Write gs://bucket/name")
    list_files(address)  # a bucket that is not there is told before the work
    with tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch:
        yield Path(scratch) / name_last(address)
        parent = address.rpartition("/")[0]
        files = [one for one in Path(scratch).rglob("*") if one.is_file()]
        for last in (False, True):
            run_together(
                lambda one: upload_file(one, join_uri(parent, one.relative_to(scratch).as_posix())),
                [one for one in files if (one.suffix == ".bed") is last],
            )


def _require_own(top: str, ours: dict[str, str], there: dict[str, str]) -> None:
    """Raise unless all that is there is part of what is sent."""
    others = [name for name, crc32c in sorted(there.items()) if name != LIST and ours.get(name) != crc32c]
    if others:
        raise InputError(
            f"this is a folder, and it holds {len(others)} other files, the first: {others[0]}",
            file=top,
            remedy="Name an address that is not taken",
        )
