"""Studies of the user's own data, through the command line: real cohorts, and an own reference panel."""

import html
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from genotransfer.formats.oxford import read_oxford
from genotransfer.genotypes import Genotypes
from genotransfer.study_files import parse_study
from tests.integration.stages import run_stages
from tests.integration.support import COHORTS, Run, make_cohort, run_cli, share

ROLES = ("source", "target", "final")


# Row of the .bim: alleles in the source, in the target, and whether the target's dosages stand as they are.
RELABELLED = {
    10: ("TC", "AG", True),  # the other strand
    11: ("TG", "AC", True),
    12: ("AC", "CA", False),  # the other allele counted
    13: ("AG", "CT", False),  # both
    14: ("AT", "AT", None),  # ambiguous: dropped
    15: ("TG", "TA", None),  # other alleles: dropped
    16: ("AC", "00", None),  # unknown
    17: ("AG", "0G", True),  # unknown, and told by the source
}


def relabel(folder, name, column):
    """Write the alleles of `RELABELLED` into a .bim, and in the target's two ids of its own."""
    bim = pd.read_csv(folder / f"{name}.bim", sep="\t", header=None, dtype=str)
    for row, alleles in RELABELLED.items():
        bim.loc[row, [4, 5]] = list(alleles[column])
    if column:
        bim.loc[[18, 19], 1] = ["rsx", "rsy"]
        bim.loc[[18, 19], 3] = ["7", "8"]
    bim.to_csv(folder / f"{name}.bim", sep="\t", header=False, index=False)


@pytest.fixture(scope="session")
def cohorts(tmp_path_factory):
    """A study of 90 and 70 people, some of them without a phenotype, some of the phenotypes of others."""

    def make(folder):
        make_cohort(folder, "src", 90)
        make_cohort(folder, "tgt", 70)
        relabel(folder, "src", 0)
        relabel(folder, "tgt", 1)
        table = pd.read_csv(folder / "tgt.tsv", sep="\t", dtype=str)
        table.loc[[4, 9, 30], "height"] = ["NA", "-9", ""]
        table = table.drop(index=[50, 51])
        table.loc[len(table) + 10] = ["z", "stranger", "170", "1"]
        table.to_csv(folder / "tgt.tsv", sep="\t", index=False)
        (folder / "study.yaml").write_text(COHORTS)
        done = run_cli("run", "study.yaml", cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / "stdout.txt").write_text(done.stdout)

    return share(tmp_path_factory, "cohorts", make)


def test_everyone_the_splits_leave_is_fd(cohorts):
    run = Run((cohorts / "runs" / "latest").resolve())
    people = {
        role: Genotypes.open(run.find("prepare_genotypes", f"{role}_genotypes") / "genotypes").samples["iid"]
        for role in ROLES
    }
    phenotyped = {f"tgt{at}" for at in range(70)} - {f"tgt{at}" for at in (4, 9, 30, 50, 51)}
    assert set(people["target"]) | set(people["final"]) == phenotyped
    assert (len(people["source"]), len(people["target"]), len(people["final"])) == (90, 46, 19)
    given = pd.read_csv(cohorts / "tgt.tsv", sep="\t", index_col="IID")["height"]
    cut = given[sorted(phenotyped)].mean()
    final = pd.read_csv(run.find("prepare_phenotypes", "final_phenotypes") / "final.tsv", sep="\t")
    learning = pd.read_csv(run.find("prepare_phenotypes", "phenotypes") / "target.tsv", sep="\t")
    for table, role in ((final, "final"), (learning, "target")):
        assert table["IID"].tolist() == people[role].tolist()
        assert ((table["phenotype"] == 2) == (given[table["IID"]] > cut).to_numpy()).all()
    assert learning["split"].value_counts().to_dict() == {"TD": 30, "VD": 6, "ED": 10}


def test_what_was_left_out_is_counted_in_the_report(cohorts):
    run = Run((cohorts / "runs" / "latest").resolve())
    counts = json.loads((run.find("prepare_genotypes", "alignment") / "alignment.json").read_text())
    due = {
        "TGT samples without height": 5,
        "TGT samples with height but no genotypes": 1,
        "SRC samples without height": 0,
        "only in the source": 2,
        "only in the target": 2,
        "alleles differ": 2,
        "ambiguous, dropped": 1,
        "strand flipped": 2,
        "alleles swapped": 1,
        "strand flipped and alleles swapped": 1,
        "kept": 60 - 2 - 3,
    }
    assert {name: counts[name] for name in due} == due
    page = html.unescape((run.folder / "report.html").read_text())
    for name, count in due.items():
        assert f'{name}</th><td class="number">{count}</td>' in page, name


def test_the_filesets_of_both_count_the_same_alleles(cohorts):
    """What was swapped, flipped or unknown in the target is dosed as in the cohort it came from."""
    run = Run((cohorts / "runs" / "latest").resolve())
    opened = [
        Genotypes.open(run.find("prepare_genotypes", f"{role}_genotypes") / "genotypes") for role in ROLES
    ]
    for other in opened[1:]:
        pd.testing.assert_frame_equal(other.variants, opened[0].variants)
    kept = [int(one.removeprefix("rs")) for one in opened[0].variants["id"]]
    assert kept == [at for at in range(60) if at not in (14, 15, 16, 18, 19)]
    whole = Genotypes.open(cohorts / "tgt")
    given = pd.DataFrame(whole.read(), index=whole.samples["iid"])
    for genotypes in opened[1:]:
        found = genotypes.read()
        for column, at in enumerate(kept):
            as_given = RELABELLED.get(at, ("", "", True))[2]
            due = given.loc[genotypes.samples["iid"], at].to_numpy()
            assert (found[:, column] == (due if as_given else 2 - due)).all(), at


def test_the_results_have_no_oracle_and_find_the_association(cohorts):
    rows = Run((cohorts / "runs" / "latest").resolve()).results
    assert rows["method"].tolist() == ["none", "snp_transfer", "chosen"]
    assert rows["phenotype"].tolist() == ["TGT_height"] * 3
    assert rows[["oracle_accuracy", "ceiling"]].isna().all(axis=None)
    assert rows["fd_accuracy"].iloc[1] > 0.6  # height follows three variants: SNP transfer finds them


def test_the_command_line_ends_with_the_results(cohorts):
    said = (cohorts / "stdout.txt").read_text()
    run = Run((cohorts / "runs" / "latest").resolve())
    for row in run.results.itertuples():
        interval = rf"{row.fd_low:.2f}-{row.fd_high:.2f}"
        assert re.search(
            rf"{row.method} +{row.panel} +svm +{row.ed_accuracy:.3f} +{row.fd_accuracy:.3f} +{interval}", said
        )
    assert "oracle" not in said
    assert said.rstrip().endswith(f"Report: {run.folder / 'report.html'}")


def write_hapgen_panel(folder, name, seed):
    """Write a panel of 40 haplotypes and 300 variants in HAPGEN2's files."""
    generator = np.random.default_rng(seed)
    positions = 1_000_000 + np.cumsum(np.random.default_rng(1).integers(100, 3000, 300))
    ancestors = (generator.random((6, 300)) < np.random.default_rng(2).uniform(0.1, 0.6, 300)).astype(int)
    haplotypes = ancestors[generator.integers(0, 6, 40)] ^ (generator.random((40, 300)) < 0.02)
    np.savetxt(folder / f"{name}.hap", haplotypes.T, fmt="%d")
    rows = [f"rs{at} {position} A G" for at, position in enumerate(positions)]
    (folder / f"{name}.legend").write_text("\n".join(["rs position X0 X1", *rows]) + "\n")
    points = np.linspace(900_000, 2_000_000, 20).astype(int)
    steps = [f"{at} 1.1 {(at - 900_000) / 1e6 * 1.1:.6f}" for at in points]
    (folder / "map.txt").write_text(
        "\n".join(["position COMBINED_rate(cM/Mb) Genetic_Map(cM)", *steps]) + "\n"
    )
    return haplotypes


@pytest.fixture(scope="session")
def own_panel(tmp_path_factory):
    """A study by its stages, on panels of its own."""

    def make(folder):
        for name, seed in (("aaa", 3), ("bbb", 4)):
            np.save(folder / f"{name}.npy", write_hapgen_panel(folder, name, seed))
        files = {
            name.upper(): {
                "hap": str(folder / f"{name}.hap"),
                "legend": str(folder / f"{name}.legend"),
                "map": str(folder / "map.txt"),
                "chromosome": "7",
            }
            for name in ("aaa", "bbb")
        }
        study = yaml.safe_load(COHORTS) | {
            "source": "AAA",
            "target": "BBB",
            "genotypes": {"haplotypes": files, "ne": {"AAA": 10000.0, "BBB": 15000.0}},
            "phenotypes": {"preset": "additive", "heritability": 0.8, "risk_snps": [2], "iterations": 1},
            "outputs": {"figures": False, "formats": ["oxford"]},
        }
        study["splits"]["final"] = 20
        run_stages(parse_study(yaml.safe_dump(study)), folder / "study")

    return share(tmp_path_factory, "own_panel", make)


def test_genotypes_are_copied_from_the_users_panel(own_panel):
    for role, name, size in (("source", "aaa", 80), ("target", "bbb", 46), ("final", "bbb", 20)):
        folder = own_panel / "study" / "genotypes" / role
        genotypes = Genotypes.open(folder / "genotypes")
        assert genotypes.n_samples == size
        assert set(genotypes.variants["chromosome"]) == {"7"}
        assert set(genotypes.variants["counted"]) == {"G"}
        at = [int(one.removeprefix("rs")) for one in genotypes.variants["id"]]
        frequency = np.load(own_panel / f"{name}.npy").mean(axis=0)[at]
        # Copies of 40 haplotypes: the frequencies are the panel's, within the noise of the draw.
        drawn = genotypes.read().mean(axis=0) / 2
        assert np.corrcoef(frequency, drawn)[0, 1] > 0.9
        assert np.abs(frequency - drawn).mean() < 0.08
        written = read_oxford(
            folder / f"{name.upper()}.gen",
            folder / f"{name.upper()}.sample",
            prefix_out=own_panel / f"{role}_back",
        )
        assert (written.read() == genotypes.read()).all()


def test_a_study_of_the_users_panel_has_a_ceiling_and_an_oracle(own_panel):
    rows = pd.read_csv(own_panel / "study" / "report" / "results.csv")
    assert rows["phenotype"].tolist() == ["BBB_2_1"] * 3
    assert rows["method"].tolist() == ["none", "snp_transfer", "chosen"]
    assert rows["ceiling"].to_numpy() == pytest.approx(0.852416, abs=1e-6)
    assert rows["oracle_accuracy"].between(0.5, 1).all()
