"""Statistics read from PLINK 2's reports and from GWAS-VCF say what PLINK 2, bcftools and we compute."""

import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr

from genotransfer.association import associate
from genotransfer.genotypes import MISSING, Genotypes
from genotransfer.summary import align_statistics, detect_format, read_statistics
from tests.parity.plink_tools import DATA, read_report, run_plink
from tests.summary_support import regress

pytestmark = pytest.mark.plink


@pytest.fixture
def eur():
    genotypes = Genotypes.open(DATA / "eur")
    return genotypes, (genotypes.samples["phenotype"] == "2").to_numpy().astype(np.int8)


def test_logistic_reports_hold_our_own_associations(eur, tmp_path):
    genotypes, labels = eur
    columns = "chrom,pos,ref,alt,a1freq,test,nobs,orbeta,se,p,err"
    run_plink(
        "plink2",
        "--bfile",
        DATA / "eur",
        "--glm",
        "allow-no-covars",
        f"cols={columns}",
        "--out",
        tmp_path / "o",
    )
    (path,) = tmp_path.glob("o.*.glm.logistic.hybrid")
    assert detect_format(path) == "plink2"
    read = read_statistics(path)
    assert read.scale == "log odds"
    aligned = align_statistics(read, genotypes, ambiguous="keep")
    ours = associate(aligned.genotypes, labels, "logistic")
    variants = aligned.statistics.variants
    assert len(variants) > 300
    assert variants["id"].tolist() == ours["SNP"].tolist()
    same = (variants["counted"] == ours["A1"]).to_numpy()
    assert same.any()
    beta = np.where(same, ours["BETA"], -ours["BETA"])
    # PLINK 2.00a3 works in single precision, and its standard errors are those of the last iteration but one.
    np.testing.assert_allclose(np.exp(variants["beta"]), np.exp(beta), rtol=1e-3)
    np.testing.assert_allclose(variants["se"], ours["SE"], rtol=0.1)
    printed = read_report(path).set_index("ID").loc[variants["id"]]
    turned = np.where((variants["counted"] == printed["A1"].to_numpy()), 1, -1)
    odds = printed["OR"].astype(float).to_numpy()
    np.testing.assert_allclose(variants["beta"], turned * np.log(odds), rtol=1e-12)
    for column, theirs in (("se", "LOG(OR)_SE"), ("p", "P"), ("n", "OBS_CT")):
        np.testing.assert_array_equal(variants[column], printed[theirs].astype(float))
    np.testing.assert_array_equal(variants["n"], ours["NMISS"])
    dosages = aligned.genotypes.read()
    frequency = np.where(dosages == MISSING, 0, dosages).sum(axis=0) / 2 / (dosages != MISSING).sum(axis=0)
    np.testing.assert_allclose(variants["frequency"], frequency, rtol=1e-4)


def test_linear_reports_hold_least_squares(eur, tmp_path):
    genotypes, _ = eur
    outcome = np.random.default_rng(1).normal(size=genotypes.n_samples)
    genotypes.samples[["fid", "iid"]].assign(y=outcome).to_csv(
        tmp_path / "y", sep=" ", header=False, index=False
    )
    run_plink(
        "plink2",
        "--bfile",
        DATA / "eur",
        "--pheno",
        tmp_path / "y",
        "--glm",
        "allow-no-covars",
        "--out",
        tmp_path / "o",
    )
    (path,) = tmp_path.glob("o.*.glm.linear")
    read = read_statistics(path)
    aligned = align_statistics(read, genotypes)
    some = np.arange(0, aligned.genotypes.n_variants, 5)
    theirs = aligned.statistics.select(some).variants
    assert read.scale == "linear"
    for row, dosages in enumerate(aligned.genotypes.read(some).T):
        known = dosages != MISSING
        ours = regress(dosages[known, None].astype(np.float32), outcome[known]).variants
        tail = 2 * stdtr(known.sum() - 2, -abs(ours["beta"] / ours["se"]))
        np.testing.assert_allclose(theirs["p"][row], tail[0], rtol=1e-3)
        for column in ("beta", "se", "n"):
            np.testing.assert_allclose(theirs[column][row], ours[column][0], rtol=1e-4, atol=1e-6)
    dropped = read.counts["error in PLINK"]
    printed = read_report(path)
    assert dropped == (printed["ERRCODE"] != ".").sum()
    assert read.counts["kept"] == len(printed) - dropped


HEADER = """##fileformat=VCFv4.2
##FORMAT=<ID=ES,Number=A,Type=Float,Description="Effect size estimate relative to the alternative allele">
##FORMAT=<ID=SE,Number=A,Type=Float,Description="Standard error of effect size estimate">
##FORMAT=<ID=LP,Number=A,Type=Float,Description="-log10 p-value for effect estimate">
##FORMAT=<ID=AF,Number=A,Type=Float,Description="Alternate allele frequency in the association study">
##FORMAT=<ID=SS,Number=A,Type=Integer,Description="Sample size used to estimate genetic effect">
##SAMPLE=<ID=trait,TotalVariants=5,TotalControls=700,TotalCases=300,StudyType=CaseControl>
##SAMPLE=<ID=other,TotalControls=50,StudyType=Continuous>
##contig=<ID=1,length=249250621>
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ttrait\tother
1\t100\trs1\tA\tG\t.\tPASS\t.\tES:SE:LP:AF:SS\t0.25:0.05:6.24:0.3:950\t-0.5:0.1:6.2:0.2:40
1\t200\trs2\tC\tT\t.\tPASS\t.\tES:SE:LP:AF:SS\t-0.125:0.0625:1.34:0.5:.\t1:0.5:1.3:0.1:41
1\t300\trs3\tC\tT,G\t.\tPASS\t.\tES:SE:LP:AF:SS\t0.1,0.2:0.1,0.1:0.5,1.3:0.1,0.1:900,900\t.:.:.:.:.
1\t400\trs4\tG\tA\t.\tPASS\t.\tES:SE:LP:AF\t.:0.1:.:.\t0.5:0.25:1.3:0.4
1\t500\t.\tGA\tG\t.\tPASS\t.\tES:SE\t0.5:0.25\t.:.
"""


@pytest.mark.parametrize("kind", ["v", "z", "b"])
def test_gwas_vcf_says_what_bcftools_says(tmp_path, kind):
    (tmp_path / "in.vcf").write_text(HEADER)
    path = tmp_path / {"v": "x.vcf", "z": "x.vcf.gz", "b": "x.bcf"}[kind]
    subprocess.run(
        ["bcftools", "view", f"-O{kind}", "-o", path, tmp_path / "in.vcf"], check=True, capture_output=True
    )
    assert detect_format(path) == "gwas-vcf"
    read = read_statistics(path, study="trait")
    query = ["bcftools", "query", "-s", "trait", "-i", 'N_ALT==1 & FMT/ES!="."']
    query += ["-f", "%CHROM\t%POS\t%ALT\t%REF[\t%ES\t%SE]\n", str(path)]
    said = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = pd.DataFrame([line.split("\t") for line in said])
    assert len(rows) == 3
    columns = ["chromosome", "position", "counted", "other", "beta", "se"]
    assert (
        read.variants[columns[:4]].astype(str).to_numpy().tolist() == rows[[0, 1, 2, 3]].to_numpy().tolist()
    )
    np.testing.assert_array_equal(read.variants[columns[4:]], rows[[4, 5]].astype(np.float32))
    assert read.variants["id"].tolist() == ["rs1", "rs2", "1:500:GA:G"]
    assert read.variants["n"].tolist() == [950, 1000, 1000]  # SS, else cases and controls of the header
    np.testing.assert_allclose(read.variants["p"][:2], 10 ** -np.array([6.24, 1.34]), rtol=1e-5)
    assert read.scale == "log odds"
    assert read.counts["several alternative alleles"] == 1
    assert read.counts["no effect"] == 1
    assert read.counts["kept"] == 3
    assert read_statistics(path, study="other").scale == "linear"


def test_a_genotype_vcf_is_no_gwas_vcf(tmp_path):
    from genotransfer.errors import InputError

    (tmp_path / "x.vcf").write_text(HEADER)
    with pytest.raises(InputError, match="studies trait, other"):
        read_statistics(tmp_path / "x.vcf")
    with pytest.raises(InputError, match="no FORMAT field ES"):
        read_statistics(DATA.parent / "formats" / "sample.vcf", form="gwas-vcf", study="C1046::HG02024")
