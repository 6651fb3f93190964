"""Models judged by nested cross-validation: no fold learns from those it judges, and the numbers are right."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genotransfer.association.contingency import compute_trend
from genotransfer.comparison.estimators import NetworkClassifier, TransferClassifier
from genotransfer.comparison.features import AssociationSelector, CorrelationFilter, correlate_phenotype
from genotransfer.comparison.figures import trace_roc
from genotransfer.comparison.folds import deal_folds, list_splits
from genotransfer.comparison.judging import JudgedModel, build_search, find_inner_folds, judge_model
from genotransfer.comparison.pipelines import build_pipeline, check_models
from genotransfer.comparison.results import (
    adjust_holm,
    compare_pairs,
    measure_bounds,
    tabulate_folds,
    tabulate_models,
    tabulate_timings,
)
from genotransfer.comparison.source import SourceCohort
from genotransfer.comparison.trial import try_settings
from genotransfer.counts import count_block
from genotransfer.errors import AlignmentError, InputError, StudyError
from genotransfer.models.classical import score_cases
from genotransfer.splits import LabelledSamples
from tests.comparison_support import LOGISTIC, draw_people, make_study

SCORE = {"name": "score", "kind": "score", "score": "susie_joint", "selection": {"associated": None}}
# Every kind, and every step that learns.
MODELS = (
    {**LOGISTIC, "selection": {"associated": 20, "r2": 0.5, "recursive": 6}},
    {"name": "svm", "kind": "svm", "imbalance": "smote", "selection": {"associated": 20}},
    {"name": "forest", "kind": "forest", "encoding": "one_hot", "imbalance": "undersample",
     "settings": {"classifier__n_estimators": 10}},
    SCORE,
    {"name": "score-source", "kind": "score", "score": "susie", "learn_on": "source"},
    {"name": "network", "kind": "network", "network": "ann_1", "imbalance": "oversample",
     "selection": {"associated": 20}, "settings": {"classifier__epochs": 3}},
    {"name": "transfer", "kind": "transfer", "network": "ann_1", "selection": {"associated": 20},
     "settings": {"classifier__epochs": 3}},
)  # fmt: skip


@pytest.fixture(scope="module")
def people():
    return draw_people()


@pytest.fixture(scope="module")
def judged(people):
    """Every kind of model judged on the same people."""
    study = make_study(*MODELS)
    cohort = SourceCohort(people.source, study.seed)
    return study, [judge_model(study, name, people, cohort=cohort) for name in study.model_names]


# No leakage


@pytest.mark.parametrize("number", range(len(MODELS)))
def test_a_folds_scores_do_not_know_its_labels(people, judged, number):
    """With the labels of one fold's people turned round, nothing about their scores changes."""
    study, before = judged
    out = people.folds == 1
    labels = np.where(out, 1 - people.target.labels, people.target.labels).astype(np.int8)
    turned = replace(people, target=LabelledSamples(people.target.dosages, labels))
    name = study.model_names[number]
    [train, test] = list_splits(people.folds)[1]
    search = build_search(
        study, study.models[number], turned, train, 2, SourceCohort(people.source, study.seed)
    )
    search.fit(turned.target.dosages[train], turned.target.labels[train])
    scores = score_cases(search, turned.target.dosages[test])
    np.testing.assert_array_equal(scores, before[number].predictions["score"].to_numpy()[test], name)
    # Nor does a person's score depend on who else is scored; float32 networks round by batch.
    alone = np.concatenate([score_cases(search, turned.target.dosages[[one]]) for one in test[:3]])
    np.testing.assert_allclose(alone, scores[:3], atol=1e-6)


def test_noise_is_told_no_better_than_by_chance_and_choosing_outside_the_folds_seems_to_tell_it():
    """The contrast: the same selection on everybody finds what is not there."""
    people = draw_people(n=120, p=2000, effect=0.0, missing=0.0)
    models = (
        {"name": "logistic", "kind": "logistic", "selection": {"associated": 20}},
        {"name": "filtered", "kind": "logistic", "selection": {"associated": 60, "r2": 0.1}},
        {"name": "recursive", "kind": "logistic", "selection": {"associated": 60, "recursive": 20}},
    )
    study = make_study(*models)
    judged = [judge_model(study, name, people) for name in study.model_names]
    for row in tabulate_models(judged).to_dict("records"):
        assert abs(row["accuracy"] - 0.5) < 4 * np.sqrt(0.25 / 120), row["model"]
        assert row["auc_low"] < 0.5 < row["auc_high"], row["model"]
    X, y = people.target.dosages, people.target.labels
    chosen = AssociationSelector(20).fit(X, y).transform(X)
    leaking = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    assert np.mean(cross_val_predict(leaking, chosen, y, cv=list_splits(people.folds)) == y) > 0.8


def test_the_source_is_learnt_from_once_and_by_no_fold(people):
    cohort = SourceCohort(people.source, 5)
    model = (
        make_study(MODELS[6])
        .models[0]
        .model_copy(update={"settings": {"classifier__epochs": 3, "classifier__trainable_layers": 0}})
    )
    first = build_pipeline(model, make_study().training, 1, cohort)
    scores = []
    for train, _ in list_splits(people.folds):
        first.fit(people.target.dosages[train], people.target.labels[train])
        scores.append(first.predict_proba(people.target.dosages)[:, 1])
        spent = cohort.seconds if len(scores) == 1 else spent
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    assert cohort.seconds == spent > 0
    assert clone(first).named_steps["classifier"].cohort is cohort


def test_a_network_that_reads_genotypes_gets_them_as_they_are(people):
    X, y = people.target.dosages, people.target.labels
    for model in (
        NetworkClassifier("cnn_3d", epochs=1),
        TransferClassifier(SourceCohort(people.source, 5), "cnn_3d", 30, epochs=1, trainable_layers=0),
    ):
        scale = model.fit(X, y).standardiser_
        assert (scale.mean == -1).all()
        assert (scale.sd == 1).all()


# Folds


def test_folds_are_stratified_and_the_same_for_all_models(judged):
    _, models = judged
    table = models[0].predictions
    assert table.groupby("fold")["label"].mean().between(0.4, 0.6).all()
    for one in models[1:]:
        assert one.predictions[["IID", "fold", "label"]].equals(table[["IID", "fold", "label"]])
    tabulate_models(models)
    other = replace(models[1], predictions=models[1].predictions.assign(fold=1))
    with pytest.raises(StudyError, match="judged on other people or folds"):
        tabulate_models([models[0], other])


def test_families_are_never_parted(people):
    families = np.repeat(np.arange(30), 3)
    related = draw_people(groups=families)
    assert pd.Series(related.folds).groupby(families).nunique().max() == 1
    train, _ = list_splits(related.folds)[0]
    inner = find_inner_folds(make_study(), related, train, 1)
    assert pd.Series(inner).groupby(families[train]).nunique().max() == 1
    # Without families they would be.
    assert pd.Series(people.folds).groupby(families).nunique().max() > 1


def test_folds_that_cannot_be_dealt_are_told():
    labels = np.array([1, 1, 0, 0, 0, 0], dtype=np.int8)
    with pytest.raises(StudyError, match="3 folds need as many cases, and there are 2"):
        deal_folds(labels, 3, 1)
    with pytest.raises(StudyError, match="2 folds need as many families, and there are 1"):
        deal_folds(labels, 2, 1, np.zeros(6, dtype=np.int64))
    with pytest.raises(StudyError, match="families are too few or too uneven"):
        deal_folds(labels, 2, 1, np.array([0, 0, 1, 1, 2, 2]))


# Features


def test_association_is_the_trend_tests_and_the_squared_correlation(people):
    X, y = people.target.dosages, people.target.labels
    found = correlate_phenotype(X, y.astype(np.float64))
    counts = count_block(X, np.asarray(1 - y, dtype=np.int8), 2)
    n = (X >= 0).sum(axis=0)
    np.testing.assert_allclose(found * n, compute_trend(counts)[0], rtol=1e-10)
    for at in range(X.shape[1]):
        seen = X[:, at] >= 0
        assert found[at] == pytest.approx(np.corrcoef(X[seen, at], y[seen])[0, 1] ** 2, abs=1e-12)


def test_the_selector_is_scikit_learns_where_nothing_is_missing():
    people = draw_people(missing=0.0)
    X, y = people.target.dosages, people.target.labels
    theirs = SelectKBest(f_classif, k=7).fit(X, y).get_support()
    np.testing.assert_array_equal(AssociationSelector(7).fit(X, y).get_support(), theirs)


def test_the_correlation_filter_keeps_the_stronger_of_two():
    people = draw_people(missing=0.0)
    X = np.column_stack([people.target.dosages, 2 - people.target.dosages[:, :5]]).astype(np.int8)
    y = people.target.labels
    for r2 in (0.02, 0.5, 1.0):
        kept = []
        for at in np.argsort(-correlate_phenotype(X, y.astype(np.float64)), kind="stable"):
            if all(np.corrcoef(X[:, at], X[:, other])[0, 1] ** 2 < r2 - 1e-5 for other in kept):
                kept.append(at)
        support = CorrelationFilter(r2).fit(X, y).get_support()
        assert np.flatnonzero(support).tolist() == sorted(kept)
    assert not support[40:].any()  # copies of others, counted by the other allele
    assert 0 < CorrelationFilter(0.02).fit(X, y).get_support().sum() < 40


# Search


def test_the_search_is_scikit_learn_by_hand(people):
    grid = {"associated__n_variants": [2, 10], "classifier__C": [0.01, 1.0]}
    study = make_study({**LOGISTIC, "search": {"kind": "grid", "space": grid}})
    judged = judge_model(study, "logistic", people)
    X, y = people.target.dosages, people.target.labels
    for number, (train, test) in enumerate(list_splits(people.folds), start=1):
        inner = list_splits(find_inner_folds(study, people, train, number))
        tried = {}
        for k in grid["associated__n_variants"]:
            for c in grid["classifier__C"]:
                scores = [
                    roc_auc_score(y[train[b]], fit_by_hand(X[train[a]], y[train[a]], k, c)(X[train[b]]))
                    for a, b in inner
                ]
                tried[k, c] = np.mean(scores)
        k, c = max(tried, key=tried.get)
        fold = judged.fits.iloc[number - 1]
        assert json.loads(fold["settings"]) == {"associated__n_variants": k, "classifier__C": c}
        assert fold["inner_score"] == pytest.approx(tried[k, c], abs=1e-12)
        assert (fold["n_snps"], fold["n_parameters"]) == (k, k + 1)
        shown = judged.searches[judged.searches["fold"] == number]
        assert shown["mean"].tolist() == pytest.approx(list(tried.values()), abs=1e-12)
        expected = fit_by_hand(X[train], y[train], k, c)(X[test])
        np.testing.assert_allclose(judged.predictions["score"].to_numpy()[test], expected, atol=1e-9)
        if number == 1:  # and a trial that somebody else leads finds the same
            found = try_settings(
                study, "logistic", people, {"associated__n_variants": 2, "classifier__C": 1.0}
            )
            assert found == pytest.approx(tried[2, 1.0], abs=1e-12)


def fit_by_hand(X, y, k, c):
    strength = [np.corrcoef(X[X[:, at] >= 0, at], y[X[:, at] >= 0])[0, 1] ** 2 for at in range(X.shape[1])]
    strength = np.nan_to_num(strength) * (X >= 0).sum(axis=0)
    columns = np.sort(np.argsort(-strength, kind="stable")[:k])
    model = make_pipeline(
        SimpleImputer(missing_values=-1), StandardScaler(), LogisticRegression(C=c, max_iter=2000)
    )
    model.fit(X[:, columns], y)
    return lambda new: model.predict_proba(new[:, columns])[:, 1]


def test_a_random_search_draws_from_its_bounds_and_the_same_again(people):
    space = {"classifier__C": {"low": 0.1, "high": 10, "log": True}, "associated__n_variants": [2, 10]}
    study = make_study({**LOGISTIC, "search": {"kind": "random", "iterations": 3, "space": space}})
    first, again = (judge_model(study, "logistic", people) for _ in range(2))
    assert first.searches.equals(again.searches)
    assert first.predictions.equals(again.predictions)
    tried = pd.DataFrame([json.loads(one) for one in first.searches["settings"]])
    assert tried["classifier__C"].between(0.1, 10).all()
    assert tried["classifier__C"].nunique() == len(tried) == 9
    other = judge_model(study.model_copy(update={"seed": 4}), "logistic", people)
    assert not first.searches.equals(other.searches)


def test_a_search_led_by_optuna(people):
    pytest.importorskip("optuna", reason="the extra `tuning` is not installed")
    space = {
        "classifier__C": {"low": 0.1, "high": 10, "log": True},
        "associated__n_variants": {"low": 2, "high": 30, "whole": True},
        "classifier__fit_intercept": [True, False],
    }
    study = make_study({**LOGISTIC, "search": {"kind": "bayes", "iterations": 4, "space": space}})
    first, again = (judge_model(study, "logistic", people) for _ in range(2))
    assert first.searches.equals(again.searches)
    best = first.searches[first.searches["rank"] == 1].groupby("fold")["mean"].first()
    assert best.tolist() == first.fits["inner_score"].tolist()


def test_optuna_is_asked_for_where_it_is_absent(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    space = {"classifier__C": [0.1, 1.0]}
    with pytest.raises(StudyError, match=r"needs Optuna, .*Install genotransfer\[tuning\]"):
        check_models(make_study({**LOGISTIC, "search": {"kind": "bayes", "space": space}}))


# Results


def make_judged(name, labels, scores, folds):
    table = pd.DataFrame({"FID": "f", "IID": [f"p{one}" for one in range(len(labels))], "fold": folds})
    numbers = sorted(set(folds))
    fits = pd.DataFrame(
        {"fold": numbers, "n_train": 1, "n_test": 1, "n_snps": 3, "n_parameters": 4, "inner_score": np.nan,
         "settings": "{}"}
    )  # fmt: skip
    timings = pd.DataFrame(
        {"fold": numbers, "seconds": 3.0, "cpu_seconds": 2.0, "source_seconds": 1.0, "source_cpu_seconds": 0.5,
         "score_seconds": 0.1}
    )  # fmt: skip
    searches = pd.DataFrame(columns=["fold", "settings", "mean", "sd", "rank"])
    table = table.assign(label=np.asarray(labels, np.int8), score=np.asarray(scores, np.float64))
    return JudgedModel(name, table, fits, searches, timings)


def test_metrics_are_those_of_the_counts():
    labels = [1, 1, 1, 1, 0, 0, 0, 0]
    scores = [0.9, 0.8, 0.7, 0.2, 0.6, 0.4, 0.3, 0.1]
    one = make_judged("one", labels, scores, [1, 1, 2, 2, 1, 1, 2, 2])
    [row] = tabulate_models([one]).to_dict("records")
    assert [row[name] for name in ("accuracy", "sensitivity", "specificity", "precision", "f1")] == [0.75] * 5
    assert row["auc"] == 13 / 16
    assert row["brier"] == pytest.approx(np.mean((np.array(scores) - labels) ** 2))
    assert row["fold_accuracy"] == np.mean([3 / 4, 3 / 4])
    assert row["fold_auc"] == np.mean([1.0, 3 / 4])
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert tabulate_folds(one)["auc"].tolist() == [1.0, 0.75]
    false_rate, true_rate = trace_roc(np.array(labels, np.int8), np.array(scores))
    assert auc(false_rate, true_rate) == 13 / 16
    assert (false_rate[0], true_rate[0], false_rate[-1], true_rate[-1]) == (0, 0, 1, 1)
    [spent] = tabulate_timings([one], make_study(cost={"per_hour": 36.0}).cost).to_dict("records")
    assert (spent["seconds"], spent["source_seconds"], spent["cost"]) == (6.0, 2.0, pytest.approx(0.08))


def test_pairs_are_of_the_same_people_and_corrected_for_their_number():
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 60)
    folds = np.tile([1, 2, 3], 40)
    good = np.clip(labels * 0.6 + rng.random(120) * 0.4, 0, 1)
    models = [
        make_judged(name, labels, scores, folds)
        for name, scores in (("good", good), ("coin", rng.random(120)), ("again", good))
    ]
    pairs = compare_pairs(models, 1).set_index(["first", "second"])
    assert pairs.loc[("good", "again"), ["accuracy_difference", "mcnemar_p", "auc_p"]].tolist() == [0, 1, 1]
    worse = pairs.loc[("good", "coin")]
    right = [((one.predictions["score"] > 0.5) == (labels == 1)).mean() for one in models]
    assert worse["accuracy_difference"] == pytest.approx(right[1] - right[0])
    assert worse["accuracy_low"] < worse["accuracy_difference"] < worse["accuracy_high"] < 0
    assert worse["mcnemar_p_holm"] == pytest.approx(3 * worse["mcnemar_p"])


def test_holms_correction():
    np.testing.assert_allclose(
        adjust_holm(np.array([0.01, 0.04, np.nan, 0.03, 0.005])), [0.03, 0.06, np.nan, 0.06, 0.02]
    )
    assert adjust_holm(np.array([0.6, 0.7])).tolist() == [1, 1]
    assert len(adjust_holm(np.array([]))) == 0


def test_the_oracle_is_the_true_risk_snps(people):
    risk = people.variants.iloc[:2].assign(source_effect=1.5, target_effect=1.5)
    bounds = measure_bounds(replace(people, risk=risk, heritability=0.5))
    assert bounds["ceiling"] == 0.75
    known = (
        people.target.dosages[:, :2].clip(0).sum(axis=1)
        > people.target.dosages[:, :2].clip(0).sum(axis=1).mean()
    )
    assert bounds["oracle_accuracy"] == pytest.approx(np.mean(known == people.target.labels), abs=0.05)
    assert np.isnan(measure_bounds(people)["oracle_accuracy"])


def test_what_was_judged_is_read_as_it_was_written(judged, tmp_path):
    _, models = judged
    models[0].write(tmp_path / "one")
    read = JudgedModel.read(tmp_path / "one")
    assert read.name == models[0].name
    assert read.predictions.equals(models[0].predictions)
    (tmp_path / "one" / "fits.parquet").unlink()
    with pytest.raises(InputError, match=r"fits\.parquet: there is no such table of a model"):
        JudgedModel.read(tmp_path / "one")


# Mistakes


def test_a_value_that_scikit_learn_refuses_is_told(people):
    study = make_study({**LOGISTIC, "settings": {"classifier__C": -1}})
    with pytest.raises(StudyError, match="the search of logistic: The 'C' parameter"):
        judge_model(study, "logistic", people)
    study = make_study(
        {**MODELS[6], "settings": {"classifier__trainable_layers": 9, "classifier__epochs": 1}}
    )
    with pytest.raises(StudyError, match="trainable_layers is 9, and ann_1 has 3 layers"):
        judge_model(study, "transfer", people)


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"associated__n_variants": {"low": 2, "high": 5}}, "n_variants is .* Give a whole number"),
        ({"associated__n_variants": [0]}, "n_variants is 0. Give a whole number of 1 or more"),
        ({"uncorrelated__r2": [2]}, "r2 is 2. Give a number above 0, up to 1"),
        ({"classifier__n_estimators": [10], "resampled__k_neighbors": [80]}, "Expected n_neighbors"),
    ],
)
def test_what_a_search_may_not_draw_is_told_with_model_and_fold(people, space, told):
    model = {
        "name": "forest",
        "kind": "forest",
        "imbalance": "smote",
        "selection": {"associated": 8, "r2": 0.9},
    }
    study = make_study(model | {"search": {"kind": "random", "iterations": 1, "space": space}})
    fewer = (people.target.labels * (np.arange(90) % 3 > 0)).astype(np.int8)  # for SMOTE to have work
    people = replace(people, target=LabelledSamples(people.target.dosages, fewer))
    with pytest.raises(StudyError, match=f"Model forest, fold 1: .*{told}"):
        judge_model(study, "forest", people)


def test_a_source_of_other_variants_is_refused(people):
    study = make_study(SCORE)
    other = LabelledSamples(people.source.dosages[:, :7], people.source.labels)
    with pytest.raises(AlignmentError, match="The source has 7 variants and the target 40"):
        judge_model(study, "score", replace(people, source=other))
    pipeline = build_pipeline(study.models[0], study.training, 1)
    with pytest.raises(StudyError, match="was given none"):
        pipeline.fit(people.target.dosages, people.target.labels)
