"""One phenotype of both populations: simulated or ingested, thresholded and split."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64

from genotransfer.config import GenotypeFiles, PhenotypeFiles, SimulatedPhenotypes, SplitSizes, Study
from genotransfer.counts import count_genotypes, find_autosomal
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import write_phenotypes
from genotransfer.quality import compute_maf
from genotransfer.randomness import make_generator
from genotransfer.simulation.kinship import compute_kinship, standardise_genotypes
from genotransfer.simulation.phenotypes import (
    SimulatedPhenotype,
    correlate_effects,
    draw_raw_effects,
    simulate_phenotype,
)
from genotransfer.simulation.traits import draw_risk_variants
from genotransfer.simulation.variance import VarianceModel, additive_model, null_model, paper_model
from genotransfer.splits import assign_splits
from genotransfer.stages.genotypes import open_population, read_cohort

RISK_COLUMNS = ["id", "counted", "other", "source_effect", "target_effect"]


@dataclass(frozen=True)
class PreparedPhenotypes:
    """Facts of what `prepare_phenotypes` made, as each artifact's metadata takes them."""

    learning: dict[str, int]
    final: dict[str, int]
    truth: dict[str, Any]


def prepare_phenotypes(
    study: Study,
    phenotype: str,
    genotypes: dict[str, str],
    learning_folder: str | Path,
    final_folder: str | Path,
    truth_folder: str | Path,
) -> PreparedPhenotypes:
    """Simulate or ingest one phenotype and split the samples that learn.

    Parameters
    ----------
    study : the study.
    phenotype : one of the study's phenotypes.
    genotypes : folders of the filesets by role: source, target, final.
    learning_folder : where ``source.tsv`` and ``target.tsv`` are written: FID IID phenotype split. A source
        known by its statistics alone has a table without people.
    final_folder : where ``final.tsv`` is written, and the liability of a simulated phenotype.
    truth_folder : where the risk SNPs, their effects and the liability of the samples that learn are
        written.

    Raises
    ------
    StudyError
        A population has cases only or controls only, or fewer samples than the splits ask for.
    """
    filesets = {role: open_population(folder) for role, folder in genotypes.items()}
    if isinstance(study.phenotypes, SimulatedPhenotypes):
        tables, truth, risk = _simulate(study, study.phenotypes, phenotype, filesets)
    else:
        tables, truth, risk = _ingest(study, study.phenotypes, phenotype, filesets)
    for role, sizes in (("source", study.splits.source), ("target", study.splits.target)):
        if role == "source" and study.statistics is not None:
            tables[role]["split"] = ""
            continue
        tables[role]["split"] = _split(study, phenotype, role, tables[role], sizes)
    tables["final"]["split"] = "FD"
    for role, table in tables.items():
        folder = Path(final_folder if role == "final" else learning_folder)
        write_phenotypes(
            folder / f"{role}.tsv",
            table[["FID", "IID", "phenotype", "split"]],
            allow_none=role == "source" and study.statistics is not None,
        )
        if "liability" in table:
            beside = Path(final_folder if role == "final" else truth_folder)
            with replace_together(beside / f"{role}_liability.tsv") as [path]:
                table[["FID", "IID", "liability", "genetic"]].to_csv(path, sep="\t", index=False)
    with replace_together(Path(truth_folder) / "truth.json", Path(truth_folder) / "risk_variants.tsv") as [
        facts,
        variants,
    ]:
        facts.write_text(json.dumps(truth, indent=1))
        risk.to_csv(variants, sep="\t", index=False)
    learning = pd.concat([table for role, table in tables.items() if role != "final" and len(table)])
    return PreparedPhenotypes(_count(learning), _count(tables["final"]), truth | {"n_risk_snps": len(risk)})


def read_risk_variants(truth_folder: str | Path) -> pd.DataFrame:
    """Read the risk SNPs of a phenotype, with their effects; no row where they are not known."""
    return pd.read_csv(Path(truth_folder) / "risk_variants.tsv", sep="\t", dtype={"id": str})


def _count(table: pd.DataFrame) -> dict[str, int]:
    return {"n_samples": len(table), "n_cases": int(table["phenotype"].sum())}


def _split(study: Study, phenotype: str, role: str, table: pd.DataFrame, sizes: SplitSizes) -> np.ndarray:
    population = study.source if role == "source" else study.target
    labels = table["phenotype"].to_numpy(dtype=np.int8)
    cases = int(labels.sum())
    if cases in (0, len(labels)):
        raise StudyError(
            f"{population}_{phenotype} has {cases} cases among {len(labels)} samples: with one class nothing "
            "can be learnt. Choose another threshold or another phenotype."
        )
    generator = make_generator(study.seed, "splits", phenotype, role)
    try:
        return assign_splits(labels, {"TD": sizes.TD, "VD": sizes.VD, "ED": sizes.ED}, generator)
    except StudyError as error:
        raise StudyError(f"{population}_{phenotype}, splits.{role}: {error}") from error


def choose_variance_model(settings: SimulatedPhenotypes) -> VarianceModel:
    """Return the shares of variance of a preset."""
    if settings.preset == "paper":
        return paper_model()
    return null_model() if settings.preset == "null" else additive_model(settings.heritability)


def _simulate(
    study: Study, settings: SimulatedPhenotypes, phenotype: str, filesets: dict[str, Genotypes]
) -> tuple[dict[str, pd.DataFrame], dict[str, Any], pd.DataFrame]:
    model = choose_variance_model(settings)
    n_risk = int(phenotype.split("_")[0])
    source, target, final = (filesets[role] for role in ("source", "target", "final"))
    generator = make_generator(study.seed, "risk variants", phenotype)
    at = draw_risk_variants(source.n_variants, n_risk, generator, _find_drawable(study, source, target))
    raw = draw_raw_effects(n_risk, model, make_generator(study.seed, "effects", phenotype))
    carried = correlate_effects(
        raw, settings.effect_correlation, model, make_generator(study.seed, "target effects", phenotype)
    )
    drawn = draw_liability(study.seed, phenotype, "source", [source], at, model, raw)
    # FD and the target's other samples are one population: one scale, one kinship.
    drawn_target = draw_liability(study.seed, phenotype, "target", [target, final], at, model, carried)
    tables = {
        "source": _tabulate(source, drawn, slice(None)),
        "target": _tabulate(target, drawn_target, slice(0, target.n_samples)),
        "final": _tabulate(final, drawn_target, slice(target.n_samples, None)),
    }
    risk = source.variants.iloc[at][["id", "counted", "other"]].reset_index(drop=True)
    risk["source_effect"], risk["target_effect"] = drawn.effects, drawn_target.effects
    return tables, {"heritability": model.snp_heritability}, risk


def _find_drawable(
    study: Study, source: Genotypes, target: Genotypes
) -> Bool[np.ndarray, " n_variants"] | None:
    """Say which variants can be risk SNPs: on real genotypes, those common in both populations.

    Simulated genotypes hold no others. FD has no say in it.
    """
    if not isinstance(study.genotypes, GenotypeFiles):
        return None
    drawable = find_autosomal(source.variants["chromosome"])
    for population in (source, target):
        frequency = compute_maf(count_genotypes(population).sum(axis=1))
        drawable = drawable & (frequency > 0) & (frequency >= study.quality.maf)
    return drawable


def draw_liability(
    seed: int,
    phenotype: str,
    role: str,
    filesets: list[Genotypes],
    at: Int64[np.ndarray, " k"],
    model: VarianceModel,
    raw_effects: Float64[np.ndarray, " k"],
) -> SimulatedPhenotype:
    """Draw the liability of people of one population, who may lie in several filesets.

    Parameters
    ----------
    seed : the study's.
    phenotype, role : what the drawing is named by.
    filesets : of the people, one after another.
    at : positions of the risk SNPs among the variants.
    model : shares of variance.
    raw_effects : of the risk SNPs, before they are scaled.
    """
    dosages = np.concatenate([one.read(at) for one in filesets])
    kinship = None
    if model.background_var > 0:
        blocks = (
            standardise_genotypes(np.concatenate([one.read(slice(start, start + 2048)) for one in filesets]))
            for start in range(0, filesets[0].n_variants, 2048)
        )
        kinship = compute_kinship(blocks, len(dosages))
    generator = make_generator(seed, "liability", phenotype, role)
    return simulate_phenotype(dosages, model, raw_effects, kinship, generator)


def _tabulate(genotypes: Genotypes, drawn: SimulatedPhenotype, where: slice) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "FID": genotypes.samples["fid"],
            "IID": genotypes.samples["iid"],
            "phenotype": drawn.labels[where],
            "liability": drawn.liability[where],
            "genetic": drawn.genetic[where],
        }
    )


def _ingest(
    study: Study, settings: PhenotypeFiles, phenotype: str, filesets: dict[str, Genotypes]
) -> tuple[dict[str, pd.DataFrame], dict[str, Any], pd.DataFrame]:
    assert isinstance(study.genotypes, GenotypeFiles)
    [column] = [one for one in settings.columns if one.name == phenotype]
    iids = {role: genotypes.samples["iid"] for role, genotypes in filesets.items()}
    groups = {"source": iids["source"], "target": pd.concat([iids["target"], iids["final"]])}
    if study.statistics is not None:
        del groups["source"]
    read = {
        role: read_cohort(study.genotypes, role, column, samples).table.set_index("IID")["phenotype"]
        for role, samples in groups.items()
    }
    tables = {}
    for role, genotypes in filesets.items():
        if role == "source" and study.statistics is not None:
            tables[role] = pd.DataFrame({"FID": [], "IID": [], "phenotype": []}, dtype=object)
            continue
        labels = read["source" if role == "source" else "target"]
        table = genotypes.samples[["fid", "iid"]].rename(columns={"fid": "FID", "iid": "IID"})
        tables[role] = table.assign(phenotype=labels.loc[table["IID"]].to_numpy())
    truth = {} if column.heritability is None else {"heritability": column.heritability}
    return tables, truth, pd.DataFrame(columns=RISK_COLUMNS)
