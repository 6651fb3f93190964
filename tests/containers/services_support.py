"""The services of docker/compose.yaml as the tests run them: a project, port and volumes of their own."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_INS = {"POSTGRES_IMAGE": "genotransfer-test/postgres", "STORAGE_IMAGE": "genotransfer-test/storage"}
DEBIAN = "genotransfer-base:bookworm"
# In the container of MLflow's server, whose only client of the bucket it is.
LIST_OBJECTS = """
import hashlib, json
from google.cloud import storage
blobs = storage.Client().list_blobs("mlflow")
print(json.dumps({one.name: hashlib.sha256(one.download_as_bytes()).hexdigest() for one in blobs}))
"""


@dataclass(frozen=True)
class Services:
    """The services: how tools/services.sh finds them, and where MLflow answers."""

    environment: dict[str, str]

    @property
    def uri(self) -> str:
        """The address of MLflow."""
        return f"http://127.0.0.1:{self.environment['MLFLOW_PORT']}"

    @property
    def settings(self) -> Path:
        """The file of settings, with the password."""
        return Path(self.environment["SERVICES_ENV"])

    @property
    def password(self) -> str:
        """The password of the database."""
        lines = self.settings.read_text().splitlines()
        [found] = [line.partition("=")[2] for line in lines if line.startswith("POSTGRES_PASSWORD=")]
        return found

    def run(self, *arguments: str) -> str:
        """Run tools/services.sh, and return what it said on standard output."""
        return run_checked("tools/services.sh", *arguments, environment=self.environment)

    def execute(self, service: str, *command: str) -> str:
        """Run a command in a service's container."""
        return self.run("compose", "exec", "-T", service, *command)

    def list_objects(self) -> dict[str, str]:
        """Return the SHA-256 of every object in MLflow's bucket, by name."""
        return json.loads(self.execute("mlflow", "python", "-c", LIST_OBJECTS))

    def inspect(self) -> dict[str, dict]:
        """Return what Docker knows of each container, by service."""
        ids = self.run("compose", "ps", "-q").split()
        found = json.loads(run_docker("inspect", *ids))
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}


def name_docker() -> str:
    """Return the client of Docker: DOCKER, or what the PATH has."""
    return os.environ.get("DOCKER", "docker")


def run_docker(*arguments: str) -> str:
    """Run Docker's client."""
    return run_checked(name_docker(), *arguments)


def run_checked(*command: str, environment: dict[str, str] | None = None) -> str:
    """Run a command in the repository; fail with all it said where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def has_image(name: str) -> bool:
    """Return whether an image is on this machine, or can be pulled."""
    for order in (["image", "inspect"], ["pull", "--quiet"]):
        done = subprocess.run([name_docker(), *order, name], capture_output=True, timeout=600, check=False)
        if done.returncode == 0:
            return True
    return False


def choose_images() -> dict[str, str]:
    """Return the variables that name stand-ins, made first, of those images that cannot be pulled."""
    published = {
        "BASE_IMAGE": "python:3.11-slim",
        "POSTGRES_IMAGE": "postgres:16",
        "STORAGE_IMAGE": "fsouza/fake-gcs-server:1.56.1",
    }
    absent = [key for key, name in published.items() if key not in os.environ and not has_image(name)]
    if not absent:
        return {}
    run_checked("tests/containers/make_stand_ins.sh", DEBIAN)
    return {key: value for key, value in {**STAND_INS, "BASE_IMAGE": DEBIAN}.items() if key in absent}
