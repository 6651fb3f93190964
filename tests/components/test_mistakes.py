"""Each artifact of each task, when it is not what it should be, is an error that names it."""

import importlib
from typing import get_args

import pytest
from kfp import dsl

from components import artifacts
from genotransfer.errors import StudyError
from tests.components.support import STUDY, Desk, mislabel
from tests.components.test_wiring import NAMES

# By the name of an input: what an artifact of its kind says of itself. A list has one of each.
FACTS = {
    "planned": {"kind": "study", "name": "parts", "seed": 5},
    "source_genotypes": {"kind": "genotypes", "role": "source"},
    "target_genotypes": {"kind": "genotypes", "role": "target"},
    "final_genotypes": {"kind": "genotypes", "role": "final"},
    "alignment": {"kind": "alignment", "n_common": 3},
    "phenotypes": {"kind": "phenotypes", "role": "learning", "n_samples": 9, "n_cases": 4},
    "final_phenotypes": {"kind": "phenotypes", "role": "final", "n_samples": 9, "n_cases": 4},
    "truth": {"kind": "truth", "n_risk_snps": 2},
    "variants": {"kind": "variants", "n_variants": 3},
    "association": {"kind": "association", "test": "allelic"},
    "panels": {"kind": "panels", "n_source": 1, "n_target": 1, "n_empty": 0},
    "cohorts": {"kind": "cohorts", "phenotypes": "2_1"},
    "baselines": {"kind": "leaderboard", "part": "baselines/2_1", "n_candidates": 1},
    "scores": {"kind": "leaderboard", "part": "scores/2_1", "n_candidates": 1},
    "transferred": {"kind": "leaderboard", "part": "transfer/ann", "n_candidates": 1},
    "source_models": {"kind": "models", "part": "source/ann", "n_models": 1},
    "baseline_models": {"kind": "models", "part": "baselines/2_1", "n_models": 1},
    "score_models": {"kind": "models", "part": "scores/2_1", "n_models": 1},
    "transferred_models": {"kind": "models", "part": "transfer/ann", "n_models": 1},
    "selection": {"kind": "selection", "n_candidates": 1},
    "results": {"kind": "results", "n_rows": 1},
    "figures": {"kind": "figures"},
    "interpretation": {"kind": "interpretation", "n_models": 1},
    "report": {"kind": "report"},
    "tracked": {"kind": "tracked"},
    "registered": {"kind": "registered", "n_versions": 1},
    "decisions": {"kind": "decisions", "n_promoted": 1},
    "landing": {"kind": "landing", "outcome": "new", "n_new": 1},
}
FACTS |= {"truths": FACTS["truth"], "associations": FACTS["association"]}
FACTS |= {
    "people": {"kind": "people", "study": "parts", "n_source": 9, "n_target": 9, "n_variants": 3},
    "judged": {"kind": "judged", "model": "svm"},
}
# The tasks of an exome call what is theirs by the same names.
EXOME_FACTS = {
    "genotypes": {"kind": "exome", "n_samples": 9, "n_variants": 3, "sha256": "0"},
    "phenotypes": {"kind": "exome labels", "n_samples": 9, "n_cases": 4},
    "folds": {"kind": "exome folds", "protocols": "honest", "n_folds": 2},
    "tests": {"kind": "exome tests", "n_folds": 2},
    "networks": {"kind": "exome networks", "form": "2d", "n_networks": 1},
    "scores": {"kind": "exome scores", "form": "2d"},
    "models": {"kind": "models", "part": "2d", "n_models": 1},
    "selection": {"kind": "exome selection", "n_networks": 1},
    "results": {"kind": "exome results", "n_rows": 1},
}
FILESET = {"population": "A", "n_samples": 1, "n_variants": 1, "build": "", "sha256": "0"}
VALUES = {"phenotype": "2_1", "family": "ann", "form": "2d", "model": "svm"}
OTHERS = {"role": {"source": "target", "target": "final", "final": "target", "learning": "final"}}


def read_parameters(name):
    """Return the component, and its parameters by kind: inputs, whether each is a list, and outputs."""
    component = getattr(importlib.import_module(f"components.{name}.component"), name)
    spec = component.component_spec
    taken = {key: one for key, one in spec.inputs.items() if one.type.startswith("system.")}
    inputs = {key: one.is_artifact_list for key, one in taken.items()}
    return component, inputs, list(spec.outputs)


def find_facts(name):
    """Return the facts of a task's artifacts, by the names of its inputs."""
    return FACTS | EXOME_FACTS if "exome" in name else FACTS


def list_cases():
    for name in NAMES:
        _, inputs, _ = read_parameters(name)
        for key in inputs:
            yield name, key, "kind"
            if "role" in find_facts(name)[key]:
                yield name, key, "role"


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("planned"))
    desk.plan(STUDY)
    return desk["planned"]


def hand_out(inputs, planned, folder, known=FACTS):
    """Return artifacts that say the right things of themselves; only the plan has anything in it."""
    made = {"planned": planned}
    for key in inputs:
        metadata = {"phenotype": "2_1"} | known[key] | (FILESET if known[key]["kind"] == "genotypes" else {})
        made.setdefault(key, dsl.Dataset(name=key, uri=str(folder / "in" / key), metadata=metadata))
    return made


@pytest.mark.parametrize(("name", "key", "fault"), list(list_cases()))
def test_a_wrong_artifact_is_told_by_its_name(name, key, fault, planned, tmp_path):
    component, inputs, outputs = read_parameters(name)
    known = find_facts(name)
    handed = hand_out(inputs, planned, tmp_path, known)
    wrong = "panels" if known[key]["kind"] != "panels" else "variants"
    if fault == "role":
        wrong = OTHERS["role"][known[key]["role"]]
    handed[key] = mislabel(handed[key], **{fault: wrong})
    arguments = {one: [handed[one]] if inputs[one] else handed[one] for one in inputs}
    written = {one: dsl.Artifact(name=one, uri=str(tmp_path / "out" / one), metadata={}) for one in outputs}
    values = {one: value for one, value in VALUES.items() if one in component.component_spec.inputs}
    with pytest.raises(
        StudyError, match=rf"^The artifact '{key}' (is no '{known[key]['kind']}'|has role '{wrong}')"
    ):
        component.python_func(**arguments, **values, **written)
    assert list(tmp_path.iterdir()) == []


def test_every_kind_is_among_the_facts():
    kinds = {
        get_args(one.model_fields["kind"].annotation)[0]
        for one in vars(artifacts).values()
        if isinstance(one, type)
        and issubclass(one, artifacts.ArtifactFacts)
        and one is not artifacts.ArtifactFacts
    }
    # No task takes a prediction, or the drift.
    assert kinds - {"prediction", "drift"} == {
        facts["kind"] for facts in [*FACTS.values(), *EXOME_FACTS.values()]
    }


@pytest.mark.parametrize("key", ["variants", "association"])
def test_another_phenotype_is_told(key, planned, tmp_path):
    """Of the two, the task takes the association's phenotype for its own."""
    component, inputs, outputs = read_parameters("select_panels")
    handed = hand_out(inputs, planned, tmp_path)
    handed[key] = mislabel(handed[key], phenotype="9_9")
    written = {one: dsl.Dataset(name=one, uri=str(tmp_path / one), metadata={}) for one in outputs}
    with pytest.raises(StudyError, match=r"The artifact 'variants' has phenotype '.*' where '.*' is due"):
        component.python_func(**handed, **written)
    assert list(tmp_path.iterdir()) == []


def test_scores_of_another_phenotypes_variants_are_refused(planned, tmp_path):
    component, inputs, outputs = read_parameters("train_scores")
    handed = hand_out(inputs, planned, tmp_path)
    handed["variants"] = mislabel(handed["variants"], phenotype="9_9")
    written = {one: dsl.Dataset(name=one, uri=str(tmp_path / one), metadata={}) for one in outputs}
    with pytest.raises(StudyError, match="'variants' has phenotype '9_9' where '2_1' is due"):
        component.python_func(**handed, **written)
    assert list(tmp_path.iterdir()) == []


def test_another_familys_models_are_told(planned, tmp_path):
    component, inputs, outputs = read_parameters("transfer_models")
    handed = hand_out(inputs, planned, tmp_path)
    written = {one: dsl.Model(name=one, uri=str(tmp_path / one), metadata={}) for one in outputs}
    with pytest.raises(StudyError, match="'source_models' has part 'source/ann' where 'source/gru' is due"):
        component.python_func(family="gru", **handed, **written)
    assert list(tmp_path.iterdir()) == []
