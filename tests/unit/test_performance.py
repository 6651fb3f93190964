"""ROC curves and confusion matrices of hard cases, against scikit-learn, and summaries without numbers."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from genotransfer.candidates import Candidate, tabulate
from genotransfer.config import Study
from genotransfer.report.markdown import describe_plan, describe_results
from genotransfer.stages.performance import MOST_POINTS, count_confusion, measure_roc, show_performance
from genotransfer.study_files import load_study
from pipelines.cli import STUDIES
from tests.integration.support import COHORTS


def draw(n, seed, ties):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n).astype(np.int8)
    labels[:2] = 0, 1
    scores = generator.random(n)
    return labels, np.round(scores, 1) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [2, 3, 50, 150])
def test_a_curve_has_the_area_of_its_scores(n, ties):
    labels, scores = draw(n, n, ties)
    curve = measure_roc(labels, scores)
    assert np.trapezoid(curve.true_positive, curve.false_positive) == pytest.approx(
        roc_auc_score(labels, scores)
    )
    assert np.isfinite([curve.true_positive, curve.false_positive, curve.thresholds]).all()
    assert (np.diff(curve.thresholds) < 0).all()
    assert len(curve.thresholds) == len(set(scores)) + 1
    assert count_confusion(labels, scores) == confusion_matrix(labels, scores > 0.5, labels=[0, 1]).tolist()


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    labels, scores = draw(5000, 1, ties=False)
    curve = measure_roc(labels, scores)
    assert len(curve.thresholds) == MOST_POINTS
    assert (curve.false_positive[0], curve.true_positive[0]) == (0, 0)
    assert (curve.false_positive[-1], curve.true_positive[-1]) == (1, 1)
    area = np.trapezoid(curve.true_positive, curve.false_positive)
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=0.005)


def test_scores_that_are_all_zero_or_one_have_a_curve():
    labels = np.array([0, 0, 1, 1], dtype=np.int8)
    for scores in (np.zeros(4), np.ones(4)):
        curve = measure_roc(labels, scores)
        assert (curve.false_positive, curve.true_positive) == ([0, 1], [0, 1])
        assert np.isfinite(curve.thresholds).all()


def test_exactly_a_half_is_a_control():
    assert count_confusion(np.array([0, 1], dtype=np.int8), np.array([0.5, 0.5])) == [[1, 0], [1, 0]]


def write_results(folder, labels, scores, auc):
    people = {"FID": "f", "IID": [f"i{at}" for at in range(len(labels))], "label": labels, "score": scores}
    table = pd.DataFrame(people).assign(phenotype="5_1", method="chosen")
    pd.concat([table, table.assign(method="none", score=0.9)]).to_parquet(folder / "predictions.parquet")
    row = {"phenotype": "5_1", "method": "chosen", "fd_accuracy": 1.0, "fd_auc": auc, "fd_gain": np.nan}
    pd.DataFrame([row]).to_parquet(folder / "results.parquet")


def test_one_class_has_a_matrix_and_no_curve_and_nan_is_left_out(tmp_path):
    write_results(tmp_path, np.zeros(3, dtype=np.int8), np.full(3, 0.2), np.nan)
    made = show_performance(tmp_path, "5_1", tmp_path / "shown")
    assert made.curve is None
    assert made.confusion == [[3, 0], [0, 0]]
    assert made.metrics == {"fd_accuracy": 1.0}
    assert json.loads((tmp_path / "shown").read_text())["confusion"] == [[3, 0], [0, 0]]


def test_a_phenotype_without_a_model_shows_nothing_and_fails_not(tmp_path):
    write_results(tmp_path, np.array([0, 1], dtype=np.int8), np.array([0.2, 0.8]), 1.0)
    made = show_performance(tmp_path, "5_2", tmp_path / "shown")
    assert (made.curve, made.confusion, made.metrics) == (None, None, {})
    assert (tmp_path / "shown").stat().st_size


@pytest.mark.parametrize("name", sorted(path.stem for path in STUDIES.glob("*.yaml")))
def test_every_shipped_study_has_a_plan_in_words(name):
    study = load_study(STUDIES / f"{name}.yaml")
    text = describe_plan(study)
    assert text.startswith(f"# Study {study.name}\n")
    for phenotype in study.phenotype_names:
        assert f"`{phenotype}`" in text
    assert ("Networks" in text) == (study.families != ["none"])


def test_a_plan_of_cohorts_is_told(tmp_path):
    (tmp_path / "study.yaml").write_text(COHORTS)
    text = describe_plan(load_study(tmp_path / "study.yaml"))
    assert "| Genotypes | from files |" in text
    assert "FD whoever is left" in text
    assert "Networks" not in text


def test_results_of_one_method_are_told_without_a_gain():
    row = {
        "phenotype": "5_1", "method": "none", "panel": "target_01", "n_snps": 3, "model": "svm",
        "trainable_layers": 0, "ed_accuracy": 0.75, "fd_accuracy": 0.625, "fd_low": 0.5, "fd_high": 0.75,
        "fd_auc": np.nan, "n_tied": 1, "oracle_accuracy": np.nan, "ceiling": np.nan,
    }  # fmt: skip
    board = tabulate([Candidate("k", "5_1", "none", "target", "target_01", 3, "svm", 0, 0.9, 0.5, 0.75, 0.5)])
    facts = {
        "name": "a", "source": "CEU", "target": "YRI", "n_ed": 20, "n_fd": 8, "heritability": None,
        "preset": "paper", "seed": Study(name="a").seed, "version": "0",
    }  # fmt: skip
    text = describe_results(facts, pd.DataFrame([row]), board)
    assert "**This study cannot say whether transfer helped.**" in text
    assert "| Without transfer | 1 | 0.625 |  |  |" in text
    assert "| `YRI_5_1` | Without transfer | `target_01` | `svm` | 0.750 | 0.625 | 0.50 to 0.75 |  |" in text
    assert "nan" not in text
