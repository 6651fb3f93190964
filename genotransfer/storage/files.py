"""Files here and in buckets, by the same calls and with the same promises.

Every write is of a whole file and, where a generation is given, happens only if the file is still
the one of that generation: state and locks of several processes can be kept by them.
"""

from __future__ import annotations

import io
from io import FileIO
from pathlib import Path

from genotransfer.errors import InputError
from genotransfer.events import Progress
from genotransfer.storage import local, remote
from genotransfer.storage.checksums import sum_bytes, sum_file
from genotransfer.storage.downloads import MIB, read_current
from genotransfer.storage.names import StoredFile, Written, is_remote


def read_bytes(uri: str | Path) -> tuple[bytes, int]:
    """Return the content of a file, and the generation it is of.

    Raises
    ------
    AbsentError
        There is no such file, or no such bucket.
    DamagedError, UnreachableError, InputError
        It does not add up; no answer; no credentials or no permission.
    """
    return read_current(str(uri)) if is_remote(uri) else local.read_local(Path(uri))


def write_bytes(uri: str | Path, data: bytes, *, if_generation: int | None) -> Written:
    """Write a file, if it is still what the writer knows.

    Parameters
    ----------
    uri : ``gs://bucket/name`` or a path; folders above it are made.
    data : the whole content.
    if_generation : the generation the file must have; 0: there must be none; None: whatever there is.

    Raises
    ------
    ConflictError
        The file has another generation; nothing was written.
    """
    crc32c = sum_bytes(data)
    if is_remote(uri):
        return remote.write_remote(str(uri), lambda: io.BytesIO(data), len(data), crc32c, if_generation)
    return local.write_local(Path(uri), io.BytesIO(data), crc32c, if_generation)


def upload_file(
    path: str | Path, uri: str | Path, *, if_generation: int | None = None, progress: Progress | None = None
) -> Written:
    """Write a file of this machine to a bucket, or to another path.

    Parameters
    ----------
    path : the file.
    uri, if_generation, Raises : see `write_bytes`.
    progress : told the MiB that were sent.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such file", file=path, remedy="Check the path")
    crc32c, size = sum_file(path), path.stat().st_size

    def open_content() -> FileIO:
        return _Told(path, size, progress)

    if is_remote(uri):
        return remote.write_remote(str(uri), open_content, size, crc32c, if_generation)
    with open_content() as content:
        return local.write_local(Path(uri), content, crc32c, if_generation)


def list_files(uri_prefix: str | Path) -> list[StoredFile]:
    """Return the files whose path or address begins with a prefix; a folder's, with a slash at its end.

    Of local files the checksum is worked out, which reads them.
    """
    if is_remote(uri_prefix):
        return remote.list_remote(str(uri_prefix))
    return local.list_local(str(uri_prefix))


def delete_file(uri: str | Path, if_generation: int | None = None) -> None:
    """Delete a file, if it is still what is known; one that is gone already is no error.

    Raises
    ------
    ConflictError
        The file has another generation; it was not deleted.
    """
    if is_remote(uri):
        remote.delete_remote(str(uri), if_generation)
    else:
        local.delete_local(Path(uri), if_generation)


class _Told(io.FileIO):
    """A file that says how far it was read."""

    def __init__(self, path: Path, size: int, progress: Progress | None) -> None:
        try:
            super().__init__(path, "rb")
        except OSError as error:
            raise InputError(
                f"the file cannot be read: {error.strerror}", file=path, remedy="Check its permissions"
            ) from error
        self._size, self._progress, self._label = size, progress, f"MiB of {path.name}"

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size)
        if self._progress is not None and data:
            self._progress(self.tell() // MIB, max(1, self._size // MIB), self._label)
        return data or b""
