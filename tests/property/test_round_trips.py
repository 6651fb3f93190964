"""Laws that hold for any genotypes: round trips, views, and alignment's invariances."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genotransfer.alignment import align_populations, match_variants
from genotransfer.formats.chromosomes import name_chromosome
from genotransfer.formats.convert import convert
from genotransfer.genotypes import Genotypes
from tests.genotype_support import (
    dosage_matrices,
    make_samples,
    make_variants,
    snp_alleles,
    unambiguous_alleles,
)

COMPLEMENT = str.maketrans("ACGT", "TGCA")
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def genotype_tables(draw, alleles=snp_alleles):
    dosages = draw(dosage_matrices)
    pairs = draw(st.lists(alleles, min_size=dosages.shape[1], max_size=dosages.shape[1]))
    return dosages, make_variants(dosages.shape[1], pairs), make_samples(dosages.shape[0])


def write(folder: str, tables) -> Genotypes:
    dosages, variants, samples = tables
    return Genotypes.from_dosages(Path(folder) / "g", dosages, variants, samples)


@few
@given(genotype_tables())
def test_plink_round_trip(tables):
    with tempfile.TemporaryDirectory() as folder:
        genotypes = write(folder, tables)
        assert (genotypes.read() == tables[0]).all()
        assert genotypes.variants.astype(str).equals(tables[1].astype(str))
        assert genotypes.samples.astype(str).equals(tables[2].astype(str))


@few
@given(genotype_tables(), st.sampled_from(["o.gen", "o.gen.gz", "people"]))
def test_other_formats_round_trip(tables, name):
    with tempfile.TemporaryDirectory() as folder:
        genotypes = write(folder, tables)
        to_format = "23andme" if name == "people" else "oxford"
        convert(genotypes.prefix, f"{folder}/{name}", to_format=to_format)
        convert(f"{folder}/{name}", f"{folder}/back", reference=genotypes.variants)
        back = Genotypes.open(f"{folder}/back")
        assert (back.read() == tables[0]).all()
        columns = ["chromosome", "id", "position", "counted", "other"]
        assert back.variants[columns].equals(genotypes.variants[columns])
        assert list(back.samples["iid"]) == list(genotypes.samples["iid"])


@few
@given(genotype_tables(), st.data())
def test_selecting_and_swapping_are_views_of_the_matrix(tables, data):
    with tempfile.TemporaryDirectory() as folder:
        genotypes = write(folder, tables)
        n_samples, n_variants = tables[0].shape
        some = np.array(data.draw(st.lists(st.integers(0, n_variants - 1), min_size=1, max_size=8)))
        people = np.array(data.draw(st.lists(st.integers(0, n_samples - 1), min_size=1, max_size=8)))
        again = np.array(data.draw(st.lists(st.integers(0, len(some) - 1), min_size=1, max_size=8)))
        swap = np.array(data.draw(st.lists(st.booleans(), min_size=n_variants, max_size=n_variants)))
        whole = genotypes.read()

        selected = genotypes.select(variants=some, samples=people)
        assert (selected.read() == whole[np.ix_(people, some)]).all()
        # Selecting twice is selecting the composition; variants and samples commute.
        assert (
            selected.select(variants=again).read()
            == genotypes.select(variants=some[again], samples=people).read()
        ).all()
        assert (genotypes.select(samples=people).select(variants=some).read() == selected.read()).all()
        # Swapping twice is nothing; swapping commutes with selecting.
        swapped = genotypes.swap_alleles(swap)
        back = swapped.swap_alleles(swap)
        assert (back.read() == whole).all()
        assert back.variants.equals(genotypes.variants)
        first = swapped.select(variants=some)
        second = genotypes.select(variants=some).swap_alleles(swap[some])
        assert (first.read() == second.read()).all()
        assert first.variants.equals(second.variants)
        # Copies of both alleles add up to two.
        both = genotypes.swap_alleles(np.ones(n_variants, dtype=bool)).read() + whole
        assert set(np.unique(both)) <= {2, -2}


@few
@given(genotype_tables(unambiguous_alleles), st.data())
def test_alignment_undoes_permuting_swapping_and_relabelling(tables, data):
    dosages, variants, samples = tables
    n_variants = len(variants)
    order = np.array(data.draw(st.permutations(range(n_variants))))
    masks = st.lists(st.booleans(), min_size=n_variants, max_size=n_variants)
    swap, flip = np.array(data.draw(masks)), np.array(data.draw(masks))
    other = variants.copy()
    other.loc[flip, ["counted", "other"]] = other.loc[flip, ["counted", "other"]].map(
        lambda allele: allele.translate(COMPLEMENT)
    )
    turned = dosages.copy()
    turned[:, swap] = np.where(turned[:, swap] < 0, -1, 2 - turned[:, swap])
    other.loc[swap, ["counted", "other"]] = other.loc[swap, ["other", "counted"]].to_numpy()
    with tempfile.TemporaryDirectory() as folder:
        source = write(folder, tables)
        target = Genotypes.from_dosages(
            f"{folder}/t", turned[:, order], other.iloc[order].reset_index(drop=True), samples
        )
        for match_by in ("id", "position", "auto"):
            aligned = align_populations(source, target, match_by=match_by)
            assert (aligned.source.read() == dosages).all()
            assert (aligned.target.read() == dosages).all()
            assert aligned.target.variants.equals(source.variants)
            assert aligned.report["kept"] == n_variants
            assert len(aligned.dropped) == 0
        matched = match_variants(target, source.variants)
        assert (matched.read() == dosages).all()
        # Aligning the aligned changes nothing.
        again = align_populations(aligned.source, aligned.target)
        assert again.report["alleles equal"] == n_variants


@few
@given(genotype_tables(), genotype_tables())
def test_alignment_accounts_for_all_variants_of_any_two_populations(one, two):
    from genotransfer.errors import AlignmentError

    with tempfile.TemporaryDirectory() as folder:
        source = write(folder, one)
        target = Genotypes.from_dosages(f"{folder}/t", *two)
        try:
            there = align_populations(source, target, ambiguous="keep")
        except AlignmentError:
            return
        back = align_populations(target, source, ambiguous="keep")
        parts = ("only in the source", "doubled", "alleles differ", "ambiguous, dropped", "kept")
        assert sum(there.report[part] for part in parts) == source.n_variants
        # The relation of alleles does not depend on which population is called the source.
        for name in ("kept", "alleles equal", "alleles swapped", "strand flipped", "alleles differ"):
            assert there.report[name] == back.report[name]
        # The source is never changed.
        at = source.locate_variants(there.source.variants["id"])
        assert (there.source.read() == source.read()[:, at]).all()


@given(st.sampled_from([*map(str, range(1, 23)), "X", "Y", "MT"]), st.sampled_from(["", "chr", "CHR", "Chr"]))
def test_chromosome_names_have_one_form(name, prefix):
    assert name_chromosome(prefix + name) == name
    assert name_chromosome(name_chromosome(prefix + name)) == name
