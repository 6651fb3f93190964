"""A disk that is full, told from other errors whichever library met it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from genotransfer.errors import GenotransferError

FULL = (errno.ENOSPC, errno.EDQUOT)
# How HDF5, Arrow and SQLite put it; they do not always hand on the system's number.
SAYINGS = ("no space left on device", "disk quota exceeded", "database or disk is full", "errno = 28")
LEAST_FREE = 1 << 20


class FullDiskError(GenotransferError):
    """A file could not be written, because its disk is full."""


def explain_full_disk(error: BaseException) -> FullDiskError | None:
    """Return the error to raise instead of one that a full disk caused; None for other errors.

    Parameters
    ----------
    error : as caught; what it was raised from is looked at too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, FullDiskError):
            return cause
        if (isinstance(cause, OSError) and cause.errno in FULL) or any(
            one in str(cause).lower() for one in SAYINGS
        ):
            return name_full_disk(getattr(cause, "filename", None))
        cause = cause.__cause__ or cause.__context__
    return None


def name_full_disk(path: str | Path | None) -> FullDiskError:
    """Return the error that says a disk is full, and where, if that is known."""
    where = f"{path} could not be written" if path else "a file could not be written"
    return FullDiskError(
        f"The disk is full: {where}. Nothing was left half-written, and what was done before is kept. Free "
        "some space, and go on."
    )


def is_full(folder: str | Path) -> bool:
    """Return whether less than 1 MiB is left where a folder is."""
    return shutil.disk_usage(folder).free < LEAST_FREE
