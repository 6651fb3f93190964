"""Defects found in review, each held by a test."""

import pytest

from genotransfer.config import parse_study
from genotransfer.stages import models, plan, results


def make_study(text):
    return parse_study("{name: x, " + text + "}")


def ignore(*_):
    """Hear progress and say nothing."""


def test_a_study_without_networks_has_a_loop_that_makes_nothing(tmp_path):
    """KFP's local runner fails on the outputs of a loop over nothing."""
    study = make_study("transfer: {methods: [none, snp_transfer]}")
    [family] = study.families
    assert study.networks_of(family) == []
    plan.plan_study(study.to_json(), study.phenotype_names, study.families, tmp_path / "study.json")

    cohorts, sources = tmp_path / "cohorts", tmp_path / "sources"
    board = tmp_path / "leaderboard.parquet"
    assert models.train_source_models(study, family, cohorts, tmp_path / "no genotypes", sources, ignore) == 0
    kept = models.transfer_models(study, family, cohorts, sources, {}, board, tmp_path / "models", ignore)
    assert (kept.n_candidates, kept.n_models) == (0, 0)
    with pytest.raises(Exception, match="has no candidate"):
        results.select_best(study, [str(board)], tmp_path / "selection")
