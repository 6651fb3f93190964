"""Pages of reports from templates: one HTML file, with its figures in it."""

from __future__ import annotations

import base64
from importlib import resources
from pathlib import Path

from genotransfer.errors import InputError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def render_page(template: str, **values: object) -> str:
    """Return the HTML of a template with its values; every text from outside is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def embed_figure(path: str | Path) -> str:
    """Return a PNG figure as text for a page that holds it.

    Raises
    ------
    InputError
        The figure is absent or no PNG.
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


def _read_template(name: str) -> str:
    templates = resources.files("genotransfer.report") / "templates"
    return (templates / name).read_text(encoding="utf-8")
