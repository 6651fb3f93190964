"""Models of a study: classical ones for a phenotype, networks for a family, the best of each kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from genotransfer.baselines import Fitted, PanelData, fit_snp_transfer, fit_without_transfer
from genotransfer.candidates import (
    ADAPTED,
    CHAMPION_SCORE,
    DEEP_METHODS,
    NETWORK_METHODS,
    SCORES_METHOD,
    Candidate,
    tabulate,
)
from genotransfer.config import Study
from genotransfer.events import Progress
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.models.store import save_predictor
from genotransfer.panels import read_panels
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.selection import is_better
from genotransfer.splits import SPLITS, LabelledSamples, take_split
from genotransfer.stages.curves import CurveBook
from genotransfer.stages.genotypes import open_population
from genotransfer.training.jobs import TrainedNetwork, TrainingSettings

if TYPE_CHECKING:
    from genotransfer.score_transfer import Learner


@dataclass(frozen=True)
class Kept:
    """How many candidates a task fitted, and how many models it kept."""

    n_candidates: int
    n_models: int


def load_panels(
    panels_folder: str | Path,
    phenotypes_folder: str | Path,
    genotypes: dict[str, str],
    population: str,
) -> list[PanelData]:
    """Read the panels of the source or the target, with the dosages of each population given.

    Parameters
    ----------
    panels_folder, phenotypes_folder : what earlier stages wrote for one phenotype.
    genotypes : folders of the filesets by role: source, target or both.
    population : whose panels.
    """
    panels = read_panels(Path(panels_folder) / "panels.parquet")
    panels = panels[panels["population"] == population]
    ids = panels["id"].drop_duplicates()
    loaded = {role: _load(phenotypes_folder, role, folder, ids) for role, folder in genotypes.items()}
    return [
        PanelData(
            str(name),
            group[["id", "counted", "other"]].reset_index(drop=True),
            _take_splits(loaded.get("source"), group["id"]),
            _take_splits(loaded.get("target"), group["id"]),
        )
        for name, group in panels.groupby("panel", sort=True)
    ]


def load_variants(
    variants_folder: str | Path, phenotypes_folder: str | Path, genotypes: dict[str, str]
) -> PanelData:
    """Read all variants that passed quality control as one panel, ``all``, with each population given.

    Parameters
    ----------
    variants_folder, phenotypes_folder : what earlier stages wrote for one phenotype.
    genotypes : folders of the filesets by role: source, target or both.
    """
    kept = pd.read_parquet(Path(variants_folder) / "variants.parquet")
    splits = {
        role: _take_splits(_load(phenotypes_folder, role, folder, kept["id"]), kept["id"])
        for role, folder in genotypes.items()
    }
    variants = kept[["id", "counted", "other"]].reset_index(drop=True)
    return PanelData("all", variants, splits.get("source", {}), splits.get("target", {}))


def _load(
    phenotypes_folder: str | Path, role: str, folder: str, ids: pd.Series
) -> tuple[Genotypes, np.ndarray, pd.DataFrame]:
    table = read_phenotype_table(Path(phenotypes_folder) / f"{role}.tsv")
    opened = open_population(folder)
    view = opened.select(samples=opened.locate_samples(table["IID"]), variants=opened.locate_variants(ids))
    return view, view.read(), table


def _take_splits(
    loaded: tuple[Genotypes, np.ndarray, pd.DataFrame] | None, ids: pd.Series
) -> dict[str, LabelledSamples]:
    if loaded is None:
        return {}
    view, dosages, table = loaded
    columns = dosages[:, view.locate_variants(ids)]
    return {split: take_split(columns, table, split) for split in SPLITS}


def train_baselines(
    study: Study,
    phenotype: str,
    phenotypes_folder: str | Path,
    panels_folder: str | Path,
    genotypes: dict[str, str],
    leaderboard: str | Path,
    models_folder: str | Path,
    progress: Progress,
) -> Kept:
    """Fit the classical models without transfer and with SNP transfer; keep the best of each method."""
    methods, classifiers = study.transfer.methods, study.models.classical
    # Models without transfer see nothing of the source, not even in how their ties are resolved.
    alone = {"target": genotypes["target"]}
    own = load_panels(panels_folder, phenotypes_folder, alone, "target") if "none" in methods else []
    # A source known by its statistics chose the panels, and has nobody to be judged on.
    known = genotypes if study.statistics is None else alone
    theirs = (
        load_panels(panels_folder, phenotypes_folder, known, "source") if "snp_transfer" in methods else []
    )
    total = len(classifiers) * (len(own) + len(theirs) * len(study.transfer.fit_on))

    def fit() -> Iterator[Fitted]:
        yield from fit_without_transfer(phenotype, own, classifiers, study.seed)
        yield from fit_snp_transfer(phenotype, theirs, classifiers, study.transfer.fit_on, study.seed)

    return keep_best(fit(), leaderboard, models_folder, _count_models(progress, total))


def train_scores(
    study: Study,
    phenotype: str,
    phenotypes_folder: str | Path,
    variants_folder: str | Path,
    genotypes: dict[str, str],
    leaderboard: str | Path,
    models_folder: str | Path,
    progress: Progress,
) -> Kept:
    """Learn polygenic scores from all variants that passed quality control; keep all of them.

    Parameters
    ----------
    phenotypes_folder, variants_folder : what earlier stages wrote for the phenotype.
    genotypes : folders of the filesets by role: source and target. Of a source known by its statistics
        they and the reference people are read.
    """
    from genotransfer.score_transfer import fit_scores
    from genotransfer.stages.statistics_scores import load_statistics

    names = study.models.scores if SCORES_METHOD in study.transfer.methods else []
    total = len(names) + (len(names) > 1)  # and the stack of several

    def fit() -> Iterator[Fitted]:
        if not names:
            return
        if study.statistics is None:
            champion = CHAMPION_SCORE in names
            of = {"target": genotypes["target"]} if champion else genotypes
            panel = load_variants(variants_folder, phenotypes_folder, of)
            people = _load_champion(study, phenotype, panel) if champion else None
            yield from fit_scores(phenotype, panel, names, study.seed, study.models.folds, people)
            return
        panel = load_variants(variants_folder, phenotypes_folder, {"target": genotypes["target"]})
        learner = load_statistics(study.statistics, variants_folder, genotypes["source"])
        yield from fit_scores(phenotype, panel, names, study.seed, study.models.folds, learner)

    return keep_best(fit(), leaderboard, models_folder, _count_models(progress, total), keep_all=True)


def _load_champion(study: Study, phenotype: str, panel: PanelData) -> Learner:
    """Return a learner that starts from the phenotype's champion, aligned to the variants there are."""
    from genotransfer.score_transfer import ChampionLearner
    from genotransfer.stages.champions import load_effects

    place = study.models.champions[phenotype]
    return ChampionLearner(load_effects(place, study.tracking.uri, panel.variants))


def keep_best(
    fitted: Iterable[Fitted],
    leaderboard: str | Path,
    models_folder: str | Path,
    tell: Callable[[Fitted], None],
    curves: CurveBook | None = None,
    keep_all: bool = False,
) -> Kept:
    """Write the leaderboard of all candidates, and save the best model of each phenotype and method.

    The best is the best by the selection rule, a total order; the best of the whole study is then
    among the best of its parts. The learning curves of all of them go beside the models.

    Parameters
    ----------
    fitted : candidates, those of a phenotype one after another.
    keep_all : save every model, not the best of each method only.
    """
    folder = Path(models_folder)
    folder.mkdir(parents=True, exist_ok=True)
    candidates: list[Candidate] = []
    n_models = 0
    for _, of_phenotype in groupby(fitted, key=lambda one: one.candidate.phenotype):
        # A leader's model is made when it has been beaten by none.
        leaders: dict[str, Fitted] = {}
        for one in of_phenotype:
            candidates.append(one.candidate)
            place = one.candidate.key if keep_all else one.candidate.method
            leader = leaders.get(place)
            if leader is None or is_better(one.candidate, leader.candidate):
                leaders[place] = one
            if curves is not None:
                curves.add(one)
            tell(one)
        for leader in leaders.values():
            save_predictor(folder / leader.candidate.key, leader.predictor)
        n_models += len(leaders)
    if curves is not None:
        curves.write(folder)
    with replace_together(leaderboard) as [path]:
        tabulate(candidates).to_parquet(path, index=False)
    return Kept(len(candidates), n_models)


def gather_cohorts(phenotypes: dict[str, str], panels: dict[str, str], cohorts_folder: str | Path) -> None:
    """Put the labels, splits and panels of all phenotypes into one folder, a subfolder for each."""
    for phenotype, folder in phenotypes.items():
        place = Path(cohorts_folder) / phenotype
        place.mkdir(parents=True, exist_ok=True)
        for source in (*Path(folder).glob("*.tsv"), Path(panels[phenotype]) / "panels.parquet"):
            shutil.copyfile(source, place / source.name)


def train_source_models(
    study: Study,
    family: str,
    cohorts_folder: str | Path,
    source_folder: str | Path,
    models_folder: str | Path,
    progress: Progress,
) -> int:
    """Train the networks of one family on the source, for all phenotypes and panels.

    Returns
    -------
    The number of networks trained.
    """
    from genotransfer.models.source_models import save_source_models
    from genotransfer.training.api import get_trainer
    from genotransfer.transfer import train_source_networks

    networks = study.networks_of(family)
    cohorts = list(_list_cohorts(study, cohorts_folder)) if networks else []
    widths = [width for _, place in cohorts for width in _measure_panels(place)]
    trainer = get_trainer(study.training.trainer, widths)
    total = len(networks) * len(widths)
    tell = _count_up(progress, total)
    save_source_models(
        models_folder,
        (
            model
            for phenotype, place in cohorts
            for model in train_source_networks(
                phenotype,
                load_panels(place, place, {"source": str(source_folder)}, "source"),
                networks,
                trainer,
                _choose_settings(study),
                study.seed,
                window=study.training.window,
                allow_many_steps=study.training.allow_many_steps,
                progress=tell,
            )
        ),
    )
    return total


def transfer_models(
    study: Study,
    family: str,
    cohorts_folder: str | Path,
    sources_folder: str | Path,
    genotypes: dict[str, str],
    leaderboard: str | Path,
    models_folder: str | Path,
    progress: Progress,
) -> Kept:
    """Transfer the networks of one family to the target; keep the best of each phenotype and method."""
    from genotransfer.adaptation import adapt_networks
    from genotransfer.models.networks import count_trainable_depths
    from genotransfer.models.source_models import load_source_models
    from genotransfer.training.adapter import MinimaxTrainer
    from genotransfer.training.api import get_trainer
    from genotransfer.training.forward import ForwardRunner
    from genotransfer.training.minimax import MinimaxRule
    from genotransfer.transfer import transfer_networks

    sources = load_source_models(sources_folder)
    # The same widths as in training, so the same programs.
    widths = sources.table.drop_duplicates(["phenotype", "panel"])["n_variants"].tolist()
    settings = _choose_settings(study)
    trainer, runner = get_trainer(study.training.trainer, widths), ForwardRunner()
    adapter = MinimaxTrainer(settings, MinimaxRule(study.transfer.entropy_weight, study.transfer.temperature))
    networks = study.networks_of(family)
    methods = [method for method in study.transfer.methods if method in NETWORK_METHODS]
    papers = [method for method in methods if method in DEEP_METHODS]
    per_network: dict[str, Callable[[str], int]] = {
        "deep_simple": lambda _: 1,
        "deep_pretrained": lambda _: len(study.models.classical),
        "deep_finetuned": count_trainable_depths,
        ADAPTED: lambda _: 1,
    }
    each = sum(per_network[method](network) for method in methods for network in networks)

    def transfer() -> Iterator[Fitted]:
        for phenotype, place in _list_cohorts(study, cohorts_folder) if networks else ():
            panels = load_panels(place, place, genotypes, "source")
            if papers:
                yield from transfer_networks(
                    phenotype,
                    panels,
                    sources,
                    networks,
                    trainer,
                    settings,
                    study.seed,
                    methods=papers,
                    classifiers=study.models.classical,
                    runner=runner,
                )
            if ADAPTED in methods:
                yield from adapt_networks(
                    phenotype,
                    panels,
                    sources,
                    networks,
                    settings,
                    study.seed,
                    trainer=adapter,
                    runner=runner,
                )

    total = each * len(sources.table) // max(len(networks), 1)
    book = CurveBook(sources.curves)
    return keep_best(transfer(), leaderboard, models_folder, _count_models(progress, total), book)


def _list_cohorts(study: Study, cohorts_folder: str | Path) -> Iterator[tuple[str, Path]]:
    for phenotype in study.phenotype_names:
        yield phenotype, Path(cohorts_folder) / phenotype


def _measure_panels(folder: Path) -> list[int]:
    """Return the number of variants of each of the source's panels."""
    panels = read_panels(folder / "panels.parquet")
    return panels[panels["population"] == "source"].groupby("panel").size().tolist()


def _choose_settings(study: Study) -> TrainingSettings:
    training = study.training
    return TrainingSettings(
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        schedule=training.schedule,
        decay=training.decay,
        plateau_factor=training.plateau_factor,
        plateau_patience=training.plateau_patience,
        patience=training.patience,
        threads=training.threads,
        memory_gib=training.memory_gib,
        precision=training.precision,
    )


def _count_up(progress: Progress, total: int) -> Callable[[TrainedNetwork], None]:
    done = 0

    def tell(trained: TrainedNetwork) -> None:
        nonlocal done
        done += 1
        progress(done, total, f"networks, loss {trained.best_loss:.3f}")

    return tell


def _count_models(progress: Progress, total: int) -> Callable[[Fitted], None]:
    done, loss = 0, ""

    def tell(one: Fitted) -> None:
        nonlocal done, loss
        done += 1
        if one.curve is not None:
            loss = f", loss {one.curve['val_loss'].min():.3f}"
        progress(done, total, f"models{loss}")

    return tell
