"""Damage done to valid files: bytes, lines, columns, packing, and the structure of JSON and zip archives."""

import copy
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

NASTY = [
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\x1c", b"\r", b"\r\n", b"\n\n",
    b'"', b"'", b",", b"\t", b" ", b"#", b"##", b"-1", b"-9", b"0", b"1e400", b"-1e400", b"nan", b"inf", b"-inf",
    b"9" * 25, b"9" * 5000, b"1" * 310, b"-9223372036854775809", b"18446744073709551616", b"4294967296",
    b"0x10", b"1_0", b"1.5", b"1e-320", b"1e308", b"\xd9\xa3", "²".encode(), b"True", b"NA", b".", b"../x",
    b"/etc/passwd", b"<script>", b"=1+1", b"A" * 300, b"x," * 300, b"x" * 140_000, b"\x1b[31m", b"%s{}", b"chr",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**25, 10**400, 1e308, -0.5, float("nan"), float("inf"), "", "x",
    "../x", "/etc/passwd", "\x00", "<script>", "\ud800", "1", [], [[]], {}, [None], ["x", "x"], {"a": None}, "x" * 3000,
]  # fmt: skip


def damage(draw: Draw, content: bytes) -> bytes:
    """Return a file damaged in a few places."""
    way = [flip, insert, cut, repeat, change_lines, change_field, change_field, change_field, swap_columns]
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from(way))(draw, content)
    return draw(st.sampled_from([_same, _same, _same, _same, end_lines, truncate]))(draw, content)


def _same(_: Draw, content: bytes) -> bytes:
    return content


def _place(draw: Draw, content: bytes) -> int:
    return draw(st.integers(0, max(0, len(content) - 1)))


def flip(draw: Draw, content: bytes) -> bytes:
    """Change one byte."""
    at = _place(draw, content)
    return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]


def insert(draw: Draw, content: bytes) -> bytes:
    """Put something in."""
    at = _place(draw, content)
    return content[:at] + draw(st.sampled_from(NASTY)) + content[at:]


def cut(draw: Draw, content: bytes) -> bytes:
    """Take a piece out."""
    at = _place(draw, content)
    return content[:at] + content[at + draw(st.integers(1, 40)) :]


def truncate(draw: Draw, content: bytes) -> bytes:
    """Leave the end away."""
    return content[: _place(draw, content)]


def repeat(draw: Draw, content: bytes) -> bytes:
    """Write a piece twice."""
    at = _place(draw, content)
    piece = content[at : at + draw(st.integers(1, 200))]
    return content[:at] + piece + content[at:]


def end_lines(draw: Draw, content: bytes) -> bytes:
    """End lines another way."""
    return content.replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r", b"\n\n", b" \n", b"\t\n", b""])))


def change_lines(draw: Draw, content: bytes) -> bytes:
    """Leave a line out, write it twice, or change the order of two."""
    lines = content.split(b"\n")
    a, b = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    way = draw(st.integers(0, 2))
    if way == 0:
        del lines[a]
    elif way == 1:
        lines.insert(b, lines[a])
    else:
        lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


def _split(line: bytes) -> tuple[bytes, list[bytes]]:
    for separator in (b"\t", b",", b": ", b"=", b" "):
        if separator in line:
            return separator, line.split(separator)
    return b" ", [line]


def change_field(draw: Draw, content: bytes) -> bytes:
    """Write something else into one field of a line, leave it out, or write it twice."""
    lines = content.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    separator, fields = _split(lines[at])
    column, way = draw(st.integers(0, len(fields) - 1)), draw(st.integers(0, 7))
    if way == 0:
        del fields[column]
    elif way == 1:
        fields.insert(column, fields[column])
    else:
        fields[column] = draw(st.sampled_from(NASTY) | st.binary(max_size=6))
    lines[at] = separator.join(fields)
    return b"\n".join(lines)


def swap_columns(draw: Draw, content: bytes) -> bytes:
    """Change the places of two columns, or write one over another."""
    lines = content.split(b"\n")
    a, b = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    only_copy = draw(st.booleans())
    for at, line in enumerate(lines):
        separator, fields = _split(line)
        if max(a, b) < len(fields):
            fields[a], fields[b] = fields[b], fields[b] if only_copy else fields[a]
            lines[at] = separator.join(fields)
    return b"\n".join(lines)


def pack(draw: Draw, content: bytes) -> bytes:
    """Pack with gzip, whole, cut short or damaged."""
    packed = gzip.compress(content, 1, mtime=0)
    return draw(st.sampled_from([_same, _same, truncate, flip, insert]))(draw, packed)


def pack_blocks(draw: Draw, content: bytes) -> bytes:
    """Pack with bgzip, as BCF is; whole, cut short or damaged."""
    packed = b"".join(_pack_block(content[at : at + 60_000]) for at in range(0, len(content), 60_000))
    return draw(st.sampled_from([_same, _same, _same, truncate, flip]))(draw, packed + _pack_block(b""))


def _pack_block(content: bytes) -> bytes:
    # SAM/BAM specification, section 4.1: a gzip member that says how long it is.
    inside = zlib.compress(content, 6, wbits=-15)
    size = len(inside) + 25
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff\x06\x00BC\x02\x00" + size.to_bytes(2, "little")
    return head + inside + zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")


def damage_json(draw: Draw, content: bytes) -> bytes:
    """Change values of a JSON file; now and then its text."""
    if draw(st.integers(0, 5)) == 0:
        deep = draw(
            st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"NaN", b'{"a":1,"a":2}'])
        )
        return draw(st.sampled_from([lambda *_: deep, damage]))(draw, content)
    try:
        tree = copy.deepcopy(json.loads(content))
    except ValueError:
        return damage(draw, content)
    for _ in range(draw(st.integers(1, 3))):
        tree = _change_value(draw, tree)
    return json.dumps(tree).encode()


def _change_value(draw: Draw, tree: Any) -> Any:
    if not isinstance(tree, dict | list) or not tree:
        return copy.deepcopy(draw(st.sampled_from(VALUES)))
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key, way = draw(st.sampled_from(keys)), draw(st.integers(0, 9))
    if way == 0:
        del tree[key]
    elif way == 1:
        tree[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    elif way == 2 and isinstance(tree, dict):
        tree[draw(st.sampled_from(["x", "../x", "class_name", "module", "file", "__loader__"]))] = (
            copy.deepcopy(tree[key])
        )
    elif way == 3 and isinstance(tree, list):
        tree.insert(key, copy.deepcopy(tree[draw(st.sampled_from(keys))]))
    else:
        tree[key] = _change_value(draw, tree[key])
    return tree


def damage_zip(draw: Draw, content: bytes) -> bytes:
    """Change a file of a zip archive, by its structure where it is JSON; leave it out, or damage the whole."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([flip, truncate, cut, insert, repeat]))(draw, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name, way = draw(st.sampled_from(sorted(files))), draw(st.integers(0, 9))
    if way == 0:
        del files[name]
    elif way == 1:
        files[draw(st.sampled_from(["../x", "/tmp/x", "x"]))] = files.pop(name)
    else:
        files[name] = (damage_json if name.endswith(".json") else damage)(draw, files[name])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for one, inside in files.items():
            archive.writestr(zipfile.ZipInfo(one), inside)
    return packed.getvalue()
