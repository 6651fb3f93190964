"""Bundles: what they check before they are used, their scores, calibration and ancestry."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from genotransfer.alignment import align_populations
from genotransfer.counts import count_alleles, count_genotypes
from genotransfer.errors import AlignmentError, InputError
from genotransfer.genotypes import Genotypes
from genotransfer.intervals import wilson_interval
from genotransfer.prediction.ancestry import describe_people, measure_ancestry, score_people, thin_variants
from genotransfer.prediction.calibration import locate_bins, measure_calibration, tabulate_calibration
from genotransfer.prediction.frames import describe_pyfunc, predict_frame
from genotransfer.prediction.opened import load_bundle, open_model
from tests.genotype_support import DATA
from tests.prediction_support import (
    N_VARIANTS,
    draw_people,
    make_bundle,
    make_score,
    make_table,
    write_people,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("made") / "bundle")


def score_by_hand(dosages):
    """Return probabilities from the two scores' own numbers; a missing dosage is the mean."""
    table = make_table()
    margins = []
    for seed, swap in enumerate((False, True)):
        score = make_score(table, seed, swap)
        at = pd.Index(table["id"]).get_indexer(score.variants["id"])
        mine = dosages[:, at].astype(float)
        same = (score.variants["counted"].to_numpy() == table["counted"].to_numpy()[at])[None]
        mine = np.where(mine < 0, np.nan, mine)
        mine = np.where(same, mine, 2 - mine)
        mine = np.where(np.isnan(mine), score.standardiser.mean, mine)
        margins.append((mine - score.standardiser.mean) @ score.effects + score.constant)
    return expit(np.mean(margins, axis=0))


def test_the_score_is_the_mean_of_the_log_odds_of_its_members(bundle):
    dosages = draw_people(make_table(), 30)[:, :N_VARIANTS]
    dosages[::3, ::4] = -1
    expected = score_by_hand(dosages)
    assert bundle.score(dosages) == pytest.approx(expected, rel=1e-5)
    missing = np.where(dosages < 0, np.nan, dosages).astype(np.float32)
    assert (bundle.score(missing) == bundle.score(dosages)).all()
    assert len(bundle.score(dosages[:0])) == 0
    with pytest.raises(AlignmentError, match=f"59 variants, the bundle {N_VARIANTS}"):
        bundle.score(dosages[:, 1:])


def test_imputed_dosages_need_not_be_whole(bundle):
    means = 2 * bundle.variants["frequency"].to_numpy()
    at_means = np.tile(means.astype(np.float32), (3, 1))
    missing = np.full((3, N_VARIANTS), -1, dtype=np.int8)
    assert bundle.score(at_means) == pytest.approx(bundle.score(missing), abs=1e-6)
    assert bundle.score(missing) == pytest.approx(expit(-0.2))


def test_effects_are_what_one_copy_changes(bundle):
    dosages = np.ones((1 + N_VARIANTS, N_VARIANTS), dtype=np.int8)
    dosages[np.arange(1, N_VARIANTS + 1), np.arange(N_VARIANTS)] = 2
    odds = logit(bundle.score(dosages))
    assert bundle.effects == pytest.approx(odds[1:] - odds[0], abs=1e-5)
    assert bundle.importance.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "name",
    [
        "variants.parquet",
        "calibration.parquet",
        "ancestry.parquet",
        "models/1/score.txt",
        "models/0/predictor.json",
    ],
)
def test_a_changed_or_absent_file_is_told(tmp_path, name):
    folder = make_bundle(tmp_path / "bundle").folder
    path = folder / name
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*sha256 is not the one in its manifest"):
        load_bundle(folder)
    path.unlink()
    with pytest.raises(InputError, match=re.escape(str(path)) + ".*absent"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format_version": 2}, "format_version is 2, this release reads 1"),
        ({"n_target": 0}, "n_target"),
        ({"members": []}, "members"),
        ({"extra": 1}, "extra"),
        ({"sha256": {"../x": "0"}}, "no file within the bundle"),
        ({"sha256": {"/etc/passwd": "0"}}, "no file within the bundle"),
        ({"sha256": {}}, "does not name variants.parquet"),
    ],
)
def test_a_wrong_manifest_is_told(tmp_path, change, says):
    folder = make_bundle(tmp_path / "bundle").folder
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=f"bundle.json: .*{says}"):
        load_bundle(folder)


def test_a_model_whose_hash_the_manifest_lacks_is_not_opened(tmp_path):
    folder = make_bundle(tmp_path / "bundle").folder
    path = folder / "bundle.json"
    facts = json.loads(path.read_text())
    del facts["sha256"]["models/1/predictor.json"]
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError, match=r"names no predictor.json of the model 'models/1'"):
        load_bundle(folder)


def test_places_that_hold_no_model_are_told(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there is no bundle here"):
        open_model(str(tmp_path), tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="no registry is named for models:/height@champion"):
        open_model("models:/height@champion", tmp_path)


def test_bins_hold_everyone_once_and_count_what_was_observed():
    generator = np.random.default_rng(4)
    scores = np.round(generator.uniform(0, 1, 137), 2)  # with ties
    labels = (generator.uniform(0, 1, 137) < scores).astype(np.int8)
    table = tabulate_calibration(labels, scores)
    assert (table["low"].iloc[0], table["high"].iloc[-1]) == (0, 1)
    assert (table["high"].to_numpy()[:-1] == table["low"].to_numpy()[1:]).all()
    assert table["n"].sum() == 137
    assert table["n"].min() >= 8
    for row in table.itertuples():
        mine = (
            (scores > row.low) & (scores < row.high)
            | (scores == 0) & (row.low == 0)
            | (scores == 1) & (row.high == 1)
        )
        assert (row.n, row.n_cases) == (mine.sum(), labels[mine].sum())
        assert row.mean_probability == pytest.approx(scores[mine].mean())
        assert (row.observed_low, row.observed_high) == wilson_interval(row.n_cases, row.n)
    where = locate_bins(table["low"].to_numpy(), np.array([0.0, 1.0, table["low"].iloc[1]]))
    assert list(where) == [0, len(table) - 1, 1]


@pytest.mark.parametrize(
    "scores", [np.zeros(25), np.ones(25), np.full(25, 0.5), np.repeat([0.0, 1.0], [24, 1])]
)
def test_people_of_one_probability_share_a_bin(scores):
    labels = (np.arange(25) % 2).astype(np.int8)
    table = tabulate_calibration(labels, scores)
    assert table["n"].sum() == 25
    assert len(table) == len(np.unique(scores))
    at = locate_bins(table["low"].to_numpy(), scores)
    assert list(np.bincount(at, minlength=len(table))) == list(table["n"])


def test_calibration_is_that_of_scikit_learn():
    generator = np.random.default_rng(6)
    scores = generator.uniform(0.02, 0.98, 300)
    labels = (generator.uniform(0, 1, 300) < expit(0.4 + 0.6 * logit(scores))).astype(np.int8)
    found = measure_calibration(labels, scores)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(scores)[:, None], labels)
    assert (found.intercept, found.slope) == pytest.approx(
        (theirs.intercept_[0], theirs.coef_[0, 0]), abs=1e-5
    )
    assert found.brier == pytest.approx(np.mean((scores - labels) ** 2))


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([1, 1, 1], [0.2, 0.5, 0.7]), ([0, 0, 1], [0.2, 0.5, 0.7]), ([0, 1, 0], [0.5, 0.5, 0.5]), ([], [])],
)
def test_calibration_that_is_not_defined_is_not_given(labels, scores):
    found = measure_calibration(np.array(labels, dtype=np.int8), np.array(scores, dtype=float))
    assert (found.intercept, found.slope) == (None, None)


def test_the_ancestry_statistic_is_the_ratio_of_likelihoods():
    table = make_table(5)
    dosages = np.array([[0, 1, 2, -1, 1], [-1] * 5], dtype=np.int8)
    found, typed = score_people(dosages, table)
    ratios = [
        stats.binom.logpmf(g, 2, row.frequency) - stats.binom.logpmf(g, 2, row.source_frequency)
        for g, row in zip(dosages[0], table.itertuples(), strict=True)
        if g >= 0
    ]
    assert found[0] == pytest.approx(np.mean(ratios))
    assert np.isnan(found[1])
    assert list(typed) == [4, 0]


def test_people_who_were_not_seen_lie_about_the_mean_of_those_who_were():
    """Frequencies of few people fit these people too well; each is left out of the own frequencies."""
    table = make_table(300)
    learnt = draw_people(table, 40, seed=1)
    estimated = table.assign(frequency=np.clip(learnt.mean(axis=0) / 2, 0.01, 0.99))
    facts = describe_people(estimated, learnt, draw_people(table, 500, "source_frequency", seed=2), (40, 500))
    new, _ = score_people(draw_people(table, 400, seed=3), estimated)
    z = (new - facts.target_mean) / facts.target_sd
    naive, _ = score_people(learnt, estimated)
    assert abs(z.mean()) < 0.35
    assert (naive.mean() - facts.target_mean) / facts.target_sd > 2 * abs(z.mean())
    assert facts.source_mean < 0 < facts.target_mean


def test_real_people_are_told_apart_and_their_own_are_not_far(tmp_path):
    """African and European genotypes: half of each learn, and the other half come as new people."""
    files = DATA / "association"
    aligned = align_populations(Genotypes.open(files / "eur"), Genotypes.open(files / "afr"))
    europe, africa = aligned.source, aligned.target
    halves = [np.arange(400) < 200, np.arange(400) >= 200]
    learnt = [one.select(samples=halves[0]) for one in (africa, europe)]
    counts = [count_alleles(count_genotypes(one)[:, 0]) for one in learnt]
    frequencies = [one[:, 0] / np.maximum(one.sum(axis=1), 1) for one in counts]
    at = thin_variants(learnt, frequencies, np.ones(africa.n_variants, dtype=bool))
    table = africa.variants.iloc[at].assign(frequency=frequencies[0][at], source_frequency=frequencies[1][at])
    facts = describe_people(table, *(one.read(at) for one in learnt), (200, 200))
    new, _ = score_people(africa.select(samples=halves[1]).read(at), table)
    z = (new - facts.target_mean) / facts.target_sd
    assert (abs(z.mean()), z.std()) == pytest.approx((0, 1), abs=0.25)
    assert abs(z).max() < 5
    theirs, _ = score_people(europe.select(samples=halves[1]).read(at), table)
    assert ((theirs - facts.target_mean) / facts.target_sd).max() < -8
    assert abs((theirs - facts.source_mean) / facts.source_sd).max() < 5


def test_missing_labels_of_the_source_leave_its_people_unknown():
    table = make_table(100)
    facts = describe_people(table, draw_people(table, 30), None, (30, 0))
    assert (facts.source_mean, facts.source_sd) == (None, None)
    assert facts.target_sd > 0


def test_variants_that_go_together_are_thinned(tmp_path):
    table = make_table(120)
    table.loc[:, ["frequency", "source_frequency"]] = 0.4
    people = [draw_people(table, 300, seed=seed) for seed in (1, 2)]
    for dosages in people:
        dosages[:, 1::2] = dosages[:, ::2]  # each variant twice
    filesets = [write_people(tmp_path / f"p{at}", table, one) for at, one in enumerate(people)]
    frequencies = [one.mean(axis=0) / 2 for one in people]
    usable = np.ones(120, dtype=bool)
    usable[0] = False
    at = thin_variants(filesets, frequencies, usable)
    assert 0 not in at
    assert len({number // 2 for number in at}) == len(at) == 60
    rare = [frequencies[0], np.where(np.arange(120) < 60, 0.01, 0.4)]
    assert thin_variants(filesets, rare, usable).min() >= 60


def test_a_frame_is_read_by_its_columns(bundle):
    frame, example = describe_pyfunc(bundle)
    assert list(frame.columns) == list(bundle.variants["id"])
    assert example.loc[0, "probability"] == pytest.approx(expit(-0.2), abs=1e-6)
    dosages = draw_people(make_table(), 9)[:, :N_VARIANTS]
    people = pd.DataFrame(dosages.astype(float), columns=frame.columns, index=list("abcdefghi"))
    people.iloc[2, 3] = np.nan
    dosages[2, 3] = -1
    for given in (people, people.iloc[:, ::-1], people.sample(frac=1, axis=1, random_state=1)):
        found = predict_frame(bundle, given)
        assert (found["probability"].to_numpy() == bundle.score(dosages)).all()
        assert (found["predicted"] == (found["probability"] > 0.5)).all()
        assert list(found.index) == list("abcdefghi")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop(columns="rs3"), r"1 of the model's 60 variants have no column, such as 'rs3'"),
        (lambda f: f.assign(rs99999=1.0), "1 columns are no variants of the model, such as 'rs99999'"),
        (lambda f: pd.concat([f, f[["rs4"]]], axis=1), "the column 'rs4' stands twice"),
        (lambda f: f.assign(rs5=2.5), "row 1: the dosage of rs5 is 2.5"),
        (lambda f: f.assign(rs5=-1.0), "row 1: the dosage of rs5 is -1"),
        (lambda f: f.assign(rs5="A"), "a dosage is no number"),
    ],
)
def test_a_wrong_frame_is_told(bundle, change, says):
    frame, _ = describe_pyfunc(bundle)
    with pytest.raises(InputError, match=says):
        predict_frame(bundle, change(frame))


def test_the_statistic_needs_no_whole_shape():
    """Frequencies may be of each person, as where each is left out."""
    table = make_table(20)
    dosages = draw_people(table, 6)
    shared = [table[name].to_numpy() for name in ("frequency", "source_frequency")]
    each = [np.tile(one, (6, 1)) for one in shared]
    assert (measure_ancestry(dosages, *shared)[0] == measure_ancestry(dosages, *each)[0]).all()
