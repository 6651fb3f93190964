"""The images: what is in them, what is not, and how large they are."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components import images
from genotransfer import __version__
from genotransfer.release import name_release
from tests.secrets_support import find_secret

pytestmark = pytest.mark.containers
ROOT = Path(__file__).parents[2]
# Decimal megabytes, as Docker counts; on the base the images are built on.
LARGEST = {images.DATA: 900, images.TRAIN: 2200}
NAMES = [pytest.param(images.DATA, id="data"), pytest.param(images.TRAIN, id="train")]
LOCKS = {images.DATA: "data", images.TRAIN: "train-cpu"}


def run(client, image, *command, **how):
    said = client.containers.run(image, list(command), remove=True, stderr=True, **how)
    return said.decode()


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_of_a_healthy_size(docker_client, name):
    size = docker_client.images.get(name).attrs["Size"] / 1e6
    print(f"{name}: {size:.0f} MB")
    assert size < LARGEST[name]


@pytest.mark.parametrize("name", NAMES)
def test_labels_say_what_it_is(docker_client, name):
    labels = docker_client.images.get(name).labels
    version, _, revision = name_release().partition("-")
    assert labels["org.opencontainers.image.version"] == version == __version__
    assert labels["org.opencontainers.image.revision"] == revision
    assert name.endswith(f":{name_release()}")
    assert run(docker_client, name, "genotransfer", "--version").strip() == name_release()


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_root_and_the_home_can_be_written(docker_client, name):
    assert run(docker_client, name, "id", "-u").strip() == "1000"
    look = "touch ~/a /tmp/b /gcs/c /minio/d /s3/e && echo written; touch /opt/genotransfer/x /etc/x 2>&1 || true"
    said = run(docker_client, name, "sh", "-c", look)
    assert said.splitlines()[0] == "written"
    assert said.count("Permission denied") == 2
    # A cluster may choose any user, of group 0.
    said = run(docker_client, name, "sh", "-c", look, user="12345:0")
    assert said.splitlines()[0] == "written"


@pytest.mark.parametrize("name", NAMES)
def test_no_compiler_or_cache_is_left(docker_client, name):
    look = """
        for one in gcc cc g++ clang make uv hatchling git; do command -v $one; done
        find / -xdev \\( -name '*.whl' -o -name 'requirements*.lock' -o -path '*/pip/http*' -o -name '*.pyx' \\) \
            -not -path '/usr/share/python-wheels/*' -not -path '/proc/*'
        ls -A /root/.cache /home/genotransfer/.cache /build /tmp 2>/dev/null | grep -v ':$'
    """
    found = [
        line for line in run(docker_client, name, "sh", "-c", look + "true", user="0").splitlines() if line
    ]
    assert found == []


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_what_is_locked_and_nothing_else(docker_client, name):
    look = "from importlib.metadata import distributions as d; print([(x.name, x.version) for x in d()])"
    held = dict(ast.literal_eval(run(docker_client, name, "python3", "-I", "-c", look)))
    held = {key.lower().replace("_", "-"): value for key, value in held.items()}
    lines = (ROOT / f"docker/{LOCKS[name]}.lock").read_text().splitlines()
    due = dict(line.split()[0].split("==") for line in lines if "==" in line)
    system = set(held) - set(due) - {"genotransfer"}
    assert {key: held[key] for key in due} == due
    assert system == set(), "of the base, or not locked"


def test_tensorflow_is_in_one_of_them(docker_client):
    look = (
        "import importlib.util as u; print(*[n for n in ('tensorflow', 'keras', 'torch') if u.find_spec(n)])"
    )
    assert run(docker_client, images.DATA, "python3", "-c", look).split() == []
    assert run(docker_client, images.TRAIN, "python3", "-c", look).split() == ["tensorflow", "keras"]


def test_no_secret_comes_into_an_image(docker_client, tmp_path):
    """Secrets lie where people leave them; an image is built beside them, and every file of it searched."""
    secret, repository = "s3cret-0f1e2d3c4b5a", "secrets-are-planted"
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    for place in (
        ".env",
        "docker/.env",
        "credentials.json",
        "runs/log.txt",
        ".git/credentials",
        "genotransfer/.env",
        "genotransfer/token.txt",
        "pipelines/credentials.json",
    ):
        (clone / place).parent.mkdir(exist_ok=True)
        (clone / place).write_text(f"MLFLOW_TRACKING_PASSWORD={secret}\n")
    built = subprocess.run(
        ["tools/build_images.sh", sys.executable, "none"],
        cwd=clone,
        env=os.environ | {"MLFLOW_TRACKING_PASSWORD": secret, "GENOTRANSFER_IMAGES": repository},
        capture_output=True,
        text=True,
        check=False,
    )
    name = built.stdout.split()[0]
    assert name.startswith(f"{repository}/python-data:"), built.stderr
    try:
        (tmp_path / "saved").mkdir()
        with (tmp_path / "saved/image.tar").open("wb") as file:
            for chunk in docker_client.images.get(name).save():
                file.write(chunk)
        config = docker_client.images.get(name).attrs
    finally:
        docker_client.images.remove(name)
    assert secret not in json.dumps(config)
    found = find_secret(tmp_path / "saved", [secret])
    assert found == []
    # A file that is there is found: the search does go into the layers.
    assert (
        find_secret(tmp_path / "saved", ["carry genotype-phenotype knowledge from a large population"]) != []
    )
