"""A model's search as a Katib experiment: its settings tried by trials on a cluster, many at a time.

A trial is one run of `genotransfer try-model`, which prints ``name=value`` for Katib's collector of
standard output. It is judged on the inner folds of one fold's training part; who judges that fold has
no part in it.
"""

from __future__ import annotations

import json
import math
from typing import Any

from genotransfer.comparison.settings import NETWORK_KINDS, ComparedModel, ComparisonStudy, Span
from genotransfer.errors import StudyError
from genotransfer.storage import is_remote

API_VERSION = "kubeflow.org/v1beta1"
CONTAINER = "trial"
STUDY_FOLDER, STUDY_FILE = "/study", "study.json"
LONGEST_NAME = 40  # Katib's limit
# Of Katib: grid and random search, and the tree-structured Parzen estimator for `bayes`.
ALGORITHMS = {"grid": "grid", "random": "random", "bayes": "tpe"}


def make_experiment(
    study: ComparisonStudy, name: str, image: str, *, fold: int = 1, parallel: int = 3
) -> list[dict[str, Any]]:
    """Return the objects of a model's search: the study as a ConfigMap, and the Experiment.

    Parameters
    ----------
    study : its section `cluster` gives namespace, service account, resources and GPUs.
    name : of the model, which has a search.
    image : container image of tasks that train.
    fold : whose training part the trials learn from, from 1.
    parallel : trials at a time.

    Raises
    ------
    StudyError
        There is no such model or fold, the model has no search, the study's data are files of this machine,
        or the names are too long for Katib.

    Source
    ------
    Katib's Experiment, kubeflow.org/v1beta1.
    """
    model = study.find_model(name)
    if model.search.kind == "none":
        raise StudyError(
            f"Model {name} has no search. Give it one, as models.search, for Katib to carry out."
        )
    if not 1 <= fold <= study.folds.outer:
        raise StudyError(f"There is no fold {fold}. Choose from 1 to {study.folds.outer}.")
    here = [path for path in study.list_inputs() if path and not is_remote(path)]
    if here:
        raise StudyError(
            f"{here[0]} is on this machine, where no trial can read it. Put the study's data at gs:// addresses, "
            "or simulate them."
        )
    called = f"{study.name}-{name}-{fold}".replace("_", "-")
    if len(called) > LONGEST_NAME or not called[0].isalpha():
        raise StudyError(
            f"Katib takes names of up to {LONGEST_NAME} characters that begin with a letter, and {called!r} is none. "
            "Rename the study or the model."
        )
    metadata: dict[str, Any] = {"name": called}
    if study.cluster.namespace:
        metadata["namespace"] = study.cluster.namespace
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {STUDY_FILE: study.model_copy(update={"models": [model]}).to_json(with_cluster=False)},
    }
    most = count_trials(model)
    names = list(model.search.space)
    experiment = {
        "apiVersion": API_VERSION,
        "kind": "Experiment",
        "metadata": metadata,
        "spec": {
            "objective": {"type": "maximize", "objectiveMetricName": study.scoring},
            "algorithm": _make_algorithm(study, model),
            "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
            "parallelTrialCount": min(parallel, most),
            "maxTrialCount": most,
            "maxFailedTrialCount": min(3, most),
            "parameters": [_make_parameter(one, model.search.space[one]) for one in names],
            "trialTemplate": {
                "primaryContainerName": CONTAINER,
                "trialParameters": [
                    {"name": one, "description": f"{one} of {name}", "reference": one} for one in names
                ],
                "trialSpec": _make_job(study, model, called, image, fold),
            },
        },
    }
    return [config, experiment]


def count_trials(model: ComparedModel) -> int:
    """Return how many settings a model's search tries."""
    if model.search.kind != "grid":
        return model.search.iterations
    return math.prod(len(values) for values in model.search.space.values() if isinstance(values, list))


def list_arguments(names: list[str], name: str, fold: int) -> list[str]:
    """Return the trial's command, with Katib's placeholders for the values."""
    given = [f"--parameter={one}=${{trialParameters.{one}}}" for one in names]
    return ["genotransfer", "try-model", f"{STUDY_FOLDER}/{STUDY_FILE}", name, f"--fold={fold}", *given]


def _make_algorithm(study: ComparisonStudy, model: ComparedModel) -> dict[str, Any]:
    algorithm: dict[str, Any] = {"algorithmName": ALGORITHMS[model.search.kind]}
    if model.search.kind != "grid":
        seed = str(study.seed % 2**31)
        algorithm["algorithmSettings"] = [{"name": "random_state", "value": seed}]
    return algorithm


def _make_parameter(name: str, values: Any) -> dict[str, Any]:
    if isinstance(values, Span):
        space = {"min": _write(values.low), "max": _write(values.high)}
        if values.whole:
            bounds = {"min": str(int(values.low)), "max": str(int(values.high))}
            return {"name": name, "parameterType": "int", "feasibleSpace": bounds}
        space["distribution"] = "logUniform" if values.log else "uniform"
        return {"name": name, "parameterType": "double", "feasibleSpace": space}
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    return {
        "name": name,
        "parameterType": "discrete" if numbers else "categorical",
        "feasibleSpace": {"list": [_write(one) for one in values]},
    }


def _write(value: Any) -> str:
    """Return a value as Katib passes it on and `try-model` reads it, in YAML's words."""
    return json.dumps(value).strip('"')


def _make_job(
    study: ComparisonStudy, model: ComparedModel, called: str, image: str, fold: int
) -> dict[str, Any]:
    cluster = study.cluster
    requests = {
        key: value
        for key, value in (("cpu", cluster.training.cpu), ("memory", cluster.training.memory))
        if value
    }
    resources: dict[str, Any] = {"requests": requests} if requests else {}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        # Katib runs it in a shell that copies what it prints to the collector.
        "command": list_arguments(list(model.search.space), model.name, fold),
        "volumeMounts": [
            {"name": "study", "mountPath": STUDY_FOLDER, "readOnly": True},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 the container's own
        ],
    }
    pod: dict[str, Any] = {
        "containers": [container],
        "restartPolicy": "Never",
        "volumes": [
            {"name": "study", "configMap": {"name": called}},
            {"name": "scratch", "emptyDir": {}},
        ],
    }
    if cluster.service_account:
        pod["serviceAccountName"] = cluster.service_account
    if cluster.run_as_non_root:
        pod["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    if cluster.gpu.count and model.kind in NETWORK_KINDS:
        resources["limits"] = {cluster.gpu.resource: str(cluster.gpu.count)}
        pod["nodeSelector"] = dict(cluster.gpu.node_selector)
        pod["tolerations"] = [
            {key: value for key, value in _list_toleration(one).items() if value}
            for one in cluster.gpu.tolerations
        ]
    if resources:
        container["resources"] = resources
    # A service mesh's proxy would keep the pod from ending.
    template = {"metadata": {"annotations": {"sidecar.istio.io/inject": "false"}}, "spec": pod}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": template}}


def _list_toleration(one: Any) -> dict[str, str]:
    effect = "" if one.effect == "every" else one.effect
    return {"key": one.key, "operator": one.operator, "value": one.value, "effect": effect}
