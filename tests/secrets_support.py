"""Planted secrets, and where they are found again: in files, in databases, and within what is packed."""

import base64
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

DEPTH = 4  # archives within archives


def find_secret(folder: str | Path, secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Return where secrets stand in the files under a folder: pairs of (place, secret).

    A secret is found as it is, in base64, and as an address writes it; in names of files and links and in
    their contents, also within gzip, bzip2, xz, zip and tar, one in another. A place within an archive is
    ``file!member``. A file that is given instead of a folder is looked at alone.
    """
    folder = Path(folder)
    forms = [(secret, form) for secret in secrets for form in _write_forms(secret)]
    found: set[tuple[str, str]] = set()
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
        place = str(path)
        contents = [path.name.encode()]
        if path.is_symlink():
            contents.append(str(path.readlink()).encode())
        elif path.is_file():
            contents.append(path.read_bytes())
        for content in contents:
            for inside, data in _unpack(place, content, DEPTH):
                found |= {(inside, secret) for secret, form in forms if form in data}
    return sorted(found)


def _write_forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    # In base64 a secret may stand at each of three places of a group of letters; its middle is the same.
    shifted = {base64.b64encode(bytes(at) + raw)[4 * bool(at) :].rstrip(b"=")[:-2] for at in range(3)}
    shifted = {form[2:] if len(form) > 12 else form for form in shifted}
    return {
        raw,
        quote(secret, safe="").encode(),
        secret.encode("utf-16-le"),
        *(one for one in shifted if len(one) > 7),
    }


def _unpack(place: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    yield place, data
    if depth == 0:
        return
    for magic, unpack in (
        (b"\x1f\x8b", gzip.decompress),
        (b"BZh", bz2.decompress),
        (b"\xfd7zXZ", lzma.decompress),
    ):
        if data.startswith(magic):
            try:
                yield from _unpack(place, unpack(data), depth - 1)
            except (OSError, EOFError, zlib.error, lzma.LZMAError):
                continue
    if data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    yield from _unpack(f"{place}!{name}", archive.read(name), depth - 1)
        except (zipfile.BadZipFile, RuntimeError, zlib.error):
            return
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isfile() else None
                inside = b"" if content is None else content.read()
                yield from _unpack(f"{place}!{member.name}", inside, depth - 1)
