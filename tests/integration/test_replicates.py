"""Replicates: seeds that are done are not run again, and what is gathered is what the runs say."""

import shutil

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from genotransfer.errors import StudyError
from genotransfer.replication.gathering import read_replicates
from pipelines.cli import find_study
from pipelines.replicates import find_finished, parse_seeds, run_replicates
from tests.integration.support import METHODS, read_tiny


@pytest.fixture
def runs(finished, tmp_path):
    """The folder of replicates with the one seed of the tiny study, finished."""
    folder = tmp_path / "runs"
    shutil.copytree(finished.folder, folder / "seed-11" / finished.folder.name)
    return folder


def test_a_finished_seed_is_gathered_and_not_run_again(finished, runs, tmp_path):
    with (tmp_path / "said.txt").open("w") as said:
        gathered = run_replicates(read_tiny(), [11], runs, Console(file=said))
    assert (tmp_path / "said.txt").read_text() == "seed 11: done before\n"
    assert [path.name for path in (runs / "seed-11").iterdir()] == [finished.folder.name]
    table = read_replicates(gathered / "replicates.csv").set_index(["phenotype", "method"])
    results = finished.results.assign(phenotype=lambda rows: rows["phenotype"].str.removeprefix("YRI_"))
    for row in results.to_dict("records"):
        mine = table.loc[(row["phenotype"], row["method"])]
        for name in ("panel", "n_snps", "model", "ed_accuracy", "fd_accuracy", "oracle_accuracy"):
            assert mine[name] == row[name], (row["method"], name)
    for phenotype, rows in table.groupby(level=0):
        assert set(METHODS) < set(rows.index.get_level_values(1))
        deep = rows.loc[phenotype].loc[[name for name in METHODS if name.startswith("deep_")]]
        assert rows.loc[(phenotype, "deep"), "ed_accuracy"] == deep["ed_accuracy"].max()
        assert rows.loc[(phenotype, "deep"), "n_candidates"] == deep["n_candidates"].sum()
    predictions = pd.read_parquet(gathered / "predictions.parquet")
    right = (predictions["score"] > 0.5) == (predictions["label"] == 1)
    for (phenotype, method), share in (
        right.groupby([predictions["phenotype"], predictions["method"]]).mean().items()
    ):
        assert share == table.loc[(phenotype, method), "fd_accuracy"]
    accuracies = pd.read_csv(gathered / "accuracies.csv").set_index("method")
    for method, rows in table.groupby(level=1):
        np.testing.assert_allclose(accuracies.loc[method, "fd"], rows["fd_accuracy"].mean(), atol=1e-6)


def test_a_run_of_another_study_is_refused(runs):
    other = read_tiny(training={"epochs": 4})
    with pytest.raises(
        StudyError, match=r"seed-11/tiny-.* holds a finished run of other settings \(training\)"
    ):
        run_replicates(other, [11], runs)
    renamed = read_tiny(name="another", seed=5, outputs={"figures": False})
    assert find_finished(renamed, 11, runs) is not None  # what changes no result does not matter
    assert find_finished(read_tiny(), 12, runs) is None


def test_an_unfinished_run_does_not_count(runs):
    [folder] = (runs / "seed-11").iterdir()
    (folder / "results.csv").unlink()
    assert find_finished(read_tiny(), 11, runs) is None


def test_seeds():
    assert parse_seeds("1-4, 9") == [1, 2, 3, 4, 9]
    assert parse_seeds("7") == [7]
    for wrong in ("", "a", "3-", "4-2", "1-3,2", "-1"):
        with pytest.raises(StudyError, match="--seeds"):
            parse_seeds(wrong)


def test_the_study_of_replicates_is_the_papers():
    """But for one iteration, a larger FD, no figures and no registered models."""
    paper, replicates = (find_study(name, None).model_dump() for name in ("paper", "replicates"))
    assert replicates["phenotypes"].pop("iterations") == 1
    assert paper["phenotypes"].pop("iterations") == 4
    assert replicates["splits"].pop("final") == 20 * paper["splits"].pop("final")
    for study in (paper, replicates):
        del study["name"], study["outputs"], study["registry"]
    assert paper == replicates
