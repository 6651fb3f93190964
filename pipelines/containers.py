"""Tasks in containers on this machine: KFP's runner for Docker, made safe.

Every task of a run goes into a container of its image: as the user who owns the folder of runs, with
no capabilities, a root file system that cannot be written to, and nothing of this machine but the
run's folder, the cache of bucket files and the files the study names. KFP's own way of running one
takes some containers that failed for ones that succeeded; `run_container` takes its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from glob import escape as glob_escape
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from components import images
from genotransfer.config import GenotypeFiles, Study
from genotransfer.errors import StudyError
from genotransfer.events import CONTAINER_VARIABLE, EVENTS_VARIABLE, fail_task
from genotransfer.release import RELEASE_VARIABLE, name_release
from genotransfer.storage import is_remote
from pipelines.kinds import AnyStudy

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
# The images' own user.
TASK_USER = 1000
STOPPED = 130
GONE, BEING_REMOVED = 404, 409
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
    client: docker.DockerClient, study: AnyStudy, folder: Path, environment: Mapping[str, str]
) -> local.DockerRunner:
    """Return the runner of a run's tasks.

    Parameters
    ----------
    client : Docker's.
    study : names the files of this machine that tasks may read, and the folder of new cohorts, where
        they also write down what was done with them.
    folder : of the run, which tasks may write to; those that track may write to the folder it is in.
    environment : of every task, beside what is passed on of this process's: MLflow's, Google Cloud's,
        proxies and genotransfer's own.

    Raises
    ------
    StudyError
        MLflow's store is a file where containers do not see it.
    """
    from kfp import local

    owner = folder.parent.stat()
    options = client.info().get("SecurityOptions") or []
    # To an engine that is not root itself, its own user is the container's root.
    user = "0:0" if "name=rootless" in options else f"{owner.st_uid}:{owner.st_gid}"
    labels = ["label=disable"] if "name=selinux" in options else []  # bound files keep theirs
    passed = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)} | dict(environment)
    _check_store(study.tracking.uri or passed.get("MLFLOW_TRACKING_URI", ""), folder.parent)
    ours = owner.st_uid == os.geteuid()
    cache = Path(
        os.environ.get(CACHE_VARIABLE) or (Path.home() if ours else folder.parent) / ".cache" / "genotransfer"
    )
    writable = [folder, cache.absolute()]
    cohorts = study.retraining.cohorts if isinstance(study, Study) else ""
    if cohorts and not is_remote(cohorts):
        writable.append(Path(cohorts).absolute())
    readable = list_local_files(study)
    credentials = Path(
        os.environ.get(CREDENTIALS) or Path.home() / ".config/gcloud/application_default_credentials.json"
    )
    if credentials.is_file():
        passed[CREDENTIALS] = str(credentials.absolute())
    readable += [Path(value) for value in passed.values() if value.startswith("/") and Path(value).is_file()]
    for path in (folder / "artifacts", *writable):
        path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0 and not ours:  # tasks are the owner of the folder of runs, not root
        for path in (folder, *folder.rglob("*"), cache):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return local.DockerRunner(
        environment=passed | {CACHE_VARIABLE: str(cache.absolute()), RELEASE_VARIABLE: name_release()},
        mounts=[
            *map(_mount, writable),
            *(_mount(one, read_only=True) for one in _drop_within(_follow_links(readable), writable)),
        ],
        user=user,
        group_add=[] if os.geteuid() == 0 else [str(one) for one in os.getgroups()],
        userns_mode="host" if "name=userns" in options else None,
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


def find_task_user(runs: Path) -> None:
    """See to it that the folder of runs belongs to somebody who is not root, for tasks to be that user.

    Raises
    ------
    StudyError
        It is root's, and there are runs in it.
    """
    if runs.stat().st_uid != 0 or os.geteuid() != 0:
        return
    if any(runs.iterdir()):
        raise StudyError(
            f"{runs} belongs to root, and tasks in containers are not to be root. Give it to a user "
            f"(chown {TASK_USER}:{TASK_USER} {runs}), or name another folder with --runs."
        )
    os.chown(runs, TASK_USER, TASK_USER)


@contextlib.contextmanager
def guard_containers(
    client: docker.DockerClient, folder: Path, stopping: Event | None = None
) -> Iterator[None]:
    """Let KFP run containers by `run_container`, and leave none of the run's behind.

    Parameters
    ----------
    client : Docker's.
    folder : of the run.
    stopping : when it is set, no container is started any more.
    """
    from kfp.local import docker_task_handler

    before = docker_task_handler.run_docker_container
    stop_containers(client, folder)  # of a run that was killed itself
    docker_task_handler.run_docker_container = partial(run_container, stopping=stopping or Event())
    try:
        yield
    finally:
        docker_task_handler.run_docker_container = before
        stop_containers(client, folder)


def stop_containers(client: docker.DockerClient, folder: Path) -> None:
    """Remove the containers of a run, whatever they are doing."""
    for one in client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{RUN_LABEL}={folder}"}
    ):
        _remove(one)


def run_container(
    client: docker.DockerClient,
    image: str,
    command: list[str],
    volumes: dict[str, Any],
    *,
    stopping: Event,
    **arguments: Any,
) -> int:
    """Run a task in a container and return its exit status; never 0 unless the task ended well.

    The container is kept until its status is known. A task that ended well has also left KFP's file
    of what it made.

    Parameters
    ----------
    client, image, command, volumes, arguments : as KFP's function of this purpose takes them.
    stopping : when it is set, nothing is started, and what has just been started is removed.

    Returns
    -------
    The exit status; 1 where the container said 0 and left nothing.
    """
    environment = {**arguments.pop("environment", {}), CONTAINER_VARIABLE: uuid.uuid4().hex[:12]}
    events = Path(environment.get(EVENTS_VARIABLE) or os.devnull)
    since = events.stat().st_size if events.is_file() else 0
    task = _find_after(command, "--function_to_execute") or image
    if stopping.is_set():
        return STOPPED
    container = client.containers.run(
        image,
        command,
        detach=True,
        volumes=volumes,
        **_suit_task(task, environment, arguments),
    )
    try:
        if stopping.is_set():
            return STOPPED
        for line in container.logs(stream=True, follow=True):
            print(line.decode(errors="replace"), end="")
        status = int(container.wait()["StatusCode"])
        container.reload()
        out_of_memory = bool(container.attrs["State"].get("OOMKilled"))
    finally:
        _remove(container)
    problem = ""
    if status:
        problem = f"its container ended with status {status}"
        problem += f": it was {KILLED[status]}" if status in KILLED else ""
        problem = "the system ended its container for want of memory" if out_of_memory else problem
    elif not _left_output(command):
        status, problem = 1, "its container said that all went well, and left nothing"
    if problem:
        print(f"{task}: {problem}")
        if events.is_file():
            fail_task(events, since, task, environment[CONTAINER_VARIABLE], problem)
    return status


def _suit_task(task: str, environment: dict[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a container's arguments with what this task alone is to have: MLflow, for those that track."""
    from pipelines.placement import TRACKING_TASKS

    if task.replace("_", "-") not in TRACKING_TASKS:
        kept = {name: value for name, value in environment.items() if not name.startswith("MLFLOW_")}
        return arguments | {"environment": kept}
    if folder := arguments.get("labels", {}).get(RUN_LABEL):
        # Where the store is a file, it is beside the runs.
        arguments = arguments | {"mounts": [_mount(Path(folder).parent), *arguments["mounts"]]}
    return arguments | {"environment": environment}


def _remove(container: Any) -> None:
    import docker

    try:
        container.remove(force=True)
    except docker.errors.APIError as error:
        if error.status_code not in (GONE, BEING_REMOVED):
            print(f"A container could not be removed: {error}")


def _check_store(uri: str, runs: Path) -> None:
    if uri.startswith(("sqlite:///", "file:")):
        path = Path(uri.removeprefix("sqlite:///").removeprefix("file://").removeprefix("file:")).absolute()
        if not path.is_relative_to(runs):
            raise StudyError(
                f"MLflow's store {uri} is a file that containers do not see. Name one in {runs}, or a server."
            )


def list_local_files(study: AnyStudy) -> list[Path]:
    """Return the files and folders of this machine that a study names, as absolute paths.

    With a file come those of the same name and another ending: ``cohort.fam`` with ``cohort.bed``.
    """
    found: set[Path] = set()
    for one in _list_inputs(study):
        if not one or is_remote(one) or "\n" in one or len(one) > LONGEST_PATH:
            continue
        path = Path(one).absolute()
        if path.exists():
            found.add(path)
        stems = {path.name, path.stem} if path.is_file() else {path.name}
        if path.parent.is_dir():
            found |= {other for stem in stems for other in path.parent.glob(f"{glob_escape(stem)}.*")}
    return sorted(found)


def _list_inputs(study: AnyStudy) -> list[str]:
    """Return every text of a study that may be the path of something its tasks read."""
    if not isinstance(study, Study):
        return study.list_inputs()
    named = _list_texts(study.genotypes)
    if isinstance(study.genotypes, GenotypeFiles):
        named = [study.genotypes.resolve(one) for one in named if one]
    return [*named, *_list_texts(study.models)]


def _follow_links(paths: list[Path]) -> list[Path]:
    """Return the paths and what links in them lead to, where that is elsewhere."""
    links = [one for path in paths if path.is_dir() for one in path.iterdir() if one.is_symlink()]
    return [*paths, *(one.resolve() for one in links if one.exists())]


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

    # Tasks go by the name the study gives, which may be a link's.
    return Mount(str(path.absolute()), str(path.resolve()), type="bind", read_only=read_only)


def _find_after(command: list[str], word: str) -> str:
    return command[command.index(word) + 1] if word in command[:-1] else ""


def _left_output(command: list[str]) -> bool:
    given = _find_after(command, "--executor_input")
    return not given or Path(json.loads(given)["outputs"]["outputFile"]).is_file()
