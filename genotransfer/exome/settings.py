"""Settings of an exome's quality control; the defaults are those of Henriques et al. 2025."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError

from genotransfer.errors import StudyError
from genotransfer.settings import Settings, Share

SEX_CHROMOSOMES = ("X", "Y", "XY")
Chosen = TypeVar("Chosen", bound=Settings)


class ExomeSettings(Settings):
    """Filters of `control_exome`, in the order they are applied.

    Raises
    ------
    pydantic.ValidationError
        A value is of the wrong type or out of range, or a key is unknown.
    """

    # A list stands for a tuple (not strict): that is what a study file has, and what its tasks are handed.
    excluded_samples: tuple[str, ...] = Field(
        (), strict=False, description="samples that are left out, before anything is counted"
    )
    quality: Annotated[float, Field(ge=0)] | None = Field(
        30.0, description="records are kept with a QUAL above this; a missing QUAL is not. null: no filter"
    )
    passed_only: bool = Field(False, description="keep records with FILTER PASS (or none given) only")
    drop_unseen: bool = Field(True, description="drop records with AC = 0: no sample left has an alternative")
    depth: Annotated[float, Field(ge=0)] = Field(
        8.0, description="least depth, read as depth_of says; 0: no filter"
    )
    depth_of: Literal["site", "genotype", "info"] = Field(
        "site",
        description="site: mean of the samples' DP, none given counts 0 (vcftools --min-meanDP); genotype: "
        "genotypes below it become missing (vcftools --minDP); info: INFO/DP as the file has it",
    )
    call_rate: Share = Field(
        0.9, description="least share of samples with a whole genotype (vcftools --max-missing)"
    )
    split: bool = Field(True, description="split records with several alternatives; without it, drop them")
    excluded_chromosomes: tuple[str, ...] = Field(
        SEX_CHROMOSOMES, strict=False, description="chromosomes that are left out, named without chr"
    )
    snps_only: bool = Field(True, description="drop indels and whatever is no change of one base")


def parse_settings(kind: type[Chosen], overrides: list[str] | None = None) -> Chosen:
    """Return settings from ``key=value`` texts, the value in YAML.

    Raises
    ------
    StudyError
        A key is unknown, or a value is of the wrong type or out of range.
    """
    raw: dict[str, Any] = {}
    for one in overrides or []:
        key, equals, value = one.partition("=")
        if not equals:
            raise StudyError(f"--set {one!r} has no '='. Write --set key=value.")
        raw[key.strip()] = yaml.safe_load(value)
    try:
        return kind.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        known = ", ".join(kind.model_fields)
        raise StudyError(f"--set {key}: {first['msg']}. Known keys: {known}.") from error
