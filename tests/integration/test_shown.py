"""What Kubeflow's page shows of a finished study: numbers, curves, matrices, pages and summaries."""

import html
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from genotransfer.report.findings import METHOD_NAMES

PHENOTYPES = ["3_1", "3_2"]
N_FD = 40


@pytest.fixture(scope="module")
def predictions(finished):
    table = pd.read_parquet(finished.find("evaluate_final", "results") / "predictions.parquet")
    return {name: table[(table["phenotype"] == name) & (table["method"] == "chosen")] for name in PHENOTYPES}


def show(finished, phenotype):
    """Return path and metadata of the ClassificationMetrics of a phenotype."""
    name = f"Chosen model of YRI_{phenotype} on FD"
    [one] = finished.list("show_performance", "performance", display_name=name)
    return one


@pytest.mark.parametrize("phenotype", PHENOTYPES)
def test_the_confusion_matrix_counts_the_people_of_fd(finished, predictions, phenotype):
    _, shown = show(finished, phenotype)
    held = shown["confusionMatrix"]
    assert [one["displayName"] for one in held["annotationSpecs"]] == ["control", "case"]
    matrix = np.array([row["row"] for row in held["rows"]])
    assert matrix.sum() == N_FD
    mine = predictions[phenotype]
    assert (matrix == confusion_matrix(mine["label"], mine["score"] > 0.5, labels=[0, 1])).all()
    row = finished.results.set_index(["phenotype", "method"]).loc[(f"YRI_{phenotype}", "chosen")]
    assert matrix.trace() / N_FD == pytest.approx(row["fd_accuracy"], abs=1e-6)


@pytest.mark.parametrize("phenotype", PHENOTYPES)
def test_the_curve_is_that_of_the_same_scores(finished, predictions, phenotype):
    _, shown = show(finished, phenotype)
    points = pd.DataFrame(shown["confidenceMetrics"])
    assert np.isfinite(points.to_numpy(dtype=float)).all()
    assert points.iloc[0][["falsePositiveRate", "recall"]].tolist() == [0, 0]
    assert points.iloc[-1][["falsePositiveRate", "recall"]].tolist() == [1, 1]
    mine = predictions[phenotype]
    area = np.trapezoid(points["recall"], points["falsePositiveRate"])
    assert area == pytest.approx(roc_auc_score(mine["label"], mine["score"]))
    for point in points.itertuples():
        above = mine["score"] > point.confidenceThreshold
        assert above[mine["label"] == 1].mean() == pytest.approx(point.recall)
        assert above[mine["label"] == 0].mean() == pytest.approx(point.falsePositiveRate)


def test_each_metric_is_a_finite_number_of_the_results(finished):
    rows = finished.results.set_index(["phenotype", "method"])
    for phenotype in PHENOTYPES:
        name = f"Accuracy of the chosen model of YRI_{phenotype}"
        [(path, shown)] = finished.list("show_performance", "metrics", display_name=name)
        numbers = {key: value for key, value in shown.items() if key != "display_name"}
        assert {"fd_accuracy", "fd_auc", "fd_gain", "fd_gain_low", "fd_gain_high"} <= set(numbers)
        assert all(math.isfinite(value) for value in numbers.values())
        assert json.loads(path.read_text()) == pytest.approx(numbers)
        chosen, without = (rows.loc[(f"YRI_{phenotype}", method)] for method in ("chosen", "none"))
        assert numbers["fd_auc"] == pytest.approx(chosen["fd_auc"], abs=1e-6)
        assert numbers["fd_gain"] == pytest.approx(chosen["fd_accuracy"] - without["fd_accuracy"], abs=1e-6)


def test_a_file_stands_behind_every_artifact(finished):
    """KFP's cache takes no task that lacks one; and each has a name that a person can read."""
    seen = 0
    for written in finished.folder.glob("artifacts/**/executor_output.json"):
        for output, held in json.loads(written.read_text())["artifacts"].items():
            [one] = held["artifacts"]
            seen += 1
            name = one["metadata"].get("display_name", "")
            assert re.match(r"^[A-Z].{3,}", name), (written.parent.name, output)
            assert "{" not in name
            place = written.parent / output
            assert place.is_dir() or place.stat().st_size, place
    assert seen > 40


def test_the_results_are_told_in_words_and_all_are_there(finished):
    text = finished.find("write_report", "summary").read_text()
    page = html.unescape((finished.folder / "report.html").read_text())
    lines = text.splitlines()
    assert lines[0] == "# tiny: CEU to YRI"
    verdict = re.match(r"\*\*(.*?)\*\* ", lines[2])[1]
    assert verdict in page
    assert re.search(r"95\s% interval", lines[2]) or "interval" in lines[2]
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")
    ]
    told = {(row[0], row[1]): row for row in rows if row[0].startswith("YRI_")}
    results = finished.results
    assert len(told) == len(results)
    for row in results.to_dict("records"):
        line = told[row["phenotype"], METHOD_NAMES[row["method"]]]
        assert line[2:4] == [row["panel"], row["model"]]
        assert line[4:6] == [f"{row['ed_accuracy']:.3f}", f"{row['fd_accuracy']:.3f}"]
        assert line[6] == f"{row['fd_low']:.2f} to {row['fd_high']:.2f}"
        assert line[7] == ("" if pd.isna(row["fd_auc"]) else f"{row['fd_auc']:.3f}")
    means = {row[0]: row for row in rows if row[0] in METHOD_NAMES.values()}
    for method, group in results.groupby("method"):
        assert means[METHOD_NAMES[method]][1:3] == ["2", f"{group['fd_accuracy'].mean():.3f}"]


def test_the_plan_tells_what_will_be_run(finished):
    text = finished.find("plan_study", "summary").read_text()
    for part in (
        "# Study tiny",
        "YRI",
        "CEU",
        "`3_1`, `3_2`",
        "1,500 variants",
        "`svm`, `cart`",
        "`ann_1`, `gru_1`",
    ):
        assert part in text
    assert "TD 120, VD 30, ED 50" in text
    assert "FD 40" in text


def test_the_pages_hold_their_figures(finished):
    for phenotype in PHENOTYPES:
        [(path, _)] = finished.list("draw_figures", "page", display_name=f"Figures of {phenotype}")
        text = path.read_text()
        assert text.count("data:image/png;base64,") == 6
        assert not re.findall(r'(?:src|href)="(?!data:)', text)


def test_the_tasks_are_handed_no_cluster(finished):
    assert "cluster" not in json.loads(finished.find("plan_study", "planned").read_text())
