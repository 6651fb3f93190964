"""A container that fails is never taken for one that succeeded."""

from threading import Event

import pytest
from kfp import dsl, local

from components import images
from pipelines.containers import STOPPED, guard_containers, run_container

pytestmark = pytest.mark.containers
TIMES = 100


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def leave(status: int) -> str:
    """End a process with a status, at once."""
    import os

    os._exit(status)


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def answer(number: int) -> int:
    """Double a number."""
    return 2 * number


@pytest.fixture
def runner(docker_client, tmp_path):
    if tmp_path.stat().st_uid == 0:
        for one in list(tmp_path.parents)[:-2]:
            one.chmod(one.stat().st_mode | 0o055)
    tmp_path.chmod(0o777)
    local.init(
        runner=local.DockerRunner(network_mode="none", cap_drop=["ALL"]),
        pipeline_root=str(tmp_path),
        raise_on_error=False,
    )
    with guard_containers(docker_client, tmp_path):
        yield tmp_path


def test_a_component_that_exits_3_fails_every_time(runner):
    seen = [leave(status=3).outputs for _ in range(TIMES)]
    assert seen == [{}] * TIMES


def test_a_component_that_says_0_and_leaves_nothing_has_failed(runner):
    assert leave(status=0).outputs == {}


def test_a_component_that_works_has_worked(runner):
    assert [answer(number=k).output for k in range(5)] == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("status", [0, 1, 3, 137])
def test_the_status_is_the_containers(docker_client, status):
    command = ["python3", "-c", f"import os; os._exit({status})"]
    assert run_container(docker_client, images.DATA, command, {}, stopping=Event()) == status


def test_nothing_is_started_once_the_run_is_to_stop(docker_client):
    stopping = Event()
    stopping.set()
    before = {one.id for one in docker_client.containers.list(all=True, ignore_removed=True)}
    assert run_container(docker_client, images.DATA, ["sleep", "60"], {}, stopping=stopping) == STOPPED
    after = docker_client.containers.list(all=True, ignore_removed=True, filters={"ancestor": images.DATA})
    assert {one.id for one in after if one.attrs["Config"]["Cmd"] == ["sleep", "60"]} <= before


def test_a_container_that_wants_too_much_memory_is_told(docker_client, tmp_path, capsys):
    command = ["python3", "-c", "x = bytearray(1 << 30); print(sum(x))"]
    assert run_container(docker_client, images.DATA, command, {}, stopping=Event(), mem_limit="64m") != 0
    assert "want of memory" in capsys.readouterr().out
