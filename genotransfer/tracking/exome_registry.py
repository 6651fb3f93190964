"""The registry of an exome's study: one registered model, a version a study."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.exome_cnn.bundle import PEOPLE, export_exome_bundle, name_phenotype
from genotransfer.exome_cnn.evaluation import ALL_FOLDS, PREDICTIONS, RESULTS
from genotransfer.exome_cnn.protocols import HONEST
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.final_data import hash_final
from genotransfer.tracking.client import connect, find_store
from genotransfer.tracking.decisions import FIRST, Decision
from genotransfer.tracking.locks import lock_model
from genotransfer.tracking.promotion import carry_out
from genotransfer.tracking.pyfunc import BUNDLE
from genotransfer.tracking.registry import CHAMPION, Registered, find_alias, register_bundle, write_registered


def name_exome_model(study: ExomeCnnStudy) -> str:
    """Return the name of the study's registered model, ``PREFIX-exome-PHENOTYPE``."""
    return f"{study.registry.prefix or study.name}-{PEOPLE}-{name_phenotype(study)}"


def register_exome(
    study: ExomeCnnStudy,
    tracked: str | Path,
    *,
    selection_folder: str | Path,
    models: dict[str, str],
    results_folder: str | Path,
    genotypes_folder: str | Path,
    phenotypes_folder: str | Path,
    folds_folder: str | Path,
    registered: str | Path,
) -> list[Registered]:
    """Register what the honest protocol chose as challenger; the first version is the champion too.

    A later version stays challenger: its test people may be among those who taught the champion, so that
    no comparison on them would be fair. A person decides, with `genotransfer promote`.

    Parameters
    ----------
    study : the study; ``registry`` and ``tracking`` say where and as what.
    tracked : the ids of the runs, as `genotransfer.tracking.exome.track_exome` wrote them.
    selection_folder, models, results_folder, genotypes_folder, phenotypes_folder, folds_folder : see
        `export_exome_bundle`.
    registered : where the version is written, JSON: a list of one, or of none where ``registry.enabled`` is
        false.

    Raises
    ------
    StudyError
        MLflow cannot be reached, or refused.
    """
    made: list[Registered] = []
    if study.registry.enabled:
        name = name_exome_model(study)
        run = json.loads(Path(tracked).read_text())[HONEST]
        results, people = (
            pd.read_parquet(Path(results_folder) / one).query("protocol == @HONEST")
            for one in (RESULTS, PREDICTIONS)
        )
        row = results[results["fold"] == ALL_FOLDS].iloc[0]
        row = row.rename(lambda key: "model" if key == "configuration" else f"fd_{key}")
        sha256 = hash_final(list(people["iid"]), people["phenotype"].to_numpy(dtype=np.int8))
        with connect(find_store(study.tracking.uri)) as client, tempfile.TemporaryDirectory() as temporary:
            bundle = export_exome_bundle(
                Path(temporary) / BUNDLE,
                study,
                selection_folder=selection_folder,
                models=models,
                results_folder=results_folder,
                genotypes_folder=genotypes_folder,
                phenotypes_folder=phenotypes_folder,
                folds_folder=folds_folder,
            )
            one = register_bundle(client, name, run, bundle, row, sha256)
            with lock_model(client, name) as check:
                champion = find_alias(client, name, CHAMPION)
                before = "" if champion is None else str(champion.version)
                if before in ("", one.version):
                    decision = Decision(one.phenotype, name, one.version, "promoted", FIRST, before, "")
                    carry_out(client, decision, check)
            made.append(one)
    write_registered(made, registered)
    return made
