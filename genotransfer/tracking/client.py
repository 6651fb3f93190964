"""MLflow's client: where it is, and its refusals as errors of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from genotransfer.config import Study
from genotransfer.errors import StudyError

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI_VARIABLE = "MLFLOW_TRACKING_URI"
QUIET_VARIABLE = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"


def find_uri(study: Study) -> str:
    """Return the address of the MLflow store: the study's, or that of the environment.

    Raises
    ------
    StudyError
        Neither names one.
    """
    return find_store(study.tracking.uri)


def find_store(uri: str = "") -> str:
    """Return an address, or the environment's where it is empty.

    Raises
    ------
    StudyError
        Neither names one.
    """
    found = uri or os.environ.get(URI_VARIABLE, "")
    if not found:
        raise StudyError("No MLflow store is named. Set tracking.uri or MLFLOW_TRACKING_URI.")
    return found


def hide_password(uri: str) -> str:
    """Return an address without the user and password it may hold."""
    return re.sub(r"//[^/]*@", "//", uri)


@contextmanager
def connect(uri: str) -> Iterator[MlflowClient]:
    """Yield a client; what MLflow refuses is raised as an error that names the place.

    Raises
    ------
    StudyError
        The store cannot be reached, or refused what was asked of it.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    if hide_password(uri) != uri:
        # MLflow prints the address of each run that ends, with the password, and tasks' prints are kept.
        os.environ[QUIET_VARIABLE] = "true"
    try:
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    except MlflowException as error:
        place = hide_password(uri)
        reason = str(error).replace(uri, place)
        raise StudyError(
            f"MLflow at {place} {_describe_refusal(reason)}. The results stay in the run's folder; check the server "
            "and run again."
        ) from (error if place == uri else None)  # MLflow's own message holds the password


def _describe_refusal(reason: str) -> str:
    """Say in few words that nobody answers, or else what the server said."""
    if "Max retries exceeded" in reason:
        cause = re.search(r"\[Errno -?\d+\] [\w ]+|timed out|[Nn]ame or service not known", reason)
        return f"does not answer: {cause[0] if cause else reason}"
    return f"refused: {reason}"
