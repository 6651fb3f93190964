"""VCF and BCF: which records become variants, and what becomes of unusual genotypes."""

import pytest
from cyvcf2 import VCF, Writer

from genotransfer.errors import InputError
from genotransfer.formats import vcf
from genotransfer.formats.vcf import read_vcf
from tests.genotype_support import DATA

HEADER = """##fileformat=VCFv4.2
##contig=<ID=chr1>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\td\te
"""
RECORDS = """chr1\t5\trs1\tA\tC\t.\t.\t.\tGT\t0/1\t./1\t1\t.\t1|1
chr1\t6\trs2\tA\tC,G\t.\t.\t.\tGT\t0/1\t0/2\t1/2\t./.\t0/0
chr1\t7\trs3\tAT\tA\t.\t.\t.\tGT\t0/1\t0/0\t0/0\t./.\t0/0
chr1\t8\trs4\tA\t*\t.\t.\t.\tGT\t0/1\t0/0\t0/0\t./.\t0/0
chr1\t9\trs5\tA\t.\t.\t.\t.\tGT\t0/0\t0/0\t0/0\t./.\t0/0
chr1\t10\t.\tg\tt\t.\t.\t.\tGT:DP\t0|0:3\t0|1:4\t1|0:2\t1|1:.\t.|.:.
chr1\t11\trs1\tA\tG\t.\t.\t.\tGT\t0/1\t0/0\t0/0\t./.\t0/0
"""


def test_records_and_genotypes_of_every_kind(tmp_path):
    (tmp_path / "x.vcf").write_text(HEADER + RECORDS)
    genotypes = read_vcf(tmp_path / "x.vcf", prefix_out=tmp_path / "x")
    assert genotypes.read().T.tolist() == [[1, -1, 2, -1, 2], [0, 1, 1, 2, -1]]
    assert genotypes.variants["id"].tolist() == ["rs1", "1:10:G:T"]
    assert genotypes.variants.iloc[0].tolist() == ["1", "rs1", 0.0, 5, "C", "A"]
    assert genotypes.samples["iid"].tolist() == list("abcde")
    assert genotypes.counts == {
        "records with several alternative alleles": 1,
        "records that are no SNPs": 3,
        "records with an id that stood before": 1,
        "SNPs named by position": 1,
    }


def test_packed_and_binary_files_give_the_same(tmp_path):
    plain = read_vcf(DATA / "formats" / "sample.vcf", prefix_out=tmp_path / "plain")
    with_contig = (
        (DATA / "formats" / "sample.vcf").read_text().replace("##FORMAT", "##contig=<ID=20>\n##FORMAT", 1)
    )
    (tmp_path / "s.vcf").write_text(with_contig)
    for kind, suffix in (("z", "vcf.gz"), ("b", "bcf")):
        path = tmp_path / f"s.{suffix}"
        reader = VCF(str(tmp_path / "s.vcf"))
        writer = Writer(str(path), reader, mode=f"w{kind}")
        for record in reader:
            writer.write_record(record)
        writer.close()
        reader.close()
        packed = read_vcf(path, prefix_out=tmp_path / "packed")
        assert packed.variants.equals(plain.variants)
        assert (packed.read() == plain.read()).all()
        cut = path.read_bytes()[:-20]
        path.write_bytes(cut)
        with pytest.raises(InputError, match="truncated"):
            read_vcf(path, prefix_out=tmp_path / "cut")


def test_blocks_do_not_change_the_result(tmp_path, monkeypatch):
    whole = read_vcf(DATA / "formats" / "sample.vcf", prefix_out=tmp_path / "whole")
    monkeypatch.setattr(vcf, "BLOCK_GENOTYPES", 40 * 7)
    parts = read_vcf(DATA / "formats" / "sample.vcf", prefix_out=tmp_path / "parts")
    assert parts.hash_contents() == whole.hash_contents()


def test_names_the_extra_when_cyvcf2_is_absent(tmp_path, monkeypatch):
    (tmp_path / "x.vcf").write_text(HEADER + RECORDS)
    monkeypatch.setattr(vcf, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'genotransfer\[vcf\]'"):
        read_vcf(tmp_path / "x.vcf", prefix_out=tmp_path / "x")
