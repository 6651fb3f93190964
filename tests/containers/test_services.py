"""`make services-up` with real containers: a study tracked by it, stopped and started again.

Images that cannot be pulled are replaced by stand-ins with the same programs; see make_stand_ins.sh.
"""

import hashlib
import stat
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import pytest

from tests.containers.services_support import Services, choose_images, run_docker
from tests.integration.servers import find_port
from tests.integration.support import TINY, run_cli

pytestmark = [
    pytest.mark.containers,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]
MODELS = {"tiny-YRI-3_1", "tiny-YRI-3_2"}


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    project = f"genotransfer-test-{uuid.uuid4().hex[:8]}"
    services = Services(
        choose_images()
        | {
            "SERVICES_ENV": str(tmp_path_factory.mktemp("services") / "services.env"),
            "COMPOSE_PROJECT_NAME": project,
            "MLFLOW_IMAGE": f"genotransfer-test/mlflow:{project}",  # built from the files as they are
            "MLFLOW_PORT": str(find_port()),
        }
    )
    try:
        said = services.run("up")
        assert f"MLFLOW_TRACKING_URI={services.uri}" in said
        yield services
    finally:
        services.run("compose", "down", "--volumes", "--timeout", "60")
        run_docker("image", "rm", services.environment["MLFLOW_IMAGE"])
        assert run_docker("volume", "ls", "--quiet", "--filter", f"name={project}") == ""


@pytest.fixture(scope="module")
def tracked(services, tmp_path_factory) -> Services:
    """The services with a study in them, which knew MLflow's address and no more."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(TINY)
    done = run_cli("run", "study.yaml", cwd=folder, MLFLOW_TRACKING_URI=services.uri)
    assert done.returncode == 0, done.stderr + done.stdout
    return services


def list_tracked(uri: str) -> dict[str, object]:
    """Return what MLflow holds: runs with their metrics, versions of models, champions."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments)
    models = client.search_registered_models()
    return {
        "runs": {one.info.run_id: (one.info.status, one.data.metrics) for one in runs},
        "versions": {
            (one.name, one.version, one.run_id, one.source) for one in client.search_model_versions("")
        },
        "champions": {one.name: one.aliases.get("champion") for one in models},
    }


def fetch_model(uri: str, folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a registered model, fetched through the server."""
    from mlflow.artifacts import download_artifacts

    folder.mkdir(exist_ok=True)
    *_, source = sorted(list_tracked(uri)["versions"])[0]
    fetched = Path(download_artifacts(source, dst_path=str(folder), tracking_uri=uri))
    files = [one for one in fetched.rglob("*") if one.is_file()]
    return {
        one.relative_to(fetched).as_posix(): hashlib.sha256(one.read_bytes()).hexdigest() for one in files
    }


def test_study_is_tracked_and_its_models_lie_in_the_bucket(tracked, tmp_path):
    held = list_tracked(tracked.uri)
    assert {status for status, _ in held["runs"].values()} == {"FINISHED"}
    assert set(held["champions"]) == MODELS
    assert all(held["champions"].values())
    objects = tracked.list_objects()
    fetched = fetch_model(tracked.uri, tmp_path)
    assert "MLmodel" in fetched
    assert hashlib.sha256().hexdigest() not in fetched.values()  # of an empty file
    for name, digest in fetched.items():
        assert digest in [other for key, other in objects.items() if key.endswith(f"/{name}")], name


def test_all_is_there_after_stop_and_start(tracked, tmp_path):
    held, objects = list_tracked(tracked.uri), tracked.list_objects()
    assert held["runs"]
    assert objects
    tracked.run("down")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{tracked.uri}/health", timeout=5)
    password = tracked.password
    tracked.run("up")
    assert tracked.password == password
    assert list_tracked(tracked.uri) == held
    assert tracked.list_objects() == objects
    assert fetch_model(tracked.uri, tmp_path)


def test_what_was_saved_can_be_restored_into_new_services(tracked, tmp_path):
    held, objects = list_tracked(tracked.uri), tracked.list_objects()
    assert held["runs"]
    assert objects
    tracked.run("save", str(tmp_path / "saved"))
    saved = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "saved").iterdir()}
    assert saved == {"database.dump": 0o600, "bucket.tar": 0o600}
    tracked.run("compose", "down", "--volumes")
    tracked.run("up")
    assert list_tracked(tracked.uri)["runs"] == {}
    assert tracked.list_objects() == {}
    tracked.run("restore", str(tmp_path / "saved"))
    assert list_tracked(tracked.uri) == held
    assert tracked.list_objects() == objects
    assert fetch_model(tracked.uri, tmp_path / "fetched")


def test_services_may_do_little_and_answer_here_alone(services):
    containers = services.inspect()
    assert set(containers) == {"postgres", "storage", "bucket", "mlflow"}
    for name, one in containers.items():
        host = one["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert not host["Privileged"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        published = [port["HostIp"] for ports in (host["PortBindings"] or {}).values() for port in ports]
        assert published == (["127.0.0.1"] if name == "mlflow" else []), name
        assert host["RestartPolicy"]["Name"] == ("no" if name == "bucket" else "unless-stopped")
        assert one["State"]["Running"] == (name != "bucket")
    assert services.execute("mlflow", "id", "-u").strip() == "1000"
    assert services.execute("postgres", "id", "-un").strip() == "postgres"
    with pytest.raises(AssertionError, match="No module named pip"):
        services.execute("mlflow", "python", "-m", "pip", "--version")
    with pytest.raises(AssertionError, match="Read-only file system"):
        services.execute("mlflow", "touch", "/opt/mlflow/here")


def test_password_is_random_and_shown_nowhere(services):
    assert stat.S_IMODE(services.settings.stat().st_mode) == 0o600
    assert len(services.password) == 48
    assert services.password not in services.run("compose", "logs")
    for one in services.inspect().values():
        assert services.password not in str([one["Path"], one["Args"], one["Config"]["Labels"]])


def test_another_host_name_is_refused(services):
    address = f"{services.uri}/api/2.0/mlflow/experiments/search?max_results=1"
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.status == 200
    led_here = urllib.request.Request(address, headers={"Host": "elsewhere.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(led_here, timeout=30)
    with refused.value as answer:
        assert answer.code == 403
