"""A tiny study with adapted networks, through its stages."""

import pandas as pd
import pytest

from genotransfer.models.store import load_predictor
from genotransfer.report.tables import tabulate_ties
from genotransfer.stages.genotypes import open_population
from tests.integration.stages import run_stages
from tests.integration.support import read_tiny

METHODS = ["none", "deep_simple", "deep_adapted"]


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    study = read_tiny(
        phenotypes={"preset": "additive", "heritability": 0.8, "risk_snps": [3], "iterations": 1},
        models={"classical": ["svm"], "networks": ["ann_1"]},
        transfer={"methods": METHODS, "entropy_weight": 0.2, "temperature": 0.25},
    )
    assert "deep_adapted" not in read_tiny().transfer.methods
    return run_stages(study, tmp_path_factory.mktemp("adapted"))


def test_adapted_networks_go_through_a_study(adapted):
    board = pd.read_parquet(adapted / "selection" / "leaderboard.parquet")
    counts = board["method"].value_counts()
    assert counts["deep_adapted"] == counts["deep_simple"] > 0
    results = pd.read_parquet(adapted / "results" / "results.parquet").set_index("method")
    assert set(METHODS) <= set(results.index)
    chosen = pd.read_parquet(adapted / "selection" / "chosen.parquet").set_index("method")
    key = chosen.loc["deep_adapted", "key"]
    predictor = load_predictor(adapted / "models" / "transfer" / "ann" / key)
    kernel = predictor.model.get_layer("logits").get_weights()[0]
    assert (kernel**2).sum(axis=0) == pytest.approx([16, 16], rel=1e-4)
    final = open_population(adapted / "genotypes" / "final")
    dosages = final.read()[:, final.locate_variants(predictor.variants["id"])]
    labels = pd.read_csv(adapted / "final" / "3_1" / "final.tsv", sep="\t")["phenotype"] - 1
    right = (predictor.score(dosages) > 0.5) == labels.to_numpy()
    assert results.loc["deep_adapted", "fd_accuracy"] == pytest.approx(right.mean())


def test_the_papers_tables_choose_among_the_papers_forms(adapted):
    board = pd.read_parquet(adapted / "selection" / "leaderboard.parquet")
    assert set(tabulate_ties(board, "CEU")["method"].str.split(", ").explode()) == {"simple"}
    page = (adapted / "page.html").read_text()
    assert "Deep, adapted" in page
    curves = pd.read_parquet(adapted / "report" / "leaderboard.parquet").query("method == 'deep_adapted'")
    assert (curves["curve"] == curves["key"]).all()
    assert curves["source_curve"].str.contains("source").all()
