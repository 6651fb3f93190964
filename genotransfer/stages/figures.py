"""Module 3: figures of each population and phenotype, and a page that shows them."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.plots import draw_ld, draw_manhattan, draw_qq
from genotransfer.stages.genotypes import open_population
from genotransfer.stages.phenotypes import read_risk_variants


def draw_figures(
    study: Study,
    phenotype: str,
    association_folder: str | Path,
    truth_folder: str | Path,
    genotypes: dict[str, str],
    figures_folder: str | Path,
    page: str | Path,
) -> None:
    """Draw the Manhattan plot, QQ plot and LD heat map of each population.

    Writes ``<population>_<phenotype>_<figure>.png`` and one HTML page with all of them; none, and a
    page that says so, when the study asks for no figures. A figure that the data do not allow, such
    as the LD about a variant alone on its chromosome, is left out, and the page says why.
    """
    folder = Path(figures_folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    left_out: list[str] = []
    effects = read_risk_variants(truth_folder)
    risk = list(effects.loc[(effects["source_effect"] != 0) | (effects["target_effect"] != 0), "id"])
    for role, name in (("source", study.source), ("target", study.target)):
        if not study.outputs.figures:
            break
        table = pd.read_parquet(Path(association_folder) / f"{role}.parquet")
        population = open_population(genotypes[role])
        title = f"{name}_{phenotype}"
        ways: dict[str, Callable[[Path], Path]] = {
            "manhattan": partial(draw_manhattan, table, title=title, risk_ids=risk),
            "qq": partial(draw_qq, table, title=title),
            "ld": partial(draw_ld, population, table=table, title=title, risk_ids=risk),
        }
        for kind, draw in ways.items():
            try:
                drawn.append(draw(folder / f"{title}_{kind}.png"))
            except StudyError as error:
                left_out.append(f"{title}: {error}")
    with replace_together(page) as [temporary]:
        temporary.write_text(_compose_page(phenotype, drawn, left_out))


def _compose_page(phenotype: str, drawn: list[Path], left_out: list[str]) -> str:
    images = "\n".join(
        f'<figure><img alt="{html.escape(path.stem)}" style="max-width:100%" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}"></figure>'
        for path in drawn
    )
    notes = "\n".join(f"<p>{html.escape(sentence)}</p>" for sentence in left_out)
    if not drawn and not left_out:
        notes = "<p>This study draws no figures (outputs.figures is false).</p>"
    return f'<!doctype html><meta charset="utf-8"><title>{html.escape(phenotype)}</title>{images}\n{notes}\n'
