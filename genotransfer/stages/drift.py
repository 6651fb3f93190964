"""Drift of new people: measured with the champions, before anybody learns from them."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from genotransfer.config import GenotypeFiles, PhenotypeFiles, Study
from genotransfer.formats.convert import open_genotypes
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_columns, read_phenotypes
from genotransfer.prediction.opened import Bundle, load_bundle
from genotransfer.prediction.scoring import score_genotypes
from genotransfer.retraining.drift import (
    FrequencyDrift,
    ScoreDrift,
    describe_drift,
    measure_frequency_drift,
    measure_score_drift,
)
from genotransfer.retraining.landing import PHENOTYPES
from genotransfer.retraining.plan import FINAL, ORIGIN, Landing
from genotransfer.storage import join_uri, localise
from genotransfer.tracking import fetch_bundle
from genotransfer.tracking.client import connect, find_uri
from genotransfer.tracking.registry import CHAMPION, find_alias, name_model


@dataclass(frozen=True)
class MeasuredDrift:
    """Drift of allele frequencies, and of each champion's scores by phenotype."""

    frequencies: FrequencyDrift
    scores: dict[str, ScoreDrift]

    def list_metrics(self) -> dict[str, float]:
        """Return the numbers that are defined, by name."""
        numbers = {f"frequency_{name}": float(value) for name, value in asdict(self.frequencies).items()}
        for phenotype, one in self.scores.items():
            numbers |= {f"{phenotype}_{name}": float(value) for name, value in asdict(one).items()}
        return {name: value for name, value in numbers.items() if np.isfinite(value)}

    def write_metrics(self, path: str | Path) -> None:
        """Write the numbers as JSON; KFP's cache wants a file behind each artifact."""
        with replace_together(path) as [temporary]:
            temporary.write_text(json.dumps(self.list_metrics(), indent=1))


def measure_drift(
    study: Study, landing: str | Path, folder: str | Path, summary: str | Path
) -> MeasuredDrift:
    """Compare the new people with those before: allele frequencies, and the champions' scores.

    New people of FD are left aside: nothing looks at them before the final evaluation.

    Parameters
    ----------
    study : as planned by the retraining.
    landing : what the retraining found.
    folder : where ``drift.json`` and ``variants.parquet`` are written.
    summary : where it is told, Markdown.
    """
    found = Landing.read(landing)
    assert isinstance(study.genotypes, GenotypeFiles)
    files = study.genotypes.target
    with tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch:
        everyone = open_genotypes(study.genotypes.resolve(files.genotypes), Path(scratch) / "target")
        # The table of everyone; the study's own may hold those alone who learn.
        with localise(join_uri(files.genotypes.rpartition("/")[0], PHENOTYPES)) as path:
            people = read_columns(path, files.iid_column, [ORIGIN, FINAL]).set_index(files.iid_column)
            people = people.loc[everyone.samples["iid"]]
            is_new = people[ORIGIN].isin(found.cohorts).to_numpy()
            shown = (people[FINAL] != "1").to_numpy()
            before, new = everyone.select(samples=~is_new & shown), everyone.select(samples=is_new & shown)
            frequencies, table = measure_frequency_drift(before, new)
            scores = {}
            for phenotype in study.phenotype_names:
                champion = _find_champion(study, phenotype, Path(scratch) / phenotype)
                if champion is not None:
                    labels = _read_labels(study, phenotype, path, everyone, new)
                    scores[phenotype] = measure_score_drift(
                        score_genotypes(champion, before),
                        score_genotypes(champion, labels.genotypes),
                        labels.values,
                    )
    made = MeasuredDrift(frequencies, scores)
    folder = Path(folder)
    with replace_together(folder / "drift.json", folder / "variants.parquet", summary) as [
        facts,
        variants,
        page,
    ]:
        facts.write_text(json.dumps(made.list_metrics(), indent=1))
        table.to_parquet(variants, index=False)
        page.write_text(describe_drift(frequencies, scores, table))
    return made


@dataclass(frozen=True, eq=False)
class _Labelled:
    genotypes: Genotypes
    values: np.ndarray


def _read_labels(
    study: Study, phenotype: str, path: Path, everyone: Genotypes, people: Genotypes
) -> _Labelled:
    """Return those of some people that have a phenotype, and their labels, cut where everyone's are."""
    assert isinstance(study.phenotypes, PhenotypeFiles)
    assert isinstance(study.genotypes, GenotypeFiles)
    [column] = [one for one in study.phenotypes.columns if one.name == phenotype]
    read = read_phenotypes(
        path,
        column.column,
        iid_column=study.genotypes.target.iid_column,
        threshold=None if column.threshold == "binary" else column.threshold,
        samples=everyone.samples["iid"],
    ).table
    values = read.set_index("IID")["phenotype"]
    at = np.flatnonzero(people.samples["iid"].isin(values.index).to_numpy())
    chosen = people.select(samples=at)
    return _Labelled(chosen, values.loc[chosen.samples["iid"]].to_numpy(dtype=np.int8))


def _find_champion(study: Study, phenotype: str, folder: Path) -> Bundle | None:
    if not study.registry.enabled:
        return None
    uri, name = find_uri(study), name_model(study, phenotype)
    with connect(uri) as client:
        if find_alias(client, name, CHAMPION) is None:
            return None
    return load_bundle(fetch_bundle(f"models:/{name}@{CHAMPION}", uri, folder))
