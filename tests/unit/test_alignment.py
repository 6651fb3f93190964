"""Alignment of two populations: every relation of alleles, and what is counted."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.alignment import align_populations, match_variants
from genotransfer.errors import AlignmentError, InputError
from tests.genotype_support import make_genotypes

# Source alleles, target alleles, and whether the target's dosages turn round (None: dropped).
RELATIONS = [
    ("AC", "AC", False),
    ("AC", "CA", True),
    ("AC", "TG", False),
    ("AC", "GT", True),
    ("AC", "AG", None),
    ("AT", "AT", None),
    ("AT", "TA", None),
    ("CG", "CG", None),
    ("CG", "AC", None),
    ("ac", "CA", True),
    ("AC", "0C", False),
    ("AC", "0A", True),
    ("AC", "0G", False),
    ("AC", "00", None),
]


@pytest.fixture
def pair(tmp_path):
    source = make_genotypes(tmp_path / "s", n_variants=len(RELATIONS), alleles=[one[0] for one in RELATIONS])
    target = make_genotypes(
        tmp_path / "t", n_samples=5, n_variants=len(RELATIONS), alleles=[one[1] for one in RELATIONS], seed=1
    )
    return source, target


def turn(dosages):
    return np.where(dosages < 0, -1, 2 - dosages)


def test_every_relation_of_alleles(pair):
    source, target = pair
    aligned = align_populations(source, target)
    kept = [at for at, one in enumerate(RELATIONS) if one[2] is not None]
    assert list(aligned.source.variants["id"]) == [f"rs{at}" for at in kept]
    assert aligned.source.variants.equals(aligned.target.variants)
    assert (aligned.source.read() == source.read()[:, kept]).all()
    expected = target.read()[:, kept]
    swapped = [RELATIONS[at][2] for at in kept]
    expected[:, swapped] = turn(expected[:, swapped])
    assert (aligned.target.read() == expected).all()


def test_report_accounts_for_every_variant(pair):
    source, target = pair
    for ambiguous in ("drop", "keep"):
        aligned = align_populations(source, target, ambiguous=ambiguous)
        report = aligned.report
        parts = ("only in the source", "doubled", "alleles differ", "ambiguous, dropped", "kept")
        assert sum(report[part] for part in parts) == report["variants of the source"] == len(RELATIONS)
        how = ("alleles equal", "alleles swapped", "strand flipped", "strand flipped and alleles swapped")
        assert sum(report[one] for one in how) == report["kept"] == aligned.source.n_variants
        assert len(aligned.dropped) == report["alleles differ"] + report["ambiguous, dropped"]
    assert report["ambiguous, kept"] == 3


def test_dropped_variants_are_listed_with_the_reason(pair):
    dropped = align_populations(*pair).dropped.set_index("id")
    assert dropped.loc["rs4", ["source_alleles", "target_alleles", "reason"]].tolist() == [
        "A/C",
        "A/G",
        "alleles differ",
    ]
    assert dropped.loc["rs6", "reason"] == "ambiguous"


def test_ambiguous_variants_kept_as_labelled(tmp_path):
    source = make_genotypes(tmp_path / "s", n_samples=60, n_variants=3, alleles=["AT", "AT", "AC"])
    target = source.swap_alleles(np.array([True, False, False]))
    aligned = align_populations(source, target, ambiguous="keep")
    assert (aligned.target.read() == source.read()).all()
    assert aligned.report["ambiguous, frequencies differ"] == 0


def test_ambiguous_variants_whose_frequencies_differ_are_counted(tmp_path):
    from genotransfer.genotypes import Genotypes

    first = make_genotypes(tmp_path / "s", n_samples=20, n_variants=3, alleles=["AT", "CG", "AC"])
    common = np.full((20, 3), 2, dtype=np.int8)
    source = Genotypes.from_dosages(tmp_path / "a", common, first.variants, first.samples)
    rare = common.copy()
    rare[:, [0, 2]] = 0
    target = Genotypes.from_dosages(tmp_path / "b", rare, first.variants, first.samples)
    # The A/T variant is suspicious; C/G agrees; A/C differs but is not ambiguous.
    assert align_populations(source, target, ambiguous="keep").report["ambiguous, frequencies differ"] == 1


def test_matches_by_position_when_ids_differ(tmp_path):
    source = make_genotypes(tmp_path / "s", n_variants=6)
    target = make_genotypes(tmp_path / "t", n_variants=6, seed=2)
    target.variants["id"] = [f"kgp{at}" for at in range(6)]
    target.variants["chromosome"] = "chr" + target.variants["chromosome"]
    target.variants.loc[4, "position"] += 1
    aligned = align_populations(source, target)
    assert aligned.report["matched by id"] == 0
    assert list(aligned.target.variants["id"]) == ["rs0", "rs1", "rs2", "rs3", "rs5"]
    assert (aligned.target.read() == target.read()[:, [0, 1, 2, 3, 5]]).all()


def test_doubled_positions_are_left_out_and_counted(tmp_path):
    source = make_genotypes(tmp_path / "s", n_variants=6)
    target = make_genotypes(tmp_path / "t", n_variants=6)
    source.variants.loc[1, ["chromosome", "position"]] = source.variants.loc[0, ["chromosome", "position"]]
    target.variants.loc[5, ["chromosome", "position"]] = target.variants.loc[4, ["chromosome", "position"]]
    aligned = align_populations(source, target, match_by="position")
    assert list(aligned.source.variants["id"]) == ["rs2", "rs3"]
    report = aligned.report
    assert (report["doubled"], report["doubled in the target"], report["only in the source"]) == (2, 2, 2)


def test_positions_that_disagree_are_counted(tmp_path):
    source, target = make_genotypes(tmp_path / "s"), make_genotypes(tmp_path / "t")
    target.variants.loc[[2, 7], "position"] += 1000
    aligned = align_populations(source, target)
    assert (aligned.report["another position"], aligned.report["kept"]) == (2, 10)


def test_nothing_in_common_says_what_to_do(tmp_path):
    source, target = make_genotypes(tmp_path / "s"), make_genotypes(tmp_path / "t", n_variants=4)
    target.variants["id"] = list("wxyz")
    with pytest.raises(
        AlignmentError, match=r"by id between 10 variants \(rs0, rs1, rs2, .* and 4 \(w, x, y.*build"
    ):
        align_populations(source, target, match_by="id")
    target.variants["position"] += 1
    with pytest.raises(AlignmentError, match="by id or by position"):
        align_populations(source, target)


def test_nothing_left_says_why(tmp_path):
    source = make_genotypes(tmp_path / "s", n_variants=2, alleles=["AT", "AC"])
    target = make_genotypes(tmp_path / "t", n_variants=2, alleles=["AT", "AG"])
    with pytest.raises(AlignmentError, match="1 have other alleles, 1 are A/T or C/G"):
        align_populations(source, target)


def test_unknown_way_of_matching(tmp_path):
    source = make_genotypes(tmp_path / "s")
    with pytest.raises(InputError, match="Give id, position or auto"):
        align_populations(source, source, match_by="name")
    with pytest.raises(InputError, match="Give drop or keep"):
        align_populations(source, source, ambiguous="maybe")


def test_matching_a_table_orders_and_orients(tmp_path):
    genotypes = make_genotypes(tmp_path / "g", n_variants=6, alleles=["AC", "AC", "AC", "AC", "AT", "AG"])
    wanted = genotypes.variants.iloc[[4, 1, 0, 3]].reset_index(drop=True)
    wanted[["counted", "other"]] = [["T", "A"], ["C", "A"], ["A", "C"], ["G", "T"]]
    view = match_variants(genotypes, wanted[["id", "chromosome", "position", "counted", "other"]])
    whole = genotypes.read()
    expected = np.stack([turn(whole[:, 4]), turn(whole[:, 1]), whole[:, 0], turn(whole[:, 3])], axis=1)
    assert (view.read() == expected).all()
    assert view.variants.equals(wanted)


def test_matching_a_table_twice_changes_nothing_more(tmp_path):
    genotypes = make_genotypes(tmp_path / "g")
    wanted = genotypes.variants.rename(columns={"counted": "other", "other": "counted"})
    once = match_variants(genotypes, wanted)
    twice = match_variants(once, wanted)
    assert (once.read() == twice.read()).all()
    assert (once.write(tmp_path / "copy").read() == once.read()).all()


def test_absent_and_other_variants_are_errors(tmp_path):
    genotypes = make_genotypes(tmp_path / "g", n_variants=3, alleles=["AC", "AC", "AC"])
    more = pd.concat([genotypes.variants, genotypes.variants.tail(1).assign(id="rs99")], ignore_index=True)
    with pytest.raises(AlignmentError, match=r"1 of 4 variants are not in .*the first: rs99"):
        match_variants(genotypes, more)
    with pytest.raises(
        AlignmentError, match=r"1 of 3 variants have other alleles .*rs1, A/G wanted, A/C found"
    ):
        match_variants(genotypes, genotypes.variants.assign(other=["C", "G", "C"]))


def test_views_align_as_filesets_do(tmp_path):
    source = make_genotypes(tmp_path / "s")
    view = source.select(variants=np.array([9, 3, 5]))
    aligned = align_populations(source, view)
    assert list(aligned.source.variants["id"]) == ["rs3", "rs5", "rs9"]
    assert (aligned.source.read() == aligned.target.read()).all()
