"""Fixtures of the tests of storage: a stand-in a session, a bucket and a wire a test."""

import gc
import uuid

import pytest

from genotransfer.storage import client
from genotransfer.storage.client import get_client
from tests.storage_support import Stand, Wire, serve


@pytest.fixture(scope="session")
def emulator_port(tmp_path_factory):
    with serve("emulator", tmp_path_factory.mktemp("emulator") / "log.txt") as port:
        yield port


@pytest.fixture(scope="session")
def testbench_port(tmp_path_factory):
    with serve("testbench", tmp_path_factory.mktemp("testbench") / "log.txt") as port:
        yield port


def make_stand(name, port, tmp_path, monkeypatch):
    wire = Wire(port)
    wire.open()
    stand = Stand(name, wire, f"bucket-{uuid.uuid4().hex[:12]}", tmp_path / "cache")
    for variable, value in stand.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(client, "DEADLINE_S", 20.0)
    get_client().create_bucket(stand.bucket, project="tests")
    yield stand
    get_client().close()
    client._make_client.cache_clear()
    wire.close()
    gc.collect()


@pytest.fixture(params=["emulator", "testbench"])
def stand(request, tmp_path, monkeypatch):
    """Either stand-in."""
    port = request.getfixturevalue(f"{request.param}_port")
    yield from make_stand(request.param, port, tmp_path, monkeypatch)


@pytest.fixture
def emulator(emulator_port, tmp_path, monkeypatch):
    """The stand-in that is installed with the tests."""
    yield from make_stand("emulator", emulator_port, tmp_path, monkeypatch)


@pytest.fixture
def testbench(testbench_port, tmp_path, monkeypatch):
    """The testbench: preconditions, and faults on request."""
    yield from make_stand("testbench", testbench_port, tmp_path, monkeypatch)
