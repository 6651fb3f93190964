"""A stand-in for the server of Kubeflow Pipelines, in this process, for the tests of what talks to it.

The client is the real kfp.Client over real HTTP. The stand-in keeps pipelines, versions, experiments, runs
and recurring runs in memory under the paths of v2beta1. It reads every body with kfp_server_api's own
models, refuses keys and values they do not know, refuses pipelines that are no pipeline spec, and
answers with the same models.

What it does not prove: that a server of Kubeflow compiles the pipeline to a workflow, that pods start,
that a cron expression fires, that rights are checked, that names and states are those a cluster has. A run
here does nothing: a test sets its state, with the tasks as Argo's nodes would be. For the rest there is
`test_real_endpoint`, which wants a real endpoint.
"""

from __future__ import annotations

import email
import json
import re
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

API = kfp_server_api.ApiClient()
Answer = tuple[int, dict[str, Any] | str]


class Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_model(text: bytes, name: str) -> Any:
    """Return a request's body as one of kfp_server_api's models; refuse what the model does not know."""
    data = json.loads(text)
    model = getattr(kfp_server_api, name)
    unknown = set(data) - set(model.attribute_map.values())
    if unknown:
        raise Refused(400, f"unknown fields {sorted(unknown)} of {name}")
    try:
        return API.deserialize(SimpleNamespace(data=text), name)
    except ValueError as error:
        raise Refused(400, str(error)) from error


def read_pipeline(text: bytes) -> dict[str, Any]:
    """Return an uploaded pipeline, parsed as the server does: spec, and the platform's configuration."""
    spec, *platform = yaml.safe_load_all(text)
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    for one in platform:
        json_format.ParseDict(one, pipeline_spec_pb2.PlatformSpec())
    return {"pipeline_spec": spec, "platform_spec": platform[0] if platform else {}}


class StandIn:
    """The server's memory, and the faults a test wants."""

    def __init__(self) -> None:
        self.pipelines: dict[str, Any] = {}
        self.versions: dict[str, Any] = {}
        self.experiments: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.logs: dict[tuple[str, str], str] = {}
        self.uploads: list[bytes] = []
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str | None] = []
        self.multi_user = False
        self.hidden: set[str] = set()  # names of pipelines of other users
        self._faults: list[list[Any]] = []
        self.on_get_run: Callable[[Any], None] = lambda run: None

    def fail(
        self, method: str, path: str, status: int, *, times: int = 1, message: str = "", after: bool = False
    ):
        """Answer the next requests of a method to paths that match with an error.

        With `after`, the request is carried out all the same: the answer is lost.
        """
        self._faults.append([method, re.compile(path), status, times, message, after])

    def answer(self, method: str, url: str, headers: Any, body: bytes) -> Answer:
        parts = urlsplit(url)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.requests.append((method, parts.path))
        self.tokens.append(headers.get("authorization"))
        for fault in self._faults:
            if fault[0] == method and fault[1].search(parts.path) and fault[3] > 0:
                fault[3] -= 1
                if fault[5]:
                    self._carry_out(method, parts.path, query, headers, body)
                return fault[2], {
                    "error": fault[4] or "injected",
                    "code": 13,
                    "message": fault[4] or "injected",
                }
        try:
            return self._carry_out(method, parts.path, query, headers, body)
        except Refused as error:
            return error.status, {"error": str(error), "code": 3, "message": str(error)}
        except Exception as error:  # a mistake of the stand-in's own, to be seen in what the client says
            return 500, {
                "error": f"the stand-in: {error!r}",
                "code": 13,
                "message": f"the stand-in: {error!r}",
            }

    def _carry_out(self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes) -> Answer:
        if log := re.fullmatch(r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", path):
            if log.groups() not in self.logs:
                raise Refused(500, "pods not found")
            return 200, self.logs[log.groups()]
        for route, handle in (
            (r"GET /apis/v2beta1/healthz", self._healthz),
            (r"POST /apis/v2beta1/pipelines/upload_version", self._upload_version),
            (r"(GET|POST) /apis/v2beta1/pipelines", self._pipelines),
            (r"GET /apis/v2beta1/pipelines/(?P<id>[^/:]+)/versions", self._list_versions),
            (r"(GET|POST) /apis/v2beta1/experiments", self._experiments),
            (r"(GET|POST) /apis/v2beta1/runs", self._runs),
            (r"DELETE /apis/v2beta1/(?P<kind>pipelines|experiments|runs)/(?P<id>[^/:]+)", self._delete),
            (r"DELETE /apis/v2beta1/pipelines/[^/]+/(?P<kind>versions)/(?P<id>[^/:]+)", self._delete),
            (r"(GET|POST) /apis/v2beta1/runs/(?P<id>[^/:]+)(?P<verb>:terminate)?", self._run),
            (r"(GET|POST) /apis/v2beta1/recurringruns", self._schedules),
            (
                r"(GET|POST|DELETE) /apis/v2beta1/recurringruns/(?P<id>[^/:]+)(:(?P<verb>\w+))?",
                self._schedule,
            ),
        ):
            if found := re.fullmatch(route, f"{method} {path}"):
                made = handle(method=method, query=query, headers=headers, body=body, **found.groupdict())
                return 200, API.sanitize_for_serialization(made) or {}
        raise Refused(404, f"no such path: {method} {path}")

    def _healthz(self, **_: Any) -> Any:
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=self.multi_user, pipeline_store="database")

    def _pipelines(self, method: str, query: dict[str, str], body: bytes, **_: Any) -> Any:
        if method == "GET":
            seen = [one for one in self.pipelines.values() if one.display_name not in self.hidden]
            rows, token = take_page(seen, query)
            return kfp_server_api.V2beta1ListPipelinesResponse(pipelines=rows, next_page_token=token)
        made = read_model(body, "V2beta1Pipeline")
        if any(one.display_name == made.display_name for one in self.pipelines.values()):
            raise Refused(409, f"Already exist error: the name {made.display_name} already exists")
        made.pipeline_id = new_id()
        self.pipelines[made.pipeline_id] = made
        return made

    def _upload_version(self, query: dict[str, str], headers: Any, body: bytes, **_: Any) -> Any:
        message = email.message_from_bytes(
            b"Content-Type: " + headers["content-type"].encode() + b"\n\n" + body
        )
        [part] = message.get_payload()
        content = part.get_payload(decode=True)
        if query["pipelineid"] not in self.pipelines:
            raise Refused(404, "no such pipeline")
        if any(
            one.display_name == query["name"] and one.pipeline_id == query["pipelineid"]
            for one in self.versions.values()
        ):
            raise Refused(409, f"Already exist error: the name {query['name']} already exists")
        try:
            spec = read_pipeline(content)
        except (yaml.YAMLError, json_format.ParseError) as error:
            raise Refused(400, f"no pipeline spec: {error}") from error
        made = kfp_server_api.V2beta1PipelineVersion(
            pipeline_id=query["pipelineid"],
            pipeline_version_id=new_id(),
            display_name=query["name"],
            name=query["name"],
            pipeline_spec=spec,
        )
        self.uploads.append(content)
        self.versions[made.pipeline_version_id] = made
        return made

    def _list_versions(self, query: dict[str, str], id: str, **_: Any) -> Any:
        rows, token = take_page([one for one in self.versions.values() if one.pipeline_id == id], query)
        return kfp_server_api.V2beta1ListPipelineVersionsResponse(
            pipeline_versions=rows, next_page_token=token
        )

    def _experiments(self, method: str, query: dict[str, str], body: bytes, **_: Any) -> Any:
        if method == "GET":
            rows, token = take_page(list(self.experiments.values()), query)
            return kfp_server_api.V2beta1ListExperimentsResponse(experiments=rows, next_page_token=token)
        made = read_model(body, "V2beta1Experiment")
        if self.multi_user and not made.namespace:
            raise Refused(400, "a namespace is needed")
        made.experiment_id = new_id()
        self.experiments[made.experiment_id] = made
        return made

    def _runs(self, method: str, query: dict[str, str], body: bytes, **_: Any) -> Any:
        if method == "GET":
            rows, token = take_page(list(self.runs.values())[::-1], query)
            return kfp_server_api.V2beta1ListRunsResponse(runs=rows, next_page_token=token)
        made = read_model(body, "V2beta1Run")
        self._check_reference(made)
        made.run_id, made.state, made.created_at = new_id(), "PENDING", datetime.now(UTC)
        self.runs[made.run_id] = made
        return made

    def _run(self, method: str, id: str, verb: str | None, **_: Any) -> Any:
        if id not in self.runs:
            raise Refused(404, f"Run {id} not found")
        run = self.runs[id]
        if verb:
            run.state = "CANCELED"
            return None
        self.on_get_run(run)
        return run

    def _delete(self, kind: str, id: str, **_: Any) -> Any:
        kept = getattr(self, kind)
        if id not in kept:
            raise Refused(404, f"no such {kind}")
        if kind == "pipelines" and any(one.pipeline_id == id for one in self.versions.values()):
            raise Refused(400, "the pipeline has versions")
        del kept[id]

    def _schedules(self, method: str, query: dict[str, str], body: bytes, **_: Any) -> Any:
        if method == "GET":
            rows, token = take_page(list(self.schedules.values()), query)
            return kfp_server_api.V2beta1ListRecurringRunsResponse(recurring_runs=rows, next_page_token=token)
        made = read_model(body, "V2beta1RecurringRun")
        self._check_reference(made)
        if not 1 <= int(made.max_concurrency) <= 10:
            raise Refused(400, "max concurrency is from 1 to 10")
        if len(made.trigger.cron_schedule.cron.split()) != 6:
            raise Refused(400, "cron has six fields")
        made.recurring_run_id = new_id()
        made.status = "ENABLED" if made.mode == "ENABLE" else "DISABLED"
        self.schedules[made.recurring_run_id] = made
        return made

    def _schedule(self, method: str, id: str, verb: str | None, **_: Any) -> Any:
        if id not in self.schedules:
            raise Refused(404, f"Recurring run {id} not found")
        if method == "DELETE":
            del self.schedules[id]
        elif method == "GET":
            return self.schedules[id]
        elif verb in ("enable", "disable"):
            self.schedules[id].status = f"{verb.upper()}D"
        else:
            raise Refused(404, f"no such verb {verb}")
        return None

    def _check_reference(self, made: Any) -> None:
        version = self.versions.get(made.pipeline_version_reference.pipeline_version_id)
        if version is None or version.pipeline_id != made.pipeline_version_reference.pipeline_id:
            raise Refused(404, "no such version of the pipeline")
        if made.experiment_id not in self.experiments:
            raise Refused(404, "no such experiment")


def take_page(rows: list[Any], query: dict[str, str]) -> tuple[list[Any], str]:
    """Return the rows that pass the filter, a page of them, and the token of the next page."""
    if "experiment_id" in query:
        rows = [row for row in rows if row.experiment_id == query["experiment_id"]]
    for one in json.loads(query["filter"])["predicates"] if query.get("filter") else []:
        assert one["operation"] in ("EQUALS", 1)  # protobuf's name of the value, or its number
        rows = [row for row in rows if getattr(row, one["key"]) == one["stringValue"]]
    start, size = int(query.get("page_token") or 0), int(query.get("page_size") or 20)
    following = start + size
    return rows[start:following], str(following) if following < len(rows) else ""


def new_id() -> str:
    return str(uuid.uuid4())


def serve(stand_in: StandIn) -> ThreadingHTTPServer:
    """Serve the stand-in at a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, told = stand_in.answer(self.command, self.path, self.headers, body)
            data = (told if isinstance(told, str) else json.dumps(told)).encode()
            self.send_response(status)
            self.send_header("content-type", "text/plain" if isinstance(told, str) else "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _reply

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
