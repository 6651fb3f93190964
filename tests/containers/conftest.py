"""What the tests of containers share: Docker, the images, and the tiny study run in both ways."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from genotransfer.events import read_events
from pipelines.containers import check_images, connect_docker
from tests.integration.servers import serve_mlflow
from tests.integration.support import TINY, Run, run_cli

TASK_USER = 1000


@pytest.fixture(scope="session")
def docker_client():
    """Docker's engine; the images must be there, for nothing here is worth anything without them."""
    client = connect_docker()
    check_images(client)
    yield client
    client.close()


@dataclass(frozen=True)
class Both:
    """The tiny study in processes and in containers, logged to the same MLflow server."""

    processes: Run
    containers: Run
    uri: str
    store: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """An MLflow server: its address and the folder of its artifacts."""
    folder = tmp_path_factory.mktemp("mlflow")
    with serve_mlflow(folder) as uri:
        yield uri, folder


@pytest.fixture(scope="session")
def both(docker_client, server, tmp_path_factory) -> Both:
    uri, store = server
    made = []
    for how in ([], ["--containers"]):
        folder = make_place(tmp_path_factory.mktemp("study"))
        done = run_cli("run", "study.yaml", *how, cwd=folder, MLFLOW_TRACKING_URI=uri)
        assert done.returncode == 0, done.stderr
        made.append(Run((folder / "runs/latest").resolve()))
    return Both(*made, uri, store)


def make_place(folder: Path, study: str = TINY) -> Path:
    """Write a study into a folder, and a folder of runs that belongs to the user tasks are to be."""
    (folder / "study.yaml").write_text(study)
    (folder / "runs").mkdir()
    if os.geteuid() == 0:
        for one in (folder, *folder.parents):  # pytest's folders let nobody else in
            if one.stat().st_uid == 0 and one != Path("/"):
                one.chmod(one.stat().st_mode | 0o055)
        os.chown(folder / "runs", TASK_USER, TASK_USER)
    return folder


def read_all_events(folder: Path) -> list[dict]:
    """Return the events of the one run below a folder of runs."""
    return [one for path in folder.glob("runs/tiny-*/events.jsonl") for one in read_events(path)[0]]
