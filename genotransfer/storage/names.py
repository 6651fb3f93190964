"""Names of files here and in a bucket, and what is said of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from genotransfer.errors import InputError

SCHEME = "gs://"


@dataclass(frozen=True)
class Written:
    """A file that was written.

    Attributes
    ----------
    uri : where, as given.
    generation : its number: every write of a name has a greater one.
    crc32c : checksum of the content, base64 of four bytes, as Cloud Storage has it.
    """

    uri: str
    generation: int
    crc32c: str


@dataclass(frozen=True)
class StoredFile:
    """A file that is there.

    Attributes
    ----------
    uri, generation, crc32c : as of `Written`.
    size : in bytes.
    updated : when it was last written, in UTC.
    """

    uri: str
    size: int
    generation: int
    crc32c: str
    updated: datetime


def is_remote(path: str | Path) -> bool:
    """Say whether a path is in a bucket: ``gs://bucket/name``.

    Raises
    ------
    InputError
        The path went through `pathlib.Path`, which makes one slash of two.
    """
    text = str(path)
    if text.startswith("gs:/") and not text.startswith(SCHEME):
        raise InputError(
            "this is no address of a bucket", file=text, remedy="Write gs://bucket/name, with two slashes"
        )
    return text.startswith(SCHEME)


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and name of ``gs://bucket/name``; the name may be empty or end with a slash.

    Raises
    ------
    InputError
        The address names no bucket.
    """
    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not bucket:
        raise InputError("this names no bucket", file=uri, remedy="Write gs://bucket/name")
    return bucket, name


def split_file(uri: str) -> tuple[str, str]:
    """Return bucket and name of a file.

    Raises
    ------
    InputError
        The address names no file.
    """
    bucket, name = split_uri(uri)
    if name_last(uri) in {"", ".", ".."}:
        raise InputError("this names no file", file=uri, remedy="Write gs://bucket/name")
    return bucket, name


def name_last(uri: str) -> str:
    """Return what follows the last slash of an address."""
    return split_uri(uri)[1].rpartition("/")[2]


def join_uri(folder: str, *names: str) -> str:
    """Put names behind a folder, here or in a bucket."""
    return "/".join([folder.rstrip("/"), *names])


def join_path(folder: str | Path, path: str) -> str:
    """Put a folder before a path that is relative; either may be in a bucket."""
    if is_remote(path) or Path(path).is_absolute():
        return path
    if folder and is_remote(folder):
        return join_uri(str(folder), path.removeprefix("./"))
    return str(Path(folder) / path)
