"""What goes wrong with files in a bucket, in words a user can act on.

Messages never hold what the service or the client library said in full: it can name the address of
an open upload, which is a key to it, or parts of a credential.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genotransfer.errors import GenotransferError, InputError
from genotransfer.storage.names import is_remote, split_uri

LOGIN = (
    "Run 'gcloud auth application-default login', or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a "
    "service account"
)


class ConflictError(GenotransferError):
    """Another process wrote, made or deleted the file first; nothing was written.

    Attributes
    ----------
    uri : the file.
    expected : the generation the writer knew; 0: none; None: it is not known, or any.
    """

    def __init__(self, uri: str, expected: int | None) -> None:
        self.uri, self.expected = uri, expected
        known = {None: "it keeps changing", 0: "it was to be new"}
        why = known.get(expected, f"generation {expected} was expected")
        super().__init__(
            f"{uri}: another process has written or deleted it in the meantime: {why}. "
            "Read it again and repeat the change."
        )


class AbsentError(InputError):
    """There is no such file, or no such bucket."""


class DamagedError(InputError):
    """What arrived is not what was sent."""


class UnreachableError(GenotransferError):
    """The service gave no usable answer before the deadline."""


@contextmanager
def explain_errors(uri: str) -> Iterator[None]:
    """Turn errors of the client library into errors that name the file and the remedy."""
    import google.auth.exceptions as auth
    import requests
    import urllib3
    from google.api_core import exceptions as api
    from google.cloud.storage.exceptions import InvalidResponse

    service = (api.GoogleAPIError, auth.GoogleAuthError, InvalidResponse)
    try:
        yield
    except (*service, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        # Without the cause: its text may hold an upload's address.
        raise explain_error(error, uri) from None


def explain_error(error: Exception, uri: str) -> GenotransferError:
    """Return the error of ours that says what `error` of the client library means for a file."""
    import google.auth.exceptions as auth

    bucket = split_uri(uri)[0]
    status = find_status(error)
    # The anonymous client was asked to renew credentials that it has not.
    if status == 401 or isinstance(error, auth.InvalidOperation):
        return InputError("the bucket wants credentials, and none were found", file=uri, remedy=LOGIN)
    if isinstance(error, auth.GoogleAuthError) and not isinstance(error, auth.TransportError):
        return InputError(
            "the credentials found do not work, or have expired", file=uri, remedy=f"Renew them. {LOGIN}"
        )
    if status == 403:
        return InputError(
            f"these credentials may not do this in bucket {bucket}, or the bucket's rules forbid it",
            file=uri,
            remedy="Ask for the role Storage Object Viewer to read, or Storage Object User to write",
        )
    if status == 404:
        return AbsentError("there is no such file", file=uri, remedy="Check the name and the case of letters")
    if status == 412:
        return ConflictError(uri, None)
    if status is not None and 400 <= status < 500 and status not in {408, 429}:
        return InputError(
            f"Cloud Storage refused the request with status {status}",
            file=uri,
            remedy="Check the names of bucket and file; if they are right, look at the bucket's settings",
        )
    last = find_cause(error)
    what = type(last).__name__ if status is None else f"status {status}"
    return UnreachableError(
        f"{uri}: Cloud Storage gave no usable answer before the deadline, at last: {what}. "
        "Check the network and the service's state, and run it again: what arrived whole is kept."
    )


def explain_bucket(uri: str) -> AbsentError:
    """Return the error for a bucket that is not there."""
    return AbsentError(
        f"there is no bucket {split_uri(uri)[0]}", file=uri, remedy="Check its name, or make it"
    )


def find_cause(error: BaseException) -> BaseException:
    """Return the last error of those that were retried until the deadline."""
    from google.api_core import exceptions as api

    cause = error.cause if isinstance(error, api.RetryError) else None
    return cause or error


def find_status(error: BaseException) -> int | None:
    """Return the HTTP status of an error of the client library; None where it never came to one."""
    from google.cloud.storage.exceptions import InvalidResponse

    cause = find_cause(error)
    if isinstance(cause, InvalidResponse):
        return int(cause.response.status_code)
    code = getattr(cause, "code", None)
    return int(code) if isinstance(code, int) else None


@contextmanager
def name_remote(local: str | Path, uri: str | Path) -> Iterator[None]:
    """Name the remote file in errors about its local copy."""
    try:
        yield
    except InputError as error:
        found, copy = str(error.file), str(local)
        if not is_remote(uri) or not found.startswith(copy):
            raise
        raise InputError(
            error.problem, remedy=error.remedy, file=f"{uri}{found[len(copy) :]}", row=error.row
        ) from error
