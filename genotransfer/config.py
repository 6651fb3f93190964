"""One study: what it is made of. `genotransfer.study_files` reads it from YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, field_validator, model_validator

from genotransfer.candidates import ADAPTED, CHAMPION_SCORE, NETWORK_METHODS
from genotransfer.cluster_settings import Cluster, holds_secret
from genotransfer.errors import StudyError
from genotransfer.models.networks import NETWORKS, check_adaptable, find_network
from genotransfer.panels import DEFAULT_THRESHOLDS
from genotransfer.registry_settings import Registry
from genotransfer.retraining_settings import Retraining
from genotransfer.settings import Settings, Share, Size
from genotransfer.statistics_rules import check_study, fill_defaults, has_statistics
from genotransfer.storage import join_path

ClassicalName = Literal["svm", "cart", "rus", "forest", "bagging"]


def _check_network(name: str) -> str:
    try:
        find_network(name)
    except StudyError as error:
        raise ValueError(str(error)) from error
    return name


NetworkName = Annotated[str, AfterValidator(_check_network)]
ScoreName = Literal[
    "clumping",
    "forward",
    "lasso",
    "elastic_net",
    "gblup",
    "logistic",
    "susie",
    "susie_joint",
    "shrinkage",
    "tuned",
    "coral",
    "tca",
    "ready",
    "champion",
]  # genotransfer.scores.registry
DEFAULT_SCORES: list[ScoreName] = ["clumping", "forward", "lasso", "gblup", "susie", "susie_joint"]
MethodName = Literal[
    "none",
    "snp_transfer",
    "deep_simple",
    "deep_pretrained",
    "deep_finetuned",
    "deep_adapted",
    "score_transfer",
]
TestName = Literal["allelic", "genotypic", "trend", "fisher", "logistic"]
NO_FAMILY = "none"


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
    final_column: str = Field(
        "",
        description="of the target: column of the phenotypes that is 1 for the people of FD and 0 for the "
        "others; FD is drawn where it is empty",
    )


class StatisticsFiles(Settings):
    """Summary statistics of the source, or a published score, instead of its individual data."""

    statistics: list[str] = Field(
        min_length=1, description="a file, or several that make one study, such as one a chromosome"
    )
    reference: str | None = Field(
        description="genotypes of people of the source's population, for LD; null: the target's own people"
    )
    same_people: bool = Field(False, description="the reference are the very people of the statistics")
    format: Literal["auto", "plink2", "gwas-vcf", "pgs-catalog", "table"] = Field(
        "auto", description="of the statistics; pgs-catalog: a published score, used as it is"
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="of a table: its names of id, chromosome, position, counted, other, beta, odds_ratio, "
        "se, p, n, frequency",
    )
    samples: Annotated[float, Field(gt=2)] | None = Field(
        None, description="people of the statistics, where the file does not say"
    )
    case_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="share of cases among them, for an outcome of 0 and 1; null: a quantitative one"
    )

    @field_validator("statistics", mode="before")
    @classmethod
    def _list_files(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _agree(self) -> StatisticsFiles:
        if self.same_people and self.reference is None:
            raise ValueError("same_people is true, but reference is null: name the people's genotypes")
        return self


def _tell_source(value: Any) -> str:
    """Return the tag of a source's settings; one that no setting can be called."""
    return "of statistics" if has_statistics(value) else "of people"


Source = Annotated[
    Annotated[CohortFiles, Tag("of people")] | Annotated[StatisticsFiles, Tag("of statistics")],
    Discriminator(_tell_source),
]


class GenotypeFiles(Settings):
    """Genotypes of real cohorts."""

    kind: Literal["files"]
    folder: str = Field(
        "", description="put before the paths below that are relative; may be gs://bucket/folder"
    )
    source: Source
    target: CohortFiles
    match_by: Literal["auto", "id", "position"] = "auto"
    ambiguous: Literal["drop", "keep"] = Field("drop", description="A/T and C/G variants")
    build: str = Field("", description="genome build, e.g. GRCh38, as a label")

    def resolve(self, path: str) -> str:
        """Return a path with the folder put before it; either may be in a bucket."""
        return join_path(self.folder, path)


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

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
    column: str
    threshold: Literal["mean", "zero", "binary"] | float = Field(
        "binary",
        description="cases are above it: each population's mean, zero, a number; binary: the column says",
    )
    heritability: Share | None = Field(
        None, description="of the SNPs, if known: sets the ceiling; with threshold mean only"
    )

    @model_validator(mode="after")
    def _agree(self) -> PhenotypeColumn:
        if self.heritability is not None and self.threshold != "mean":
            raise ValueError(
                "heritability sets a ceiling, which holds for cases above the mean only: threshold mean"
            )
        return self


class PhenotypeFiles(Settings):
    """Phenotypes of real cohorts, columns of the files named under `genotypes`."""

    kind: Literal["files"]
    columns: list[PhenotypeColumn] = Field(min_length=1)


def name_phenotypes(settings: SimulatedPhenotypes | PhenotypeFiles) -> list[str]:
    """Return the names of phenotypes without the population: ``5_1`` is CEU_5_1 and YRI_5_1."""
    if isinstance(settings, PhenotypeFiles):
        return [column.name for column in settings.columns]
    rounds = range(1, settings.iterations + 1)
    return [f"{risk_snps}_{iteration}" for risk_snps in settings.risk_snps for iteration in rounds]


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
    hwe_p: Share = Field(1e-6, description="least P of the exact Hardy-Weinberg test")
    hwe_in: Literal["auto", "controls", "everybody"] = Field(
        "auto",
        description="auto: controls of a binary phenotype, everybody where a threshold makes the cases",
    )


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
    networks: list[NetworkName] = Field(
        default=list(NETWORKS),
        min_length=1,
        description="also convolutional ones: cnn_1d, cnn_2d, cnn_3d, or with sizes cnn_2d_f64_d1000 (filters, dense "
        "layers)",
    )
    scores: list[ScoreName] = Field(default=DEFAULT_SCORES, min_length=1, description="polygenic scores")
    folds: Annotated[int, Field(ge=2)] = Field(5, description="of the scores' cross-validation")
    champions: dict[str, str] = Field(
        default_factory=dict,
        description="of the score 'champion': by phenotype, a bundle's folder or models:/NAME/VERSION to start "
        "from",
    )


class Training(Settings):
    """How networks are trained, on the source and in fine-tuning."""

    trainer: Literal["stacked", "keras"] = Field(
        "stacked", description="keras trains one network after another, to check the fast trainer by"
    )
    epochs: Size = 50
    batch_size: Size = 32
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    schedule: Literal["none", "exponential", "cosine"] = Field(
        "none", description="of the learning rate, between epochs: cosine falls to 0 after the last epoch"
    )
    decay: Annotated[float, Field(gt=0, le=1)] = Field(
        0.95, description="of schedule exponential: the rate is multiplied by it after each epoch"
    )
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="the rate is multiplied by it where the VD loss stagnates; null: it is not"
    )
    plateau_patience: Size = Field(3, description="epochs without a better VD loss that are a plateau")
    patience: Size = Field(10, description="epochs without a better VD loss before training stops")
    window: Size | None = Field(None, description="SNPs in a time step of the recurrent networks; null: all")
    allow_many_steps: bool = Field(False, description="let a window make more than 700 time steps")
    threads: Size = Field(1, description="of each training task")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="of the fast trainer's layers; weights are float32 throughout"
    )
    memory_gib: Annotated[float, Field(gt=0)] | None = Field(
        None, description="GiB for networks and samples side by side; null: a share of the machine's or GPU's"
    )


class Transfer(Settings):
    """Which forms of transfer are tried."""

    methods: list[MethodName] = Field(
        # All but deep_adapted, which is no method of the paper's and trains one network at a time.
        default=[
            "none",
            "snp_transfer",
            "deep_simple",
            "deep_pretrained",
            "deep_finetuned",
            "score_transfer",
        ],
        min_length=1,
        description="deep_adapted, which learns from people without a label too, is for those who ask",
    )
    fit_on: list[Literal["target", "source"]] = Field(
        default=["target", "source"],
        min_length=1,
        description="what SNP transfer fits the classical models on",
    )
    entropy_weight: Annotated[float, Field(ge=0)] = Field(
        0.1, description="of deep_adapted: of the entropy of people without a label; 0: labels alone"
    )
    temperature: Annotated[float, Field(gt=0)] = Field(
        0.05, description="of deep_adapted: the classifier's cosines are divided by it"
    )


class Selection(Settings):
    """The rule that chooses a phenotype's one model among all methods.

    By method the choice is always the paper's, so that its tables can be set beside the paper's.
    """

    rule: Literal["evidence", "paper"] = Field(
        "evidence", description="paper: the best on the target's ED; evidence: all that source and target say"
    )


class Tracking(Settings):
    """Where runs are logged. No secret belongs here: MLflow reads them from its environment."""

    uri: str = Field("", description="MLflow server; MLFLOW_TRACKING_URI or runs/mlflow.db when empty")
    experiment: str = "genotransfer"

    @field_validator("uri")
    @classmethod
    def _refuse_secrets(cls, value: str) -> str:
        if holds_secret(value):
            raise ValueError(
                "the address holds a user or password, and would be written with the study: leave it out, and "
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_URI"
            )
        return value


class Outputs(Settings):
    """What is written beside the results."""

    figures: bool = True
    interpretation: bool = Field(
        True, description="which variants each chosen model rests on, and whether they are true risk SNPs"
    )
    explained_by: Literal["source", "target"] = Field(
        "source", description="whose people explain the models; the target's where the source has none"
    )
    formats: list[Literal["oxford", "23andme"]] = Field(
        default_factory=list, description="the paper's genotype files of both populations"
    )


class Study(Settings):
    """One study: two populations, their phenotypes, and what is tried on them."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 20221115
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=40)] = "CEU"
    target: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=40)] = "YRI"
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
    registry: Registry = Registry()
    retraining: Retraining = Retraining()
    outputs: Outputs = Outputs()
    cluster: Cluster = Cluster()

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, value: Any) -> Any:
        return fill_defaults(value) if isinstance(value, dict) else value

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
        check_study(self)
        if ADAPTED in self.transfer.methods:
            try:
                check_adaptable(self.models.networks)
            except StudyError as error:
                raise ValueError(str(error)) from error
        lacking = sorted(set(self.phenotype_names) - set(self.models.champions))
        if CHAMPION_SCORE in self.models.scores and len(self.models.scores) > 1:
            raise ValueError(
                "models.scores: 'champion' learns from people who are new to it, and others from all; it is "
                "the only one of its study, as retraining with retraining.mode fine-tune has it"
            )
        if CHAMPION_SCORE in self.models.scores and lacking:
            raise ValueError(
                f"models.scores: 'champion' starts from a model, and models.champions names none for "
                f"{', '.join(lacking)}. Name one, or retrain with retraining.mode fine-tune, which does"
            )
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
            ("models.scores", self.models.scores),
            ("transfer.methods", self.transfer.methods),
            ("transfer.fit_on", self.transfer.fit_on),
            ("panels.source", self.panels.source),
            ("panels.target", self.panels.target),
        ]

    @property
    def statistics(self) -> StatisticsFiles | None:
        """Where the source is known by its statistics alone, their settings."""
        if isinstance(self.genotypes, GenotypeFiles) and isinstance(self.genotypes.source, StatisticsFiles):
            return self.genotypes.source
        return None

    @property
    def phenotype_names(self) -> list[str]:
        """Names of the phenotypes without the population: ``5_1`` is CEU_5_1 and YRI_5_1."""
        return name_phenotypes(self.phenotypes)

    def tests_hwe_in_controls(self, phenotype: str) -> bool:
        """Say whether Hardy-Weinberg proportions are tested in a phenotype's controls, or in everybody.

        Where people were not chosen by the phenotype, proportions hold in all of them. Those below a
        threshold were chosen by it: a SNP of a large effect departs from them there, and would be lost.
        """
        if self.quality.hwe_in != "auto":
            return self.quality.hwe_in == "controls"
        if isinstance(self.phenotypes, SimulatedPhenotypes):
            return False
        return any(one.name == phenotype and one.threshold == "binary" for one in self.phenotypes.columns)

    @property
    def families(self) -> list[str]:
        """Families of the study's networks, in the order of the paper's models.

        A study without deep transfer has the one family ``none``, which has no networks: KFP cannot
        collect the outputs of a loop that has no turn.
        """
        if not set(self.transfer.methods) & set(NETWORK_METHODS):
            return [NO_FAMILY]
        return list(dict.fromkeys(network.split("_")[0] for network in self.models.networks))

    def networks_of(self, family: str) -> list[str]:
        """Return the study's networks of one family; none of the family ``none``."""
        if family not in self.families:
            return []
        return [network for network in self.models.networks if network.split("_")[0] == family]

    def to_json(self, *, with_cluster: bool = True) -> str:
        """Return the study as JSON, every setting written out.

        Tasks are handed the study without its section `cluster`, which decides nothing of theirs:
        another place to run is no reason to run again what the cluster's cache holds.
        """
        return self.model_dump_json(exclude=None if with_cluster else {"cluster"})


SimulatedGenotypes.model_rebuild()
