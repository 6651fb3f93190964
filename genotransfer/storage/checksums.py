"""CRC32C of bytes and files, as Cloud Storage writes it: base64 of four bytes, the greatest first."""

from __future__ import annotations

import base64
from pathlib import Path

import google_crc32c

BLOCK = 1 << 20


def sum_bytes(data: bytes) -> str:
    """Return the checksum of bytes."""
    return _encode(google_crc32c.value(data))


def sum_file(path: str | Path) -> str:
    """Return the checksum of a file."""
    value = 0
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            value = google_crc32c.extend(value, block)
    return _encode(value)


def _encode(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()
