"""Statistics of the source, where they stand for its people: read, kept beside a fileset, read again.

A study whose source is known by its statistics has in the source's folder the fileset of the
reference people, who have no phenotype, and

``statistics.parquet``
    One row a variant of the fileset, in its order, beta and frequency of its counted allele; the
    columns `genotransfer.summary.COLUMNS`. A published score has weights as beta, and no se, p and n.
``statistics.json``
    ``scale`` of beta, whether it is a ``ready`` score, and ``counts`` of the rows left out.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genotransfer.config import GenotypeFiles, StatisticsFiles, Study
from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together
from genotransfer.statistics_rules import READY, SCORE_FORMAT
from genotransfer.storage import localise
from genotransfer.summary import AlignedStatistics, SummaryStatistics, read_statistics

FILESET = "genotypes"
TABLE, ABOUT, PEOPLE = "statistics.parquet", "statistics.json", "reference.parquet"


def read_source(study: Study, settings: GenotypeFiles, source: StatisticsFiles) -> SummaryStatistics:
    """Read the statistics of a study's source, and check that the study can use them.

    Raises
    ------
    InputError
        The file is a published score and the study learns from statistics, or the other way round, or
        nothing says how many people were studied.
    """
    with ExitStack() as opened:
        paths = [opened.enter_context(localise(settings.resolve(path))) for path in source.statistics]
        statistics = read_statistics(
            paths, form=source.format, columns=source.columns or None, n=source.samples
        )
    first = settings.resolve(source.statistics[0])
    learnt = [name for name in study.models.scores if name != READY]
    uses = {"none": "", "snp_transfer": "panels of SNP transfer", "score_transfer": ", ".join(learnt)}
    wanted = [uses[method] for method in study.transfer.methods if uses[method]]
    if statistics.ready and wanted:
        raise InputError(
            f"this is a published score, which has no p-values and standard errors for {' and '.join(wanted)}",
            remedy=f"Set genotypes.source.format to {SCORE_FORMAT}, and name no such methods and scores",
            file=first,
        )
    if not statistics.ready and READY in study.models.scores and "score_transfer" in study.transfer.methods:
        raise InputError(
            "these are statistics, and models.scores has 'ready', which takes a published score",
            remedy="Take 'ready' out of models.scores",
            file=first,
        )
    unknown = int((~(statistics.variants["n"] > 2)).sum())
    if unknown and not statistics.ready:
        raise InputError(
            f"{unknown} of {len(statistics.variants)} variants do not say how many people were studied",
            remedy="Set genotypes.source.samples to their number, or name the column under "
            "genotypes.source.columns.n",
            file=first,
        )
    return statistics


def describe_alignment(study: Study, source: StatisticsFiles, aligned: AlignedStatistics) -> dict[str, Any]:
    """Return what the report says of statistics and their alignment, by name; log what it warns of."""
    counts: dict[str, Any] = {
        f"statistics: {reason}": count for reason, count in aligned.statistics.counts.items()
    }
    counts |= {f"statistics aligned: {reason}": count for reason, count in aligned.report.items()}
    if source.reference is None:
        counts["warning"] = warn_of_reference(study)
        print(f"Warning: {counts['warning']}", flush=True)
    return counts


def warn_of_reference(study: Study) -> str:
    """Return what to know of a study without a reference of the source's population."""
    return (
        f"The statistics are of {study.source}, and how variants go together is taken from {study.target}'s own "
        "people: LD of another population, and of few people, costs accuracy. Give genotypes.source.reference."
    )


def write_source(folder: str | Path, statistics: SummaryStatistics) -> None:
    """Write aligned statistics into the folder of the source's fileset."""
    about = {"scale": statistics.scale, "ready": statistics.ready, "counts": dict(statistics.counts)}
    with replace_together(Path(folder) / TABLE, Path(folder) / ABOUT) as [table, facts]:
        statistics.variants.to_parquet(table, index=False)
        facts.write_text(json.dumps(about, indent=1))


def open_source(folder: str | Path, ids: pd.Series) -> SummaryStatistics:
    """Read what `write_source` wrote, of some variants, by id, in the order given."""
    about = json.loads((Path(folder) / ABOUT).read_text())
    statistics = SummaryStatistics(pd.read_parquet(Path(folder) / TABLE), **about)
    named = statistics.variants["id"]
    first = named[~named.duplicated()]  # quality control keeps the first of several
    at = first.index.to_numpy()[pd.Index(first).get_indexer(pd.Index(ids))]
    return statistics.select(at.astype(np.int64))


def write_reference(folder: str | Path, iids: pd.Series) -> None:
    """Write which of the reference people passed quality control, beside the variants that did."""
    with replace_together(Path(folder) / PEOPLE) as [path]:
        iids.rename("iid").to_frame().to_parquet(path, index=False)


def read_reference(folder: str | Path) -> pd.Series:
    """Return the ids that `write_reference` wrote."""
    people: pd.Series = pd.read_parquet(Path(folder) / PEOPLE)["iid"]
    return people


def tabulate_association(statistics: SummaryStatistics) -> pd.DataFrame:
    """Return statistics in the columns of PLINK's ``.assoc.linear``; A1 is the counted allele."""
    table = statistics.variants
    return pd.DataFrame(
        {
            "CHR": table["chromosome"],
            "SNP": table["id"],
            "BP": table["position"],
            "A1": table["counted"],
            "A2": table["other"],
            "TEST": "ADD",
            "NMISS": table["n"],
            "BETA": table["beta"],
            "SE": table["se"],
            "STAT": table["beta"] / table["se"],
            "P": table["p"],
        }
    )
