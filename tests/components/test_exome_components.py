"""Components of an exome called as functions: what they make, and artifacts that are not what is due."""

import json
from pathlib import Path

import pandas as pd
import pytest
from kfp import dsl

from components.artifacts import ExomeFacts, expect
from components.choose_exome_network.component import choose_exome_network
from components.evaluate_exome.component import evaluate_exome
from components.plan_exome_study.component import plan_exome_study
from components.prepare_exome.component import prepare_exome
from components.split_exome.component import split_exome
from components.train_exome_networks.component import train_exome_networks
from genotransfer.errors import StudyError
from genotransfer.genotypes import Genotypes
from tests.components.support import Desk, mislabel
from tests.exome_cnn_support import TINY

EXOME = TINY["exome"] | {"n_samples": 80, "n_cases": 35, "n_variants": 400, "n_genes": 100}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A study planned, its exome prepared and split."""
    made = Desk(tmp_path_factory.mktemp("exome"))
    plan_exome_study.python_func(
        study=json.dumps(TINY | {"exome": EXOME}),
        forms=["dense"],
        planned=made.new("planned"),
        summary=made.new("summary", dsl.Markdown),
    )
    prepare_exome.python_func(
        planned=made["planned"], genotypes=made.new("genotypes"), phenotypes=made.new("phenotypes")
    )
    split_exome.python_func(
        planned=made["planned"],
        genotypes=made["genotypes"],
        phenotypes=made["phenotypes"],
        folds=made.new("folds"),
        tests=made.new("tests"),
    )
    return made


def test_what_the_tasks_before_training_make(desk):
    facts = expect(desk["genotypes"], ExomeFacts)
    genotypes = Genotypes.open(f"{desk['genotypes'].path}/genotypes")
    assert (facts.n_samples, facts.n_variants) == (genotypes.n_samples, genotypes.n_variants) == (80, 400)
    assert facts.sha256 == genotypes.hash_contents()
    assert desk["phenotypes"].metadata["n_cases"] == 35
    assert desk["folds"].metadata == {
        "kind": "exome folds",
        "protocols": "honest, preselected, published",
        "n_folds": 2,
        "display_name": "Folds and their variants",
    }
    labels = pd.read_parquet(f"{desk['tests'].path}/labels.parquet")
    assert len(labels) == 80
    assert labels["phenotype"].sum() == 35
    assert "| Networks | 12 |" in Path(desk["summary"].path).read_text()


def test_forms_that_are_not_the_studys_are_told(desk):
    with pytest.raises(StudyError, match=r"'forms' is \['2d'\], but the study 'tiny' has \['dense'\]"):
        plan_exome_study.python_func(
            study=json.dumps(TINY), forms=["2d"], planned=desk.new("x"), summary=desk.new("y")
        )


def test_artifacts_of_another_kind_are_told(desk):
    with pytest.raises(StudyError, match="The artifact 'phenotypes' is no 'exome folds'"):
        train_exome_networks.python_func(
            planned=desk["planned"],
            form="dense",
            genotypes=desk["genotypes"],
            folds=desk["phenotypes"],
            networks=desk.new("networks"),
            scores=desk.new("scores"),
            models=desk.new("models", dsl.Model),
        )
    with pytest.raises(StudyError, match="'phenotypes' has n_samples 7 where 80 is due"):
        split_exome.python_func(
            planned=desk["planned"],
            genotypes=desk["genotypes"],
            phenotypes=mislabel(desk["phenotypes"], n_samples=7),
            folds=desk.new("f"),
            tests=desk.new("t"),
        )
    with pytest.raises(StudyError, match="The artifact 'tests' is no 'exome networks'"):
        choose_exome_network.python_func(
            planned=desk["planned"], networks=[desk["tests"]], selection=desk.new("selection")
        )
    with pytest.raises(StudyError, match="The artifact 'folds' is no 'exome tests'"):
        evaluate_exome.python_func(
            planned=desk["planned"],
            selection=mislabel(desk["folds"], kind="exome selection", n_networks=1),
            scores=[],
            tests=desk["folds"],
            genotypes=desk["genotypes"],
            results=desk.new("results"),
            metrics=desk.new("metrics", dsl.Metrics),
            performance=desk.new("performance", dsl.ClassificationMetrics),
        )
