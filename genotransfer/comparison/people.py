"""The people of a comparison: simulated or ingested, filtered without a look at labels, dealt to folds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64

from genotransfer.alignment import align_populations
from genotransfer.comparison.folds import deal_folds
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.config import CohortFiles, GenotypeFiles, PhenotypeFiles, SimulatedGenotypes
from genotransfer.errors import StudyError
from genotransfer.events import Progress
from genotransfer.formats.convert import open_genotypes
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_columns, read_phenotype_table, write_phenotypes
from genotransfer.quality import QualitySettings, control_quality
from genotransfer.randomness import derive_seed, make_generator
from genotransfer.simulation.phenotypes import correlate_effects, draw_raw_effects
from genotransfer.simulation.traits import draw_risk_variants
from genotransfer.splits import LabelledSamples
from genotransfer.stages.genotypes import open_population, read_cohort, simulate_populations
from genotransfer.stages.phenotypes import (
    RISK_COLUMNS,
    choose_variance_model,
    draw_liability,
    read_risk_variants,
)
from genotransfer.stages.statistics import FILESET
from genotransfer.storage import localise

ROLES = ("source", "target")
UNKNOWN_FAMILIES = ("", "0")  # PLINK's 0 is no family


@dataclass(frozen=True, eq=False)
class ComparisonPeople:
    """Everybody of a comparison.

    Attributes
    ----------
    variants : one row a variant: id, counted, other and more; the columns of all dosages.
    samples : one row a person of the target: FID, IID.
    target : the people that are judged.
    source : the people that the kinds transfer and score learn from too.
    folds : fold of each person of the target.
    groups : number of each person's family; None where nobody is related.
    risk : the risk SNPs with their effects; no row where they are not known.
    heritability : of the liability, by the risk SNPs; None where it is not known.
    """

    variants: pd.DataFrame
    samples: pd.DataFrame
    target: LabelledSamples
    source: LabelledSamples
    folds: Int64[np.ndarray, " n"]
    groups: Int64[np.ndarray, " n"] | None
    risk: pd.DataFrame
    heritability: float | None


def prepare_people(
    study: ComparisonStudy, folder: str | Path, *, progress: Progress | None = None
) -> dict[str, Any]:
    """Simulate or ingest the people of a comparison, and deal the target's to folds.

    Quality control reads no label: all people are judged by somebody's model, and a filter that saw
    who is a case would have seen it of those too. Hardy-Weinberg is tested in everybody.

    Parameters
    ----------
    folder : where ``source`` and ``target`` (a PLINK fileset and ``people.tsv`` each), ``folds.tsv``,
        ``risk_variants.tsv``, ``quality.tsv`` and ``facts.json`` are written.
    progress : told how much of genotypes in a bucket has arrived.

    Returns
    -------
    What is in ``facts.json``: counts, and the heritability where it is known.

    Raises
    ------
    AlignmentError
        The populations have no variant in common.
    StudyError
        Quality control leaves nothing, or the folds cannot be dealt.
    """
    folder = Path(folder)
    scratch = folder / "read"
    opened, counts = _open(study, scratch, progress)
    checked, steps = _control(study, opened)
    tables, risk, heritability = _label(study, checked)
    labels = tables["target"]["phenotype"].to_numpy(dtype=np.int8)
    groups = _read_groups(study, checked["target"])
    folds = deal_folds(labels, study.folds.outer, derive_seed(study.seed, "folds"), groups)
    written = {role: checked[role].write(folder / role / FILESET) for role in ROLES}
    for left in sorted(scratch.glob("*")):
        left.unlink()
    scratch.rmdir()
    for role in ROLES:
        write_phenotypes(folder / role / "people.tsv", tables[role][["FID", "IID", "phenotype"]])
    facts: dict[str, Any] = {
        "n_variants": written["target"].n_variants,
        "heritability": heritability,
        "n_families": None if groups is None else len(np.unique(groups)),
        "counts": counts,
    }
    for role in ROLES:
        facts[f"n_{role}"] = len(tables[role])
        facts[f"n_{role}_cases"] = int(tables[role]["phenotype"].sum())
    dealt = tables["target"][["FID", "IID"]].assign(group=-1 if groups is None else groups, fold=folds)
    names = ("folds.tsv", "risk_variants.tsv", "quality.tsv", "facts.json")
    with replace_together(*(folder / name for name in names)) as [first, second, third, fourth]:
        dealt.to_csv(first, sep="\t", index=False)
        risk.to_csv(second, sep="\t", index=False)
        steps.to_csv(third, sep="\t", index=False)
        fourth.write_text(json.dumps(facts, indent=1))
    return facts


def load_people(folder: str | Path) -> ComparisonPeople:
    """Read what `prepare_people` wrote."""
    folder = Path(folder)
    dealt = pd.read_csv(folder / "folds.tsv", sep="\t", dtype={"FID": str, "IID": str}, keep_default_na=False)
    opened = {role: open_population(folder / role) for role in ROLES}
    labels = {
        role: read_phenotype_table(folder / role / "people.tsv")["phenotype"].to_numpy(dtype=np.int8)
        for role in ROLES
    }
    groups = dealt["group"].to_numpy(dtype=np.int64)
    return ComparisonPeople(
        variants=opened["target"].variants,
        samples=dealt[["FID", "IID"]],
        target=LabelledSamples(opened["target"].read(), labels["target"]),
        source=LabelledSamples(opened["source"].read(), labels["source"]),
        folds=dealt["fold"].to_numpy(dtype=np.int64),
        groups=None if (groups < 0).all() else groups,
        risk=read_risk_variants(folder),
        heritability=read_facts(folder)["heritability"],
    )


def read_facts(folder: str | Path) -> dict[str, Any]:
    """Return the counts that `prepare_people` wrote."""
    facts: dict[str, Any] = json.loads((Path(folder) / "facts.json").read_text())
    return facts


def _open(
    study: ComparisonStudy, scratch: Path, progress: Progress | None
) -> tuple[dict[str, Genotypes], dict[str, Any]]:
    scratch.mkdir(parents=True, exist_ok=True)
    targets = {role: scratch / role for role in ROLES}
    if isinstance(study.genotypes, SimulatedGenotypes):
        names = {"source": study.source, "target": study.target}
        sizes = {"source": study.people.source, "target": study.people.target}
        written, counts = simulate_populations(study.genotypes, names, sizes, targets, study.seed)
        return written, dict(counts)
    settings = study.genotypes
    files = {"source": settings.source, "target": settings.target}
    opened = {}
    for role, one in files.items():
        assert isinstance(one, CohortFiles)
        opened[role] = open_genotypes(settings.resolve(one.genotypes), targets[role], progress=progress)
    aligned = align_populations(
        opened["source"], opened["target"], match_by=settings.match_by, ambiguous=settings.ambiguous
    )
    return {"source": aligned.source, "target": aligned.target}, dict(aligned.report)


def _control(
    study: ComparisonStudy, opened: dict[str, Genotypes]
) -> tuple[dict[str, Genotypes], pd.DataFrame]:
    """Filter both populations, and keep the variants that passed in both."""
    passed, steps = {}, []
    for role, genotypes in opened.items():
        if isinstance(study.genotypes, GenotypeFiles) and isinstance(study.phenotypes, PhenotypeFiles):
            [column] = [one for one in study.phenotypes.columns if one.name == study.compared_phenotype]
            found = read_cohort(study.genotypes, role, column, genotypes.samples["iid"]).table["IID"]
            genotypes = genotypes.select(samples=genotypes.locate_samples(found))
        settings = QualitySettings(**study.quality.model_dump(exclude={"hwe_in"}))
        passed[role], table = control_quality(genotypes, None, settings)
        steps.append(table.assign(population=study.source if role == "source" else study.target))
    ours, theirs = (passed[role].variants["id"] for role in ROLES)
    common = ours[ours.isin(theirs)]
    if common.empty:
        raise StudyError(
            f"No variant passed quality control in both {study.source} and {study.target}. Loosen the "
            "thresholds under 'quality'."
        )
    kept = {role: passed[role].select(variants=passed[role].locate_variants(common)) for role in ROLES}
    return kept, pd.concat(steps, ignore_index=True)


def _label(
    study: ComparisonStudy, genotypes: dict[str, Genotypes]
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, float | None]:
    """Return FID, IID and phenotype of either population, the risk SNPs, and the heritability."""
    name = study.compared_phenotype
    tables = {
        role: one.samples[["fid", "iid"]].rename(columns={"fid": "FID", "iid": "IID"})
        for role, one in genotypes.items()
    }
    if isinstance(study.phenotypes, PhenotypeFiles):
        assert isinstance(study.genotypes, GenotypeFiles)
        [column] = [one for one in study.phenotypes.columns if one.name == name]
        for role, table in tables.items():
            read = read_cohort(study.genotypes, role, column, table["IID"]).table.set_index("IID")
            table["phenotype"] = read["phenotype"].loc[table["IID"]].to_numpy()
        return tables, pd.DataFrame(columns=RISK_COLUMNS), column.heritability
    model = choose_variance_model(study.phenotypes)
    source, target = genotypes["source"], genotypes["target"]
    n_risk = int(name.split("_")[0])
    at = draw_risk_variants(source.n_variants, n_risk, make_generator(study.seed, "risk variants", name))
    raw = draw_raw_effects(n_risk, model, make_generator(study.seed, "effects", name))
    carried = correlate_effects(
        raw, study.phenotypes.effect_correlation, model, make_generator(study.seed, "target effects", name)
    )
    drawn = {
        "source": draw_liability(study.seed, name, "source", [source], at, model, raw),
        "target": draw_liability(study.seed, name, "target", [target], at, model, carried),
    }
    for role, table in tables.items():
        table["phenotype"] = drawn[role].labels
    risk = source.variants.iloc[at][["id", "counted", "other"]].reset_index(drop=True)
    risk["source_effect"], risk["target_effect"] = drawn["source"].effects, drawn["target"].effects
    return tables, risk, model.snp_heritability


def _read_groups(study: ComparisonStudy, target: Genotypes) -> Int64[np.ndarray, " n"] | None:
    """Return the number of each person's family; somebody without one is a family alone."""
    if not study.folds.groups:
        return None
    names = target.samples["fid"].astype(str)
    if study.folds.groups != "FID":
        assert isinstance(study.genotypes, GenotypeFiles)
        files = study.genotypes.target
        with localise(study.genotypes.resolve(files.phenotypes)) as path:
            table = read_columns(path, files.iid_column, [study.folds.groups]).set_index(files.iid_column)
        names = target.samples["iid"].map(table[study.folds.groups]).fillna("")
    alone = names.isin(UNKNOWN_FAMILIES)
    keys = names.where(~alone, "\x1f" + target.samples["iid"].astype(str))
    return np.asarray(pd.factorize(keys)[0], dtype=np.int64)
