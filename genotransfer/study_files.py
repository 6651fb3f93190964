"""Study files: YAML read into settings, with errors that name the file, the row and the remedy.

`load_study` and `parse_study` read a transfer study; `load_settings` and `parse_text` any other kind.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from genotransfer.config import Study
from genotransfer.errors import InputError, StudyError
from genotransfer.formats.files import decode_text
from genotransfer.plain_yaml import read_yaml
from genotransfer.settings import Settings
from genotransfer.storage import is_remote, read_bytes

Kind = TypeVar("Kind", bound=Settings)
# pydantic names the branch of a union in an error's location; a key of a file never looks like it.
BRANCHES = {"simulated", "files", "of people", "of statistics", "of values", "between bounds"}


def load_study(path: str | Path, overrides: list[str] | None = None) -> Study:
    """Read a transfer study from YAML; see `load_settings`."""
    return load_settings(path, Study, overrides)


def load_settings(path: str | Path, kind: type[Kind], overrides: list[str] | None = None) -> Kind:
    """Read a study of one kind from YAML.

    Parameters
    ----------
    path : the study file, here or in a bucket.
    kind : the settings it holds.
    overrides : settings that replace the file's, each ``key.key=value``, the value in YAML.

    Raises
    ------
    InputError
        The file cannot be read, a key is unknown, or a value is of the wrong type or range.
    """
    text = _read_text(path)
    try:
        raw, node = read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"this is no YAML: {getattr(error, 'problem', None) or error}",
            file=path,
            row=mark.line + 1 if mark else None,
            remedy="Mend the line; indent with spaces",
        ) from error
    if not isinstance(raw, dict):
        raise InputError("a study is a mapping of settings", file=path, remedy="Begin with 'name: …'")
    overridden = [_apply_override(raw, one) for one in overrides or []]
    try:
        return kind.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise _explain(error, path, node, overridden, kind) from error


def _read_text(path: str | Path) -> str:
    if not is_remote(path) and not Path(path).is_file():
        raise InputError("there is no such study file", file=path, remedy="Check the path")
    return decode_text(read_bytes(path)[0], path, 1)


def parse_study(text: str) -> Study:
    """Return the transfer study given as text; see `parse_text`."""
    return parse_text(text, Study)


def parse_text(text: str, kind: type[Kind]) -> Kind:
    """Return the study given as JSON or YAML text, as pipelines pass it.

    Raises
    ------
    StudyError
        The text is no valid study.
    """
    try:
        return kind.model_validate_json(json.dumps(read_yaml(text)[0]))
    except (ValidationError, yaml.YAMLError) as error:
        raise StudyError(f"The study is not valid: {error}") from error


def _apply_override(raw: dict[str, Any], override: str) -> tuple[str, ...]:
    key, equals, value = override.partition("=")
    if not equals:
        raise StudyError(f"--set {override!r} has no '='. Write --set key.key=value.")
    keys = tuple(key.strip().split("."))
    place = raw
    for one in keys[:-1]:
        place = place.setdefault(one, {})
        if not isinstance(place, dict):
            raise StudyError(f"--set {override!r}: {one!r} is no group of settings.")
    try:
        place[keys[-1]] = read_yaml(value)[0]
    except yaml.YAMLError as error:
        raise StudyError(
            f"--set {override!r} is no YAML: {getattr(error, 'problem', None) or error}."
        ) from error
    return keys


def _explain(
    error: ValidationError,
    path: str | Path,
    node: yaml.Node | None,
    overridden: list[tuple[str, ...]],
    kind: type[Settings],
) -> InputError:
    """Say the first thing wrong in the words of the study file, with its row."""
    first = error.errors()[0]
    keys = tuple(part for part in first["loc"] if part not in BRANCHES)
    dotted = _shorten(".".join(str(part) for part in keys)) or "the study"
    if first["type"] == "extra_forbidden":
        known = _known_keys(keys[:-1], kind)
        near = difflib.get_close_matches(str(keys[-1]), known, n=1)
        problem = f"unknown key {dotted!r}"
        remedy = f"Did you mean {near[0]!r}" if near else f"Known here: {', '.join(known)}"
    elif first["type"] == "missing":
        problem, remedy = f"{dotted!r} is missing", "Add it"
    else:
        problem = f"{dotted}: {first['msg'][:1].lower()}{first['msg'][1:].removeprefix('Value error, ')}"
        if first["type"] == "value_error":
            problem = f"{dotted}: {first['ctx']['error']}"
            remedy = "Change one of the settings named"
        else:
            remedy = f"The value given is {_shorten(repr(first['input']))}"
    if len(error.errors()) > 1:
        problem += f" (and {len(error.errors()) - 1} more)"
    given = any(keys[: len(one)] == one for one in overridden)
    return InputError(
        problem,
        remedy=remedy,
        file=f"{path} with --set" if given else path,
        row=None if given else _row(node, keys),
    )


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


def _known_keys(keys: tuple[Any, ...], kind: type[Settings]) -> list[str]:
    schema = kind.model_json_schema()
    groups = [schema]
    for key in keys:
        if isinstance(key, int):
            continue
        groups = [
            part for group in groups for part in _follow(group.get("properties", {}).get(key, {}), schema)
        ]
    return sorted({name for group in groups for name in group.get("properties", {})})


def _follow(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return [schema["$defs"][node["$ref"].rsplit("/", 1)[1]]]
    branches = [*node.get("oneOf", []), *node.get("anyOf", []), *node.get("allOf", [])]
    if "items" in node:
        branches.append(node["items"])
    return [found for branch in branches for found in _follow(branch, schema)]


def _row(node: yaml.Node | None, keys: tuple[Any, ...]) -> int | None:
    row = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pairs = [(name, value) for name, value in node.value if name.value == str(key)]
            if not pairs:
                return row
            row, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            row = node.start_mark.line + 1
        else:
            return row
    return row
