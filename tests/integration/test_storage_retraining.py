"""Retraining where cohorts land in a bucket: what is new, everyone together, the claim and the record."""

import json

import pandas as pd
import pytest

from genotransfer import storage
from genotransfer.formats.convert import open_genotypes
from genotransfer.retraining.end import finish_retraining
from genotransfer.retraining.plan import plan_retraining
from genotransfer.retraining.state import claim, read_state, release
from genotransfer.stages.drift import measure_drift
from genotransfer.stages.genotypes import prepare_genotypes
from genotransfer.study_files import parse_study
from tests.integration.support import COHORTS, make_cohort
from tests.unit.test_retraining import land_cohort

NO_REGISTRY = "registry: {enabled: false}\n"


@pytest.fixture
def study(stand, tmp_path):
    """A study whose files are in a bucket, with one cohort landed there; the study's text."""
    make_cohort(tmp_path, "src", 90)
    make_cohort(tmp_path, "tgt", 70)
    land_cohort(tmp_path / "a", "new", 50, 3)
    for path in [*tmp_path.glob("???.*"), *tmp_path.glob("a/*")]:
        storage.upload_file(path, stand.at(f"data/{path.relative_to(tmp_path).as_posix()}"))
    for path in (tmp_path / "a").iterdir():
        storage.upload_file(path, stand.at(f"landing/a/{path.name}"))
    text = COHORTS.replace("kind: files\n  source", f"kind: files\n  folder: {stand.at('data')}\n  source", 1)
    return f"{text}{NO_REGISTRY}retraining: {{cohorts: '{stand.at('landing')}', least_people: 20}}\n"


def plan(study, run, tmp_path):
    outputs = [tmp_path / run / name for name in ("planned", "landing", "summary")]
    return plan_retraining(study, run, *outputs), outputs


def test_a_cohort_in_a_bucket_is_taken_once(stand, study, tmp_path):
    place = stand.at("landing")
    found, (planned, landing, _) = plan(study, "first", tmp_path)
    assert (found.outcome, found.n_new, found.n_final, found.n_people) == ("new", 50, 15, 120)
    made = parse_study(planned.read_text())
    prefix = f"{place}/.genotransfer/runs/first/genotypes"
    assert made.genotypes.target.genotypes == prefix
    assert {one.uri.rpartition("/")[2] for one in storage.list_files(prefix.rpartition("/")[0] + "/")} == {
        "genotypes.bed", "genotypes.bim", "genotypes.fam", "phenotypes.tsv"
    }  # fmt: skip
    assert open_genotypes(prefix, tmp_path / "none").n_samples == 120

    # The study reads them from there, and FD are those that were marked.
    folders = {role: str(tmp_path / "made" / role) for role in ("source", "target", "final")}
    facts = prepare_genotypes(made, folders, tmp_path / "made" / "alignment").facts
    assert (facts["target"]["n_samples"], facts["final"]["n_samples"]) == (105, 15)
    marked = pd.read_csv(storage.fetch_file(made.genotypes.target.phenotypes), sep="\t")
    final = open_genotypes(f"{folders['final']}/genotypes", tmp_path / "none")
    assert set(final.samples["iid"]) == set(marked.loc[marked["FD"] == 1, "IID"])

    drift = measure_drift(made, landing, tmp_path / "drift", tmp_path / "drift.md")
    assert drift.scores == {}
    assert drift.frequencies.n_variants == 60

    assert plan(study, "second", tmp_path)[0].outcome == "busy"
    (tmp_path / "decisions").write_text(json.dumps([]))
    finish_retraining(landing, tmp_path / "decisions", tmp_path / "end.md")
    assert [run.run for run in read_state(place).runs] == ["first"]
    assert plan(study, "second", tmp_path)[0].outcome == "nothing"
    assert not [one for one in storage.list_files(place + "/") if one.uri.endswith("running.json")]


def test_few_people_in_a_bucket_leave_nothing_there(stand, study, tmp_path):
    found, _ = plan(study.replace("least_people: 20", "least_people: 51"), "first", tmp_path)
    assert found.outcome == "waiting"
    assert not [one for one in storage.list_files(stand.at("landing") + "/") if ".genotransfer" in one.uri]


def test_a_claim_in_a_bucket_is_one_runs(stand):
    place = stand.at("landing")
    assert claim(place, "one", 1.0) is None
    assert claim(place, "two", 1.0).run == "one"
    assert not release(place, "two")
    assert release(place, "one")
    assert claim(place, "two", 1.0) is None
