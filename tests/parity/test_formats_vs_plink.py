"""Formats and alignment compared with PLINK 1.9, PLINK 2 and bcftools on the same files."""

import subprocess

import numpy as np
import pandas as pd
import pytest

from genotransfer.alignment import align_populations
from genotransfer.formats.oxford import read_oxford, write_oxford
from genotransfer.formats.twentythreeandme import read_23andme, write_23andme
from genotransfer.formats.vcf import read_vcf
from genotransfer.genotypes import Genotypes
from tests.genotype_support import DATA, draw_dosages, make_genotypes, make_samples, make_variants

pytestmark = pytest.mark.plink


def run(tool: str, *arguments: object) -> None:
    options = ["--allow-no-sex", "--keep-allele-order"] if tool == "plink1.9" else []
    command = [tool, *map(str, arguments), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def count_copies(genotypes: Genotypes, alleles: pd.Series) -> np.ndarray:
    """Return dosages of the alleles given, whichever the fileset counts."""
    swap = genotypes.variants["counted"].to_numpy() != alleles.to_numpy()
    return genotypes.swap_alleles(swap).read()


def assert_same_genotypes(ours: Genotypes, theirs: Genotypes) -> None:
    for column in ("id", "position", "chromosome"):
        assert ours.variants[column].tolist() == theirs.variants[column].tolist()
    for one, other in zip(
        ours.variants[["counted", "other"]].to_numpy(),
        theirs.variants[["counted", "other"]].to_numpy(),
        strict=True,
    ):
        assert set(one) == set(other)
    assert (ours.read() == count_copies(theirs, ours.variants["counted"])).all()


def test_plink_reads_the_filesets_written(tmp_path):
    ours = make_genotypes(tmp_path / "one", n_samples=11, n_variants=25)
    run("plink1.9", "--bfile", ours.prefix, "--recode", "A", "--out", tmp_path / "raw")
    raw = pd.read_csv(tmp_path / "raw.raw", sep=r"\s+")
    assert list(raw.columns[6:]) == [f"{v.id}_{v.counted}" for v in ours.variants.itertuples()]
    assert (raw.iloc[:, 6:].fillna(-1).to_numpy() == ours.read()).all()
    run("plink2", "--bfile", ours.prefix, "--validate", "--out", tmp_path / "validated")


def test_filesets_plink_writes_are_the_same_bytes(tmp_path):
    ours = make_genotypes(tmp_path / "one", n_samples=11, n_variants=25)
    run("plink1.9", "--bfile", ours.prefix, "--make-bed", "--out", tmp_path / "two")
    assert (tmp_path / "two.bed").read_bytes() == (tmp_path / "one.bed").read_bytes()


def test_hapgen2_files_as_plink1_and_plink2_read_them(tmp_path):
    gen, sample = DATA / "hapgen2" / "controls.gen", DATA / "hapgen2" / "controls.sample"
    ours = read_oxford(gen, sample, prefix_out=tmp_path / "ours", chromosome="22")
    run(
        "plink1.9",
        "--gen",
        gen,
        "--sample",
        sample,
        "--oxford-single-chr",
        22,
        "--oxford-pheno-name",
        "pheno",
        "--make-bed",
        "--out",
        tmp_path / "p1",
    )
    first = Genotypes.open(tmp_path / "p1")
    assert_same_genotypes(ours, first)
    assert ours.samples.astype(str).equals(first.samples.astype(str))
    run(
        "plink2",
        "--gen",
        gen,
        "ref-first",
        "--sample",
        sample,
        "--oxford-single-chr",
        22,
        "--make-bed",
        "--out",
        tmp_path / "p2",
    )
    second = Genotypes.open(tmp_path / "p2")
    assert_same_genotypes(ours, second)
    # PLINK 2 counts ALT, the second allele, as we do.
    assert ours.variants["counted"].tolist() == second.variants["counted"].tolist()


def write_two_id_sample(path):
    rows = (DATA / "formats" / "example.sample").read_text().split()[2:]
    path.write_text("ID_1 ID_2 missing\n0 0 0\n" + "".join(f"{row} {row} 0\n" for row in rows))
    return path


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95])
def test_hard_calls_as_plink1_and_plink2_make_them(tmp_path, threshold):
    gen, sample = DATA / "formats" / "example.gen", write_two_id_sample(tmp_path / "x.sample")
    ours = read_oxford(gen, sample, prefix_out=tmp_path / "ours", hard_call_threshold=threshold)
    # PLINK 2 leaves out uncertain genotypes on import, then calls the dosages that are left; their
    # distance from a call is at most 2 (1 - threshold), below a half.
    certain = ("--gen", gen, "ref-first", "--sample", sample, "--import-dosage-certainty", threshold)
    run("plink2", *certain, "--hard-call-threshold", 0.01, "--make-pgen", "--out", tmp_path / "dosages")
    calling = ("--pfile", tmp_path / "dosages", "--hard-call-threshold", 0.4999)
    run("plink2", *calling, "--make-bed", "--out", tmp_path / "p2")
    assert_same_genotypes(ours, Genotypes.open(tmp_path / "p2"))
    # PLINK 1.9 knows five leading columns only; the first is the chromosome.
    rows = [line.split(" ") for line in gen.read_text().splitlines()]
    (tmp_path / "five.gen").write_text("".join(" ".join([row[0], *row[2:]]) + "\n" for row in rows))
    run(
        "plink1.9",
        "--gen",
        tmp_path / "five.gen",
        "--sample",
        sample,
        "--hard-call-threshold",
        round(1 - threshold, 6),
        "--make-bed",
        "--out",
        tmp_path / "p1",
    )
    assert_same_genotypes(ours, Genotypes.open(tmp_path / "p1"))


def test_plink_reads_the_oxford_files_written(tmp_path):
    ours = make_genotypes(tmp_path / "one", n_samples=9, n_variants=40)
    write_oxford(ours, tmp_path / "o.gen", tmp_path / "o.sample")
    run(
        "plink1.9",
        "--gen",
        tmp_path / "o.gen",
        "--sample",
        tmp_path / "o.sample",
        "--oxford-pheno-name",
        "pheno",
        "--make-bed",
        "--out",
        tmp_path / "p1",
    )
    theirs = Genotypes.open(tmp_path / "p1")
    assert_same_genotypes(ours, theirs)
    assert theirs.samples["phenotype"].tolist() == ours.samples["phenotype"].tolist()
    assert theirs.samples["sex"].tolist() == ours.samples["sex"].tolist()
    run(
        "plink2",
        "--gen",
        tmp_path / "o.gen",
        "ref-first",
        "--sample",
        tmp_path / "o.sample",
        "--make-bed",
        "--out",
        tmp_path / "p2",
    )
    assert_same_genotypes(ours, Genotypes.open(tmp_path / "p2"))


def test_plink_reads_the_23andme_files_written(tmp_path):
    variants = make_variants(30).assign(chromosome="7")
    ours = Genotypes.from_dosages(tmp_path / "one", draw_dosages(3, 30, seed=5), variants, make_samples(3))
    write_23andme(ours, tmp_path / "people")
    for at, iid in enumerate(ours.samples["iid"]):
        run(
            "plink1.9",
            "--23file",
            tmp_path / "people" / f"{iid}.txt",
            "F",
            iid,
            "--make-bed",
            "--out",
            tmp_path / iid,
        )
        theirs = Genotypes.open(tmp_path / iid)
        assert theirs.variants["id"].tolist() == variants["id"].tolist()
        # One person's file tells the alleles the person has: compare the pairs of letters.
        assert spell(theirs)[0] == spell(ours)[at]


def spell(genotypes: Genotypes) -> list[list[str]]:
    pairs = zip(genotypes.variants["counted"], genotypes.variants["other"], strict=True)
    texts = [["--", other * 2, "".join(sorted(counted + other)), counted * 2] for counted, other in pairs]
    return [[text[dosage + 1] for text, dosage in zip(texts, row, strict=True)] for row in genotypes.read()]


def test_23andme_file_of_plinks_making(tmp_path):
    variants = make_variants(30).assign(chromosome="7")
    ours = Genotypes.from_dosages(tmp_path / "one", draw_dosages(1, 30, seed=6), variants, make_samples(1))
    run("plink1.9", "--bfile", ours.prefix, "--recode", "23", "--out", tmp_path / "me")
    back = read_23andme(tmp_path / "me.txt", variants, tmp_path / "two")
    assert (back.read() == ours.read()).all()


def test_vcf_as_plink2_reads_it(tmp_path):
    vcf = DATA / "formats" / "sample.vcf"
    ours = read_vcf(vcf, prefix_out=tmp_path / "ours")
    run(
        "plink2",
        "--vcf",
        vcf,
        "--double-id",
        "--snps-only",
        "just-acgt",
        "--max-alleles",
        2,
        "--set-missing-var-ids",
        "@:#:$r:$a",
        "--make-bed",
        "--out",
        tmp_path / "p2",
    )
    theirs = Genotypes.open(tmp_path / "p2")
    assert_same_genotypes(ours, theirs)
    assert ours.variants["counted"].tolist() == theirs.variants["counted"].tolist()
    assert ours.samples["iid"].tolist() == theirs.samples["iid"].tolist()


def test_vcf_counts_as_bcftools_counts_them(tmp_path):
    vcf = DATA / "formats" / "sample.vcf"
    ours = read_vcf(vcf, prefix_out=tmp_path / "ours")
    listed = subprocess.run(
        ["bcftools", "query", "-i", 'TYPE="snp" && N_ALT=1', "-f", "%POS %ALT[ %GT]\n", vcf],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    copies = {"0/0": 0, "0/1": 1, "1/1": 2, "./.": -1}
    expected = np.array([[copies[one] for one in line.split()[2:]] for line in listed])
    assert (expected == ours.read().T).all()
    assert ours.variants["counted"].tolist() == [line.split()[1] for line in listed]


def test_alignment_as_plink_flips_and_recodes(tmp_path):
    """PLINK flips strands and swaps alleles of the target; aligned, it has the frequencies from before."""
    alleles = [("AC", "AG", "TC", "GT")[at % 4] for at in range(60)]
    source = make_genotypes(tmp_path / "s", n_samples=8, n_variants=60, alleles=alleles)
    target = make_genotypes(tmp_path / "t", n_samples=12, n_variants=60, alleles=alleles, seed=3)
    generator = np.random.default_rng(1)
    flip, swap = generator.random(60) < 0.5, generator.random(60) < 0.5
    ids = target.variants["id"]
    (tmp_path / "flip").write_text("\n".join(ids[flip]) + "\n")
    (tmp_path / "swap").write_text(
        "".join(f"{v.id}\t{v.other}\n" for v in target.variants[swap].itertuples())
    )
    run(
        "plink1.9",
        "--bfile",
        target.prefix,
        "--a1-allele",
        tmp_path / "swap",
        2,
        1,
        "--make-bed",
        "--out",
        tmp_path / "t2",
    )
    run(
        "plink1.9",
        "--bfile",
        tmp_path / "t2",
        "--flip",
        tmp_path / "flip",
        "--make-bed",
        "--out",
        tmp_path / "t3",
    )
    aligned = align_populations(source, Genotypes.open(tmp_path / "t3"))
    report = aligned.report
    assert report["alleles equal"] == (~flip & ~swap).sum()
    assert report["alleles swapped"] == (~flip & swap).sum()
    assert report["strand flipped"] == (flip & ~swap).sum()
    assert report["strand flipped and alleles swapped"] == (flip & swap).sum()
    assert (aligned.target.read() == target.read()).all()
    run("plink1.9", "--bfile", target.prefix, "--freq", "--out", tmp_path / "t")
    frequencies = pd.read_csv(tmp_path / "t.frq", sep=r"\s+")
    dosages = np.ma.masked_less(aligned.target.read(), 0)
    assert np.allclose(dosages.mean(axis=0) / 2, frequencies["MAF"], atol=5e-5)
