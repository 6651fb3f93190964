"""23andMe raw data: one text file a person, ``rsid chromosome position genotype``.

The genotype is two letters of the plus strand (one on a chromosome the person has once), ``--``
when missing; D and I stand for a deletion and an insertion that the file does not spell out.

Source: the header of 23andMe's raw-data files, versions 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int8

from genotransfer.errors import InputError
from genotransfer.formats import plink
from genotransfer.formats.chromosomes import name_chromosome, name_chromosomes
from genotransfer.formats.files import check_unpacked, decode_text, is_position, read_lines, replace_together
from genotransfer.genotypes import MISSING, SAMPLE_COLUMNS, Genotypes

HEADER = "# rsid\tchromosome\tposition\tgenotype\n"
BASES = ["A", "C", "G", "T"]
NOT_CALLED = {"", "-", "--"}
SAMPLES_AT_ONCE = 128
VARIANTS_AT_ONCE = 1 << 15


def write_23andme(genotypes: Genotypes, folder: str | Path) -> dict[str, int]:
    """Write one file a sample, ``<iid>.txt``, into a new folder.

    The two letters of a genotype stand in alphabetical order, as in 23andMe's files. A variant
    with an allele that is no single base is written as ``--`` for everyone, and counted.

    Parameters
    ----------
    folder : path of the folder to make; it may be there already if it is empty. It appears only
        when all files are complete.

    Returns
    -------
    Counts: ``variants that are no SNPs``.

    Raises
    ------
    InputError
        The folder is not empty, or two samples' ids give the same file name.
    """
    names = [re.sub(r"[^\w.+@-]", "_", iid) + ".txt" for iid in genotypes.samples["iid"]]
    long = [name for name in names if len(name.encode()) > 200]
    if long:
        raise InputError(
            f"the sample id {long[0][:60]}… is too long for the name of a file",
            file=folder,
            remedy="Rename the sample",
        )
    doubled = pd.Index([name.lower() for name in names]).duplicated()
    if doubled.any():
        raise InputError(
            f"two samples would share the file name {names[int(np.argmax(doubled))]}",
            file=folder,
            remedy="Rename the samples, so that their ids differ in letters that a file name can hold",
        )
    with replace_together(folder) as (scratch,):
        scratch.mkdir()
        for start in range(0, genotypes.n_samples, SAMPLES_AT_ONCE):
            some = slice(start, start + SAMPLES_AT_ONCE)
            part = genotypes.select(samples=np.arange(genotypes.n_samples)[some])
            _write_people(part, [scratch / name for name in names[some]])
    single = genotypes.variants[["counted", "other"]].isin(BASES).all(axis=1)
    return {"variants that are no SNPs": int((~single).sum())}


def _write_people(genotypes: Genotypes, paths: list[Path]) -> None:
    with ExitStack() as stack:
        files = [
            stack.enter_context(path.open("w", encoding="utf-8", newline="", buffering=1 << 16))
            for path in paths
        ]
        for file in files:
            file.write(HEADER)
        for where, dosages in genotypes.blocks(VARIANTS_AT_ONCE):
            lines = _compose_lines(genotypes.variants.iloc[where])
            columns = np.arange(dosages.shape[1])
            for file, row in zip(files, dosages, strict=True):
                file.write("".join(lines[row + 1, columns]))


def _compose_lines(variants: pd.DataFrame) -> np.ndarray:
    """Return each variant's line for a missing genotype and for 0, 1, 2 copies: object (4, n_variants)."""
    lines = np.empty((4, len(variants)), dtype=object)
    columns = (variants[name] for name in ("id", "chromosome", "position", "counted", "other"))
    for at, (rsid, chromosome, position, counted, other) in enumerate(zip(*columns, strict=True)):
        leading = f"{rsid}\t{chromosome}\t{position}\t"
        genotypes = ["--", other + other, min(counted, other) + max(counted, other), counted + counted]
        if counted not in BASES or other not in BASES:
            genotypes = ["--"] * 4
        lines[:, at] = [f"{leading}{genotype}\n" for genotype in genotypes]
    return lines


def read_23andme(
    path: str | Path | Iterable[str | Path], variants: pd.DataFrame, prefix_out: str | Path
) -> Genotypes:
    """Turn 23andMe files into a PLINK fileset and open it.

    A 23andMe file does not say which alleles a variant has, so the variants wanted are given;
    they are found by id. A single letter counts as two copies, as PLINK does it. Alleles are
    compared as they stand, on the plus strand.

    Parameters
    ----------
    path : a file, a folder whose ``.txt`` files (gzipped or not) are read in the order of their
        names, or several files. A file's name without the suffix is the sample's id.
    variants : the variants wanted; columns id, chromosome, position, counted, other, and cm
        where known.
    prefix_out : path of the fileset to write, without ``.bed``.

    Returns
    -------
    Genotypes of all variants in the order given. `Genotypes.counts` has, summed over people:
    ``genotypes not called``, ``genotypes with an insertion or deletion``, ``genotypes with
    another allele`` (all three missing), ``variants not in the file`` (missing),
    ``variants at another position`` (kept: the id decides), ``rows left out`` (variants not
    wanted).

    Raises
    ------
    InputError
        A file is missing or malformed, holds an id twice, or none of the variants.
    """
    paths = list_files(path)
    wanted = variants.assign(cm=variants.get("cm", 0.0)).reset_index(drop=True)
    samples = pd.DataFrame(
        [(name, name, "0", "0", 0, "-9") for name in map(name_sample, paths)], columns=SAMPLE_COLUMNS
    )
    counts: dict[str, int] = {}
    dosages = np.stack([_read_person(one, wanted, counts) for one in paths])
    plink.write_fileset(prefix_out, dosages, wanted, samples)
    return replace(Genotypes.open(prefix_out), counts=counts)


def list_files(path: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the files of people that `read_23andme` reads for a path, in its order."""
    if not isinstance(path, str | Path):
        return [Path(one) for one in path]
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = sorted([*path.glob("*.txt"), *path.glob("*.txt.gz")])
    if not found:
        raise InputError("there are no .txt files in this folder", file=path, remedy="Name another folder")
    return found


def name_sample(path: Path) -> str:
    """Return the id of the person a file is of: its name without the suffix."""
    return re.sub(r"\s", "_", re.sub(r"(\.txt)?(\.gz)?$", "", path.name))


def _read_person(path: Path, wanted: pd.DataFrame, counts: dict[str, int]) -> Int8[np.ndarray, " n_variants"]:
    table = read_rows(path)
    at = pd.Index(table["id"]).get_indexer(pd.Index(wanted["id"], dtype=object))
    present = at >= 0
    if not present.any():
        raise InputError(
            f"none of the {len(wanted)} variants wanted is among the {len(table)} of the file, which begin "
            f"with {', '.join(table['id'].head(3))}",
            file=path,
            remedy=f"Give variants by rsid; those wanted begin with {', '.join(wanted['id'].head(3))}",
        )
    rows = table.iloc[at[present]].reset_index(drop=True)
    some = wanted[present].reset_index(drop=True)
    first, second = rows["genotype"].str[:1], rows["genotype"].str[-1:]
    copies = (first == some["counted"]).astype(np.int8) + (second == some["counted"]).astype(np.int8)
    known = first.isin(BASES) & second.isin(BASES)
    fits = ((first == some["counted"]) | (first == some["other"])) & (
        (second == some["counted"]) | (second == some["other"])
    )
    indel = first.isin(["D", "I"]) | second.isin(["D", "I"])
    moved = (rows["chromosome"] != name_chromosomes(some["chromosome"])) | (
        rows["position"] != some["position"]
    )
    found = {
        "genotypes not called": rows["genotype"].isin(NOT_CALLED).sum(),
        "genotypes with an insertion or deletion": indel.sum(),
        "genotypes with another allele": (known & ~fits).sum(),
        "variants not in the file": (~present).sum(),
        "variants at another position": moved.sum(),
        "rows left out": len(table) - len(rows),
    }
    for name, count in found.items():
        counts[name] = counts.get(name, 0) + int(count)
    dosages = np.full(len(wanted), MISSING, dtype=np.int8)
    dosages[present] = np.where(known & fits, copies, MISSING)
    return dosages


def read_rows(path: Path) -> pd.DataFrame:
    """Return id, chromosome, position (bp) and genotype (letters, in capitals) of every row of a file.

    Raises
    ------
    InputError
        The file is missing or malformed, or holds an id twice.
    """
    rows: list[tuple[str, str, int, str]] = []
    seen: dict[str, int] = {}
    names: dict[str, str] = {}
    for number, line in read_lines(check_unpacked(path)):
        if line.startswith(b"#") or not line.strip():
            continue
        fields = decode_text(line, path, number).split("\t")
        if len(fields) == 1:
            fields = fields[0].split()
        if fields and fields[0].lower() == "rsid":
            continue
        _check_row(fields, seen, path, number)
        rsid, code, position, genotype = fields
        chromosome = names.get(code) or names.setdefault(code, name_chromosome(code))
        rows.append((rsid, chromosome, int(position), genotype.strip().upper()))
    return pd.DataFrame(rows, columns=["id", "chromosome", "position", "genotype"])


def _check_row(fields: list[str], seen: dict[str, int], path: Path, number: int) -> None:
    problem = ""
    if len(fields) != 4:
        problem = f"{len(fields)} columns where 4 are due (rsid, chromosome, position, genotype)"
    elif not is_position(fields[2]):
        problem = f"{fields[2]!r} is no position"
    elif not re.fullmatch(r"[ACGTDI-]{0,2}", fields[3].strip().upper()):
        problem = f"{fields[3]!r} is no genotype"
    elif seen.setdefault(fields[0], number) != number:
        problem = f"the variant id {fields[0]!r} stands already in row {seen[fields[0]]}"
    if problem:
        raise InputError(
            problem,
            file=path,
            row=number,
            remedy="Give 23andMe's raw data as it was downloaded: four columns parted by tabs, each rsid "
            "once, genotypes of the letters A, C, G, T, D and I, or --",
        )
