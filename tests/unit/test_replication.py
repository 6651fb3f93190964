"""Replicates: gathered as they are, resampled as the tests of one study do it, placed where they fall."""

import runpy
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genotransfer.candidates import DEEP_METHODS
from genotransfer.errors import InputError, StudyError
from genotransfer.evaluation import build_result, evaluate_predictions, tabulate_results
from genotransfer.intervals import compare_paired, compare_ranks, compare_unpaired
from genotransfer.replication.distributions import (
    compute_power,
    count_people_needed,
    find_detectable_gain,
    measure_disagreement,
    tabulate_accuracies,
    tabulate_selection,
)
from genotransfer.replication.gathering import (
    RunTables,
    gather_predictions,
    gather_runs,
    read_replicates,
    read_sets,
    write_replicates,
)
from genotransfer.replication.places import (
    STATISTICS,
    count_significant,
    list_printed,
    place_groups,
    place_phenotypes,
)
from genotransfer.replication.rejections import (
    compare_with_half,
    expect_rejections,
    measure_size,
    tabulate_rejections,
)
from genotransfer.replication.resampling import (
    arrange_replicates,
    compare_paired_rows,
    compare_rank_rows,
    compare_unpaired_rows,
    place,
)
from genotransfer.report import published
from genotransfer.report.replicates import can_place, write_replication
from genotransfer.selection import select_among, select_best
from tests.unit.reporting import make_leaderboard

ROOT = Path(__file__).parents[2]
N_FD = 1000
ONE_OF_A_KIND = ("5_1", "10_1")
METHODS = ("none", "snp_transfer", *DEEP_METHODS)


@lru_cache
def make_candidates():
    leaderboard = make_leaderboard(1, ONE_OF_A_KIND)
    few = leaderboard["panel"].str[-2:].isin(["03", "04", "05"])  # so many are enough, and quick
    return leaderboard[leaderboard["method"].isin(METHODS) & few]


def make_run(seed, n_fd=N_FD, accuracy=0.5):
    """A run whose models are right for each person of FD with one probability."""
    generator = np.random.default_rng([seed, 4])
    leaderboard = make_candidates()
    leaderboard = leaderboard.assign(ed_accuracy=generator.binomial(20, 0.5, len(leaderboard)) / 20)
    parts = []
    for phenotype in ONE_OF_A_KIND:
        labels = generator.integers(0, 2, n_fd).astype(np.int8)
        for method in METHODS:
            right = generator.random(n_fd) < accuracy
            scores = np.where(right == (labels == 1), 0.8, 0.3)
            people = [f"P{at}" for at in range(n_fd)]
            parts.append(
                pd.DataFrame(
                    {
                        "FID": people,
                        "IID": people,
                        "label": labels,
                        "phenotype": phenotype,
                        "method": method,
                        "score": scores,
                    }
                )
            )
    predictions = pd.concat(parts, ignore_index=True)
    answers = dict(list(predictions.groupby(["phenotype", "method"])))
    rows = []
    for chosen in select_best(leaderboard).to_dict("records"):
        own = answers[chosen["phenotype"], chosen["method"]]
        metrics = evaluate_predictions(own["label"].to_numpy(), own["score"].to_numpy())
        n_risk_snps = int(chosen["phenotype"].split("_")[0])
        rows.append(
            build_result(chosen, metrics, oracle_accuracy=0.53, ceiling=0.532, n_risk_snps=n_risk_snps)
        )
    return RunTables(tabulate_results(rows), predictions, leaderboard, n_ed=20)


@pytest.fixture(scope="module")
def runs():
    return {seed: make_run(seed) for seed in range(30, 0, -1)}


@pytest.fixture(scope="module")
def table(runs):
    return gather_runs(runs)


def test_gathered_rows_are_those_of_the_runs(runs, table):
    assert list(table["seed"].unique()) == list(range(1, 31))
    for seed in (1, 30):
        run = runs[seed]
        for row in table[table["seed"] == seed].to_dict("records"):
            method = row["method"]
            board = run.leaderboard[run.leaderboard["phenotype"] == row["phenotype"]]
            if method == "deep":
                method = select_among(board, DEEP_METHODS)["method"].iloc[0]
                board = board[board["method"].isin(DEEP_METHODS)]
            else:
                board = board[board["method"] == method]
            own = run.predictions[
                (run.predictions["phenotype"] == row["phenotype"]) & (run.predictions["method"] == method)
            ]
            right = ((own["score"] > 0.5) == (own["label"] == 1)).tolist()
            assert [int(n) for n in row["right_of_50"].split()] == [
                sum(right[at : at + 50]) for at in range(0, N_FD, 50)
            ]
            assert row["fd_accuracy"] == pytest.approx(np.mean(right))
            assert (row["n_candidates"], row["ed_accuracy"]) == (len(board), board["ed_accuracy"].max())
            assert row["n_tied"] == np.isclose(board["ed_accuracy"], row["ed_accuracy"]).sum()
            assert row["mean_ed"] == pytest.approx(board["ed_accuracy"].mean())
            assert row["n_risk_snps"] == int(row["phenotype"].split("_")[0])
    predictions = gather_predictions(runs)
    assert len(predictions) == 30 * 2 * 5 * N_FD
    assert predictions["seed"].is_monotonic_increasing


def test_replicates_come_back_from_their_file(tmp_path, table):
    write_replicates(tmp_path / "replicates.csv", table)
    read = read_replicates(tmp_path / "replicates.csv")
    pd.testing.assert_frame_equal(read, table, check_exact=False, atol=1e-6, check_dtype=False)
    (tmp_path / "short.csv").write_text("seed,phenotype\n1,5_1\n")
    with pytest.raises(InputError, match="lacks the column n_risk_snps"):
        read_replicates(tmp_path / "short.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_replicates(tmp_path / "absent.csv")


def test_files_of_two_runs_do_not_mix(runs):
    mixed = RunTables(runs[1].results, runs[2].predictions, runs[1].leaderboard, 20)
    with pytest.raises(StudyError, match="Seed 1, 5_1, none: the predictions are not those"):
        gather_runs({1: mixed})
    with pytest.raises(StudyError, match="no runs"):
        gather_runs({})


def test_rows_are_tested_as_one_study_is():
    generator = np.random.default_rng(2)
    for m in (4, 8):
        first, second = (generator.binomial(50, 0.5, (60, m)) / 50 for _ in range(2))
        second[:5] = first[:5]  # nothing differs
        t, p = compare_unpaired_rows(first, second)
        paired_t, paired_p = compare_paired_rows(first, second)
        rank_p = compare_rank_rows(first, second)
        for at in range(60):
            unpaired, paired = compare_unpaired(first[at], second[at]), compare_paired(first[at], second[at])
            ranks = compare_ranks(first[at], second[at])
            np.testing.assert_allclose((t[at], p[at]), (unpaired.statistic, unpaired.p))
            np.testing.assert_allclose((paired_t[at], paired_p[at]), (paired.statistic, paired.p))
            assert rank_p[at] == pytest.approx(1.0 if np.isnan(ranks.p) else ranks.p)


def test_the_papers_t_is_among_the_figures():
    for number in (5, 10):
        printed = list_printed(number)
        first = np.array([[one["none, FD"] for one in printed.values()]])
        second = np.array([[one["deep, FD"] for one in printed.values()]])
        t, p = compare_unpaired_rows(first, second)
        table = {5: published.TABLE_8, 10: published.TABLE_9}[number]
        assert (round(t[0], 4), round(p[0], 4)) == (table.t, table.p)
        gains = {
            "deep less none": second - first,
            "SNP transfer less none": [
                [one["SNP transfer, FD"] - one["none, FD"] for one in printed.values()]
            ],
        }
        for name, values in gains.items():
            np.testing.assert_array_equal([[one[name] for one in printed.values()]], values)
        assert all(set(one) == set(STATISTICS) for one in printed.values())


def test_a_place_is_a_share_below():
    draws = np.array([1.0, 2.0, 2.0, 3.0, np.nan])
    assert [place(value, draws) for value in (0.5, 1.0, 2.0, 4.0)] == [0, 0.125, 0.5, 1]
    assert np.isnan(place(1.0, np.array([np.nan])))


def test_coins_put_the_papers_figures_where_binomials_do(table):
    """All models here are coins: places of FD figures are those of binomial distributions."""
    groups = place_groups(table, 3).set_index(["n_risk_snps", "figure"])
    for number, printed in ((5, published.TABLE_8), (10, published.TABLE_9)):
        for name, row in (("none, FD", published.WITHOUT), ("deep, FD", published.WITH_DEEP)):
            right = sum(printed.rows[row]) // 2  # of 200 people
            expected = stats.binom.cdf(right - 1, 200, 0.5) + 0.5 * stats.binom.pmf(right, 200, 0.5)
            found = groups.loc[(str(number), name)]
            assert found["place"] == pytest.approx(expected, abs=0.06)
            assert found["place_low"] <= found["place"] <= found["place_high"]
            assert found["place_high"] - found["place_low"] < 0.3
    sums = [sum(one.rows[published.DEEP_GAIN]) for one in (published.TABLE_8, published.TABLE_9)]
    eight = groups.loc[("all", "deep less none")]
    assert eight["paper"] == sum(sums) / 8
    assert eight["place"] == pytest.approx(stats.norm.cdf(eight["paper"] / (10 / 8**0.5)), abs=0.02)
    singles = place_phenotypes(table, 3)
    fd = singles[singles["figure"].isin(["none, FD", "SNP transfer, FD", "deep, FD"])]
    right = (fd["paper"] / 2).round()
    expected = stats.binom.cdf(right - 1, 50, 0.5) + 0.5 * stats.binom.pmf(right, 50, 0.5)
    np.testing.assert_allclose(fd["place"], expected, atol=0.06)
    # ED is the best of many: its places are those of the maxima that were drawn, not of coins.
    best = 100 * table[(table["method"] == "none") & (table["n_risk_snps"] == 5)]["ed_accuracy"]
    row = singles[(singles["phenotype"] == "5_1") & (singles["figure"] == "none, ED")].iloc[0]
    assert row["place"] == pytest.approx((best < 66).mean(), abs=0.02)


def test_tests_of_coins_keep_their_level(table):
    rates = count_significant(table, 3).set_index(["n_risk_snps", "test"])
    assert rates["rate"].xs("unpaired t (the paper's)", level=1)[["5", "10", "all"]].between(0.03, 0.07).all()
    assert (rates.loc[(["5", "10"], "Wilcoxon"), "rate"] == 0).all()  # 2 / 2**4 is above .05
    both = rates.loc[("both", "unpaired t (the paper's)"), "rate"]
    product = rates["rate"].xs("unpaired t (the paper's)", level=1)[["5", "10"]].prod()
    assert both == pytest.approx(product, abs=0.003)


def test_accuracies_and_noise_of_coins(table):
    accuracies = tabulate_accuracies(table).set_index(["n_risk_snps", "method"])
    own = table[(table["n_risk_snps"] == 5) & (table["method"] == "deep")]
    row = accuracies.loc[("5", "deep")]
    t = stats.ttest_1samp(own["fd_accuracy"], 0.5).confidence_interval()
    np.testing.assert_allclose((row["fd_low"], row["fd_high"]), (t.low, t.high))
    assert accuracies["fd_50_sd"].between(0.064, 0.078).all()  # sqrt(.25 / 50) is .0707
    gains = accuracies["gain_50_sd"].drop("none", level="method")
    assert gains.between(0.091, 0.109).all()  # of independent models: .1
    assert measure_disagreement(table, "snp_transfer") == pytest.approx(0.5, abs=0.03)
    noise = tabulate_selection(table).set_index("method")
    np.testing.assert_allclose(noise["noise"], noise["ed"] - noise["fd"])
    np.testing.assert_allclose(noise["ed"], noise["by_chance"], atol=0.02)  # independent guesses
    assert (noise["above"] > 0.9).all()


def test_power_is_that_of_simulated_studies():
    generator = np.random.default_rng(5)
    first, second = generator.normal(0, 7, (20_000, 4)), generator.normal(10, 7, (20_000, 4))
    _, p = compare_unpaired_rows(first, second)
    power = compute_power(10.0, 7.0, 4)
    assert power == pytest.approx((p < 0.05).mean(), abs=0.015)
    assert compute_power(0.0, 7.0, 4) == pytest.approx(0.05)
    assert compute_power(find_detectable_gain(7.0, 4), 7.0, 4) == pytest.approx(0.8)
    n = count_people_needed(0.1, 0.5)
    differences = generator.choice([-1, 0, 1], p=[0.2, 0.5, 0.3], size=(4000, n))
    z = differences.mean(axis=1) / (differences.std(axis=1) / np.sqrt(n))
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.03)


def test_exact_tests_against_one_half():
    for n in (1, 6, 20, 47):
        every = np.arange(n + 1)
        p = compare_with_half(every, np.full(n + 1, n))
        np.testing.assert_allclose(p, [stats.binomtest(int(k), n).pvalue for k in every])
        rejected = sum(stats.binom.pmf(k, n, 0.5) for k in every if stats.binomtest(int(k), n).pvalue <= 0.05)
        assert measure_size(n) == pytest.approx(rejected, abs=1e-12)
    assert measure_size(0) == 0
    assert compare_with_half(np.array([0]), np.array([0])).tolist() == [1]
    with pytest.raises(StudyError, match="more successes than trials"):
        compare_with_half(np.array([3]), np.array([2]))


def test_expected_rejections_are_binomial_when_sizes_are_equal():
    mean, low, high = expect_rejections(np.full(200, 0.05))
    assert mean == pytest.approx(10)
    assert (low, high) == tuple(int(stats.binom.ppf(share, 200, 0.05)) for share in (0.025, 0.975))
    assert expect_rejections(np.zeros(10)) == (0, 0, 0)


def test_rejections_of_coins_and_of_a_bias():
    generator = np.random.default_rng(8)
    counts = pd.DataFrame(
        {"replicate": range(300), "chosen_on": "ED", "test": "accuracy", "method": "none", "n": 500}
    )
    honest = tabulate_rejections(counts.assign(successes=generator.binomial(500, 0.5, 300))).iloc[0]
    biased = tabulate_rejections(counts.assign(successes=generator.binomial(500, 0.54, 300))).iloc[0]
    assert (honest["calibrated"], biased["calibrated"]) == (True, False)
    power = stats.binom.cdf(227, 500, 0.54) + stats.binom.sf(272, 500, 0.54)
    assert biased["rate"] == pytest.approx(power, abs=0.08)
    with pytest.raises(StudyError, match="no counts"):
        tabulate_rejections(counts.iloc[:0])


def test_a_small_fd_has_accuracies_and_no_places(tmp_path):
    small = gather_runs({seed: make_run(seed, n_fd=40) for seed in (1, 2)})
    assert not can_place(small)
    assert read_sets(small).shape == (24, 0)
    write_replication(tmp_path, small)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "accuracies.csv",
        "selection.csv",
        "selection.png",
    ]
    assert pd.read_csv(tmp_path / "accuracies.csv")["fd_50_sd"].isna().all()
    with pytest.raises(StudyError, match="fewer than 50 people"):
        arrange_replicates(small, 5)
    large = gather_runs({3: make_run(3)})
    with pytest.raises(StudyError, match="0 and 20 sets"):
        read_sets(pd.concat([small, large]))


def test_the_page_is_up_to_date():
    tool = runpy.run_path(str(ROOT / "tools/describe_replication.py"))
    page = tool["PAGE"].read_text()
    replicates = read_replicates(tool["FOLDER"] / "replicates.csv")
    counts = pd.read_csv(tool["FOLDER"] / "null.csv")
    renewed = tool["compose"](page, replicates, counts)
    assert page == renewed, "renew it: python tools/describe_replication.py"
