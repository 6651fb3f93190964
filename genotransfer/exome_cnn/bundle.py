"""The networks of an exome's study as a bundle, which `genotransfer predict` takes anywhere.

Of each fold the network that the honest protocol chose; their log odds are averaged. What the bundle says
of itself was measured on the test people, each predicted by the network of the fold that set them apart.
That is no measure of how well the average is calibrated, so that a bundle of several folds tells none.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.counts import find_frequencies
from genotransfer.errors import StudyError
from genotransfer.exome_cnn.choice import CHOSEN
from genotransfer.exome_cnn.evaluation import ALL_FOLDS, PREDICTIONS, RESULTS
from genotransfer.exome_cnn.folds import read_folds
from genotransfer.exome_cnn.preparing import open_exome, read_labels
from genotransfer.exome_cnn.protocols import HONEST, TRAINING, VALIDATION
from genotransfer.exome_cnn.settings import ExomeCnnStudy, ExomeFiles
from genotransfer.models.networks import reads_genotypes
from genotransfer.models.store import check_replaceable
from genotransfer.prediction.calibration import measure_calibration, tabulate_calibration
from genotransfer.prediction.facts import (
    ANCESTRY,
    CALIBRATION,
    LEARNERS,
    MANIFEST,
    VARIANTS,
    AncestryFacts,
    CalibrationFacts,
    describe_final,
)
from genotransfer.prediction.opened import VARIANT_COLUMNS, Bundle
from genotransfer.prediction.writing import write_bundle

# What the people of a study stand for, where other studies have a population.
PEOPLE = "exome"


def name_phenotype(study: ExomeCnnStudy) -> str:
    """Return what the study's phenotype is called in the names of models, e.g. ``scz``; ``case`` if simulated.

    Letters that names of models do not have become ``_``, with digits of a hash to tell columns apart.
    """
    column = study.exome.column if isinstance(study.exome, ExomeFiles) else "case"
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", column)
    return name if name == column else f"{name}-{hashlib.sha256(column.encode()).hexdigest()[:6]}"


def export_exome_bundle(
    folder: str | Path,
    study: ExomeCnnStudy,
    *,
    selection_folder: str | Path,
    models: dict[str, str],
    results_folder: str | Path,
    genotypes_folder: str | Path,
    phenotypes_folder: str | Path,
    folds_folder: str | Path,
) -> Bundle:
    """Write what the honest protocol chose as a bundle, whole or not at all, and open it.

    A bundle that is already there is replaced.

    Parameters
    ----------
    folder : where the bundle is written.
    study : the study that chose.
    selection_folder : from `genotransfer.exome_cnn.choice.choose_networks`.
    models : folders of kept networks that `train_form` wrote, by form.
    results_folder : from `genotransfer.exome_cnn.evaluation.evaluate_networks`.
    genotypes_folder, phenotypes_folder : from `genotransfer.exome_cnn.preparing.prepare_exome`.
    folds_folder : from `genotransfer.exome_cnn.folds.split_exome`.

    Raises
    ------
    StudyError
        A network was not kept.
    InputError
        `folder` holds something other than a bundle, or a file cannot be read.
    """
    folder = Path(folder)
    check_replaceable(folder, MANIFEST)
    chosen = pd.read_parquet(Path(selection_folder) / CHOSEN)
    chosen = chosen[chosen["protocol"] == HONEST].reset_index(drop=True)
    keys = zip(chosen["form"].astype(str), chosen["fold"].astype(str), strict=True)
    saved = [Path(models.get(form, "")) / fold for form, fold in keys]
    for path in saved:
        if not path.is_dir():
            raise StudyError(
                f"The run kept no network of fold {path.name}: earlier releases did not. Run the study again."
            )
    genotypes, labels = open_exome(genotypes_folder), read_labels(phenotypes_folder)
    folds = list(read_folds(folds_folder, [HONEST]))
    iids = pd.concat([fold.take_people(TRAINING, VALIDATION)["iid"] for fold in folds]).drop_duplicates()
    learners = np.sort(genotypes.locate_samples(iids))
    ids = pd.concat([fold.variants["id"] for fold in folds]).drop_duplicates()
    at = np.sort(genotypes.locate_variants(ids))
    people = genotypes.select(samples=learners, variants=at)
    table = people.variants.assign(frequency=find_frequencies(people), source_frequency=np.nan)[
        VARIANT_COLUMNS
    ]
    results, predictions = (
        pd.read_parquet(Path(results_folder) / name).query("protocol == @HONEST")
        for name in (RESULTS, PREDICTIONS)
    )
    measured = results[results["fold"] == ALL_FOLDS].iloc[0]
    truth, scores = predictions["phenotype"].to_numpy(np.int8), predictions["score"].to_numpy(np.float64)
    if len(chosen) > 1:
        # Of single networks, whose probabilities spread more than those of their average.
        truth, scores = truth[:0], scores[:0]
    missing = {"most common genotype" if reads_genotypes(one) else "target mean" for one in chosen["network"]}
    return write_bundle(
        folder,
        chosen.assign(
            key=chosen["fold"], method=HONEST, model=chosen["configuration"], weight=1 / len(chosen)
        ),
        saved,
        {
            VARIANTS: table,
            CALIBRATION: tabulate_calibration(truth, scores),
            ANCESTRY: table.iloc[:0],
            LEARNERS: pd.DataFrame({"print": []}, dtype=str),
        },
        study=study.name,
        phenotype=name_phenotype(study),
        source="",
        target=PEOPLE,
        method=HONEST,
        build="",
        n_source=0,
        n_target=len(learners),
        n_target_cases=int(labels[learners].sum()),
        imputation=missing.pop() if len(missing) == 1 else "model mean",
        final=describe_final(dict(measured), genotypes.hash_contents()),
        calibration=measure_calibration(truth, scores)
        if len(truth)
        else CalibrationFacts(intercept=None, slope=None, brier=None),
        ancestry=AncestryFacts(
            n_variants=0, target_mean=None, target_sd=None, source_mean=None, source_sd=None
        ),
    )
