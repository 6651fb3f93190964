"""Write the pages of settings in docs/reference from the settings themselves: python tools/describe_study.py."""

from __future__ import annotations

import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.config import Study
from genotransfer.exome_cnn.settings import ExomeCnnStudy

REFERENCE = Path(__file__).parents[1] / "docs/reference"
HEAD = """# Settings of {what}

Every setting has a default but `name`; a study file gives those it changes. `--set key.key=value`
replaces one on the command line. An unknown key or a wrong type is an error.

"""
PAGES: dict[str, tuple[str, type[BaseModel]]] = {
    "study.md": ("a study", Study),
    "exome-cnn.md": ("a study of an exome", ExomeCnnStudy),
    "comparison.md": ("a comparison of models", ComparisonStudy),
}


def list_models(annotation: Any) -> list[type[BaseModel]]:
    """Return the groups of settings in an annotation: itself, or the branches of a union or list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in list_models(part)]


def name_type(annotation: Any) -> str:
    """Return an annotation as a reader of YAML thinks of it."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return ", ".join(str(one) for one in arguments)
    if origin is typing.Annotated:
        return name_type(arguments[0])
    if origin in (list, tuple):
        return f"list of {name_type(arguments[0])}"
    if origin is dict:
        return f"{name_type(arguments[0])}: {name_type(arguments[1])}"
    if arguments:
        return " or ".join("null" if one is type(None) else name_type(one) for one in arguments)
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true, false"}.get(
        annotation.__name__, annotation.__name__
    )


def write_default(field: Any) -> str:
    """Return a setting's default as it would stand in YAML."""
    value = field.default_factory() if field.default_factory else field.default
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value) + "]"
    return "{}" if value == {} else '""' if value == "" else str(value)


def describe(model: type[BaseModel], path: str) -> list[str]:
    """Return the lines of one group of settings, and of the groups inside it."""
    title = f"`{path}`" if path else "The study"
    kind = model.model_fields.get("kind")
    if kind is not None:
        title += f", kind `{typing.get_args(kind.annotation)[0]}`"
    lines = [f"## {title}", "", (model.__doc__ or "").strip().splitlines()[0], ""]
    rows, below = [], []
    for name, field in model.model_fields.items():
        inner = list_models(field.annotation)
        if inner and name != "kind":
            for one in inner:
                below += describe(one, f"{path}.{name}" if path else name)
            if typing.get_origin(field.annotation) not in (list, dict):
                continue
        note = field.description or ""
        rows.append(f"| `{name}` | {name_type(field.annotation)} | {write_default(field)} | {note} |")
    if rows:
        lines += ["| setting | takes | default | |", "|---|---|---|---|", *rows, ""]
    return lines + below


def compose(page: str) -> str:
    """Return a whole page."""
    what, model = PAGES[page]
    return HEAD.format(what=what) + "\n".join(describe(model, ""))


if __name__ == "__main__":
    for page in PAGES:
        (REFERENCE / page).write_text(compose(page))
        sys.stdout.write(f"{REFERENCE / page}\n")
