"""The exome of a study: simulated, or taken from files through quality control."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int8

from genotransfer.errors import StudyError
from genotransfer.exome import (
    ExomeSettings,
    SyntheticExome,
    annotate_variants,
    control_exome,
    read_gene_models,
    simulate_exome,
    write_annotation,
)
from genotransfer.exome_cnn.ceilings import find_ceiling
from genotransfer.exome_cnn.evaluation import Truth
from genotransfer.exome_cnn.inputs import read_positive_weights
from genotransfer.exome_cnn.settings import ExomeCnnStudy, ExomeFiles, SimulatedExome
from genotransfer.formats.convert import detect_format
from genotransfer.formats.files import replace_together
from genotransfer.formats.plink import move_fileset
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_phenotype_table, read_phenotypes, write_phenotypes
from genotransfer.storage import fetch_file, fetch_fileset, localise

FILESET, ANNOTATION, FACTS, STEPS = "genotypes", "annotation.tsv", "facts.json", "steps.csv"
UNKNOWN_PHENOTYPE = "-9"


@dataclass(frozen=True)
class PreparedExome:
    """Facts of an exome: its sizes, and the sha256 of its fileset."""

    n_samples: int
    n_variants: int
    n_cases: int
    sha256: str


def prepare_exome(
    study: ExomeCnnStudy, genotypes_folder: str | Path, phenotypes_folder: str | Path
) -> PreparedExome:
    """Simulate or read the exome, and write genotypes and labels apart.

    Parameters
    ----------
    study : the study.
    genotypes_folder : gets the fileset ``genotypes`` of everybody with a phenotype, which is not in it;
        ``annotation.tsv`` where genes are known; ``steps.csv``, what quality control removed; and
        ``facts.json``: case_share, prevalence, heritability, ceiling, oracle, majority, note; null where not known.
    phenotypes_folder : gets ``phenotypes.tsv``, in the order of the genotypes.

    Raises
    ------
    InputError
        A file cannot be read, or has no such column.
    StudyError
        No variant passes quality control, or a gene's weight is not above 0.
    """
    if study.gene_weights is not None:
        # Networks read them, hours from now: what is wrong with them is told first.
        read_positive_weights(study.gene_weights)
    with replace_together(genotypes_folder, phenotypes_folder) as (made, labelled):
        made.mkdir()
        labelled.mkdir()
        if isinstance(study.exome, SimulatedExome):
            genotypes, labels, facts = _simulate(study, study.exome, made)
        else:
            genotypes, labels, facts = _read(study.exome, made)
        write_phenotypes(labelled / "phenotypes.tsv", _name_people(genotypes, labels))
        case_share = float(labels.mean())
        facts = {"case_share": case_share, "majority": max(case_share, 1 - case_share)} | facts
        (made / FACTS).write_text(json.dumps(facts, indent=1) + "\n")
        return PreparedExome(
            genotypes.n_samples, genotypes.n_variants, int(labels.sum()), genotypes.hash_contents()
        )


def open_exome(genotypes_folder: str | Path) -> Genotypes:
    """Open the genotypes of a folder that `prepare_exome` made."""
    return Genotypes.open(Path(genotypes_folder) / FILESET)


def find_annotation(genotypes_folder: str | Path) -> Path:
    """Return where the genes of the variants are, in a folder that `prepare_exome` made."""
    return Path(genotypes_folder) / ANNOTATION


def read_labels(phenotypes_folder: str | Path) -> Int8[np.ndarray, " n"]:
    """Return the labels of everybody, 1 case and 0 control, in the order of the genotypes."""
    table = read_phenotype_table(Path(phenotypes_folder) / "phenotypes.tsv")
    return table["phenotype"].to_numpy(dtype=np.int8)


def read_truth(genotypes_folder: str | Path) -> Truth:
    """Return what is known of the best that can be reached."""
    facts = read_facts(genotypes_folder)
    known = {name: facts[name] for name in ("ceiling", "oracle") if facts.get(name) is not None}
    return Truth(**known)


def read_facts(genotypes_folder: str | Path) -> dict[str, Any]:
    """Return ``facts.json``."""
    facts: dict[str, Any] = json.loads((Path(genotypes_folder) / FACTS).read_text())
    return facts


def _simulate(
    study: ExomeCnnStudy, shape: SimulatedExome, folder: Path
) -> tuple[Genotypes, Int8[np.ndarray, " n"], dict[str, Any]]:
    settings = SyntheticExome(**shape.model_dump(exclude={"kind"}), seed=study.seed)
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        made = Path(aside) / "exome"
        exome = simulate_exome(made, settings)
        truth = json.loads((made / "truth.json").read_text())
        (made / ANNOTATION).replace(folder / ANNOTATION)
        labels = (exome.samples["phenotype"] == "2").to_numpy(dtype=np.int8)
        move_fileset(exome.prefix, folder / FILESET, _hide_labels(exome.samples))
        genotypes = Genotypes.open(folder / FILESET)
    steps = pd.DataFrame([("simulated", genotypes.n_variants, 0)], columns=["step", "left", "removed"])
    steps.to_csv(folder / STEPS, index=False)
    facts: dict[str, Any] = {
        "heritability": truth["heritability_realised"],
        "prevalence": None,
        "ceiling": truth["ceiling"]["accuracy"],
        "oracle": truth["oracle"]["accuracy"],
        "note": f"simulated, heritability {shape.heritability:g} of {shape.n_causal} causal variants",
    }
    return genotypes, labels, facts


def _read(files: ExomeFiles, folder: Path) -> tuple[Genotypes, Int8[np.ndarray, " n"], dict[str, Any]]:
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        exome = _open_files(files, Path(aside) / "exome", folder)
        threshold = None if files.threshold == "binary" else files.threshold
        with localise(files.phenotypes) as table:
            read = read_phenotypes(
                table,
                files.column,
                iid_column=files.iid_column,
                threshold=threshold,
                samples=exome.samples["iid"],
            )
        kept = exome.select(samples=exome.locate_samples(read.table["IID"]))
        genotypes = replace(kept, samples=_hide_labels(kept.samples)).write(folder / FILESET)
    if files.genes is not None:
        with localise(files.genes) as models:
            write_annotation(
                folder / ANNOTATION, annotate_variants(genotypes.variants, read_gene_models(models))
            )
    labels = read.table["phenotype"].to_numpy(dtype=np.int8)
    h2 = files.heritability
    facts: dict[str, Any] = {
        "heritability": h2,
        "prevalence": files.prevalence,
        "ceiling": None if h2 is None else find_ceiling(h2, float(labels.mean()), files.prevalence).accuracy,
        "oracle": None,
        "note": f"{read.n_without_phenotype} samples without a phenotype left out",
    }
    return genotypes, labels, facts


def _open_files(files: ExomeFiles, prefix: Path, folder: Path) -> Genotypes:
    if detect_format(files.genotypes) == "vcf":
        with localise(files.genotypes, fetch_file) as path:
            controlled = control_exome(path, prefix, files.quality)
        controlled.steps.to_csv(folder / STEPS, index=False)
        return controlled.genotypes
    if detect_format(files.genotypes) != "plink":
        raise StudyError(
            f"exome.genotypes is {files.genotypes!r}. Give a .vcf, .vcf.gz or .bcf, or the prefix of a PLINK "
            "fileset; `genotransfer convert` makes one of other formats."
        )
    if files.quality != ExomeSettings():
        raise StudyError(
            f"exome.quality is of a VCF or BCF, and {files.genotypes} is a PLINK fileset, which is taken as it "
            "stands. Leave exome.quality out, and filter the fileset before."
        )
    with localise(files.genotypes, fetch_fileset) as path:
        genotypes = Genotypes.open(path)
    steps = pd.DataFrame([("as it stands", genotypes.n_variants, 0)], columns=["step", "left", "removed"])
    steps.to_csv(folder / STEPS, index=False)
    return genotypes


def _hide_labels(samples: pd.DataFrame) -> pd.DataFrame:
    """Return samples of whom a .fam does not say who is a case."""
    return samples.assign(phenotype=UNKNOWN_PHENOTYPE)


def _name_people(genotypes: Genotypes, labels: Int8[np.ndarray, " n"]) -> pd.DataFrame:
    named = genotypes.samples[["fid", "iid"]].set_axis(["FID", "IID"], axis=1)
    return named.assign(phenotype=labels)
