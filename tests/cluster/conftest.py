"""A stand-in for Kubeflow's server, and a way to it, for each test."""

import sys
from pathlib import Path

import pytest

from pipelines import following
from pipelines.cli import main
from pipelines.compilation import compile_pipeline
from pipelines.connection import connect
from tests.cluster.stand_in import StandIn, serve

VARIABLES = (
    "KFP_ENDPOINT",
    "KF_PIPELINES_ENDPOINT",
    "KF_PIPELINES_UI_ENDPOINT",
    "KFP_TOKEN",
    "KFP_NAMESPACE",
    "KFP_CA_CERT",
)


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No Kubeflow of the caller's is known, nor waited for."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kfp.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "none.json"))
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)


COMPILED = {}


def compile_once(study, out, kind="study"):
    """Compile a study as `compile_pipeline` does, but each only once in this process: it takes a second."""
    key = study.to_json(), kind
    if key not in COMPILED:
        version = compile_pipeline(study, out, kind)
        COMPILED[key] = version, Path(out).read_bytes()
    version, content = COMPILED[key]
    Path(out).write_bytes(content)
    return version


@pytest.fixture
def kubeflow(alone, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.compile_pipeline", compile_once)
    stand_in = StandIn()
    server = serve(stand_in)
    stand_in.endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("KFP_ENDPOINT", stand_in.endpoint)
    yield stand_in
    server.shutdown()
    server.server_close()


@pytest.fixture
def connection(kubeflow):
    return connect()


@pytest.fixture
def call(monkeypatch, capsys, alone):
    """Call the command line in this process; return its status, standard output and error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["genotransfer", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    return run
