"""The report: one HTML file that says whether transfer helped, how sure that is, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from genotransfer.candidates import METHODS
from genotransfer.formats.files import replace_together
from genotransfer.report import gain_sections, published, sections
from genotransfer.report.findings import METHOD_NAMES, SPACE, Findings, describe_points, find
from genotransfer.report.gains import group_phenotypes
from genotransfer.report.pages import embed_figure, open_template
from genotransfer.report.tables import StudyFacts, arrange_results, describe_missing

PRINTED_PHENOTYPES = frozenset(published.TABLE_3)


def write_report(
    folder: str | Path,
    study: StudyFacts,
    results: pd.DataFrame,
    leaderboard: pd.DataFrame,
    panel_sizes: pd.DataFrame,
    quality: pd.DataFrame,
    alignment: Mapping[str, object],
    figures: Sequence[tuple[str, Path]],
    warnings: Sequence[str] = (),
) -> Path:
    """Write ``report.html``: one file that needs no other, figures included.

    Parameters
    ----------
    folder : where the report goes; made when absent.
    study : its facts.
    results : one row a phenotype and method, see `tables.arrange_results`.
    leaderboard : the table of all candidates.
    panel_sizes : phenotype, population (``source`` or ``target``), panel, n_snps.
    quality : what each step of quality control removed: step, population, removed, left.
    alignment : counts of bringing the populations to common variants, by name.
    figures : title and PNG file of each figure.
    warnings : sentences the reader must see first.

    Returns
    -------
    The path of the report.

    Raises
    ------
    InputError
        A figure is absent or no PNG.
    StudyError
        The results or the leaderboard are not those of one study.
    """
    path = Path(folder) / "report.html"
    text = render_report(study, results, leaderboard, panel_sizes, quality, alignment, figures, warnings)
    with replace_together(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


def render_report(
    study: StudyFacts,
    results: pd.DataFrame,
    leaderboard: pd.DataFrame,
    panel_sizes: pd.DataFrame,
    quality: pd.DataFrame,
    alignment: Mapping[str, object],
    figures: Sequence[tuple[str, Path]],
    warnings: Sequence[str] = (),
) -> str:
    """Return the report's HTML; see `write_report`. Every text from outside is escaped."""
    results = arrange_results(results)
    findings = find(results, leaderboard, study)
    groups = [
        gain_sections.lay_out_gains(results, leaderboard, group, study) for group in group_phenotypes(results)
    ]
    missing = describe_missing(results, study.get("methods", METHODS))
    return open_template("report.html.jinja").render(
        study=study,
        findings=findings,
        tiles=_list_tiles(findings),
        points=f"{100 * findings.half_width:.0f}",
        share="" if study["heritability"] is None else f"{100 * study['heritability']:g}",
        n_candidates=f"{len(leaderboard):,}",
        means=sections.lay_out_summaries(findings.summaries),
        results=sections.lay_out_results(results),
        gains=groups,
        together=gain_sections.lay_out_all_tests(results, leaderboard, study),
        choices=sections.lay_out_choices(results, leaderboard, study),
        panels=sections.lay_out_panels(panel_sizes, study),
        chance=sections.lay_out_chance(leaderboard, study["n_ed"]),
        quality=sections.lay_out_quality(quality),
        alignment=sections.lay_out_alignment(alignment),
        figures=[(title, embed_figure(path)) for title, path in figures],
        warnings=list(warnings),
        missing={one: [METHOD_NAMES[name] for name in lacking] for one, lacking in missing.items()},
        beside_paper=(study["source"], study["target"]) == published.POPULATIONS
        and bool(PRINTED_PHENOTYPES & set(results["phenotype"].astype(str))),
        citation=published.CITATION,
        doi=published.DOI,
        discrepancies=published.DISCREPANCIES,
    )


def _list_tiles(findings: Findings) -> list[tuple[str, str, str]]:
    """Return label, number and remark of the key numbers, leaving out what is not known."""
    by_method = {one.method: one for one in findings.summaries}
    tiles = []
    for method in ("none", "snp_transfer", "deep", "score_transfer", "chosen"):
        if method in by_method:
            one = by_method[method]
            remark = "" if one.gain is None else f"{describe_points(one.gain.difference)} points"
            tiles.append((METHOD_NAMES[method].split(",")[0], _percent(one.accuracy), remark))
    tiles.append(("True risk SNPs (oracle)", _percent(findings.oracle), "true effects"))
    tiles.append(("Ceiling", _percent(findings.ceiling), "of very many SNPs"))
    return [tile for tile in tiles if tile[1]]


def _percent(value: float) -> str:
    return "" if value != value else f"{describe_points(value, sign=False)}{SPACE}%"
