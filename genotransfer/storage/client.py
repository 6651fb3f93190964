"""The client of Cloud Storage: one a process, with retries, back-off and a deadline."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

DEADLINE_S = 300.0  # of a request with all its retries; a large file is many requests
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0  # of one try
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0  # between tries, doubled each time, with jitter


def get_client() -> Any:
    """Return this process's client; STORAGE_EMULATOR_HOST leads it to a stand-in.

    Without credentials it is an anonymous one, which can read what is public.
    """
    return _make_client(os.getpid(), os.environ.get("STORAGE_EMULATOR_HOST"))


@lru_cache(maxsize=2)  # by process: connections do not survive a fork
def _make_client(process: int, emulator: str | None) -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    if emulator:
        return storage.Client(project=None)
    try:
        credentials, _ = google.auth.default(scopes=storage.Client.SCOPE)
    except DefaultCredentialsError:
        return storage.Client.create_anonymous_client()
    return storage.Client(project=None, credentials=credentials)


def make_options() -> dict[str, Any]:
    """Return the timeout and the retries of a call.

    Every call that takes these is safe to repeat: reads, and writes with a generation to match.
    """
    from google.cloud.storage.retry import DEFAULT_RETRY

    retry = DEFAULT_RETRY.with_delay(initial=FIRST_WAIT_S, maximum=LONGEST_WAIT_S, multiplier=2.0)
    return {"timeout": (CONNECT_TIMEOUT_S, READ_TIMEOUT_S), "retry": retry.with_timeout(DEADLINE_S)}
