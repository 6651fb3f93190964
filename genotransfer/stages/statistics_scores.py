"""Scores of a study whose source is known by its statistics: from a task's folders to a learner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.config import StatisticsFiles
from genotransfer.genotypes import Genotypes
from genotransfer.models.standardise import impute_means
from genotransfer.scores.summary_sample import make_summary_sample
from genotransfer.stages.statistics import FILESET, open_source, read_reference
from genotransfer.summary_transfer import ReadyLearner, SummaryLearner


def load_statistics(
    source: StatisticsFiles, variants_folder: str | Path, folder: str | Path
) -> SummaryLearner | ReadyLearner:
    """Return what learns the scores of a study whose source is known by its statistics.

    Parameters
    ----------
    source : its settings.
    variants_folder : with the variants and the reference people that passed quality control.
    folder : of the source, with the statistics and the reference's fileset.
    """
    ids = pd.read_parquet(Path(variants_folder) / "variants.parquet")["id"]
    statistics = open_source(folder, ids)
    if statistics.ready:
        return ReadyLearner(statistics.variants["beta"].to_numpy(dtype=np.float64))
    people = Genotypes.open(Path(folder) / FILESET)
    view = people.select(
        samples=people.locate_samples(read_reference(variants_folder)), variants=people.locate_variants(ids)
    )
    return SummaryLearner(
        make_summary_sample(
            statistics,
            impute_means(view.read()),
            same_people=source.same_people,
            same_population=source.reference is not None,
            case_share=source.case_share,
        )
    )
