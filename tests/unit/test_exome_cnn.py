"""A study of an exome: its folds, what each protocol sees, its optimism where nothing can be predicted."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genotransfer.errors import InputError, StudyError
from genotransfer.evaluation import best_accuracy
from genotransfer.exome import ExomeSettings, compare_genotypes, control_exome, preselect
from genotransfer.exome_cnn import folds as folds_module
from genotransfer.exome_cnn import published
from genotransfer.exome_cnn.bundle import export_exome_bundle, name_phenotype
from genotransfer.exome_cnn.ceilings import find_ceiling, find_heritability
from genotransfer.exome_cnn.choice import choose_configurations
from genotransfer.exome_cnn.configurations import list_configurations
from genotransfer.exome_cnn.evaluation import average_folds
from genotransfer.exome_cnn.folds import draw_folds, read_folds
from genotransfer.exome_cnn.inputs import find_weights, fit_scale
from genotransfer.exome_cnn.plan import plan_study, read_study
from genotransfer.exome_cnn.preparing import open_exome, prepare_exome, read_facts, read_labels
from genotransfer.exome_cnn.protocols import PROTOCOLS, TEST, TRAINING, VALIDATION
from genotransfer.exome_cnn.report import write_report
from genotransfer.exome_cnn.settings import ExomeCnnStudy, ExomeFiles, People, Sweep
from genotransfer.exome_cnn.tables import lay_out_table_1, lay_out_table_2
from genotransfer.intervals import measure_auc
from genotransfer.models.networks import build_network
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import NetworkPredictor, load_predictor, save_predictor
from genotransfer.prediction.cautions import describe_model
from genotransfer.prediction.predict import predict_file
from genotransfer.study_files import load_settings
from pipelines.kinds import STUDIES
from tests.exome_cnn_support import TINY, Laid, make_study
from tests.exome_support import write_hard_vcf

DATA = Path(__file__).parents[1] / "data" / "published"


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    """The tiny study of heritability 0, prepared and split."""
    made = Laid(make_study(), tmp_path_factory.mktemp("exome")).prepare()
    made.split()
    return made


@pytest.fixture(scope="module")
def finished(laid):
    """The same, trained and evaluated; and its results."""
    laid.train()
    return laid, laid.finish()


# --- folds


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_everybody_is_tested_once_and_cases_are_spread_evenly(folds):
    labels = (np.arange(211) % 3 == 0).astype(np.int8)
    drawn = draw_folds(labels, People(folds=folds, validation=0.2), seed=5)
    tested = np.stack([roles == TEST for roles in drawn])
    assert (tested.sum(axis=0) == 1).all()
    for roles in drawn:
        for role in (TRAINING, VALIDATION, TEST):
            share = labels[roles == role].mean()
            assert abs(share - labels.mean()) <= 1.5 / (roles == role).sum()


def test_one_split_is_of_the_papers_shares():
    labels = (np.arange(1000) < 440).astype(np.int8)
    [roles] = draw_folds(labels, People(), seed=5)
    assert {role: int((roles == role).sum()) for role in (TRAINING, VALIDATION, TEST)} == {
        TRAINING: 722,
        VALIDATION: 128,
        TEST: 150,
    }
    assert int(labels[roles == TEST].sum()) == 66
    assert (draw_folds(labels, People(), seed=5)[0] == roles).all()
    assert (draw_folds(labels, People(), seed=6)[0] != roles).any()


def test_a_fold_without_cases_is_told():
    labels = np.zeros(40, np.int8)
    labels[:3] = 1
    with pytest.raises(StudyError, match="people of fold 1 would be 0 cases"):
        draw_folds(labels, People(folds=5), seed=1)


# --- what each protocol sees


def test_honest_folds_hold_no_label_of_a_test_person(laid):
    labels = read_labels(laid.folder / "phenotypes")
    for fold in read_folds(laid.folder / "folds", laid.study.protocols):
        tested = (fold.people["role"] == TEST).to_numpy()
        told = fold.people["phenotype"].to_numpy()
        assert (told[~tested] == labels[~tested]).all()
        due = labels[tested] if fold.protocol.name == "published" else -1
        assert (told[tested] == due).all(), fold.protocol.name


def test_variants_are_chosen_by_those_who_may_choose(laid):
    genotypes, labels = open_exome(laid.folder / "genotypes"), read_labels(laid.folder / "phenotypes")
    for fold in read_folds(laid.folder / "folds", laid.study.protocols):
        mask = (fold.people["role"] == TRAINING).to_numpy()
        if fold.protocol.selects_on_all:
            mask = np.ones(len(labels), dtype=bool)
        table = compare_genotypes(genotypes.select(samples=mask), labels[mask])
        due = table["SNP"].iloc[preselect(table, p=0.05)].tolist()
        assert fold.variants["id"].tolist() == due
        assert (fold.variants["p"] <= 0.05).all()


def test_honest_folds_do_not_change_with_the_test_peoples_labels(laid, tmp_path, monkeypatch):
    """Byte for byte; the published protocol's do, or this test could not fail."""
    genotypes, labels = open_exome(laid.folder / "genotypes"), read_labels(laid.folder / "phenotypes")
    roles = draw_folds(labels, laid.study.people, laid.study.seed)[:1]
    monkeypatch.setattr(folds_module, "draw_folds", lambda *given: roles)
    flipped = np.where(roles[0] == TEST, 1 - labels, labels).astype(np.int8)
    for name, used in (("a", labels), ("b", flipped)):
        folds_module.split_exome(laid.study, genotypes, used, tmp_path / name, tmp_path / f"{name} tests")
    for protocol, same in (("honest", True), ("preselected", False), ("published", False)):
        files = [
            b"".join(
                (tmp_path / name / protocol / "1" / file).read_bytes()
                for file in ("people.parquet", "variants.parquet")
            )
            for name in ("a", "b")
        ]
        assert (files[0] == files[1]) is same, protocol


def test_protocols_part_the_people_as_they_say():
    assert PROTOCOLS["honest"].find_training() == (TRAINING,)
    assert PROTOCOLS["honest"].find_watching() == VALIDATION
    assert PROTOCOLS["published"].find_training() == (TRAINING, VALIDATION)
    assert PROTOCOLS["published"].find_watching() == TEST
    assert [name for name, one in PROTOCOLS.items() if one.knows_test_labels] == ["published"]


# --- the whole study where nothing can be predicted


def test_where_nothing_can_be_predicted_only_the_honest_protocol_says_so(finished):
    _, results = finished
    whole = results[results["fold"] == "all"].set_index("protocol")
    honest, claimed = whole.loc["honest"], whole.loc["published"]
    assert honest["n"] == claimed["n"] == 300
    # 1.96 standard errors of a coin of 300 throws are .057.
    assert honest["low"] < max(honest["majority"], 0.5)
    assert 0.42 < honest["auc"] < 0.58
    assert honest["ceiling"] == pytest.approx(honest["majority"], abs=0.01)
    assert claimed["low"] > honest["ceiling"]
    assert claimed["auc_low"] > 0.5
    assert whole.loc["preselected", "auc_low"] > 0.5


def test_the_optimism_is_that_of_pairs(finished):
    laid, results = finished
    optimism = laid.read("results/optimism.parquet").set_index("protocol")
    whole = results[results["fold"] == "all"].set_index("protocol")
    assert list(optimism.index) == ["preselected", "published"]
    for name, row in optimism.iterrows():
        difference = whole.loc[name, "accuracy"] - whole.loc["honest", "accuracy"]
        assert row["optimism"] == pytest.approx(difference)
        assert row["low"] < row["optimism"] < row["high"]
    assert optimism.loc["published", "low"] > 0


def test_every_configuration_is_measured_in_every_fold(finished):
    laid, results = finished
    table = laid.read("results/configurations.parquet")
    assert len(table) == 3 * 2 * 2
    assert table["chosen"].sum() == 3 * 2
    predictions = laid.read("results/predictions.parquet")
    for key, mine in predictions.groupby(["protocol", "fold", "configuration"]):
        row = table[(table[["protocol", "fold", "configuration"]] == list(key)).all(axis=1)].iloc[0]
        right = ((mine["score"] > 0.5) == (mine["phenotype"] == 1)).mean()
        assert row["test_accuracy"] == pytest.approx(right)
        assert row["chosen"]
        assert row["best_accuracy"] >= row["validation_accuracy"] - 1e-6
    folds = results[(results["protocol"] == "honest") & (results["fold"] != "all")]
    together = results[(results["protocol"] == "honest") & (results["fold"] == "all")].iloc[0]
    assert together["accuracy"] == pytest.approx(np.average(folds["accuracy"], weights=folds["n"]))
    assert together["fold_auc"] == pytest.approx(folds["auc"].mean())
    assert folds["fold_auc"].isna().all()
    # Who watches in the published protocol is who is tested.
    published_rows = table[table["protocol"] == "published"]
    assert published_rows["validation_accuracy"].tolist() == pytest.approx(published_rows["test_accuracy"])
    assert (table["seconds"] > 0).all()


def test_the_same_study_is_trained_to_the_same_bytes(finished):
    laid, _ = finished
    laid.train(out="again", scores="scores again", models="models again")
    for first, second in (
        ("scores/scores.parquet", "scores again/scores.parquet"),
        ("networks/curves.parquet", "again/curves.parquet"),
        ("models/2/network.keras", "models again/2/network.keras"),
        ("models/2/predictor.json", "models again/2/predictor.json"),
    ):
        assert (laid.folder / first).read_bytes() == (laid.folder / second).read_bytes(), first
    first, second = (laid.read(f"{name}/leaderboard.parquet") for name in ("networks", "again"))
    pd.testing.assert_frame_equal(
        first.drop(columns="seconds"), second.drop(columns="seconds"), check_exact=True
    )


def test_the_chosen_network_of_each_fold_is_kept_and_predicts_as_it_did(finished, tmp_path):
    """What is saved gives each test person the very score the study was judged by."""
    laid, _ = finished
    genotypes = open_exome(laid.folder / "genotypes")
    predictions = laid.read("results/predictions.parquet").query("protocol == 'honest'")
    kept = sorted((laid.folder / "models").iterdir())
    assert [one.name for one in kept] == ["1", "2"]
    for fold in read_folds(laid.folder / "folds", ["honest"]):
        predictor = load_predictor(laid.folder / "models" / fold.name)
        assert list(predictor.variants["id"]) == list(fold.variants["id"])
        mine = predictions[predictions["fold"] == fold.name]
        view = genotypes.select(
            samples=genotypes.locate_samples(mine["iid"]),
            variants=genotypes.locate_variants(predictor.variants["id"]),
        )
        np.testing.assert_allclose(predictor.score(view.read()), mine["score"], rtol=0, atol=1e-6)


def export(laid, folder, form="dense"):
    return export_exome_bundle(
        folder,
        laid.study,
        selection_folder=laid.folder / "selection",
        models={form: str(laid.folder / "models")},
        results_folder=laid.folder / "results",
        genotypes_folder=laid.folder / "genotypes",
        phenotypes_folder=laid.folder / "phenotypes",
        folds_folder=laid.folder / "folds",
    )


def test_a_bundle_averages_the_folds_and_says_what_the_test_people_showed(finished, tmp_path):
    laid, results = finished
    bundle = export(laid, tmp_path / "bundle")
    facts, genotypes = bundle.facts, open_exome(laid.folder / "genotypes")
    assert (facts.source, facts.target, facts.phenotype, facts.tested_on) == (
        "", "exome", "case", "the test people"
    )  # fmt: skip
    assert (facts.n_source, facts.n_target, facts.n_target_cases) == (0, 300, 130)
    whole = results.query("protocol == 'honest' and fold == 'all'").iloc[0]
    assert (facts.final.n, facts.final.accuracy, facts.final.auc_low) == (
        300, whole["accuracy"], whole["auc_low"]
    )  # fmt: skip
    assert facts.final.sha256 == genotypes.hash_contents()
    view = genotypes.select(variants=genotypes.locate_variants(bundle.variants["id"]))
    dosages = view.read()
    called = np.where(dosages < 0, np.nan, dosages).astype(np.float64)
    np.testing.assert_allclose(bundle.variants["frequency"], np.nanmean(called, axis=0) / 2)
    odds = []
    for fold in ("1", "2"):
        predictor = load_predictor(laid.folder / "models" / fold)
        places = genotypes.locate_variants(predictor.variants["id"])
        score = predictor.score(genotypes.select(variants=places).read())
        odds.append(np.log(score / (1 - score)))
    np.testing.assert_allclose(bundle.score(dosages), 1 / (1 + np.exp(-np.mean(odds, axis=0))), atol=1e-6)
    # How single networks are calibrated says nothing of their average.
    assert len(bundle.calibration) == 0
    assert facts.calibration.slope is None
    assert any("averages the networks of 2 folds" in note for note in describe_model(facts))


@pytest.fixture(scope="module")
def read_genotypes(tmp_path_factory):
    """A study of one split, whose network reads which genotype somebody has."""
    sweep = {"forms": ["3d"], "filters": [2], "batch_sizes": [64], "layers": [[4]]}
    study = make_study(people={}, sweep=sweep, training={"epochs": 2}, protocols=["honest"])
    made = Laid(study, tmp_path_factory.mktemp("exome-3d")).prepare()
    made.split()
    made.train("3d")
    made.finish()
    return made


def test_of_one_split_a_bundle_is_calibrated(read_genotypes, tmp_path):
    bundle = export(read_genotypes, tmp_path / "bundle", "3d")
    assert bundle.calibration["n"].sum() == 45  # 15 % of 300
    assert bundle.facts.calibration.brier is not None
    assert bundle.facts.n_target == 255
    assert bundle.facts.imputation == "most common genotype"


def test_a_variant_that_is_absent_is_no_missing_genotype(read_genotypes, tmp_path):
    """Rare variants nobody carries are not in a file: they count as no copy where genotypes are read."""
    bundle = export(read_genotypes, tmp_path / "bundle", "3d")
    genotypes = open_exome(read_genotypes.folder / "genotypes")
    at = genotypes.locate_variants(bundle.variants["id"])
    present = np.arange(len(at)) % 3 == 0
    genotypes.select(variants=at[present]).write(tmp_path / "some")
    predicted = predict_file(bundle, tmp_path / "some", least_match_rate=0.2, ambiguous="keep")
    dosages = genotypes.select(variants=at).read()
    assert (bundle.variants["frequency"] < 0.25).all()
    filled, missing = (np.where(present, dosages, value).astype(np.int8) for value in (0, -1))
    np.testing.assert_array_equal(predicted.table["probability"], bundle.score(filled))
    assert not np.allclose(bundle.score(filled), bundle.score(missing), atol=1e-4)
    assert any("counts as its most common genotype" in note for note in predicted.notes)


@pytest.mark.parametrize("column", ["scz", "SCZ diagnosis", "диагноз", "возраст"])
def test_the_phenotype_of_a_file_names_a_model(column):
    files = {"genotypes": "a.vcf", "phenotypes": "a.tsv", "column": column}
    name = name_phenotype(make_study(exome=files))
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", name)
    others = {
        name_phenotype(make_study(exome=files | {"column": one})) for one in ("возраст", "диагноз", "scz")
    }
    assert len(others | {name}) == 3 + (column == "SCZ diagnosis")
    assert (name == "scz") == (column == "scz")


def test_a_network_that_was_not_kept_is_told(finished, tmp_path):
    laid, _ = finished
    bare = Laid(laid.study, tmp_path / "bare")
    shutil.copytree(laid.folder, bare.folder)
    shutil.rmtree(bare.folder / "models/2")
    with pytest.raises(StudyError, match="kept no network of fold 2"):
        export(bare, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_network_on_weighted_inputs_is_saved_with_its_weights(tmp_path):
    """Weights divide deviations, which then need not be those of copies of an allele."""
    scale = Standardiser(np.array([0.1, 1.0]), np.array([0.3, 0.7]) / np.array([0.001, 500]))
    variants = pd.DataFrame({"id": ["a", "b"], "counted": ["A", "C"], "other": ["G", "T"]})
    model = build_network("ann_1", 2, seed=1)
    save_predictor(tmp_path / "kept", NetworkPredictor(variants, scale, "ann_1", None, model))
    loaded = load_predictor(tmp_path / "kept")
    dosages = np.array([[0, 2], [1, -1]], dtype=np.int8)
    due = NetworkPredictor(variants, scale, "ann_1", None, model).score(dosages)
    np.testing.assert_array_equal(loaded.score(dosages), due)


def test_the_report_says_what_was_measured(finished, tmp_path):
    laid, results = finished
    write_report(
        laid.study,
        laid.folder / "results",
        [str(laid.folder / "networks")],
        laid.folder / "genotypes",
        laid.folder / "folds",
        tmp_path / "report",
        tmp_path / "page.html",
        tmp_path / "summary.md",
    )
    written = pd.read_csv(tmp_path / "report" / "results.csv", dtype={"fold": str})
    pd.testing.assert_frame_equal(written, results, rtol=1e-5, check_dtype=False)
    page = (tmp_path / "report" / "report.html").read_text()
    honest = results[(results["protocol"] == "honest") & (results["fold"] == "all")].iloc[0]
    assert f"{100 * honest['accuracy']:.1f}\N{NO-BREAK SPACE}% of people who were set apart" in page
    assert "72.06" in page
    assert "8.19 points" in page
    share = read_facts(laid.folder / "genotypes")["case_share"]
    for prevalence in (published.PREVALENCE, None):
        takes = find_heritability(published.HEADLINE, share, prevalence)
        assert f"{100 * takes:.1f}\N{NO-BREAK SPACE}%" in page
    assert (tmp_path / "page.html").read_text() == page
    assert f"| honest | {100 * honest['accuracy']:.1f} |" in (tmp_path / "summary.md").read_text()
    assert {one.name for one in (tmp_path / "report" / "figures").iterdir()} == {
        "protocols.png",
        "curves.png",
    }


# --- choice, scale, ceilings


def test_the_choice_goes_by_those_who_watch_and_never_by_the_test():
    rows = [
        ("honest", "1", "a", 0.6, 0.7, 10),
        ("honest", "1", "b", 0.6, 0.6, 90),
        ("honest", "1", "c", 0.6, 0.6, 50),
        ("honest", "2", "a", 0.9, 0.9, 10),
        ("honest", "2", "b", 0.5, 0.1, 10),
    ]
    names = ["protocol", "fold", "configuration", "validation_accuracy", "validation_loss", "n_parameters"]
    chosen = choose_configurations(pd.DataFrame(rows, columns=names))
    assert chosen["configuration"].tolist() == ["c", "a"]
    assert not [name for name in chosen if name.startswith("test")]


def test_the_scale_is_the_standardisers_whatever_the_blocks():
    rng = np.random.default_rng(3)
    dosages = rng.integers(-1, 3, size=(40, 1100)).astype(np.int8)
    whole, parts = Standardiser.fit(dosages), fit_scale("ann_1", dosages)
    np.testing.assert_array_equal(whole.mean, parts.mean)
    np.testing.assert_array_equal(whole.sd, parts.sd)
    weights = rng.uniform(0.5, 2, size=1100)
    weighed = fit_scale("cnn_2d", dosages, weights).transform(dosages)
    np.testing.assert_allclose(weighed, whole.transform(dosages) * weights, rtol=1e-5, atol=1e-6)
    # A network of form 3d reads which genotype somebody has: copies + 1, and 0 for missing.
    np.testing.assert_array_equal(fit_scale("cnn_3d", dosages).transform(dosages), dosages + 1)


def test_weights_of_genes_reach_their_variants(laid, tmp_path):
    annotation = laid.folder / "genotypes" / "annotation.tsv"
    table = pd.read_csv(annotation, sep="\t")
    gene = table.loc[table["region"] == "exonic", "gene"].iloc[0]
    (tmp_path / "weights.tsv").write_text(f"gene\tweight\n{gene}\t2.5\n")
    found = find_weights(tmp_path / "weights.tsv", annotation, table[["id"]])
    assert (found[(table["gene"] == gene) & (table["region"] == "exonic")] == 2.5).all()
    assert (found[~table["gene"].str.contains(gene, regex=False)] == 1).all()
    (tmp_path / "weights.tsv").write_text(f"gene\tweight\n{gene}\t0\n")
    with pytest.raises(StudyError, match=f"The weight of gene {gene} in .* is 0"):
        find_weights(tmp_path / "weights.tsv", annotation, table[["id"]])
    (tmp_path / "weights.tsv").write_text("gene\tweight\nNOSUCH\t1\n")
    with pytest.raises(StudyError, match="None of the 1 genes"):
        find_weights(tmp_path / "weights.tsv", annotation, table[["id"]])


@pytest.mark.parametrize("heritability", [0.0, 0.1, 0.5, 0.9])
def test_the_ceiling_of_even_halves_is_sheppards(heritability):
    assert find_ceiling(heritability, 0.5).accuracy == pytest.approx(best_accuracy(heritability), abs=1e-4)


def test_the_heritability_that_an_accuracy_takes_is_the_inverse_of_the_ceiling():
    # sin((.8 - .5) pi)^2, of even halves.
    assert find_heritability(0.8, 0.5) == pytest.approx(np.sin(0.3 * np.pi) ** 2, abs=1e-4)
    share = published.N_CASES / (published.N_CASES + published.N_CONTROLS)
    takes = find_heritability(published.HEADLINE, share)
    assert find_ceiling(takes, share).accuracy == pytest.approx(0.8, abs=1e-5)
    assert find_heritability(0.55, share) == 0  # the majority does better
    with pytest.raises(StudyError, match="An accuracy of 1"):
        find_heritability(1.0, 0.5)


PAPERS_SHARE = published.N_CASES / (published.N_CASES + published.N_CONTROLS)


def test_the_ceiling_of_a_sample_rich_in_cases_is_what_such_samples_reach():
    draw, prevalence, heritability = np.random.default_rng(5), 0.05, 0.4
    genetic = draw.normal(0, np.sqrt(heritability), 2_000_000)
    liability = genetic + draw.normal(0, np.sqrt(1 - heritability), len(genetic))
    labels = liability > stats.norm.isf(prevalence)
    controls = np.flatnonzero(~labels)[: round(labels.sum() * (1 - PAPERS_SHARE) / PAPERS_SHARE)]
    sample = np.concatenate([np.flatnonzero(labels), controls])
    found = find_ceiling(heritability, PAPERS_SHARE, prevalence)
    auc, *_ = measure_auc(labels[sample].astype(np.int8), genetic[sample])
    assert found.auc == pytest.approx(auc, abs=0.003)
    # The best cut of the score is the best rule, since the chance of being a case rises with it.
    order = sample[np.argsort(genetic[sample])]
    right = np.cumsum(~labels[order]) + labels[order].sum() - np.cumsum(labels[order])
    assert found.accuracy == pytest.approx(right.max() / len(order), abs=0.003)


def test_what_the_papers_accuracies_take_at_schizophrenias_prevalence_and_in_a_cohort():
    for prevalence, due in ((published.PREVALENCE, (0.328, 0.174, 0.064)), (None, (0.647, 0.403, 0.167))):
        found = [find_heritability(one, PAPERS_SHARE, prevalence) for one in (0.8, 0.723, 0.641)]
        assert found == pytest.approx(due, abs=6e-4)
    # A prevalence that is the sample's own share is a cohort.
    assert find_ceiling(0.3, PAPERS_SHARE, PAPERS_SHARE).auc == pytest.approx(
        find_ceiling(0.3, PAPERS_SHARE).auc
    )
    assert find_ceiling(1.0, 0.5, 1e-5).accuracy == pytest.approx(1.0)
    with pytest.raises(StudyError, match="prevalence 0"):
        find_ceiling(0.3, 0.5, 0.0)


def test_the_mean_over_folds_has_students_interval():
    mean, low, high = average_folds(np.array([0.5, 0.6, 0.7]))
    assert mean == pytest.approx(0.6)
    assert high - mean == pytest.approx(mean - low) == pytest.approx(4.302653 * 0.1 / np.sqrt(3), rel=1e-5)
    assert np.isnan(average_folds(np.array([0.5]))[1])


# --- the paper's tables


def read_printed(number):
    with (DATA / f"henriques_table_{number}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def test_the_two_transcriptions_agree():
    assert [
        [
            str(one.id),
            one.form.upper(),
            str(one.filters),
            str(one.batch_size),
            f"{one.train:g}",
            f"{one.test:g}",
            one.note,
        ]
        for one in published.TABLE_1
    ] == read_printed(1)
    assert [
        [str(one.id), one.form.upper(), *map(str, one.layers), f"{one.train:g}", f"{one.test:g}", one.note]
        for one in published.TABLE_2
    ] == read_printed(2)


def test_the_discrepancies_are_those_of_the_tables():
    tests = [one.test for one in (*published.TABLE_1, *published.TABLE_2)]
    assert max(tests) == 72.29 < 100 * published.HEADLINE
    first, kfold = published.TABLE_1[2], published.TABLE_1[5]
    assert (first.form, first.filters, first.batch_size) == (kfold.form, kfold.filters, kfold.batch_size)
    assert first.test - kfold.test == pytest.approx(8.19)
    assert kfold.test == 64.1
    lower = sorted(test for test in tests if test < 70.22)
    assert {64.1, 69.08, 69.42} <= set(lower)


def test_the_papers_configurations_are_the_default_sweep():
    for form in ("2d", "3d"):
        configurations = list_configurations(Sweep(), form)
        assert len(configurations) == len(set(configurations)) == 7
        mine = {(one.filters, one.batch_size) for one in configurations if one.layers == (1000,)}
        assert mine == {(one.filters, one.batch_size) for one in published.TABLE_1 if one.form == form}
        layers = {one.layers for one in configurations} - {(1000,)}
        assert layers == {one.layers for one in published.TABLE_2 if one.form == form}
    assert len(list_configurations(Sweep(every=True), "2d")) == 16
    assert [one.name for one in list_configurations(Sweep(), "dense")] == [
        "dense_b64_d30x10",
        "dense_b32_d30x10",
    ]


def test_ours_stand_beside_the_printed_rows():
    rows = [
        (protocol, "1", "2d", filters, size, layers, 0.9, test)
        for protocol in ("honest", "published")
        for filters, size, layers, test in (
            (64, 64, "1000", 0.5),
            (32, 64, "1000", 0.6),
            (64, 64, "500x100", 0.7),
        )
    ]
    names = ["protocol", "fold", "form", "filters", "batch_size", "layers", "train_accuracy", "test_accuracy"]
    table = lay_out_table_1(pd.DataFrame(rows, columns=names), "1000")
    assert table["printed_test"].tolist() == [one.test for one in published.TABLE_1]
    assert table["test_honest"].tolist()[:2] == pytest.approx([50, np.nan], nan_ok=True)
    assert table["test_published"].iloc[3] == pytest.approx(60)
    second = lay_out_table_2(pd.DataFrame(rows, columns=names), 64, 64)
    assert second["test_honest"].iloc[0] == pytest.approx(70)
    # A row that the paper has not comes after those of its form.
    assert second["layers"].tolist()[:5] == ["500x100", "1000x500", "1000x1000", "1000", "500x100"]


# --- files, and what is wrong with them


def write_cohort(folder, laid):
    genotypes, labels = open_exome(laid.folder / "genotypes"), read_labels(laid.folder / "phenotypes")
    few = genotypes.select(variants=np.arange(200))
    few.write(folder / "cohort")
    table = pd.DataFrame({"IID": few.samples["iid"], "scz": labels})
    table.iloc[:-20].to_csv(folder / "cohort.tsv", sep="\t", index=False)
    return {
        "kind": "files",
        "genotypes": str(folder / "cohort"),
        "phenotypes": str(folder / "cohort.tsv"),
        "column": "scz",
    }


def test_a_plink_fileset_is_read_and_its_labels_go_apart(laid, tmp_path):
    files = write_cohort(tmp_path, laid)
    study = make_study(exome=files | {"heritability": 0.3, "prevalence": 0.02})
    made = prepare_exome(study, tmp_path / "genotypes", tmp_path / "phenotypes")
    assert (made.n_samples, made.n_variants) == (280, 200)
    exome = open_exome(tmp_path / "genotypes")
    assert set(exome.samples["phenotype"]) == {"-9"}
    labels = read_labels(laid.folder / "phenotypes")[:280]
    assert (read_labels(tmp_path / "phenotypes") == labels).all()
    facts = read_facts(tmp_path / "genotypes")
    assert facts["ceiling"] == pytest.approx(find_ceiling(0.3, labels.mean(), 0.02).accuracy)
    assert facts["note"] == "20 samples without a phenotype left out"


def test_a_vcf_goes_through_quality_control(tmp_path):
    vcf = write_hard_vcf(tmp_path / "hard.vcf", n_samples=30, plain=True)
    rows = [f"s{at}\t{at % 2}" for at in range(28)]
    (tmp_path / "labels.tsv").write_text("\n".join(["id\tscz", *rows]) + "\n")
    files = {
        "kind": "files",
        "genotypes": str(vcf),
        "phenotypes": str(tmp_path / "labels.tsv"),
        "column": "scz",
    }
    quality = {"quality": None, "depth": 0.0, "call_rate": 0.5}
    study = make_study(exome=files | {"iid_column": "id", "quality": quality})
    made = prepare_exome(study, tmp_path / "genotypes", tmp_path / "phenotypes")
    due = control_exome(vcf, tmp_path / "due", ExomeSettings(**quality))
    assert (made.n_samples, made.n_cases) == (28, 14)
    exome = open_exome(tmp_path / "genotypes")
    assert exome.variants["id"].tolist() == due.genotypes.variants["id"].tolist()
    assert (exome.read() == due.genotypes.read()[:28]).all()
    steps = pd.read_csv(tmp_path / "genotypes" / "steps.csv")
    pd.testing.assert_frame_equal(steps, due.steps, check_dtype=False)
    assert steps["removed"].sum() > 0


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"column": "nosuch"}, InputError, "there is no column 'nosuch'"),
        ({"genotypes": "nosuch"}, InputError, "nosuch.bed: there is no such file"),
        ({"genotypes": "x.gen"}, StudyError, "exome.genotypes is 'x.gen'"),
        ({"phenotypes": "nosuch.tsv"}, InputError, "nosuch.tsv: there is no such file"),
    ],
)
def test_bad_files_are_told_and_nothing_is_written(laid, tmp_path, changes, error, says):
    files = write_cohort(tmp_path, laid) | changes
    with pytest.raises(error, match=says):
        prepare_exome(
            make_study(exome=files), tmp_path / "out" / "genotypes", tmp_path / "out" / "phenotypes"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe\x00\x01", "weights.tsv: this is no table"),
        (b'gene\tweight\nA\t1\nB\t2\t3\t"4\n', "weights.tsv: this is no table"),
        (b"gene\tweight\nA\t-1\n", "The weight of gene A"),
        (b"gene\tweight\nA\t8e-9\n", "Give weights from 0.0001 to 1000"),
        (None, "weights.tsv: there is no such file"),
    ],
)
def test_bad_weights_are_told_before_anything_is_prepared(tmp_path, content, says):
    weights = tmp_path / "weights.tsv"
    if content is not None:
        weights.write_bytes(content)
    with pytest.raises((InputError, StudyError), match=says):
        prepare_exome(make_study(gene_weights=str(weights)), tmp_path / "out" / "a", tmp_path / "out" / "b")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("protocols=[published]", "protocols lacks 'honest'"),
        ("protocols=[honest, honest]", "protocols names one twice"),
        ("sweep.filters=[32, 32]", "sweep.filters names one twice"),
        ("preselection={p: null}", "p and n_variants are both null"),
        ("people.fold=3", r"unknown key 'people.fold'. Did you mean 'folds'"),
        ("exome.n_sample=3", r"unknown key 'exome.n_sample'. Did you mean 'n_samples'"),
        ("exome={kind: files, genotypes: a.vcf, phenotypes: b, column: c}, gene_weights: w", "no YAML"),
        (
            "training={trainer: keras, precision: mixed_bfloat16}",
            "precision mixed_bfloat16 is of trainer stacked",
        ),
        ("sweep.forms=[4d]", "sweep.forms.0: input should be '1d', '2d', '3d' or 'dense'"),
    ],
)
def test_a_bad_study_is_told(override, says):
    with pytest.raises((InputError, StudyError), match=says):
        load_settings(STUDIES / "exome-cnn" / "exome-cnn.yaml", ExomeCnnStudy, [override])


def test_an_exome_with_genotypes_is_one_in_files():
    study = make_study(exome={"genotypes": "a.vcf", "phenotypes": "b", "column": "c"})
    assert isinstance(study.exome, ExomeFiles)
    with pytest.raises(ValueError, match=r"files\.phenotypes"):
        make_study(exome={"genotypes": "a.vcf", "column": "c"})


def test_a_study_of_files_reaches_its_tasks_as_it_was_written(laid, tmp_path):
    """What the plan hands on is read again by every task: lists among the settings too."""
    quality = {"excluded_samples": ["S1", "S2"], "excluded_chromosomes": ["X"]}
    files = write_cohort(tmp_path, laid) | {"quality": quality}
    text = json.dumps(TINY | {"exome": files})
    study = plan_study(text, ["dense"], tmp_path / "planned.json", tmp_path / "summary.md")
    read = read_study(tmp_path / "planned.json")
    assert read == study
    assert read.exome.quality.excluded_samples == ("S1", "S2")
    assert read.exome.quality.excluded_chromosomes == ("X",)
    # Of a PLINK fileset nothing is filtered, and nobody is left to believe it was.
    with pytest.raises(StudyError, match=r"exome\.quality is of a VCF or BCF"):
        prepare_exome(read, tmp_path / "genotypes", tmp_path / "phenotypes")
    with pytest.raises(StudyError, match=r"excluded_samples\.0\n  Input should be a valid string"):
        plan_study(text.replace('"S1"', "1"), ["dense"], tmp_path / "x", tmp_path / "y")


def test_weights_of_genes_ask_for_gene_models():
    files = {"kind": "files", "genotypes": "a.vcf", "phenotypes": "b", "column": "c"}
    with pytest.raises(ValueError, match=r"gene_weights needs exome\.genes"):
        make_study(exome=files, gene_weights="w.tsv")
    with pytest.raises(ValueError, match="form 3d reads genotypes"):
        make_study(gene_weights="w.tsv", sweep={"forms": ["3d"]})
    study = make_study(exome=files | {"genes": "g.txt"}, gene_weights="w.tsv")
    assert study.list_inputs() == ["w.tsv", "a.vcf", "b", "g.txt"]
