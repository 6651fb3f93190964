"""Bad input: each fault is an InputError with file, row and remedy, and nothing is half-written."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from genotransfer.errors import InputError
from genotransfer.formats.convert import convert
from genotransfer.formats.files import read_lines, replace_together
from genotransfer.formats.oxford import read_oxford
from genotransfer.formats.plink import write_blocks
from genotransfer.formats.twentythreeandme import read_23andme
from genotransfer.genotypes import Genotypes
from tests.genotype_support import draw_dosages, list_folder, make_genotypes, make_samples, make_variants

SAMPLE = "ID_1 ID_2 missing pheno\n0 0 0 B\nf0 i0 0 0\nf1 i1 0 1\n"
GEN = "snp_0 rs0 100 A C 1 0 0 0 1 0\nsnp_1 rs1 200 A G 0 0 1 0 0 0\n"


def check_message(error: InputError, problem: str, row: int | None) -> None:
    assert problem in str(error)
    assert error.row == row
    assert str(error.file) in str(error)
    assert error.remedy in str(error)
    if row is not None:
        assert f", row {row}: " in str(error)


@pytest.fixture
def fileset(tmp_path) -> Path:
    make_genotypes(tmp_path / "g")
    return tmp_path / "g"


def replace_text(old: str, new: str):
    def change(path: Path) -> None:
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


PLINK_FAULTS = {
    "truncated .bed": (".bed", truncate, "20 bytes where 7 samples", None),
    "longer .bed": (".bed", lambda path: path.write_bytes(path.read_bytes() + b"\0"), "longer than", None),
    "wrong magic": (".bed", lambda path: path.write_bytes(b"PK" + path.read_bytes()[2:]), "6c 1b 01", None),
    "empty .bed": (".bed", lambda path: path.write_bytes(b""), "the file is empty", None),
    "no .bed": (".bed", Path.unlink, "there is no such file", None),
    "no .fam": (".fam", Path.unlink, "there is no such file", None),
    "no .bim": (".bim", Path.unlink, "there is no such file", None),
    ".bim of another length": (
        ".bim",
        lambda path: path.write_text(path.read_text().rsplit("\n", 2)[0] + "\n"),
        "belongs to another .bed",
        None,
    ),
    ".fam of another length": (
        ".fam",
        lambda path: path.write_text(path.read_text() + "f9 i9 0 0 0 -9\nfa ia 0 0 0 -9\n"),
        "belongs to another .bed",
        None,
    ),
    "empty .bim": (".bim", lambda path: path.write_text(""), "the file is empty", None),
    "short row": (".bim", replace_text("3\trs2", "rs2"), "5 columns where 6 are due", 3),
    "long row": (".bim", replace_text("rs2\t", "rs2\tx\t"), "7 columns where 6 are due", 3),
    "blank row": (".bim", replace_text("3\trs2", "\n3\trs2"), "0 columns where 6 are due", 3),
    "first row short": (".bim", replace_text("1\trs0", "rs0"), "5 columns where 6 are due", 1),
    "position no number": (".bim", replace_text("\t1014\t", "\there\t"), "'here' is no number", 3),
    "position not whole": (".bim", replace_text("\t1014\t", "\t10.5\t"), "'10.5' is no whole number", 3),
    "cm not finite": (".bim", replace_text("\t0.25\t", "\tinf\t"), "'inf' is no number", 3),
    "doubled variant": (".bim", replace_text("rs4\t", "rs1\t"), "'rs1' stands already in row 2", 5),
    "doubled sample": (".fam", replace_text("\ti4\t", "\ti1\t"), "'i1' stands already in row 2", 5),
    "sex no number": (".fam", replace_text("i0\t0\t0\t0", "i0\t0\t0\tmale"), "'male' is no number", 1),
    "not UTF-8": (".bim", lambda path: path.write_bytes(b"\xff\xfe1 a 0 1 A C\n" * 10), "UTF-8", None),
}


@pytest.mark.parametrize("fault", PLINK_FAULTS)
def test_plink_faults(fileset, fault):
    suffix, change, problem, row = PLINK_FAULTS[fault]
    change(Path(f"{fileset}{suffix}"))
    before = list_folder(fileset.parent)
    with pytest.raises(InputError) as caught:
        Genotypes.open(fileset)
    check_message(caught.value, problem, row)
    assert str(caught.value.file) == f"{fileset}{'.bed' if 'another' in problem else suffix}"
    with pytest.raises(InputError):
        convert(fileset, fileset.parent / "out" / "o.gen")
    assert list_folder(fileset.parent) == before


GEN_FAULTS = {
    "two probabilities missing": ("1 0 0 0 1 0\n", "1 0 0 0\n", "9 columns, but the 2 samples", 1),
    "two missing in a later row": ("0 0 1 0 0 0\n", "0 0 1 0\n", "4 probabilities where 2 samples need 6", 2),
    "later row without probabilities": (" 0 0 1 0 0 0\n", "\n", "5 columns where 11 are due", 2),
    "sums to less": ("0 0 1 0 0 0\n", "0.2 0.3 0.4 0 0 0\n", "0.2 0.3 0.4 of sample i0 do not sum to 1", 2),
    "sums to more, digits": ("0 0 1 0 0 0\n", "0 0 1 1 1 0\n", "1 1 0 of sample i1 do not sum to 1", 2),
    "sum beyond the tolerance": ("0 1 0\n", "0 .979 0\n", "do not sum to 1", 1),
    "negative": ("0 0 1 0 0 0\n", "-0.1 0.1 1 0 0 0\n", "are not numbers from 0 to 1", 2),
    "not a number": ("0 0 1 0 0 0\n", "0 0 nan 0 0 0\n", "are not numbers from 0 to 1", 2),
    "infinite": ("0 0 1 0 0 0\n", "0 0 inf 0 0 0\n", "do not sum to 1", 2),
    "a word": ("0 0 1 0 0 0\n", "0 0 1 0 NA 0\n", "'NA' is no probability, of sample i1", 2),
    "no position": (" 200 ", " here ", "'here' is no position", 2),
    "one allele twice": ("A G", "G G", "both alleles are 'G'", 2),
    "doubled id": ("rs1", "rs0", "'rs0' stands already in row 1", 2),
    "not UTF-8": ("rs1", "rs\udcff", "not text in UTF-8", 2),
}


@pytest.mark.parametrize("fault", GEN_FAULTS)
def test_gen_faults(tmp_path, fault):
    old, new, problem, row = GEN_FAULTS[fault]
    (tmp_path / "x.gen").write_bytes(GEN.replace(old, new, 1).encode(errors="surrogateescape"))
    (tmp_path / "x.sample").write_text(SAMPLE)
    before = list_folder(tmp_path)
    for prefix in ("y", "new/folder/y"):
        with pytest.raises(InputError) as caught:
            read_oxford(tmp_path / "x.gen", tmp_path / "x.sample", prefix_out=tmp_path / prefix)
        check_message(caught.value, problem, row)
        assert caught.value.file == tmp_path / "x.gen"
        assert list_folder(tmp_path) == before


def test_sums_within_the_tolerance_and_missing_triples_are_taken(tmp_path):
    (tmp_path / "x.gen").write_text(GEN.replace("0 1 0\n", "0 .981 0\n"))
    (tmp_path / "x.sample").write_text(SAMPLE)
    genotypes = read_oxford(tmp_path / "x.gen", tmp_path / "x.sample", prefix_out=tmp_path / "y")
    assert genotypes.read().tolist() == [[0, 2], [1, -1]]


SAMPLE_FAULTS = {
    "no header": ("ID_1 ID_2 missing pheno\n0 0 0 B\n", "", "the first column is called 'f0', not ID_1", 1),
    "no kinds": ("0 0 0 B\n", "", "the second row must give the kind", 2),
    "kinds too few": ("0 0 0 B\n", "0 0 0\n", "the kind of each of the 4 columns", 2),
    "unknown kind": ("0 0 0 B\n", "0 0 0 Z\n", "'0 0 0 Z'", 2),
    "short row": ("f1 i1 0 1\n", "f1 i1\n", "2 columns where 4 are due (ID_1 ID_2 missing pheno)", 4),
    "doubled id": ("f1 i1", "f1 i0", "'i0' stands already in row 3", 4),
    "phenotype of no class": ("f1 i1 0 1", "f1 i1 0 2", "the binary phenotype is '2'", 4),
    "no samples": ("f0 i0 0 0\nf1 i1 0 1\n", "", "no samples after the two header rows", None),
    "one sample more": ("f1 i1 0 1\n", "f1 i1 0 1\nf2 i2 0 1\n", "11 columns, but the 3 samples", 1),
}


@pytest.mark.parametrize("fault", SAMPLE_FAULTS)
def test_sample_faults(tmp_path, fault):
    old, new, problem, row = SAMPLE_FAULTS[fault]
    (tmp_path / "x.gen").write_text(GEN)
    (tmp_path / "x.sample").write_text(SAMPLE.replace(old, new, 1))
    before = list_folder(tmp_path)
    with pytest.raises(InputError) as caught:
        convert(tmp_path / "x.gen", tmp_path / "y")
    check_message(caught.value, problem, row)
    assert list_folder(tmp_path) == before


@pytest.mark.parametrize("threshold", [0.5, 0.0, 1.1])
def test_hard_call_threshold_is_a_probability_that_decides(tmp_path, threshold):
    with pytest.raises(InputError, match=r"above .5, up to 1"):
        read_oxford("x.gen", "x.sample", prefix_out=tmp_path / "y", hard_call_threshold=threshold)


@pytest.mark.parametrize("name", ["x.gen", "x.vcf", "x.txt", "x.bed", "x"])
def test_missing_files(tmp_path, name):
    with pytest.raises(InputError, match="there is no such file"):
        convert(tmp_path / name, tmp_path / "y", reference=make_variants(2))
    assert list_folder(tmp_path) == {}


@pytest.mark.parametrize("name", ["x.gen", "x.vcf", "x.txt", "x.gen.gz"])
def test_empty_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "x.sample").write_text(SAMPLE)
    with pytest.raises(InputError, match="the file is empty") as caught:
        convert(tmp_path / name, tmp_path / "y", reference=make_variants(2))
    assert caught.value.file == tmp_path / name
    assert not list(tmp_path.glob("y*"))


def test_a_gzip_of_nothing_is_empty(tmp_path):
    (tmp_path / "x.gen.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(InputError, match="the file is empty"):
        list(read_lines(tmp_path / "x.gen.gz"))


@pytest.mark.parametrize("damage", ["cut", "garbage", "flipped"])
def test_unreadable_gzip(tmp_path, damage):
    packed = gzip.compress((GEN + GEN.replace("rs", "ss") * 500).encode())
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0xFF
    (tmp_path / "x.gen.gz").write_bytes(
        {"cut": packed[:-20], "garbage": b"this is no gzip", "flipped": bytes(flipped)}[damage]
    )
    with pytest.raises(InputError, match=r"gzip file is damaged or is none.*gzip -t"):
        list(read_lines(tmp_path / "x.gen.gz"))


def test_damaged_gzip_leaves_nothing_behind(tmp_path):
    rows = "".join(f"snp rs{at} {at + 1} A C 1 0 0 0 1 0\n" for at in range(5000))
    (tmp_path / "x.gen.gz").write_bytes(gzip.compress(rows.encode())[:-100])
    (tmp_path / "x.sample").write_text(SAMPLE)
    before = list_folder(tmp_path)
    with pytest.raises(InputError, match="damaged"):
        convert(tmp_path / "x.gen.gz", tmp_path / "y")
    assert list_folder(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "problem", "row"),
    [
        ("# c\nrs0\t1\t5\n", "3 columns where 4 are due", 2),
        ("rs0\t1\tx\tAA\n", "'x' is no position", 1),
        ("rs0\t1\t5\tAB\n", "'AB' is no genotype", 1),
        ("rs0\t1\t5\tAA\nrs0\t1\t5\tAA\n", "'rs0' stands already in row 1", 2),
        ("kgp1\t1\t5\tAA\n", "none of the 2 variants wanted is among the 1 of the file", None),
        ("# only comments\n", "none of the 2 variants", None),
    ],
)
def test_23andme_faults(tmp_path, text, problem, row):
    (tmp_path / "me.txt").write_text(text)
    before = list_folder(tmp_path)
    with pytest.raises(InputError) as caught:
        read_23andme(tmp_path / "me.txt", make_variants(2), tmp_path / "y")
    check_message(caught.value, problem, row)
    assert list_folder(tmp_path) == before


def test_a_folder_without_23andme_files(tmp_path):
    (tmp_path / "people").mkdir()
    with pytest.raises(InputError, match=r"no \.txt files"):
        convert(tmp_path / "people", tmp_path / "y", reference=make_variants(2))


VCF = """##fileformat=VCFv4.2
##contig=<ID=1>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb
1\t5\trs1\tA\tC\t.\t.\t.\tGT\t0/1\t0/0
"""


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("##fileformat=VCFv4.2", "hello", "no VCF or BCF that htslib can read"),
        ("1\t5\t", "1\tfive\t", "the record cannot be read"),
        ("\tFORMAT\ta\tb\n", "\n", "no samples"),
        ("A\tC", "AT\tC", "no variants to write"),
        ("##FORMAT=<ID=GT", "##FORMAT=<ID=XX", "the record cannot be read"),
    ],
)
def test_vcf_faults(tmp_path, old, new, problem):
    text = VCF.replace(old, new, 1)
    if "XX" in new:
        text = text.replace("\tGT\t", "\tXX\t")
    (tmp_path / "x.vcf").write_text(text)
    before = list_folder(tmp_path)
    with pytest.raises(InputError, match=problem):
        convert(tmp_path / "x.vcf", tmp_path / "y")
    assert list_folder(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "problem", "row"),
    [
        ({"dosages": draw_dosages(3, 3)}, r"dosages of shape \(3, 3\) for 3 samples and 4 variants", None),
        ({"dosages": np.full((3, 4), 3, dtype=np.int8)}, "dosages from 3 to 3", None),
        ({"dosages": np.full((3, 4), -127, dtype=np.int8)}, "dosages from -127 to -127", None),
        ({"samples": make_samples(0), "dosages": draw_dosages(0, 4)}, "no samples to write", None),
        ({"variants": make_variants(0), "dosages": draw_dosages(3, 0)}, "no variants to write", None),
        (
            {"samples": make_samples(3).assign(iid=["a", "b c", "d"])},
            "'b c' is empty or holds white space",
            2,
        ),
        ({"variants": make_variants(4).assign(other=["A", "C", "", "G"])}, "'' is empty", 3),
        ({"samples": make_samples(3).assign(iid=["a", "b", "a"])}, "'a' stands already in row 1", 3),
        ({"variants": make_variants(4).assign(id=["a", "b", "b", "c"])}, "'b' stands already in row 2", 3),
    ],
)
def test_faults_of_what_is_to_be_written(tmp_path, change, problem, row):
    make_genotypes(tmp_path / "g")
    before = list_folder(tmp_path)
    given = {"dosages": draw_dosages(3, 4), "variants": make_variants(4), "samples": make_samples(3)} | change
    with pytest.raises(InputError, match=problem) as caught:
        Genotypes.from_dosages(tmp_path / "g", **given)
    assert caught.value.row == row
    assert list_folder(tmp_path) == before


def test_ids_doubled_across_blocks(tmp_path):
    blocks = [(make_variants(2), draw_dosages(3, 2))] * 2
    with pytest.raises(InputError, match="'rs0' stands already in row 1") as caught:
        write_blocks(tmp_path / "new" / "g", make_samples(3), blocks)
    assert caught.value.row == 3
    assert list_folder(tmp_path) == {}


def test_an_error_midway_leaves_targets_and_folders_as_they_were(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    before = list_folder(tmp_path)

    def write_and_fail() -> None:
        with replace_together(tmp_path / "old.txt", tmp_path / "a" / "b" / "new.txt") as (old, new):
            old.write_text("changed")
            new.write_text("new")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert list_folder(tmp_path) == before


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "taken").write_text("x")
    make_genotypes(tmp_path / "g")
    before = list_folder(tmp_path)
    with pytest.raises(InputError, match="no file can be written there"):
        convert(tmp_path / "g", tmp_path / "taken" / "h")
    assert list_folder(tmp_path) == before
