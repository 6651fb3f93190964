"""One replicate of the accuracy benchmark: new genotypes, its phenotypes, every model read on FD.

The stages of a study are called as its tasks call them, so that what is measured is what a user
gets; only FD is read for every kept model, not for the chosen ones alone.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit

from benchmarks.accuracy_peer import run_peer
from genotransfer.alignment import match_variants
from genotransfer.candidates import DEEP_METHODS, SCORES_METHOD
from genotransfer.choice import average_scores, choose_by_ed
from genotransfer.config import Study
from genotransfer.evaluation import evaluate_predictions
from genotransfer.models.store import load_predictor
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.selection import select_among
from genotransfer.stages import association, genotypes, models, phenotypes, results
from genotransfer.stages.genotypes import open_population
from genotransfer.study_files import parse_study

ROLES = ("source", "target", "final")


@dataclass(frozen=True)
class Extent:
    """What a replicate runs.

    Attributes
    ----------
    heritability : of the risk SNPs; 0 for the preset null.
    methods : methods of transfer.
    risk_snps : numbers of risk SNPs, a phenotype each.
    settings : of the study, beside those the benchmark sets.
    """

    heritability: float
    methods: tuple[str, ...]
    risk_snps: tuple[int, ...] = (5, 10)
    settings: dict[str, Any] | None = None


def make_study(seed: int, extent: Extent, final: int = 1000) -> Study:
    """Return the default study with the benchmark's phenotypes and FD."""
    preset: dict[str, Any] = {"preset": "null"}
    if extent.heritability > 0:
        preset = {"preset": "additive", "heritability": extent.heritability}
    raw = {
        "name": "accuracy",
        "seed": seed,
        "phenotypes": preset | {"risk_snps": list(extent.risk_snps), "iterations": 1},
        "splits": {"final": final},
        "transfer": {"methods": list(extent.methods)},
        "outputs": {"figures": False},
    }
    return parse_study(json.dumps(raw | (extent.settings or {})))


def run_replicate(seed: int, extents: list[Extent], folder: Path, peer: str | None = None) -> pd.DataFrame:
    """Run one replicate and return a row for each phenotype and model.

    Parameters
    ----------
    seed : of the study.
    extents : what is run; the first one's genotypes serve all of them.
    folder : for its files, removed at the end.
    peer : checkout of PRS-CSx, run where models without transfer are.

    Returns
    -------
    seed, heritability, k, name, accuracy, auc, seconds; ``name`` is a method, a score, ``deep`` (the
    best deep method on ED), ``chosen``, ``paper_rule`` (the best on ED of all methods) or ``oracle``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    filesets = {role: str(folder / role) for role in ROLES}
    genotypes.prepare_genotypes(make_study(seed, extents[0]), filesets, folder / "alignment")
    rows = []
    for number, extent in enumerate(extents):
        place = folder / f"extent_{number}"
        asked = peer if "none" in extent.methods else None
        about = {"seed": seed, "heritability": extent.heritability}
        found = run_study(make_study(seed, extent), filesets, place, asked)
        rows += [about | {"k": int(row["phenotype"].split("_")[0])} | row for row in found]
        shutil.rmtree(place)
    shutil.rmtree(folder)
    return pd.DataFrame(rows)


def run_study(
    study: Study,
    filesets: dict[str, str],
    folder: Path,
    peer: str | None = None,
    outcome: pd.Series | None = None,
) -> list[dict[str, Any]]:
    """Run a study on prepared genotypes and return a row for each phenotype and model.

    Parameters
    ----------
    filesets : folders by role: source, target, final.
    folder : for its files.
    peer : checkout of PRS-CSx, or None.
    outcome : a quantitative outcome by IID, which models' log odds are correlated with.
    """
    learning = {role: filesets[role] for role in ("source", "target")}
    boards, kept_models, seconds = [], {}, {}
    place: dict[str, dict[str, str]] = {"phenotypes": {}, "truths": {}, "finals": {}, "panels": {}}
    for name in study.phenotype_names:
        at = folder / name
        began = time.perf_counter()
        phenotypes.prepare_phenotypes(study, name, filesets, at / "all", at / "final", at / "truth")
        association.control_quality(study, name, at / "all", learning, at / "variants", at / "kept")
        if set(study.transfer.methods) != {SCORES_METHOD}:  # scores read no panel
            association.test_association(study, at / "kept", at / "variants", learning, at / "association")
            association.select_panels(study, name, at / "association", at / "variants", at / "panels")
            board = at / "baselines.parquet"
            models.train_baselines(
                study, name, at / "kept", at / "panels", learning, board, at / "baselines", _quiet
            )
            boards.append(str(board))
        scored = time.perf_counter()
        models.train_scores(
            study, name, at / "kept", at / "variants", learning, at / "scores.parquet", at / "scores", _quiet
        )
        seconds[name] = {"baselines": scored - began, "scores": time.perf_counter() - scored}
        boards.append(str(at / "scores.parquet"))
        kept_models |= {f"baselines/{name}": str(at / "baselines"), f"scores/{name}": str(at / "scores")}
        place["phenotypes"][name], place["truths"][name] = str(at / "kept"), str(at / "truth")
        place["finals"][name], place["panels"][name] = str(at / "final"), str(at / "panels")
    if set(study.transfer.methods) & set(DEEP_METHODS):
        models.gather_cohorts(place["phenotypes"], place["panels"], folder / "cohorts")
        for family in study.families:
            at = folder / family
            models.train_source_models(
                study, family, folder / "cohorts", filesets["source"], at / "source", _quiet
            )
            models.transfer_models(
                study,
                family,
                folder / "cohorts",
                at / "source",
                learning,
                at / "board.parquet",
                at / "models",
                _quiet,
            )
            boards.append(str(at / "board.parquet"))
            kept_models[f"transfer/{family}"] = str(at / "models")
    results.select_best(study, boards, folder / "selection")
    rows = []
    for name in study.phenotype_names:
        found = _evaluate(name, folder, filesets, kept_models, place, outcome) + _time(seconds[name])
        if peer is not None:
            found += run_peer(Path(peer), folder / name, learning, filesets["final"])
        rows += [{"phenotype": name} | row for row in found]
    return rows


def _evaluate(
    name: str,
    folder: Path,
    filesets: dict[str, str],
    kept: dict[str, str],
    place: dict[str, dict[str, str]],
    outcome: pd.Series | None,
) -> list[dict[str, Any]]:
    """Read FD for every kept model of one phenotype that a rule or the table asks for."""
    selection = folder / "selection"
    board = pd.read_parquet(selection / "leaderboard.parquet")
    board = board[board["phenotype"] == name]
    members = pd.read_parquet(selection / "members.parquet")
    members = members[members["phenotype"] == name]
    table = read_phenotype_table(Path(place["finals"][name]) / "final.tsv")
    final = open_population(filesets["final"])
    people = final.select(samples=final.locate_samples(table["IID"]))
    labels = table["phenotype"].to_numpy(dtype=np.int8)
    by_key = board.set_index("key", drop=False)

    def read(key: str) -> np.ndarray:
        predictor = load_predictor(Path(kept[results.name_part(by_key.loc[key])]) / key)
        return predictor.score(match_variants(people, predictor.variants).read())

    asked = {
        f"score:{row['model']}": [row["key"]] for _, row in board.iterrows() if row["method"] == SCORES_METHOD
    }
    asked |= {str(method): list(group["key"]) for method, group in members.groupby("method", sort=False)}
    deep = select_among(board, DEEP_METHODS)
    if len(deep):
        asked["deep"] = [deep["key"].iloc[0]]
    asked["paper_rule"] = [choose_by_ed(board)["key"].iloc[0]]
    scores = {key: read(key) for key in {key for keys in asked.values() for key in keys}}
    rows = []
    measured = ("accuracy", "auc", "auc_low", "auc_high", "n")
    for what, keys in asked.items():
        score = average_scores([scores[key] for key in keys], [1 / len(keys)] * len(keys))
        found = evaluate_predictions(labels, score)
        row = {"name": what, "model": " ".join(keys)} | {one: found[one] for one in measured}
        if outcome is not None:
            odds = logit(np.clip(score, 1e-6, 1 - 1e-6))
            row["r"] = float(np.corrcoef(odds, outcome.loc[table["IID"]])[0, 1]) if np.ptp(odds) else 0.0
        rows.append(row)
    oracle = results._measure_oracle(
        people, labels, place["truths"][name], place["phenotypes"][name], open_population(filesets["target"])
    )
    return [*rows, {"name": "oracle", "accuracy": oracle}]


def _time(seconds: dict[str, float]) -> list[dict[str, Any]]:
    return [{"name": f"seconds:{what}", "seconds": value} for what, value in seconds.items()]


def _quiet(done: int, total: int, note: str = "") -> None:
    """Hear of progress and say nothing."""
