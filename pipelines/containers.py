"""Tasks in containers on this machine: KFP's runner for Docker, made safe.

Every task of a run goes into a container of its image: as the user who owns the folder of runs, with
no capabilities, a root file system that cannot be written to, and nothing of this machine but the
folder of runs and the files the study names. KFP's own way of running one takes some containers that
failed for ones that succeeded; `run_container` takes its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from glob import escape as glob_escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components import images
from genotransfer.config import GenotypeFiles, Study
from genotransfer.errors import StudyError
from genotransfer.events import CONTAINER_VARIABLE, EVENTS_VARIABLE, fail_task
from genotransfer.release import RELEASE_VARIABLE, name_release
from genotransfer.storage import is_remote

if TYPE_CHECKING:
    import docker
    from kfp import local

RUN_LABEL = "org.genotransfer.run"
HOME = "/home/genotransfer"
PASSED = re.compile(
    r"(MLFLOW_|GENOTRANSFER_|GOOGLE_CLOUD_)\w+|STORAGE_EMULATOR_HOST|(?i:https?|no|all)_(?i:proxy)"
)
CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
CACHE_VARIABLE = "GENOTRANSFER_CACHE"
LONGEST_PATH = 4000
KILLED = {137: "killed", 139: "stopped by a fault of memory (SIGSEGV)", 143: "asked to end (SIGTERM)"}


def connect_docker() -> docker.DockerClient:
    """Return a client of Docker's engine.

    Raises
    ------
    StudyError
        None answers.
    """
    import docker

    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        raise StudyError(
            f"Docker's engine does not answer: {error}. Start it (DOCKER_HOST says where it is), or run without "
            "--containers."
        ) from None


def check_images(client: docker.DockerClient) -> None:
    """Check that the images of this release are on this machine.

    Raises
    ------
    StudyError
        One is absent.
    """
    import docker

    for name in (images.DATA, images.TRAIN):
        try:
            client.images.get(name)
        except docker.errors.ImageNotFound:
            raise StudyError(
                f"The image {name} is not on this machine. Make it with `make images`, or name the repository "
                "that holds it (GENOTRANSFER_IMAGES) and pull it."
            ) from None


def make_runner(
    client: docker.DockerClient, study: Study, folder: Path, environment: Mapping[str, str]
) -> local.DockerRunner:
    """Return the runner of a run's tasks.

    Parameters
    ----------
    client : Docker's.
    study : names the files of this machine that tasks may read, and the folder of new cohorts, where
        they also write down what was done with them.
    folder : of the run; the folder it is in is one that tasks may write to.
    environment : of every task, beside what is passed on of this process's: MLflow's, Google Cloud's,
        proxies and genotransfer's own.
    """
    from kfp import local

    owner = folder.parent.stat()
    options = client.info().get("SecurityOptions") or []
    # To an engine that is not root itself, its own user is the container's root.
    user = "0:0" if "name=rootless" in options else f"{owner.st_uid}:{owner.st_gid}"
    labels = ["label=disable"] if "name=selinux" in options else []  # bound files keep theirs
    (folder / "artifacts").mkdir(exist_ok=True)
    if os.geteuid() == 0 and owner.st_uid != 0:  # tasks are the owner of the folder of runs, not root
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "genotransfer").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    passed = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
    passed |= {CACHE_VARIABLE: str(cache), RELEASE_VARIABLE: name_release()} | dict(environment)
    readable = list_local_files(study)
    if credentials := os.environ.get(CREDENTIALS):
        passed[CREDENTIALS] = str(Path(credentials).resolve())
        readable.append(Path(credentials).resolve())
    writable = [folder.parent, cache]
    if (cohorts := study.retraining.cohorts) and not is_remote(cohorts) and Path(cohorts).is_dir():
        writable.append(Path(cohorts).resolve())
    return local.DockerRunner(
        environment=passed,
        mounts=[
            *map(_mount, writable),
            *(_mount(one, read_only=True) for one in _drop_within(readable, writable)),
        ],
        user=user,
        working_dir=str(Path.cwd()),  # a study's paths may be relative
        read_only=True,
        tmpfs={"/tmp": "mode=1777", HOME: "mode=1777"},  # noqa: S108 - the container's own
        cap_drop=["ALL"],
        security_opt=["no-new-privileges", *labels],
        # A server on localhost is where MLflow or a bucket's stand-in often is.
        network_mode="host",
        init=True,
        labels={RUN_LABEL: str(folder)},
    )


@contextlib.contextmanager
def guard_containers(client: docker.DockerClient, folder: Path) -> Iterator[None]:
    """Let KFP run containers by `run_container`, and leave none of the run's behind.

    Parameters
    ----------
    client : Docker's.
    folder : of the run.
    """
    from kfp.local import docker_task_handler

    before = docker_task_handler.run_docker_container
    stop_containers(client, folder)  # of a run that was killed itself
    docker_task_handler.run_docker_container = run_container
    try:
        yield
    finally:
        docker_task_handler.run_docker_container = before
        stop_containers(client, folder)


def stop_containers(client: docker.DockerClient, folder: Path) -> None:
    """Remove the containers of a run, whatever they are doing."""
    import docker

    for one in client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={folder}"}):
        with contextlib.suppress(docker.errors.NotFound):
            one.remove(force=True)


def run_container(
    client: docker.DockerClient, image: str, command: list[str], volumes: dict[str, Any], **arguments: Any
) -> int:
    """Run a task in a container and return its exit status; never 0 unless the task ended well.

    The container is kept until its status is known. A task that ended well has also left KFP's file
    of what it made.

    Parameters
    ----------
    client, image, command, volumes, arguments : as KFP's function of this purpose takes them.

    Returns
    -------
    The exit status; 1 where the container said 0 and left nothing.
    """
    environment = {**arguments.pop("environment", {}), CONTAINER_VARIABLE: uuid.uuid4().hex[:12]}
    events = Path(environment.get(EVENTS_VARIABLE) or os.devnull)
    since = events.stat().st_size if events.is_file() else 0
    task = _find_after(command, "--function_to_execute") or image
    container = client.containers.run(
        image, command, detach=True, volumes=volumes, environment=environment, **arguments
    )
    try:
        for line in container.logs(stream=True, follow=True):
            print(line.decode(errors="replace"), end="")
        status = int(container.wait()["StatusCode"])
        container.reload()
        out_of_memory = bool(container.attrs["State"].get("OOMKilled"))
    finally:
        container.remove(force=True)
    problem = ""
    if out_of_memory:
        problem = "the system ended its container for want of memory"
    elif status:
        problem = f"its container ended with status {status}"
        problem += f": it was {KILLED[status]}" if status in KILLED else ""
    elif not _left_output(command):
        status, problem = 1, "its container said that all went well, and left nothing"
    if problem:
        print(f"{task}: {problem}")
        if events.is_file():
            fail_task(events, since, task, environment[CONTAINER_VARIABLE], problem)
    return status


def list_local_files(study: Study) -> list[Path]:
    """Return the files and folders of this machine that a study names, as absolute paths.

    Of files that belong together (``cohort.bed``, ``.bim``, ``.fam``), the folder.
    """
    named = _list_texts(study.genotypes)
    if isinstance(study.genotypes, GenotypeFiles):
        named = [study.genotypes.resolve(one) for one in named if one]
    named += _list_texts(study.models)
    found = set()
    for one in named:
        if not one or is_remote(one) or "\n" in one or len(one) > LONGEST_PATH:
            continue
        path = Path(one).resolve()
        if path.exists():
            found.add(path)
        elif path.parent.is_dir() and any(path.parent.glob(f"{glob_escape(path.name)}.*")):
            found.add(path.parent)
    return sorted(found)


def _list_texts(settings: Any) -> list[str]:
    """Return every text in settings, at any depth."""
    if isinstance(settings, str):
        return [settings]
    if hasattr(settings, "model_dump"):
        return _list_texts(settings.model_dump())
    if isinstance(settings, Mapping):
        return [text for one in settings.values() for text in _list_texts(one)]
    return (
        [text for one in settings for text in _list_texts(one)] if isinstance(settings, list | tuple) else []
    )


def _drop_within(paths: list[Path], others: list[Path]) -> list[Path]:
    """Return the paths that are in none of the others, nor in one another."""
    kept: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(one) for one in [*others, *kept]):
            kept.append(path)
    return kept


def _mount(path: Path, read_only: bool = False) -> docker.types.Mount:
    from docker.types import Mount

    return Mount(str(path), str(path), type="bind", read_only=read_only)


def _find_after(command: list[str], word: str) -> str:
    return command[command.index(word) + 1] if word in command[:-1] else ""


def _left_output(command: list[str]) -> bool:
    given = _find_after(command, "--executor_input")
    return not given or Path(json.loads(given)["outputs"]["outputFile"]).is_file()
