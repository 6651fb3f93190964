"""Quality control equals PLINK 1.9's --mind, --geno, --maf, --hwe and --hardy on real genotypes."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.counts import count_genotypes
from genotransfer.exact import hardy_weinberg_exact
from genotransfer.genotypes import Genotypes
from genotransfer.plots import compute_r2
from genotransfer.quality import QualitySettings, control_quality
from tests.parity.plink_tools import DATA, POPULATIONS, assert_printed, read_report, run_plink

pytestmark = pytest.mark.plink

NOTHING = {"sample_call_rate": 0.0, "variant_call_rate": 0.0, "maf": 0.0, "hwe_p": 0.0}


@pytest.fixture(params=POPULATIONS)
def study(request):
    genotypes = Genotypes.open(DATA / request.param)
    labels = (genotypes.samples["phenotype"] == "2").to_numpy().astype(np.int8)
    return DATA / request.param, genotypes, labels


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({"sample_call_rate": 0.95}, ("--mind", "0.05")),
        ({"variant_call_rate": 0.95}, ("--geno", "0.05")),
        ({"variant_call_rate": 0.7}, ("--geno", "0.3")),
        ({"maf": 0.01}, ("--maf", "0.01")),
        ({"maf": 0.2}, ("--maf", "0.2")),
        ({"hwe_p": 1e-3}, ("--hwe", "1e-3")),
        ({"hwe_p": 0.05}, ("--hwe", "0.05")),
        (
            {"sample_call_rate": 0.95, "variant_call_rate": 0.95, "maf": 0.01, "hwe_p": 1e-3},
            ("--mind", "0.05", "--geno", "0.05", "--maf", "0.01", "--hwe", "1e-3"),
        ),
    ],
)
def test_what_is_kept_equals_plinks(study, tmp_path, settings, flags):
    prefix, genotypes, labels = study
    # PLINK keeps variants of one allele, and of none, unless told otherwise; we never do.
    for flag, value in (("--maf", "1e-9"), ("--geno", "0.999")):
        if flag not in flags:
            flags = (*flags, flag, value)
    run_plink("plink1.9", "--bfile", prefix, *flags, "--make-bed", "--out", tmp_path / "out")
    theirs = Genotypes.open(tmp_path / "out")
    ours, report = control_quality(genotypes, labels, QualitySettings(**{**NOTHING, **settings}))
    assert ours.variants["id"].tolist() == theirs.variants["id"].tolist()
    assert ours.samples["iid"].tolist() == theirs.samples["iid"].tolist()
    removed = report.groupby("unit")["removed"].sum()
    assert removed["variants"] == genotypes.n_variants - theirs.n_variants
    assert removed["samples"] == genotypes.n_samples - theirs.n_samples
    assert removed.sum() > 0


def test_hardy_weinberg_equals_hardy(study, tmp_path):
    prefix, genotypes, labels = study
    run_plink("plink1.9", "--bfile", prefix, "--hardy", "--out", tmp_path / "out")
    theirs = read_report(tmp_path / "out.hwe")
    counts = count_genotypes(genotypes, labels, 2)
    for group, name in ((0, "UNAFF"), (1, "AFF")):
        ours = pd.Series(hardy_weinberg_exact(counts[:, group]), name=name)
        assert_printed(ours, theirs.loc[theirs["TEST"] == name, "P"], 4)


def test_r2_equals_plinks(study, tmp_path):
    prefix, genotypes, _ = study
    region = genotypes.select(variants=np.arange(60))
    region.variants["id"].to_csv(tmp_path / "extract.txt", header=False, index=False)
    flags = ("--extract", tmp_path / "extract.txt", "--r2", "square", "--out", tmp_path / "out")
    run_plink("plink1.9", "--bfile", prefix, *flags)
    theirs = pd.read_csv(tmp_path / "out.ld", sep=r"\s+", header=None).to_numpy()
    ours = compute_r2(region.read())
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
