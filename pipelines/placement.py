"""The pipeline as a cluster runs it: the same function, its tasks placed as the study's `cluster` says."""

import functools
from typing import Any

from kfp import dsl, kubernetes
from kfp.dsl import pipeline_context

from components import images
from genotransfer.cluster_settings import Cluster, Gpu
from genotransfer.release import RELEASE_VARIABLE, name_release
from pipelines.kinds import KINDS

# The tasks that train networks, and take a GPU.
TRAINING_TASKS = ("train-source-models", "transfer-models", "train-exome-networks", "judge-model")
TRACKING_TASKS = (
    "track-study",
    "register-models",
    "promote-models",
    "train-scores",
    "measure-drift",
    "plan-retraining",
    "track-comparison",
    "track-exome",
    "register-exome",
)
# It opens the networks that training made.
LARGE_TASKS = (*TRAINING_TASKS, "register-exome")
# What it looks at is no input that KFP knows of: what was found before may not be so now.
LOOKING_TASK = "plan-retraining"
# They fail by the user's mistakes alone, which no second try mends.
PLANNING_TASKS = ("plan-study", "plan-exome-study", "plan-comparison")
HOUR = 3600
DAY = 24 * HOUR


def place_pipeline(cluster: Cluster, kind: str = "study") -> Any:
    """Return a pipeline with every task placed.

    Parameters
    ----------
    cluster : where and how it runs.
    kind : of `pipelines.kinds.KINDS`.

    Returns
    -------
    A KFP graph component, to be compiled.
    """
    module = KINDS[kind].open_module()
    compose = getattr(module, KINDS[kind].compose)

    @functools.wraps(compose)
    def placed(*arguments: Any, **named: Any) -> None:
        compose(*arguments, **named)
        for task in pipeline_context.Pipeline.get_default_pipeline().tasks.values():
            place_task(task, cluster)

    return dsl.pipeline(
        name=module.NAME,
        description=module.DESCRIPTION,
        display_name=module.TITLE,
        pipeline_root=cluster.pipeline_root or None,
        pipeline_config=_configure(cluster),
    )(placed)


def place_task(task: dsl.PipelineTask, cluster: Cluster) -> None:
    """Give a task its image, resources, GPU, retries, limits and MLflow's secret."""
    name = task.component_spec.name
    task.set_container_image(find_image(task.container_spec.image, name, cluster))
    task.set_env_variable(RELEASE_VARIABLE, name_release())
    requests = cluster.training if name in LARGE_TASKS else cluster.data
    if requests.cpu:
        task.set_cpu_request(requests.cpu)
    if requests.memory:
        task.set_memory_request(requests.memory)
    if cluster.retries.count and name not in PLANNING_TASKS:
        task.set_retry(
            cluster.retries.count,
            backoff_duration=f"{cluster.retries.back_off}s",
            backoff_factor=cluster.retries.factor,
            backoff_max_duration=f"{cluster.retries.most}s",
        )
    if not cluster.caching or name == LOOKING_TASK:
        task.set_caching_options(False)
    if cluster.run_as_non_root:
        kubernetes.set_security_context(task, run_as_non_root=True)
    if cluster.timeout.task is not None:
        kubernetes.set_timeout(task, _to_seconds(cluster.timeout.task * HOUR))
    if cluster.gpu.count and name in TRAINING_TASKS:
        _place_on_gpu(task, cluster.gpu)
    if name in TRACKING_TASKS:
        _let_track(task, cluster)


def find_image(named: str, task: str, cluster: Cluster) -> str:
    """Return the image a task runs in.

    Parameters
    ----------
    named : the image its component names, `images.DATA` or `images.TRAIN`.
    task : its name; one that trains networks has an image of its own where there are GPUs.
    cluster : the study's settings, which go before that.
    """
    chosen = cluster.images
    if named == images.DATA:
        return chosen.data or images.name_image("data", chosen.repository)
    if cluster.gpu.count and task in TRAINING_TASKS:
        return chosen.gpu or images.name_image("train-gpu", chosen.repository)
    return chosen.train or images.name_image("train", chosen.repository)


def _place_on_gpu(task: dsl.PipelineTask, gpu: Gpu) -> None:
    task.set_accelerator_type(gpu.resource)
    task.set_accelerator_limit(gpu.count)
    for label, value in gpu.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for one in gpu.tolerations:
        kubernetes.add_toleration(
            task,
            key=one.key or None,
            operator=one.operator,
            value=one.value or None,
            effect=None if one.effect == "every" else one.effect,
        )


def _let_track(task: dsl.PipelineTask, cluster: Cluster) -> None:
    if cluster.mlflow_uri:
        task.set_env_variable("MLFLOW_TRACKING_URI", cluster.mlflow_uri)
    if cluster.mlflow_config:
        kubernetes.use_config_map_as_env(
            task,
            config_map_name=cluster.mlflow_config,
            config_map_key_to_env={"MLFLOW_TRACKING_URI": "MLFLOW_TRACKING_URI"},
        )
    if cluster.mlflow_secret:
        # The pipeline holds the secret's name and its keys; Kubernetes puts the values into the pod.
        kubernetes.use_secret_as_env(
            task,
            secret_name=cluster.mlflow_secret,
            secret_key_to_env={key: key for key in cluster.mlflow_keys},
        )


def _configure(cluster: Cluster) -> dsl.PipelineConfig | None:
    if cluster.ttl_days is None and cluster.timeout.run is None:
        return None
    return dsl.PipelineConfig(
        ttl_seconds_after_finished=None if cluster.ttl_days is None else _to_seconds(cluster.ttl_days * DAY),
        active_deadline_seconds=None
        if cluster.timeout.run is None
        else _to_seconds(cluster.timeout.run * HOUR),
    )


def _to_seconds(seconds: float) -> int:
    """Return whole seconds, at least one: to Kubernetes, 0 is no limit."""
    return max(1, round(seconds))
