"""The services of docker/: files that name each other agree, and what must not be kept is not."""

import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def read_default(setting):
    """Return what ${NAME:-default} stands for."""
    return re.fullmatch(r"\$\{\w+:-(.+)\}", setting)[1]


def read_lock(path):
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", (ROOT / path).read_text(), re.MULTILINE))


def run_services(folder, *programs, **environment):
    """Run services.sh in a copy of its files, where no programs are but these and those it cannot do without."""
    for name in ("bash", "dirname", "sed", "od", "tr", "mv", "tail"):
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).symlink_to(shutil.which(name))
    for name, text in dict(programs).items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    for name in ("tools/services.sh", "docker/.env.example"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return subprocess.run(
        [folder / "tools/services.sh", "up"],
        env={"PATH": str(folder / "bin")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_compose_it_says_what_to_install(tmp_path):
    done = run_services(tmp_path, ("docker", "exit 1"))
    assert done.returncode == 2
    assert "apt-get install docker-compose" in done.stderr
    assert not (tmp_path / "docker/.env").exists()


def test_settings_are_made_once_and_for_the_owner_alone(tmp_path):
    """Docker answers to nothing but questions here: what is written before it is asked to start is looked at."""
    docker = ("docker", '[ "$1 $2" = "compose version" ]')
    first = run_services(tmp_path, docker)
    settings = tmp_path / "docker/.env"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    written = settings.read_text()
    [password] = re.findall(r"^POSTGRES_PASSWORD=([0-9a-f]{48})$", written, re.MULTILINE)
    assert password not in first.stdout + first.stderr
    example = (ROOT / "docker/.env.example").read_text()
    assert written == example.replace("POSTGRES_PASSWORD=\n", f"POSTGRES_PASSWORD={password}\n")
    shutil.rmtree(tmp_path / "bin")
    run_services(tmp_path, docker)
    assert settings.read_text() == written
    assert [path.name for path in (tmp_path / "docker").iterdir() if path.name.endswith(".part")] == []


def test_git_keeps_no_settings():
    order = ["git", "check-ignore", "docker/.env", "docker/.env.part"]
    done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 128:
        pytest.skip("this is no git checkout")
    assert done.stdout.split() == ["docker/.env", "docker/.env.part"]


def test_every_variable_is_explained_and_none_has_a_password():
    text = (ROOT / "docker/.env.example").read_text()
    explained = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker/compose.yaml").read_text()))
    assert explained == used | {"COMPOSE_PROJECT_NAME"}
    assert re.search(r"^POSTGRES_PASSWORD=$", text, re.MULTILINE)


def test_images_are_named_the_same_everywhere():
    mlflow = COMPOSE["services"]["mlflow"]
    assert read_default(mlflow["image"]) == f"genotransfer/mlflow:{VERSION}"
    assert mlflow["build"]["args"]["VERSION"] == VERSION
    [base] = re.findall(
        r"^ARG BASE_IMAGE=(.+)$", (ROOT / "docker/mlflow.Dockerfile").read_text(), re.MULTILINE
    )
    assert read_default(mlflow["build"]["args"]["BASE_IMAGE"]) == base
    example = dict(
        re.findall(r"^#([A-Z_]+_IMAGE)=(.+)$", (ROOT / "docker/.env.example").read_text(), re.MULTILINE)
    )
    services = COMPOSE["services"]
    assert example == {
        "POSTGRES_IMAGE": read_default(services["postgres"]["image"]),
        "STORAGE_IMAGE": read_default(services["storage"]["image"]),
        "MLFLOW_IMAGE": f"genotransfer/mlflow:{VERSION}",
        "BASE_IMAGE": base,
    }
    script = (ROOT / "tools/services.sh").read_text()
    assert f"MLFLOW_IMAGE genotransfer/mlflow:{VERSION})" in script
    assert f"BASE_IMAGE {base})" in script


def test_the_server_has_the_clients_version_of_mlflow():
    server, client = read_lock("docker/mlflow.lock"), read_lock("requirements.lock")
    assert {"mlflow", "psycopg2-binary", "google-cloud-storage"} < set(server)
    assert {name: version for name, version in server.items() if client.get(name, version) != version} == {}
    lock = (ROOT / "docker/mlflow.lock").read_text()
    assert lock.count("==") == len(server)
    assert "://" not in lock
    for requirement in re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in requirement, requirement


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_no_service_may_more_than_it_must(name):
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert ("ports" in service) == (name == "mlflow")
    assert all(not volume.startswith(("/", ".")) for volume in service.get("volumes", []))
    assert os.fspath(ROOT) not in str(service)
