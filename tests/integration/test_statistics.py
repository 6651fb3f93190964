"""Studies whose source is known by its summary statistics, or by a published score, through the stages."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml

from genotransfer.errors import AlignmentError, InputError
from genotransfer.genotypes import Genotypes
from genotransfer.models.store import load_predictor
from genotransfer.prediction.bundle import export_bundle
from genotransfer.prediction.predict import predict_file
from genotransfer.stages import genotypes as stage
from genotransfer.stages import models
from genotransfer.study_files import parse_study
from tests.integration.stages import run_stages, tell
from tests.integration.support import COHORTS, make_cohort, share

SCORES = ("clumping", "susie", "susie_joint", "shrinkage")
# The target counts the other allele of these variants, and knows these by names of its own.
SWAPPED, ABSENT = [11, 12, 30], [40, 41]


def read_study(folder, source, **groups):
    raw = yaml.safe_load(COHORTS) | groups
    raw = {key: value for key, value in raw.items() if key not in ("models", "transfer")} | groups
    raw["genotypes"] |= {"folder": str(folder), "source": source}
    raw["splits"] = raw["splits"] | {"target": {"TD": 42, "VD": 9, "ED": 9}}
    return parse_study(json.dumps(raw))


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """People of the source, PLINK 2's statistics of them, people of the target, and a published score."""

    def make(folder):
        make_cohort(folder, "src", 400)
        make_cohort(folder, "tgt", 110)
        table = pd.read_csv(folder / "src.tsv", sep="\t", dtype=str)
        table[["FID", "IID", "sick"]].to_csv(folder / "sick.tsv", sep="\t", index=False)
        command = "plink2 --bfile src --pheno sick.tsv --1 --glm allow-no-covars omit-ref cols=+a1freq"
        subprocess.run(
            [*command.split(), "--out", "src", "--threads", "1"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        people = Genotypes.open(folder / "src")
        sick = table["sick"].astype(float).to_numpy()
        regress(people, sick).to_csv(folder / "linear.tsv", sep="\t", index=False)
        bim = pd.read_csv(folder / "tgt.bim", sep="\t", header=None, dtype=str)
        bim.loc[SWAPPED, [4, 5]] = bim.loc[SWAPPED, [5, 4]].to_numpy()
        bim.loc[ABSENT, 1] = ["own1", "own2"]
        bim.loc[ABSENT, 3] = ["7", "8"]
        bim.to_csv(folder / "tgt.bim", sep="\t", header=False, index=False)
        score = people.variants.iloc[:6]
        pd.DataFrame(
            {
                "rsID": score["id"],
                "chr_name": score["chromosome"],
                "chr_position": score["position"],
                "effect_allele": score["other"],
                "other_allele": score["counted"],
                "effect_weight": [-2.0, -2.0, -2.0, 0.1, 0.1, 0.1],
            }
        ).to_csv(folder / "PGS.txt", sep="\t", index=False)

    return share(tmp_path_factory, "statistics", make)


def regress(people, outcome):
    """Least squares on each variant and an intercept, in a table with our own names."""
    dosages = people.read().astype(float)
    x, y = dosages - dosages.mean(axis=0), outcome - outcome.mean()
    squares = (x**2).sum(axis=0)
    beta = x.T @ y / squares
    se = np.sqrt(((y[:, None] - x * beta) ** 2).sum(axis=0) / (len(y) - 2) / squares)
    named = people.variants[["id", "chromosome", "position", "counted", "other"]]
    return named.assign(beta=beta, se=se, n=len(y), frequency=dosages.mean(axis=0) / 2)


@pytest.fixture(scope="session")
def made(files, tmp_path_factory):
    """The study with PLINK's statistics and the people of the study as the reference, every setting default."""

    def make(folder):
        source = {"statistics": "src.sick.glm.logistic.hybrid", "reference": "src", "case_share": 0.5}
        run_stages(read_study(files, source), folder / "study")

    return share(tmp_path_factory, "statistics_made", make) / "study"


def test_a_study_of_statistics_finds_the_association(made):
    rows = pd.read_csv(made / "report" / "results.csv").set_index("method")
    assert list(rows.index) == ["none", "snp_transfer", "score_transfer", "chosen"]
    # Height follows three variants, with a correlation of .8: the statistics of 400 people find them.
    assert rows.loc["score_transfer", "fd_accuracy"] > 0.7
    board = pd.read_parquet(made / "selection" / "leaderboard.parquet").set_index("model")
    assert {*SCORES, "stack"} <= set(board.index)
    scores = board.loc[[*SCORES, "stack"]]
    assert scores[["source_cv_accuracy", "source_ed_accuracy"]].isna().all(axis=None)
    assert (scores["target_cv_accuracy"] > 0.7).all()
    assert set(board["fit_on"]) == {"target"}


def test_its_model_predicts_from_the_targets_own_file(made, files, tmp_path):
    """Nobody of the source has genotypes; the target's file has alleles and names of its own."""
    members = pd.read_parquet(made / "selection" / "members.parquet")
    bundle = export_bundle(
        tmp_path / "bundle",
        read_study(files, {"statistics": "src.sick.glm.logistic.hybrid", "reference": "src"}),
        "height",
        selection_folder=made / "selection",
        results_folder=made / "results",
        models={part: str(made / "models" / part) for part in members["part"]},
        genotypes={role: str(made / "genotypes" / role) for role in ("source", "target", "final")},
        phenotypes_folder=made / "kept" / "height",
    )
    facts = bundle.facts
    assert (facts.n_source, facts.ancestry.source_mean, facts.n_target) == (0, None, 60)
    statistics = pd.read_parquet(made / "genotypes" / "source" / "statistics.parquet").set_index("id")
    known = statistics.loc[bundle.variants["id"], "frequency"].to_numpy()
    assert bundle.variants["source_frequency"].to_numpy() == pytest.approx(known)
    done = predict_file(bundle, files / "tgt")
    expected = pd.read_parquet(made / "results" / "predictions.parquet")
    expected = expected[expected["method"] == "chosen"].set_index("IID")["score"]
    found = done.table.set_index("iid").loc[expected.index, "probability"]
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-12)
    assert (done.match_rate, len(done.table)) == (1, 110)
    # One simulated population under two names: nothing tells them apart.
    assert [one for one in done.warnings if "cannot be told" in one]


def test_statistics_and_filesets_are_of_the_same_variants_and_alleles(made, files):
    counts = json.loads((made / "alignment" / "alignment.json").read_text())
    assert (counts["only in the source"], counts["alleles swapped"]) == (2, len(SWAPPED))
    assert counts["statistics aligned: kept"] == counts["kept"] == 58
    opened = [Genotypes.open(made / "genotypes" / role / "genotypes") for role in ("source", "target")]
    pd.testing.assert_frame_equal(opened[0].variants, opened[1].variants)
    statistics = pd.read_parquet(made / "genotypes" / "source" / "statistics.parquet")
    for name in ("id", "counted", "other"):
        assert (statistics[name] == opened[0].variants[name]).all()
    np.testing.assert_allclose(statistics["frequency"], opened[0].read().mean(axis=0) / 2, atol=1e-5)
    source = pd.read_parquet(made / "association" / "height" / "source.parquet")
    theirs = pd.read_csv(files / "src.sick.glm.logistic.hybrid", sep="\t").set_index("ID")
    np.testing.assert_allclose(source["P"], theirs.loc[source["SNP"], "P"])
    assert (made / "labels" / "height" / "source.tsv").read_text() == "FID\tIID\tphenotype\tsplit\n"


def test_statistics_of_the_reference_people_learn_what_their_labels_would(made, files, tmp_path):
    """The scores of one study, once from people, once from those people's statistics."""
    source = {"statistics": "linear.tsv", "reference": "src", "same_people": True, "case_share": 0.5}
    study = read_study(files, source)
    folders = {role: str(tmp_path / role) for role in ("source", "target", "final")}
    stage.prepare_genotypes(study, folders, tmp_path / "alignment")
    kept, labels = made / "variants" / "height", made / "kept" / "height"
    learning = {role: folders[role] for role in ("source", "target")}
    models.train_scores(study, "height", labels, kept, learning, tmp_path / "a", tmp_path / "one", tell)
    people = {"genotypes": "src", "phenotypes": "src.tsv"}
    groups = {"models": {"scores": list(SCORES[1:])}}
    other = read_study(files, people, **groups)
    both = tmp_path / "labels"
    both.mkdir()
    sick = pd.read_csv(files / "src.tsv", sep="\t")
    sick = sick.assign(phenotype=sick["sick"] + 1, split="TD")[["FID", "IID", "phenotype", "split"]]
    sick.to_csv(both / "source.tsv", sep="\t", index=False)
    (both / "target.tsv").write_text((labels / "target.tsv").read_text())
    models.train_scores(other, "height", both, kept, learning, tmp_path / "b", tmp_path / "two", tell)
    final = Genotypes.open(tmp_path / "final" / "genotypes")
    for name in SCORES[1:]:
        margins = []
        for folder in ("one", "two"):
            predictor = load_predictor(tmp_path / folder / f"height.score_transfer.{name}")
            chosen = final.locate_variants(predictor.variants["id"])
            odds = predictor.score(final.select(variants=chosen).read())
            margins.append(np.log(odds / (1 - odds)))
        assert np.corrcoef(*margins)[0, 1] > 0.999, name


def test_without_a_reference_the_targets_people_stand_in_and_the_report_says_so(files, tmp_path):
    source = {"statistics": "linear.tsv", "reference": None, "case_share": 0.5}
    study = read_study(files, source, models={"scores": ["clumping", "shrinkage"], "classical": ["svm"]})
    run_stages(study, tmp_path)
    people = [
        Genotypes.open(tmp_path / "genotypes" / role / "genotypes").samples["iid"]
        for role in ("source", "target", "final")
    ]
    assert people[0].tolist() == people[1].tolist()
    assert not set(people[0]) & set(people[2])
    assert "LD of another population" in (tmp_path / "report" / "report.html").read_text()
    rows = pd.read_csv(tmp_path / "report" / "results.csv").set_index("method")
    assert rows.loc["score_transfer", "fd_accuracy"] > 0.7


def test_a_published_score_is_adapted_and_panels_are_not_asked_of_it(files, tmp_path):
    source = {"statistics": "PGS.txt", "reference": None, "format": "pgs-catalog"}
    study = read_study(files, source)
    assert (study.transfer.methods, study.models.scores) == (["none", "score_transfer"], ["ready"])
    run_stages(study, tmp_path)
    rows = pd.read_csv(tmp_path / "report" / "results.csv").set_index("method")
    assert rows.loc["score_transfer", "fd_accuracy"] > 0.7
    predictor = load_predictor(tmp_path / "models/scores/height/height.score_transfer.ready")
    # Weights count the other allele in the file, and keep their proportions.
    assert predictor.variants["id"].tolist() == [f"rs{at}" for at in range(6)]
    ratios = predictor.effects / predictor.effects[0]
    np.testing.assert_allclose(ratios, [1, 1, 1, -0.05, -0.05, -0.05], rtol=1e-5)


def prepare(study, folder):
    folders = {role: str(folder / role) for role in ("source", "target", "final")}
    stage.prepare_genotypes(study, folders, folder / "alignment")


def test_a_score_where_statistics_are_wanted_is_named(files, tmp_path):
    source = {"statistics": "PGS.txt", "reference": None}
    with pytest.raises(InputError, match=r"PGS.txt.*panels of SNP transfer.*format to pgs-catalog"):
        prepare(read_study(files, source), tmp_path)
    groups = {"transfer": {"methods": ["score_transfer"]}, "models": {"scores": ["ready"]}}
    with pytest.raises(InputError, match=r"Take 'ready' out"):
        prepare(read_study(files, {"statistics": "linear.tsv", "reference": None}, **groups), tmp_path)


def test_statistics_that_do_not_say_how_many_people(files, tmp_path):
    table = pd.read_csv(files / "linear.tsv", sep="\t")
    table.drop(columns="n").to_csv(tmp_path / "no_n.tsv", sep="\t", index=False)
    source = {"statistics": str(tmp_path / "no_n.tsv"), "reference": None}
    with pytest.raises(InputError, match=r"60 of 60 variants do not say how many.*genotypes.source.samples"):
        prepare(read_study(files, source), tmp_path)
    prepare(read_study(files, source | {"samples": 400}), tmp_path)
    written = pd.read_parquet(tmp_path / "source" / "statistics.parquet")
    assert (written["n"] == 400).all()


def test_statistics_without_common_variants(files, tmp_path):
    table = pd.read_csv(files / "linear.tsv", sep="\t")
    table.assign(id="x" + table["id"], chromosome=3).to_csv(tmp_path / "far.tsv", sep="\t", index=False)
    for reference in (None, "src"):
        source = {"statistics": str(tmp_path / "far.tsv"), "reference": reference}
        with pytest.raises(AlignmentError, match="no common variants"):
            prepare(read_study(files, source), tmp_path)
