"""Summaries in Markdown, for a page that shows a task's output: what will be run, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from genotransfer.candidates import NETWORK_METHODS, SCORES_METHOD
from genotransfer.config import Study
from genotransfer.report.findings import METHOD_NAMES, MethodSummary, describe_points, find
from genotransfer.report.tables import StudyFacts, arrange_results


def describe_plan(study: Study) -> str:
    """Return what a study will run, as Markdown."""
    source, target = study.splits.source, study.splits.target
    final = study.splits.final if study.splits.final is not None else "whoever is left"
    methods = [METHOD_NAMES[method] for method in study.transfer.methods]
    rows = [
        (
            "Question",
            f"How well can a phenotype of {study.target} be predicted with knowledge from {study.source}?",
        ),
        ("Phenotypes", f"{len(study.phenotype_names)}: {_quote(study.phenotype_names)}"),
        ("Genotypes", _describe_genotypes(study)),
        (f"People of {study.source}", f"TD {source.TD}, VD {source.VD}, ED {source.ED}"),
        (f"People of {study.target}", f"TD {target.TD}, VD {target.VD}, ED {target.ED}; FD {final}"),
        ("SNP panels", f"{len(study.panels.source)} of the source, {len(study.panels.target)} of the target"),
        ("Methods", ", ".join(methods)),
        ("Classical models", _quote(study.models.classical)),
    ]
    if set(study.transfer.methods) & set(NETWORK_METHODS):
        networks = f"{_quote(study.models.networks)}; {study.training.epochs} epochs at most"
        rows.append(("Networks", networks))
    if SCORES_METHOD in study.transfer.methods:
        rows.append(("Polygenic scores", _quote(study.models.scores)))
    rows.append(("Choice", f"rule `{study.selection.rule}`; FD is read once, at the end"))
    rows.append(("Seed", f"{study.seed}"))
    return f"# Study {study.name}\n\n" + lay_out_table(("", ""), rows)


def describe_results(study: StudyFacts, results: pd.DataFrame, leaderboard: pd.DataFrame) -> str:
    """Return what a study found, as Markdown: the answer in words, means by method, and every result.

    Parameters
    ----------
    study : its facts.
    results : one row a phenotype and method, see `genotransfer.report.tables.arrange_results`;
        accuracies 0 to 1.
    leaderboard : the table of all candidates.
    """
    results = arrange_results(results)
    found = find(results, leaderboard, study)
    parts = [
        f"# {study['name']}: {study['source']} to {study['target']}",
        f"**{found.answer}** {found.explanation}",
        f"Accuracy on {study['n_fd']} people of FD that no model had seen; models were chosen on ED.",
        "## By method, over the phenotypes",
        lay_out_table(
            ("method", "phenotypes", "FD", "gain, points", "95 %"), map(_describe_method, found.summaries)
        ),
        "## Every result",
        lay_out_table(
            ("phenotype", "method", "panel", "model", "ED", "FD", "95 % of FD", "AUC"),
            [_describe_result(row, study["target"]) for _, row in results.iterrows()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _describe_genotypes(study: Study) -> str:
    genotypes = study.genotypes
    if genotypes.kind == "files":
        return "from files"
    kept = "every variant" if genotypes.max_variants is None else f"{genotypes.max_variants:,} variants"
    return f"simulated, {kept} of MAF {genotypes.maf:g} or more"


def _describe_method(one: MethodSummary) -> Sequence[str]:
    gain = "" if one.gain is None else describe_points(one.gain.difference)
    low, high = (
        (one.gain.low, one.gain.high) if one.gain and one.n_pairs > 1 else (one.gain_low, one.gain_high)
    )
    interval = f"{describe_points(low)} to {describe_points(high)}" if math.isfinite(low + high) else ""
    return METHOD_NAMES[one.method], str(one.n_phenotypes), f"{one.accuracy:.3f}", gain, interval


def _describe_result(row: pd.Series, target: str) -> Sequence[str]:
    return (
        f"`{target}_{row['phenotype']}`",
        METHOD_NAMES[row["method"]],
        f"`{row['panel']}`",
        f"`{row['model']}`",
        f"{row['ed_accuracy']:.3f}",
        f"{row['fd_accuracy']:.3f}",
        f"{row['fd_low']:.2f} to {row['fd_high']:.2f}",
        "" if pd.isna(row["fd_auc"]) else f"{row['fd_auc']:.3f}",
    )


def _quote(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def lay_out_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
