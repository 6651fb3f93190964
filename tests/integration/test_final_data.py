"""FD is read once, at the end: nothing that is learnt or chosen depends on it; and relabelling."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genotransfer.config import Quality
from tests.integration.support import read_tiny


def permute_fd(phenotype: str, _: Path, final: Path) -> None:
    """Give FD's people one another's labels."""
    table = pd.read_csv(final / "final.tsv", sep="\t")
    before = table["phenotype"].to_numpy()
    table["phenotype"] = np.random.default_rng(3).permutation(before)
    assert (table["phenotype"] != before).sum() > 5, phenotype
    table.to_csv(final / "final.tsv", sep="\t", index=False)


def swap_labels(_: str, learning: Path, final: Path) -> None:
    """Make cases of controls, and controls of cases, everywhere."""
    for path in (learning / "source.tsv", learning / "target.tsv", final / "final.tsv"):
        table = pd.read_csv(path, sep="\t", keep_default_na=False)
        table["phenotype"] = 3 - table["phenotype"]
        table.to_csv(path, sep="\t", index=False)


def digest(folder: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob(pattern))
    }


def test_permuting_the_labels_of_fd_changes_the_results_only(finished, staged):
    """The pipeline with FD's labels, the stages with others: all that comes before FD is the same."""
    no_figures = {"figures": False, "formats": []}
    permuted = staged("permuted", read_tiny(outputs=no_figures), permute_fd)
    boards = finished.leaderboards
    assert set(boards) == {f"{task}/3_{at}" for task in ("baselines", "scores") for at in (1, 2)} | {
        "transfer/ann",
        "transfer/gru",
    }
    for part, path in boards.items():
        mine = permuted / "leaderboards" / f"{part}.parquet"
        assert mine.read_bytes() == Path(path).read_bytes(), part
    selection = finished.find("select_best_model", "selection")
    assert digest(permuted / "selection", "*") == digest(selection, "*")
    assert len(digest(selection, "*")) == 4
    for part, folder in finished.models.items():
        for pattern, task in (("**/network.keras", "transfer"), ("**/score.txt", "scores")):
            theirs = digest(Path(folder), pattern)
            assert digest(permuted / "models" / part, pattern) == theirs
            assert bool(theirs) == part.startswith(task)

    before, after = finished.results, pd.read_csv(permuted / "report" / "results.csv")
    learnt = ["phenotype", "method", "panel", "n_snps", "model", "trainable_layers", "ed_accuracy", "n_tied"]
    pd.testing.assert_frame_equal(before[learnt], after[learnt])
    assert (before["fd_accuracy"] != after["fd_accuracy"]).any()
    # Scores are of genotypes alone.
    scores = [
        pd.read_parquet(folder / "predictions.parquet")
        for folder in (finished.find("evaluate_final", "results"), permuted / "results")
    ]
    pd.testing.assert_frame_equal(scores[0].drop(columns="label"), scores[1].drop(columns="label"))
    assert not scores[0]["label"].equals(scores[1]["label"])


def test_swapping_cases_and_controls_mirrors_the_results(staged):
    """A support vector machine's margin changes its sign; sensitivity and specificity change places."""
    study = read_tiny(
        transfer={"methods": ["none", "snp_transfer"], "fit_on": ["target", "source"]},
        models={"classical": ["svm"], "networks": ["ann_1"]},
        quality=Quality(hwe_p=0).model_dump(),  # tested in controls, who are not the same people then
        outputs={"figures": False, "formats": []},
    )
    first, second = (
        staged(name, study, change) for name, change in (("as_is", None), ("swapped", swap_labels))
    )
    tables = [
        pd.read_parquet(folder / "results" / "results.parquet").drop(columns="oracle_accuracy")
        for folder in (first, second)
    ]
    mirrored = tables[1].rename(
        columns={"fd_sensitivity": "fd_specificity", "fd_specificity": "fd_sensitivity"}
    )
    mirrored["fd_n_cases"] = mirrored["fd_n"] - mirrored["fd_n_cases"]
    mirrored = mirrored[tables[0].columns].drop(columns=["fd_precision", "fd_f1"])
    pd.testing.assert_frame_equal(tables[0].drop(columns=["fd_precision", "fd_f1"]), mirrored, atol=0.01)
    scores = [
        pd.read_parquet(folder / "results" / "predictions.parquet")["score"] for folder in (first, second)
    ]
    assert scores[1].to_numpy() == pytest.approx(1 - scores[0].to_numpy(), abs=0.01)
    assert ((scores[0] > 0.5) != (scores[1] > 0.5)).all()
