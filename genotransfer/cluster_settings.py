"""The section `cluster` of a study: where and how its pipeline runs on Kubernetes.

Nothing here decides a result: these settings change the compiled pipeline alone, and a study run on
this machine does not read them. They stand in the pipeline as they are, so no secret belongs here.
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from genotransfer.settings import Settings

KubernetesName = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$", max_length=253)]
Cpu = Annotated[str, Field(pattern=r"^([0-9]*\.?[0-9]+m?)?$")]
Memory = Annotated[str, Field(pattern=r"^([0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?)?$")]
ImageName = Annotated[
    str, Field(pattern=r"^([a-z0-9][a-zA-Z0-9._:/-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64}))?$")
]
Hours = Annotated[float, Field(gt=0, le=24 * 365)]
Seconds = Annotated[int, Field(ge=1)]
SecretKey = Literal["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"]


class Toleration(Settings):
    """A taint of the GPU nodes that training tasks tolerate, in Kubernetes' words."""

    key: str = Field("", description="of the taint; empty, with operator Exists: every taint")
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["every", "NoSchedule", "PreferNoSchedule", "NoExecute"] = Field(
        "every", description="of the taint"
    )

    @model_validator(mode="after")
    def _agree(self) -> Toleration:
        if self.operator == "Exists" and self.value:
            raise ValueError("a toleration with operator Exists takes no value: leave it out")
        if self.operator == "Equal" and not self.key:
            raise ValueError("a toleration without a key tolerates every taint: say operator Exists")
        return self


class Gpu(Settings):
    """The GPU of the tasks that train networks."""

    count: Literal[0, 1] = Field(0, description="of each training task; the trainer uses one")
    resource: Annotated[str, Field(min_length=1)] = Field(
        "nvidia.com/gpu", description="its name in the cluster"
    )
    node_selector: dict[str, str] = Field(
        default_factory=dict, description="labels of the nodes that training tasks go to"
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, description="taints of those nodes that training tasks tolerate"
    )


class Retries(Settings):
    """How often a task that failed is tried again; not the first, which only checks the study."""

    count: Annotated[int, Field(ge=0, le=10)] = 2
    back_off: Seconds = Field(60, description="seconds before the first retry")
    factor: Annotated[float, Field(ge=1)] = Field(2.0, description="of the wait, from retry to retry")
    most: Seconds = Field(
        86400, description="seconds after the first try began in which a task is tried again"
    )


class Timeouts(Settings):
    """How long tasks and runs may take."""

    task: Hours | None = Field(None, description="hours of a task; no limit when null")
    run: Hours | None = Field(None, description="hours of a run; no limit when null")


class DataRequests(Settings):
    """What each task asks for that trains no networks."""

    cpu: Cpu = Field("500m", description="CPUs, 500m for a half; the cluster decides when empty")
    memory: Memory = Field("1Gi", description="the cluster decides when empty")


class TrainingRequests(Settings):
    """What each task asks for that trains networks."""

    cpu: Cpu = Field("1", description="CPUs; not fewer than training.threads is sensible")
    memory: Memory = Field("3Gi", description="TensorFlow alone takes 640 MB")


class Images(Settings):
    """The container images of the tasks; those of the library's own release when empty."""

    repository: Annotated[str, Field(pattern=r"^([a-z0-9][a-zA-Z0-9._:/-]*[a-zA-Z0-9])?$")] = Field(
        "", description="the folder of a registry that holds both; GENOTRANSFER_IMAGES when empty"
    )
    data: ImageName = Field("", description="of the tasks without TensorFlow, with its tag or digest")
    train: ImageName = Field("", description="of the tasks with TensorFlow, with its tag or digest")
    gpu: ImageName = Field("", description="of the tasks that train networks, where gpu.count is 1")

    @field_validator("data", "train", "gpu")
    @classmethod
    def _refuse_moving_tags(cls, value: str) -> str:
        if value.endswith(":latest"):
            raise ValueError(
                "the tag latest moves, and one pipeline would mean two things: name a release's tag or a digest"
            )
        return value


class Cluster(Settings):
    """Where and how the pipeline runs on Kubernetes. No secret belongs here, and nothing changes a result."""

    endpoint: str = Field("", description="address of Kubeflow Pipelines; KFP_ENDPOINT when empty")
    namespace: KubernetesName = Field("", description="of the runs; empty where Kubeflow has one user")
    pipeline_root: Annotated[str, Field(pattern=r"^((gs|s3|minio)://\S+)?$")] = Field(
        "", description="where artifacts go, e.g. gs://bucket/folder; the cluster's default when empty"
    )
    service_account: KubernetesName = Field("", description="of the tasks; the cluster's default when empty")
    images: Images = Images()
    gpu: Gpu = Gpu()
    data: DataRequests = DataRequests()
    training: TrainingRequests = TrainingRequests()
    retries: Retries = Retries()
    timeout: Timeouts = Timeouts()
    ttl_days: Annotated[float, Field(gt=0, le=24855)] | None = Field(
        None,
        description="days that a run's pods and workflow are kept after its end; the cluster's rule when null",
    )
    run_as_non_root: bool = Field(
        False, description="refuse to start a task as root; the level restricted of pod security asks for it"
    )
    caching: bool = Field(True, description="take the outputs of a task that ran before with the same inputs")
    mlflow_uri: str = Field(
        "", description="MLFLOW_TRACKING_URI of the task that tracks; tracking.uri goes before it"
    )
    mlflow_config: KubernetesName = Field(
        "", description="Kubernetes ConfigMap with MLFLOW_TRACKING_URI, instead of mlflow_uri"
    )
    mlflow_secret: KubernetesName = Field(
        "", description="Kubernetes secret with MLflow's user and password, or token"
    )
    mlflow_keys: Annotated[list[SecretKey], Field(min_length=1)] = Field(
        default=["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"],
        description="keys the secret has; each becomes a variable of that name",
    )

    @field_validator("endpoint", "mlflow_uri")
    @classmethod
    def _refuse_secrets(cls, value: str) -> str:
        if holds_secret(value):
            raise ValueError(
                "the address holds a user or password, and would be shown with the pipeline: leave it out, "
                "and use KFP_TOKEN for Kubeflow or cluster.mlflow_secret for MLflow"
            )
        return value

    @model_validator(mode="after")
    def _find_mlflow_once(self) -> Cluster:
        if self.mlflow_uri and self.mlflow_config:
            raise ValueError("mlflow_uri and mlflow_config both say where MLflow is: leave one out")
        return self


def holds_secret(address: str) -> bool:
    """Return whether an address has a user or password in it, as in https://user:password@host."""
    return "@" in urlsplit(address if "//" in address else f"//{address}").netloc
