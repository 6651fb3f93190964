"""PRS-CSx on a replicate's data, on the variants it can take in minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peer_files import Cohort
from benchmarks.peer_prscsx import META, Settings, combine, run_prscsx
from genotransfer.evaluation import evaluate_predictions
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.scores.base import take_sample
from genotransfer.scores.evidence import screen_variants
from genotransfer.splits import SPLITS
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.models import load_variants

# One phi, which did best of four on people of another replicate, and a chain of a quarter of the
# authors' length: both are what an hour allows.
PHI = 1e-4
ITERATIONS = 500
KEPT = 6000


def run_peer(checkout: Path, folder: Path, learning: dict[str, str], final: str) -> list[dict[str, Any]]:
    """Return accuracy and AUC on FD of PRS-CSx's META score on two sets of variants.

    ``prscsx`` has 6,000 variants thinned by LD without the labels; ``prscsx_screened`` the 6,000 most
    associated, as the sums of single effects have 4,000.

    Parameters
    ----------
    checkout : of PRS-CSx.
    folder : of one phenotype, with what the stages wrote.
    learning : folders of the filesets by role: source, target.
    final : folder of FD's fileset.
    """
    panel = load_variants(folder / "variants", folder / "kept", learning)
    variants = pd.read_parquet(folder / "variants" / "variants.parquet")
    cohorts = [
        Cohort(
            np.concatenate([splits[name].dosages for name in SPLITS]),
            np.concatenate([splits[name].labels for name in SPLITS]),
        )
        for splits in (panel.source, panel.target)
    ]
    samples = [
        take_sample(one.dosages.astype(np.float32), one.labels, np.ones(len(one.labels), dtype=bool))
        for one in cohorts
    ]
    table = read_phenotype_table(folder / "final" / "final.tsv")
    opened = open_population(final)
    people = opened.select(
        samples=opened.locate_samples(table["IID"]), variants=opened.locate_variants(variants["id"])
    ).read()
    labels = table["phenotype"].to_numpy(dtype=np.int8)
    settings = Settings(
        checkout=checkout, phis=(PHI,), n_kept=KEPT, n_iterations=ITERATIONS, n_burn_in=ITERATIONS // 2
    )
    rows = []
    for name, kept in (("prscsx", None), ("prscsx_screened", screen_variants(samples, KEPT)[0])):
        began = time.perf_counter()
        [posterior] = run_prscsx(cohorts[0], cohorts[1], variants, settings, kept)
        scores = combine(posterior, (META,), cohorts[1], people)
        found = evaluate_predictions(labels, scores)
        rows.append({"name": name, "accuracy": found["accuracy"], "auc": found["auc"]})
        rows.append({"name": f"seconds:{name}", "seconds": time.perf_counter() - began})
    return rows
