"""A run's folder, sent to a bucket when the run is done."""

from __future__ import annotations

from pathlib import Path

from genotransfer import storage
from genotransfer.errors import InputError


def check_places(runs: Path, publish: str | None) -> None:
    """Say before a run what could not be done after it.

    Raises
    ------
    InputError
        `runs` is an address, `publish` is none, or its bucket cannot be reached.
    """
    if str(runs).startswith("gs:"):
        raise InputError(
            "a study runs on this machine's disk", file=runs, remedy="Send the run there with --publish"
        )
    if publish is None:
        return
    if not storage.is_remote(publish):
        raise InputError(
            "--publish wants an address in a bucket", file=publish, remedy="Write gs://bucket/folder"
        )
    storage.list_files(f"{publish.rstrip('/')}/")


def publish_run(folder: Path, publish: str) -> str:
    """Send a run's folder below an address; return where it is. The run keeps its name.

    Raises
    ------
    GenotransferError
        See `genotransfer.storage.upload_folder`; the run itself stays where it was made.
    """
    address = storage.join_uri(publish, folder.name)
    storage.upload_folder(folder, address)
    return address
