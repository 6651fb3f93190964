"""Settings of the model registry: what is registered, and when a champion gives way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from genotransfer.settings import Settings, Share

FinalHash = Annotated[str, Field(pattern=r"^[0-9a-f]{12,64}$")]


class Registration(Settings):
    """MLflow's model registry: whether a study's model goes there, and as what."""

    enabled: bool = Field(True, description="register each phenotype's chosen model as challenger")
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]*)?$")] = Field(
        "", description="models are called PREFIX-TARGET-PHENOTYPE; the study's name when empty"
    )


class Registry(Registration):
    """MLflow's model registry: one registered model for each phenotype of the target."""

    promote: bool = Field(True, description="let a challenger that is better become the champion")
    measure: Literal["auc", "accuracy"] = Field(
        "auc", description="of FD, by which challenger and champion are compared in pairs"
    )
    level: Share = Field(0.05, description="a challenger is better where the two-tailed P value is below it")
    least_gain: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="and where it is better by at least this"
    )
    reuse_final: list[FinalHash] = Field(
        default_factory=list,
        description="hashes, or their first 12 digits, of FDs that may decide although they have before",
    )
