"""An exome from VCF to PLINK: what is read, what each filter counts, errors, and what is chosen of it."""

import gzip
import subprocess
import sys
import zlib

import numpy as np
import pandas as pd
import pytest
from cyvcf2 import VCF, Writer
from scipy.stats import chi2_contingency

from genotransfer.errors import InputError, StudyError
from genotransfer.exome import (
    ExomeSettings,
    compare_genotypes,
    control_exome,
    parse_settings,
    preselect,
    write_steps,
)
from genotransfer.exome.calls import ANY, PackedCalls, WideCalls
from genotransfer.exome.reading import open_variants
from genotransfer.exome.sites import find_snp
from genotransfer.exome.vcf_output import BLOCK_BYTES, BgzipWriter
from genotransfer.formats.vcf import read_vcf
from genotransfer.genotypes import Genotypes
from genotransfer.randomness import make_generator
from tests.exome_support import HAIL, HEADER, NOTHING, filter_ours, write_hard_vcf
from tests.genotype_support import list_folder, make_samples, make_variants

SMALL = """chr1\t5\trs1\tA\tC\t50\tPASS\tDP=90\tGT:DP\t0/1:9\t./1:9\t1:9\t.:9\t1|1:9
2\t6\trs2\tA\tC,G\t50\tPASS\tDP=90\tGT:DP\t0/1:9\t0/2:9\t1/2:9\t./.:9\t0/0:.
2\t7\t.\tA\tC\t30\t.\t.\tGT\t0/1\t0/0\t0/0\t0/0\t0/0
X\t8\t.\tAT\tA\t50\tLowQual\t.\tGT\t0/1\t0/0\t0/0\t0/0\t0/0
MT\t9\trs1\tG\tT\t.\t.\t.\tGT\t0/1\t0/0\t0/0\t0/0\t0/0
"""


def write_small(path, records=SMALL, samples="abcde", header=HEADER):
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
    path.write_text(header + "\t".join(columns) + "\n" + records)
    return path


def pack(path, mode):
    """Write a VCF again with htslib: z bgzip, b BCF, bu BCF that is not packed."""
    out = path.with_suffix({"z": ".vcf.gz", "b": ".bcf", "bu": ".u.bcf"}[mode])
    reader = VCF(str(path))
    writer = Writer(str(out), reader, mode=f"w{mode}")
    for record in reader:
        writer.write_record(record)
    writer.close()
    reader.close()
    return out


def read_all(path):
    found = []
    file = open_variants(path)
    for site in file.sites():
        calls, depths, info = site.read_calls(), site.read_depths(), site.read_info_depth()
        found.append(
            (
                site.chromosome,
                site.position,
                site.name,
                site.reference,
                site.alternatives,
                "." if np.isnan(site.quality) else round(site.quality, 3),
                site.passed,
                [calls.count(number).tolist() for number in (ANY, 1, 2)],
                None if depths is None else np.maximum(depths, -1).tolist(),
                None if np.isnan(info) else info,
            )
        )
    return found


@pytest.mark.parametrize("mode", ["z", "b", "bu", "gzip"])
def test_every_form_of_file_reads_the_same(tmp_path, mode):
    path = write_hard_vcf(tmp_path / "hard.vcf")
    plain = read_all(path)
    assert len(plain) == 160
    if mode == "gzip":
        packed = tmp_path / "hard.txt"
        packed.write_bytes(gzip.compress(path.read_bytes()))
    else:
        packed = pack(path, mode)
    assert read_all(packed) == plain


@pytest.mark.parametrize("name", ["hard", "hail"])
def test_records_are_those_of_htslib(tmp_path, name):
    path = write_hard_vcf(tmp_path / "hard.vcf") if name == "hard" else HAIL
    ours = read_all(path)
    for mine, record in zip(ours, VCF(str(path)), strict=True):
        assert mine[:5] == (record.CHROM, record.POS, record.ID, record.REF, record.ALT)
        assert mine[5] == ("." if record.QUAL is None else pytest.approx(record.QUAL))
        assert mine[6] == (record.FILTER is None)
        alleles = record.genotype.array()[:, :2].astype(int)
        for at, number in enumerate((ANY, 1, 2)):
            assert mine[7][at] == [count(pair, number) for pair in alleles.tolist()]
        depths = record.format("DP")
        assert mine[8] == (None if depths is None else np.maximum(depths[:, 0], -1).tolist())
        assert mine[9] == record.INFO.get("DP")


def count(pair, number):
    """Return the copies of an alternative; the slow way."""
    alleles = [allele for allele in pair if allele != -2]
    if -1 in alleles or (number != ANY and any(allele not in (0, number) for allele in alleles)):
        return -1
    copies = sum(allele > 0 if number == ANY else allele == number for allele in alleles)
    return copies * (3 - len(alleles))


def test_what_no_byte_holds(tmp_path):
    """Alleles of two digits, depths of five, in text and in BCF."""
    alternatives = ",".join("A" + "C" * at for at in range(1, 13))
    record = (
        f"2\t5\t.\tA\t{alternatives}\t.\t.\t.\tGT:DP\t0/11:12345\t12|12:7\t11:99999\t./12:.\t0/1:100000\n"
    )
    path = write_small(tmp_path / "x.vcf", record)
    for one in (path, pack(path, "b")):
        (site,) = open_variants(one).sites()
        assert site.read_calls().count(11).tolist() == [1, -1, 2, -1, -1]
        assert site.read_calls().count(12).tolist() == [-1, 2, -1, -1, -1]
        assert site.read_calls().count(ANY).tolist() == [1, 2, 2, -1, 1]
        assert np.maximum(site.read_depths(), -1).tolist() == [12345, 7, 99999, -1, 100000]
    packed = PackedCalls(np.array([0x0402, 0x8104, 0x0002], dtype=np.uint16))
    assert packed.count(1).tolist() == [1, 2, -1]
    wide = WideCalls(np.array([0, 1, 0], np.int16), np.array([1, -2, -1], np.int16))
    assert wide.count(1).tolist() == packed.count(1).tolist()


def test_steps_of_a_small_file(tmp_path):
    path = write_small(tmp_path / "x.vcf")
    result = control_exome(path, tmp_path / "out", ExomeSettings(call_rate=0.5, depth=7))
    # rs2 has a mean depth of 36/5 = 7.2; once split, 3 of 5 are missing or have the other alternative.
    assert result.genotypes.variants["id"].tolist() == ["rs1"]
    assert result.genotypes.read().T.tolist() == [[1, -1, 2, -1, 2]]
    steps = result.steps.set_index("step")
    assert steps.loc["call rate after the split", ["unit", "before", "removed"]].tolist() == [
        "variants",
        3,
        2,
    ]
    assert steps.loc["several alternative alleles", ["removed", "added", "left"]].tolist() == [0, 1, 3]
    assert steps.loc["quality", ["before", "removed", "left"]].tolist() == [5, 2, 3]
    assert steps.loc["excluded samples"].tolist()[:5] == ["samples", 5, 0, 0, 5]
    write_steps(tmp_path / "steps.tsv", result.steps)
    assert (
        pd.read_csv(tmp_path / "steps.tsv", sep="\t")["removed"].tolist() == result.steps["removed"].tolist()
    )


def test_each_setting_alone(tmp_path):
    path = write_small(tmp_path / "x.vcf")

    def names(**settings):
        found, result = filter_ours(path, tmp_path, **settings)
        assert result.genotypes.n_variants == len(found)
        return result.genotypes.variants["id"].tolist()

    everything = ["rs1", "2:6:A:C", "2:6:A:G", "2:7:A:C", "X:8:AT:A", "MT:9:G:T"]  # rs1 stood before
    assert names() == everything
    assert names(quality=30.0) == ["rs1", "2:6:A:C", "2:6:A:G", "X:8:AT:A"]
    assert names(passed_only=True) == [*everything[:4], "MT:9:G:T"]
    assert names(excluded_chromosomes=("X", "MT")) == everything[:4]
    assert names(snps_only=True) == [name for name in everything if name[0] != "X"]
    assert names(split=False) == ["rs1", *everything[3:]]
    assert names(call_rate=0.7) == ["2:7:A:C", "X:8:AT:A", "rs1"]
    assert names(call_rate=0.6) == ["rs1", *everything[3:]]  # 3 of 5 are 0.6, and that is enough
    assert names(depth=9.0) == ["rs1"]  # a depth not given is one of 0
    assert names(depth=9.0, depth_of="info") == everything[:3]
    assert names(drop_unseen=True, excluded_samples=("a",)) == ["rs1", "2:6:A:G"]
    found, _ = filter_ours(path, tmp_path, depth=10.0, depth_of="genotype")
    assert set(map(tuple, found.values())) == {(-1,) * 5}


def test_fileset_and_vcf_agree(tmp_path):
    path = write_hard_vcf(tmp_path / "hard.vcf")
    settings = ExomeSettings(**(NOTHING | {"snps_only": True}), excluded_samples=("s3",))
    for suffix in (".vcf", ".vcf.gz"):
        out = tmp_path / f"again{suffix}"
        first = control_exome(path, tmp_path / "first", settings, vcf_out=out).genotypes
        single = np.flatnonzero(first.variants["other"].str.len() == 1)  # AC to AT is none to read_vcf
        second = read_vcf(out, prefix_out=tmp_path / "second")
        assert second.read().tolist() == first.read(single).tolist()
        assert second.variants["id"].tolist() == first.variants["id"].iloc[single].tolist()
        third = control_exome(out, tmp_path / "third", ExomeSettings(**NOTHING)).genotypes
        assert third.hash_contents() == first.hash_contents()
    again = control_exome(path, tmp_path / "again", settings).genotypes
    assert again.hash_contents() == first.hash_contents()


def test_blocks_and_unpackers_do_not_change_the_result(tmp_path, monkeypatch):
    whole = control_exome(HAIL, tmp_path / "whole").genotypes
    monkeypatch.setattr("genotransfer.exome.control.BLOCK_GENOTYPES", 7 * 30)
    monkeypatch.setattr("genotransfer.exome.streams.PIECE", 2000)
    monkeypatch.setattr("genotransfer.exome.text_chunks.CHUNK", 700)
    monkeypatch.setattr("genotransfer.exome.streams.unpacker", zlib)  # where isal is not installed
    parts = control_exome(HAIL, tmp_path / "parts").genotypes
    assert parts.hash_contents() == whole.hash_contents()
    assert whole.n_variants > 150


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("2\t5\t.\tA\tC\t9\t.\t.\tGT\t0/1\t0/0\t0/0\t0/0\n", "row 15: 4 samples where the header has 5"),
        ("2\t5\t.\tA\tC\n", "row 15: 5 columns"),
        ("2\tx\t.\tA\tC\t9\t.\t.\tGT\t0/1\t0/0\t0/0\t0/0\t0/0\n", "row 15.*'x'"),
        ("2\t5\t.\tA\tC\t9\t.\t.\tGT\t0/0/1\t0/0\t0/0\t0/0\t0/0\n", "3 alleles, of sample 1"),
        ("2\t5\t.\tA\tC\t9\t.\t.\tGT\t0/1\tq\t0/0\t0/0\t0/0\n", "'q' is no number of an allele"),
        ("2\t5\t.\tA\tC\t9\t.\t.\tDP:GT\t1:0/1\t0/0\t0/0\t0/0\t0/0\n", "GT is not the first field"),
    ],
)
def test_bad_records(tmp_path, records, message):
    path = write_small(tmp_path / "x.vcf", records)
    before = list_folder(tmp_path)
    with pytest.raises(InputError, match=message):
        control_exome(path, tmp_path / "new" / "out", ExomeSettings(**NOTHING))
    assert list_folder(tmp_path) == before


def test_bad_files(tmp_path):
    (tmp_path / "no.vcf").write_text("nothing\n")
    with pytest.raises(InputError, match="no VCF"):
        control_exome(tmp_path / "no.vcf", tmp_path / "out")
    write_small(tmp_path / "sites.vcf", "", "")
    with pytest.raises(InputError, match="no samples"):
        control_exome(tmp_path / "sites.vcf", tmp_path / "out")
    write_small(tmp_path / "twice.vcf", SMALL, "aacde")
    with pytest.raises(InputError, match="stand twice"):
        control_exome(tmp_path / "twice.vcf", tmp_path / "out")
    path = write_small(tmp_path / "x.vcf")
    with pytest.raises(InputError, match="not in the file, the first: nobody"):
        control_exome(path, tmp_path / "out", ExomeSettings(excluded_samples=("a", "nobody")))
    with pytest.raises(StudyError, match="All 5 samples"):
        control_exome(path, tmp_path / "out", ExomeSettings(excluded_samples=tuple("abcde")))
    with pytest.raises(StudyError, match="steps removed quality 5"):
        control_exome(path, tmp_path / "out", ExomeSettings(quality=99))
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("mode", ["z", "b"])
def test_damaged_files(tmp_path, mode):
    path = pack(write_hard_vcf(tmp_path / "hard.vcf"), mode)
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[: len(whole) // 2] + whole[-28:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"truncated|damaged"):
            control_exome(path, tmp_path / "out", ExomeSettings(**NOTHING))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    path.write_bytes(bytes(flipped))
    with pytest.raises(InputError, match="damaged"):
        control_exome(path, tmp_path / "out", ExomeSettings(**NOTHING))


def test_settings_from_text():
    chosen = parse_settings(ExomeSettings, ["quality=null", "depth=10", "excluded_samples=[a, b]"])
    assert (chosen.quality, chosen.depth, chosen.excluded_samples) == (None, 10.0, ("a", "b"))
    for bad, message in (
        ("depth", "no '='"),
        ("dept=1", "dept"),
        ("call_rate=2", "call_rate"),
        ("split=3", "split"),
    ):
        with pytest.raises(StudyError, match=message):
            parse_settings(ExomeSettings, [bad])


def test_snps_are_those_of_htslib():
    pairs = [
        ("A", "C"),
        ("a", "c"),
        ("AC", "AT"),
        ("CAG", "TAG"),
        ("AC", "GT"),
        ("A", "AT"),
        ("A", "*"),
        ("A", "A"),
    ]
    assert [find_snp(*pair) for pair in pairs] == [0, 0, 1, 0, None, None, None, None]


def test_bgzip_of_any_bytes(tmp_path):
    data = make_generator(1, "noise").bytes(3 * BLOCK_BYTES + 11) + bytes(BLOCK_BYTES)
    writer = BgzipWriter(tmp_path / "x.gz")
    for start in range(0, len(data), 70_000):
        writer.write(data[start : start + 70_000])
    writer.close()
    assert gzip.decompress((tmp_path / "x.gz").read_bytes()) == data


def test_memory_does_not_grow_with_the_file(tmp_path):
    """1,500 samples: 400 records and 6,000 of which as many pass, in fresh processes."""
    row = "\t".join(f"0/{at % 2}:{9 + at % 40}" for at in range(1500))
    script = (
        "import sys, resource; from genotransfer.exome.control import control_exome; "
        "control_exome(sys.argv[1], sys.argv[2]); print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for copies in (1, 15):
        path = tmp_path / f"{copies}.vcf"
        with path.open("w") as file:
            names = "\t".join(f"s{at}" for at in range(1500))
            file.write(HEADER + "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]))
            file.write(f"\tFORMAT\t{names}\n")
            for record in range(400 * copies):
                quality = 50 if record % copies == 0 else 10
                file.write(f"2\t{record + 1}\t.\tA\tC\t{quality}\t.\t.\tGT:DP\t{row}\n")
        done = subprocess.run(
            [sys.executable, "-c", script, path, tmp_path / "out"], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) * (1 if sys.platform == "darwin" else 1024))
        assert Genotypes.open(tmp_path / "out").n_variants == 400
    assert path.stat().st_size > 5e7
    assert peaks[1] < peaks[0] + 15e6


def test_chi_squared_is_scipys(tmp_path):
    draw = make_generator(4, "chi")
    dosages = draw.binomial(2, draw.uniform(0.001, 0.6, 300), (90, 300)).astype(np.int8)
    dosages[draw.random(dosages.shape) < 0.05] = -1
    dosages[:, 0] = 0
    genotypes = Genotypes.from_dosages(tmp_path / "g", dosages, make_variants(300), make_samples(90))
    labels = (draw.random(90) < 0.4).astype(np.int8)
    table = compare_genotypes(genotypes, labels)
    assert np.isnan(table.loc[0, "P"])
    tested = 0
    for at, row in table.iterrows():
        cells = np.array(
            [[np.sum(dosages[labels == one, at] == copies) for copies in (0, 1, 2)] for one in (1, 0)]
        )
        for written, cell in ((row["AFF"], cells[0]), (row["UNAFF"], cells[1])):
            assert written in ("/".join(map(str, cell)), "/".join(map(str, cell[::-1])))
        cells = cells[:, cells.sum(axis=0) > 0]
        if cells.shape[1] == 1:
            assert np.isnan(row[["CHISQ", "DF", "P"]].to_numpy(dtype=float)).all()
            continue
        statistic, p, freedom, _ = chi2_contingency(cells, correction=False)
        assert row["DF"] == freedom
        np.testing.assert_allclose([row["CHISQ"], row["P"]], [statistic, p], rtol=1e-9, atol=1e-12)
        tested += 1
    assert tested > 250


def test_preselection():
    table = pd.DataFrame(
        {"P": [0.5, np.nan, 1e-3, 0.0, 0.0, 1e-3], "CHISQ": [1.0, np.nan, 9.0, 99.0, 199.0, 9.0]}
    )
    assert preselect(table, n_variants=3).tolist() == [2, 3, 4]
    assert preselect(table, n_variants=3, order="p").tolist() == [4, 3, 2]
    assert preselect(table, p=1e-3).tolist() == [2, 3, 4, 5]
    assert preselect(table, p=1e-3, n_variants=1).tolist() == [4]
    assert preselect(table, n_variants=100).tolist() == [0, 2, 3, 4, 5]
    for arguments, message in (
        ({}, "Give one"),
        ({"p": 2.0}, "cannot keep"),
        ({"n_variants": 0}, "cannot keep"),
    ):
        with pytest.raises(StudyError, match=message):
            preselect(table, **arguments)
    with pytest.raises(StudyError, match=r"the least is 0\.5"):
        preselect(table.iloc[:2], p=0.1)
