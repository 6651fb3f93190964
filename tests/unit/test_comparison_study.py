"""A comparison from its file to its report: settings, people, the paper's table, Katib's trials."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import numpy as np
import pandas as pd
import pytest
import yaml

from genotransfer.comparison import published
from genotransfer.comparison.judging import judge_model
from genotransfer.comparison.katib import make_experiment
from genotransfer.comparison.people import load_people, prepare_people, read_facts
from genotransfer.comparison.pipelines import check_models
from genotransfer.comparison.report import write_report, write_summary
from genotransfer.comparison.results import read_by_model
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.comparison.trial import parse_parameters
from genotransfer.comparison.words import answer, describe_plan
from genotransfer.errors import InputError, StudyError
from genotransfer.evaluation import best_accuracy
from genotransfer.formats.plink import write_fileset
from genotransfer.stages.comparison import plan_comparison
from genotransfer.study_files import load_settings, parse_text
from pipelines.comparison_commands import find_comparison, katib
from tests.comparison_support import LOGISTIC, draw_people, make_study

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy/examples/katib/experiment.yaml"
SCHEMA = ROOT / "tests/data/katib/experiment.json"
TINY = """
pipeline: comparison
name: tiny
genotypes: {max_variants: 60}
phenotypes: {preset: additive, heritability: 0.8, risk_snps: [2], iterations: 1}
people: {source: 60, target: 60}
folds: {outer: 3, inner: 2}
models:
  - {name: logistic, kind: logistic, selection: {associated: 10}, search: {kind: random, iterations: 2, space: {
      associated__n_variants: [2, 10], classifier__C: {low: 0.01, high: 1, log: true},
      classifier__class_weight: [balanced, null]}}}
  - {name: score, kind: score, score: clumping, selection: {associated: null}}
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny study, and the folder of its people."""
    study = parse_text(TINY, ComparisonStudy)
    folder = tmp_path_factory.mktemp("people")
    prepare_people(study, folder)
    return study, folder


# Settings


def explain(text, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as told:
        load_settings(path, ComparisonStudy)
    return str(told.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("folds: {outer: 3", "folds: {outter: 3", "row 7: unknown key 'folds.outter'. Did you mean 'outer'."),
        ("outer: 3", "outer: 1", "row 7: folds.outer: input should be greater than or equal to 2"),
        (
            "score: clumping",
            "network: ann_1, score: clumping",
            "score: the kinds network and transfer, and no",
        ),
        (
            "kind: random, iterations: 2, space",
            "kind: grid, space",
            "classifier__C: a grid has lists of values",
        ),
        ("low: 0.01", "low: 2", "low 2.0 is not below high 1.0"),
        ("low: 0.01", "low: -1", "row 10: models.0.search.space.classifier__C: low -1.0 has no logarithm"),
        ("name: score", "name: 1e5", "models.1.name"),
        (
            "models:\n  - {name: logistic, kind: logistic,",
            "scoring: neg_log_loss\nmodels:\n  - {name: logistic, kind: svm,",
            "neg_log_loss is of probabilities, and the svm logistic has none",
        ),
        ("name: score", "name: logistic", "models named twice: ['logistic', 'logistic']"),
        ("score: clumping", "score: clumping, imbalance: smote", "score: smote is for logistic, svm, forest"),
        (
            "inner: 2}",
            "inner: 2, groups: family}",
            "folds.groups: simulated people have no column of families",
        ),
        ("people:", "phenotype: '5_1'\npeople:", "phenotype '5_1' is none of the study's: 2_1"),
        ("people:", "quality: {hwe_in: controls}\npeople:", "quality control of a comparison reads no label"),
        ("people:", "source: YRI\npeople:", "source and target are both 'YRI'"),
        (
            "kind: logistic,",
            "kind: logistic, settings: {classifier__C: 1},",
            "classifier__C is set and searched",
        ),
    ],
)
def test_mistakes_in_a_study_file_are_told(tmp_path, old, new, told):
    assert old in TINY
    assert told in explain(TINY.replace(old, new), tmp_path)


def test_a_search_that_names_what_its_model_has_not_is_told(tmp_path):
    text = TINY.replace("associated__n_variants: [2, 10]", "associated__k: [2, 10]")
    with pytest.raises(StudyError, match=r"logistic names 'associated__k'.*associated__n_variants"):
        plan_comparison(text, ["logistic", "score"], tmp_path / "plan.json")
    with pytest.raises(StudyError, match=r"names 'classifier', which"):
        check_models(make_study({**LOGISTIC, "settings": {"classifier": 1}}))
    with pytest.raises(StudyError, match="There is no network 'ann_9'"):
        check_models(make_study({"name": "n", "kind": "network", "network": "ann_9"}))
    with pytest.raises(StudyError, match="The pipeline's parameter 'models' is"):
        plan_comparison(TINY, ["logistic"], tmp_path / "plan.json")
    assert not (tmp_path / "plan.json").exists()


def test_the_shipped_comparison_has_the_papers_models():
    study = find_comparison("comparison", None)
    check_models(study)
    kinds = {model.kind for model in study.models}
    assert {"logistic", "svm", "forest", "network", "transfer", "score"} == kinds
    assert any(model.network.startswith("cnn") for model in study.models if model.kind == "network")
    told = describe_plan(study)
    assert all(f"| {model.name} |" in told for model in study.models)
    with pytest.raises(StudyError, match="is no comparison of models but of the kind 'study'"):
        find_comparison("demo", None)


# People


def test_people_are_filtered_and_dealt_to_folds(tiny):
    _, folder = tiny
    people, facts = load_people(folder), read_facts(folder)
    assert people.target.dosages.shape == (60, facts["n_variants"])
    assert np.bincount(people.folds).tolist() == [20, 20, 20]
    assert (facts["n_source"], facts["heritability"], facts["n_families"]) == (60, 0.8, None)
    assert set(people.risk["id"]) <= set(people.variants["id"])


def write_cohorts(folder, families):
    """Write two cohorts with a binary phenotype and, for the target, a column of families."""
    people = draw_people(n=60, n_source=50, p=30, missing=0.0)
    rng = np.random.default_rng(2)
    variants = pd.DataFrame(
        {"chromosome": "1", "id": people.variants["id"], "cm": 0.0, "position": 1000 * np.arange(1, 31),
         "counted": "A", "other": "G"}
    )  # fmt: skip
    for name, cohort in (("source", people.source), ("target", people.target)):
        ids = [f"{name}{number}" for number in range(len(cohort.labels))]
        samples = pd.DataFrame(
            {"fid": ids, "iid": ids, "father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
        )
        write_fileset(folder / name, cohort.dosages, variants, samples)
        table = pd.DataFrame({"IID": ids, "ill": cohort.labels})
        if name == "target":
            table["home"] = families
        table.iloc[rng.permutation(len(table))].to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    return people


def test_cohorts_in_files_with_families(tmp_path):
    families = [f"h{number // 3}" if number < 30 else "" for number in range(60)]
    people = write_cohorts(tmp_path, families)
    text = f"""
pipeline: comparison
name: cohorts
genotypes:
  kind: files
  folder: {tmp_path}
  source: {{genotypes: source, phenotypes: source.tsv}}
  target: {{genotypes: target, phenotypes: target.tsv}}
phenotypes: {{kind: files, columns: [{{name: ill, column: ill}}]}}
folds: {{outer: 3, groups: home}}
models: [{{name: logistic, kind: logistic}}]
"""
    study = parse_text(text, ComparisonStudy)
    facts = prepare_people(study, tmp_path / "people")
    loaded = load_people(tmp_path / "people")
    assert (facts["n_target"], facts["n_families"], facts["heritability"]) == (60, 40, None)
    np.testing.assert_array_equal(loaded.target.labels, people.target.labels)
    np.testing.assert_array_equal(loaded.target.dosages, people.target.dosages)
    assert pd.Series(loaded.folds[:30]).groupby(np.arange(30) // 3).nunique().max() == 1
    assert len(set(loaded.groups[30:])) == 30
    inputs = study.list_inputs()
    assert inputs == [f"{tmp_path}/{one}" for one in ("source", "source.tsv", "target", "target.tsv")]
    wrong = parse_text(text.replace("groups: home", "groups: house"), ComparisonStudy)
    with pytest.raises(InputError, match=r"target\.tsv.*there is no column 'house'"):
        prepare_people(wrong, tmp_path / "wrong")
    assert not list((tmp_path / "wrong").rglob("*.bed"))
    searched = {"kind": "grid", "space": {"classifier__C": [0.1, 1.0]}}
    models = make_study({**LOGISTIC, "search": searched}).models
    with pytest.raises(StudyError, match="/source is on this machine, where no trial can read it"):
        make_experiment(study.model_copy(update={"models": models}), "logistic", "image")


# Report


def test_the_report_is_the_same_again_but_for_times(tiny, tmp_path):
    study, folder = tiny
    people = load_people(folder)
    for name in ("first", "second"):
        judged = [judge_model(study, one, people) for one in ("score", "logistic")]
        results, pairs = write_report(study, folder, judged, tmp_path / name)
        write_summary(study, results, pairs, tmp_path / name / "summary.md")
    names = {
        str(one.relative_to(tmp_path / "first")) for one in (tmp_path / "first").rglob("*") if one.is_file()
    }
    timed = {"tables/timings.csv", "report.html"}
    assert timed | {"results.csv", "predictions.csv", "figures/roc.png", "tables/pairs.csv"} < names
    for name in sorted(names - timed):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
    assert results["model"].tolist() == ["logistic", "score"]  # the study's order
    page = (tmp_path / "first/report.html").read_text()
    for one in results.to_dict("records"):
        assert f"{100 * one['accuracy']:.1f}" in page
    assert page.count("Comparable to CNNs") == 4
    said, _ = answer(results, pairs)
    assert said in page
    assert said in (tmp_path / "first/summary.md").read_text()


def test_the_answer_names_what_can_be_told_apart():
    table = pd.DataFrame(
        {
            "model": ["a", "b", "c"],
            "n": 90.0,
            "accuracy": [0.6, 0.8, 0.79],
            "auc": 0.8,
            "low": 0.5,
            "high": 0.9,
        }
    )
    pairs = pd.DataFrame(
        {"first": ["a", "a", "b"], "second": ["b", "c", "c"], "mcnemar_p_holm": [0.01, 0.02, 1.0]}
    )
    said, told = answer(table, pairs)
    assert said == "b is right for 80.0 % of people."
    assert "more than a (McNemar" in told
    assert "From c it cannot be told apart with 90 people." in told
    _, told = answer(table, pairs.assign(mcnemar_p_holm=0.2))
    assert "not significantly more than any other" in told


def test_models_and_people_may_be_called_nan_or_null(tiny, tmp_path):
    study, folder = tiny
    people = load_people(folder)
    models = [study.models[1].model_copy(update={"name": name}) for name in ("nan", "null")]
    study = study.model_copy(update={"models": models})
    write_report(study, folder, [judge_model(study, one.name, people) for one in models], tmp_path)
    for path in ("results.csv", "tables/timings.csv"):
        assert read_by_model(tmp_path / path)["model"].tolist() == ["nan", "null"]
    copied = tmp_path / "people"
    shutil.copytree(folder, copied)
    dealt = pd.read_csv(copied / "folds.tsv", sep="\t", dtype=str).assign(FID="null")
    dealt.to_csv(copied / "folds.tsv", sep="\t", index=False)
    assert load_people(copied).samples["FID"].tolist() == ["null"] * 60


def test_katib_needs_no_optuna_here(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    space = {"classifier__C": [0.1, 1.0]}
    study = make_study({**LOGISTIC, "search": {"kind": "bayes", "space": space}})
    check_models(study, searched_here=False)
    [_, experiment] = make_experiment(study, "logistic", "image")
    assert experiment["spec"]["algorithm"]["algorithmName"] == "tpe"


# The paper


def test_two_transcriptions_of_the_papers_table_agree():
    with (ROOT / "tests/data/published/dhaliwal_table_1.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert tuple(header[1:]) == published.COLUMNS
    assert {row[0]: tuple(row[1:]) for row in rows} == published.TABLE_1


def test_the_papers_discrepancies_are_there():
    def bound_cases(accuracy, sensitivity, specificity):
        """The share of cases s at which accuracy = s sensitivity + (1 - s) specificity."""
        return (specificity - accuracy) / (specificity - sensitivity)

    (forest, cnn, _), told = zip(*published.TABLE_1.values(), strict=True), ", ".join(published.DISCREPANCIES)
    numbers = [[float(one.strip("%>")) / 100 for one in column[:3]] for column in (forest, cnn)]
    assert bound_cases(*numbers[0]) == pytest.approx(0.5)
    assert bound_cases(*numbers[1]) == pytest.approx(0.5)
    assert bound_cases(numbers[1][0] + 0.001, *numbers[1][1:]) < 0.5
    assert "needs fewer cases than controls; the random forest's 88, 92 and 90 % need as many" in told


@pytest.mark.parametrize("accuracy", [0.5, 0.75, 0.9, 0.95, 1.0])
def test_the_heritability_an_accuracy_takes(accuracy):
    assert best_accuracy(published.require_heritability(accuracy)) == pytest.approx(accuracy)


# Katib


def read_schema():
    """Return Katib's schema of an Experiment, in which an unknown field is an error."""
    definitions = json.loads(SCHEMA.read_text())["definitions"]
    for one in definitions.values():
        if "properties" in one:
            one["additionalProperties"] = False
    # Of Kubernetes itself, which is checked apart.
    named = set(re.findall(r"#/definitions/([\w.]+)", json.dumps(definitions)))
    definitions |= {name: {} for name in named - set(definitions)}
    return {"$ref": "#/definitions/v1beta1.Experiment", "definitions": definitions}


def check_experiment(objects):
    """Hold objects to Katib's schema, to Kubernetes' and to what Katib's webhook asks of an experiment."""
    config, experiment = objects
    kubernetes_validate.validate(config, "1.32", strict=True)
    jsonschema.Draft7Validator(read_schema()).validate(experiment)
    spec, name = experiment["spec"], experiment["metadata"]["name"]
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 40
    assert 0 < spec["parallelTrialCount"] <= spec["maxTrialCount"]
    assert 0 <= spec["maxFailedTrialCount"] <= spec["maxTrialCount"]
    assert spec["objective"]["type"] == "maximize"
    template = spec["trialTemplate"]
    job = template["trialSpec"]
    assert "metadata" not in job
    kubernetes_validate.validate(job | {"metadata": {"name": "x"}}, "1.32", strict=True)
    pod = job["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == [template["primaryContainerName"]]
    text = json.dumps(job)
    references = [one["reference"] for one in template["trialParameters"]]
    assert references == [one["name"] for one in spec["parameters"]]
    for one in template["trialParameters"]:
        assert f"${{trialParameters.{one['name']}}}" in text
        text = text.replace(f"${{trialParameters.{one['name']}}}", "x")
    assert "trialParameters" not in text
    for one in spec["parameters"]:
        space = one["feasibleSpace"]
        if one["parameterType"] in ("double", "int"):
            assert {"min", "max"} <= set(space) <= {"min", "max", "distribution"}
            assert space.get("distribution", "uniform") in ("uniform", "logUniform")
        else:
            assert one["parameterType"] in ("discrete", "categorical")
            assert set(space) == {"list"}
            assert len(set(space["list"])) == len(space["list"])
    [volume] = [one for one in pod["volumes"] if "configMap" in one]
    assert volume["configMap"]["name"] == config["metadata"]["name"]
    return spec


def collect(printed, metric):
    """Read a trial's standard output as Katib's collector does, by its default filter."""
    pattern = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
    found = [match for line in printed.splitlines() if metric in line for match in re.findall(pattern, line)]
    return [float(value) for name, value, *_ in found if name.strip() == metric]


@pytest.mark.parametrize("name", ["logistic", "svm", "transfer"])
def test_katib_takes_the_searches_of_the_shipped_comparison(name):
    study = find_comparison("comparison", ["cluster={gpu: {count: 1}, run_as_non_root: true}"])
    objects = make_experiment(study, name, "repository/train:0.1.0", fold=2)
    spec = check_experiment(objects)
    model = study.find_model(name)
    sizes = [len(values) for values in model.search.space.values() if isinstance(values, list)]
    due = np.prod(sizes) if model.search.kind == "grid" else model.search.iterations
    assert spec["maxTrialCount"] == due
    [container] = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    assert ("limits" in container["resources"]) == (name == "transfer")
    held = parse_text(objects[0]["data"]["study.json"], ComparisonStudy)
    assert held.models == [model]


def test_the_checks_of_an_experiment_find_mistakes():
    [config, experiment] = make_experiment(
        find_comparison("comparison", None), "svm", "repository/train:0.1.0"
    )
    experiment["spec"]["maxTrialCounts"] = 3
    with pytest.raises(jsonschema.ValidationError, match="maxTrialCounts"):
        check_experiment([config, experiment])
    del experiment["spec"]["maxTrialCounts"], experiment["spec"]["trialTemplate"]["trialParameters"][0]
    with pytest.raises(AssertionError):
        check_experiment([config, experiment])


def test_the_example_is_what_the_command_writes(tmp_path):
    head = EXAMPLE.read_text().splitlines()[0]
    assert head.startswith("# genotransfer katib ")
    study, model, *rest = head.removeprefix("# genotransfer katib ").split()
    assert rest[::2] == ["--set"] * (len(rest) // 2)
    katib(study, model, tmp_path / "written.yaml", overrides=rest[1::2])
    ours, written = (
        list(yaml.safe_load_all(path.read_text())) for path in (EXAMPLE, tmp_path / "written.yaml")
    )
    assert ours == written
    check_experiment(ours)


def test_a_trials_command_line_prints_what_katib_collects(tiny, tmp_path):
    """The very command of the container, with values as Katib fills them in, finds what the search found."""
    study, folder = tiny
    objects = make_experiment(study, "logistic", "repository/train:0.1.0", fold=2)
    spec = check_experiment(objects)
    assert [one["parameterType"] for one in spec["parameters"]] == ["discrete", "double", "categorical"]
    [container] = spec["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    (tmp_path / "study.json").write_text(objects[0]["data"]["study.json"])
    judged = judge_model(study, "logistic", load_people(folder))
    tried = judged.searches[judged.searches["fold"] == 2].iloc[0]
    values = json.loads(tried["settings"])
    command = []
    for word in container["command"]:
        for name, value in values.items():
            filled = value if isinstance(value, str) else json.dumps(value)
            word = word.replace(f"${{trialParameters.{name}}}", filled)
        command.append(word.replace("/study/", f"{tmp_path}/"))
    assert command[0] == "genotransfer"
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert collect(done.stdout, spec["objective"]["objectiveMetricName"]) == [
        pytest.approx(tried["mean"], abs=1e-6)
    ]


def test_mistakes_of_a_trial_are_told(tiny):
    study, _ = tiny
    assert parse_parameters(["a__b=0.5", "a__c=sqrt", "a__d=null", "a__e=20"]) == {
        "a__b": 0.5, "a__c": "sqrt", "a__d": None, "a__e": 20
    }  # fmt: skip
    with pytest.raises(StudyError, match="has no '='"):
        parse_parameters(["a__b"])
    with pytest.raises(StudyError, match=r"--parameter a__b: '\[1' cannot be read"):
        parse_parameters(["a__b=[1"])
    with pytest.raises(StudyError, match="is no single value"):
        parse_parameters(["a__b=[1]"])
    with pytest.raises(StudyError, match="Model score has no search"):
        make_experiment(study, "score", "image")
    with pytest.raises(StudyError, match="There is no fold 9"):
        make_experiment(study, "logistic", "image", fold=9)
    with pytest.raises(StudyError, match=r"has no model 'nosuch'\. It has: logistic, score"):
        make_experiment(study, "nosuch", "image")
    with pytest.raises(StudyError, match="Katib takes names of up to 40"):
        make_experiment(study.model_copy(update={"name": "x" * 60}), "logistic", "image")
