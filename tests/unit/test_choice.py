"""The study's one model of a phenotype: the rule in closed form, and the average of models."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import logit

from genotransfer.candidates import CHOSEN, METHODS, Candidate, tabulate
from genotransfer.choice import (
    EvidenceRule,
    EvidenceSizes,
    average_scores,
    choose_by_ed,
    choose_by_evidence,
    describe_choice,
)

PAPER = EvidenceSizes(target_td=70, target_vd=10, target_ed=20, source=1000, source_ed=200)


def make(key, method="none", vd=0.5, ed=0.5, source=0.5, phenotype="5_1", model="svm", **changes):
    return Candidate(
        key=key,
        phenotype=phenotype,
        method=method,
        fit_on="target",
        panel="source_01",
        n_snps=10,
        model=model,
        trainable_layers=0,
        td_accuracy=1.0,
        vd_accuracy=vd,
        ed_accuracy=ed,
        source_ed_accuracy=source,
        **changes,
    )


def make_score(key, target, source, ed=0.5, **changes):
    return make(key, "score_transfer", ed=ed, target_cv_accuracy=target, source_cv_accuracy=source, **changes)


def choose(*candidates, **options):
    """Return key and weight of each phenotype's members."""
    members = choose_by_evidence(tabulate(list(candidates)), PAPER, **options)
    return list(members[["key", "weight"]].itertuples(index=False, name=None))


def estimate(candidate, rule=None):
    mean, error = (rule or EvidenceRule()).estimate(tabulate([candidate]), PAPER)
    return mean[0], error[0]


@pytest.mark.parametrize(
    ("candidate", "right", "people"),
    [
        # 20 people of the coin, 10 of VD, 20 of ED, and 200 of the source that count .2 each.
        (make("a", vd=0.5, ed=0.8, source=0.6), 10 + 5 + 16 + 24, 90),
        (make("a", vd=0.5, ed=0.8, source=math.nan), 10 + 5 + 16, 50),
        (make("a", vd=math.nan, ed=0.8, source=math.nan), 10 + 16, 40),
        # Cross-validated: all 100 of the target and 1000 of the source; ED is not counted once more.
        (make_score("a", target=0.7, source=0.6, ed=1.0), 10 + 70 + 120, 320),
        (make_score("a", target=0.7, source=math.nan), 10 + 70, 120),
    ],
)
def test_an_estimate_is_a_share_of_people_and_a_coin(candidate, right, people):
    mean, error = estimate(candidate)
    assert mean == pytest.approx(right / people)
    assert error == pytest.approx(math.sqrt(right / people * (1 - right / people) / people))


def test_belief_in_a_coin_shrinks_and_the_source_counts_what_it_is_said_to():
    one = make("a", vd=0.9, ed=0.9, source=0.9)
    assert estimate(one, EvidenceRule(coin=0.0))[0] == pytest.approx(0.9)
    assert estimate(one, EvidenceRule(coin=1e9))[0] == pytest.approx(0.5, abs=1e-6)
    two = make("a", vd=1.0, ed=1.0, source=0.0)
    assert estimate(two, EvidenceRule(coin=0.0, source_person=1.0))[0] == pytest.approx(30 / 230)
    assert estimate(two, EvidenceRule(coin=0.0, source_person=0.0))[0] == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 10, 500])
def test_the_penalty_is_what_the_best_of_as_many_guesses_gains(n):
    alike = [make(f"k{at}", ed=0.8) for at in range(n)]
    # Another method's and another phenotype's candidates are none of theirs.
    others = [make("x", "snp_transfer"), make("y", phenotype="5_2")]
    merit = EvidenceRule().judge(tabulate([*alike, *others]), PAPER)
    mean, error = estimate(alike[0])
    assert merit[:n] == pytest.approx(mean - error * math.sqrt(2 * math.log(n)))
    assert merit[n:] == pytest.approx(0.5)


def test_a_method_of_many_candidates_needs_more_evidence():
    lucky = make("lucky", "deep_finetuned", vd=0.9, ed=0.9)
    guesses = [make(f"g{at}", "deep_finetuned") for at in range(200)]
    steady = make_score("steady", target=0.6, source=0.6)
    assert choose(lucky, steady) == [("lucky", 1.0)]
    assert choose(lucky, steady, *guesses) == [("steady", 1.0)]


def test_where_the_target_ties_the_source_decides():
    first, second = make("a", ed=0.8, source=0.55), make("b", ed=0.8, source=0.8)
    assert choose(first, second) == [("b", 1.0)]
    first, second = (make_score(key, 0.6, source) for key, source in (("a", 0.8), ("b", 0.55)))
    assert choose(first, second) == [("a", 1.0)]


def test_the_targets_people_decide_over_as_many_of_the_source():
    first, second = make_score("a", 0.8, 0.6), make_score("b", 0.6, 0.8)
    sizes = EvidenceSizes(70, 10, 20, source=100, source_ed=20)
    assert choose_by_evidence(tabulate([first, second]), sizes)["key"].tolist() == ["a"]


def find_near(best, company):
    """Return the accuracy on the target at which a score's merit is half a standard error below the best's."""

    def measure_excess(accuracy):
        board = tabulate([best, make_score("x", accuracy, 0.7), *company])
        merit = EvidenceRule().judge(board, PAPER)
        return merit[0] - merit[1] - estimate(best)[1] / 2

    return brentq(measure_excess, 0.5, 0.7, xtol=1e-12)


def test_candidates_within_half_a_standard_error_of_the_best_are_averaged():
    best, far = make_score("best", 0.7, 0.7), make_score("far", 0.3, 0.7)
    edge = find_near(best, [far])
    assert 0.5 < edge < 0.7
    assert choose(best, far, make_score("in", edge + 1e-6, 0.7)) == [("best", 0.5), ("in", 0.5)]
    assert choose(best, far, make_score("out", edge - 1e-6, 0.7)) == [("best", 1.0)]


def test_a_stack_near_the_best_stands_for_all():
    best, far = make_score("best", 0.7, 0.7), make_score("far", 0.3, 0.7)
    edge = find_near(best, [far])
    near = [make_score(f"s{at}", 0.7, 0.7 - at / 1e4) for at in range(1, 2)]
    inside, outside = (make_score("stack", edge + by, 0.7, model="stack") for by in (1e-6, -1e-6))
    assert choose(best, far, inside) == [("stack", 1.0)]
    assert choose(best, far, outside) == [("best", 1.0)]
    # However many come before it.
    assert choose(best, *near, make_score("stack", 0.69, 0.7, model="stack")) == [("stack", 1.0)]
    assert choose(best, *near, make_score("mean", 0.69, 0.7)) == [
        (key, 1 / 3) for key in ("best", "s1", "mean")
    ]


def test_candidates_of_two_methods_are_not_averaged():
    best, other = make_score("best", 0.7, 0.7), make("other", ed=1.0, vd=1.0, source=0.53)
    merit = EvidenceRule().judge(tabulate([best, other]), PAPER)
    assert 0 < merit[0] - merit[1] < estimate(best)[1] / 2
    assert choose(best, other) == [("best", 1.0)]
    # Of two scores the better one is luck in part; the other method's one model is then ahead, alone.
    assert choose(best, other, make_score("near", 0.7, 0.69)) == [("other", 1.0)]


def test_no_more_than_a_few_are_averaged():
    alike = [make_score(f"s{at}", 0.7, 0.7 - at / 1e4) for at in range(6)]
    assert choose(*alike) == [(f"s{at}", pytest.approx(1 / 3)) for at in range(3)]
    assert choose(*alike, rule=EvidenceRule(most=1)) == [("s0", 1.0)]


def test_only_candidates_whose_models_were_kept_are_chosen():
    kept, lost = make("kept", ed=0.7), make("lost", ed=1.0)
    assert choose(kept, lost) == [("lost", 1.0)]
    assert choose(kept, lost, among={"kept", "nosuch"}) == [("kept", 1.0)]


def test_candidates_whose_models_were_not_kept_count_as_tries_all_the_same():
    lucky, steady = make("lucky", vd=0.9, ed=0.9), make_score("steady", target=0.6, source=0.6)
    guesses = [make(f"g{at}") for at in range(200)]
    among = {"lucky", "steady"}
    assert choose(lucky, steady, among=among) == [("lucky", 1.0)]
    assert choose(lucky, steady, *guesses, among=among) == [("steady", 1.0)]


@st.composite
def leaderboards(draw):
    """Few distinct values, so that ties are many."""
    shares = st.sampled_from([0.3, 0.5, 0.6, 0.7, math.nan])
    candidates = []
    for at in range(draw(st.integers(1, 20))):
        method = draw(st.sampled_from(METHODS))
        validated = method == "score_transfer"
        candidates.append(
            make(
                f"k{at}",
                method,
                draw(shares),
                draw(shares),
                draw(shares),
                draw(st.sampled_from(["10_1", "5_1", "5_2"])),
                target_cv_accuracy=draw(st.sampled_from([0.5, 0.6])) if validated else math.nan,
                source_cv_accuracy=draw(shares) if validated else math.nan,
            )
        )
    return candidates


@settings(deadline=None, max_examples=50)
@given(leaderboards(), st.randoms())
def test_the_choice_does_not_depend_on_row_order_and_is_whole(candidates, random):
    members = choose_by_evidence(tabulate(candidates), PAPER)
    shuffled = candidates.copy()
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(choose_by_evidence(tabulate(shuffled), PAPER), members)
    assert list(members) == ["phenotype", "key", "weight"]
    natural = [name for name in ("5_1", "5_2", "10_1") if name in {one.phenotype for one in candidates}]
    assert members["phenotype"].drop_duplicates().tolist() == natural
    by_key = {one.key: one for one in candidates}
    merit = dict(zip(by_key, EvidenceRule().judge(tabulate(candidates), PAPER), strict=True))
    for phenotype, group in members.groupby("phenotype"):
        assert group["weight"].sum() == pytest.approx(1)
        assert group["weight"].nunique() == 1
        assert group["key"].is_unique
        assert len({by_key[key].method for key in group["key"]}) == 1
        rivals = [merit[one.key] for one in candidates if one.phenotype == phenotype]
        assert merit[group["key"].iloc[0]] == max(rivals)
        assert {by_key[key].phenotype for key in group["key"]} == {phenotype}


@settings(deadline=None, max_examples=50)
@given(leaderboards(), st.randoms())
def test_the_papers_rule_is_the_best_on_ed(candidates, random):
    members = choose_by_ed(tabulate(candidates))
    shuffled = candidates.copy()
    random.shuffle(shuffled)
    pd.testing.assert_frame_equal(choose_by_ed(tabulate(shuffled)), members)
    assert (members["weight"] == 1).all()
    by_key = {one.key: one for one in candidates}
    assert set(members["phenotype"]) == {one.phenotype for one in candidates}
    for phenotype, key in zip(members["phenotype"], members["key"], strict=True):
        rivals = [one for one in candidates if one.phenotype == phenotype]
        assert by_key[key] in rivals
        # Higher is better, on ED, then on VD, then on the source's ED; what is not known is worst.
        merits = {
            one.key: tuple(
                -1 if math.isnan(value) else value
                for value in (one.ed_accuracy, one.vd_accuracy, one.source_ed_accuracy)
            )
            for one in rivals
        }
        assert merits[key] == max(merits.values())


def test_the_papers_rule_listens_to_ed_where_evidence_does_not():
    lucky = make("lucky", vd=0.1, ed=0.75, source=0.5)
    steady = make_score("steady", target=0.7, source=0.7, ed=0.7)
    assert choose_by_ed(tabulate([steady, lucky]))["key"].tolist() == ["lucky"]
    assert choose(lucky, steady) == [("steady", 1.0)]


def test_a_choice_is_described_by_its_first_member():
    board = tabulate(
        [
            make("a", phenotype="10_1", ed=0.9),
            make_score("b", 0.7, 0.7, model="susie"),
            make_score("c", 0.7, 0.699, model="susie_joint"),
        ]
    )
    rows = describe_choice(board, choose_by_evidence(board, PAPER))
    assert rows["phenotype"].tolist() == ["5_1", "10_1"]
    assert (rows["method"] == CHOSEN).all()
    assert rows["model"].tolist() == ["mean of susie, susie_joint", "svm"]
    assert rows["key"].tolist() == ["b", "a"]
    assert rows["ed_accuracy"].tolist() == [0.5, 0.9]
    assert rows["n_tied"].tolist() == [1, 1]
    assert set(board["method"]) == {"none", "score_transfer"}  # the leaderboard stays as it was


def test_models_are_averaged_in_log_odds():
    first, second, third = np.array([0.9, 0.2, 0.5]), np.array([0.6, 0.8, 0.5]), np.array([0.1, 0.5, 0.5])
    found = average_scores([first, second, third], [0.5, 0.3, 0.2])
    assert logit(found) == pytest.approx(0.5 * logit(first) + 0.3 * logit(second) + 0.2 * logit(third))
    assert average_scores([first, 1 - first], [0.5, 0.5]) == pytest.approx(0.5)
    one = np.array([0.0, 0.5, 1.0])
    assert average_scores([one], [1.0]) is one


def test_a_model_that_is_sure_does_not_silence_the_others():
    found = average_scores([np.array([0.0, 1.0]), np.array([0.7, 0.7])], [0.5, 0.5])
    assert logit(found) == pytest.approx(0.5 * logit([1e-6, 1 - 1e-6]) + 0.5 * logit(0.7))
    assert np.isfinite(logit(found)).all()
