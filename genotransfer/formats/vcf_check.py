"""What is looked at in a VCF or BCF before htslib reads it: some broken records end the whole process.

Text is looked at row by row here. A BCF, which only htslib understands, is first read to its end by a
process of its own.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

from genotransfer.errors import InputError
from genotransfer.formats.files import is_packed, read_lines, require_file

# What a whole bgzip file ends with (SAM/BAM specification, section 4.1.2).
BGZF_START = b"\x1f\x8b\x08\x04"
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
# VCF specification 4.3, section 1.4.7; in angle brackets it is the name of an assembly's contig.
CHROMOSOME = re.compile(rb"<?[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*>?")
CONTIG = re.compile(rb"##contig=<ID=([^,>]+)")
FIXED = [b"#CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO"]
REMEDY = "Check the file with bcftools view"
# Touches of every record what the readers touch. Told by the end of the process whether htslib can.
PROBE = """
import sys
from cyvcf2 import VCF
file = VCF(sys.argv[1], gts012=True, strict_gt=True, lazy=False)
names = len(file.samples)
for record in file:
    record.CHROM, record.POS, record.ID, record.REF, record.ALT, record.FORMAT
    if "GT" in record.FORMAT:
        record.gt_types
    for name in {"ES", "SE", "LP", "SS", "AF"} & set(record.FORMAT):
        record.format(name)
"""


def open_vcf(path: str | Path, **how: Any) -> Any:
    """Open a VCF or BCF with cyvcf2, having looked at it first.

    Parameters
    ----------
    path : the file.
    how : what ``cyvcf2.VCF`` takes beside the path.

    Raises
    ------
    InputError
        The file is missing, empty, damaged or cut short; no VCF or BCF; a row of a VCF has too few or
        too many columns, no chromosome, position or reference; or a BCF ends the process that reads it.
    """
    from cyvcf2 import VCF

    path = require_file(path)
    check_end(path)
    start = _read_start(path)
    undeclared: list[str] = []
    if start.startswith(b"BCF"):
        _probe(path)
    elif start.startswith(b"##fileformat=VCF"):
        undeclared = _check_text(path)
    else:
        raise InputError(
            "this is no VCF or BCF that htslib can read: it does not begin with ##fileformat=VCF",
            file=path,
            remedy=REMEDY,
        )
    try:
        # Absolute, since htslib takes names such as data: and http: for addresses.
        file = VCF(str(path.absolute()), **how)
        for name in undeclared:
            # A record of a contig that the header lacks is handed on even where it could not be read.
            file.add_to_header(f"##contig=<ID={name}>")
    except Exception as error:  # cyvcf2 raises bare Exceptions for what htslib cannot parse
        raise InputError(
            f"this is no VCF or BCF that htslib can read: {error}", file=path, remedy=REMEDY
        ) from error
    return file


def check_end(path: Path) -> None:
    """Raise InputError when a bgzip file lacks the block that ends it: htslib would only warn of it."""
    with path.open("rb") as file:
        if file.read(4) != BGZF_START:
            return
        file.seek(-min(len(BGZF_END), path.stat().st_size), 2)
        if file.read() != BGZF_END:
            raise InputError(
                "the file is truncated: the block that ends a bgzip file is not there",
                file=path,
                remedy="Copy the file again, or pack it again with bgzip",
            )


def _read_start(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") if is_packed(path) else path.open("rb") as file:
            return file.read(32)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"the gzip file is damaged or is none: {error}",
            file=path,
            remedy="Copy or pack the file again, and test it with gzip -t",
        ) from error


def _check_text(path: Path) -> list[str]:
    """Check a VCF row by row; return the chromosomes its header does not declare."""
    n_columns, declared, used = 0, set[bytes](), dict[bytes, None]()
    for row, line in read_lines(path):
        problem = ""
        if b"\0" in line:
            problem = "the row holds a zero byte"
        elif not n_columns and line.startswith(b"#CHROM"):
            columns = line.split(b"\t")
            n_columns = len(columns)
            if columns[:8] != FIXED or len(set(columns[9:])) < len(columns[9:]) or b"" in columns:
                problem = f"the header must be {b' '.join(FIXED).decode()}, then FORMAT and each sample once"
        elif not n_columns:
            if found := CONTIG.match(line):
                declared.add(found[1])
            if not line.startswith(b"##"):
                problem = "this is neither a ## line nor the #CHROM line"
        else:
            problem = _judge_record(line, n_columns)
            used[line.partition(b"\t")[0].strip(b"<>")] = None
        if problem:
            raise InputError(f"the record cannot be read: {problem}", file=path, row=row, remedy=REMEDY)
        if 0 < n_columns < 10:
            break  # no samples, and no reader goes on to the records
    if not n_columns:
        raise InputError("there is no #CHROM line", file=path, remedy=REMEDY)
    return [name.decode() for name in used if name not in declared]


def _judge_record(line: bytes, n_columns: int) -> str:
    found = line.count(b"\t") + 1
    if found != n_columns:
        return f"{found} columns where the header has {n_columns}"
    chromosome, position, _, reference = line.split(b"\t", 4)[:4]
    if not CHROMOSOME.fullmatch(chromosome):
        return f"{chromosome[:40]!r} is no chromosome"
    if not (position.isdigit() and len(position) <= 10 and int(position) < 1 << 31):
        return f"{position[:40]!r} is no position"
    return "" if reference else "there is no reference allele"


def _probe(path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - this interpreter, and a path that is no option
        [sys.executable, "-I", "-c", PROBE, str(path.absolute())], capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason is given"]
        ended = "reading it ends the process that reads it" if done.returncode < 0 else said[0]
        raise InputError(f"the record cannot be read: {ended}", file=path, remedy=REMEDY)
