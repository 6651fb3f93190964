"""One study of an exome by convolutional networks: its settings, those of Henriques et al. 2025 as defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from genotransfer.cluster_settings import Cluster
from genotransfer.config import Tracking
from genotransfer.exome.settings import ExomeSettings
from genotransfer.exome.synthetic import ExomeShape
from genotransfer.exome_cnn.protocols import ProtocolName
from genotransfer.registry_settings import Registration
from genotransfer.settings import Settings, Share, Size

KIND: Literal["exome-cnn"] = "exome-cnn"
Form = Literal["1d", "2d", "3d", "dense"]
Layers = Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(min_length=1, max_length=3)]
Inner = Annotated[float, Field(gt=0, lt=1)]


class SimulatedExome(ExomeShape):
    """A synthetic exome of cases and controls, drawn by the study's seed."""

    kind: Literal["simulated"] = "simulated"


class ExomeFiles(Settings):
    """An exome in files."""

    kind: Literal["files"]
    genotypes: str = Field(
        description=".vcf, .vcf.gz or .bcf; or a PLINK prefix, which is taken as it stands"
    )
    phenotypes: str = Field(description="table with a header and a column of individual ids")
    column: str = Field(description="of the phenotype: 0 and 1, or PLINK's 1 and 2")
    iid_column: str = "IID"
    threshold: Literal["mean", "zero", "binary"] | float = Field(
        "binary",
        description="cases are above it: the mean of everybody with a value, zero, a number; binary: the "
        "column says",
    )
    quality: ExomeSettings = Field(ExomeSettings(), description="of a VCF or BCF; see docs/how-to/exomes.md")
    genes: str | None = Field(None, description="gene models, for gene_weights: refGene table, GTF or BED")
    heritability: Share | None = Field(
        None, description="of the variants, if known: sets the ceiling; of liability in the population"
    )
    prevalence: Annotated[float, Field(ge=1e-5, le=1 - 1e-5)] | None = Field(
        None,
        description="share of cases in the population, e.g. 0.01 for schizophrenia, which the ceiling depends on; "
        "null: the sample is taken for the population, as in a cohort",
    )


class Preselection(Settings):
    """Which variants networks read: chi-squared of the genotypes, uncorrected."""

    p: Annotated[float, Field(gt=0, le=1)] | None = Field(0.05, description="keep those at or below it")
    n_variants: Size | None = Field(None, description="keep at most so many, those of least p")

    @model_validator(mode="after")
    def _agree(self) -> Preselection:
        if self.p is None and self.n_variants is None:
            raise ValueError("p and n_variants are both null: give one of them (p: 1 keeps every variant)")
        return self


class Sweep(Settings):
    """The networks that are tried; Henriques 2025, Tables 1 and 2."""

    forms: list[Form] = Field(
        default=["1d", "2d", "3d"],
        min_length=1,
        description="of the convolutions; dense: a network of dense layers of 30 and 10 units without any",
    )
    filters: list[Annotated[int, Field(ge=1, le=256)]] = Field(default=[64, 32], min_length=1)
    batch_sizes: list[Size] = Field(default=[64, 32], min_length=1)
    layers: list[Layers] = Field(
        default=[[1000], [500, 100], [1000, 500], [1000, 1000]],
        min_length=1,
        description="units of the dense layers, bottom to top",
    )
    every: bool = Field(
        False,
        description="every combination; otherwise filters and batch sizes are combined with the first of "
        "layers, and the other layers tried with the first filters and batch size",
    )


class People(Settings):
    """How people are parted, stratified by case and control."""

    folds: Annotated[int, Field(ge=2)] | None = Field(
        None, description="everybody is tested once, in this many folds; null: one split"
    )
    test: Inner = Field(0.15, description="share of the test people of the one split")
    validation: Inner = Field(0.15, description="share of the others that stops the training and chooses")


class CnnTraining(Settings):
    """How the networks are trained."""

    trainer: Literal["stacked", "keras"] = "stacked"
    epochs: Size = 50
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    schedule: Literal["none", "exponential", "cosine"] = Field(
        "exponential",
        description="of the learning rate, between epochs: cosine falls to 0 after the last epoch",
    )
    decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.95, description="of schedule exponential: the rate is multiplied by it after each epoch"
    )
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        0.5, description="the rate is multiplied by it where the loss stagnates; null: it is not"
    )
    plateau_patience: Size = Field(3, description="epochs without a lower loss that are a plateau")
    patience: Size = Field(10, description="epochs without a lower loss before training stops")
    threads: Size = Field(1, description="of each training task")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="of the fast trainer's layers; weights are float32 throughout"
    )
    memory_gib: Annotated[float, Field(gt=0)] | None = Field(
        None, description="GiB for networks and samples; null: a share of the machine's or GPU's"
    )

    @model_validator(mode="after")
    def _agree(self) -> CnnTraining:
        if self.trainer == "keras" and self.precision != "float32":
            raise ValueError(
                f"precision {self.precision} is of trainer stacked alone, and keras trains in float32: leave one out"
            )
        return self


class ExomeCnnStudy(Settings):
    """One study of an exome: its people, its variants, the networks, and the protocols that are compared."""

    pipeline: Literal["exome-cnn"] = KIND
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20250616
    exome: SimulatedExome | ExomeFiles = Field(default_factory=SimulatedExome, discriminator="kind")
    people: People = People()
    preselection: Preselection = Preselection()
    gene_weights: str | None = Field(
        None, description="table with the columns gene and weight: what each gene's inputs are multiplied by"
    )
    sweep: Sweep = Sweep()
    training: CnnTraining = CnnTraining()
    protocols: list[ProtocolName] = Field(default=["honest", "published"], min_length=1)
    tracking: Tracking = Tracking()
    registry: Registration = Registration()
    cluster: Cluster = Cluster()

    @field_validator("exome", mode="before")
    @classmethod
    def _name_kind(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {"kind": "files" if "genotypes" in value else "simulated"} | value

    @model_validator(mode="after")
    def _agree(self) -> ExomeCnnStudy:
        for what, named in (
            ("protocols", self.protocols),
            ("sweep.forms", self.sweep.forms),
            ("sweep.filters", self.sweep.filters),
            ("sweep.batch_sizes", self.sweep.batch_sizes),
            ("sweep.layers", [tuple(one) for one in self.sweep.layers]),
        ):
            if len(set(named)) != len(named):
                raise ValueError(f"{what} names one twice: {named}")
        if "honest" not in self.protocols:
            raise ValueError("protocols lacks 'honest', without which no accuracy means anything: add it")
        if self.gene_weights and self.exome.kind == "files" and not self.exome.genes:
            raise ValueError(
                "gene_weights needs exome.genes: gene models that say which gene a variant is in"
            )
        if self.gene_weights and "3d" in self.sweep.forms:
            raise ValueError(
                "gene_weights multiplies standardised inputs, and form 3d reads genotypes: leave one of them out"
            )
        return self

    @property
    def loops(self) -> list[str]:
        """What the pipeline's loop goes over: the forms."""
        return list(self.sweep.forms)

    def to_json(self, *, with_cluster: bool = True) -> str:
        """Return the study as JSON, every setting written out; tasks get it without its section `cluster`."""
        return self.model_dump_json(exclude=None if with_cluster else {"cluster"})

    def list_inputs(self) -> list[str]:
        """Return every text that may be the path of something tasks read."""
        named = [self.gene_weights]
        if isinstance(self.exome, ExomeFiles):
            named += [self.exome.genotypes, self.exome.phenotypes, self.exome.genes]
        return [one for one in named if one]
