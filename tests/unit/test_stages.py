"""Stages on tiny cohorts: what they refuse, what they keep, and what they write."""

import json

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import AlignmentError, InputError, StudyError
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.stages import association, genotypes, phenotypes
from genotransfer.stages.results import name_part
from genotransfer.study_files import parse_study
from tests.integration.support import COHORTS, make_cohort, make_cohorts

ROLES = ("source", "target", "final")


def read_cohorts(folder, text=COHORTS):
    return parse_study(text.replace("kind: files\n  source:", f"kind: files\n  folder: {folder}\n  source:"))


@pytest.fixture
def cohorts(tmp_path):
    make_cohorts(tmp_path)
    return tmp_path


def prepare(study, folder):
    places = {role: str(folder / role) for role in ROLES}
    made = genotypes.prepare_genotypes(study, places, folder / "alignment")
    return places, made


def test_a_fileset_is_read_once_until_it_changes(tmp_path):
    make_cohort(tmp_path, "genotypes", 20, n_variants=5)
    opened = genotypes.open_population(tmp_path)
    assert genotypes.open_population(str(tmp_path)) is opened
    make_cohort(tmp_path, "genotypes", 21, n_variants=5)
    assert genotypes.open_population(tmp_path).n_samples == 21
    (tmp_path / "genotypes.bed").unlink()
    with pytest.raises(InputError, match="no such file"):
        genotypes.open_population(tmp_path)


def test_fd_of_a_given_size_leaves_the_rest_out(cohorts, tmp_path):
    study = read_cohorts(cohorts, COHORTS.replace("final: null", "final: 15"))
    places, made = prepare(study, tmp_path / "out")
    sizes = {role: facts["n_samples"] for role, facts in made.facts.items()}
    assert sizes == {"source": 90, "target": 46, "final": 15}
    people = {role: set(genotypes.open_population(places[role]).samples["iid"]) for role in ROLES}
    assert not people["target"] & people["final"]
    assert not list((tmp_path / "out").rglob("read_*"))


def test_who_is_fd_depends_on_the_seed_alone(cohorts, tmp_path):
    drawn = []
    for place, text in (("a", COHORTS), ("b", COHORTS), ("c", "seed: 3\n" + COHORTS)):
        places, _ = prepare(read_cohorts(cohorts, text), tmp_path / place)
        drawn.append(genotypes.open_population(places["final"]).samples["iid"].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_cohort_of_another_format_leaves_no_scratch_behind(cohorts, tmp_path):
    """A .gen is read through a fileset of its own, which is gone when the populations are written."""
    from genotransfer.formats.convert import convert

    convert(cohorts / "tgt", cohorts / "oxford.gen")
    study = read_cohorts(cohorts, COHORTS.replace("genotypes: tgt,", "genotypes: oxford.gen,"))
    places, _ = prepare(study, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out" / "target").iterdir()} == {
        "genotypes.bed",
        "genotypes.bim",
        "genotypes.fam",
    }
    direct, _ = prepare(read_cohorts(cohorts), tmp_path / "direct")
    for role in ROLES:
        first, second = (genotypes.open_population(place[role]) for place in (places, direct))
        assert (first.read() == second.read()).all()


def test_no_common_variants_write_nothing(cohorts, tmp_path):
    bim = pd.read_csv(cohorts / "tgt.bim", sep="\t", header=None)
    bim[1], bim[0] = "other" + bim[1], 22
    bim.to_csv(cohorts / "tgt.bim", sep="\t", header=False, index=False)
    with pytest.raises(AlignmentError, match="no common variants"):
        prepare(read_cohorts(cohorts), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.*"))


def test_a_sample_quality_control_drops_has_no_split(cohorts, tmp_path):
    given = Genotypes.open(cohorts / "src")
    dosages = given.read()
    dosages[4, :30] = -1  # half of the calls of one person
    Genotypes.from_dosages(cohorts / "src", dosages, given.variants, given.samples)
    study = read_cohorts(cohorts, COHORTS.replace("TD: 60, VD: 10, ED: 10", "TD: 70, VD: 10, ED: 10"))
    places, _ = prepare(study, tmp_path / "out")
    out = tmp_path / "out"
    phenotypes.prepare_phenotypes(study, "height", places, out / "labels", out / "fd", out / "truth")
    learning = {role: places[role] for role in ROLES[:2]}
    kept = association.control_quality(
        study, "height", out / "labels", learning, out / "variants", out / "kept"
    )
    before = read_phenotype_table(out / "labels" / "source.tsv")
    after = read_phenotype_table(out / "kept" / "source.tsv")
    assert (before["split"] != "").all()
    assert after.loc[after["split"] == "", "IID"].tolist() == ["src4"]
    assert after[["FID", "IID", "phenotype"]].equals(before[["FID", "IID", "phenotype"]])
    counts = pd.read_parquet(out / "variants" / "counts.parquet")
    assert counts["removed"].sum() >= 1
    assert kept == len(pd.read_parquet(out / "variants" / "variants.parquet"))


def test_association_reads_td_alone(cohorts, tmp_path):
    """The labels of VD and ED are turned round, and the tables stay the same."""
    study = read_cohorts(cohorts)
    places, _ = prepare(study, tmp_path / "out")
    out, tables = tmp_path / "out", []
    phenotypes.prepare_phenotypes(study, "height", places, out / "labels", out / "fd", out / "truth")
    learning = {role: places[role] for role in ROLES[:2]}
    association.control_quality(study, "height", out / "labels", learning, out / "variants", out / "kept")
    for _ in range(2):
        association.test_association(study, out / "kept", out / "variants", learning, out / "association")
        tables.append([(out / "association" / f"{role}.parquet").read_bytes() for role in ROLES[:2]])
        for role in ROLES[:2]:
            table = pd.read_csv(out / "kept" / f"{role}.tsv", sep="\t")
            turned = table["split"].isin(["VD", "ED"])
            table.loc[turned, "phenotype"] = 3 - table.loc[turned, "phenotype"]
            table.to_csv(out / "kept" / f"{role}.tsv", sep="\t", index=False)
    assert tables[0] == tables[1]


def test_quality_control_that_leaves_nothing_in_both_is_told(cohorts, tmp_path):
    study = read_cohorts(cohorts, COHORTS + "quality: {maf: 0.499}\n")
    places, _ = prepare(study, tmp_path / "out")
    out = tmp_path / "out"
    phenotypes.prepare_phenotypes(study, "height", places, out / "labels", out / "fd", out / "truth")
    with pytest.raises(StudyError):
        association.control_quality(
            study,
            "height",
            out / "labels",
            {role: places[role] for role in ROLES[:2]},
            out / "variants",
            out / "kept",
        )
    assert not (out / "variants").exists() or not list((out / "variants").iterdir())


@pytest.mark.parametrize(("setting", "lost"), [("auto", False), ("controls", True)])
def test_a_threshold_does_not_cost_the_snp_that_makes_the_phenotype(tmp_path, setting, lost):
    """Those below the mean are nearly all without the allele, and far from Hardy-Weinberg proportions."""
    rng = np.random.default_rng(5)
    for stem, n_samples in (("src", 300), ("tgt", 300)):
        make_cohort(tmp_path, stem, n_samples)
        given = Genotypes.open(tmp_path / stem)
        dosages = given.read()
        dosages[:, 0] = rng.binomial(2, 0.5, n_samples)
        Genotypes.from_dosages(tmp_path / stem, dosages, given.variants, given.samples)
        table = pd.read_csv(tmp_path / f"{stem}.tsv", sep="\t", dtype=str)
        table["height"] = (170.0 + 10.0 * dosages[:, 0] + rng.normal(0, 3, n_samples)).astype(str)
        table.to_csv(tmp_path / f"{stem}.tsv", sep="\t", index=False)
    text = COHORTS.replace("TD: 60, VD: 10, ED: 10", "TD: 240, VD: 30, ED: 30")
    study = read_cohorts(tmp_path, text + f"quality: {{hwe_p: 1e-3, hwe_in: {setting}}}\n")
    places, _ = prepare(study, tmp_path / "out")
    out = tmp_path / "out"
    phenotypes.prepare_phenotypes(study, "height", places, out / "labels", out / "fd", out / "truth")
    learning = {role: places[role] for role in ROLES[:2]}
    association.control_quality(study, "height", out / "labels", learning, out / "variants", out / "kept")
    first = Genotypes.open(tmp_path / "src").variants["id"].iloc[0]
    assert (first not in set(pd.read_parquet(out / "variants" / "variants.parquet")["id"])) == lost


def test_a_cohorts_phenotypes_are_its_files(tmp_path):
    """Two phenotypes, one binary: whoever lacks either is left out of both."""
    make_cohort(tmp_path, "src", 90)
    make_cohort(tmp_path, "tgt", 70)
    table = pd.read_csv(tmp_path / "tgt.tsv", sep="\t", dtype=str)
    table.loc[0, "height"], table.loc[1, "sick"] = "NA", "NA"
    table.to_csv(tmp_path / "tgt.tsv", sep="\t", index=False)
    columns = (
        "[{name: height, column: height, threshold: mean, heritability: 0.4}, {name: sick, column: sick}]"
    )
    text = COHORTS.replace("[{name: height, column: height, threshold: mean}]", columns)
    study = read_cohorts(tmp_path, text)
    out = tmp_path / "out"
    places, _ = prepare(study, out)
    counts = json.loads((out / "alignment" / "alignment.json").read_text())
    assert [counts[f"TGT samples without {name}"] for name in ("height", "sick")] == [1, 1]
    made = phenotypes.prepare_phenotypes(study, "sick", places, out / "labels", out / "fd", out / "truth")
    assert made.truth == {"n_risk_snps": 0}
    other = tmp_path / "height"
    of_height = phenotypes.prepare_phenotypes(
        study, "height", places, other / "labels", other / "fd", other / "truth"
    )
    assert of_height.truth == {"heritability": 0.4, "n_risk_snps": 0}
    assert made.learning["n_samples"] == 90 + 46
    found = read_phenotype_table(out / "fd" / "final.tsv")
    assert len(found) == 70 - 2 - 46
    given = table.set_index("IID")["sick"]
    assert (found["phenotype"].to_numpy() == given[found["IID"]].astype(int).to_numpy()).all()
    assert not phenotypes.read_risk_variants(out / "truth").size


def test_simulated_labels_do_not_depend_on_the_order_of_phenotypes(tmp_path):
    study = parse_study(
        "name: x\ngenotypes: {max_variants: 200}\n"
        "phenotypes: {preset: additive, heritability: 0.9, risk_snps: [2], iterations: 2}\n"
        "splits: {source: {TD: 40, VD: 10, ED: 10}, target: {TD: 20, VD: 5, ED: 5}, final: 10}"
    )
    places, _ = prepare(study, tmp_path)
    tables = []
    for place, order in (("a", ("2_1", "2_2")), ("b", ("2_2", "2_1"))):
        for name in order:
            here = tmp_path / place / name
            phenotypes.prepare_phenotypes(study, name, places, here, here / "fd", here / "truth")
        tables.append([(tmp_path / place / name / "source.tsv").read_bytes() for name in ("2_1", "2_2")])
    assert tables[0] == tables[1]
    assert tables[0][0] != tables[0][1]
    # Both populations have the same effects when their correlation is 1, up to each one's scale.
    risk = phenotypes.read_risk_variants(tmp_path / "a" / "2_1" / "truth")
    ratio = risk["target_effect"] / risk["source_effect"]
    assert ratio.to_numpy() == pytest.approx(ratio.iloc[0])
    assert ratio.iloc[0] > 0


@pytest.mark.parametrize(
    ("method", "model", "part"),
    [
        ("none", "svm", "baselines/5_1"),
        ("snp_transfer", "cart", "baselines/5_1"),
        ("score_transfer", "susie_joint", "scores/5_1"),
        ("deep_simple", "bilstm_2", "transfer/bilstm"),
        ("deep_pretrained", "gru_1+svm", "transfer/gru"),
        ("deep_finetuned", "ann_3", "transfer/ann"),
        ("deep_adapted", "lstm_2", "transfer/lstm"),
    ],
)
def test_a_model_is_looked_for_where_its_task_kept_it(method, model, part):
    assert name_part(pd.Series({"phenotype": "5_1", "method": method, "model": model})) == part


def test_final_data_is_drawn_apart_from_the_learning_samples(tmp_path):
    """More FD does not change who learns, nor the genotypes of those who learn."""
    text = (
        "name: x\ngenotypes: {{max_variants: 200}}\n"
        "splits: {{source: {{TD: 40, VD: 10, ED: 10}}, target: {{TD: 20, VD: 5, ED: 5}}, final: {final}}}"
    )
    drawn = {}
    for final in (10, 30):
        places, made = prepare(parse_study(text.format(final=final)), tmp_path / str(final))
        drawn[final] = {role: made.facts[role]["sha256"] for role in ROLES[:2]}
        fd = genotypes.open_population(places["final"])
        assert fd.n_samples == final
        drawn[final]["fd"] = fd.read()[:10].tobytes()
    assert drawn[10] == drawn[30]
    assert np.frombuffer(drawn[10]["fd"], dtype=np.int8).max() == 2
