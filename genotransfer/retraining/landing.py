"""Cohorts as they land: folders under one place, complete when they say so.

PLACE/2026-11/genotypes.bed, .bim, .fam     (or .vcf, .vcf.gz, .bcf, or .gen with its .sample)
PLACE/2026-11/phenotypes.tsv
PLACE/2026-11/_SUCCESS                      (empty; written last)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from genotransfer import storage
from genotransfer.errors import InputError
from genotransfer.storage import join_uri

COMPLETE = "_SUCCESS"
PHENOTYPES = "phenotypes.tsv"
GENOTYPES = (
    "genotypes.bed",
    "genotypes.vcf",
    "genotypes.vcf.gz",
    "genotypes.bcf",
    "genotypes.gen",
    "genotypes.gen.gz",
)
# Kept by retraining itself, beside the cohorts.
OWN = ".genotransfer"


@dataclass(frozen=True)
class Landed:
    """A cohort that is complete.

    Attributes
    ----------
    name : of its folder.
    genotypes, phenotypes : where they are.
    digest : of the names and contents of its files.
    """

    name: str
    genotypes: str
    phenotypes: str
    digest: str


def list_landed(place: str) -> tuple[list[Landed], list[str]]:
    """Return the cohorts under a place that are complete, by name, and names of those that are not.

    Parameters
    ----------
    place : folder or gs:// prefix.

    Raises
    ------
    InputError
        A cohort is complete but lacks genotypes or phenotypes, or has genotypes in two formats.
    """
    root = place.rstrip("/") + "/"
    cohorts: dict[str, dict[str, storage.StoredFile]] = {}
    for file in _list_files(root):
        name, _, rest = file.uri.removeprefix(root).partition("/")
        if rest and name != OWN:
            cohorts.setdefault(name, {})[rest] = file
    complete, waiting = [], []
    for name in sorted(cohorts):
        files = cohorts[name]
        if COMPLETE not in files:
            waiting.append(name)
            continue
        found = [one for one in GENOTYPES if one in files]
        folder = join_uri(place, name)
        if len(found) > 1:
            raise InputError(
                f"the cohort {name!r} has genotypes twice: {', '.join(found)}",
                file=join_uri(place, name),
                remedy="Leave one of them",
            )
        if not found or PHENOTYPES not in files:
            missing = PHENOTYPES if found else f"one of {', '.join(GENOTYPES)}"
            raise InputError(
                f"the cohort {name!r} says it is complete, but has not {missing} (it has "
                f"{', '.join(sorted(files))})",
                file=folder,
                remedy=f"Add the file, or take away {COMPLETE} until the cohort is complete",
            )
        complete.append(
            Landed(
                name,
                join_uri(folder, found[0].removesuffix(".bed")),
                join_uri(folder, PHENOTYPES),
                _digest(files),
            )
        )
    return complete, waiting


def _list_files(root: str) -> list[storage.StoredFile]:
    """Return the files of the cohorts; what retraining keeps there itself is large, and not looked at."""
    if storage.is_remote(root):
        return storage.list_files(root)
    folders = sorted(one for one in Path(root).glob("*") if one.is_dir() and one.name != OWN)
    return [file for one in folders for file in storage.list_files(f"{one}/")]


def _digest(files: dict[str, storage.StoredFile]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        if name != COMPLETE:
            digest.update(f"{name}\0{files[name].size}\0{files[name].crc32c}\n".encode())
    return digest.hexdigest()
