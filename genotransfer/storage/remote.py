"""Files in a bucket: looked at, read, written and deleted by their generation."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO, FileIO
from typing import Any

from genotransfer.errors import GenotransferError
from genotransfer.storage.client import get_client, make_options
from genotransfer.storage.errors import (
    AbsentError,
    ConflictError,
    DamagedError,
    explain_bucket,
    explain_error,
    explain_errors,
    find_status,
)
from genotransfer.storage.names import StoredFile, Written, split_file, split_uri

WRITE = "genotransfer-write"  # metadata that names one call: tells our own write from another's
EARLIER = "genotransfer-earlier"  # the same of the writes before it, each with its generation
EARLIER_KEPT = 32
PART = 8 << 20  # bytes sent at a time; a smaller file goes in one request
ATTEMPTS = 4
REFUSED = {400, 401, 403}  # by the service, before anything was written


@dataclass(frozen=True)
class Found:
    """A file of a bucket, with the marks of the calls that wrote it and what was there before."""

    file: StoredFile
    write: str = field(repr=False)
    earlier: dict[str, int] = field(repr=False)

    @property
    def marks(self) -> dict[str, int]:
        """Generation of each write that is known, the last first."""
        return {self.write: self.file.generation} | self.earlier


def find_remote(uri: str) -> Found:
    """Return what a file is now.

    Raises
    ------
    AbsentError
        There is no such file or no such bucket.
    """
    bucket, name = split_file(uri)
    with explain_errors(uri):
        blob = get_client().bucket(bucket).blob(name)
        try:
            blob.reload(**make_options())
        except Exception as error:
            if find_status(error) == 404:
                raise _explain_absence(uri, error) from None
            raise
    return _describe(blob)


def list_remote(prefix: str) -> list[StoredFile]:
    """Return the files whose address begins with `prefix`, in the order of their names."""
    bucket, name = split_uri(prefix)
    with explain_errors(prefix):
        try:
            blobs = list(get_client().list_blobs(bucket, prefix=name, **make_options()))
        except Exception as error:
            if find_status(error) == 404:
                raise explain_bucket(prefix) from None
            raise
    return [_describe(blob).file for blob in blobs]


def read_range(file: StoredFile, start: int, end: int) -> bytes:
    """Return the bytes from `start` up to, not with, `end` of a file's generation."""
    bucket, name = split_file(file.uri)
    with explain_errors(file.uri):
        blob = get_client().bucket(bucket).blob(name, generation=file.generation)
        data: bytes = blob.download_as_bytes(
            start=start,
            end=end - 1,
            raw_download=True,  # as it is stored: a checksum is of that
            checksum=None,  # of the whole, by the caller: a part has none
            **make_options(),
        )
    return data


def write_remote(
    uri: str,
    open_content: Callable[[], BytesIO | FileIO],
    size: int,
    crc32c: str,
    if_generation: int | None,
) -> Written:
    """Write a file if its generation is the one given, 0 for none; any where None.

    The service checks `crc32c` before the file is seen by anyone. A write whose answer was lost is
    recognised by its mark, also where others have overwritten it since: each hands on the marks before
    its own.
    """
    for attempt in range(ATTEMPTS):
        before = None if if_generation == 0 else _find_now(uri)
        expected = 0 if before is None else before.file.generation
        if if_generation not in (None, expected):
            raise ConflictError(uri, if_generation)
        mark = uuid.uuid4().hex
        with explain_errors(uri):
            try:
                return _send(uri, open_content, size, crc32c, before, mark)
            except GenotransferError:
                raise
            except Exception as error:
                status = find_status(error)
                arrived = None if status in REFUSED else _find_own(uri, mark, crc32c)
                if arrived is not None:
                    return arrived
                if status == 412 and if_generation is not None:
                    raise ConflictError(uri, if_generation) from None
                if status == 404 and not _has_bucket(uri):
                    raise explain_bucket(uri) from None
                # 404 and 410: the service has forgotten an upload in parts; it begins anew.
                if status not in {404, 410, 412} or attempt == ATTEMPTS - 1:
                    raise explain_error(error, uri) from None
    raise ConflictError(uri, if_generation)


def delete_remote(uri: str, if_generation: int | None) -> None:
    """Delete a file if its generation is the one given; one that is absent is no error."""
    bucket, name = split_file(uri)
    generation = if_generation
    if generation is None:
        before = _find_now(uri)
        generation = 0 if before is None else before.file.generation
    if not generation:
        return
    with explain_errors(uri):
        try:
            get_client().bucket(bucket).blob(name).delete(if_generation_match=generation, **make_options())
        except Exception as error:
            status = find_status(error)
            if status == 404 and not _has_bucket(uri):
                raise explain_bucket(uri) from None
            if status == 412 and _find_now(uri):
                raise ConflictError(uri, generation) from None
            if status not in {404, 412}:
                raise


def _send(
    uri: str,
    open_content: Callable[[], BytesIO | FileIO],
    size: int,
    crc32c: str,
    before: Found | None,
    mark: str,
) -> Written:
    bucket, name = split_file(uri)
    blob = get_client().bucket(bucket).blob(name, chunk_size=PART if size > PART else None)
    earlier = [] if before is None else list(before.marks.items())[:EARLIER_KEPT]
    blob.crc32c = crc32c
    blob.metadata = {WRITE: mark, EARLIER: " ".join(f"{one}@{number}" for one, number in earlier if one)}
    with open_content() as content:
        blob.upload_from_file(
            content,
            size=size,
            content_type="application/octet-stream",
            if_generation_match=0 if before is None else before.file.generation,
            checksum="crc32c",
            **make_options(),
        )
    return _check(blob, uri, crc32c)


def _check(blob: Any, uri: str, crc32c: str) -> Written:
    if blob.crc32c != crc32c:
        blob.delete(if_generation_match=blob.generation, **make_options())
        raise DamagedError("the file was damaged on its way to the bucket", file=uri, remedy="Write it again")
    return Written(uri, int(blob.generation), crc32c)


def _find_own(uri: str, mark: str, crc32c: str) -> Written | None:
    """Return what a call wrote, where its answer was lost; None where it is not there."""
    try:
        found = find_remote(uri)
    except GenotransferError:
        return None
    return Written(uri, found.marks[mark], crc32c) if mark in found.marks else None


def _find_now(uri: str) -> Found | None:
    """Return what a file is now; None where there is none."""
    try:
        return find_remote(uri)
    except AbsentError:
        if not _has_bucket(uri):
            raise
        return None


def _has_bucket(uri: str) -> bool:
    """Say whether the bucket is there; one that may not be listed is."""
    try:
        next(
            iter(get_client().list_blobs(split_uri(uri)[0], max_results=1, **make_options())),
            None,
        )
    except Exception as error:
        return find_status(error) != 404
    return True


def _explain_absence(uri: str, error: Exception) -> GenotransferError:
    return explain_error(error, uri) if _has_bucket(uri) else explain_bucket(uri)


def _describe(blob: Any) -> Found:
    file = StoredFile(
        f"gs://{blob.bucket.name}/{blob.name}",
        int(blob.size or 0),
        int(blob.generation),
        str(blob.crc32c),
        blob.updated,
    )
    marks = blob.metadata or {}
    pairs = (one.partition("@")[::2] for one in (marks.get(EARLIER) or "").split())
    # Who may write to the bucket may write anything there: what is no mark of ours is none.
    earlier = {name: int(number) for name, number in pairs if number.isascii() and number.isdigit()}
    return Found(file, marks.get(WRITE, ""), earlier)
