"""Kinds of artifact: what each says of itself, written and read in one place.

KFP's own types say little ("a Dataset"). Each artifact of a study therefore carries metadata that
one pydantic model for its kind writes and checks: handing a task the wrong kind, population or
phenotype is an error that names the artifact.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from genotransfer.errors import StudyError


class ArtifactFacts(BaseModel):
    """Base of the metadata of every kind."""

    model_config = ConfigDict(extra="ignore")
    kind: str


class StudyFacts(ArtifactFacts):
    """A study as JSON."""

    kind: Literal["study"] = "study"
    name: str
    seed: int


class GenotypesFacts(ArtifactFacts):
    """A folder with a PLINK fileset ``genotypes``."""

    kind: Literal["genotypes"] = "genotypes"
    role: Literal["source", "target", "final"]
    population: str
    n_samples: int
    n_variants: int
    build: str
    counted_allele: Literal["A1"] = "A1"
    sha256: str


class AlignmentFacts(ArtifactFacts):
    """A folder with the counts of how the populations were brought to common variants."""

    kind: Literal["alignment"] = "alignment"
    n_common: int


class PhenotypesFacts(ArtifactFacts):
    """A folder with ``source.tsv`` and ``target.tsv``, or ``final.tsv``: FID IID phenotype split."""

    kind: Literal["phenotypes"] = "phenotypes"
    role: Literal["learning", "final"]
    phenotype: str
    n_samples: int
    n_cases: int


class TruthFacts(ArtifactFacts):
    """A folder with the risk SNPs and effects a phenotype was simulated from."""

    kind: Literal["truth"] = "truth"
    phenotype: str
    heritability: float | None = None
    n_risk_snps: int


class VariantsFacts(ArtifactFacts):
    """A folder with the variants quality control kept, and the counts of its steps."""

    kind: Literal["variants"] = "variants"
    phenotype: str
    n_variants: int


class AssociationFacts(ArtifactFacts):
    """A folder with ``source.parquet`` and ``target.parquet``, PLINK's columns."""

    kind: Literal["association"] = "association"
    phenotype: str
    test: str


class PanelsFacts(ArtifactFacts):
    """A folder with ``panels.parquet`` (panel, population, id, counted, other) and ``sizes.parquet``."""

    kind: Literal["panels"] = "panels"
    phenotype: str
    n_source: int
    n_target: int
    n_empty: int


class CohortsFacts(ArtifactFacts):
    """A folder with one subfolder for each phenotype: source.tsv, target.tsv, panels.parquet."""

    kind: Literal["cohorts"] = "cohorts"
    phenotypes: str


class LeaderboardFacts(ArtifactFacts):
    """A Parquet table of candidates."""

    kind: Literal["leaderboard"] = "leaderboard"
    part: str
    n_candidates: int


class ModelsFacts(ArtifactFacts):
    """A folder of saved models."""

    kind: Literal["models"] = "models"
    part: str
    n_models: int


class SelectionFacts(ArtifactFacts):
    """A folder with ``chosen.parquet``, ``tied.parquet`` and the whole ``leaderboard.parquet``."""

    kind: Literal["selection"] = "selection"
    n_candidates: int


class ResultsFacts(ArtifactFacts):
    """A folder with the results on FD."""

    kind: Literal["results"] = "results"
    n_rows: int


class TrackedFacts(ArtifactFacts):
    """The ids of MLflow's runs, JSON."""

    kind: Literal["tracked"] = "tracked"


class RegisteredFacts(ArtifactFacts):
    """The versions of registered models, JSON."""

    kind: Literal["registered"] = "registered"
    n_versions: int


class DecisionsFacts(ArtifactFacts):
    """What was decided of challengers, JSON."""

    kind: Literal["decisions"] = "decisions"
    n_promoted: int


class LandingFacts(ArtifactFacts):
    """What a retraining found new, JSON."""

    kind: Literal["landing"] = "landing"
    outcome: str
    n_new: int


class DriftFacts(ArtifactFacts):
    """A folder with ``drift.json`` and ``variants.parquet``."""

    kind: Literal["drift"] = "drift"
    n_drifted: int


class FiguresFacts(ArtifactFacts):
    """A folder of PNG files."""

    kind: Literal["figures"] = "figures"
    phenotype: str


class InterpretationFacts(ArtifactFacts):
    """A folder with ``importance.parquet``, ``recovery.parquet``, ``facts.json`` and figures."""

    kind: Literal["interpretation"] = "interpretation"
    n_models: int


class ReportFacts(ArtifactFacts):
    """A folder with ``report.html``, ``results.csv``, ``tables`` and ``figures``."""

    kind: Literal["report"] = "report"


class PredictionFacts(ArtifactFacts):
    """A table of predictions, one row a person, tab-separated."""

    kind: Literal["prediction"] = "prediction"
    study: str
    phenotype: str
    n_people: int
    n_warnings: int


class PeopleFacts(ArtifactFacts):
    """A folder with a fileset and a phenotype of each population, and the folds of the target's people."""

    kind: Literal["people"] = "people"
    study: str
    n_source: int
    n_target: int
    n_variants: int


class JudgedFacts(ArtifactFacts):
    """A folder with what cross-validation found of one model."""

    kind: Literal["judged"] = "judged"
    model: str


class ExomeFacts(ArtifactFacts):
    """A folder with an exome's fileset ``genotypes``, its genes, and what is known of it; no phenotype."""

    kind: Literal["exome"] = "exome"
    n_samples: int
    n_variants: int
    sha256: str


class ExomeLabelsFacts(ArtifactFacts):
    """A folder with an exome's ``phenotypes.tsv``."""

    kind: Literal["exome labels"] = "exome labels"
    n_samples: int
    n_cases: int


class ExomeFoldsFacts(ArtifactFacts):
    """A folder with each protocol's and fold's ``people.parquet`` and ``variants.parquet``."""

    kind: Literal["exome folds"] = "exome folds"
    protocols: str
    n_folds: int


class ExomeTestsFacts(ArtifactFacts):
    """A folder with the labels of the test people, for the one task that reads them."""

    kind: Literal["exome tests"] = "exome tests"
    n_folds: int


class ExomeNetworksFacts(ArtifactFacts):
    """A folder with the leaderboard and the learning curves of one form's networks."""

    kind: Literal["exome networks"] = "exome networks"
    form: str
    n_networks: int


class ExomeScoresFacts(ArtifactFacts):
    """A folder with one form's scores of the test people."""

    kind: Literal["exome scores"] = "exome scores"
    form: str


class ExomeSelectionFacts(ArtifactFacts):
    """A folder with ``leaderboard.parquet`` and ``chosen.parquet``."""

    kind: Literal["exome selection"] = "exome selection"
    n_networks: int


class ExomeResultsFacts(ArtifactFacts):
    """A folder with the results on the test people."""

    kind: Literal["exome results"] = "exome results"
    n_rows: int


Facts = TypeVar("Facts", bound=ArtifactFacts)

# What a person reads in Kubeflow's list of artifacts, by kind; names in braces are the facts'.
TITLES = {
    "study": "Study {name}",
    "genotypes": "Genotypes of {population}, {role}",
    "alignment": "Variants in common",
    "phenotypes": "Labels of {phenotype}, {role}",
    "truth": "Risk SNPs of {phenotype}",
    "variants": "Variants kept for {phenotype}",
    "association": "Association with {phenotype}",
    "panels": "SNP panels of {phenotype}",
    "cohorts": "Labels and panels of all phenotypes",
    "leaderboard": "Candidates of {part}",
    "models": "Models of {part}",
    "selection": "Chosen models",
    "results": "Results on FD",
    "figures": "Figures of {phenotype}",
    "interpretation": "What the chosen models rest on",
    "report": "Report, tables and figures",
    "tracked": "Runs in MLflow",
    "registered": "Challengers",
    "decisions": "Decisions on challengers",
    "landing": "New cohorts",
    "drift": "Drift",
    "prediction": "Predictions",
    "people": "People of {study}, dealt to folds",
    "judged": "Judgement of {model}",
    "exome": "Exome of {n_samples} people",
    "exome labels": "Cases and controls",
    "exome folds": "Folds and their variants",
    "exome tests": "Labels of the test people",
    "exome networks": "Networks of form {form}",
    "exome scores": "Test people scored by form {form}",
    "exome selection": "Chosen networks",
    "exome results": "Results on the test people",
}


def describe(artifact: Any, facts: ArtifactFacts) -> None:
    """Write the facts, and the name by which they are shown, into the artifact's metadata."""
    values = facts.model_dump(exclude_none=True)
    artifact.metadata.update(values)
    name_shown({TITLES.get(facts.kind, facts.kind).format_map(values): artifact})


def name_shown(artifacts: dict[str, Any]) -> None:
    """Set the names by which Kubeflow lists artifacts; they are those of the task's outputs otherwise."""
    for name, artifact in artifacts.items():
        artifact.metadata["display_name"] = name


def expect(artifact: Any, kind: type[Facts], **values: object) -> Facts:
    """Return the artifact's facts, having checked that they are of this kind and have these values.

    Raises
    ------
    StudyError
        The artifact is of another kind, or of another role, population or phenotype.
    """
    name = getattr(artifact, "name", "") or artifact.uri
    try:
        facts = kind.model_validate({"kind": ""} | artifact.metadata)
    except ValidationError as error:
        fields = ", ".join(str(one["loc"][0]) for one in error.errors())
        raise StudyError(
            f"The artifact {name!r} is no {kind.model_fields['kind'].default!r}: its metadata is "
            f"{dict(artifact.metadata)}, wrong in {fields}. Connect the output of the task that makes one."
        ) from error
    for field, value in values.items():
        if getattr(facts, field) != value:
            raise StudyError(
                f"The artifact {name!r} has {field} {getattr(facts, field)!r} where {value!r} is due. "
                "Connect the task's inputs in the order of their names."
            )
    return facts


def expect_genotypes(**artifacts: Any) -> None:
    """Check that each artifact holds the genotypes of the role it is given as.

    Raises
    ------
    StudyError
        An artifact is no genotypes, or those of another role.
    """
    for role, artifact in artifacts.items():
        expect(artifact, GenotypesFacts, role=role)


def list_data(genotypes: list[Any], phenotypes: list[Any]) -> list[Any]:
    """Return genotypes and labels as the datasets of a study.

    Raises
    ------
    StudyError
        An artifact is of another kind.
    """
    from genotransfer.tracking.datasets import Datum, hash_folder

    data = []
    for one in genotypes:
        facts = expect(one, GenotypesFacts)
        name = f"{facts.population} {facts.role} genotypes"
        data.append(Datum(name, facts.role, facts.sha256, one.uri, facts.n_samples, facts.n_variants))
    for one in phenotypes:
        labels = expect(one, PhenotypesFacts, role="learning")
        name = f"{labels.phenotype} labels"
        data.append(Datum(name, "learning", hash_folder(one.path), one.uri, labels.n_samples))
    return data
