"""The command line: associate, convert, compile, studies and how errors end."""

import re
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import yaml
from kfp import components as kfp_components

from genotransfer import __version__
from genotransfer.genotypes import Genotypes
from genotransfer.release import name_release
from genotransfer.study_files import parse_study
from pipelines.cli import STUDIES, find_study, main
from tests.genotype_support import list_folder, make_genotypes
from tests.parity.plink_tools import DATA, assert_printed, read_report, run_plink


@pytest.fixture
def call(monkeypatch, capsys):
    """Call the command line in this process; return its status, standard output and error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["genotransfer", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def pheno(tmp_path):
    """A phenotype table of the European cohort, as its .fam has it, without the last 20 samples."""
    fam = pd.read_csv(DATA / "eur.fam", sep=r"\s+", header=None, dtype=str)[[0, 1, 5]].iloc[:-20]
    fam.columns = ["FID", "IID", "disease"]
    fam.to_csv(tmp_path / "pheno.tsv", sep="\t", index=False)
    return tmp_path / "pheno.tsv"


def test_associate_is_plinks_assoc(call, pheno, tmp_path):
    out = tmp_path / "mine.tsv"
    status, said, _ = call("associate", "--bfile", DATA / "eur", "--pheno", pheno, "--out", out)
    assert status == 0
    run_plink(
        "plink1.9", "--bfile", DATA / "eur", "--pheno", pheno, "--pheno-name", "disease", "--assoc",
        "--prune", "--allow-no-sex", "--out", tmp_path / "theirs",
    )  # fmt: skip
    theirs = read_report(tmp_path / "theirs.assoc")
    text = out.read_text()
    assert not re.search(r"[ ,]", text)
    mine = pd.read_csv(out, sep="\t", dtype={"CHR": str, "A1": str, "A2": str})
    assert list(mine) == list(theirs)
    for name in ("CHR", "SNP", "A1", "A2"):
        assert mine[name].tolist() == theirs[name].tolist(), name
    for name in ("F_A", "F_U", "CHISQ", "P", "OR"):
        assert_printed(mine[name], theirs[name], digits=4)
    # A1 is the minor allele among the samples analysed.
    cases = int((pd.read_csv(pheno, sep="\t")["disease"] == 2).sum())
    pooled = (mine["F_A"] * cases + mine["F_U"] * (380 - cases)) / 380
    assert (pooled.dropna() <= 0.5 + 0.01).all()
    assert (
        said
        == f"{out}: 1500 rows; {cases} cases, {380 - cases} controls; 20 samples without a phenotype left out\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--threshold", "half"], "--threshold 'half' is neither mean, zero nor a number."),
        (["--pheno-name", "nosuch"], "there is no column 'nosuch'"),
        (["--threshold", "5"], "has one class only: all 380 samples are controls"),
        (["--bfile", "nosuch"], "nosuch.bed: there is no such file"),
    ],
)
def test_associate_tells_what_is_wrong(call, pheno, tmp_path, arguments, says):
    before = list_folder(tmp_path)
    status, said, error = call(
        "associate",
        "--bfile",
        DATA / "eur",
        "--pheno",
        pheno,
        "--out",
        tmp_path / "new" / "x.tsv",
        *arguments,
    )
    assert (status, said) == (2, "")
    assert says in error
    assert "Traceback" not in error
    assert list_folder(tmp_path) == before


def test_associate_refuses_an_unknown_test(call, pheno, tmp_path):
    status, _, error = call(
        "associate", "--bfile", DATA / "eur", "--pheno", pheno, "--out", tmp_path / "x", "--test", "magic"
    )
    assert status == 2
    assert "'magic' is not one of" in error


def test_convert_there_and_back_gives_the_same_genotypes(call, tmp_path):
    start = make_genotypes(tmp_path / "start", n_samples=9, n_variants=20)
    missing = int((start.read() == -1).sum())
    status, said, _ = call("convert", tmp_path / "start", tmp_path / "middle.gen.gz")
    assert status == 0
    assert said == f"{tmp_path}/middle.gen.gz: 9 samples, 20 variants (oxford), {missing} genotypes missing\n"
    status, said, _ = call("convert", tmp_path / "middle.gen.gz", tmp_path / "end")
    assert status == 0
    assert said.splitlines()[1:] == [f"  genotypes without probabilities: {missing}"]
    end = Genotypes.open(tmp_path / "end")
    assert (end.read() == start.read()).all()
    columns = ["chromosome", "id", "position", "counted", "other"]
    pd.testing.assert_frame_equal(end.variants[columns], start.variants[columns])
    assert end.samples[["fid", "iid"]].equals(start.samples[["fid", "iid"]])
    # And PLINK reads what was written.
    run_plink(
        "plink1.9", "--bfile", tmp_path / "end", "--recode", "A", "--keep-allele-order", "--allow-no-sex",
        "--out", tmp_path / "raw",
    )  # fmt: skip
    raw = pd.read_csv(tmp_path / "raw.raw", sep=" ").iloc[:, 6:].to_numpy()
    assert np.array_equal(np.where(np.isnan(raw), -1, raw), end.read())


def test_convert_tells_what_is_wrong(call, tmp_path):
    status, said, error = call("convert", tmp_path / "nosuch.vcf", tmp_path / "out")
    assert (status, said) == (2, "")
    assert error.startswith(f"Error {tmp_path}/nosuch.vcf: there is no such file. ")
    assert list_folder(tmp_path) == {}


def test_studies_lists_what_is_shipped(call):
    assert call("studies") == (
        0,
        "additive\ndemo\nnull\npaper\nreal\nreplicates\nstatistics\nexome-cnn\nexome-cnn-paper\ncomparison\n",
        "",
    )


@pytest.mark.parametrize("name", [path.stem for path in sorted(STUDIES.glob("*.yaml"))])
def test_compile_writes_a_pipeline_that_kfp_loads(call, tmp_path, name):
    out = tmp_path / "new" / f"{name}.yaml"
    status, said, _ = call("compile", name, "--out", out, "--set", "seed=7")
    assert (status, said) == (0, f"{out}\n")
    loaded = kfp_components.load_component_from_file(str(out))
    assert loaded.name == "transfer-study"
    pipeline, *_ = yaml.safe_load_all(out.read_text())
    given = pipeline["root"]["inputDefinitions"]["parameters"]
    study = parse_study(given["study"]["defaultValue"])
    assert study == find_study(name, ["seed=7"])
    assert given["phenotypes"]["defaultValue"] == study.phenotype_names
    assert given["families"]["defaultValue"] == study.families
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_an_unknown_study_is_told_with_the_known_ones(call, tmp_path):
    status, _, error = call("compile", "nosuch", "--out", tmp_path / "x.yaml")
    assert status == 2
    assert (
        error
        == "Error nosuch: there is no such study. Give a file or one of: additive, demo, null, paper, real, "
        "replicates, statistics, exome-cnn, exome-cnn-paper, comparison.\n"
    )


def test_the_version_is_the_packages():
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{name_release()}\n"
    assert name_release().startswith(f"{__version__}-")
    assert version("genotransfer") == __version__


def test_no_arguments_print_help(call):
    status, said, _ = call()
    assert status in (0, 2)  # typer's own choice, by version
    for name in ("run", "compile", "associate", "convert", "studies", "export", "predict"):
        assert f" {name} " in said


def test_replicate_wants_seeds_before_it_runs(call, tmp_path):
    status, said, error = call("replicate", "demo", "--seeds", "1-2,2", "--runs", tmp_path / "runs")
    assert (status, said) == (2, "")
    assert error == "Error --seeds '1-2,2': '2' is named twice. Write 1-20, or 1,3,5-8.\n"
    assert not (tmp_path / "runs").exists()
