"""One promotion of a model at a time, on any MLflow server.

MLflow has no lock. Registering a model of a given name is the one act of its registry that succeeds
for one of two who try at once, so that an empty registered model, there while a promotion goes on, is
the lock. One that was left by a process that died is taken over after a while.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genotransfer.errors import StudyError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

SUFFIX = ".promotion-lock"
WAIT_SECONDS = 120.0
STALE_SECONDS = 900.0
POLL_SECONDS = 0.5


@contextmanager
def lock_model(
    client: MlflowClient, name: str, wait: float = WAIT_SECONDS, stale: float = STALE_SECONDS
) -> Iterator[Callable[[], None]]:
    """Hold the lock of a registered model.

    Parameters
    ----------
    name : of the registered model.
    wait : seconds to wait for another holder.
    stale : seconds after which a holder is taken to be dead.

    Yields
    ------
    check() : raises StudyError where the lock has been taken over; to be called right before what must
        not be done twice.

    Raises
    ------
    StudyError
        Another holds the lock, and did not let go in time.
    """
    lock, owner = name + SUFFIX, f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
    _acquire(client, lock, owner, wait, stale)

    def check() -> None:
        held = _find(client, lock)
        if held is None or held.tags.get("owner") != owner:
            raise StudyError(
                f"The lock of {name!r} was taken over by another promotion, for this one took longer than "
                f"{stale:.0f} s. Nothing was promoted. Run the promotion again."
            )

    try:
        yield check
    finally:
        held = _find(client, lock)
        if held is not None and held.tags.get("owner") == owner:
            client.delete_registered_model(lock)


def _acquire(client: MlflowClient, lock: str, owner: str, wait: float, stale: float) -> None:
    from mlflow.exceptions import MlflowException

    until = time.monotonic() + wait
    while True:
        try:
            client.create_registered_model(
                lock,
                tags={"owner": owner, "since": str(time.time())},
                description="Held while a promotion goes on; not a model.",
            )
            return
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        held = _find(client, lock)
        if held is not None and time.time() - float(held.tags.get("since", "0")) > stale:
            _take_away(client, held)
            continue
        if time.monotonic() > until:
            holder = held.tags.get("owner", "another") if held is not None else "another"
            raise StudyError(
                f"Another promotion ({holder}) holds {lock!r} and did not end within {wait:.0f} s. Run the "
                f"promotion again later; where no other is running, delete the registered model {lock!r}."
            )
        time.sleep(POLL_SECONDS)


def _take_away(client: MlflowClient, held: RegisteredModel) -> None:
    """Delete the lock of a holder that is dead: renamed first, which only one of two can do."""
    from mlflow.exceptions import MlflowException

    aside = f"{held.name}.{held.tags.get('owner', '').rpartition(':')[2] or 'stale'}"
    now = _find(client, held.name)
    if now is None or now.tags.get("owner") != held.tags.get("owner"):
        return  # another has taken it away already
    try:
        client.rename_registered_model(held.name, aside)
        client.delete_registered_model(aside)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"):
            raise


def _find(client: MlflowClient, lock: str) -> RegisteredModel | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(lock)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
