"""Synthetic exomes: spectrum, genes, liability and ceiling; and the commands on exomes."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import StudyError
from genotransfer.evaluation import expect_oracle_accuracy
from genotransfer.exome import ExomeSettings, SyntheticExome, control_exome, read_annotation, simulate_exome
from genotransfer.exome.ceiling import expect_ceiling
from genotransfer.exome.synthetic import draw_allele_counts, draw_dosages
from genotransfer.genotypes import Genotypes
from genotransfer.intervals import measure_auc
from genotransfer.randomness import make_generator
from pipelines.cli import main
from tests.exome_support import HAIL

SMALL = {"n_samples": 800, "n_cases": 350, "n_variants": 1500, "n_genes": 400, "n_causal": 60}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exome") / "synthetic"
    return simulate_exome(folder, SyntheticExome(**SMALL)), folder


def test_genotypes_are_what_was_drawn(made):
    genotypes, _ = made
    settings = SyntheticExome(**SMALL)
    copies = draw_allele_counts(settings)
    dosages = genotypes.read()
    assert dosages.shape == (800, 1500)
    for at in range(0, 1500, 50):
        drawn = draw_dosages(copies, at, settings)
        assert drawn.sum() == copies[at]
        known = dosages[:, at] >= 0
        assert (dosages[known, at] == drawn[known]).all()
    assert 0.003 < (dosages == -1).mean() < 0.007
    assert (genotypes.variants["counted"] != genotypes.variants["other"]).all()
    order = list(
        zip(genotypes.variants["chromosome"].astype(int), genotypes.variants["position"], strict=True)
    )
    assert order == sorted(set(order))


def test_spectrum_has_the_share_of_singletons():
    for share in (0.3, 0.54, 0.8):
        copies = draw_allele_counts(SyntheticExome(singleton_share=share))
        assert abs((copies == 1).mean() - share) < 4 * np.sqrt(share * (1 - share) / 18_970)
        assert copies.max() <= 11_214
        # i^-a: the ratio of doubletons to singletons is 2^-a, of those with four to doubletons the same.
        counts = np.bincount(copies)
        assert abs(counts[2] / counts[1] - counts[4] / counts[2]) < 0.1


def test_every_variant_is_in_an_exon_of_its_gene(made):
    _, folder = made
    annotation = read_annotation(folder / "annotation.tsv")
    assert set(annotation["region"]) == {"exonic"}
    assert annotation["gene"].nunique() == 400
    causal = pd.read_csv(folder / "causal.tsv", sep="\t")
    assert len(causal) == 60
    assert causal["gene"].tolist() == annotation.set_index("id").loc[causal["id"], "gene"].tolist()


def test_liability_follows_the_causal_variants(made):
    genotypes, folder = made
    truth = json.loads((folder / "truth.json").read_text())
    people = pd.read_csv(folder / "phenotypes.tsv", sep="\t")
    assert people["phenotype"].sum() == 350
    assert (people["phenotype"] + 1).astype(str).tolist() == genotypes.samples["phenotype"].tolist()
    assert (
        people["liability"][people["phenotype"] == 1].min()
        > people["liability"][people["phenotype"] == 0].max()
    )
    causal = pd.read_csv(folder / "causal.tsv", sep="\t")
    at = genotypes.locate_variants(causal["id"])
    settings = SyntheticExome(**SMALL)
    copies = draw_allele_counts(settings)
    dosages = np.stack([draw_dosages(copies, one, settings) for one in at.tolist()], axis=1)
    score = dosages @ causal["effect"].to_numpy()
    np.testing.assert_allclose(score - score.mean(), people["genetic"], atol=1e-8)
    assert abs(truth["heritability_realised"] - 0.5) < 0.1
    assert truth["oracle"]["auc"] == pytest.approx(
        measure_auc(people["phenotype"].to_numpy().astype(np.int8), people["genetic"].to_numpy())[0]
    )
    assert abs(truth["oracle"]["accuracy"] - truth["ceiling"]["accuracy"]) < 0.06
    assert abs(truth["oracle"]["auc"] - truth["ceiling"]["auc"]) < 0.06


@pytest.mark.parametrize("heritability", [0.0, 0.5])
def test_the_ceiling_expects_as_many_cases_as_there_are(tmp_path, heritability):
    settings = SMALL | {"n_variants": 100, "n_genes": 20, "n_causal": 50, "heritability": heritability}
    simulate_exome(tmp_path / "made", SyntheticExome(**settings))
    ceiling = json.loads((tmp_path / "made" / "truth.json").read_text())["ceiling"]
    assert ceiling["majority"] == pytest.approx(450 / 800)
    # Where nothing is heritable the best is to call everybody the commoner class, and no more.
    assert ceiling["accuracy"] >= 450 / 800 - 1e-9
    if heritability == 0:
        assert ceiling["accuracy"] == pytest.approx(450 / 800)


def test_same_settings_same_bytes(made, tmp_path):
    genotypes, folder = made
    again = simulate_exome(tmp_path / "again", SyntheticExome(**SMALL))
    assert again.hash_contents() == genotypes.hash_contents()
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name
    other = simulate_exome(tmp_path / "other", SyntheticExome(**SMALL, seed=1))
    assert other.hash_contents() != genotypes.hash_contents()


def test_ceiling_is_what_many_people_reach():
    draw = make_generator(2, "ceiling")
    for threshold in (0.0, 0.7):
        genetic = draw.normal(0, 0.6, 4000) + draw.choice([0.0, 1.5], 4000, p=[0.9, 0.1])
        found = expect_ceiling(genetic, 0.8, threshold)
        liability = np.tile(genetic, 100) + draw.normal(0, 0.8, 400_000)
        labels = (liability > threshold).astype(np.int8)
        score = np.tile(genetic, 100)
        assert abs(found.accuracy - ((score > threshold) == (labels == 1)).mean()) < 0.003
        assert abs(found.auc - measure_auc(labels, score)[0]) < 0.003
        assert abs(found.majority - max(labels.mean(), 1 - labels.mean())) < 0.003
    scores = draw.normal(3, 2, 5000)
    noise = scores.std() * np.sqrt((1 - 0.3) / 0.3)
    assert expect_ceiling(scores, noise, scores.mean()).accuracy == pytest.approx(
        expect_oracle_accuracy(scores, 0.3)
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_genes": 2000}, "n_genes is 2000"),
        ({"n_causal": 1501}, "n_causal is 1501"),
        ({"n_cases": 800}, "n_cases is 800"),
        ({"singleton_share": 0.001}, "cannot be had"),
    ],
)
def test_impossible_settings(tmp_path, settings, message):
    with pytest.raises(StudyError, match=message):
        simulate_exome(tmp_path / "x", SyntheticExome(**(SMALL | settings)))
    assert not list(tmp_path.iterdir())


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["genotransfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    return run


def test_command_exome(call, tmp_path):
    (tmp_path / "exclude.txt").write_text("C1046::HG02024\n\nC1046::HG02025\n")
    (tmp_path / "genes.bed").write_text("chr20\t10019000\t13000000\tEARLY\n")
    status, said, error = call(
        "exome", HAIL, tmp_path / "out.bed", "--exclude", tmp_path / "exclude.txt", "--genes",
        tmp_path / "genes.bed", "--set", "depth=10", "--vcf", tmp_path / "out.vcf.gz",
    )  # fmt: skip
    assert status == 0, error
    genotypes = Genotypes.open(tmp_path / "out")
    assert genotypes.n_samples == 28
    excluded = ("C1046::HG02024", "C1046::HG02025")
    direct = control_exome(HAIL, tmp_path / "direct", ExomeSettings(depth=10, excluded_samples=excluded))
    assert direct.genotypes.hash_contents() == genotypes.hash_contents()
    assert f"28 samples, {genotypes.n_variants} variants" in said
    steps = pd.read_csv(tmp_path / "out.steps.tsv", sep="\t")
    assert steps["left"].tolist()[-1] == genotypes.n_variants
    annotation = read_annotation(tmp_path / "out.genes.tsv")
    inside = annotation["position"] <= 13_000_000
    assert (annotation["gene"][inside] == "EARLY").all()
    assert 0 < inside.sum() < len(annotation)
    status, _, error = call("exome", HAIL, tmp_path / "no", "--set", "dept=1")
    assert (status, list(tmp_path.glob("no*"))) == (2, [])
    assert "dept" in error


def test_command_simulate_exome(call, tmp_path):
    sets = [f"--set={name}={value}" for name, value in (SMALL | {"n_variants": 500}).items()]
    status, said, _ = call("simulate-exome", tmp_path / "made", *sets)
    assert status == 0
    assert "800 samples, 500 variants" in said
    assert Genotypes.open(tmp_path / "made" / "exome").n_variants == 500
