"""PLINK filesets: bytes of the .bed, tables, the speed of a large .bim."""

import time

import numpy as np
import pandas as pd

from genotransfer.formats.plink import encode_bed, read_bim, read_fam, strip_suffix, write_blocks
from genotransfer.genotypes import Genotypes
from tests.genotype_support import draw_dosages, make_genotypes, make_samples, make_variants


def test_bed_bytes_are_those_of_the_specification():
    # Four samples: two, one and no copies of the counted allele, missing; then one sample with one copy.
    dosages = np.array([[2], [1], [0], [-1], [1]], dtype=np.int8)
    assert encode_bed(dosages).tolist() == [[0b01111000, 0b00000010]]


def test_blocks_give_the_same_files_as_one_write(tmp_path):
    dosages, variants, samples = draw_dosages(9, 11), make_variants(11), make_samples(9)
    Genotypes.from_dosages(tmp_path / "whole", dosages, variants, samples)
    blocks = ((variants.iloc[at : at + 4], dosages[:, at : at + 4]) for at in range(0, 11, 4))
    write_blocks(tmp_path / "parts", samples, blocks)
    for suffix in (".bed", ".bim", ".fam"):
        assert (tmp_path / f"whole{suffix}").read_bytes() == (tmp_path / f"parts{suffix}").read_bytes()


def test_opens_by_prefix_or_by_any_of_its_files(tmp_path):
    make_genotypes(tmp_path / "a.b")
    assert strip_suffix(tmp_path / "a.b") == tmp_path / "a.b"
    for suffix in ("", ".bed", ".bim", ".fam"):
        assert Genotypes.open(f"{tmp_path / 'a.b'}{suffix}").n_variants == 10


def test_tables_keep_text_that_looks_like_something_else(tmp_path):
    (tmp_path / "x.bim").write_text("X NA 0 5 0 A\n01\tnan\t1e-2\t6\tNA\tTRUE\n")
    table = read_bim(tmp_path / "x.bim")
    assert table["chromosome"].tolist() == ["X", "01"]
    assert table["id"].tolist() == ["NA", "nan"]
    assert table["other"].tolist() == ["A", "TRUE"]
    assert table["cm"].tolist() == [0.0, 0.01]
    (tmp_path / "x.fam").write_text('007 "1 0 0 1 -9\n0 NA 0 0 2 1.5\n')
    fam = read_fam(tmp_path / "x.fam")
    assert fam["fid"].tolist() == ["007", "0"]
    assert fam["iid"].tolist() == ['"1', "NA"]
    assert fam["phenotype"].tolist() == ["-9", "1.5"]


def test_a_large_bim_takes_seconds(tmp_path):
    n = 200_000
    pd.DataFrame(
        {"c": "1", "i": [f"rs{at}" for at in range(n)], "m": 0, "p": range(n), "a": "A", "b": "G"}
    ).to_csv(tmp_path / "large.bim", sep="\t", header=False, index=False)
    start = time.perf_counter()
    assert len(read_bim(tmp_path / "large.bim")) == n
    assert time.perf_counter() - start < 5
