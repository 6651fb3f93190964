"""The comparison of models as a pipeline: compiled, and its tasks one after another with what they pass on."""

import json

import pandas as pd
import pytest
import yaml
from kfp import dsl
from rich.console import Console

from components.judge_model.component import judge_model
from components.plan_comparison.component import plan_comparison
from components.prepare_people.component import prepare_people
from components.track_comparison.component import track_comparison
from components.write_comparison_report.component import write_comparison_report
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.errors import StudyError
from genotransfer.study_files import parse_text
from pipelines.comparison_commands import find_comparison, show_comparison
from pipelines.compilation import compile_pipeline
from pipelines.placement import PLANNING_TASKS, TRACKING_TASKS, TRAINING_TASKS
from tests.components.support import Desk, mislabel

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")  # its use of SQLAlchemy
STUDY = """
pipeline: comparison
name: tiny
genotypes: {max_variants: 60}
phenotypes: {preset: additive, heritability: 0.8, risk_snps: [2], iterations: 1}
people: {source: 60, target: 60}
folds: {outer: 3, inner: 2}
models:
  - {name: logistic, kind: logistic, search: {kind: grid, space: {associated__n_variants: [2, 10]}}}
  - {name: score, kind: score, score: clumping, selection: {associated: null}}
"""
MODELS = ["logistic", "score"]


def test_the_pipeline_is_a_loop_over_the_models(tmp_path):
    study = find_comparison("comparison", ["cluster.gpu.count=1", "cluster.mlflow_secret=login"])
    compile_pipeline(study, tmp_path / "compiled.yaml", "comparison")
    assert (tmp_path / "compiled.yaml").stat().st_size < 100_000
    pipeline, platform = yaml.safe_load_all((tmp_path / "compiled.yaml").read_text())
    assert pipeline["pipelineInfo"]["name"] == "model-comparison"
    tasks = pipeline["root"]["dag"]["tasks"]
    inside = pipeline["components"]["comp-for-loop-1"]["dag"]["tasks"]
    loop = next(name for name in tasks if name.startswith("for-loop"))
    assert set(tasks) == {
        "plan-comparison",
        "prepare-people",
        loop,
        "write-comparison-report",
        "track-comparison",
    }
    assert set(inside) == {"judge-model"}
    # The folds are dealt before the loop: every model is given the same.
    assert "prepare-people" in tasks[loop]["dependentTasks"]
    given = pipeline["root"]["inputDefinitions"]["parameters"]
    assert given["models"]["defaultValue"] == study.model_names
    assert parse_text(given["study"]["defaultValue"], ComparisonStudy).models == study.models
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert ["secretAsEnv" in executors.get("exec-track-comparison", {})] == [True]
    assert "judge-model" in TRAINING_TASKS
    assert "track-comparison" in TRACKING_TASKS
    assert "plan-comparison" in PLANNING_TASKS
    container = pipeline["deploymentSpec"]["executors"]["exec-judge-model"]["container"]
    assert container["resources"]["accelerator"]["count"] == "1"
    for name, one in {**tasks, **inside}.items():
        if name not in (loop, "plan-comparison"):
            assert one["retryPolicy"]["maxRetryCount"] == 2, name
    assert "retryPolicy" not in tasks["plan-comparison"]


def judge(desk, name):
    judge_model.python_func(
        planned=desk["planned"],
        model=name,
        people=desk["people"],
        judged=desk.new(f"judged_{name}"),
        metrics=desk.new(f"metrics_{name}", dsl.Metrics),
    )
    return desk[f"judged_{name}"]


def test_the_tasks_one_after_another(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    desk = Desk(tmp_path)
    plan_comparison.python_func(
        study=STUDY, models=MODELS, planned=desk.new("planned"), summary=desk.new("plan", dsl.Markdown)
    )
    prepare_people.python_func(planned=desk["planned"], people=desk.new("people"))
    judged = [judge(desk, name) for name in MODELS]
    assert desk["metrics_score"].metadata["accuracy"] > 0.5
    with pytest.raises(StudyError, match=r"has study 'other' where 'tiny' is due"):
        judge_model.python_func(
            planned=desk["planned"],
            model="score",
            people=mislabel(desk["people"], study="other"),
            judged=desk.new("x"),
            metrics=desk.new("y", dsl.Metrics),
        )
    write_comparison_report.python_func(
        planned=desk["planned"],
        people=desk["people"],
        judged=judged,
        report=desk.new("report", dsl.Artifact),
        page=desk.new("page", dsl.HTML),
        summary=desk.new("summary", dsl.Markdown),
    )
    report = tmp_path / "report"
    assert (tmp_path / "page").read_bytes() == (report / "report.html").read_bytes()
    results = pd.read_csv(report / "results.csv").set_index("model")
    with (tmp_path / "shown.txt").open("w") as shown:
        show_comparison(report, Console(file=shown, width=200))
    assert f"{results.loc['score', 'accuracy']:.3f}" in (tmp_path / "shown.txt").read_text()
    track_comparison.python_func(
        planned=desk["planned"],
        people=desk["people"],
        judged=judged,
        report=desk["report"],
        tracked=desk.new("tracked", dsl.Artifact),
        job="job",
    )
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = json.loads((tmp_path / "tracked").read_text())
    assert set(runs) == {"study", *MODELS}
    for name in MODELS:
        run = client.get_run(runs[name])
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == runs["study"]
        assert run.data.params["kind"] == name
        assert run.data.metrics["accuracy"] == pytest.approx(results.loc[name, "accuracy"])
        assert run.data.metrics["seconds"] > 0
        folds = client.get_metric_history(runs[name], "accuracy_by_fold")
        assert sorted(one.step for one in folds) == [1, 2, 3]
    study = client.get_run(runs["study"])
    assert study.data.metrics["auc_score"] == pytest.approx(results.loc["score", "auc"])
    assert study.data.tags["pipeline"] == "comparison"
    assert len(study.inputs.dataset_inputs) == 1
