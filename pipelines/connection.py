"""The way to Kubeflow Pipelines on a cluster, and its errors in words."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from genotransfer.cluster_settings import holds_secret
from genotransfer.errors import GenotransferError

ENDPOINTS = ("KFP_ENDPOINT", "KF_PIPELINES_ENDPOINT")
TOKEN = "KFP_TOKEN"  # noqa: S105 - the name of a variable
SECONDS = (10.0, 60.0)  # to connect, and to be answered


class ClusterError(GenotransferError):
    """Kubeflow cannot be reached, refuses, or knows no such thing.

    Attributes
    ----------
    status : of HTTP; 0 where there was no answer.
    users : whether the error is one the user can mend.
    """

    def __init__(self, message: str, *, status: int = 0, users: bool = True) -> None:
        super().__init__(message)
        self.status, self.users = status, users

    @property
    def passing(self) -> bool:
        """Whether the same request may well succeed a little later."""
        return self.status == 429 or self.status >= 500 or self.status == 0


@dataclass(frozen=True)
class Connection:
    """A way to Kubeflow Pipelines.

    Attributes
    ----------
    client : a kfp.Client.
    endpoint : its address.
    namespace : of the user's runs; empty where Kubeflow has one user.
    """

    client: Any = field(repr=False)
    endpoint: str
    namespace: str

    def link(self, place: str) -> str:
        """Return the address of a place of Kubeflow's page, e.g. ``runs/details/<id>``."""
        page = os.environ.get("KF_PIPELINES_UI_ENDPOINT", "") or self.endpoint
        return f"{page.rstrip('/')}/#/{place}"


def connect(endpoint: str = "", namespace: str = "") -> Connection:
    """Return a way to Kubeflow Pipelines, having asked it whether it is well.

    Parameters
    ----------
    endpoint : its address; KFP_ENDPOINT when empty. The token of KFP_TOKEN is sent along where it is set.
    namespace : of the runs, where Kubeflow has several users.

    Raises
    ------
    ClusterError
        No address is given, nobody answers there, or the user is not let in.
    """
    given = endpoint or next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    if not given:
        raise ClusterError("No Kubeflow is named. Set cluster.endpoint in the study, or KFP_ENDPOINT.")
    if holds_secret(given):
        raise ClusterError(
            "The endpoint holds a user or password. Leave it out and set KFP_TOKEN to a token."
        )
    address = (given if given.startswith("http") else f"https://{given}").rstrip("/")
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # each retry would be a line
    with explain_errors(address), silence():
        client = _make_client(address, namespace)
        healthy = client.get_kfp_healthz()
        try:
            json.loads(client._healthz_api.api_client.last_response.data)
        except ValueError as error:
            raise ClusterError(
                f"{address} answers, but is no Kubeflow Pipelines: a page to log in, perhaps. Check the address, and "
                f"set {TOKEN}.",
                status=401,
            ) from error
    if healthy.multi_user and not namespace:
        raise ClusterError(
            f"Kubeflow at {address} has several users. Set cluster.namespace in the study, or --namespace, to yours."
        )
    return Connection(client, address, namespace)


@contextlib.contextmanager
def explain_errors(endpoint: str) -> Iterator[None]:
    """Turn what kfp.Client raises into errors that say what to do, without any secret.

    Raises
    ------
    ClusterError
        In place of the client's error.
    """
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        status = int(error.status or 0)
        raise ClusterError(_explain_status(endpoint, status, _read_reason(error)), status=status) from error
    except HTTPError as error:
        reason = getattr(error, "reason", None) or error
        said = re.sub(r"^.*?: ", "", str(reason)) or type(reason).__name__
        if "timed out" in said:
            said = "it does not answer in time"
        if "certificate" in said.lower():
            said += "; set KFP_CA_CERT to the file of its authority's certificate, where that is your own"
        raise ClusterError(
            f"Kubeflow at {endpoint} cannot be reached: {hide_secrets(said)}. Check the address, and that the way to "
            "it is open (kubectl port-forward, VPN)."
        ) from error


def _explain_status(endpoint: str, status: int, reason: str) -> str:
    at = f"Kubeflow at {endpoint}"
    if status == 401:
        known = (
            "does not accept the token of KFP_TOKEN" if os.environ.get(TOKEN) else "wants to know who you are"
        )
        return f"{at} {known} (401): {reason}. Set {TOKEN} to a token that is valid."
    if status == 403:
        return f"{at} does not allow this (403): {reason}. Ask its administrator for the right, or name your namespace."
    if status == 404:
        return f"{at} knows no such thing (404): {reason}. Check the name or id."
    if status == 409:
        return f"{at} has something of that name already (409): {reason}. Choose another name."
    if status >= 500:
        return f"{at} failed (HTTP {status}): {reason}. Try again later, or ask its administrator."
    return f"{at} refused (HTTP {status}): {reason}. Mend what it names and try again."


def _read_reason(error: Any) -> str:
    """Return the server's words; the headers, which str(error) has too, may hold secrets."""
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body or ""
    try:
        told = json.loads(body)
        said = str(told.get("message") or told.get("error") or told)
    except (ValueError, AttributeError):
        said = "" if "<html" in body.lower() else body
    line = (said or str(error.reason or "no reason given")).strip().splitlines()[0]
    return hide_secrets(line[:500]).rstrip(".")


def hide_secrets(text: str) -> str:
    """Return text without the token of KFP_TOKEN and without users and passwords in addresses."""
    token = os.environ.get(TOKEN, "")
    return re.sub(r"//[^/@\s]*@", "//", text.replace(token, "***") if token else text)


def _make_client(address: str, namespace: str) -> Any:
    import kfp

    class Client(kfp.Client):
        """kfp.Client that asks once whether the server is well, and waits for no answer for ever."""

        def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
            # The first request of all, made by kfp.Client itself where no namespace is named.
            _limit_time(self._healthz_api.api_client.rest_client.pool_manager)
            return self._healthz_api.healthz_service_get_healthz()

    return Client(
        host=address,
        namespace=namespace or "kubeflow",
        existing_token=os.environ.get(TOKEN) or None,
        ssl_ca_cert=os.environ.get("KFP_CA_CERT") or None,
    )


def _limit_time(pool: Any) -> None:
    """Let requests of a urllib3 pool fail in time; kfp's own give no limit, which is none."""
    import urllib3

    if hasattr(pool.request, "__wrapped__"):
        return
    request, limit = pool.request, urllib3.Timeout(connect=SECONDS[0], read=SECONDS[1])

    @functools.wraps(request)
    def request_in_time(*arguments: Any, **named: Any) -> Any:
        return request(*arguments, **(named | {"timeout": named.get("timeout") or limit}))

    pool.request = request_in_time


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep kfp from printing links and warnings of its own."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
