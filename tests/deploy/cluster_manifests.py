"""Building the manifests of deploy/ with kubectl, and what Kubernetes asks of them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CRDS = ROOT / "tests/data/kubeflow"
VERSIONS = ["1.29", "1.32", kubernetes_validate.latest_version()]
NAMESPACE = "genotransfer"
LOGIN = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "planted-in-login"}
DATABASE = {
    "PGHOST": "db.example",
    "PGDATABASE": "mlflow",
    "PGUSER": "mlflow",
    "PGPASSWORD": "planted-in-database",
}


def why_not_build() -> str:
    """Return why nothing can be built here; empty where it can."""
    if shutil.which("kubectl") is None:
        return "kubectl is not installed"
    done = subprocess.run(["kubectl", "kustomize", "--help"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"kubectl has no kustomize: {done.stderr}"


def copy_deploy(folder: Path) -> Path:
    """Copy deploy/ without what git ignores in it, with the two files of values filled in."""
    copied = folder / "deploy"
    shutil.copytree(DEPLOY, copied, ignore=shutil.ignore_patterns("*.env", "transfer_study.yaml"))
    for name, values in {"mlflow-login": LOGIN, "mlflow-database": DATABASE}.items():
        lines = [f"{key}={value}\n" for key, value in values.items()]
        asked = (copied / f"examples/cluster/{name}.env.example").read_text()
        assert asked == "".join(f"{key}=\n" for key in values)  # and no value is in it
        (copied / f"examples/cluster/{name}.env").write_text("".join(lines))
    return copied


def build(folder: Path) -> list[dict]:
    """Return the objects of a kustomization."""
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def find(objects: list[dict], kind: str, name: str) -> dict:
    """Return the one object of this kind and name."""
    [found] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def validate(one: dict, version: str) -> None:
    """Raise where an object is not what Kubernetes, or Kubeflow, takes; unknown fields too."""
    if one["apiVersion"].startswith("pipelines.kubeflow.org/"):
        jsonschema.Draft202012Validator(read_crd(one["kind"])).validate(one)
    else:
        kubernetes_validate.validate(one, version, strict=True)


@cache
def read_crd(kind: str) -> dict:
    """Return the schema of a custom resource of Kubeflow, in which an unknown field is an error."""
    for path in CRDS.glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        if spec["names"]["kind"] == kind:
            [schema] = [
                one["schema"]["openAPIV3Schema"] for one in spec["versions"] if one["name"] == "v2beta1"
            ]
            return _close(schema) | {"required": ["apiVersion", "kind", "metadata", "spec"]}
    raise FileNotFoundError(f"No custom resource {kind} in {CRDS}")


def _close(schema: dict) -> dict:
    """Refuse fields that the API server would drop."""
    if "properties" not in schema:
        return schema
    properties = {name: _close(one) for name, one in schema["properties"].items()}
    return schema | {"properties": properties, "additionalProperties": False}


def list_pods(objects: list[dict]) -> list[dict]:
    """Return the specs of all pods that the objects make."""
    return [one["spec"]["template"]["spec"] for one in objects if "template" in one.get("spec", {})]
