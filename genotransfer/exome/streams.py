"""Bytes of plain, gzip and bgzip files, in pieces, unpacked ahead of the reader by a second thread.

Source: SAM/BAM specification, section 4.1 (the BGZF format).
"""

from __future__ import annotations

import gzip
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from genotransfer.errors import InputError
from genotransfer.formats.files import GZIP_MAGIC, require_file
from genotransfer.formats.vcf_check import BGZF_START, check_end

unpacker: Any
try:  # it unpacks in less than half the time
    from isal import isal_zlib

    unpacker = isal_zlib
except ImportError:
    unpacker = zlib

Item = TypeVar("Item")
DAMAGE: tuple[type[Exception], ...] = (zlib.error, unpacker.error)
PIECE = 1 << 20
GROUPS_AHEAD = 6
FOOTER = 8  # CRC and length, after a block's data


def read_pieces(path: str | Path) -> Generator[bytes, None, None]:
    """Yield a file's bytes, unpacked, about a mebibyte at a time.

    Raises
    ------
    InputError
        The file is missing, empty, cut off, or its checksums do not agree.
    """
    path = require_file(path)
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == BGZF_START:
            check_end(path)
            yield from _unpack_bgzip(file, path)
        elif start[:2] == GZIP_MAGIC:
            yield from _unpack_gzip(file, path)
        else:
            while piece := file.read(PIECE):
                yield piece


def _unpack_gzip(file: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(file) as unpacked:
            while piece := unpacked.read(PIECE):
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _name_damage(path, str(error)) from error


def run_ahead(items: Generator[Item, None, None], count: int) -> Generator[Item, None, None]:
    """Yield items that another thread makes, up to `count` of them ahead of the one in use."""
    with closing(items), ThreadPoolExecutor(1) as pool:
        ahead: deque[Future[Item | None]] = deque(pool.submit(next, items, None) for _ in range(count))
        try:
            while (item := ahead.popleft().result()) is not None:
                ahead.append(pool.submit(next, items, None))
                yield item
        finally:
            for one in ahead:
                one.cancel()


def _unpack_bgzip(file: BinaryIO, path: Path) -> Generator[bytes, None, None]:
    """Unpack groups of blocks in another thread (which gives up the interpreter's lock)."""
    return run_ahead((_unpack_group(group, path) for group in _read_groups(file, path)), GROUPS_AHEAD)


def _read_groups(file: BinaryIO, path: Path) -> Iterator[list[bytes]]:
    """Yield lists of whole blocks, each of some hundred kibibytes packed."""
    rest = b""
    while piece := file.read(PIECE // 4):
        data, at, blocks = rest + piece, 0, []
        while at + 18 <= len(data):
            size = _find_size(data, at, path)
            if at + size > len(data):
                break
            blocks.append(data[at : at + size])
            at += size
        rest = data[at:]
        if blocks:
            yield blocks
    if rest:
        raise _name_damage(path, "its last block is cut off")


def _find_size(data: bytes, at: int, path: Path) -> int:
    """Return the length of the block that begins at a place, from the extra field BC of its header."""
    if data[at : at + 4] != BGZF_START:
        raise _name_damage(path, "a block of bgzip is due, and something else is there")
    end = at + 12 + int.from_bytes(data[at + 10 : at + 12], "little")
    field = at + 12
    while field + 6 <= end:
        if data[field : field + 2] == b"BC":
            return int.from_bytes(data[field + 4 : field + 6], "little") + 1
        field += 4 + int.from_bytes(data[field + 2 : field + 4], "little")
    raise _name_damage(path, "a block does not say how long it is")


def _unpack_group(blocks: list[bytes], path: Path) -> bytes:
    unpacked = []
    for block in blocks:
        start = 12 + int.from_bytes(block[10:12], "little")
        checksum = int.from_bytes(block[-8:-4], "little")
        size = int.from_bytes(block[-4:], "little")
        try:
            data = unpacker.decompress(memoryview(block)[start:-FOOTER], -15, max(size, 1))
        except DAMAGE as error:
            raise _name_damage(path, str(error)) from error
        if len(data) != size or unpacker.crc32(data) != checksum:
            raise _name_damage(path, "a block's checksum does not agree")
        unpacked.append(data)
    return b"".join(unpacked)


def _name_damage(path: Path, problem: str) -> InputError:
    return InputError(
        f"the packed file is damaged: {problem}",
        file=path,
        remedy="Copy the file again, and test it with gzip -t",
    )


class ByteStream:
    """Bytes of a file, in order.

    Parameters
    ----------
    path : a plain, gzip or bgzip file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._pieces = read_pieces(path)
        self._held = b""
        self._at = 0

    def peek(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end, without taking them."""
        self._fill(count)
        return self._held[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        """Take the next bytes.

        Raises
        ------
        InputError
            The file ends before.
        """
        self._fill(count)
        taken = self._held[self._at : self._at + count]
        if len(taken) < count:
            raise _name_damage(self.path, "it ends in the middle of a record")
        self._at += count
        return taken

    def close(self) -> None:
        """Stop reading."""
        self._pieces.close()

    def _fill(self, count: int) -> None:
        if len(self._held) - self._at >= count:
            return
        parts = [self._held[self._at :]]
        held = len(parts[0])
        for piece in self._pieces:
            parts.append(piece)
            held += len(piece)
            if held >= count:
                break
        self._held, self._at = b"".join(parts), 0
