"""GWAS-VCF: summary statistics in the FORMAT fields of a VCF or BCF, one sample a study.

Needs cyvcf2, the optional extra ``vcf``.
Source: Lyon et al. 2021, Genome Biol 22:32; specification 1.0 to 1.2 (ES, SE, LP, AF, SS).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genotransfer.errors import InputError
from genotransfer.formats.vcf_check import REMEDY, open_vcf
from genotransfer.summary.statistics import (
    COLUMNS,
    MOST_PEOPLE,
    NUMBERS,
    SummaryStatistics,
    clean_statistics,
)

FIELDS = ("ES", "SE", "LP", "SS", "AF")


def read_gwas_vcf(
    path: str | Path, *, study: str | None = None, n: int | float | None = None
) -> SummaryStatistics:
    """Read one study of a GWAS-VCF.

    Parameters
    ----------
    path : a .vcf, .vcf.gz or .bcf file.
    study : name of the sample column; the only one when None.
    n : number of people, where neither SS nor the header's ##SAMPLE line says it.

    Returns
    -------
    Statistics per copy of ALT: of log odds where the header says StudyType CaseControl, linear where it
    says Continuous. Its counts name ``several alternative alleles`` and those of `clean_statistics`.

    Raises
    ------
    InputError
        cyvcf2 is not installed, the file is no such file or has several studies and none is named.
    """
    path = Path(path)
    if find_spec("cyvcf2") is None:
        raise InputError(
            "reading VCF and BCF needs the package cyvcf2, which is not installed",
            file=path,
            remedy="Install the extra: pip install 'genotransfer[vcf]'",
        )
    file = open_vcf(path)
    try:
        try:
            header, studies = file.raw_header, list(file.samples)
        except UnicodeDecodeError as error:
            raise InputError("the header is not text in UTF-8", file=path, remedy=REMEDY) from error
        at = _choose_study(path, studies, study)
        about = _describe_study(header, studies[at])
        for name in ("ES", "SE"):
            if f"##FORMAT=<ID={name}," not in header:
                raise InputError(
                    f"the header has no FORMAT field {name}",
                    file=path,
                    remedy="Give a GWAS-VCF, one that holds effects and not genotypes",
                )
        counts = {"several alternative alleles": 0}
        table = pd.DataFrame(list(_read_records(path, file, at, counts)), columns=COLUMNS)
    finally:
        file.close()
    total = n if n is not None else _count_people(about)
    table = table.astype({**dict.fromkeys(NUMBERS, np.float64), "position": np.int64})
    if total is not None:
        table["n"] = table["n"].fillna(total)
    scale = {"casecontrol": "log odds", "continuous": "linear"}.get(about.get("StudyType", "").lower())
    return clean_statistics(table, scale=scale or "unknown", counts=counts)


def _read_records(path: Path, file: Any, at: int, counts: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    number = 0
    try:
        for record in file:
            number += 1
            if len(record.ALT) != 1:
                counts["several alternative alleles"] += 1
                continue
            effect, error, minus_log, people, frequency = (_take(record, name, at) for name in FIELDS)
            for name, value, highest in (
                ("LP", minus_log, np.inf),
                ("AF", frequency, 1.0),
                ("SS", people, MOST_PEOPLE),
            ):
                if not (np.isnan(value) or 0 <= value <= highest):
                    raise ValueError(f"{name} is {value:g}, outside 0 and {highest:g}")
            yield (
                *(record.ID or ".", record.CHROM, record.POS, record.ALT[0], record.REF, effect, error),
                *(10.0**-minus_log, people, frequency),
            )
    except InputError:
        raise
    except Exception as error:  # cyvcf2 raises bare Exceptions for what htslib cannot parse
        raise InputError(
            f"the record cannot be read: {error} (record {number + 1})", file=path, remedy=REMEDY
        ) from error


def _take(record: Any, name: str, at: int) -> float:
    """Return a study's value of a FORMAT field; NaN where there is none."""
    values = record.format(name) if name in record.FORMAT else None
    if values is None:
        return np.nan
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{name} is declared as text, not as a number")
    value = values[at][0]
    # htslib's missing integer is the smallest one.
    if isinstance(value, np.integer) and value <= np.iinfo(np.int32).min + 1:
        return np.nan
    return float(value)


def _choose_study(path: Path, studies: list[str], study: str | None) -> int:
    if study is None and len(studies) == 1:
        return 0
    if study in studies:
        return studies.index(study)
    raise InputError(
        "the file has no studies" if not studies else f"the file has the studies {', '.join(studies)}",
        file=path,
        remedy="Name the study to read" if studies else "Give a VCF with a column for each study",
    )


def _describe_study(header: str, study: str) -> dict[str, str]:
    """Return the keys and values of the study's ##SAMPLE line."""
    for line in re.findall(r"^##SAMPLE=<(.*)>\s*$", header, flags=re.MULTILINE):
        # From the start of a word only, or a long one without = would be tried from each of its letters.
        about = {key: value.strip('"') for key, value in re.findall(r'\b(\w+)=("[^"]*"|[^,]*)', line)}
        if about.get("ID") == study:
            return about
    return {}


def _count_people(about: dict[str, str]) -> float | None:
    try:
        total = float(about["TotalControls"]) + float(about.get("TotalCases", 0))
    except (KeyError, ValueError):
        return None
    return total if 0 <= total <= MOST_PEOPLE else None
