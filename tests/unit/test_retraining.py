"""Retraining: what has landed, who is at it, cohorts brought together, drift, and going on from effects."""

import json
import multiprocessing
import time
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genotransfer import storage
from genotransfer.errors import InputError, StudyError
from genotransfer.genotypes import Genotypes
from genotransfer.prediction.match import match_model
from genotransfer.retraining.drift import (
    measure_frequency_drift,
    measure_score_drift,
    warn_of_drift,
)
from genotransfer.retraining.end import finish_retraining
from genotransfer.retraining.landing import list_landed
from genotransfer.retraining.merging import Cohort, merge_cohorts
from genotransfer.retraining.plan import Landing, code_binary, plan_retraining
from genotransfer.retraining.state import Run, claim, find_new, read_state, record, release
from genotransfer.scores.registry import build_score
from genotransfer.times import name_time
from tests.genotype_support import make_samples, make_variants
from tests.integration.support import COHORTS, make_cohort

SPAWN = multiprocessing.get_context("spawn")


def land(place, name, files=("genotypes.vcf.gz", "phenotypes.tsv", "_SUCCESS")):
    (place / name).mkdir(parents=True)
    for file in files:
        (place / name / file).write_text("" if file == "_SUCCESS" else f"{name} {file}")


class TestLanding:
    def test_only_complete_cohorts_have_landed(self, tmp_path):
        land(tmp_path, "b")
        land(tmp_path, "a")
        land(tmp_path, "c", ("genotypes.vcf.gz", "phenotypes.tsv"))
        (tmp_path / "README").write_text("no cohort")
        complete, waiting = list_landed(str(tmp_path))
        assert [one.name for one in complete] == ["a", "b"]
        assert waiting == ["c"]
        assert complete[0].genotypes == f"{tmp_path}/a/genotypes.vcf.gz"

    def test_a_fileset_is_named_by_its_prefix(self, tmp_path):
        land(tmp_path, "a", ("genotypes.bed", "genotypes.bim", "genotypes.fam", "phenotypes.tsv", "_SUCCESS"))
        [[one], _] = list_landed(str(tmp_path))
        assert one.genotypes == f"{tmp_path}/a/genotypes"

    @pytest.mark.parametrize(
        ("files", "missing"),
        [
            (("genotypes.gen", "_SUCCESS"), "phenotypes.tsv"),
            (("phenotypes.tsv", "_SUCCESS"), "one of genotypes.bed"),
        ],
    )
    def test_a_complete_cohort_that_lacks_a_file_is_told(self, tmp_path, files, missing):
        land(tmp_path, "a", files)
        with pytest.raises(InputError, match=rf"'a' says it is complete, but has not {missing}"):
            list_landed(str(tmp_path))

    def test_genotypes_in_two_formats_are_told(self, tmp_path):
        land(tmp_path, "a", ("genotypes.gen", "genotypes.vcf", "phenotypes.tsv", "_SUCCESS"))
        with pytest.raises(InputError, match=r"genotypes twice: genotypes\.vcf, genotypes\.gen"):
            list_landed(str(tmp_path))

    def test_what_changed_after_it_was_used_is_not_new(self, tmp_path):
        land(tmp_path, "a")
        land(tmp_path, "b")
        landed, _ = list_landed(str(tmp_path))
        record(str(tmp_path), make_run("1", {"a": landed[0].digest}))
        (tmp_path / "a" / "phenotypes.tsv").write_text("other people")
        landed, _ = list_landed(str(tmp_path))
        new, changed = find_new(landed, read_state(str(tmp_path)))
        assert ([one.name for one in new], changed) == (["b"], ["a"])


def make_run(run, cohorts=None):
    return Run(
        run=run, at=name_time(), study="s", cohorts=cohorts or {run: "0"}, n_new=1, n_final=1, promoted=[]
    )


def claim_and_tell(place, run, queue):
    queue.put((run, claim(place, run, 1.0)))


def record_one(place, run):
    record(place, make_run(run))


class TestState:
    def test_of_several_at_once_one_goes_on(self, tmp_path):
        queue = SPAWN.Queue()
        several = [
            SPAWN.Process(target=claim_and_tell, args=(str(tmp_path), f"r{n}", queue)) for n in range(4)
        ]
        for one in several:
            one.start()
        told = dict(queue.get(timeout=120) for _ in several)
        for one in several:
            one.join()
        [winner] = [run for run, other in told.items() if other is None]
        assert {other.run for other in told.values() if other is not None} == {winner}

    def test_a_claim_is_found_again_and_given_up(self, tmp_path):
        place = str(tmp_path)
        assert claim(place, "one", 1.0) is None
        assert claim(place, "one", 1.0) is None
        assert claim(place, "two", 1.0).run == "one"
        assert not release(place, "two")
        assert release(place, "one")
        assert claim(place, "two", 1.0) is None

    def test_a_claim_of_the_dead_is_taken_over(self, tmp_path):
        place = str(tmp_path)
        claim(place, "one", 1.0)
        time.sleep(0.05)
        assert claim(place, "two", 1e-6) is None
        assert not release(place, "one")

    def test_no_record_is_lost(self, tmp_path):
        several = [SPAWN.Process(target=record_one, args=(str(tmp_path), f"r{n}")) for n in range(4)]
        for one in several:
            one.start()
        for one in several:
            one.join()
        record(str(tmp_path), make_run("r1"))
        assert sorted(run.run for run in read_state(str(tmp_path)).runs) == ["r0", "r1", "r2", "r3"]

    def test_a_record_that_cannot_be_read_is_told(self, tmp_path):
        storage.write_bytes(f"{tmp_path}/.genotransfer/state.json", b"{", if_generation=0)
        with pytest.raises(InputError, match=r"state\.json.*Restore it"):
            read_state(str(tmp_path))


@pytest.fixture
def everyone(tmp_path):
    """Twelve people of 40 variants, no allele pair of which is the same on both strands."""
    variants = make_variants(40).assign(chromosome="21", position=np.arange(1, 41) * 100)
    variants["counted"], variants["other"] = "A", "G"
    dosages = np.random.default_rng(1).integers(-1, 3, (12, 40)).astype(np.int8)
    samples = make_samples(12)
    return Genotypes.from_dosages(tmp_path / "everyone", dosages, variants, samples), dosages


def tabulate(genotypes, **columns):
    return pd.DataFrame({"IID": genotypes.samples["iid"], "y": "1"} | columns)


class TestMerging:
    def test_parts_of_one_cohort_make_the_whole(self, everyone, tmp_path):
        whole, dosages = everyone
        order = np.random.default_rng(2).permutation(40)[:35]
        second = whole.select(samples=np.arange(5, 12), variants=order)
        second = second.swap_alleles(np.arange(35) % 3 == 0).write(tmp_path / "second")
        first = whole.select(samples=np.arange(5)).write(tmp_path / "first")
        cohorts = [Cohort("first", first, tabulate(first)), Cohort("second", second, tabulate(second))]
        merged = merge_cohorts(cohorts, tmp_path / "merged", columns=["y"])
        assert list(merged.genotypes.samples["iid"]) == list(whole.samples["iid"])
        kept = np.sort(order)
        assert list(merged.genotypes.variants["id"]) == list(whole.variants["id"].iloc[kept])
        assert np.array_equal(merged.genotypes.read(), dosages[:, kept])
        assert list(merged.phenotypes["cohort"]) == ["first"] * 5 + ["second"] * 7
        assert merged.n_variants == {"first": 40, "second": 35}

    def test_a_person_of_two_cohorts_counts_once(self, everyone, tmp_path):
        whole, dosages = everyone
        first = whole.select(samples=np.arange(8))
        second = whole.select(samples=np.arange(5, 12))
        cohorts = [Cohort("first", first, tabulate(first)), Cohort("second", second, tabulate(second))]
        merged = merge_cohorts(cohorts, tmp_path / "merged", columns=["y"])
        assert merged.n_doubled == 3
        assert np.array_equal(merged.genotypes.read(), dosages)

    def test_people_without_a_row_are_left_out(self, everyone, tmp_path):
        whole, _ = everyone
        merged = merge_cohorts(
            [Cohort("all", whole, tabulate(whole).iloc[2:])], tmp_path / "merged", columns=["y"]
        )
        assert list(merged.genotypes.samples["iid"]) == list(whole.samples["iid"].iloc[2:])

    def test_a_column_that_is_not_there_is_told(self, everyone, tmp_path):
        whole, _ = everyone
        with pytest.raises(InputError, match="'all' have no column z"):
            merge_cohorts([Cohort("all", whole, tabulate(whole))], tmp_path / "merged", columns=["z"])


def draw(folder, name, frequencies, n, seed):
    dosages = np.random.default_rng(seed).binomial(2, frequencies, (n, len(frequencies))).astype(np.int8)
    return Genotypes.from_dosages(
        folder / name, dosages, make_variants(len(frequencies)).assign(chromosome="21"), make_samples(n)
    )


class TestDrift:
    def test_one_population_does_not_drift(self, tmp_path):
        frequencies = np.random.default_rng(3).uniform(0.1, 0.9, 800)
        before, new = (draw(tmp_path, str(seed), frequencies, 300, seed) for seed in (4, 5))
        drift, table = measure_frequency_drift(before, new)
        assert drift.n_variants == 800
        assert 0.75 < drift.inflation < 1.25
        assert abs(drift.fst) < 1e-3
        assert drift.n_drifted <= 1
        assert not warn_of_drift(drift, {}) or drift.n_drifted
        one = table.iloc[0]
        at = before.locate_variants([one["id"]])
        counts = [
            [group.read(at).sum(), 2 * group.n_samples - group.read(at).sum()] for group in (before, new)
        ]
        chi2 = stats.chi2_contingency(counts, correction=False)
        assert one["z"] ** 2 == pytest.approx(chi2.statistic)
        assert one["p"] == pytest.approx(chi2.pvalue)

    def test_another_population_is_told(self, tmp_path):
        generator = np.random.default_rng(3)
        frequencies = generator.uniform(0.2, 0.8, 800)
        others = np.clip(frequencies + generator.normal(0, 0.1, 800), 0.01, 0.99)
        before, new = draw(tmp_path, "a", frequencies, 300, 4), draw(tmp_path, "b", others, 300, 5)
        drift, _ = measure_frequency_drift(before, new)
        # F_ST of two populations whose frequencies differ by d: mean d^2 over mean of p(1-q) + q(1-p).
        expected = np.mean((frequencies - others) ** 2) / np.mean(
            frequencies * (1 - others) + others * (1 - frequencies)
        )
        assert drift.fst == pytest.approx(expected, rel=0.15)
        assert drift.n_drifted > 50
        assert len(warn_of_drift(drift, {})) == 2

    def test_shifted_scores_are_told_in_deviations(self):
        generator = np.random.default_rng(1)
        odds = generator.normal(0, 2, 4000)
        before, new = (1 / (1 + np.exp(-one)) for one in (odds[:2000], odds[2000:] + 2))
        labels = (generator.random(2000) < new).astype(np.int8)
        drift = measure_score_drift(before, new, labels)
        assert drift.shift == pytest.approx(1, abs=0.08)
        assert drift.shift_p < 1e-10
        assert drift.ks_p < 1e-10
        assert drift.expected_cases == pytest.approx(drift.observed_cases, abs=0.04)
        assert drift.auc > 0.7

    def test_nobody_before_leaves_the_shift_open(self):
        drift = measure_score_drift(np.empty(0), np.array([0.2, 0.8]), np.array([0, 1], dtype=np.int8))
        assert np.isnan(drift.shift)
        assert drift.auc == 1


class TestChampion:
    def people(self):
        generator = np.random.default_rng(7)
        X = generator.binomial(2, 0.4, (900, 60)).astype(np.float32)
        y = (X[:, :4].sum(axis=1) + generator.normal(0, 1.5, 900) > 3.2).astype(np.int8)
        target = np.repeat([False, True], [600, 300])
        return X, y, target

    def test_the_scale_of_the_effects_does_not_matter(self):
        X, y, target = self.people()
        weights = np.zeros(60)
        weights[:4] = [1.0, 0.8, 1.2, 0.1]
        one, other = (
            build_score("champion", 1, weights=factor * weights).fit(X, y, target) for factor in (1.0, 40.0)
        )
        assert np.allclose(one.coef_, other.coef_, atol=1e-6)

    def test_it_moves_towards_the_target(self):
        X, y, target = self.people()
        weights = np.zeros(60)
        weights[:4] = [1.0, 0.3, 1.0, 0.3]
        score = build_score("champion", 1, weights=weights, max_steps=400).fit(X, y, target)
        assert score.n_steps_ > 0
        share = score.coef_[:4] / score.coef_[:4].sum()
        assert np.ptp(share) < np.ptp(weights[:4] / weights.sum())
        assert (score.coef_[4:] == 0).all()

    def test_weights_of_other_variants_are_refused(self):
        X, y, target = self.people()
        with pytest.raises(StudyError, match="59 weights for 60 variants"):
            build_score("champion", 1, weights=np.ones(59)).fit(X, y, target)

    def test_a_study_must_say_where_it_starts(self):
        from genotransfer.study_files import parse_study

        with pytest.raises(StudyError, match="names none for 10_1, 5_1"):
            parse_study("name: a\nmodels: {scores: [champion]}\nphenotypes: {iterations: 1}")


def plan(tmp_path, **retraining):
    study = COHORTS.replace("{genotypes: src,", f"{{genotypes: {tmp_path}/src,").replace(
        "phenotypes: src.tsv", f"phenotypes: {tmp_path}/src.tsv"
    )
    study = study.replace("{genotypes: tgt,", f"{{genotypes: {tmp_path}/tgt,").replace(
        "phenotypes: tgt.tsv", f"phenotypes: {tmp_path}/tgt.tsv"
    )
    settings = json.dumps({"cohorts": str(tmp_path / "landing"), "least_people": 20} | retraining)
    outputs = [tmp_path / "out" / name for name in ("planned", "landing", "summary")]
    return plan_retraining(f"{study}\nretraining: {settings}", "run-1", *outputs), outputs


def land_cohort(folder, name, n, seed):
    folder.mkdir(parents=True)
    made = make_cohort(folder, name, n, seed=seed)
    for suffix in (".bed", ".bim", ".fam"):
        (folder / f"{name}{suffix}").rename(folder / f"genotypes{suffix}")
    (folder / f"{name}.tsv").rename(folder / "phenotypes.tsv")
    (folder / "_SUCCESS").touch()
    return made


class TestPlan:
    def test_new_people_are_split_into_those_who_learn_and_fd(self, tmp_path):
        from genotransfer.study_files import parse_study

        make_cohort(tmp_path, "src", 90)
        make_cohort(tmp_path, "tgt", 70)
        land_cohort(tmp_path / "landing" / "a", "new", 50, 3)
        found, (planned, _, summary) = plan(tmp_path)
        assert (found.outcome, found.n_new, found.n_final, found.n_people) == ("new", 50, 15, 120)
        study = parse_study(planned.read_text())
        assert study.splits.target.total == 105
        table = pd.read_csv(study.genotypes.target.phenotypes, sep="\t")
        assert table["FD"].sum() == 15
        assert set(table.loc[table["FD"] == 1, "cohort"]) == {"a"}
        assert "50 are new, and 15 of them are FD" in summary.read_text()
        again, _ = plan(tmp_path)
        assert again == found  # its own claim, the same people

    def test_a_cohort_that_changed_after_it_was_used_stops_it(self, tmp_path):
        make_cohort(tmp_path, "src", 90)
        make_cohort(tmp_path, "tgt", 70)
        land_cohort(tmp_path / "landing" / "a", "new", 50, 3)
        place = str(tmp_path / "landing")
        record(place, make_run("before", {"a": "another digest"}))
        land_cohort(tmp_path / "landing" / "b", "more", 50, 4)
        with pytest.raises(StudyError, match="changed after they were used: a"):
            plan(tmp_path)

    def test_few_new_people_wait_for_more(self, tmp_path):
        make_cohort(tmp_path, "src", 90)
        make_cohort(tmp_path, "tgt", 70)
        land_cohort(tmp_path / "landing" / "a", "new", 50, 3)
        found, _ = plan(tmp_path, least_people=51)
        assert found.outcome == "waiting"
        assert claim(str(tmp_path / "landing"), "other", 1.0) is None  # nobody is at it

    def test_nothing_new_ends_early(self, tmp_path):
        make_cohort(tmp_path, "src", 90)
        make_cohort(tmp_path, "tgt", 70)
        (tmp_path / "landing").mkdir()
        found, (planned, _, summary) = plan(tmp_path)
        assert found.outcome == "nothing"
        assert "Nothing was trained" in summary.read_text()
        assert planned.is_file()

    def test_another_at_work_ends_it(self, tmp_path):
        make_cohort(tmp_path, "src", 90)
        make_cohort(tmp_path, "tgt", 70)
        claim(str(tmp_path / "landing"), "other", 1.0)
        found, _ = plan(tmp_path)
        assert found.outcome == "busy"
        assert "Another retraining (other)" in found.reason

    def test_a_broken_cohort_frees_the_place(self, tmp_path):
        make_cohort(tmp_path, "src", 90)
        make_cohort(tmp_path, "tgt", 70)
        land(tmp_path / "landing", "a")
        with pytest.raises(InputError):
            plan(tmp_path)
        assert claim(str(tmp_path / "landing"), "other", 1.0) is None


class TestCoding:
    def test_both_codings_mean_the_same(self):
        one = code_binary(pd.Series(["0", "1", "NA", "1", "-9"]), "here")
        other = code_binary(pd.Series(["1", "2", "0", "2", "-9.0"]), "here")
        assert list(one) == list(other) == ["0", "1", "NA", "1", "NA"]

    @pytest.mark.parametrize("values", [["1", "1"], ["0", "3"], ["NA"]])
    def test_what_cannot_be_told_is_refused(self, values):
        with pytest.raises(InputError, match="cases and controls cannot be told"):
            code_binary(pd.Series(values), "here")


class TestEnd:
    def finish(self, tmp_path, run):
        place = str(tmp_path)
        landing = Landing(run, place, "s", "new", "New: a.", {"a": "0"}, [])
        (tmp_path / "landing.json").write_text(json.dumps(asdict(landing)))
        (tmp_path / "decisions.json").write_text("[]")
        return finish_retraining(tmp_path / "landing.json", tmp_path / "decisions.json", tmp_path / "end.md")

    def test_a_run_that_was_taken_over_is_not_recorded(self, tmp_path):
        claim(str(tmp_path), "other", 1.0)
        with pytest.raises(StudyError, match=r"took .* over"):
            self.finish(tmp_path, "mine")
        assert read_state(str(tmp_path)).runs == []

    def test_ending_twice_records_once(self, tmp_path):
        claim(str(tmp_path), "mine", 1.0)
        self.finish(tmp_path, "mine")
        claim(str(tmp_path), "other", 1.0)
        self.finish(tmp_path, "mine")
        assert [one.run for one in read_state(str(tmp_path)).runs] == ["mine"]
        assert not release(str(tmp_path), "mine")


def test_effects_follow_the_alleles(everyone):
    whole, _ = everyone
    shown = whole.variants.iloc[::-1].reset_index(drop=True)
    turned = shown.assign(counted=shown["other"], other=shown["counted"])
    match = match_model(whole.variants, turned, ambiguous="keep")
    assert match.found.all()
    assert match.swapped.all()
