"""Files read with clear errors, and files that are whole or absent.

Text is read line by line, gzipped or not. Output is written under a temporary name, then renamed.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from genotransfer.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
# Far beyond the longest row of any cohort; a small gzip file may unpack to one line of any length.
MOST_LINE = 1 << 28
# A table held in memory is refused where it is larger than this, and this many times its packed size.
MOST_UNPACKED, MOST_RATIO = 1 << 27, 200
# How the folders begin in which `replace_together` writes.
UNFINISHED = ".writing-"


@contextmanager
def replace_together(*targets: str | Path, replace_folders: bool = False) -> Iterator[list[Path]]:
    """Yield one temporary path for each target; rename all of them when the block succeeds.

    When the block raises, the targets are left as they were and the temporary files are removed.
    Parent folders that are absent are made, and taken away again when the block raises. A
    temporary path may become a folder; it then takes the place of an absent or empty folder only, or
    of any with `replace_folders`, for those who have looked at what it holds.

    Raises
    ------
    InputError
        A target is a folder that is not empty, or a parent of a target is a file.
    """
    paths = [Path(target) for target in targets]
    for path in paths:
        if not replace_folders and path.is_dir() and any(path.iterdir()):
            raise InputError(
                "this is a folder, and it is not empty", file=path, remedy="Name a path that is not taken"
            )
    made = [folder for path in paths for folder in _absent_parents(path)]
    folders: list[Path] = []
    complete = False
    try:
        folders.extend(_make_folder(path.parent) for path in paths)
        temporary = [folder / path.name for folder, path in zip(folders, paths, strict=True)]
        yield temporary
        for source, path in zip(temporary, paths, strict=True):
            if path.is_dir():  # aside, to go with the temporary folder
                path.replace(source.with_name(f"{source.name}.before"))
            source.replace(path)
        complete = True
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        if not complete:
            for folder in made:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def _absent_parents(path: Path) -> list[Path]:
    """Return the folders above `path` that are not there yet, the deepest first."""
    return [folder for folder in path.absolute().parents if not folder.exists()]


def _make_folder(parent: Path) -> Path:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=parent))
    except OSError as error:
        raise InputError(
            f"no file can be written there: {error.strerror}",
            file=parent,
            remedy="Name a folder you may write to",
        ) from error


def remove_unfinished(folder: str | Path) -> None:
    """Remove, at any depth, what `replace_together` was writing when its process was killed.

    Nobody may be writing there.
    """
    for one in Path(folder).glob(f"**/{UNFINISHED}*"):
        shutil.rmtree(one, ignore_errors=True)


def require_file(path: str | Path, *, remedy: str = "Check the path") -> Path:
    """Return `path` as a Path.

    Raises
    ------
    InputError
        There is no such file, or it is empty.
    """
    path = Path(path)
    if not path.is_file():
        problem = "this is a folder, not a file" if path.is_dir() else "there is no such file"
        raise InputError(problem, file=path, remedy=remedy)
    if not path.stat().st_size:
        raise InputError("the file is empty", file=path, remedy="Make the file again")
    return path


def read_lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """Yield (1-based row, line without its end) of a text file, unpacking gzip as it goes.

    Raises
    ------
    InputError
        The file is missing, empty, unreadable, or a gzip file that is damaged; or a line is longer than
        `MOST_LINE`.
    """
    path = require_file(path)
    number = 0
    try:
        with gzip.open(path, "rb") if is_packed(path) else path.open("rb") as lines:
            for number, line in enumerate(iter(partial(lines.readline, MOST_LINE), b""), start=1):
                if len(line) == MOST_LINE:
                    raise InputError(
                        f"the row is longer than {MOST_LINE >> 20} MiB",
                        file=path,
                        row=number,
                        remedy="Check that this is the right file",
                    )
                yield number, line.rstrip(b"\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"the gzip file is damaged or is none: {error}",
            file=path,
            row=number + 1,
            remedy="Copy or pack the file again, and test it with gzip -t",
        ) from error
    except OSError as error:
        raise InputError(
            f"the file cannot be read: {error.strerror}", file=path, remedy="Check the file's permissions"
        ) from error
    if not number:
        raise InputError("the file is empty", file=path, remedy="Make the file again")


@contextmanager
def name_file(path: str | Path) -> Iterator[None]:
    """Name a file in errors of the block that name none."""
    try:
        yield
    except InputError as error:
        if error.file is not None:
            raise
        raise InputError(error.problem, remedy=error.remedy, file=path) from error


def is_packed(path: str | Path) -> bool:
    """Say whether a file is to be unpacked: by its first bytes, or by its name."""
    with Path(path).open("rb") as file:
        return Path(path).suffix == ".gz" or file.read(2) == GZIP_MAGIC


def check_unpacked(path: str | Path) -> Path:
    """Refuse a file that is no text one would hold in memory; return its path.

    Raises
    ------
    InputError
        The file is missing, empty or unreadable, a gzip file that is damaged or that unpacks to far more
        than any table does, or has a line longer than `MOST_LINE`.
    """
    path = require_file(path)
    if is_packed(path):
        most = max(MOST_UNPACKED, MOST_RATIO * path.stat().st_size)
        unpacked = 0
        for _, line in read_lines(path):
            unpacked += len(line) + 1
            if unpacked > most:
                raise InputError(
                    f"the gzip file unpacks to more than {most >> 20} MiB, {MOST_RATIO} times its size, as no "
                    "table does",
                    file=path,
                    remedy="Check where the file is from; a table that is that large can be given unpacked",
                )
    return path


def is_position(text: str) -> bool:
    """Say whether text is a position in bp: digits, and no more of them than a genome could need."""
    return text.isascii() and text.isdecimal() and len(text) <= 15


def decode_text(field: bytes, path: str | Path, row: int) -> str:
    """Return bytes of a text file as text.

    Raises
    ------
    InputError
        The bytes are not UTF-8.
    """
    try:
        return field.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            "the row is not text in UTF-8", file=path, row=row, remedy="Check that this is the right file"
        ) from error
