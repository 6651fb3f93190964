"""Oxford files: HAPGEN2's own, one with uncertain genotypes, and what is written."""

import gzip

import numpy as np
import pytest

from genotransfer.errors import InputError
from genotransfer.formats.oxford import read_oxford, write_oxford
from genotransfer.formats.oxford_samples import read_sample_file
from tests.genotype_support import DATA, make_genotypes

HAPGEN2, EXAMPLE = DATA / "hapgen2", DATA / "formats"


def test_reads_hapgen2s_own_files(tmp_path):
    genotypes = read_oxford(
        HAPGEN2 / "controls.gen", HAPGEN2 / "controls.sample", prefix_out=tmp_path / "g", chromosome="22"
    )
    assert (genotypes.n_samples, genotypes.n_variants) == (100, 200)
    assert genotypes.variants.iloc[0].tolist() == ["22", "rs10399749", 0.0, 45162, "T", "C"]
    assert genotypes.samples.iloc[0].tolist() == ["id1_0", "id2_0", "0", "0", 0, "1"]
    assert genotypes.counts == {"uncertain genotypes": 0, "genotypes without probabilities": 0}
    # The same by hand: the digit at 3 s + 1 is one copy of B, at 3 s + 2 two copies.
    rows = [line.split()[5:] for line in (HAPGEN2 / "controls.gen").read_text().splitlines()]
    by_hand = np.array([[int(row[at + 1]) + 2 * int(row[at + 2]) for at in range(0, 300, 3)] for row in rows])
    assert (genotypes.read() == by_hand.T).all()


def test_chromosome_is_unknown_unless_named(tmp_path):
    files = HAPGEN2 / "controls.gen", HAPGEN2 / "controls.sample"
    assert set(read_oxford(*files, prefix_out=tmp_path / "g").variants["chromosome"]) == {"0"}
    named = read_oxford(*files, prefix_out=tmp_path / "h", chromosome="chr22")
    assert set(named.variants["chromosome"]) == {"22"}


def test_hapgen2_without_samples_is_an_error_that_says_so(tmp_path):
    with pytest.raises(InputError, match="no samples after the two header rows"):
        read_oxford(HAPGEN2 / "cases.gen", HAPGEN2 / "cases.sample", prefix_out=tmp_path / "g")


def test_uncertain_genotypes_are_missing_and_counted(tmp_path):
    files = EXAMPLE / "example.gen", EXAMPLE / "example.sample"
    rows = [line.split() for line in files[0].read_text().splitlines()]
    probabilities = np.array([row[6:] for row in rows], dtype=float).reshape(len(rows), -1, 3)
    for threshold in (0.6, 0.9, 0.99):
        genotypes = read_oxford(*files, prefix_out=tmp_path / "g", hard_call_threshold=threshold)
        certain = probabilities.max(axis=2) >= threshold
        expected = np.where(certain, probabilities.argmax(axis=2), -1).T
        assert (genotypes.read() == expected).all()
        assert genotypes.counts["genotypes without probabilities"] == 2
        assert sum(genotypes.counts.values()) == (~certain).sum()
    assert genotypes.variants.iloc[0].tolist() == ["1", "RSID_2", 0.0, 2000, "G", "A"]
    assert genotypes.samples["fid"].tolist() == genotypes.samples["iid"].tolist()


@pytest.mark.parametrize("suffix", [".gen", ".gen.gz"])
def test_writes_what_it_reads(tmp_path, suffix):
    genotypes = make_genotypes(tmp_path / "one", n_samples=6, n_variants=5)
    write_oxford(genotypes, tmp_path / f"o{suffix}", tmp_path / "o.sample")
    back = read_oxford(tmp_path / f"o{suffix}", tmp_path / "o.sample", prefix_out=tmp_path / "two")
    assert (back.read() == genotypes.read()).all()
    assert back.variants.drop(columns="cm").equals(genotypes.variants.drop(columns="cm"))
    assert back.samples.equals(genotypes.samples)
    assert back.counts["genotypes without probabilities"] == (genotypes.read() == -1).sum()


def test_gzipped_output_is_the_same_every_time(tmp_path):
    genotypes = make_genotypes(tmp_path / "one")
    for name in ("a", "b"):
        write_oxford(genotypes, tmp_path / f"{name}.gen.gz", tmp_path / f"{name}.sample")
    first, second = ((tmp_path / f"{name}.gen.gz").read_bytes() for name in ("a", "b"))
    assert first == second
    assert gzip.decompress(first).count(b"\n") == 10


def test_sample_file_holds_missingness_and_the_phenotype_given(tmp_path):
    genotypes = make_genotypes(tmp_path / "one", n_samples=3)
    write_oxford(
        genotypes, tmp_path / "o.gen", tmp_path / "o.sample", phenotype=np.array([1, 0, -1], dtype=np.int8)
    )
    rows = [line.split() for line in (tmp_path / "o.sample").read_text().splitlines()]
    assert rows[:2] == [["ID_1", "ID_2", "missing", "sex", "pheno"], ["0", "0", "0", "D", "B"]]
    assert [row[4] for row in rows[2:]] == ["1", "0", "NA"]
    assert [float(row[2]) for row in rows[2:]] == pytest.approx(
        (genotypes.read() == -1).mean(axis=1).tolist()
    )
    assert read_sample_file(tmp_path / "o.sample")["phenotype"].tolist() == ["2", "1", "-9"]


def test_continuous_phenotypes_survive(tmp_path):
    genotypes = make_genotypes(tmp_path / "one", n_samples=3)
    genotypes.samples["phenotype"] = ["0.25", "-9", "-1.5e-3"]
    write_oxford(genotypes, tmp_path / "o.gen", tmp_path / "o.sample")
    assert read_sample_file(tmp_path / "o.sample")["phenotype"].tolist() == ["0.25", "-9", "-1.5e-3"]


def test_a_phenotype_of_another_length_is_refused(tmp_path):
    genotypes = make_genotypes(tmp_path / "one", n_samples=3)
    with pytest.raises(InputError, match="2 phenotypes for 3 samples"):
        write_oxford(
            genotypes, tmp_path / "o.gen", tmp_path / "o.sample", phenotype=np.zeros(2, dtype=np.int8)
        )


def test_a_probability_at_the_threshold_is_called(tmp_path):
    (tmp_path / "x.gen").write_text("1 rs0 5 A C 0.9 0.1 0 0.11 0.89 0\n1 rs1 6 A C 1 0 0 0 1 0\n")
    (tmp_path / "x.sample").write_text("ID_1 ID_2 missing\n0 0 0\nf0 i0 0\nf1 i1 0\n")
    files = tmp_path / "x.gen", tmp_path / "x.sample"
    assert read_oxford(*files, prefix_out=tmp_path / "a").read().tolist() == [[0, 0], [-1, 1]]
    strict = read_oxford(*files, prefix_out=tmp_path / "b", hard_call_threshold=1.0)
    assert strict.read().tolist() == [[-1, 0], [-1, 1]]
    assert strict.counts["uncertain genotypes"] == 2
