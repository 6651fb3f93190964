"""Genotypes of both populations: simulated or ingested, brought to their common variants."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int8

from genotransfer.alignment import align_populations
from genotransfer.config import (
    CohortFiles,
    GenotypeFiles,
    PhenotypeColumn,
    PhenotypeFiles,
    SimulatedGenotypes,
    StatisticsFiles,
    Study,
)
from genotransfer.errors import AlignmentError, InputError, StudyError
from genotransfer.events import Progress
from genotransfer.formats.convert import open_genotypes
from genotransfer.formats.files import replace_together
from genotransfer.formats.oxford import write_oxford
from genotransfer.formats.plink import SUFFIXES
from genotransfer.formats.twentythreeandme import write_23andme
from genotransfer.genotypes import SAMPLE_COLUMNS, Genotypes
from genotransfer.phenotypes import CohortPhenotypes, read_columns, read_phenotypes
from genotransfer.randomness import make_generator
from genotransfer.simulation.haplotypes import simulate_genotypes
from genotransfer.simulation.panel import ReferencePanel, load_shipped_panel, read_hapgen_panel
from genotransfer.stages.statistics import FILESET, describe_alignment, read_source, write_source
from genotransfer.storage import localise
from genotransfer.summary import align_statistics

SHIPPED_BUILD = "GRCh38"


@dataclass(frozen=True)
class PreparedGenotypes:
    """What `prepare_genotypes` made: facts of each fileset, and the number of common variants."""

    facts: dict[str, dict[str, Any]]
    n_common: int


def open_population(folder: str | Path) -> Genotypes:
    """Open the fileset in a folder that `prepare_genotypes` made.

    The tables of a fileset that was opened before, and has not changed since, are not read again:
    a task opens the same one for each phenotype.
    """
    prefix = Path(folder).absolute() / FILESET
    files = [prefix.with_suffix(suffix) for suffix in SUFFIXES]
    stamps = [(one.stat().st_mtime_ns, one.stat().st_size) for one in files if one.is_file()]
    return _open_fileset(prefix, tuple(stamps))


@lru_cache(maxsize=3)  # a study has three
def _open_fileset(prefix: Path, stamps: tuple[tuple[int, int], ...]) -> Genotypes:
    return Genotypes.open(prefix)


def name_build(study: Study) -> str:
    """Return the label of the genome build of a study's positions; empty where it is not known."""
    if isinstance(study.genotypes, SimulatedGenotypes):
        return "" if study.genotypes.haplotypes else SHIPPED_BUILD
    return study.genotypes.build


def prepare_genotypes(
    study: Study,
    folders: dict[str, str],
    alignment_folder: str | Path,
    *,
    progress: Progress | None = None,
) -> PreparedGenotypes:
    """Simulate or ingest the genotypes of the source, the target and the target's final data.

    Parameters
    ----------
    study : the study.
    folders : where each fileset is written, by role: source, target, final. Where the source is known by
        its statistics alone its fileset is that of the reference people, and the statistics stand beside
        it, see `genotransfer.stages.statistics`.
    alignment_folder : where ``alignment.json`` is written: counts by name.
    progress : told how much of genotypes in a bucket has arrived.

    Raises
    ------
    AlignmentError
        The populations have no variant in common.
    StudyError
        The splits ask for more samples than there are.
    """
    targets = {role: Path(folder) / FILESET for role, folder in folders.items()}
    if isinstance(study.genotypes, SimulatedGenotypes):
        written, counts = _simulate(study, study.genotypes, targets)
    else:
        written, counts = _ingest(study, study.genotypes, targets, progress)
    build = name_build(study)
    for role, genotypes in written.items():
        _write_formats(study, genotypes, role)
    facts = {
        role: {
            "role": role,
            "population": study.source if role == "source" else study.target,
            "n_samples": genotypes.n_samples,
            "n_variants": genotypes.n_variants,
            "build": build,
            "sha256": genotypes.hash_contents(),
        }
        for role, genotypes in written.items()
    }
    with replace_together(Path(alignment_folder) / "alignment.json") as [path]:
        path.write_text(json.dumps(counts, indent=1))
    return PreparedGenotypes(facts, written["source"].n_variants)


def _simulate(
    study: Study, settings: SimulatedGenotypes, targets: dict[str, Path]
) -> tuple[dict[str, Genotypes], dict[str, int]]:
    assert study.splits.final is not None
    populations = {"source": study.source, "target": study.target, "final": study.target}
    sizes = {
        "source": study.splits.source.total,
        "target": study.splits.target.total,
        "final": study.splits.final,
    }
    return simulate_populations(settings, populations, sizes, targets, study.seed)


def simulate_populations(
    settings: SimulatedGenotypes,
    populations: dict[str, str],
    sizes: dict[str, int],
    targets: dict[str, Path],
    seed: int,
) -> tuple[dict[str, Genotypes], dict[str, int]]:
    """Simulate people of each role at the variants that the source and the target have in common.

    Parameters
    ----------
    populations, sizes, targets : by role, the population, the number of people, and the prefix of the
        fileset that is written; among the roles are source and target.

    Returns
    -------
    The filesets by role, and counts of variants by name.

    Raises
    ------
    AlignmentError
        The populations have no variant in common.
    """
    names = (populations["source"], populations["target"])
    panels = {name: _load_panel(settings, name) for name in names}
    dosages = {
        role: simulate_genotypes(
            panels[name],
            sizes[role],
            ne=settings.ne.get(name),
            theta=settings.theta,
            generator=make_generator(seed, "genotypes", role),
        ).dosages
        for role, name in populations.items()
    }
    # Which variants are common is settled without FD.
    ours, theirs = (
        panels[populations[role]].variants[_is_common(dosages[role], settings.maf)]
        for role in ("source", "target")
    )
    keys = ["id", "counted", "other"]
    common = ours[ours.set_index(keys).index.isin(theirs.set_index(keys).index)]
    if not len(common):
        raise AlignmentError(
            f"{names[0]} has {len(ours)} variants with MAF >= {settings.maf} and {names[1]} "
            f"{len(theirs)}, none of them in both. Give panels whose legends name the same variants."
        )
    if settings.max_variants is not None and len(common) > settings.max_variants:
        common = common.iloc[np.linspace(0, len(common) - 1, settings.max_variants).round().astype(int)]
    written = {}
    for role, name in populations.items():
        at = pd.Index(panels[name].variants["id"]).get_indexer(pd.Index(common["id"]))
        written[role] = Genotypes.from_dosages(
            targets[role], dosages[role][:, at], common, _name_samples(name, role, sizes[role])
        )
    counts = {f"{names[0]} variants": len(ours), f"{names[1]} variants": len(theirs)}
    return written, counts | {"common variants": len(common)}


def _load_panel(settings: SimulatedGenotypes, population: str) -> ReferencePanel:
    if population not in settings.haplotypes:
        return load_shipped_panel(population)
    files = settings.haplotypes[population]
    with localise(files.hap) as hap, localise(files.legend) as legend, localise(files.map) as genetic_map:
        return read_hapgen_panel(hap, legend, genetic_map, population=population, chromosome=files.chromosome)


def _is_common(
    dosages: Int8[np.ndarray, "n_samples n_variants"], maf: float
) -> Bool[np.ndarray, " n_variants"]:
    frequency = dosages.mean(axis=0, dtype=np.float64) / 2
    minor = np.minimum(frequency, 1 - frequency)
    return np.asarray((minor >= maf) & (minor > 0))


def _name_samples(population: str, role: str, size: int) -> pd.DataFrame:
    stem = f"{population}_FD_" if role == "final" else f"{population}_"
    names = [f"{stem}{number}" for number in range(1, size + 1)]
    table = {"fid": names, "iid": names, "father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
    return pd.DataFrame(table)[SAMPLE_COLUMNS]


def _ingest(
    study: Study, settings: GenotypeFiles, targets: dict[str, Path], progress: Progress | None
) -> tuple[dict[str, Genotypes], dict[str, Any]]:
    if study.statistics is not None:
        return _ingest_statistics(study, settings, study.statistics, targets, progress)
    assert isinstance(settings.source, CohortFiles)
    opened = {}
    for role, files in (("source", settings.source), ("target", settings.target)):
        scratch = targets[role].parent / f"read_{role}"
        opened[role] = open_genotypes(settings.resolve(files.genotypes), scratch, progress=progress)
    aligned = align_populations(
        opened["source"], opened["target"], match_by=settings.match_by, ambiguous=settings.ambiguous
    )
    counts: dict[str, Any] = dict(aligned.report)
    eligible = {
        role: _find_phenotyped(study, settings, role, view, counts)
        for role, view in (("source", aligned.source), ("target", aligned.target))
    }
    marked = _read_final_mark(settings, aligned.target)
    learning, final = _divide(study, eligible["target"], marked)
    written = {
        "source": aligned.source.select(samples=eligible["source"]).write(targets["source"]),
        "target": aligned.target.select(samples=learning).write(targets["target"]),
        "final": aligned.target.select(samples=final).write(targets["final"]),
    }
    _remove_scratch(targets)
    return written, counts


def _ingest_statistics(
    study: Study,
    settings: GenotypeFiles,
    source: StatisticsFiles,
    targets: dict[str, Path],
    progress: Progress | None,
) -> tuple[dict[str, Genotypes], dict[str, Any]]:
    statistics = read_source(study, settings, source)
    scratch = targets["target"].parent / "read_target"
    target = open_genotypes(settings.resolve(settings.target.genotypes), scratch, progress=progress)
    counts: dict[str, Any] = {}
    reference, how = target, {"match_by": settings.match_by, "ambiguous": settings.ambiguous}
    if source.reference is not None:
        scratch = targets["source"].parent / "read_source"
        between = align_populations(
            open_genotypes(settings.resolve(source.reference), scratch, progress=progress), target, **how
        )
        reference, target = between.source, between.target
        counts |= between.report
    aligned = align_statistics(statistics, reference, **how)
    # By the file's row: ids need not be unique where variants were matched by position.
    kept = pd.Index(reference.variant_rows).get_indexer(pd.Index(aligned.genotypes.variant_rows))
    reference = aligned.genotypes
    target = replace(target.select(variants=kept), variants=reference.variants)
    counts |= describe_alignment(study, source, aligned)
    eligible = _find_phenotyped(study, settings, "target", target, counts)
    learning, final = _divide(study, eligible, _read_final_mark(settings, target))
    if source.reference is None:
        reference = target.select(samples=learning)
    written = {
        "source": reference.write(targets["source"]),
        "target": target.select(samples=learning).write(targets["target"]),
        "final": target.select(samples=final).write(targets["final"]),
    }
    write_source(targets["source"].parent, aligned.statistics)
    _remove_scratch(targets)
    return written, counts


def _remove_scratch(targets: dict[str, Path]) -> None:
    for role, target in targets.items():
        for left in target.parent.glob(f"read_{role}*"):
            left.unlink()


def _find_phenotyped(
    study: Study, settings: GenotypeFiles, role: str, genotypes: Genotypes, counts: dict[str, Any]
) -> np.ndarray:
    """Return the positions of the samples that have every phenotype of the study; count the others."""
    found = np.ones(genotypes.n_samples, dtype=bool)
    if isinstance(study.phenotypes, PhenotypeFiles):
        for column in study.phenotypes.columns:
            read = read_cohort(settings, role, column, genotypes.samples["iid"])
            found &= genotypes.samples["iid"].isin(read.table["IID"]).to_numpy()
            name = study.source if role == "source" else study.target
            counts[f"{name} samples without {column.name}"] = read.n_without_phenotype
            counts[f"{name} samples with {column.name} but no genotypes"] = read.n_not_genotyped
    return np.flatnonzero(found)


def read_cohort(
    settings: GenotypeFiles, role: str, column: PhenotypeColumn, samples: pd.Series
) -> CohortPhenotypes:
    """Read one phenotype of the source or the target, of the samples that have genotypes."""
    files = settings.source if role == "source" else settings.target
    assert isinstance(files, CohortFiles)
    with localise(settings.resolve(files.phenotypes)) as path:
        return read_phenotypes(
            path,
            column.column,
            iid_column=files.iid_column,
            threshold=None if column.threshold == "binary" else column.threshold,
            samples=samples,
        )


def _read_final_mark(settings: GenotypeFiles, target: Genotypes) -> Bool[np.ndarray, " n_samples"] | None:
    """Return who of the target is marked for FD; None where nobody has marked any."""
    files = settings.target
    if not files.final_column:
        return None
    with localise(settings.resolve(files.phenotypes)) as path:
        table = read_columns(path, files.iid_column, [files.final_column]).set_index(files.iid_column)
        marks = table[files.final_column]
        if wrong := sorted(set(marks) - {"0", "1"}):
            raise InputError(
                f"column {files.final_column!r} holds {wrong[0]!r}",
                remedy="Write 1 for the people of FD and 0 for the others",
                file=path,
                row=int(np.flatnonzero(marks == wrong[0])[0]) + 2,
            )
    return target.samples["iid"].map(marks == "1").fillna(False).to_numpy(dtype=bool)


def _divide(
    study: Study, eligible: np.ndarray, marked: Bool[np.ndarray, " n_samples"] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which samples of the target learn and which are FD; each in the order of the file.

    Where FD is marked, the others learn; it is drawn otherwise.
    """
    wanted = study.splits.target.total
    final = study.splits.final
    generator = make_generator(study.seed, "final")
    if marked is not None:
        learning, kept = eligible[~marked[eligible]], eligible[marked[eligible]]
        _check_enough(study, len(learning), len(kept), wanted, final)
        return np.sort(generator.permutation(learning)[:wanted]), np.sort(generator.permutation(kept)[:final])
    _check_enough(study, len(eligible) - (final or 1), final or 1, wanted, final)
    order = generator.permutation(eligible)
    chosen = order[wanted : None if final is None else wanted + final]
    return np.sort(order[:wanted]), np.sort(chosen)


def _check_enough(study: Study, n_learning: int, n_final: int, wanted: int, final: int | None) -> None:
    if n_learning >= wanted and n_final >= (final or 1):
        return
    raise StudyError(
        f"splits.target asks for {wanted} samples and FD for {final or 'at least 1'}, but {study.target} "
        f"has {n_learning + n_final} with genotypes and phenotype. Make the splits smaller or give more samples."
    )


def _write_formats(study: Study, genotypes: Genotypes, role: str) -> None:
    """Write the paper's genotype files beside the fileset, for those who ask for them."""
    folder = genotypes.prefix.parent
    name = study.source if role == "source" else study.target
    for form in study.outputs.formats:
        if form == "oxford":
            write_oxford(genotypes, folder / f"{name}.gen", folder / f"{name}.sample")
        else:
            write_23andme(genotypes, folder / "23andme")
