"""What a bundle says of itself: the pydantic model of ``bundle.json``, written and read in one place."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, ValidationError, field_validator

from genotransfer.errors import InputError
from genotransfer.settings import Settings, Share, Size

FORMAT_VERSION = 1
MANIFEST = "bundle.json"
VARIANTS, CALIBRATION, ANCESTRY = "variants.parquet", "calibration.parquet", "ancestry.parquet"
LEARNERS = "learners.parquet"
MOST_ROWS, MOST_BYTES = 20_000_000, 1 << 32  # of a table
ROWS_AT_ONCE = 1 << 16
REMEDY = "Export the bundle again, or copy the whole folder again from where it was made"
Count = Annotated[int, Field(ge=0)]


class BundleMember(Settings):
    """One of the models whose log odds are averaged."""

    folder: str = Field(description="of the saved predictor, within the bundle")
    key: str
    method: str
    model: str
    weight: Share


class FinalEvaluation(Settings):
    """What the study measured on FD, or on an exome's test people; an undefined number is null."""

    n: Count
    n_cases: Count
    sha256: str = Field(
        description="of FD's fileset, or the whole exome's: .bed, .bim and .fam, in this order"
    )
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    auc: float | None
    auc_low: float | None
    auc_high: float | None


class CalibrationFacts(Settings):
    """How FD's labels follow the probabilities: logit P(case) = intercept + slope * logit(probability).

    Both are null where FD has one class, too few people, or is parted by the probabilities.
    """

    intercept: float | None
    slope: float | None
    brier: float | None


class AncestryFacts(Settings):
    """The ancestry statistic among the people that learnt; null where nobody's could be measured.

    Each person's frequencies are those of the others, so that a new person compares with them.
    """

    n_variants: Count
    target_mean: float | None
    target_sd: float | None
    source_mean: float | None
    source_sd: float | None


class BundleFacts(Settings):
    """All facts of a bundle."""

    format_version: Literal[1] = 1
    library_version: str
    study: str
    phenotype: str
    source: str = Field(description="the population knowledge came from; empty where there is none")
    target: str
    method: str
    build: str = Field(description="genome build of the positions, a label; empty where unknown")
    threshold: Annotated[float, Field(ge=0.5, le=0.5)] = 0.5
    n_source: Count = Field(description="people of the source that learnt; 0 where statistics stand for them")
    n_target: Size = Field(description="people of the target that learnt")
    n_target_cases: Count = Field(description="cases among them: the share the probabilities are for")
    imputation: Literal["target mean", "source mean", "most common genotype", "model mean"] = Field(
        description="what a missing dosage counts as; most common genotype: where the whole variant is absent, "
        "of a network that reads genotypes; model mean: members differ"
    )
    members: list[BundleMember] = Field(min_length=1)
    final: FinalEvaluation | None
    calibration: CalibrationFacts
    ancestry: AncestryFacts
    sha256: dict[str, str] = Field(description="of every other file of the bundle")

    @field_validator("sha256")
    @classmethod
    def _stay_within(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            parts = PurePosixPath(name).parts
            if not parts or name.startswith("/") or ".." in parts or "\\" in name:
                raise ValueError(f"{name!r} is no file within the bundle")
        return value

    @property
    def tested_on(self) -> str:
        """What the people are called on whom the model was measured."""
        return "FD" if self.source else "the test people"

    @property
    def case_share(self) -> float:
        """Share of cases among the target's people that learnt, 0 to 1."""
        return self.n_target_cases / self.n_target


def describe_final(measured: Mapping[Hashable, Any], sha256: str) -> FinalEvaluation:
    """Return what was measured, of a row of results; NaN is written as null.

    Parameters
    ----------
    measured : n, n_cases, accuracy, low, high, auc, auc_low, auc_high.
    sha256 : of the people's fileset.
    """

    def number(name: str) -> float | None:
        value = float(measured[name])
        return value if math.isfinite(value) else None

    return FinalEvaluation(
        n=int(measured["n"]),
        n_cases=int(measured["n_cases"]),
        sha256=sha256,
        accuracy=float(measured["accuracy"]),
        accuracy_low=number("low"),
        accuracy_high=number("high"),
        auc=number("auc"),
        auc_low=number("auc_low"),
        auc_high=number("auc_high"),
    )


def read_bundle_table(path: Path) -> pd.DataFrame:
    """Read a Parquet table of a bundle.

    Raises
    ------
    InputError
        It is absent, is no such table, or says it has more rows or bytes than memory should be given for.
    """
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(path)
        size = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
        if about.num_rows > MOST_ROWS or size > MOST_BYTES:
            raise ValueError(
                f"{about.num_rows:,} rows and {size:,} bytes are more than a model has variants for"
            )
        # What is said of sizes is of packed data; a word that is packed once can be unpacked a million times.
        unpacked = 0
        for part in pq.ParquetFile(path).iter_batches(batch_size=ROWS_AT_ONCE):
            unpacked += part.nbytes
            if unpacked > MOST_BYTES:
                raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
        return pd.read_parquet(path)
    except Exception as error:  # pyarrow raises a kind for each way of being broken
        raise InputError(f"this is no Parquet table: {error}", file=path, remedy=REMEDY) from error


def read_facts(folder: str | Path) -> BundleFacts:
    """Read ``bundle.json``.

    Raises
    ------
    InputError
        There is none, it is of another format, or a fact is missing or wrong.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise InputError(
            "there is no bundle here", file=path, remedy="Name a folder that `genotransfer export` wrote"
        )
    try:
        return BundleFacts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        if place == "format_version":
            raise InputError(
                f"the bundle's format_version is {first['input']!r}, this release reads {FORMAT_VERSION}",
                file=path,
                remedy="Use the release of genotransfer that wrote it",
            ) from error
        raise InputError(
            f"the bundle's manifest is not valid: {place or 'the file'}: {first['msg']}",
            file=path,
            remedy=REMEDY,
        ) from error
