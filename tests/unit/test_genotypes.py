"""Views of genotypes: selecting, swapping, locating, reading in blocks."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.counts import find_autosomal
from genotransfer.errors import InputError
from genotransfer.genotypes import Genotypes
from tests.genotype_support import draw_dosages, make_genotypes, make_samples, make_variants


@pytest.fixture
def genotypes(tmp_path):
    return make_genotypes(tmp_path / "one")


def test_reads_what_was_written(genotypes):
    assert (genotypes.read() == draw_dosages(7, 10)).all()
    assert genotypes.read().dtype == np.int8
    assert (genotypes.n_samples, genotypes.n_variants) == (7, 10)


def test_reads_slices_positions_and_nothing(genotypes):
    whole = draw_dosages(7, 10)
    assert (genotypes.read(slice(2, 5)) == whole[:, 2:5]).all()
    assert (genotypes.read(np.array([9, 0, 0])) == whole[:, [9, 0, 0]]).all()
    assert genotypes.read(slice(3, 3)).shape == (7, 0)
    assert genotypes.select(samples=np.array([], dtype=int)).read().shape == (0, 10)


def test_blocks_make_up_the_whole(genotypes):
    blocks = list(genotypes.blocks(3))
    assert [where.stop - where.start for where, _ in blocks] == [3, 3, 3, 1]
    assert (np.hstack([dosages for _, dosages in blocks]) == genotypes.read()).all()


def test_selects_by_position_and_mask_in_the_order_given(genotypes):
    view = genotypes.select(variants=np.array([8, 1]), samples=np.arange(7) % 2 == 0)
    assert (view.read() == draw_dosages(7, 10)[::2][:, [8, 1]]).all()
    assert list(view.variants["id"]) == ["rs8", "rs1"]
    assert list(view.samples["iid"]) == ["i0", "i2", "i4", "i6"]


def test_refuses_a_mask_of_another_length(genotypes):
    with pytest.raises(ValueError, match="a mask of 3 for 10 rows"):
        genotypes.select(variants=np.array([True, False, True]))


def test_swapping_counts_the_other_allele(genotypes):
    swap = np.arange(10) < 4
    view = genotypes.swap_alleles(swap)
    before, after = genotypes.read(), view.read()
    called = before >= 0
    assert (after[:, 4:] == before[:, 4:]).all()
    assert ((before + after)[:, :4][called[:, :4]] == 2).all()
    assert ((after >= 0) == called).all()
    assert list(view.variants["counted"][:4]) == list(genotypes.variants["other"][:4])


def test_locates_by_id(genotypes):
    assert list(genotypes.locate_variants(["rs3", "rs0"])) == [3, 0]
    assert list(genotypes.locate_samples(["i6", "i1"])) == [6, 1]
    with pytest.raises(InputError, match=r"1 of 2 variants are not in the genotypes, the first: rs77"):
        genotypes.locate_variants(["rs1", "rs77"])


def test_locates_in_a_view_that_repeats_variants(genotypes):
    view = genotypes.select(variants=np.array([5, 5, 2]))
    assert list(view.locate_variants(["rs2", "rs5"])) == [2, 0]


def test_a_written_view_stands_on_its_own(genotypes, tmp_path):
    view = genotypes.select(variants=np.array([4, 2, 9]), samples=np.array([6, 0, 3]))
    view = view.swap_alleles(np.array([True, False, True]))
    copy = view.write(tmp_path / "folder" / "copy")
    assert (copy.read() == view.read()).all()
    assert copy.variants.equals(view.variants)
    assert copy.samples.astype(str).equals(view.samples.astype(str))
    assert not copy.swapped.any()


def test_a_view_can_replace_its_own_fileset(genotypes):
    expected = genotypes.select(variants=np.arange(3)).read()
    copy = genotypes.select(variants=np.arange(3)).write(genotypes.prefix)
    assert (copy.read() == expected).all()


def test_hash_tells_contents_not_names(genotypes, tmp_path):
    same = make_genotypes(tmp_path / "two")
    other = make_genotypes(tmp_path / "three", seed=1)
    assert genotypes.hash_contents() == same.hash_contents() != other.hash_contents()


@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 5, 8])
def test_every_remainder_of_four_samples(tmp_path, n_samples):
    dosages = draw_dosages(n_samples, 6, seed=n_samples)
    written = Genotypes.from_dosages(tmp_path / "few", dosages, make_variants(6), make_samples(n_samples))
    assert (written.read() == dosages).all()


def test_autosomes_are_told_by_their_names():
    names = ["1", "chr22", "CHR7", "0", "X", "chrX", "23", "MT", "", "chr", "01", None, "1"]
    found = find_autosomal(pd.Series(names))
    assert found.tolist() == [True, True, True, True, *[False] * 8, True]
    assert find_autosomal(pd.Series([21, 23])).tolist() == [True, False]
    assert find_autosomal(pd.Series([], dtype=object)).tolist() == []
