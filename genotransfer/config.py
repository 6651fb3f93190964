"""One study: what it is made of, read from YAML and checked before anything runs."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from genotransfer.candidates import DEEP_METHODS
from genotransfer.errors import InputError, StudyError
from genotransfer.panels import DEFAULT_THRESHOLDS

ClassicalName = Literal["svm", "cart", "rus", "forest", "bagging"]
NetworkName = Literal[
    "ann_1", "ann_2", "ann_3", "gru_1", "gru_2", "lstm_1", "lstm_2", "bilstm_1", "bilstm_2"
]  # Muneeb 2022, Tables 4 and 5: models 1-3, 4 and 7, 5 and 8, 6 and 9
MethodName = Literal["none", "snp_transfer", "deep_simple", "deep_pretrained", "deep_finetuned"]
TestName = Literal["allelic", "genotypic", "trend", "fisher", "logistic"]
NO_FAMILY = "none"
Share = Annotated[float, Field(ge=0, le=1)]
Size = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SimulatedGenotypes(Settings):
    """Genotypes copied from a reference panel by the Li-Stephens model."""

    kind: Literal["simulated"] = "simulated"
    haplotypes: dict[str, PanelFiles] = Field(
        default_factory=dict,
        description="the user's own panel of each population; the shipped panel where none is given",
    )
    maf: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.01, description="variants rarer than this in either population are left out"
    )
    ne: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="effective size of each population; HAPGEN2's advice where none"
    )
    theta: Annotated[float, Field(gt=0)] | None = Field(
        None, description="mutation rate of the copying model"
    )
    max_variants: Size | None = Field(
        None, description="keep this many variants, evenly spaced; all when null"
    )


class PanelFiles(Settings):
    """A reference panel in HAPGEN2's files."""

    hap: str
    legend: str
    map: str
    chromosome: str


class CohortFiles(Settings):
    """Genotypes and phenotypes of one population in files."""

    genotypes: str = Field(description="PLINK prefix, .gen (with its .sample beside it), .vcf or .bcf")
    phenotypes: str = Field(description="table with a header and a column of individual ids")
    iid_column: str = "IID"


class GenotypeFiles(Settings):
    """Genotypes of real cohorts."""

    kind: Literal["files"]
    folder: str = Field("", description="put before the paths below that are relative")
    source: CohortFiles
    target: CohortFiles
    match_by: Literal["auto", "id", "position"] = "auto"
    ambiguous: Literal["drop", "keep"] = Field("drop", description="A/T and C/G variants")
    build: str = Field("", description="genome build, e.g. GRCh38, as a label")

    def resolve(self, path: str) -> Path:
        """Return a path with the folder put before it."""
        return Path(self.folder) / path


class SimulatedPhenotypes(Settings):
    """Phenotypes drawn by PhenotypeSimulator's model on the study's genotypes."""

    kind: Literal["simulated"] = "simulated"
    preset: Literal["paper", "additive", "null"] = "paper"
    heritability: Share = Field(0.5, description="of the risk SNPs, preset additive only")
    risk_snps: list[Size] = Field(default_factory=lambda: [5, 10], min_length=1)
    iterations: Size = 4
    effect_correlation: Share = Field(1.0, description="of the risk SNPs' effects between the populations")


class PhenotypeColumn(Settings):
    """One phenotype of real cohorts."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    column: str
    threshold: Literal["mean", "zero", "binary"] | float = Field(
        "binary",
        description="cases are above it: each population's mean, zero, a number; binary: the column says",
    )
    heritability: Share | None = Field(None, description="of the SNPs, if known: sets the ceiling")


class PhenotypeFiles(Settings):
    """Phenotypes of real cohorts, columns of the files named under `genotypes`."""

    kind: Literal["files"]
    columns: list[PhenotypeColumn] = Field(min_length=1)


class SplitSizes(Settings):
    """Samples that train (TD), stop early (VD) and select (ED)."""

    TD: Size
    VD: Size
    ED: Size

    @property
    def total(self) -> int:
        """Samples of the three splits together."""
        return self.TD + self.VD + self.ED


class SourceSizes(SplitSizes):
    """Splits of the source; Muneeb 2022, Methods."""

    TD: Size = 700
    VD: Size = 100
    ED: Size = 200


class TargetSizes(SplitSizes):
    """Splits of the target; Muneeb 2022, Methods."""

    TD: Size = 70
    VD: Size = 10
    ED: Size = 20


class Splits(Settings):
    """Sizes of the splits of both populations, and of the target's final data."""

    source: SourceSizes = SourceSizes()
    target: TargetSizes = TargetSizes()
    final: Size | None = Field(50, description="size of FD; null takes every sample the splits leave")


class Quality(Settings):
    """Thresholds of quality control, applied to each population's TD, VD and ED."""

    maf: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    variant_call_rate: Share = 0.95
    sample_call_rate: Share = 0.95
    hwe_p: Share = Field(1e-6, description="exact Hardy-Weinberg test in controls")


class Association(Settings):
    """The test that orders the SNPs, on TD only."""

    test: TestName = "allelic"


class Panels(Settings):
    """Thresholds of the SNP panels, the paper's sub-datasets.

    Where none are given they are those that make panels of about the sizes of the paper's Tables 1
    and 2 among the study's common SNPs when nothing is associated.
    """

    statistic: Literal["p", "difference"] = "p"
    source: list[Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: list(DEFAULT_THRESHOLDS["p", "source"]), min_length=1
    )
    target: list[Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: list(DEFAULT_THRESHOLDS["p", "target"]), min_length=1
    )

    @model_validator(mode="before")
    @classmethod
    def _choose_thresholds(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("statistic") != "difference":
            return value
        defaults = {name: list(DEFAULT_THRESHOLDS["difference", name]) for name in ("source", "target")}
        return defaults | value


class Models(Settings):
    """The models of the study."""

    classical: list[ClassicalName] = Field(default=["svm", "cart", "rus", "forest", "bagging"], min_length=1)
    networks: list[NetworkName] = Field(default=list(get_args(NetworkName)), min_length=1)


class Training(Settings):
    """How networks are trained, on the source and in fine-tuning."""

    trainer: Literal["keras"] = "keras"
    epochs: Size = 50
    batch_size: Size = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    patience: Size = Field(10, description="epochs without a better VD loss before training stops")
    window: Size | None = Field(None, description="SNPs in a time step of the recurrent networks; null: all")
    allow_many_steps: bool = Field(False, description="let a window make more than 700 time steps")
    threads: Size = Field(1, description="of each training task")


class Transfer(Settings):
    """Which forms of transfer are tried."""

    methods: list[MethodName] = Field(default=list(get_args(MethodName)), min_length=1)
    fit_on: list[Literal["target", "source"]] = Field(
        default=["target", "source"],
        min_length=1,
        description="what SNP transfer fits the classical models on",
    )


class Selection(Settings):
    """The rule that chooses the best model on ED."""

    rule: Literal["paper"] = "paper"


class Tracking(Settings):
    """Where runs are logged. No secret belongs here: MLflow reads them from its environment."""

    uri: str = Field("", description="MLflow server; MLFLOW_TRACKING_URI or runs/mlflow.db when empty")
    experiment: str = "genotransfer"


class Outputs(Settings):
    """What is written beside the results."""

    figures: bool = True
    formats: list[Literal["oxford", "23andme"]] = Field(
        default_factory=list, description="the paper's genotype files of both populations"
    )


class Study(Settings):
    """One study: two populations, their phenotypes, and what is tried on them."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20221115
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")] = "CEU"
    target: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")] = "YRI"
    genotypes: SimulatedGenotypes | GenotypeFiles = Field(
        default_factory=SimulatedGenotypes, discriminator="kind"
    )
    phenotypes: SimulatedPhenotypes | PhenotypeFiles = Field(
        default_factory=SimulatedPhenotypes, discriminator="kind"
    )
    splits: Splits = Splits()
    quality: Quality = Quality()
    association: Association = Association()
    panels: Panels = Panels()
    models: Models = Models()
    training: Training = Training()
    transfer: Transfer = Transfer()
    selection: Selection = Selection()
    tracking: Tracking = Tracking()
    outputs: Outputs = Outputs()

    @field_validator("genotypes", "phenotypes", mode="before")
    @classmethod
    def _name_kind(cls, value: Any) -> Any:
        return {"kind": "simulated"} | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _agree(self) -> Study:
        if self.source == self.target:
            raise ValueError(f"source and target are both {self.source!r}; name two populations")
        if self.phenotypes.kind == "files" and self.genotypes.kind != "files":
            raise ValueError("phenotypes of kind 'files' need genotypes of kind 'files'")
        if self.genotypes.kind == "simulated" and self.splits.final is None:
            raise ValueError("splits.final must be a number when genotypes are simulated")
        for what, named in self._list_names():
            if len(set(named)) != len(named):
                raise ValueError(f"{what} named twice: {named}")
        return self

    def _list_names(self) -> list[tuple[str, list[Any]]]:
        """Return the lists in which nothing may stand twice; what is doubled would be trained twice."""
        return [
            ("risk SNPs", self.phenotypes.risk_snps if self.phenotypes.kind == "simulated" else []),
            ("phenotypes", self.phenotype_names),
            ("models.classical", self.models.classical),
            ("models.networks", self.models.networks),
            ("transfer.methods", self.transfer.methods),
            ("transfer.fit_on", self.transfer.fit_on),
            ("panels.source", self.panels.source),
            ("panels.target", self.panels.target),
        ]

    @property
    def phenotype_names(self) -> list[str]:
        """Names of the phenotypes without the population: ``5_1`` is CEU_5_1 and YRI_5_1."""
        if self.phenotypes.kind == "files":
            return [column.name for column in self.phenotypes.columns]
        rounds = range(1, self.phenotypes.iterations + 1)
        return [f"{risk_snps}_{iteration}" for risk_snps in self.phenotypes.risk_snps for iteration in rounds]

    @property
    def families(self) -> list[str]:
        """Families of the study's networks, in the order of the paper's models.

        A study without deep transfer has the one family ``none``, which has no networks: KFP cannot
        collect the outputs of a loop that has no turn.
        """
        if not set(self.transfer.methods) & set(DEEP_METHODS):
            return [NO_FAMILY]
        return list(dict.fromkeys(network.split("_")[0] for network in self.models.networks))

    def networks_of(self, family: str) -> list[str]:
        """Return the study's networks of one family; none of the family ``none``."""
        return [network for network in self.models.networks if network.split("_")[0] == family]

    def to_json(self) -> str:
        """Return the study as JSON, every setting written out."""
        return self.model_dump_json()


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-6 is a number, as in JSON; YAML 1.1 reads it as text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _read_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


def load_study(path: str | Path, overrides: list[str] | None = None) -> Study:
    """Read a study from YAML.

    Parameters
    ----------
    path : the study file.
    overrides : settings that replace the file's, each ``key.key=value``, the value in YAML.

    Raises
    ------
    InputError
        The file cannot be read, a key is unknown, or a value is of the wrong type or range.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such study file", file=path, remedy="Check the path")
    text = path.read_text()
    try:
        raw = _read_yaml(text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"this is no YAML: {getattr(error, 'problem', error)}",
            file=path,
            row=mark.line + 1 if mark else None,
            remedy="Mend the line; indent with spaces",
        ) from error
    if not isinstance(raw, dict):
        raise InputError("a study is a mapping of settings", file=path, remedy="Begin with 'name: …'")
    overridden = [_apply_override(raw, one) for one in overrides or []]
    try:
        return Study.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise _explain(error, path, node, overridden) from error


def parse_study(text: str) -> Study:
    """Return the study given as JSON or YAML text, as pipelines pass it.

    Raises
    ------
    StudyError
        The text is no valid study.
    """
    try:
        return Study.model_validate_json(json.dumps(_read_yaml(text)))
    except (ValidationError, yaml.YAMLError, TypeError) as error:
        raise StudyError(f"The study is not valid: {error}") from error


def _apply_override(raw: dict[str, Any], override: str) -> tuple[str, ...]:
    key, equals, value = override.partition("=")
    if not equals:
        raise StudyError(f"--set {override!r} has no '='. Write --set key.key=value.")
    keys = tuple(key.strip().split("."))
    place = raw
    for one in keys[:-1]:
        place = place.setdefault(one, {})
        if not isinstance(place, dict):
            raise StudyError(f"--set {override!r}: {one!r} is no group of settings.")
    place[keys[-1]] = _read_yaml(value)
    return keys


def _explain(
    error: ValidationError, path: Path, node: yaml.Node | None, overridden: list[tuple[str, ...]]
) -> InputError:
    """Say the first thing wrong in the words of the study file, with its row."""
    first = error.errors()[0]
    # pydantic names the branch of a union in the location; a key of the file never looks like it.
    keys = tuple(part for part in first["loc"] if part not in {"simulated", "files"})
    dotted = ".".join(str(part) for part in keys) or "the study"
    if first["type"] == "extra_forbidden":
        known = _known_keys(keys[:-1])
        near = difflib.get_close_matches(str(keys[-1]), known, n=1)
        problem = f"unknown key {dotted!r}"
        remedy = f"Did you mean {near[0]!r}" if near else f"Known here: {', '.join(known)}"
    elif first["type"] == "missing":
        problem, remedy = f"{dotted!r} is missing", "Add it"
    else:
        problem = f"{dotted}: {first['msg'][:1].lower()}{first['msg'][1:].removeprefix('Value error, ')}"
        if first["type"] == "value_error":
            problem = f"{dotted}: {first['ctx']['error']}"
            remedy = "Change one of the settings named"
        else:
            remedy = f"The value given is {first['input']!r}"
    if len(error.errors()) > 1:
        problem += f" (and {len(error.errors()) - 1} more)"
    given = any(keys[: len(one)] == one for one in overridden)
    return InputError(
        problem,
        remedy=remedy,
        file=f"{path} with --set" if given else path,
        row=None if given else _row(node, keys),
    )


def _known_keys(keys: tuple[Any, ...]) -> list[str]:
    schema = Study.model_json_schema()
    groups = [schema]
    for key in keys:
        if isinstance(key, int):
            continue
        groups = [
            part for group in groups for part in _follow(group.get("properties", {}).get(key, {}), schema)
        ]
    return sorted({name for group in groups for name in group.get("properties", {})})


def _follow(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return [schema["$defs"][node["$ref"].rsplit("/", 1)[1]]]
    branches = [*node.get("oneOf", []), *node.get("anyOf", []), *node.get("allOf", [])]
    if "items" in node:
        branches.append(node["items"])
    return [found for branch in branches for found in _follow(branch, schema)]


def _row(node: yaml.Node | None, keys: tuple[Any, ...]) -> int | None:
    row = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pairs = [(name, value) for name, value in node.value if name.value == str(key)]
            if not pairs:
                return row
            row, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            row = node.start_mark.line + 1
        else:
            return row
    return row


SimulatedGenotypes.model_rebuild()
