"""Files that are whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_together(*targets: str | Path) -> Iterator[list[Path]]:
    """Yield one temporary path for each target; rename all of them when the block succeeds.

    When the block raises, the targets are left as they were and the temporary files are removed.
    The parent folders are made when they are absent.
    """
    paths = [Path(target) for target in targets]
    folders = [_make_folder(path.parent) for path in paths]
    temporary = [folder / path.name for folder, path in zip(folders, paths, strict=True)]
    try:
        yield temporary
        for source, path in zip(temporary, paths, strict=True):
            source.replace(path)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _make_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".writing-", dir=parent))
