"""One replicate of the interpretation benchmark: new genotypes, a phenotype, every family explained.

The classical models and networks learn from the source's 700 people; the panel of each is the best of a
few on the source's ED (``chosen``) or, to see what the ranking itself is worth, the widest (``wide``). The
polygenic scores, and what a study chooses among them, are the study's own, learnt from both populations.
All are explained as a study does it, by the source's people of VD and ED, and once more by all who learn.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from genotransfer.baselines import PanelData
from genotransfer.candidates import CHOSEN
from genotransfer.config import Study
from genotransfer.interpretation.cohort import Cohort
from genotransfer.interpretation.explain import Effort
from genotransfer.interpretation.kinds import list_kinds
from genotransfer.interpretation.recovery import (
    assess_association,
    assess_importance,
    find_proxies,
    measure_chance,
)
from genotransfer.models.classical import CLASSICAL, fit_classifier
from genotransfer.models.predictors import ClassicalPredictor, NetworkPredictor, Predictor, ScorePredictor
from genotransfer.models.standardise import Standardiser, fit_standardiser
from genotransfer.models.store import load_predictor
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.randomness import derive_seed
from genotransfer.stages import association, genotypes, models, phenotypes, results
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.phenotypes import read_risk_variants
from genotransfer.study_files import parse_study
from genotransfer.training.jobs import Trainer, TrainingJob, TrainingSettings

ROLES = ("source", "target", "final")
HERITABILITY, RISK_SNPS = 0.5, 5
# Every other of the default thresholds, from the narrowest panel to one of a thousand SNPs or two.
THRESHOLDS = (5e-5, 4e-4, 0.0026, 0.0175)
NETWORK_PANELS = 3  # the widest costs most of a network's time
EFFORT = Effort(people=40, background=25, permuted=5, repeats=2)
SCORES = ("clumping", "lasso", "susie", "susie_joint")
PATTERNS = ("pursuit", "pattern")
MEASURES = (*PATTERNS, "expected_gradients", "impurity", "activation", "permutation_change")


@dataclass(frozen=True)
class Ground:
    """What a replicate's explanations are judged by.

    Attributes
    ----------
    cohort : the source's people of VD and ED, by whom all models are explained.
    everyone : all of the source's people that learn.
    proxies : variants in LD with true risk SNPs in the source, see `find_proxies`.
    n_risk : number of risk SNPs with an effect.
    tested : ids of all variants that passed quality control.
    """

    cohort: Cohort
    everyone: Cohort
    proxies: pd.DataFrame
    n_risk: int
    tested: pd.Series


def make_study(seed: int) -> Study:
    """Return the default study with one phenotype of 5 risk SNPs at a heritability of .5."""
    preset = {"preset": "additive", "heritability": HERITABILITY, "risk_snps": [RISK_SNPS], "iterations": 1}
    raw = {
        "name": "interpretation",
        "seed": seed,
        "phenotypes": preset,
        "splits": {"final": 20},
        "panels": {"source": list(THRESHOLDS)},
        "transfer": {"methods": ["score_transfer"]},
        "models": {"scores": list(SCORES)},
        "outputs": {"figures": False},
    }
    return parse_study(json.dumps(raw))


def run_replicate(seed: int, networks: list[str], trainer: Trainer, folder: Path, rest: bool) -> pd.DataFrame:
    """Run one replicate and return a row for each model, panel and measure.

    Parameters
    ----------
    seed : of the study.
    networks : keys of the networks to train and explain.
    trainer : from `get_trainer`; it keeps compiled programs from one replicate to the next.
    folder : for its files, removed at the end.
    rest : explain the classical models, scores and the association as well.

    Returns
    -------
    seed; family, model, panel (``chosen`` or ``wide``), n_snps, n_read (variants that can have importance),
    accuracy (on the source's ED), people (by whom it is explained), kind, ranked, the
    columns of `Recovery`, chance_panel, chance_all, seconds
    (of the CPU, to explain), n_risk, n_lost (risk SNPs that quality control removed).
    """
    study = make_study(seed)
    filesets = {role: str(folder / role) for role in ROLES}
    genotypes.prepare_genotypes(study, filesets, folder / "alignment")
    [name] = study.phenotype_names
    learning = {role: filesets[role] for role in ("source", "target")}
    phenotypes.prepare_phenotypes(study, name, filesets, folder / "all", folder / "last", folder / "truth")
    association.control_quality(study, name, folder / "all", learning, folder / "variants", folder / "kept")
    association.test_association(study, folder / "kept", folder / "variants", learning, folder / "tests")
    association.select_panels(study, name, folder / "tests", folder / "variants", folder / "panels")
    ground = _find_ground(folder, filesets["source"])
    tests = pd.read_parquet(folder / "tests" / "source.parquet")
    panels = models.load_panels(folder / "panels", folder / "kept", {"source": filesets["source"]}, "source")
    rows = []
    if rest:
        rows.append(
            {"family": "association", "model": "allelic", "panel": "all", "kind": "p", "ranked": "variants"}
            | {"n_snps": len(tests), "chance_panel": measure_chance(ground.tested, ground.proxies)}
            | assess_association(tests, ground.proxies, ground.n_risk).to_row()
        )
        for classifier in CLASSICAL:
            fitted = [(panel, _fit(classifier, panel, seed)) for panel in panels]
            rows += _explain_family(classifier, classifier, fitted, ground, seed)
        rows += _explain_study(study, name, folder, learning, ground)
    for network in networks:
        fitted = list(_train(network, panels[:NETWORK_PANELS], trainer, study))
        rows += _explain_family(network.split("_")[0], network, fitted, ground, seed)
    everything, lost = measure_chance(ground.tested, ground.proxies), _count_lost(folder, ground)
    shutil.rmtree(folder)
    return pd.DataFrame(rows).assign(seed=seed, chance_all=everything, n_risk=ground.n_risk, n_lost=lost)


def _find_ground(folder: Path, source_folder: str) -> Ground:
    source = open_population(source_folder)
    table = read_phenotype_table(folder / "kept" / "source.tsv")
    learning = source.select(samples=source.locate_samples(table["IID"]))
    risk = read_risk_variants(folder / "truth")
    ids = list(risk.loc[risk["source_effect"] != 0, "id"])
    tested = pd.read_parquet(folder / "variants" / "variants.parquet")["id"]
    cohort = Cohort.gather(source, table)
    labels = table["phenotype"].to_numpy(dtype="int8")
    everyone = Cohort(learning, labels, (table["split"] != "TD").to_numpy(), cohort.reference)
    return Ground(cohort, everyone, find_proxies(learning, ids), len(ids), tested)


def _count_lost(folder: Path, ground: Ground) -> int:
    risk = read_risk_variants(folder / "truth")
    return int((~risk.loc[risk["source_effect"] != 0, "id"].isin(ground.tested)).sum())


def _fit(classifier: str, panel: PanelData, seed: int) -> Predictor:
    train = panel.source["TD"]
    standardiser = Standardiser.fit(train.dosages)
    estimator = fit_classifier(
        classifier,
        standardiser.transform(train.dosages),
        train.labels,
        derive_seed(seed, classifier, panel.name),
    )
    return ClassicalPredictor(panel.variants, standardiser, classifier, estimator)


def _train(
    network: str, panels: list[PanelData], trainer: Trainer, study: Study
) -> Iterator[tuple[PanelData, Predictor]]:
    by_name = {panel.name: panel for panel in panels}
    scales = {panel.name: fit_standardiser(network, panel.source["TD"].dosages) for panel in panels}
    jobs = [
        TrainingJob(
            panel.name,
            network,
            panel.source["TD"],
            panel.source["VD"],
            scales[panel.name],
            derive_seed(study.seed, network, panel.name),
        )
        for panel in panels
    ]
    training = study.training
    settings = TrainingSettings(
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        patience=training.patience,
    )
    for trained in trainer.train_networks(jobs, settings):
        panel = by_name[trained.key]
        yield panel, NetworkPredictor(panel.variants, scales[panel.name], network, None, trained.model)


def _explain_family(
    family: str, model: str, fitted: list[tuple[PanelData, Predictor]], ground: Ground, seed: int
) -> list[dict[str, Any]]:
    """Explain a family on the panel that is best on the source's ED, and on the widest."""
    judged = []
    for panel, predictor in fitted:
        chosen_by = panel.source["ED"]
        right = (predictor.score(chosen_by.dosages) > 0.5) == (chosen_by.labels == 1)
        judged.append((-round(float(right.mean()), 9), len(panel.variants), panel.name, predictor))
    judged.sort(key=lambda one: one[:3])
    rows = []
    for place, (loss, width, _, predictor) in (
        ("chosen", judged[0]),
        ("wide", max(judged, key=lambda one: one[1])),
    ):
        about = {"family": family, "model": model, "panel": place, "n_snps": width, "accuracy": -loss}
        rows += [about | row for row in _assess([predictor], [1.0], ground, seed)]
    return rows


def _assess(
    predictors: list[Predictor], weights: list[float], ground: Ground, seed: int
) -> list[dict[str, Any]]:
    read = pd.concat([_list_read(one) for one in predictors]).drop_duplicates()
    about = {"n_read": len(read), "chance_panel": measure_chance(read, ground.proxies)}
    rows = []
    for people, cohort, measures in (
        ("held out", ground.cohort, MEASURES),
        ("all", ground.everyone, PATTERNS),
    ):
        began = time.process_time()
        table = cohort.explain(predictors, weights, seed, kinds=measures, effort=EFFORT)
        spent = {"people": people, "seconds": time.process_time() - began}
        allowed = list_kinds(predictors, measures)
        found = assess_importance(table, ground.proxies, ground.n_risk, allowed).to_dict("records")
        rows += [about | spent | {str(key): value for key, value in row.items()} for row in found]
    return rows


def _list_read(predictor: Predictor) -> pd.Series:
    """Return the ids of the variants a model reads; of a score those with an effect."""
    ids = predictor.variants["id"]
    return ids[predictor.effects != 0] if isinstance(predictor, ScorePredictor) else ids


def _explain_study(
    study: Study, name: str, folder: Path, learning: dict[str, str], ground: Ground
) -> list[dict[str, Any]]:
    """Explain each polygenic score, and the one the study chooses or their mean."""
    board_file, kept = folder / "scores.parquet", folder / "scores"
    models.train_scores(study, name, folder / "kept", folder / "variants", learning, board_file, kept, _quiet)
    results.select_best(study, [str(board_file)], folder / "selection")
    board = pd.read_parquet(folder / "selection" / "leaderboard.parquet").set_index("key", drop=False)
    members = pd.read_parquet(folder / "selection" / "members.parquet")
    asked = {f"score:{row['model']}": ([row["key"]], [1.0]) for _, row in board.iterrows()}
    chosen = members[members["method"] == CHOSEN]
    asked[CHOSEN] = (list(chosen["key"]), list(chosen["weight"]))
    rows = []
    for what, (keys, weights) in asked.items():
        loaded = [load_predictor(kept / key) for key in keys]
        about = {"family": what, "model": " ".join(board.loc[keys, "model"]), "panel": "chosen"}
        about |= {"n_snps": int(board.loc[keys, "n_snps"].max())}
        rows += [about | row for row in _assess(loaded, weights, ground, study.seed)]
    return rows


def _quiet(done: int, total: int, note: str = "") -> None:
    """Hear of progress and say nothing."""
