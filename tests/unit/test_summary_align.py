"""Statistics aligned to a fileset: every way of naming the same alleles gives the same score."""

import numpy as np
import pytest

from genotransfer.errors import AlignmentError, InputError
from genotransfer.genotypes import Genotypes
from genotransfer.summary import align_statistics
from genotransfer.summary.statistics import clean_statistics
from tests.genotype_support import make_samples, make_variants
from tests.summary_support import describe, draw_population

STRAND = {"A": "T", "C": "G", "G": "C", "T": "A"}
PAIRS = ["AC", "AG", "TC", "TG", "AC", "AG", "TC", "TG"]


@pytest.fixture
def genotypes(tmp_path):
    dosages = draw_population(40, 8, 3).astype(np.int8)
    return Genotypes.from_dosages(tmp_path / "g", dosages, make_variants(8, PAIRS), make_samples(40))


def make_statistics(genotypes, **changes):
    table = describe(8).assign(
        **{name: genotypes.variants[name] for name in ("id", "chromosome", "position", "counted", "other")},
        beta=np.linspace(-1, 1, 8) + 0.05,
        frequency=np.linspace(0.1, 0.9, 8),
    )
    return table.assign(**changes)


def test_swapped_and_flipped_alleles_do_not_change_the_score(genotypes):
    table = make_statistics(genotypes)
    renamed = table.copy()
    for at in range(8):
        a, b = table.loc[at, ["counted", "other"]]
        swap, flip = at % 2 == 1, at // 2 % 2 == 1
        if swap:
            a, b = b, a
            renamed.loc[at, ["beta", "frequency"]] = [-table["beta"][at], 1 - table["frequency"][at]]
        if flip:
            a, b = STRAND[a], STRAND[b]
        renamed.loc[at, ["counted", "other"]] = [a, b]
    straight = align_statistics(clean_statistics(table, scale="linear"), genotypes)
    shuffled = renamed.sample(frac=1, random_state=1)
    turned = align_statistics(clean_statistics(shuffled, scale="linear"), genotypes)
    assert [
        turned.report[name]
        for name in (
            "alleles equal",
            "alleles swapped",
            "strand flipped",
            "strand flipped and alleles swapped",
        )
    ] == [2, 2, 2, 2]
    for one in (straight, turned):
        tables = (one.statistics.variants, one.genotypes.variants)
        labels = [table[["id", "counted", "other"]].to_numpy().tolist() for table in tables]
        assert labels[0] == labels[1]
    scores = [one.genotypes.read() @ one.statistics.variants["beta"].to_numpy() for one in (straight, turned)]
    np.testing.assert_array_equal(*scores)
    np.testing.assert_allclose(turned.statistics.variants["frequency"], table["frequency"])


def test_each_step_is_counted(genotypes):
    table = make_statistics(genotypes)
    table.loc[0, ["counted", "other"]] = ["A", "T"]  # other alleles there
    table.loc[1, "other"] = "0"  # not named: taken from the fileset
    table.loc[2, "id"] = "elsewhere"
    table.loc[3, ["counted", "other"]] = ["C", "0"]  # rs3 is T/G: C is its other strand's G, swapped
    aligned = align_statistics(clean_statistics(table, scale="linear", ready=True), genotypes, match_by="id")
    report = aligned.report
    assert report["variants of the statistics"] == 8
    assert report["only in the statistics"] == report["only in the genotypes"] == 1
    assert report["alleles differ"] == 1
    assert report["other allele taken from the genotypes"] == 2
    assert report["strand flipped and alleles swapped"] == 1
    assert report["kept"] == 6
    assert aligned.statistics.variants["id"].tolist() == ["rs1", "rs3", "rs4", "rs5", "rs6", "rs7"]
    assert aligned.statistics.variants["beta"][1] == -table["beta"][3]


def test_ambiguous_variants_go_or_stay(tmp_path):
    genotypes = Genotypes.from_dosages(
        tmp_path / "a",
        draw_population(10, 2, 1).astype(np.int8),
        make_variants(2, ["AT", "AC"]),
        make_samples(10),
    )
    table = describe(2).assign(position=genotypes.variants["position"], counted="T", other=["A", "G"])
    read = clean_statistics(table, scale="linear")
    assert align_statistics(read, genotypes).statistics.variants["id"].tolist() == ["rs1"]
    kept = align_statistics(read, genotypes, ambiguous="keep")
    assert kept.statistics.variants["beta"].tolist() == [-0.1, 0.1]
    assert kept.report["ambiguous, kept"] == 1
    with pytest.raises(InputError, match="Give drop or keep"):
        align_statistics(read, genotypes, ambiguous="perhaps")
    with pytest.raises(AlignmentError, match="1 are A/T or C/G"):
        align_statistics(read.select(np.array([0])), genotypes)
