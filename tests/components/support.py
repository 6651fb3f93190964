"""Components called as functions, with artifacts as a task has them."""

from pathlib import Path
from typing import Any

from kfp import dsl

from components.artifacts import GenotypesFacts, describe
from components.gather_cohorts.component import gather_cohorts
from components.plan_study.component import plan_study
from components.prepare_genotypes.component import prepare_genotypes
from components.prepare_phenotypes.component import prepare_phenotypes

STUDY = """
name: parts
seed: 5
genotypes: {max_variants: 300}
phenotypes: {preset: additive, heritability: 0.8, risk_snps: [2], iterations: 2}
splits: {source: {TD: 60, VD: 10, ED: 10}, target: {TD: 30, VD: 6, ED: 10}, final: 12}
panels: {source: [0.05], target: [0.1]}
models: {classical: [svm], networks: [ann_1], scores: [susie, susie_joint]}
"""
PHENOTYPES = ["2_1", "2_2"]
ROLES = ("source", "target", "final")


class Desk:
    """A folder of artifacts by name, and the tasks that make them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, dsl.Artifact] = {}

    def new(self, name: str, kind: type[dsl.Artifact] = dsl.Dataset) -> Any:
        """Return a fresh artifact, as KFP hands one to a task that is to write it."""
        self.made[name] = kind(name=name, uri=str(self.folder / name), metadata={})
        return self.made[name]

    def __getitem__(self, name: str) -> Any:
        return self.made[name]

    def plan(self, text: str = STUDY) -> None:
        plan_study.python_func(
            study=text,
            phenotypes=PHENOTYPES,
            families=["ann"],
            planned=self.new("planned"),
            summary=self.new("summary", dsl.Markdown),
        )

    def prepare(self) -> None:
        """Plan a study, make its genotypes and the labels of both phenotypes."""
        self.plan()
        names = [f"{role}_genotypes" for role in ROLES]
        outputs = {name: self.new(name) for name in (*names, "alignment")}
        prepare_genotypes.python_func(planned=self["planned"], **outputs)
        for phenotype in PHENOTYPES:
            prepare_phenotypes.python_func(
                planned=self["planned"],
                phenotype=phenotype,
                **{name: self[name] for name in names},
                phenotypes=self.new(f"phenotypes_{phenotype}"),
                final_phenotypes=self.new(f"final_{phenotype}"),
                truth=self.new(f"truth_{phenotype}"),
            )

    def gather(self, phenotypes: list[Any], panels: list[Any]) -> None:
        gather_cohorts.python_func(phenotypes=phenotypes, panels=panels, cohorts=self.new("cohorts"))


def mislabel(artifact: Any, **facts: object) -> Any:
    """Return a copy of an artifact that says other things of itself."""
    copy = type(artifact)(name=artifact.name, uri=artifact.uri, metadata=dict(artifact.metadata))
    copy.metadata.update(facts)
    return copy


def make_facts(role: str) -> dict[str, object]:
    artifact = dsl.Dataset(name="x", uri="x", metadata={})
    describe(
        artifact,
        GenotypesFacts(role=role, population="A", n_samples=1, n_variants=1, build="", sha256="0"),
    )
    return artifact.metadata
