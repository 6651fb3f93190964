"""Files in buckets of Google Cloud Storage, and files here, by the same calls.

Wherever the project takes a path it also takes ``gs://bucket/name``. This package alone imports the
client library.
"""

from genotransfer.storage.errors import AbsentError, ConflictError, DamagedError, UnreachableError
from genotransfer.storage.fetching import fetch_file, fetch_fileset, fetch_folder, localise
from genotransfer.storage.files import delete_file, list_files, read_bytes, upload_file, write_bytes
from genotransfer.storage.folders import stage_output, upload_folder
from genotransfer.storage.names import StoredFile, Written, is_remote, join_path, join_uri

__all__ = [
    "AbsentError",
    "ConflictError",
    "DamagedError",
    "StoredFile",
    "UnreachableError",
    "Written",
    "delete_file",
    "fetch_file",
    "fetch_fileset",
    "fetch_folder",
    "is_remote",
    "join_path",
    "join_uri",
    "list_files",
    "localise",
    "read_bytes",
    "stage_output",
    "upload_file",
    "upload_folder",
    "write_bytes",
]
