"""Conversion: formats told by name, results compared with the input."""

import gzip
import shutil

import pytest

from genotransfer.errors import InputError
from genotransfer.formats.convert import convert, detect_format, open_genotypes
from genotransfer.genotypes import Genotypes
from tests.genotype_support import DATA, make_genotypes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b", "plink"),
        ("a/b.bed", "plink"),
        ("b.gen", "oxford"),
        ("b.GEN.gz", "oxford"),
        ("b.vcf.gz", "vcf"),
        ("b.bcf", "vcf"),
        ("me.txt", "23andme"),
        ("study.v2", "plink"),
    ],
)
def test_detects_formats_by_name(name, expected):
    assert detect_format(name) == expected


def test_a_folder_is_23andme_unless_a_fileset_has_its_name(tmp_path):
    (tmp_path / "ceu").mkdir()
    assert detect_format(tmp_path / "ceu") == "23andme"
    make_genotypes(tmp_path / "ceu")
    assert detect_format(tmp_path / "ceu") == "plink"


@pytest.mark.parametrize(
    ("out", "to_format", "again"),
    [("o.gen", None, "o.gen"), ("o.gen.gz", None, "o.gen.gz"), ("o", "23andme", "o")],
)
def test_there_and_back(tmp_path, out, to_format, again):
    genotypes = make_genotypes(tmp_path / "one")
    n_missing = int((genotypes.read() == -1).sum())
    there = convert(tmp_path / "one", tmp_path / out, to_format=to_format)
    assert (there.n_samples, there.n_variants, there.n_missing) == (7, 10, n_missing)
    back = convert(tmp_path / again, tmp_path / "two.bed", reference=tmp_path / "one.bed")
    assert (back.to_format, back.n_missing) == ("plink", n_missing)
    assert (Genotypes.open(tmp_path / "two").read() == genotypes.read()).all()


def test_opens_every_format_alike(tmp_path):
    with gzip.open(tmp_path / "c.gen.gz", "wb") as file:
        file.write((DATA / "hapgen2" / "controls.gen").read_bytes())
    shutil.copy(DATA / "hapgen2" / "controls.sample", tmp_path / "c.sample")
    oxford = open_genotypes(tmp_path / "c.gen.gz", tmp_path / "scratch", chromosome="22")
    again = open_genotypes(tmp_path / "scratch", tmp_path / "unused")
    assert (oxford.read() == again.read()).all()
    vcf = open_genotypes(DATA / "formats" / "sample.vcf", tmp_path / "v")
    assert vcf.counts["records that are no SNPs"] > 0
    assert not list(tmp_path.glob("unused*"))


def test_vcf_to_oxford_carries_the_counts(tmp_path):
    summary = convert(DATA / "formats" / "sample.vcf", tmp_path / "o.gen")
    assert summary.from_format == "vcf"
    assert summary.counts["SNPs named by position"] > 0
    assert (tmp_path / "o.sample").is_file()


def test_unwritable_and_unknown_formats_are_refused(tmp_path):
    make_genotypes(tmp_path / "one")
    with pytest.raises(InputError, match=r"'vcf' cannot be written.*plink, oxford, 23andme"):
        convert(tmp_path / "one", tmp_path / "two.vcf")
    with pytest.raises(InputError, match=r"'bgen' cannot be read"):
        convert(tmp_path / "one", tmp_path / "two", from_format="bgen")


def test_23andme_needs_a_reference(tmp_path):
    (tmp_path / "me.txt").write_text("rs0\t1\t5\tAC\n")
    with pytest.raises(InputError, match="Name reference variants"):
        convert(tmp_path / "me.txt", tmp_path / "me")
