"""A bundle: a folder with a phenotype's chosen model and all that is needed to apply it elsewhere.

``bundle.json``
    `BundleFacts`: what it is, its members, what FD measured, and the sha256 of every other file.
``learners.parquet``
    Prints of the target's people that learnt, see `genotransfer.prediction.prints`.
``variants.parquet``, ``calibration.parquet``, ``ancestry.parquet``
    The tables of `genotransfer.prediction.opened.Bundle`.
``models/0``, ``models/1``, ...
    The saved predictors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.candidates import CHOSEN
from genotransfer.config import Study
from genotransfer.counts import find_autosomal
from genotransfer.errors import StudyError
from genotransfer.formats.chromosomes import name_chromosomes
from genotransfer.models.store import check_replaceable, load_predictor
from genotransfer.prediction.ancestry import PEOPLE, describe_people, spread_evenly, thin_variants
from genotransfer.prediction.calibration import measure_calibration, tabulate_calibration
from genotransfer.prediction.facts import (
    ANCESTRY,
    CALIBRATION,
    LEARNERS,
    MANIFEST,
    VARIANTS,
    AncestryFacts,
    BundleFacts,
    CalibrationFacts,
    FinalEvaluation,
    describe_final,
    read_facts,
)
from genotransfer.prediction.opened import VARIANT_COLUMNS, Bundle, load_bundle
from genotransfer.prediction.people import People, measure_frequencies, read_people
from genotransfer.prediction.prints import print_people
from genotransfer.prediction.writing import write_bundle
from genotransfer.stages.genotypes import name_build, open_population

__all__ = ["Bundle", "BundleFacts", "export_bundle", "load_bundle", "read_facts"]

# Autosomal variants, evenly spaced in the file, among which those of ancestry are sought.
SURVEYED = 30_000
CHROMOSOMES = {name: at for at, name in enumerate([*map(str, range(1, 23)), "X", "Y", "XY", "MT", "0"])}


def export_bundle(
    folder: str | Path,
    study: Study,
    phenotype: str,
    *,
    selection_folder: str | Path,
    results_folder: str | Path | None,
    models: dict[str, str],
    genotypes: dict[str, str],
    phenotypes_folder: str | Path,
    method: str = CHOSEN,
) -> Bundle:
    """Write a phenotype's model as a bundle, whole or not at all, and open it.

    A bundle that is already there is replaced.

    Parameters
    ----------
    folder : where the bundle is written.
    study : the study that chose the model.
    phenotype : its name within the study, e.g. ``5_1``.
    selection_folder : what `genotransfer.stages.results.select_best` wrote.
    results_folder : what `evaluate_final` wrote; None where FD was not read.
    models : folders of saved models by part.
    genotypes : folders of the filesets by role: source, target, and with results final.
    phenotypes_folder : the people that passed quality control, with their splits.
    method : one of `genotransfer.candidates.RESULT_METHODS`.

    Raises
    ------
    StudyError
        The study has no such phenotype, or no model of it by this method.
    InputError
        `folder` holds something other than a bundle, or a file cannot be read.
    """
    folder = Path(folder)
    chosen = _find_members(study, phenotype, method, Path(selection_folder))
    check_replaceable(folder, MANIFEST)
    everyone = {role: read_people(Path(phenotypes_folder), genotypes, role) for role in ("target", "source")}
    saved = [Path(models[one["part"]]) / one["key"] for one in chosen.to_dict("records")]
    predictors = [load_predictor(one) for one in saved]
    ids = pd.concat([one.variants["id"] for one in predictors]).drop_duplicates()
    at = _choose_variants(everyone["target"].genotypes.variants, ids)
    people = {role: one.take_variants(at) for role, one in everyone.items()}
    table = _tabulate_variants(people, genotypes)
    ancestry, described, prints = _prepare_ancestry(table, people)
    labels, scores, final = _read_final(results_folder, phenotype, method, genotypes)
    return write_bundle(
        folder,
        chosen,
        saved,
        {
            VARIANTS: table[table["id"].isin(ids)],
            CALIBRATION: tabulate_calibration(labels, scores),
            ANCESTRY: ancestry,
            LEARNERS: pd.DataFrame({"print": prints}, dtype=str),
        },
        study=study.name,
        phenotype=phenotype,
        source=study.source,
        target=study.target,
        method=method,
        build=name_build(study),
        n_source=len(people["source"].labels),
        n_target=len(people["target"].labels),
        n_target_cases=int(people["target"].labels.sum()),
        imputation=_name_imputation(predictors, list(chosen["fit_on"])),
        final=final,
        calibration=measure_calibration(labels, scores)
        if final
        else CalibrationFacts(intercept=None, slope=None, brier=None),
        ancestry=described,
    )


def _find_members(study: Study, phenotype: str, method: str, selection: Path) -> pd.DataFrame:
    """Return the models behind a choice: key, method, model, fit_on, weight and part."""
    if phenotype not in study.phenotype_names:
        raise StudyError(
            f"The study {study.name!r} has no phenotype {phenotype!r}. "
            f"Name one of: {', '.join(study.phenotype_names)}."
        )
    members = pd.read_parquet(selection / "members.parquet")
    mine = members[(members["phenotype"] == phenotype) & (members["method"] == method)]
    if not len(mine):
        known = sorted(set(members.loc[members["phenotype"] == phenotype, "method"]))
        raise StudyError(
            f"The study {study.name!r} has no model of {phenotype} by {method!r}. "
            f"Name one of: {', '.join(known)}."
        )
    board = pd.read_parquet(selection / "leaderboard.parquet", columns=["key", "method", "model", "fit_on"])
    return mine[["key", "weight", "part"]].merge(board.drop_duplicates("key"), on="key", how="left")


def _choose_variants(variants: pd.DataFrame, ids: pd.Series) -> Int64[np.ndarray, " k"]:
    """Return positions, in genome order, of the model's variants and of those ancestry is sought among.

    Millions of variants are not counted: these are enough, and are the same whatever the model.
    """
    chosen = variants["id"].isin(ids).to_numpy(copy=True)
    autosomal = np.flatnonzero(find_autosomal(variants["chromosome"]))
    chosen[autosomal[spread_evenly(len(autosomal), SURVEYED)]] = True
    at = np.flatnonzero(chosen)
    some = variants.iloc[at]
    names = name_chromosomes(some["chromosome"])
    rank = names.map(CHROMOSOMES).fillna(len(CHROMOSOMES))
    order = pd.DataFrame({"rank": rank, "name": names, "position": some["position"], "id": some["id"]})
    order = order.reset_index(drop=True).sort_values(["rank", "name", "position", "id"], kind="stable")
    return np.asarray(at[order.index.to_numpy()], dtype=np.int64)


def _tabulate_variants(people: dict[str, People], genotypes: dict[str, str]) -> pd.DataFrame:
    frequencies = {role: measure_frequencies(one, genotypes[role]) for role, one in people.items()}
    table = people["target"].genotypes.variants.assign(
        frequency=frequencies["target"], source_frequency=frequencies["source"]
    )
    return table[VARIANT_COLUMNS]


def _prepare_ancestry(
    table: pd.DataFrame, people: dict[str, People]
) -> tuple[pd.DataFrame, AncestryFacts, list[str]]:
    """Return the ancestry table, where the populations' people stand, and prints of the target's."""
    filesets = [one.genotypes for one in people.values() if len(one.labels)]
    frequencies = [table[name].to_numpy(dtype=np.float64) for name in ("frequency", "source_frequency")]
    at = thin_variants(filesets, frequencies, find_autosomal(table["chromosome"]))
    chosen = table.iloc[at].reset_index(drop=True)
    # One after the other, the target first.
    target, *source = [one.select(samples=spread_evenly(one.n_samples, PEOPLE)).read(at) for one in filesets]
    sizes = (len(people["target"].labels), len(people["source"].labels))
    described = describe_people(chosen, target, source[0] if source else None, sizes)
    return chosen, described, print_people(people["target"].genotypes.read(at))


def _read_final(
    results_folder: str | Path | None, phenotype: str, method: str, genotypes: dict[str, str]
) -> tuple[np.ndarray, np.ndarray, FinalEvaluation | None]:
    """Return FD's labels and probabilities, and what was measured on them."""
    if results_folder is None:
        return np.empty(0, dtype=np.int8), np.empty(0), None
    tables = [
        pd.read_parquet(Path(results_folder) / f"{name}.parquet") for name in ("results", "predictions")
    ]
    rows, people = (one[(one["phenotype"] == phenotype) & (one["method"] == method)] for one in tables)
    if len(rows) != 1 or not len(people):
        raise StudyError(
            f"The results have {len(rows)} rows and {len(people)} predictions of {phenotype} by {method!r}. "
            "Give the results of the same study as the selection."
        )
    row = rows.iloc[0].filter(like="fd_")
    measured = row.set_axis(row.index.str.removeprefix("fd_"))
    final = describe_final(dict(measured), open_population(genotypes["final"]).hash_contents())
    return people["label"].to_numpy(np.int8), people["score"].to_numpy(np.float64), final


def _name_imputation(
    predictors: list[Any], fit_on: list[str]
) -> Literal["target mean", "source mean", "most common genotype", "model mean"]:
    """Say whose mean a missing dosage counts as: networks stand on the scale of the source."""
    named: set[Literal["target mean", "source mean", "most common genotype"]] = set()
    for one, learnt in zip(predictors, fit_on, strict=True):
        of_target = one.kind == "score" or (one.kind == "classical" and learnt == "target")
        if one.standardiser.counts_copies:
            named.add("most common genotype")
        else:
            named.add("target mean" if of_target else "source mean")
    return named.pop() if len(named) == 1 else "model mean"
