"""Prediction from files: variants found by id, position and strand; what is missing; what is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genotransfer.alleles import complement_alleles
from genotransfer.errors import InputError
from genotransfer.formats.convert import open_genotypes
from genotransfer.formats.oxford import write_oxford
from genotransfer.formats.twentythreeandme import write_23andme
from genotransfer.prediction.cautions import judge_model
from genotransfer.prediction.facts import FinalEvaluation
from genotransfer.prediction.match import match_model
from genotransfer.prediction.predict import predict_file
from genotransfer.prediction.summary import compose_summary
from tests.prediction_support import (
    N_ANCESTRY,
    N_VARIANTS,
    draw_people,
    make_bundle,
    make_table,
    write_people,
)

N = 25
TABLE = make_table()
DOSAGES = draw_people(TABLE, N)
DOSAGES[np.random.default_rng(3).uniform(size=DOSAGES.shape) < 0.02] = -1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("made") / "bundle")


@pytest.fixture(scope="module")
def expected(bundle):
    return bundle.score(DOSAGES[:, :N_VARIANTS])


def flip(table: pd.DataFrame, at: np.ndarray) -> pd.DataFrame:
    """Name the alleles of some variants on the other strand."""
    flipped = table.copy()
    for name in ("counted", "other"):
        flipped.loc[at, name] = complement_alleles(table.loc[at, name].to_numpy(dtype=object))
    return flipped


def swap(table: pd.DataFrame, dosages: np.ndarray, at: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Count the other allele of some variants."""
    swapped, copies = table.copy(), dosages.copy()
    swapped.loc[at, ["counted", "other"]] = table.loc[at, ["other", "counted"]].to_numpy()
    copies[:, at] = np.where(copies[:, at] < 0, -1, 2 - copies[:, at])
    return swapped, copies


def predict(bundle, tmp_path, table=TABLE, dosages=DOSAGES, name="people", **how):
    write_people(tmp_path / name, table, dosages)
    return predict_file(bundle, tmp_path / name, **how)


AMBIGUOUS = np.array([a + b in ("AT", "GC") for a, b in zip(TABLE["counted"], TABLE["other"], strict=True)])


def test_people_are_scored_as_they_are(bundle, expected, tmp_path):
    done = predict(bundle, tmp_path)
    assert (done.table["probability"].to_numpy() == expected).all()
    assert (done.table["predicted"].to_numpy() == (expected > 0.5)).all()
    called = (DOSAGES[:, :N_VARIANTS] >= 0).mean(axis=1)
    assert done.table["call_rate"].to_numpy() == pytest.approx(called)
    assert (done.match_rate, done.effect_match_rate) == (1, pytest.approx(1))
    assert done.warnings == []
    assert abs(done.table["ancestry_z"].mean()) < 1
    bins = bundle.calibration
    for row in done.table.itertuples():
        mine = bins[(bins["low"] <= row.probability) & (row.probability < bins["high"])].iloc[0]
        assert (row.observed, row.observed_low) == (mine["observed"], mine["observed_low"])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), renamed=st.booleans(), whole_strand=st.booleans())
def test_order_alleles_strand_and_names_do_not_matter(
    bundle, expected, tmp_path_factory, seed, renamed, whole_strand
):
    """Permuted, any alleles swapped, and all of it on the other strand: the same probabilities."""
    generator = np.random.default_rng(seed)
    table, dosages = swap(TABLE, DOSAGES, generator.uniform(size=len(TABLE)) < 0.5)
    if whole_strand:
        table = flip(table, np.ones(len(TABLE), dtype=bool))
    if renamed:
        table = table.assign(id=[f"other{at}" for at in range(len(table))])
    order = generator.permutation(len(TABLE))
    table, dosages = table.iloc[order].reset_index(drop=True), dosages[:, order]
    done = predict(bundle, tmp_path_factory.mktemp("any"), table, dosages)
    assert (done.table["probability"].to_numpy() == expected).all()
    assert done.match_rate == 1
    key = "found by position" if renamed else "found by id"
    assert done.counts[key] == N_VARIANTS
    assert done.counts["strand flipped"] == N_VARIANTS * whole_strand


def test_strands_that_are_mixed_leave_ambiguous_variants_out(bundle, tmp_path):
    at = np.arange(len(TABLE)) % 2 == 0
    done = predict(bundle, tmp_path, flip(TABLE, at), least_match_rate=0.5)
    out = AMBIGUOUS[:N_VARIANTS]
    assert done.counts["ambiguous, left out"] == out.sum() > 5
    assert done.counts["strand flipped"] == (at[:N_VARIANTS] & ~out).sum()
    imputed = DOSAGES[:, :N_VARIANTS].copy()
    imputed[:, out] = -1
    assert (done.table["probability"].to_numpy() == bundle.score(imputed)).all()
    assert done.match_rate == pytest.approx(1 - out.mean())


@pytest.mark.parametrize("rule", ["keep", "drop"])
def test_ambiguous_variants_by_the_rule_asked_for(bundle, expected, tmp_path, rule):
    done = predict(bundle, tmp_path, ambiguous=rule, least_match_rate=0.5)
    kept = AMBIGUOUS[:N_VARIANTS].sum() * (rule == "keep")
    assert done.counts["ambiguous, kept"] == kept
    assert (done.table["probability"].to_numpy() == expected).all() == (rule == "keep")


def test_an_unknown_rule_is_told():
    with pytest.raises(InputError, match="Give one of strand, keep, drop"):
        match_model(TABLE, TABLE, ambiguous="guess")


def test_variants_that_are_absent_count_as_the_mean(bundle, tmp_path):
    left = np.setdiff1d(np.arange(len(TABLE)), [3, 8, 20])
    done = predict(bundle, tmp_path, TABLE.iloc[left].reset_index(drop=True), DOSAGES[:, left])
    imputed = DOSAGES[:, :N_VARIANTS].copy()
    imputed[:, [3, 8, 20]] = -1
    assert (done.table["probability"].to_numpy() == bundle.score(imputed)).all()
    assert done.match_rate == pytest.approx(57 / 60)
    assert done.counts["not in the file"] == 3
    assert done.effect_match_rate == pytest.approx(1 - bundle.importance[[3, 8, 20]].sum())
    assert done.table["call_rate"].max() <= 57 / 60


def test_too_few_variants_are_refused(bundle, tmp_path):
    left = np.arange(30, len(TABLE))
    with pytest.raises(
        InputError,
        match=r"holds 50\.0% of the model's 60 variants, which carry \d\d\.\d% of its effects, below 90",
    ):
        predict(bundle, tmp_path, TABLE.iloc[left].reset_index(drop=True), DOSAGES[:, left])
    done = predict_file(bundle, tmp_path / "people", least_match_rate=0.3)
    assert done.match_rate == 0.5
    assert done.table["call_rate"].max() <= 0.5


def test_the_few_variants_with_the_effects_are_missed(bundle, tmp_path):
    """Ninety of a hundred variants are little when the ten that count are not among them."""
    order = np.argsort(bundle.importance)
    gone = order[-6:]
    left = np.setdiff1d(np.arange(len(TABLE)), gone)
    with pytest.raises(InputError, match=r"holds 90\.0% of .* carry [67]\d\.\d% of its effects"):
        predict(bundle, tmp_path, TABLE.iloc[left].reset_index(drop=True), DOSAGES[:, left])


def test_genotypes_that_are_all_missing_are_refused(bundle, tmp_path):
    empty = np.where(np.arange(len(TABLE)) < 30, -1, DOSAGES)
    with pytest.raises(InputError, match=r"on average (48|49|50)\.\d% of the model's variants are called"):
        predict(bundle, tmp_path, dosages=empty.astype(np.int8))


def test_a_person_of_whom_little_is_called_is_told(bundle, tmp_path):
    poor = DOSAGES.copy()
    poor[4, :40] = -1
    done = predict(bundle, tmp_path, dosages=poor)
    assert [one for one in done.warnings if "1 of 25 people is called at fewer than 90%" in one]


def test_another_build_is_suspected(bundle, expected, tmp_path):
    moved = TABLE.assign(position=TABLE["position"] + 137)  # each where the next one is in the model
    done = predict(bundle, tmp_path, moved)
    assert (done.table["probability"].to_numpy() == expected).all()
    assert [one for one in done.warnings if one.startswith("Another genome build is suspected: 100% of")]
    # Some ids are others', which would be found by position: positions are not to be trusted.
    renamed = moved.assign(id=[f"x{at}" if at < 3 else one for at, one in enumerate(moved["id"])])
    done = predict(bundle, tmp_path, renamed, name="renamed")
    assert done.counts["not in the file"] == 3
    # With no ids at all there is nothing to go by.
    nameless = TABLE.assign(id=[f"x{at}" for at in range(len(TABLE))])
    with pytest.raises(InputError, match=r"holds 0\.0% of the model's 60 variants.*build GRCh38"):
        predict(bundle, tmp_path, nameless.assign(position=TABLE["position"] + 31_337), name="moved")


def test_other_alleles_are_not_taken(bundle, tmp_path):
    wrong = TABLE.copy()
    wrong.loc[[0, 1], ["counted", "other"]] = [["A", "G"], ["A", "C"]]  # AC and AG in the model
    done = predict(bundle, tmp_path, wrong)
    assert done.counts["alleles differ"] == 2
    imputed = DOSAGES[:, :N_VARIANTS].copy()
    imputed[:, :2] = -1
    assert (done.table["probability"].to_numpy() == bundle.score(imputed)).all()
    many = flip(TABLE, np.zeros(len(TABLE), dtype=bool)).assign(counted="A", other="AT")
    with pytest.raises(InputError, match=r"holds 0\.0%"):
        predict(bundle, tmp_path, many, name="many")


def test_an_allele_nobody_has_is_the_models(bundle, tmp_path):
    """A .bim names 0 for an allele that none of its people carry."""
    dosages = DOSAGES.copy()
    dosages[:, 0] = 0
    dosages[:, 1] = 2
    table = TABLE.copy()
    table.loc[0, "counted"] = "0"
    table.loc[1, "other"] = "0"
    done = predict(bundle, tmp_path, table, dosages)
    assert (done.table["probability"].to_numpy() == bundle.score(dosages[:, :N_VARIANTS])).all()
    assert done.match_rate == 1


def test_people_of_the_source_are_told(bundle, tmp_path):
    theirs = draw_people(TABLE, 12, "source_frequency", seed=5)
    done = predict(bundle, tmp_path, dosages=theirs)
    assert done.warnings[0].startswith("12 of 12 people are nearer to SRC, the source, than to TGT")
    mixed = np.concatenate([DOSAGES[:5], theirs[:1]])
    assert predict(bundle, tmp_path, dosages=mixed, name="mixed").warnings[0].startswith("1 of 6 people is")
    alone = predict(bundle, tmp_path, dosages=theirs[:1], name="alone")
    assert alone.warnings[0].startswith("The person is nearer to SRC")


def test_people_far_from_both_are_told(bundle, tmp_path):
    """The rarer allele in both populations, twice: the likelihoods of both are tiny, and the ratio is off."""
    log_ratio = np.log(TABLE["frequency"] / TABLE["source_frequency"]) - np.log(
        (1 - TABLE["frequency"]) / (1 - TABLE["source_frequency"])
    )
    beyond = np.where(log_ratio > 0, 2, 0).astype(np.int8)[None].repeat(3, axis=0)
    done = predict(bundle, tmp_path, dosages=beyond)
    assert done.warnings[0].startswith("3 of 3 people are far from both TGT and SRC")


def test_without_the_variants_that_tell_nothing_is_said_of_people(bundle, tmp_path):
    few = TABLE.iloc[:N_VARIANTS]
    sparse = DOSAGES[:, :N_VARIANTS].copy()
    done = predict(bundle, tmp_path, few, sparse)
    assert np.isfinite(done.table["ancestry_z"]).all()  # 60 of 400: enough
    left = np.arange(40)
    done = predict(bundle, tmp_path, few.iloc[left], sparse[:, left], name="few", least_match_rate=0.2)
    assert done.table["ancestry_z"].isna().all()
    assert [one for one in done.warnings if one.startswith("Whether the people are like TGT cannot be told")]


@pytest.mark.parametrize("form", ["oxford", "23andme", "folder"])
def test_other_formats_give_the_same(bundle, expected, tmp_path, form):
    genotypes = write_people(tmp_path / "people", TABLE, DOSAGES)
    if form == "oxford":
        write_oxford(genotypes, tmp_path / "p.gen", tmp_path / "p.sample")
        done = predict_file(bundle, tmp_path / "p.gen")
        assert (done.table["probability"].to_numpy() == expected).all()
        return
    write_23andme(genotypes, tmp_path / "raw")
    one = tmp_path / "raw" / "i3.txt"
    done = predict_file(bundle, one if form == "23andme" else tmp_path / "raw")
    known = pd.Series(expected, index=genotypes.samples["iid"])
    assert len(done.table) == (1 if form == "23andme" else N)
    assert done.table["probability"].to_numpy() == pytest.approx(
        known[done.table["iid"]].to_numpy(), rel=1e-12
    )


def test_only_what_the_model_needs_is_brought_over(bundle, expected, tmp_path, monkeypatch):
    """Of a .gen with many other variants, those of the model, of ancestry, and the file's first."""
    more = make_table(900).assign(position=lambda t: t["position"] - 5).iloc[N_ANCESTRY:]
    table = pd.concat([more, TABLE], ignore_index=True)
    dosages = np.concatenate([draw_people(more, N), DOSAGES], axis=1)
    genotypes = write_people(tmp_path / "people", table, dosages)
    write_oxford(genotypes, tmp_path / "p.gen", tmp_path / "p.sample")
    opened = []
    monkeypatch.setattr(
        "genotransfer.prediction.cohorts.open_genotypes",
        lambda *given, **how: opened.append(open_genotypes(*given, **how)) or opened[-1],
    )
    done = predict_file(bundle, tmp_path / "p.gen")
    assert (done.table["probability"].to_numpy() == expected).all()
    assert list(opened[0].variants["id"]) == [f"rs{N_ANCESTRY}", *TABLE["id"]]
    write_oxford(genotypes.select(variants=np.arange(9)), tmp_path / "q.gen", tmp_path / "q.sample")
    with pytest.raises(InputError, match=r"holds 0\.0%.*the file's with rs400 at 21:64795"):
        predict_file(bundle, tmp_path / "q.gen")


@pytest.mark.parametrize("renamed", [False, True])
def test_a_persons_file_is_read_on_either_strand_and_by_position(bundle, expected, tmp_path, renamed):
    table = flip(TABLE, np.ones(len(TABLE), dtype=bool))
    if renamed:
        table = table.assign(id=[f"i{5_000_000 + at}" for at in range(len(table))])
    write_23andme(write_people(tmp_path / "people", table, DOSAGES[:1]), tmp_path / "raw")
    done = predict_file(bundle, tmp_path / "raw" / "i0.txt")
    assert done.table["probability"].to_numpy() == pytest.approx(expected[:1], rel=1e-12)


def write_vcf(path, table, dosages, shown):
    """Write a VCF of one person; `shown` says of which variants the alternative allele is named."""
    calls = {0: "0/0", 1: "0/1", 2: "1/1", -1: "./."}
    with path.open("w") as file:
        file.write("##fileformat=VCFv4.2\n##contig=<ID=chr21>\n")
        file.write('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        file.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tp\n")
        for row, dosage, show in zip(table.itertuples(), dosages, shown, strict=True):
            alt = row.counted if show else "."
            call = calls[dosage]
            file.write(f"chr21\t{row.position}\t.\t{row.other}\t{alt}\t.\tPASS\t.\tGT\t{call}\n")


def test_a_sequenced_person_has_the_reference_where_no_alternative_is_named(bundle, expected, tmp_path):
    person = DOSAGES[0]
    write_vcf(tmp_path / "all.vcf", TABLE, person, person > 0)
    done = predict_file(bundle, tmp_path / "all.vcf")
    assert done.table["probability"].to_numpy() == pytest.approx(expected[:1], rel=1e-12)
    assert (done.match_rate, list(done.table["iid"])) == (1, ["p"])
    differs = person > 0
    write_vcf(tmp_path / "some.vcf", TABLE[differs], person[differs], np.ones(differs.sum(), dtype=bool))
    with pytest.raises(InputError, match="of a sequenced person all sites"):
        predict_file(bundle, tmp_path / "some.vcf")


def test_people_in_blocks_are_the_same_people(bundle, expected, tmp_path, monkeypatch):
    monkeypatch.setattr("genotransfer.prediction.predict.BLOCK_GENOTYPES", 1)
    monkeypatch.setattr("genotransfer.prediction.predict.ROWS_AT_ONCE", 4)
    done = predict(bundle, tmp_path)
    assert done.table["probability"].to_numpy() == pytest.approx(expected, rel=1e-12)
    assert len(done.table) == N


def test_the_table_is_written_whole(bundle, tmp_path):
    done = predict(bundle, tmp_path)
    done.write(tmp_path / "new" / "table.tsv")
    read = pd.read_csv(tmp_path / "new" / "table.tsv", sep="\t")
    pd.testing.assert_frame_equal(read, done.table, check_dtype=False)
    page = "\n".join(compose_summary(done))
    assert "# TGT_height: 25 people" in page
    assert "The first 20 of 25 people." in page


def test_the_share_of_cases_is_said(bundle, tmp_path):
    done = predict(bundle, tmp_path)
    assert re.search(r"of whom 40% are cases \(60 of 150 of TGT\)", done.notes[0])


def make_final(**numbers: object) -> FinalEvaluation:
    known = {
        "n": 400, "n_cases": 200, "sha256": "0", "accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8,
        "auc": 0.75, "auc_low": 0.7, "auc_high": 0.8,
    }  # fmt: skip
    return FinalEvaluation(**(known | numbers))


@pytest.mark.parametrize(
    ("final", "says"),
    [
        (make_final(), []),
        (make_final(auc=0.52, auc_low=0.46), ["close to chance on FD: AUC 0.52, 95 % interval 0.46 to 0.80"]),
        (make_final(n=40), [r"FD has 40 people: the accuracy there, 0.70, is known to within about 0\.15"]),
        (make_final(auc=0.5, auc_low=None, auc_high=None), ["close to chance on FD: AUC 0.50"]),
        (make_final(auc=1.0, auc_low=None, auc_high=None), []),
        (make_final(auc=None, auc_low=None, auc_high=None), []),
        (None, ["was not measured on people it had not learnt from"]),
    ],
)
def test_a_model_of_which_fd_says_little_is_told(bundle, final, says):
    warnings = judge_model(bundle.facts.model_copy(update={"final": final}))
    assert len(warnings) == len(says)
    for warning, said in zip(warnings, says, strict=True):
        assert re.search(said, warning)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_least_match_rate_is_a_share(bundle, tmp_path, share):
    with pytest.raises(InputError, match="Give a share from 0 to 1"):
        predict_file(bundle, tmp_path / "x", least_match_rate=share)
