"""A bucket of Cloud Storage, or of a stand-in of it: bucket.py make|save|load NAME.

`make` makes it where it is not there; `save` writes its objects to standard output as a tar archive, `load` puts
those of one from standard input into it. The stand-in keeps what it knows of an object outside of its file, so that
a copy of the files is no copy of the bucket.
"""

import io
import sys
import tarfile

from google.api_core.exceptions import Conflict
from google.cloud import storage


def make(name: str) -> None:
    """Make a bucket where it is not there."""
    try:
        storage.Client().create_bucket(name)
    except Conflict:
        print(f"The bucket {name} is there.")
    else:
        print(f"The bucket {name} is made.")


def save(name: str) -> None:
    """Write the objects of a bucket to standard output."""
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for blob in storage.Client().list_blobs(name):
            content = blob.download_as_bytes()
            member = tarfile.TarInfo(blob.name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def load(name: str) -> None:
    """Put the objects on standard input into a bucket."""
    bucket = storage.Client().bucket(name)
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                bucket.blob(member.name).upload_from_string(content.read(), "application/octet-stream")


if __name__ == "__main__":
    {"make": make, "save": save, "load": load}[sys.argv[1]](sys.argv[2])
