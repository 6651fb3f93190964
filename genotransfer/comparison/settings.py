"""One comparison of models: what it is made of. Its YAML says `pipeline: comparison`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from genotransfer.cluster_settings import Cluster
from genotransfer.config import (
    CohortFiles,
    GenotypeFiles,
    PhenotypeFiles,
    Quality,
    ScoreName,
    SimulatedGenotypes,
    SimulatedPhenotypes,
    StatisticsFiles,
    Tracking,
    name_phenotypes,
)
from genotransfer.errors import StudyError
from genotransfer.settings import Settings, Size

ModelKind = Literal["logistic", "svm", "forest", "network", "transfer", "score"]
Scoring = Literal["roc_auc", "accuracy", "balanced_accuracy", "neg_log_loss", "neg_brier_score"]
Imbalance = Literal["none", "weights", "oversample", "undersample", "smote"]
CLASSICAL_KINDS = ("logistic", "svm", "forest")
NETWORK_KINDS = ("network", "transfer")
SOURCE_KINDS = ("transfer", "score")
Value = bool | int | float | str | None


class Span(Settings):
    """Numbers between two bounds, for a random search."""

    low: float
    high: float
    log: bool = Field(False, description="even on the logarithm, for what spans orders of magnitude")
    whole: bool = Field(False, description="whole numbers only, both bounds among them")

    @model_validator(mode="after")
    def _agree(self) -> Span:
        if not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low} has no logarithm; give a number above 0, or log false")
        if self.whole and (self.log or self.low != int(self.low) or self.high != int(self.high)):
            raise ValueError("whole numbers have whole bounds, and log false")
        return self


def _tell_values(value: Any) -> str:
    """Return the tag of what a search draws from; one that no setting can be called."""
    return "of values" if isinstance(value, list) else "between bounds"


Values = Annotated[
    Annotated[list[Value], Tag("of values")] | Annotated[Span, Tag("between bounds")],
    Discriminator(_tell_values),
]


class SnpSelection(Settings):
    """SNPs chosen anew in the training part of every fold; each step works on what the one before left."""

    associated: Size | None = Field(500, description="the so many most associated with the phenotype")
    r2: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, description="correlation filter: of two SNPs correlated this much the weaker is left out"
    )
    recursive: Size | None = Field(None, description="recursive feature elimination down to so many")


class Search(Settings):
    """How a model's settings are searched, on folds inside the training part."""

    kind: Literal["none", "grid", "random", "bayes"] = Field(
        "none", description="bayes: Optuna's sampler, of the extra `tuning`"
    )
    iterations: Size = Field(10, description="of random and bayes")
    space: dict[str, Values] = Field(
        default_factory=dict,
        description="by step__parameter of the model's pipeline: a list of values, or bounds {low, high}",
    )

    @model_validator(mode="after")
    def _agree(self) -> Search:
        if (self.kind == "none") != (not self.space):
            raise ValueError("a search has a kind and a space, or neither")
        for name, values in self.space.items():
            if isinstance(values, Span) and self.kind == "grid":
                raise ValueError(f"{name}: a grid has lists of values; bounds are for random and bayes")
            if not isinstance(values, Span) and not values:
                raise ValueError(f"{name}: the list of values is empty")
        return self


class ComparedModel(Settings):
    """One model of the comparison."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
    kind: ModelKind
    network: str = Field("", description="of the kinds network and transfer, e.g. ann_1")
    score: ScoreName | None = Field(None, description="of the kind score")
    learn_on: Literal["source", "both"] = Field(
        "both", description="of the kind score: what the effects are learnt on"
    )
    selection: SnpSelection = SnpSelection()
    encoding: Literal["additive", "one_hot"] = Field(
        "additive", description="of a genotype: copies of the counted allele, or an indicator of each"
    )
    scaling: bool = Field(True, description="mean 0 and deviation 1 in the training part")
    imbalance: Imbalance = "none"
    settings: dict[str, Value] = Field(
        default_factory=dict, description="of the model's pipeline, by step__parameter"
    )
    search: Search = Search()

    @model_validator(mode="after")
    def _agree(self) -> ComparedModel:
        if (self.kind in NETWORK_KINDS) != bool(self.network):
            raise ValueError(f"{self.name}: the kinds network and transfer, and no others, have a network")
        if (self.kind == "score") != (self.score is not None):
            raise ValueError(f"{self.name}: the kind score, and no other, has a score")
        if self.kind not in CLASSICAL_KINDS:
            if self.encoding != "additive" or not self.scaling:
                raise ValueError(
                    f"{self.name}: a {self.kind} has a form of its own for genotypes; leave encoding additive and "
                    "scaling true"
                )
            if self.imbalance in ("weights", "smote"):
                raise ValueError(
                    f"{self.name}: {self.imbalance} is for {', '.join(CLASSICAL_KINDS)}; choose oversample, "
                    "undersample or none"
                )
        if self.kind in SOURCE_KINDS and self.selection.recursive is not None:
            raise ValueError(
                f"{self.name}: SNPs of a {self.kind} are chosen in the source, by association; selection.recursive "
                "is for models of the target alone"
            )
        if self.kind == "score" and self.imbalance != "none":
            raise ValueError(f"{self.name}: a score's intercept knows the share of cases; imbalance is none")
        if doubled := sorted(set(self.settings) & set(self.search.space)):
            raise ValueError(f"{self.name}: {doubled[0]} is set and searched; leave one of the two")
        return self


class ComparedFolds(Settings):
    """Cross-validation: the same folds for every model."""

    outer: Annotated[int, Field(ge=2)] = Field(5, description="folds that judge")
    inner: Annotated[int, Field(ge=2)] = Field(3, description="folds of a search, inside the training part")
    groups: str = Field(
        "",
        description="who stays together: FID for the families of the genotypes, or a column of the target's "
        "phenotype file; nobody when empty",
    )


class People(Settings):
    """How many people of simulated populations."""

    source: Size = 800
    target: Size = 400


class NetworkTraining(Settings):
    """How networks are trained; what a search of a model names goes before it."""

    epochs: Size = 50
    batch_size: Size = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    patience: Size = Field(10, description="epochs without a better loss before training stops")
    held_out: Annotated[float, Field(gt=0, lt=0.5)] = Field(
        0.15, description="share of the training part on which training is stopped"
    )
    threads: Size = 1


class Cost(Settings):
    """What a model's training costs: its seconds by this price."""

    per_hour: Annotated[float, Field(ge=0)] = Field(0.10, description="price of the machine for an hour")
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")] = "USD"


class ComparisonStudy(Settings):
    """One comparison: people, one phenotype, folds, and the models that are judged on them."""

    pipeline: Literal["comparison"] = "comparison"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20221115
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=40)] = "CEU"
    target: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=40)] = "YRI"
    genotypes: SimulatedGenotypes | GenotypeFiles = Field(
        default_factory=lambda: SimulatedGenotypes(max_variants=3000), discriminator="kind"
    )
    phenotypes: SimulatedPhenotypes | PhenotypeFiles = Field(
        default_factory=lambda: SimulatedPhenotypes(preset="additive", risk_snps=[5], iterations=1),
        discriminator="kind",
    )
    phenotype: str = Field("", description="which of the phenotypes; the first where empty")
    people: People = People()
    quality: Quality = Quality()
    folds: ComparedFolds = ComparedFolds()
    scoring: Scoring = Field("roc_auc", description="what searches look at")
    training: NetworkTraining = NetworkTraining()
    models: list[ComparedModel] = Field(min_length=1)
    cost: Cost = Cost()
    tracking: Tracking = Tracking()
    cluster: Cluster = Cluster()

    @field_validator("genotypes", "phenotypes", mode="before")
    @classmethod
    def _name_kind(cls, value: Any) -> Any:
        return {"kind": "simulated"} | value if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _agree(self) -> ComparisonStudy:
        if self.source == self.target:
            raise ValueError(f"source and target are both {self.source!r}; name two populations")
        if self.phenotypes.kind == "files" and self.genotypes.kind != "files":
            raise ValueError("phenotypes of kind 'files' need genotypes of kind 'files'")
        if isinstance(self.genotypes, GenotypeFiles):
            if isinstance(self.genotypes.source, StatisticsFiles):
                raise ValueError("genotypes.source: a comparison needs people of the source, not statistics")
            if self.genotypes.target.final_column:
                raise ValueError(
                    "genotypes.target.final_column: cross-validation judges everyone, and has no FD"
                )
        elif self.folds.groups not in ("", "FID"):
            raise ValueError("folds.groups: simulated people have no column of families")
        if self.quality.hwe_in == "controls":
            raise ValueError(
                "quality.hwe_in: quality control of a comparison reads no label, and tests everybody; leave it out"
            )
        if self.phenotype and self.phenotype not in self.phenotype_names:
            raise ValueError(
                f"phenotype {self.phenotype!r} is none of the study's: {', '.join(self.phenotype_names)}"
            )
        if self.scoring in ("neg_log_loss", "neg_brier_score"):
            for model in self.models:
                if model.kind == "svm" and not model.settings.get("classifier__probability"):
                    raise ValueError(
                        f"scoring: {self.scoring} is of probabilities, and the svm {model.name} has none; choose "
                        "another scoring, or leave the model out"
                    )
        names = self.model_names
        if len(set(names)) != len(names):
            raise ValueError(f"models named twice: {names}")
        return self

    @property
    def phenotype_names(self) -> list[str]:
        """Names of the phenotypes, as a transfer study names them."""
        return name_phenotypes(self.phenotypes)

    @property
    def compared_phenotype(self) -> str:
        """The one phenotype of the comparison."""
        return self.phenotype or self.phenotype_names[0]

    @property
    def model_names(self) -> list[str]:
        """Names of the models, in the study's order."""
        return [model.name for model in self.models]

    def find_model(self, name: str) -> ComparedModel:
        """Return a model by its name.

        Raises
        ------
        StudyError
            There is no such model.
        """
        for model in self.models:
            if model.name == name:
                return model
        raise StudyError(
            f"The study {self.name!r} has no model {name!r}. It has: {', '.join(self.model_names)}."
        )

    def to_json(self, *, with_cluster: bool = True) -> str:
        """Return the study as JSON, every setting written out, as `genotransfer.config.Study` does."""
        return self.model_dump_json(exclude=None if with_cluster else {"cluster"})

    def list_inputs(self) -> list[str]:
        """Return every text that may be the path of something that tasks read."""
        genotypes = self.genotypes
        if isinstance(genotypes, SimulatedGenotypes):
            return [path for files in genotypes.haplotypes.values() for path in files.model_dump().values()]
        cohorts = [one for one in (genotypes.source, genotypes.target) if isinstance(one, CohortFiles)]
        return [genotypes.resolve(path) for one in cohorts for path in (one.genotypes, one.phenotypes)]
