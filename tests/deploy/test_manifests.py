"""The manifests of deploy/: kubectl builds them, Kubernetes' and Kubeflow's schemas take them, they fit the study."""

import base64
import copy
import re
import subprocess
import tomllib

import pytest
import yaml
from google.protobuf import json_format
from jsonschema import ValidationError
from kfp.pipeline_spec import pipeline_spec_pb2

from genotransfer.study_files import load_study
from pipelines.placement import TRACKING_TASKS, TRAINING_TASKS
from tests.deploy.cluster_manifests import (
    DATABASE,
    DEPLOY,
    LOGIN,
    NAMESPACE,
    ROOT,
    VERSIONS,
    build,
    find,
    list_pods,
    validate,
    why_not_build,
)

pytestmark = pytest.mark.skipif(bool(why_not_build()), reason=why_not_build() or "it can")
COMPONENTS = sorted(path.parent.name for path in DEPLOY.glob("components/*/kustomization.yaml"))
CLUSTER_WIDE = {"Namespace"}


@pytest.fixture(scope="module")
def cluster(deploy):
    return build(deploy / "examples/cluster")


@pytest.fixture(scope="module")
def study(deploy):
    return build(deploy / "examples/study")


def read_values(one):
    """Return what a ConfigMap or a Secret holds."""
    if one["kind"] == "ConfigMap":
        return one["data"]
    return {key: base64.b64decode(value).decode() for key, value in one.get("data", {}).items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(deploy, cluster, study, version):
    for one in [*build(deploy / "base"), *cluster, *study]:
        validate(one, version)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_can_be_added_alone(deploy, component):
    overlay = deploy / f"with-{component}"
    overlay.mkdir()
    written = {"resources": ["../base"], "components": [f"../components/{component}"], "namespace": "other"}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(written))
    objects, base = build(overlay), build(deploy / "base")
    assert len(objects) > len(base)
    for one in objects:
        validate(one, VERSIONS[-1])
        assert one["metadata"]["namespace"] == "other"


def test_validation_finds_mistakes(cluster, study):
    """What is held to be strict refuses a field that does not exist, and a value of a wrong type."""
    deployment = copy.deepcopy(find(cluster, "Deployment", "mlflow"))
    deployment["spec"]["template"]["spec"]["runAsNonRoot"] = True  # belongs in securityContext
    with pytest.raises(Exception, match="runAsNonRoot"):
        validate(deployment, "1.32")
    version = copy.deepcopy(study[1])
    version["spec"]["pipelineID"] = "x"
    with pytest.raises(ValidationError, match="pipelineID"):
        validate(version, "1.32")
    del version["spec"]["pipelineID"], version["spec"]["pipelineSpec"]
    with pytest.raises(ValidationError, match="pipelineSpec"):
        validate(version, "1.32")


def test_all_lies_in_one_namespace(deploy, cluster, study):
    assert all("namespace" not in one["metadata"] for one in build(deploy / "base"))
    for one in [*cluster, *study]:
        due = None if one["kind"] in CLUSTER_WIDE else NAMESPACE
        assert one["metadata"].get("namespace") == due, one["metadata"]
    [subject] = find(cluster, "RoleBinding", "genotransfer")["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "genotransfer", "namespace": NAMESPACE}


def test_values_of_secrets_come_from_files_that_git_ignores(deploy, cluster):
    assert "data" not in find(build(deploy / "base"), "Secret", "mlflow-login")
    assert read_values(find(cluster, "Secret", "mlflow-login")) == LOGIN
    assert read_values(find(cluster, "Secret", "mlflow-database")) == DATABASE
    others = [one for one in cluster if one["kind"] != "Secret"]
    assert "planted" not in yaml.safe_dump(others)
    paths = [
        f"deploy/examples/{name}"
        for name in ("cluster/mlflow-login.env", "cluster/mlflow-database.env", "study/transfer_study.yaml")
    ]
    ignored = subprocess.run(
        ["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.returncode == 128 or ignored.stdout.split() == paths  # 128: this is no git checkout


def test_pods_keep_the_level_restricted(cluster):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards, and a read-only file system."""
    pods = list_pods(cluster)
    assert pods
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert {key for volume in pod["volumes"] for key in volume} <= {
            "name",
            "emptyDir",
            "configMap",
            "secret",
        }
        for container in pod["containers"] + pod.get("initContainers", []):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not any("hostPort" in port for port in container["ports"])


def test_the_tasks_account_may_do_little(cluster):
    rules = find(cluster, "Role", "genotransfer")["rules"]
    assert not {"*", "delete", "update", "list"} & {verb for rule in rules for verb in rule["verbs"]}
    for rule in rules:
        if {"secrets", "configmaps"} & set(rule["resources"]):
            assert rule["resourceNames"], rule
    assert not [one for one in cluster if one["kind"] in ("ClusterRole", "ClusterRoleBinding")]
    for pod in list_pods(cluster):
        assert pod["automountServiceAccountToken"] is False


def test_what_mlflow_reads_is_there(cluster):
    deployment = find(cluster, "Deployment", "mlflow")
    template = deployment["spec"]["template"]
    [container] = template["spec"]["containers"]
    for one in container["env"]:
        [(reference, source)] = one["valueFrom"].items()
        held = find(
            cluster, {"secretKeyRef": "Secret", "configMapKeyRef": "ConfigMap"}[reference], source["name"]
        )
        assert source["key"] in read_values(held)
    named = {one["name"] for one in container["env"]}
    assert set(re.findall(r"\$\((\w+)\)", " ".join(container["args"]))) <= named
    service = find(cluster, "Service", "mlflow")
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    [port] = service["spec"]["ports"]
    assert port["targetPort"] in [one["name"] for one in container["ports"]]
    settings = read_values(find(cluster, "ConfigMap", "mlflow-settings"))
    assert settings == {"MLFLOW_TRACKING_URI": f"http://{service['metadata']['name']}:{port['port']}"}
    find(cluster, "ServiceAccount", template["spec"]["serviceAccountName"])


def test_policies_select_what_is_meant(cluster):
    labels = find(cluster, "Deployment", "mlflow")["spec"]["template"]["metadata"]["labels"]
    mlflow = find(cluster, "NetworkPolicy", "mlflow-accepts-tasks")["spec"]
    assert mlflow["podSelector"]["matchLabels"].items() <= labels.items()
    # Argo labels every pod of a workflow so.
    of_a_workflow = {"matchExpressions": [{"key": "workflows.argoproj.io/workflow", "operator": "Exists"}]}
    [ingress] = mlflow["ingress"]
    assert {"podSelector": of_a_workflow} in ingress["from"]
    closed = find(cluster, "NetworkPolicy", "tasks-accept-nothing")["spec"]
    assert closed == {"podSelector": of_a_workflow, "policyTypes": ["Ingress"]}
    egress = find(cluster, "NetworkPolicy", "tasks-reach-little")["spec"]
    assert egress["podSelector"] == of_a_workflow
    [to_mlflow] = [one for one in egress["egress"] if "podSelector" in one.get("to", [{}])[0]]
    assert to_mlflow["to"][0]["podSelector"]["matchLabels"].items() <= labels.items()


def test_images_bear_the_version(cluster, deploy):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    [pod] = list_pods(cluster)
    assert pod["containers"][0]["image"] == f"registry.example/genotransfer/mlflow:{version}"


def test_the_study_fits_the_cluster(cluster, study, deploy):
    """Its pipeline names the secret, the settings and the account that the overlay makes, and its namespace."""
    settings = load_study(deploy / "examples/study/study.yaml").cluster
    assert settings.namespace == NAMESPACE
    find(cluster, "ServiceAccount", settings.service_account)
    pipeline, version = study
    assert [pipeline["kind"], version["kind"]] == ["Pipeline", "PipelineVersion"]
    assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
    spec = json_format.ParseDict(version["spec"]["pipelineSpec"], pipeline_spec_pb2.PipelineSpec())
    assert spec.default_pipeline_root == "gs://my-bucket/runs"
    executors = version["spec"]["platformSpec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    tasks = {name.removeprefix("exec-"): one for name, one in executors.items()}
    assert {"train-source-models", "transfer-models", "track-study"} < set(tasks)
    for name, platform in tasks.items():
        assert platform["securityContext"] == {"runAsNonRoot": True}, name
        assert ("nodeSelector" in platform) == (name in TRAINING_TASKS), name
        assert ("secretAsEnv" in platform) == ("configMapAsEnv" in platform) == (name in TRACKING_TASKS), name
        for one in platform.get("secretAsEnv", []):
            held = read_values(find(cluster, "Secret", one["secretName"]))
            assert {key["secretKey"] for key in one["keyToEnv"]} <= set(held)
        for one in platform.get("configMapAsEnv", []):
            held = read_values(find(cluster, "ConfigMap", one["configMapName"]))
            assert [(key["configMapKey"], key["envVar"]) for key in one["keyToEnv"]] == [
                ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI")
            ]
            assert "MLFLOW_TRACKING_URI" in held
