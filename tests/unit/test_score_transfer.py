"""Score transfer: who learns, who is judged by what, and the predictor that comes of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from genotransfer.baselines import PanelData
from genotransfer.errors import StudyError
from genotransfer.randomness import derive_seed, make_generator
from genotransfer.score_transfer import LearningPeople, cross_validate, fit_scores
from genotransfer.scores.registry import build_score
from genotransfer.scores.stacking import cross_stack, fit_weights
from genotransfer.splits import SPLITS, LabelledSamples

NAMES = ["susie", "susie_joint"]
SIZES = {"source": {"TD": 140, "VD": 30, "ED": 50}, "target": {"TD": 45, "VD": 10, "ED": 25}}
N_VARIANTS = 40


def draw(n, rng, missing=0.03):
    dosages = rng.binomial(2, 0.4, (n, N_VARIANTS)).astype(np.int8)
    liability = dosages[:, 3] - dosages[:, 20] + 0.7 * rng.standard_normal(n)
    dosages[rng.random(dosages.shape) < missing] = -1
    return LabelledSamples(dosages, (liability > 0).astype(np.int8))


def make_panel(missing=0.03, seed=1):
    rng = np.random.default_rng(seed)
    variants = pd.DataFrame({"id": [f"rs{at}" for at in range(N_VARIANTS)], "counted": "A", "other": "G"})
    splits = {
        name: {split: draw(n, rng, missing) for split, n in sizes.items()} for name, sizes in SIZES.items()
    }
    return PanelData("all", variants, splits["source"], splits["target"])


PANEL = make_panel()


@pytest.fixture(scope="module")
def people():
    return LearningPeople.gather(PANEL)


@pytest.fixture(scope="module")
def fitted():
    return list(fit_scores("5_1", PANEL, NAMES, seed=7))


def join(panel, what):
    """Return something of all people, in the order source, target and TD, VD, ED."""
    return np.concatenate(
        [getattr(splits[split], what) for splits in (panel.source, panel.target) for split in SPLITS]
    )


def fill(panel):
    """Return dosages with the mean of the own population for each missing one, by pandas."""
    parts = []
    for splits in (panel.source, panel.target):
        table = pd.DataFrame(np.concatenate([splits[split].dosages for split in SPLITS])).astype(float)
        table = table.mask(table < 0)
        parts.append(table.fillna(table.mean()).to_numpy())
    return np.concatenate(parts)


def test_everyone_who_learns_is_there_once(people):
    assert people.labels.tolist() == join(PANEL, "labels").tolist()
    assert people.target.tolist() == [False] * 220 + [True] * 80
    due = [split for sizes in SIZES.values() for split, n in sizes.items() for _ in range(n)]
    assert people.split.tolist() == due


def test_a_missing_dosage_is_its_populations_mean(people):
    assert (join(PANEL, "dosages") < 0).sum() > 100
    assert people.dosages.dtype == np.float32
    assert people.dosages == pytest.approx(fill(PANEL), abs=1e-6)
    # A variant nobody of the target was typed for says nothing there, and is no NaN.
    target = {name: replace(one, dosages=one.dosages.copy()) for name, one in PANEL.target.items()}
    for one in target.values():
        one.dosages[:, 5] = -1
    gathered = LearningPeople.gather(replace(PANEL, target=target))
    assert np.ptp(gathered.dosages[gathered.target, 5]) == 0
    assert np.isfinite(gathered.dosages).all()


@pytest.mark.parametrize("n_folds", [2, 5, 7])
def test_folds_have_their_share_of_either_populations_cases(people, n_folds):
    folds = people.fold(n_folds, np.random.default_rng(2))
    assert set(folds) == set(range(n_folds))
    for ours in (False, True):
        at = people.target == ours
        sizes = np.bincount(folds[at], minlength=n_folds)
        assert np.ptp(sizes) <= 1
        cases = np.bincount(folds[at], weights=people.labels[at], minlength=n_folds)
        assert (np.abs(cases - sizes * people.labels[at].mean()) < 2).all()
    assert not np.array_equal(folds, people.fold(n_folds, np.random.default_rng(3)))


def test_fewer_people_than_folds_are_judged_all_the_same():
    few = {name: LabelledSamples(one.dosages[:1], one.labels[:1]) for name, one in PANEL.target.items()}
    people = LearningPeople.gather(replace(PANEL, target=few))
    folds = people.fold(5, np.random.default_rng(2))
    margins = cross_validate(people, ["susie"], folds, 1)["susie"]
    assert np.isfinite(margins).all()
    assert (margins != 0).all()


def validate_again(n_folds, seed):
    """Cross-validate by the scores' own fit and decision_function, on dosages filled by pandas."""
    X, y = fill(PANEL).astype(np.float32), join(PANEL, "labels")
    target = np.arange(len(y)) >= 220
    folds = LearningPeople.gather(PANEL).fold(n_folds, make_generator(seed, "folds"))
    margins = {name: np.full(len(y), np.nan) for name in NAMES}
    for fold in range(n_folds):
        out = folds == fold
        for name in NAMES:
            score = build_score(name, derive_seed(seed, "score", name, fold)).fit(
                X[~out], y[~out], target[~out]
            )
            shift = np.where(target[out], 0, score.source_intercept_ - score.intercept_)
            margins[name][out] = score.decision_function(X[out]) + shift
    return margins


@pytest.fixture(scope="module")
def margins():
    return validate_again(5, derive_seed(7, "scores", "5_1"))


def test_margins_are_of_scores_that_learnt_from_the_other_folds(people, margins):
    seed = derive_seed(7, "scores", "5_1")
    found = cross_validate(people, NAMES, people.fold(5, make_generator(seed, "folds")), seed)
    for name in NAMES:
        assert found[name] == pytest.approx(margins[name], abs=1e-4)
        assert np.std(found[name]) > 0.1


def test_a_candidates_accuracies_are_those_of_its_margins(fitted, margins):
    labels = join(PANEL, "labels")
    assert [one.candidate.model for one in fitted] == [*NAMES, "stack"]
    split = np.concatenate([np.repeat(list(sizes), list(sizes.values())) for sizes in SIZES.values()])
    target = np.arange(len(labels)) >= 220
    for one, name in zip(fitted[:2], NAMES, strict=True):
        right = (margins[name] > 0) == (labels == 1)
        due = {
            "td_accuracy": right[target & (split == "TD")].mean(),
            "vd_accuracy": right[target & (split == "VD")].mean(),
            "ed_accuracy": right[target & (split == "ED")].mean(),
            "source_ed_accuracy": right[~target & (split == "ED")].mean(),
            "target_cv_accuracy": right[target].mean(),
            "source_cv_accuracy": right[~target].mean(),
        }
        found = {key: getattr(one.candidate, key) for key in due}
        assert found == pytest.approx(due)
        assert found["target_cv_accuracy"] > 0.6
        assert one.candidate.key == f"5_1.score_transfer.{name}"
        assert (one.candidate.model, one.candidate.method, one.candidate.fit_on) == (
            name,
            "score_transfer",
            "target",
        )


@pytest.mark.parametrize("at", [4, 100, 230, 299])
def test_nobodys_own_label_moves_the_own_margin(people, at):
    folds = people.fold(4, np.random.default_rng(2))
    turned = people.labels.copy()
    turned[at] = 1 - turned[at]
    first, second = (
        cross_validate(replace(people, labels=labels), NAMES, folds, seed=3)
        for labels in (people.labels, turned)
    )
    mine = folds == folds[at]
    for name in NAMES:
        # Nor is it known to anyone who was left out beside them; the others learnt from it.
        assert np.array_equal(first[name][mine], second[name][mine])
        assert (first[name][~mine] != second[name][~mine]).any()


def test_final_data_beside_the_splits_is_not_looked_at(fitted):
    strangers = draw(60, np.random.default_rng(9))
    with_fd = replace(PANEL, target=PANEL.target | {"FD": strangers})
    for one, other in zip(fitted, fit_scores("5_1", with_fd, NAMES, seed=7), strict=True):
        assert other.candidate == one.candidate
        assert np.array_equal(other.predictor.effects, one.predictor.effects)
        assert other.predictor.constant == one.predictor.constant


def test_the_predictor_has_learnt_from_all_and_reads_variants_with_an_effect_only(fitted, margins):
    X, y = fill(PANEL).astype(np.float32), join(PANEL, "labels")
    target = np.arange(len(y)) >= 220
    of_phenotype = derive_seed(7, "scores", "5_1")
    for one, name in zip(fitted[:2], NAMES, strict=True):
        score = build_score(name, derive_seed(of_phenotype, "score", name)).fit(X, y, target)
        predictor = one.predictor
        kept = np.flatnonzero(score.coef_)
        assert predictor.variants["id"].tolist() == [f"rs{at}" for at in kept]
        assert one.candidate.n_snps == len(kept) == len(predictor.effects)
        # The slope of cross-validation multiplies all effects, and makes none the other way round.
        factor = predictor.effects / score.coef_[kept]
        assert factor == pytest.approx(factor[0], rel=1e-6)
        assert 0 < factor[0] < 2
        assert predictor.standardiser.mean == pytest.approx(X[target][:, kept].mean(axis=0), abs=1e-5)
        # Everyone's log odds are the sum of the effects; the intercept makes cases add up.
        dosages = join(PANEL, "dosages")[target][:, kept]
        found = predictor.score(dosages)
        intercept = logit(found) - X[target][:, kept] @ predictor.effects
        assert intercept == pytest.approx(intercept[0], abs=1e-4)
        assert found.mean() == pytest.approx((y[target].sum() + 0.5) / (target.sum() + 1), abs=1e-4)
        # One who was typed for nothing has the log odds at the mean.
        nobody = np.full((1, len(kept)), -1, dtype=np.int8)
        assert predictor.score(nobody)[0] == pytest.approx(expit(predictor.constant))


def test_the_same_seed_gives_the_same_scores(fitted):
    again = list(fit_scores("5_1", make_panel(), NAMES, seed=7))
    assert [one.candidate for one in again] == [one.candidate for one in fitted]
    for one, other in zip(fitted, again, strict=True):
        assert np.array_equal(one.predictor.effects, other.predictor.effects)


def test_a_score_of_nothing_is_still_a_model():
    """Labels that follow nothing: whatever is learnt, odds stay near the share of cases."""
    rng = np.random.default_rng(3)
    splits = [
        {name: replace(one, labels=rng.permutation(one.labels)) for name, one in of.items()}
        for of in (PANEL.source, PANEL.target)
    ]
    for one in fit_scores("5_1", replace(PANEL, source=splits[0], target=splits[1]), NAMES, seed=7):
        predictor = one.predictor
        assert len(predictor.variants) >= 1
        scores = predictor.score(
            join(PANEL, "dosages")[:, predictor.variants.index[: len(predictor.effects)]]
        )
        assert np.isfinite(scores).all()
        assert np.std(logit(scores)) < 0.6


def test_one_class_is_refused_and_one_population_of_it_is_not():
    alone = {name: replace(one, labels=np.ones_like(one.labels)) for name, one in PANEL.target.items()}
    [one] = fit_scores("5_1", replace(PANEL, target=alone), ["susie"], seed=7)
    assert np.isfinite(one.candidate.target_cv_accuracy)
    assert np.isfinite(one.predictor.effects).all()
    theirs = {name: replace(one, labels=np.ones_like(one.labels)) for name, one in PANEL.source.items()}
    with pytest.raises(StudyError, match=r"scores of 5_1 need cases and controls.*all 300 people are cases"):
        list(fit_scores("5_1", replace(PANEL, source=theirs, target=alone), ["susie"], seed=7))


def test_no_variants_give_no_candidates():
    def cut(splits):
        return {name: replace(one, dosages=one.dosages[:, :0]) for name, one in splits.items()}

    empty = PanelData("all", PANEL.variants.iloc[:0], cut(PANEL.source), cut(PANEL.target))
    assert list(fit_scores("5_1", empty, NAMES, seed=7)) == []


def weigh_again(margins, labels, target):
    """Weights by scikit-learn, for where none is at 0: intercepts on a scale at which no penalty is felt."""
    design = np.column_stack([margins, 1e3 * ~target, 1e3 * target])
    counts = np.where(target, ((~target).sum() / target.sum()) ** 0.5, 1.0)
    peer = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=10_000)
    return peer.fit(design, labels, sample_weight=counts).coef_[0, : margins.shape[1]]


def test_the_stack_is_a_logistic_regression_on_unseen_log_odds(people, fitted, margins):
    unseen = np.column_stack([margins[name] for name in NAMES])
    folds = people.fold(5, make_generator(derive_seed(7, "scores", "5_1"), "folds"))
    stacked = np.zeros(len(folds))
    for fold in range(5):
        out = folds == fold
        found = fit_weights(unseen[~out], people.labels[~out], people.target[~out])
        due = weigh_again(unseen[~out], people.labels[~out], people.target[~out])
        assert np.where(due < 0, 0, found) == pytest.approx(found, abs=1e-6)
        if (due > 0).all():
            assert found == pytest.approx(due, abs=1e-3)
        stacked[out] = unseen[out] @ found
    right = (stacked > 0) == (people.labels == 1)
    candidate = fitted[2].candidate
    assert candidate.target_cv_accuracy == pytest.approx(right[people.target].mean())
    assert candidate.source_cv_accuracy == pytest.approx(right[~people.target].mean())
    assert candidate.ed_accuracy == pytest.approx(right[people.target & (people.split == "ED")].mean())


def test_the_stacks_predictor_is_a_sum_of_its_scores(people, fitted, margins):
    weights = fit_weights(np.column_stack([margins[name] for name in NAMES]), people.labels, people.target)
    of_phenotype = derive_seed(7, "scores", "5_1")
    everyone = fill(PANEL).astype(np.float32), join(PANEL, "labels"), people.target
    parts = [
        build_score(name, derive_seed(of_phenotype, "score", name)).fit(*everyone).coef_ for name in NAMES
    ]
    due = weights @ np.stack(parts)
    predictor = fitted[2].predictor
    at = [int(one.removeprefix("rs")) for one in predictor.variants["id"]]
    assert at == np.flatnonzero(due).tolist()
    factor = predictor.effects / due[at]
    assert factor == pytest.approx(factor[0], rel=1e-3)
    assert factor[0] > 0


def test_one_score_alone_has_no_stack():
    [one] = fit_scores("5_1", PANEL, ["susie"], seed=7)
    assert one.candidate.model == "susie"


def test_a_folds_own_labels_give_the_stack_no_weight_there(people, margins):
    unseen = np.column_stack([margins[name] for name in NAMES])
    folds = people.fold(5, np.random.default_rng(4))
    mine = folds == 3
    turned = np.where(mine, 1 - people.labels, people.labels).astype(np.int8)
    first, second = (cross_stack(unseen, labels, people.target, folds) for labels in (people.labels, turned))
    assert np.array_equal(first[mine], second[mine])
    assert (first[~mine] != second[~mine]).all()
