"""What the section `cluster` of a study makes of the compiled pipeline, and that it makes nothing else."""

import json

import pytest
import yaml
from google.protobuf import json_format
from kfp import components, local
from kfp.pipeline_spec import pipeline_spec_pb2

from components import images
from genotransfer.config import Tracking
from genotransfer.errors import InputError, StudyError
from genotransfer.release import RELEASE_VARIABLE, name_release
from genotransfer.study_files import load_study, parse_study
from pipelines.cli import STUDIES
from pipelines.compilation import compile_pipeline, write_manifests
from pipelines.kinds import find_any_study
from pipelines.placement import PLANNING_TASKS, TRACKING_TASKS, TRAINING_TASKS, place_pipeline
from tests.components.support import STUDY

PLACED = [
    "cluster.endpoint=https://kubeflow.example",
    "cluster.namespace=ann",
    "cluster.pipeline_root=gs://bucket/runs",
    "cluster.gpu={count: 1, node_selector: {pool: gpus, zone: a}, tolerations: [{key: gpu, value: 'yes', effect: NoSchedule}, {operator: Exists}]}",  # noqa: E501
    "cluster.training={cpu: '4', memory: 16Gi}",
    "cluster.data={cpu: 250m, memory: ''}",
    "cluster.retries={count: 3, back_off: 30, factor: 1.5, most: 7200}",
    "cluster.timeout={task: 1.5, run: 48}",
    "cluster.ttl_days=2.5",
    "cluster.mlflow_uri=http://mlflow:5000",
    "cluster.mlflow_secret=mlflow-login",
]


def compile_study(folder, *overrides):
    """Return the spec and the platform's configuration of the paper's study, as plain dictionaries."""
    path = folder / "compiled.yaml"
    compile_pipeline(load_study(STUDIES / "paper.yaml", list(overrides)), path)
    spec, *platform = yaml.safe_load_all(path.read_text())
    [kubernetes] = [one["platforms"]["kubernetes"] for one in platform] or [{}]
    return spec, kubernetes


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    return compile_study(tmp_path_factory.mktemp("placed"), *PLACED)


def read_executors(spec):
    """Return container and task settings by the task's name."""
    containers = {
        name.removeprefix("exec-"): one["container"]
        for name, one in spec["deploymentSpec"]["executors"].items()
    }
    tasks = {}
    for dag in [spec["root"], *spec["components"].values()]:
        for name, task in dag.get("dag", {}).get("tasks", {}).items():
            if name in containers:
                tasks[name] = task
    assert set(containers) == set(tasks)
    return {name: (containers[name], tasks[name]) for name in containers}


def test_the_tasks_named_here_are_the_pipelines(placed):
    names = set(read_executors(placed[0]))
    assert names & set(TRAINING_TASKS) == {"train-source-models", "transfer-models"}
    assert names & set(PLANNING_TASKS) == {"plan-study"}
    assert "track-study" in names & set(TRACKING_TASKS)


def test_the_tasks_of_an_exome_are_placed_alike(tmp_path):
    kind, study = find_any_study("exome-cnn", PLACED)
    compile_pipeline(study, tmp_path / "compiled.yaml", kind)
    spec, platform = yaml.safe_load_all((tmp_path / "compiled.yaml").read_text())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    tasks = read_executors(spec)
    on_gpu = {name for name, (container, _) in tasks.items() if "accelerator" in container["resources"]}
    assert on_gpu == {"train-exome-networks"}
    assert {name for name in tasks if "secretAsEnv" in executors[f"exec-{name}"]} == {
        "track-exome",
        "register-exome",
    }
    assert {name for name, (_, task) in tasks.items() if "retryPolicy" not in task} == {"plan-exome-study"}


def test_training_takes_the_gpu_and_nothing_else_does(placed):
    spec, kubernetes = placed
    executors = kubernetes["deploymentSpec"]["executors"]
    for name, (container, _) in read_executors(spec).items():
        resources, platform = container["resources"], executors[f"exec-{name}"]
        if name in TRAINING_TASKS:
            assert resources["accelerator"] == {
                "type": "nvidia.com/gpu", "resourceType": "nvidia.com/gpu", "count": "1", "resourceCount": "1"
            }  # fmt: skip
            assert platform["nodeSelector"]["labels"] == {"pool": "gpus", "zone": "a"}
            assert platform["tolerations"] == [
                {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
                {"operator": "Exists"},
            ]
            assert (resources["resourceCpuRequest"], resources["resourceMemoryRequest"]) == ("4", "16Gi")
        else:
            assert resources["resourceCpuRequest"] == "250m"
            assert not {"accelerator", "resourceMemoryRequest"} & set(resources), name
            assert not {"nodeSelector", "tolerations"} & set(platform), name


def test_every_task_has_its_limit_and_every_but_the_first_its_retries(placed):
    spec, kubernetes = placed
    for name, (_, task) in read_executors(spec).items():
        assert kubernetes["deploymentSpec"]["executors"][f"exec-{name}"]["activeDeadlineSeconds"] == "5400"
        due = {
            "maxRetryCount": 3,
            "backoffDuration": "30s",
            "backoffFactor": 1.5,
            "backoffMaxDuration": "7200s",
        }
        assert task.get("retryPolicy") == (None if name in PLANNING_TASKS else due), name
        assert task["cachingOptions"] == {"enableCache": True}
    assert kubernetes["pipelineConfig"] == {
        "resourceTtlOnCompletion": 216000,
        "activeDeadlineSeconds": 172800,
    }
    assert spec["defaultPipelineRoot"] == "gs://bucket/runs"


def test_the_secret_is_there_by_name_for_the_task_that_tracks(placed):
    spec, kubernetes = placed
    executors = kubernetes["deploymentSpec"]["executors"]
    release = {"name": RELEASE_VARIABLE, "value": name_release()}
    for name, (container, _) in read_executors(spec).items():
        platform = executors[f"exec-{name}"]
        if name in TRACKING_TASKS:
            [secret] = platform["secretAsEnv"]
            assert secret["secretName"] == "mlflow-login"
            assert secret["optional"] is False
            assert [(one["secretKey"], one["envVar"]) for one in secret["keyToEnv"]] == [
                (key, key) for key in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
            ]
            assert container["env"] == [
                release,
                {"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow:5000"},
            ]
        else:
            assert "secretAsEnv" not in platform
            assert container["env"] == [release]


@pytest.mark.parametrize("setting", ["tracking.uri=https://me:pass@host", "tracking.uri=me@host:5000"])
def test_a_password_in_the_study_is_refused(tmp_path, setting):
    with pytest.raises(InputError, match=r"tracking\.uri: the address holds a user or password") as caught:
        load_study(STUDIES / "paper.yaml", [setting])
    assert "pass@" not in str(caught.value)
    passed_by = Tracking.model_construct(uri=setting.removeprefix("tracking.uri="))
    study = load_study(STUDIES / "paper.yaml").model_copy(update={"tracking": passed_by})
    with pytest.raises(StudyError, match=r"tracking\.uri holds a user or password"):
        compile_pipeline(study, tmp_path / "a.yaml")
    with pytest.raises(StudyError, match=r"tracking\.uri holds a user or password"):
        write_manifests(study, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_placing_changes_only_the_place(tmp_path, placed):
    """The graph, the tasks' code and parameters are those of a study placed nowhere."""
    plain, kubernetes = compile_study(tmp_path)
    assert kubernetes == {}

    def strip(spec):
        spec = json.loads(json.dumps(spec))
        spec.pop("defaultPipelineRoot", None)
        for container, task in read_executors(spec).values():
            container.pop("resources", None)
            container.pop("env", None)
            container.pop("image")
            task.pop("retryPolicy", None)
        return spec

    assert strip(placed[0]) == strip(plain)
    [study] = [one["defaultValue"] for one in [plain["root"]["inputDefinitions"]["parameters"]["study"]]]
    assert "cluster" not in json.loads(study)


def test_mlflow_is_found_by_a_config_map_too(tmp_path):
    spec, kubernetes = compile_study(tmp_path, "cluster.mlflow_config=mlflow-settings")
    executors = kubernetes["deploymentSpec"]["executors"]
    assert set(executors) == {f"exec-{name}" for name in read_executors(spec) if name in TRACKING_TASKS}
    for platform in executors.values():
        [settings] = platform["configMapAsEnv"]
        assert settings["configMapName"] == "mlflow-settings"
        assert settings["keyToEnv"] == [
            {"configMapKey": "MLFLOW_TRACKING_URI", "envVar": "MLFLOW_TRACKING_URI"}
        ]
        assert not settings["optional"]


def test_tasks_can_be_kept_from_running_as_root(tmp_path):
    spec, kubernetes = compile_study(tmp_path, "cluster.run_as_non_root=true")
    due = {f"exec-{name}": {"securityContext": {"runAsNonRoot": True}} for name in read_executors(spec)}
    assert kubernetes["deploymentSpec"]["executors"] == due


def test_caching_can_be_switched_off(tmp_path):
    spec, _ = compile_study(tmp_path, "cluster.caching=false")
    assert {json.dumps(task["cachingOptions"]) for _, task in read_executors(spec).values()} == {"{}"}


def test_the_form_explains_its_few_fields(tmp_path):
    spec, _ = compile_study(tmp_path)
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert set(parameters) == {"study", "phenotypes", "families"}
    for one in parameters.values():
        assert len(one["description"]) > 40
        assert one["defaultValue"]
    assert parse_study(parameters["study"]["defaultValue"]).name == "paper"
    assert spec["pipelineInfo"]["displayName"] == "Transfer study"


def test_the_placed_pipeline_is_small_and_kfp_loads_it(tmp_path):
    path = tmp_path / "a.yaml"
    compile_pipeline(load_study(STUDIES / "paper.yaml", PLACED), path)
    assert path.stat().st_size < 300_000
    loaded = components.load_component_from_text(path.read_text())
    assert loaded.pipeline_spec.pipeline_info.name == "transfer-study"
    assert set(loaded.component_spec.inputs) == {"study", "phenotypes", "families"}
    assert "kubernetes" in loaded.platform_spec.platforms


@pytest.mark.parametrize("overrides", [[], PLACED])
def test_manifests_are_a_pipeline_and_its_version(tmp_path, overrides):
    study = load_study(STUDIES / "demo.yaml", overrides)
    version = compile_pipeline(study, tmp_path / "a.yaml")
    path = write_manifests(study, tmp_path / "manifests")
    pipeline, held = yaml.safe_load_all(path.read_text())
    spec, *platform = yaml.safe_load_all((tmp_path / "a.yaml").read_text())
    assert [one["kind"] for one in (pipeline, held)] == ["Pipeline", "PipelineVersion"]
    for one in (pipeline, held):
        assert one["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
        assert one["metadata"].get("namespace") == ("ann" if overrides else None)
    assert held["spec"]["pipelineName"] == pipeline["metadata"]["name"] == "transfer-study"
    assert held["metadata"]["name"] == f"transfer-study-{version}"
    assert held["spec"]["displayName"] == version
    assert held["spec"]["pipelineSpec"] == spec
    json_format.ParseDict(held["spec"]["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    assert ("platformSpec" in held["spec"]) == bool(platform)
    if platform:
        assert held["spec"]["platformSpec"] == platform[0]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("cluster={mlflow_uri: 'http://here', mlflow_config: there}", "leave one out"),
        ("cluster.gpu.count=2", "cluster.gpu.count"),
        ("cluster.pipeline_root=/here", "cluster.pipeline_root"),
        ("cluster.namespace=Ann", "cluster.namespace"),
        ("cluster.data.memory=2GB", "cluster.data.memory"),
        ("cluster.data.cpu=two", "cluster.data.cpu"),
        ("cluster.timeout.task=0", "cluster.timeout.task"),
        ("cluster.gpu.tolerations=[{value: x}]", "without a key"),
        ("cluster.gpu.tolerations=[{operator: Exists, value: x}]", "takes no value"),
        ("cluster.mlflow_uri=https://me:pass@host", "holds a user or password"),
        ("cluster.images.data=me/data:latest", "the tag latest moves"),
        ("cluster.images.train=me/train", "cluster.images.train"),
        ("cluster.password=x", "unknown key 'cluster.password'"),
    ],
)
def test_settings_that_no_cluster_takes_are_refused(setting, says):
    with pytest.raises(Exception, match="cluster") as raised:
        load_study(STUDIES / "demo.yaml", [setting])
    assert says in str(raised.value)
    assert "pass@" not in str(raised.value)


def list_images(spec):
    return {name: container["image"] for name, (container, _) in read_executors(spec).items()}


def test_images_are_those_of_the_release(placed, tmp_path):
    plain, _ = compile_study(tmp_path)
    assert set(list_images(plain).values()) == {images.DATA, images.TRAIN}
    assert f"genotransfer/python-data:{name_release()}" == images.DATA
    on_gpu = list_images(placed[0])
    trained = {name for name, image in on_gpu.items() if image == images.name_image("train-gpu")}
    assert trained == set(on_gpu) & set(TRAINING_TASKS)
    assert {name: image for name, image in on_gpu.items() if name not in TRAINING_TASKS} == {
        name: image for name, image in list_images(plain).items() if name not in TRAINING_TASKS
    }


def test_images_are_named_by_repository_tag_or_digest(tmp_path):
    digest = f"registry.example/mine@sha256:{'a' * 64}"
    spec, _ = compile_study(
        tmp_path,
        "cluster.images={repository: 'registry.example:5000/genetics', data: 'me/data:1'}",
        f"cluster.images.gpu={digest}",
        "cluster.gpu.count=1",
    )
    named = list_images(spec)
    assert named["plan-study"] == "me/data:1"
    assert named["evaluate-final"] == f"registry.example:5000/genetics/python-train:{name_release()}"
    assert {image for name, image in named.items() if name in TRAINING_TASKS} == {digest}


@pytest.mark.filterwarnings("ignore:.*have no effect in the current local runner:UserWarning")
def test_the_placed_pipeline_runs_on_this_machine(tmp_path, monkeypatch):
    """The same function as a cluster runs, with GPU, secret and limits, which this machine has not."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    study = load_study(
        STUDIES / "paper.yaml", [one for one in PLACED if "root" not in one and "mlflow_uri" not in one]
    )
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "artifacts"))
    small = parse_study(STUDY.replace("iterations: 2", "iterations: 1") + "transfer: {methods: [none]}\n")
    place_pipeline(study.cluster)(
        study=small.to_json(), phenotypes=small.phenotype_names, families=small.families
    )
    [results] = tmp_path.glob("artifacts/*/write-report/report/results.csv")
    assert [line.split(",")[1] for line in results.read_text().splitlines()] == ["method", "none", "chosen"]
    assert len(list(tmp_path.glob("artifacts/*/*/show-performance/performance"))) == 1
