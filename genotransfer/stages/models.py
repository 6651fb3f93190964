"""Models of a study: classical ones for a phenotype, networks for a family, the best of each kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.baselines import Fitted, PanelData, fit_snp_transfer, fit_without_transfer
from genotransfer.candidates import Candidate, tabulate
from genotransfer.config import Study
from genotransfer.events import Progress
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.models.store import save_predictor
from genotransfer.panels import read_panels
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.selection import is_better
from genotransfer.splits import SPLITS, LabelledSamples, take_split
from genotransfer.stages.genotypes import open_population

CURVES = "curves.parquet"


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
    loaded = {}
    for role, folder in genotypes.items():
        table = read_phenotype_table(Path(phenotypes_folder) / f"{role}.tsv")
        opened = open_population(folder)
        view = opened.select(
            samples=opened.locate_samples(table["IID"]), variants=opened.locate_variants(ids)
        )
        loaded[role] = (view, view.read(), table)
    return [
        PanelData(
            str(name),
            group[["id", "counted", "other"]].reset_index(drop=True),
            _take_splits(loaded.get("source"), group["id"]),
            _take_splits(loaded.get("target"), group["id"]),
        )
        for name, group in panels.groupby("panel", sort=True)
    ]


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
    own = load_panels(panels_folder, phenotypes_folder, genotypes, "target") if "none" in methods else []
    theirs = (
        load_panels(panels_folder, phenotypes_folder, genotypes, "source")
        if "snp_transfer" in methods
        else []
    )
    total = len(classifiers) * (len(own) + len(theirs) * len(study.transfer.fit_on))

    def fit() -> Iterator[Fitted]:
        yield from fit_without_transfer(phenotype, own, classifiers, study.seed)
        yield from fit_snp_transfer(phenotype, theirs, classifiers, study.transfer.fit_on, study.seed)

    return keep_best(fit(), leaderboard, models_folder, lambda done: progress(done, total, "models"))


def keep_best(
    fitted: Iterable[Fitted], leaderboard: str | Path, models_folder: str | Path, tell: object
) -> Kept:
    """Write the leaderboard of all candidates, and save the best model of each phenotype and method.

    The best is the best by the selection rule, a total order; the best of the whole study is then
    among the best of its parts.
    """
    folder = Path(models_folder)
    folder.mkdir(parents=True, exist_ok=True)
    candidates: list[Candidate] = []
    best: dict[tuple[str, str], Candidate] = {}
    for one in fitted:
        candidates.append(one.candidate)
        place = (one.candidate.phenotype, one.candidate.method)
        leader = best.get(place)
        if leader is None or is_better(one.candidate, leader):
            save_predictor(folder / one.candidate.key, one.predictor)
            best[place] = one.candidate
            if leader is not None:
                shutil.rmtree(folder / leader.key)
        tell(len(candidates))  # type: ignore[operator]
    with replace_together(leaderboard) as [path]:
        tabulate(candidates).to_parquet(path, index=False)
    return Kept(len(candidates), len(best))


def gather_cohorts(
    phenotypes: dict[str, str], panels: dict[str, str], cohorts_folder: str | Path
) -> None:
    """Put the labels, splits and panels of all phenotypes into one folder, a subfolder for each."""
    for phenotype, folder in phenotypes.items():
        place = Path(cohorts_folder) / phenotype
        place.mkdir(parents=True, exist_ok=True)
        for source in (*Path(folder).glob("*.tsv"), Path(panels[phenotype]) / "panels.parquet"):
            shutil.copyfile(source, place / source.name)
