"""Polygenic scores in a whole study, and each phenotype's one model: what is on file is what was measured."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from genotransfer.alignment import match_variants
from genotransfer.genotypes import Genotypes
from genotransfer.models.store import load_predictor
from genotransfer.stages.results import evaluate_final, select_best
from tests.integration.support import read_tiny, score_again
from tests.parity.plink_tools import run_plink

PHENOTYPES = ["3_1", "3_2"]
SCORES_ALONE = {
    "transfer": {"methods": ["score_transfer"], "fit_on": ["target"]},
    "panels": {"source": [1e-300], "target": [1e-300]},
    "outputs": {"figures": False, "formats": []},
}


def test_a_scores_log_odds_are_plinks(finished, tmp_path):
    """As a user has them who takes score.txt to PLINK, which adds effects up without centring."""
    fileset = finished.find("prepare_genotypes", "final_genotypes") / "genotypes"
    predictions = pd.read_parquet(finished.find("evaluate_final", "results") / "predictions.parquet")
    members = pd.read_parquet(finished.find("select_best_model", "selection") / "members.parquet")
    for one in members[members["method"] == "score_transfer"].itertuples():
        folder = Path(finished.models[one.part]) / one.key
        run_plink(
            "plink2", "--bfile", fileset, "--score", folder / "score.txt", "1", "2", "4", "cols=+scoresums",
            "no-mean-imputation", "--out", tmp_path / "fd",
        )  # fmt: skip
        sums = pd.read_csv(tmp_path / "fd.sscore", sep="\t").set_index("IID")["SCORE1_SUM"]
        mine = predictions[
            (predictions["phenotype"] == one.phenotype) & (predictions["method"] == "score_transfer")
        ].set_index("IID")["score"]
        difference = logit(mine) - sums
        assert len(difference) == 40
        assert np.ptp(sums) > 1
        assert difference.to_numpy() == pytest.approx(difference.mean(), abs=1e-4)
        assert logit(mine).to_numpy() == pytest.approx(score_again(folder, fileset), abs=1e-4)


def test_the_chosen_model_is_the_mean_of_its_members(finished):
    """In log odds; the scores' by their files alone."""
    fileset = finished.find("prepare_genotypes", "final_genotypes") / "genotypes"
    genotypes = Genotypes.open(fileset)
    predictions = pd.read_parquet(finished.find("evaluate_final", "results") / "predictions.parquet")
    members = pd.read_parquet(finished.find("select_best_model", "selection") / "members.parquet")
    chosen = members[members["method"] == "chosen"]
    assert chosen.groupby("phenotype")["weight"].sum().to_dict() == pytest.approx(
        dict.fromkeys(PHENOTYPES, 1)
    )
    board = pd.read_parquet(finished.folder / "leaderboard.parquet").set_index("key")
    rows = finished.results.set_index(["phenotype", "method"])
    for phenotype, group in chosen.groupby("phenotype"):
        margins = np.zeros(genotypes.n_samples)
        for one in group.itertuples():
            folder = Path(finished.models[one.part]) / one.key
            if board.loc[one.key, "method"] == "score_transfer":
                margins += one.weight * score_again(folder, fileset)
            else:
                predictor = load_predictor(folder)
                found = predictor.score(match_variants(genotypes, predictor.variants).read())
                margins += one.weight * logit(np.clip(found, 1e-6, 1 - 1e-6))
        mine = predictions[(predictions["phenotype"] == phenotype) & (predictions["method"] == "chosen")]
        assert mine["IID"].tolist() == genotypes.samples["iid"].tolist()
        assert logit(mine["score"]).to_numpy() == pytest.approx(margins, abs=1e-4)
        row = rows.loc[f"YRI_{phenotype}", "chosen"]
        assert row["fd_accuracy"] == pytest.approx(((margins > 0) == (mine["label"] == 1)).mean(), abs=1e-6)
        assert row["n_snps"] == board.loc[group["key"].iloc[0], "n_snps"]
        named = ", ".join(board.loc[group["key"], "model"])
        assert row["model"] == (named if len(group) == 1 else f"mean of {named}")


def test_scores_learn_from_every_variant_that_passed(finished):
    board = pd.read_parquet(finished.folder / "leaderboard.parquet")
    validated = board["method"] == "score_transfer"
    assert board["target_cv_accuracy"].notna().equals(validated)
    assert board["source_cv_accuracy"].notna().equals(validated)
    for phenotype in PHENOTYPES:
        passed = pd.read_parquet(
            finished.find("control_quality", "variants", phenotype=phenotype) / "variants.parquet"
        )
        for row in board[validated & (board["phenotype"] == phenotype)].itertuples():
            folder = Path(finished.models[f"scores/{phenotype}"]) / row.key  # every one is kept
            table = pd.read_csv(folder / "score.txt", sep="\t", comment="#")
            assert len(table) == row.n_snps <= len(passed)
            assert set(table["rsID"]) <= set(passed["id"])
            # Of 200 and of 70 people: shares of them, whatever the folds were.
            for accuracy, people in ((row.source_cv_accuracy, 200), (row.target_cv_accuracy, 70)):
                assert accuracy * people == pytest.approx(round(accuracy * people), abs=1e-6)


def test_a_study_of_scores_alone_needs_no_panels_and_gives_the_same_scores(finished, staged):
    folder = staged("scores", read_tiny(**SCORES_ALONE))
    found = pd.read_csv(folder / "report" / "results.csv")
    assert found["method"].tolist() == ["score_transfer", "chosen"] * 2
    rows = finished.results
    for method, table in found.groupby("method"):
        if method == "score_transfer":
            pd.testing.assert_frame_equal(
                table.reset_index(drop=True), rows[rows["method"] == method].reset_index(drop=True)
            )
    for part in (f"scores/{phenotype}" for phenotype in PHENOTYPES):
        for path in Path(finished.models[part]).rglob("*.*"):
            if path.is_dir():  # a key has points
                continue
            assert (folder / "models" / part / path.relative_to(finished.models[part])).read_bytes() == (
                path.read_bytes()
            )


def test_members_are_averaged_by_their_weights(staged, tmp_path):
    """Whatever was chosen: here a score and another one that counts three times as much."""
    study = read_tiny(**SCORES_ALONE)
    folder = staged("scores", study)
    shutil.copytree(folder / "selection", tmp_path / "selection")
    members = pd.read_parquet(tmp_path / "selection" / "members.parquet")
    rows = [
        (phenotype, "chosen", f"{phenotype}.score_transfer.{name}", weight, f"scores/{phenotype}")
        for phenotype in PHENOTYPES
        for name, weight in (("susie", 0.25), ("susie_joint", 0.75))
    ]
    ours = pd.DataFrame(rows, columns=["phenotype", "method", "key", "weight", "part"])
    pd.concat([members[members["method"] != "chosen"], ours[list(members)]]).to_parquet(
        tmp_path / "selection" / "members.parquet", index=False
    )
    by_phenotype = {
        what: {name: str(folder / what / name) for name in PHENOTYPES} for what in ("kept", "truth", "final")
    }
    evaluate_final(
        study,
        tmp_path / "selection",
        {f"scores/{name}": str(folder / "models" / "scores" / name) for name in PHENOTYPES},
        by_phenotype["kept"],
        by_phenotype["truth"],
        {role: str(folder / "genotypes" / role) for role in ("target", "final")},
        by_phenotype["final"],
        tmp_path / "results",
    )
    predictions = pd.read_parquet(tmp_path / "results" / "predictions.parquet")
    found = predictions[predictions["method"] == "chosen"]
    fileset = folder / "genotypes" / "final" / "genotypes"
    for phenotype, mine in found.groupby("phenotype"):
        margins = [
            score_again(folder / "models" / part / key, fileset)
            for _, _, key, _, part in rows
            if part == f"scores/{phenotype}"
        ]
        assert np.abs(margins[0] - margins[1]).max() > 0.01
        due = 0.25 * margins[0] + 0.75 * margins[1]
        assert logit(mine["score"]).to_numpy() == pytest.approx(due, abs=1e-4)


def test_the_papers_rule_takes_the_best_on_ed_of_all_methods(finished, tmp_path):
    paper = read_tiny(selection={"rule": "paper"})
    select_best(paper, list(finished.leaderboards.values()), tmp_path)
    given = finished.find("select_best_model", "selection")
    before, after = (pd.read_parquet(folder / "members.parquet") for folder in (given, tmp_path))
    board = pd.read_parquet(tmp_path / "leaderboard.parquet").set_index("key")
    for phenotype, group in after[after["method"] == "chosen"].groupby("phenotype"):
        [one] = group.itertuples()
        best = board[board["phenotype"] == phenotype]["ed_accuracy"].max()
        assert board.loc[one.key, "ed_accuracy"] == pytest.approx(best)
        assert one.weight == 1
        # Its model was kept: the best of all is the best of its method.
        assert one.key in set(after[after["method"] == board.loc[one.key, "method"]]["key"])
    by_method = [table[table["method"] != "chosen"].reset_index(drop=True) for table in (before, after)]
    pd.testing.assert_frame_equal(*by_method)
    for name in ("leaderboard", "tied"):
        assert (tmp_path / f"{name}.parquet").read_bytes() == (given / f"{name}.parquet").read_bytes()
