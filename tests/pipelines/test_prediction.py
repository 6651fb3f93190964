"""The prediction pipeline: compiled, and run by KFP's local runner in processes of its own."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from kfp import compiler

from pipelines.prediction import prediction
from tests.prediction_support import draw_people, make_bundle, make_table, write_people

# In a process of its own: kfp.local is set up once for a process.
RUN = """
import sys
from kfp import local
from pipelines.prediction import prediction
root, model, genotypes, least = sys.argv[1:]
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root)
prediction(model=model, genotypes=genotypes, least_match_rate=float(least))
"""


def run(folder, bundle, genotypes, least=0.9):
    return subprocess.run(
        [sys.executable, "-c", RUN, str(folder / "artifacts"), str(bundle), str(genotypes), str(least)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle, and people with a fortieth of its variants absent."""
    folder = tmp_path_factory.mktemp("prediction")
    bundle = make_bundle(folder / "bundle")
    table = make_table()
    left = np.arange(len(table)) != 7
    dosages = draw_people(table, 12)
    write_people(folder / "people", table[left].reset_index(drop=True), dosages[:, left])
    dosages[:, 7] = -1
    return folder, bundle, bundle.score(dosages[:, : bundle.n_variants])


def test_the_pipeline_runs_in_the_local_runner(made):
    folder, bundle, expected = made
    done = run(folder, bundle.folder, folder / "people")
    assert done.returncode == 0, done.stdout + done.stderr
    [ended] = folder.glob("artifacts/*/predict/executor_output.json")
    outputs = json.loads(ended.read_text())["artifacts"]
    [table] = outputs["table"]["artifacts"]
    assert table["metadata"] == {
        "kind": "prediction",
        "study": "made",
        "phenotype": "height",
        "n_people": 12,
        "n_warnings": 0,
        "display_name": "Predictions",
    }
    people = pd.read_csv(ended.parent / "table", sep="\t")
    assert people["probability"].to_numpy() == pytest.approx(expected, abs=1e-9)
    [metrics] = outputs["metrics"]["artifacts"]
    assert metrics["metadata"]["match_rate"] == pytest.approx(59 / 60)
    assert metrics["metadata"] == json.loads((ended.parent / "metrics").read_text())
    page = (ended.parent / "summary").read_text()
    assert page.startswith("# TGT_height: 12 people\n")
    assert "| variants of the model in the file | 98.3% |" in page


def test_too_few_variants_fail_the_task_with_the_remedy(made):
    folder, bundle, _ = made
    done = run(folder, bundle.folder, folder / "people", least=0.999)
    assert done.returncode != 0
    assert "holds 98.3% of the model's 60 variants" in done.stdout + done.stderr


def test_the_compiled_form_has_its_parameters_and_outputs(tmp_path):
    compiler.Compiler().compile(prediction, str(tmp_path / "prediction.yaml"))
    pipeline, *_ = yaml.safe_load_all((tmp_path / "prediction.yaml").read_text())
    assert pipeline["pipelineInfo"]["name"] == "prediction"
    given = pipeline["root"]["inputDefinitions"]["parameters"]
    assert set(given) == {"model", "genotypes", "least_match_rate", "tracking_uri"}
    assert given["least_match_rate"]["defaultValue"] == 0.9
    outputs = pipeline["components"]["comp-predict"]["outputDefinitions"]["artifacts"]
    assert {name: one["artifactType"]["schemaTitle"] for name, one in outputs.items()} == {
        "table": "system.Dataset",
        "summary": "system.Markdown",
        "metrics": "system.Metrics",
    }
    [executor] = pipeline["deploymentSpec"]["executors"].values()
    assert "python-train:" in executor["container"]["image"]
