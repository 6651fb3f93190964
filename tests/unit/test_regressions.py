"""Defects found in review, each held by a test."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genotransfer.association import associate
from genotransfer.errors import StudyError
from genotransfer.genotypes import Genotypes
from genotransfer.models.archives import read_skops, write_skops
from genotransfer.models.classical import CLASSICAL, fit_classifier, score_cases
from genotransfer.panels import read_panels
from genotransfer.report.findings import find
from genotransfer.report.html import render_report
from genotransfer.stages import association, models, plan, results
from genotransfer.stages.commands import associate_files
from genotransfer.stages.figures import draw_figures
from genotransfer.stages.phenotypes import RISK_COLUMNS, prepare_phenotypes, read_risk_variants
from genotransfer.study_files import parse_study
from pipelines import cli
from tests.unit.reporting import STUDY, make_leaderboard, make_panel_sizes, make_quality, make_results


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
        "models: {scores: [susie, susie]}",
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


@pytest.fixture
def associated(tmp_path):
    """Write associations in which no SNP of the target passes a threshold, and the variants tested."""
    variants = pd.DataFrame({"id": ["rs1", "rs2"], "counted": ["A", "C"], "other": ["G", "T"]})
    table = pd.DataFrame(
        {"CHR": "1", "SNP": ["rs1", "rs2"], "BP": [5, 9], "A1": ["A", "C"], "A2": ["G", "T"]}
    )
    variants.to_parquet(tmp_path / "variants.parquet")
    table.assign(P=[1e-6, 0.9]).to_parquet(tmp_path / "source.parquet")
    table.assign(P=[0.8, 0.9]).to_parquet(tmp_path / "target.parquet")
    return tmp_path


def test_a_population_without_panels_leaves_the_other_its_own(associated):
    """One phenotype without a panel of the target must not end a study of eight."""
    made = association.select_panels(make_study(""), "5_1", associated, associated, associated)
    assert (made["n_source"], made["n_target"]) == (10, 0)
    assert set(read_panels(associated / "panels.parquet")["population"]) == {"source"}
    assert len(pd.read_parquet(associated / "sizes.parquet")) == 23


def test_panels_that_all_methods_need_must_not_be_empty(associated):
    study = make_study("transfer: {methods: [none]}")
    with pytest.raises(StudyError, match=r"YRI_5_1, panels.target: All of the target's panels are empty"):
        association.select_panels(study, "5_1", associated, associated, associated)


@pytest.mark.parametrize("methods", ["[score_transfer]", "[score_transfer, none]"])
def test_scores_need_no_panels(associated, methods):
    """They read all variants: thresholds nothing passes ended a study that has no use for them."""
    study = make_study(f"transfer: {{methods: {methods}}}, panels: {{source: [1.0e-9], target: [1.0e-9]}}")
    if "none" in methods:
        with pytest.raises(StudyError, match="All of the target's panels are empty"):
            association.select_panels(study, "5_1", associated, associated, associated)
        return
    made = association.select_panels(study, "5_1", associated, associated, associated)
    assert made == {"n_source": 0, "n_target": 0, "n_empty": 2}
    assert read_panels(associated / "panels.parquet").empty


def test_a_figure_that_cannot_be_drawn_is_left_out(tmp_path):
    """The variant of smallest P is alone on its chromosome: there is no LD to draw."""
    variants = pd.DataFrame(
        {
            "chromosome": ["1", "2"],
            "id": ["rs1", "rs2"],
            "cm": 0.0,
            "position": 5,
            "counted": "A",
            "other": "G",
        }
    )
    samples = pd.DataFrame(
        {"fid": list("abcd"), "iid": list("abcd"), "father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
    )
    dosages = np.array([[0, 1], [1, 0], [2, 1], [1, 2]], dtype=np.int8)
    Genotypes.from_dosages(tmp_path / "genotypes", dosages, variants, samples)
    table = pd.DataFrame({"CHR": ["1", "2"], "SNP": ["rs1", "rs2"], "BP": 5, "P": [0.01, 0.5]})
    for role in ("source", "target"):
        table.to_parquet(tmp_path / f"{role}.parquet")
    (tmp_path / "risk_variants.tsv").write_text("\t".join(RISK_COLUMNS) + "\n")
    folders = {"source": str(tmp_path), "target": str(tmp_path)}
    page = tmp_path / "page.html"
    draw_figures(make_study(""), "5_1", tmp_path, tmp_path, folders, tmp_path / "figures", page)
    assert len(list((tmp_path / "figures").glob("*.png"))) == 4
    assert "needs two or more on one chromosome" in page.read_text()


def test_the_headline_counts_phenotypes_with_both_methods():
    """Deep transfer has eight phenotypes, no transfer one: that is one difference, not eight equal ones."""
    leaderboard = make_leaderboard()
    results = make_results(leaderboard)
    keep = (results["method"] != "none") | (results["phenotype"] == "5_1")
    found = find(results[keep].reset_index(drop=True), leaderboard, STUDY)
    assert "over 1 phenotype" in found.explanation
    assert "Each phenotype gained the same" not in found.answer
    deep = next(one for one in found.summaries if one.method == "deep")
    assert (deep.n_phenotypes, deep.n_pairs) == (8, 1)


def test_the_papers_numbers_stand_beside_its_own_populations_only():
    leaderboard = make_leaderboard()
    results = make_results(leaderboard)

    def render(study):
        return render_report(study, results, leaderboard, make_panel_sizes(), make_quality(), {}, [])

    assert 'class="paper"' in render(STUDY)
    assert 'class="paper"' not in render(STUDY | {"source": "YRI", "target": "CEU"})


@pytest.mark.parametrize("name", CLASSICAL)
def test_equal_classifiers_give_equal_files(tmp_path, name):
    """Files of skops hold places in memory and the time, which no two runs share."""
    generator = np.random.default_rng(3)
    values = generator.normal(size=(60, 7)).astype(np.float32)
    labels = (np.arange(60) % 2).astype(np.int8)
    first, second = tmp_path / "first.skops", tmp_path / "second.skops"
    write_skops(fit_classifier(name, values, labels, 5), first)
    between = [fit_classifier("cart", values, labels, seed) for seed in range(3)]  # fills memory otherwise
    again = fit_classifier(name, values, labels, 5)
    write_skops(again, second)
    assert len(between) == 3
    assert first.read_bytes() == second.read_bytes()
    assert np.array_equal(score_cases(read_skops(first), values), score_cases(again, values))


def test_without_an_effect_there_is_no_oracle(tmp_path):
    """In a null study the majority class was printed as what the true risk SNPs reach."""
    (tmp_path / "risk_variants.tsv").write_text("\t".join(RISK_COLUMNS) + "\nrs1\tA\tG\t0.0\t0.0\n")
    people = Genotypes.open(Path(__file__).parents[1] / "data/association/eur")  # not looked at
    labels = np.zeros(people.n_samples, np.int8)
    measured = results._measure_oracle(people, labels, str(tmp_path), "nothing is read", people)
    assert np.isnan(measured)


def test_risk_snps_of_real_genotypes_are_common_in_both_populations(tmp_path):
    """A risk SNP that does not vary in the target, or lies on X, could never be found."""
    generator = np.random.default_rng(2)
    n_variants, half = 60, 30
    names = [f"rs{at}" for at in range(n_variants)]
    table = {"chromosome": ["1"] * (n_variants - 20) + ["X"] * 20, "id": names, "cm": 0.0}
    variants = pd.DataFrame(table | {"position": range(1, n_variants + 1), "counted": "A", "other": "G"})
    folders = {}
    for role, n_samples in (("source", 400), ("target", 100), ("final", 50)):
        people = [f"{role}{at}" for at in range(n_samples)]
        parents = {"father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
        samples = pd.DataFrame({"fid": people, "iid": people, **parents})
        dosages = generator.binomial(2, 0.4, (n_samples, n_variants)).astype(np.int8)
        if role == "target":
            dosages[:, :half] = 0
        folders[role] = str(tmp_path / role)
        Genotypes.from_dosages(tmp_path / role / "genotypes", dosages, variants, samples)
    cohort = "{genotypes: none, phenotypes: none}"
    study = make_study(
        f"genotypes: {{kind: files, source: {cohort}, target: {cohort}}}, "
        "phenotypes: {preset: additive, risk_snps: [8]}, "
        "splits: {source: {TD: 300, VD: 50, ED: 50}}"
    )
    places = [tmp_path / name for name in ("learning", "final_labels", "truth")]
    prepare_phenotypes(study, "8_1", folders, *places)
    drawn = set(read_risk_variants(tmp_path / "truth")["id"])
    assert len(drawn) == 8
    assert drawn <= set(names[half : n_variants - 20])


def test_associate_reads_gzipped_phenotypes_and_covariates_of_plink_2(tmp_path):
    """The header of a .gz was read as text, and the column ``#FID`` as a covariate."""
    data = Path(__file__).parents[1] / "data/association/eur"
    people = Genotypes.open(data).samples["iid"]
    generator = np.random.default_rng(4)
    table = pd.DataFrame({"#FID": people, "IID": people, "sick": generator.integers(1, 3, len(people))})
    table.to_csv(tmp_path / "sick.tsv.gz", sep="\t", index=False)
    ages = table[["#FID", "IID"]].assign(age=generator.normal(50, 9, len(people)))
    ages.to_csv(tmp_path / "ages.tsv", sep="\t", index=False)
    found, _ = associate_files(
        data, tmp_path / "sick.tsv.gz", "logistic", tmp_path / "out.tsv", covar=tmp_path / "ages.tsv"
    )
    direct = associate(
        Genotypes.open(data),
        (table["sick"] == 2).to_numpy(dtype=np.int8),
        "logistic",
        covariates=ages[["age"]].to_numpy(),
    )
    assert np.allclose(found["P"], direct["P"], equal_nan=True)
