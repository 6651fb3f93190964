"""Defects found in review, each held by a test."""

import pytest

from genotransfer.config import parse_study
from genotransfer.errors import StudyError
from genotransfer.stages import models, plan, results
from pipelines import cli


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
    with pytest.raises(StudyError, match="has no candidate"):
        results.select_best(study, [str(board)], tmp_path / "selection")


@pytest.mark.parametrize(
    "text",
    [
        "models: {classical: [svm, svm]}",
        "models: {networks: [gru_1, gru_1]}",
        "transfer: {fit_on: [target, target]}",
        "panels: {source: [0.01, 0.01]}",
    ],
)
def test_what_is_named_twice_is_refused_before_anything_runs(text):
    with pytest.raises(StudyError, match="named twice"):
        make_study(text)


def test_an_effect_correlation_the_simulator_refuses_is_refused_at_once():
    with pytest.raises(StudyError, match="effect_correlation"):
        make_study("phenotypes: {effect_correlation: -0.5}")


def test_the_command_line_prints_brackets_as_they_are(monkeypatch, capsys):
    def fail():
        raise StudyError("Install genotransfer[vcf], or mend [/this].")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit):
        cli.main()
    assert "genotransfer[vcf], or mend [/this]." in capsys.readouterr().err
