"""Pages: HTML files that need no other, of headings, paragraphs, tables and figures, all in one style."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from genotransfer import __version__
from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together
from genotransfer.report.cells import Section

if TYPE_CHECKING:
    import jinja2

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Chapter:
    """A part of a page, in this order: a heading, paragraphs, tables, figures, a list.

    Attributes
    ----------
    figures : title and PNG file of each.
    beside : whether numbers of the tables have the paper's below them, in another colour.
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Section] = ()
    figures: Sequence[tuple[str, Path]] = ()
    points: Sequence[str] = ()
    beside: bool = False


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes
    ----------
    title : of the window.
    heading, answer, lead : what it is about, what came of it in one sentence, and in a few.
    tiles : label, number and remark of the key numbers.
    facts : a line of small print.
    warnings : sentences the reader must see first.
    footer : where the method is from.
    """

    title: str
    heading: str
    answer: str
    lead: str
    chapters: Sequence[Chapter]
    tiles: Sequence[tuple[str, str, str]] = ()
    facts: str = ""
    warnings: Sequence[str] = field(default_factory=tuple)
    footer: str = ""


def write_page(path: str | Path, page: Page) -> Path:
    """Write a page, whole or not at all; every text is escaped.

    Raises
    ------
    InputError
        A figure is absent or no PNG.
    """
    embedded = [[(title, embed_figure(file)) for title, file in one.figures] for one in page.chapters]
    text = open_template("page.html.jinja").render(page=page, figures=embedded, version=__version__)
    with replace_together(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def embed_figure(path: Path) -> str:
    """Return a PNG file in base64.

    Raises
    ------
    InputError
        It is absent or no PNG.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"the figure cannot be read ({error.strerror})", remedy="Draw it before the report", file=path
        ) from error
    if not content.startswith(PNG_MAGIC):
        raise InputError("the figure is no PNG image", remedy="Save it as PNG", file=path)
    return base64.b64encode(content).decode("ascii")


def open_template(name: str) -> jinja2.Template:
    """Return one of the templates, in which every text is escaped and an unknown name is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _read_template(name: str) -> str:
    templates = resources.files("genotransfer.report") / "templates"
    return (templates / name).read_text(encoding="utf-8")
