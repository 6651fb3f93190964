"""The manifests of deploy/ in an API server of Kubernetes: admitted, kept as they are, and rights as they should be.

It has no nodes: no pod starts. `make test-kubernetes` builds the server.
"""

import pytest
import yaml

from genotransfer.study_files import load_study
from pipelines.cli import STUDIES
from pipelines.compilation import write_manifests
from tests.deploy.api_server import find_programs, serve_kubernetes
from tests.deploy.cluster_manifests import CRDS, NAMESPACE, build, find, why_not_build

pytestmark = pytest.mark.kubernetes
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:genotransfer"


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A cluster with Kubeflow's custom resources."""
    if why := why_not_build():
        pytest.fail(why)
    assert all(find_programs()), "etcd or kube-apiserver is absent: see make test-kubernetes"
    with serve_kubernetes(tmp_path_factory.mktemp("server")) as cluster:
        cluster.kubectl("apply", "-f", str(CRDS))
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield cluster


@pytest.fixture(scope="module")
def cluster(bare, deploy):
    """The same with what the examples make."""
    namespace = deploy / "examples/cluster/namespace.yaml"
    bare.kubectl("apply", "-f", str(namespace))
    overlays = [str(deploy / "examples" / name) for name in ("cluster", "study")]
    for overlay in overlays:
        tried = bare.kubectl("apply", "--dry-run=server", "--validate=strict", "-k", overlay).splitlines()
        assert len(tried) > 1
        assert all(line.endswith("(server dry run)") for line in tried)
    for overlay in overlays:
        bare.kubectl("apply", "--validate=strict", "-k", overlay)
    return bare


def may(cluster, verb, resource, *, account=ACCOUNT, namespace=NAMESPACE):
    """Ask the server; a resource is written group:resource/name, of which resource alone is needed."""
    group, _, rest = resource.rpartition(":")
    kind, _, name = rest.partition("/")
    asked = {"group": group, "resource": kind, "name": name, "verb": verb, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account, "resourceAttributes": asked},
    }
    said = cluster.kubectl("create", "-f", "-", "-o", "yaml", given=yaml.safe_dump(review))
    return yaml.safe_load(said)["status"]["allowed"]


@pytest.mark.parametrize("folder", ["cluster", "study"])
def test_applied_again_nothing_changes(cluster, deploy, folder):
    said = cluster.kubectl("apply", "-k", str(deploy / "examples" / folder)).splitlines()
    assert said
    assert [line for line in said if not line.endswith(" unchanged")] == []


def test_the_pipeline_is_kept_whole(cluster, deploy):
    _, written = build(deploy / "examples/study")
    name = written["metadata"]["name"]
    kept = yaml.safe_load(
        cluster.kubectl("get", "pipelineversions.pipelines.kubeflow.org", name, "-n", NAMESPACE, "-o", "yaml")
    )
    assert kept["spec"] == written["spec"]


@pytest.mark.parametrize("kind", ["study", "retraining"])
def test_manifests_are_taken_as_compiled(cluster, tmp_path, kind):
    """`kubectl apply -n my-namespace -f manifests/`, as docs/how-to/kubeflow.md has it."""
    write_manifests(load_study(STUDIES / "paper.yaml"), tmp_path, kind)
    said = cluster.kubectl("apply", "-n", "default", "--validate=strict", "-f", str(tmp_path))
    assert [line.split("/")[0].split(".")[0] for line in said.splitlines()] == ["pipeline", "pipelineversion"]


def test_mlflows_pod_is_admitted_where_all_must_be_restricted(cluster, deploy):
    template = find(build(deploy / "examples/cluster"), "Deployment", "mlflow")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "try"}, "spec": template["spec"]}
    cluster.kubectl("create", "namespace", "strict")
    cluster.kubectl("label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("create", "serviceaccount", "mlflow", "-n", "strict")
    order = ["apply", "--dry-run=server", "-n", "strict", "-f", "-"]
    cluster.kubectl(*order, given=yaml.safe_dump(pod))
    pod["spec"]["securityContext"]["runAsNonRoot"] = False
    refused = cluster.try_kubectl(*order, given=yaml.safe_dump(pod))
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted' in refused.stderr


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "configmaps/kfp-launcher"),
        ("get", "secrets/mlpipeline-minio-artifact"),
        ("get", "pods"),
        ("get", "argoproj.io:workflows"),
        ("create", "argoproj.io:workflowtaskresults"),
        ("patch", "argoproj.io:workflowtaskresults"),
    ],
)
def test_tasks_may_do_what_kubeflow_does_in_their_pods(cluster, verb, resource):
    assert may(cluster, verb, resource)
    assert not may(cluster, verb, resource, namespace="default")
    assert not may(cluster, verb, resource, account=f"system:serviceaccount:{NAMESPACE}:default")


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("get", "secrets/mlflow-login"),
        ("get", "secrets/mlflow-database"),
        ("list", "secrets"),
        ("create", "pods"),
        ("create", "persistentvolumeclaims"),
        ("delete", "argoproj.io:workflows"),
        ("create", "pipelines.kubeflow.org:pipelineversions"),
    ],
)
def test_tasks_may_do_nothing_else(cluster, verb, resource):
    assert not may(cluster, verb, resource)
