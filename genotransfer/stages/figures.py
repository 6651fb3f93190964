"""Module 3: figures of each population and phenotype, and a page that shows them."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import pandas as pd

from genotransfer.config import Study
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
    page that says so, when the study asks for no figures.
    """
    folder = Path(figures_folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    risk = list(read_risk_variants(truth_folder)["id"])
    for role, name in (("source", study.source), ("target", study.target)):
        if not study.outputs.figures:
            break
        table = pd.read_parquet(Path(association_folder) / f"{role}.parquet")
        population = open_population(genotypes[role])
        title = f"{name}_{phenotype}"
        drawn += [
            draw_manhattan(table, folder / f"{title}_manhattan.png", title=title, risk_ids=risk),
            draw_qq(table, folder / f"{title}_qq.png", title=title),
            draw_ld(population, folder / f"{title}_ld.png", table=table, title=title, risk_ids=risk),
        ]
    with replace_together(page) as [temporary]:
        temporary.write_text(_compose_page(phenotype, drawn))


def _compose_page(phenotype: str, drawn: list[Path]) -> str:
    images = "\n".join(
        f'<figure><img alt="{html.escape(path.stem)}" style="max-width:100%" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}"></figure>'
        for path in drawn
    )
    return (
        f'<!doctype html><meta charset="utf-8"><title>{html.escape(phenotype)}</title>'
        f"{images or '<p>This study draws no figures (outputs.figures is false).</p>'}\n"
    )
