"""Quality control, association and SNP panels of one phenotype."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genotransfer.association import associate, write_association
from genotransfer.candidates import SCORES_METHOD
from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.panels import PANEL_COLUMNS, panel_sizes
from genotransfer.panels import select_panels as choose_panels
from genotransfer.phenotypes import read_phenotype_table, write_phenotypes
from genotransfer.quality import QualitySettings
from genotransfer.quality import control_quality as filter_population
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.statistics import open_source, tabulate_association, write_reference

POPULATIONS = ("source", "target")


def control_quality(
    study: Study,
    phenotype: str,
    phenotypes: str | Path,
    genotypes: dict[str, str],
    variants_folder: str | Path,
    kept_phenotypes: str | Path,
) -> int:
    """Keep the variants that pass quality control in both populations, and the samples that pass.

    Parameters
    ----------
    study : the study.
    phenotype : its name, which says in whom Hardy-Weinberg proportions are tested.
    phenotypes : folder with ``source.tsv`` and ``target.tsv``.
    genotypes : folders of the filesets by role; FD is not among them.
    variants_folder : where ``variants.parquet`` (the columns of `Genotypes.variants`) and ``counts.parquet``
        (population, step, removed, left) are written; of a source known by its statistics also
        ``reference.parquet``, the reference people that passed (iid).
    kept_phenotypes : where the phenotype tables are written again; a sample that failed has no split.

    Returns
    -------
    The number of variants kept.

    Raises
    ------
    StudyError
        Nothing is left.
    """
    settings = QualitySettings(
        maf=study.quality.maf,
        variant_call_rate=study.quality.variant_call_rate,
        sample_call_rate=study.quality.sample_call_rate,
        hwe_p=study.quality.hwe_p,
    )
    in_controls = study.tests_hwe_in_controls(phenotype)
    passed, counts = {}, []
    for role in POPULATIONS:
        written, kept = (Path(folder) / f"{role}.tsv" for folder in (phenotypes, kept_phenotypes))
        population = open_population(genotypes[role])
        if role == "source" and study.statistics is not None:
            # The reference people have no phenotype.
            view, steps = filter_population(population, None, settings)
            write_reference(variants_folder, view.samples["iid"])
            with replace_together(kept) as [path]:
                shutil.copyfile(written, path)
        else:
            table = read_phenotype_table(written)
            used = table[table["split"] != ""]
            view, steps = filter_population(
                population.select(samples=population.locate_samples(used["IID"])),
                used["phenotype"].to_numpy(dtype=np.int8) if in_controls else None,
                settings,
            )
            failed = ~table["IID"].isin(view.samples["iid"])
            write_phenotypes(kept, table.assign(split=table["split"].where(~failed, "")))
        passed[role] = view.variants
        name = study.source if role == "source" else study.target
        counts.append(steps.assign(population=name))
    common = passed["source"][passed["source"]["id"].isin(passed["target"]["id"])]
    if not len(common):
        raise StudyError(
            f"{len(passed['source'])} variants of {study.source} and {len(passed['target'])} of {study.target} "
            "pass quality control, none of them in both. Relax the settings under 'quality'."
        )
    with replace_together(
        Path(variants_folder) / "variants.parquet", Path(variants_folder) / "counts.parquet"
    ) as [listed, counted]:
        common.to_parquet(listed, index=False)
        pd.concat(counts, ignore_index=True).to_parquet(counted, index=False)
    return len(common)


def test_association(
    study: Study,
    phenotypes: str | Path,
    variants_folder: str | Path,
    genotypes: dict[str, str],
    association_folder: str | Path,
) -> None:
    """Test each SNP that passed quality control, on TD of each population.

    Writes ``source.parquet`` and ``target.parquet`` with PLINK's columns; the paper's mutation
    difference is added as column DIFF when the panels are chosen by it. Of a source known by its
    statistics they are what stands there.
    """
    kept = pd.read_parquet(Path(variants_folder) / "variants.parquet")
    for role in POPULATIONS:
        if role == "source" and study.statistics is not None:
            published = tabulate_association(open_source(genotypes[role], kept["id"]))
            write_association(Path(association_folder) / f"{role}.parquet", published)
            continue
        table = read_phenotype_table(Path(phenotypes) / f"{role}.tsv")
        population = open_population(genotypes[role])
        training = table[table["split"] == "TD"]
        view = population.select(
            variants=population.locate_variants(kept["id"]),
            samples=population.locate_samples(training["IID"]),
        )
        labels = training["phenotype"].to_numpy(dtype=np.int8)
        result = associate(view, labels, study.association.test)
        if study.association.test == "genotypic":
            result = result[result["TEST"] == "GENO"].reset_index(drop=True)
        if study.panels.statistic == "difference":
            result = result.merge(associate(view, labels, "difference")[["SNP", "DIFF"]], on="SNP")
        write_association(Path(association_folder) / f"{role}.parquet", result)


test_association.__test__ = False  # type: ignore[attr-defined]  # a stage, not a pytest test


def select_panels(
    study: Study,
    phenotype: str,
    association_folder: str | Path,
    variants_folder: str | Path,
    panels_folder: str | Path,
) -> dict[str, Any]:
    """Select the SNP panels of both populations.

    Writes ``panels.parquet`` (panel, population, id, counted, other) and ``sizes.parquet``
    (population, panel, threshold, n_snps), where an empty panel has size 0.

    Returns
    -------
    n_source, n_target : panels that have SNPs; n_empty : panels that have none.

    Raises
    ------
    StudyError
        All panels that the study's methods read are empty; with one phenotype, those of one population.
    """
    kept = pd.read_parquet(Path(variants_folder) / "variants.parquet")
    panels, sizes, empty = [], [], {}
    for role in POPULATIONS:
        result = pd.read_parquet(Path(association_folder) / f"{role}.parquet")
        thresholds = study.panels.source if role == "source" else study.panels.target
        name = study.source if role == "source" else study.target
        chosen_by = (result, study.panels.statistic, thresholds, role, kept)
        sizes.append(panel_sizes(*chosen_by))
        try:
            panels.append(choose_panels(*chosen_by))
        except StudyError as error:
            empty[role] = StudyError(f"{name}_{phenotype}, panels.{role}: {error}")
    # One phenotype of several may lack the panels of a population, and so some methods; the report
    # says which. Thresholds that select nothing anywhere are a mistake.
    methods = set(study.transfer.methods) - {SCORES_METHOD}  # scores read all variants, and no panel
    read = {"target" if method == "none" else "source" for method in methods}
    lacking = read & set(empty)
    if lacking and (lacking == read or len(study.phenotype_names) == 1):
        raise next(empty[role] for role in POPULATIONS if role in lacking)
    none = pd.DataFrame(columns=PANEL_COLUMNS, dtype=str)
    chosen = pd.concat(panels, ignore_index=True) if panels else none
    counted = pd.concat(sizes, ignore_index=True)
    with replace_together(Path(panels_folder) / "panels.parquet", Path(panels_folder) / "sizes.parquet") as [
        written,
        size_path,
    ]:
        chosen.to_parquet(written, index=False)
        counted.to_parquet(size_path, index=False)
    filled = counted[counted["n_snps"] > 0]["population"].value_counts()
    return {
        "n_source": int(filled.get("source", 0)),
        "n_target": int(filled.get("target", 0)),
        "n_empty": int((counted["n_snps"] == 0).sum()),
    }
