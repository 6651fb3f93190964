"""A prediction in a page of Markdown and in numbers, for the page of a pipeline's task."""

from __future__ import annotations

import json
from pathlib import Path

from genotransfer.formats.files import replace_together
from genotransfer.prediction.predict import Prediction

MOST_ROWS = 20


def write_metrics(prediction: Prediction, path: str | Path) -> None:
    """Write the numbers of the whole as JSON."""
    with replace_together(path) as [temporary]:
        temporary.write_text(json.dumps(prediction.measure(), indent=1))


def write_summary(prediction: Prediction, path: str | Path) -> None:
    """Write a page of Markdown: what was predicted with which model, warnings, and a few people."""
    with replace_together(path) as [temporary]:
        temporary.write_text("\n".join(compose_summary(prediction)) + "\n", encoding="utf-8")


def compose_summary(prediction: Prediction) -> list[str]:
    """Return the lines of the page."""
    facts, table = prediction.facts, prediction.table
    lines = [
        f"# {_escape(f'{facts.target}_{facts.phenotype}')}: {len(table)} people",
        "",
        _escape(f"Model: {', '.join(one.model for one in facts.members)} of the study {facts.study}, ")
        + _escape(f"from {facts.source} to {facts.target}." if facts.source else f"of {facts.target}."),
        "",
        *(f"**Warning.** {_escape(warning)}\n" for warning in prediction.warnings),
        "| | |",
        "|---|---|",
        f"| predicted cases | {int(table['predicted'].sum())} |",
        f"| mean probability | {table['probability'].mean():.3f} |",
        f"| variants of the model in the file | {prediction.match_rate:.1%} |",
    ]
    if prediction.effect_match_rate is not None:
        lines.append(f"| effects of the model in the file | {prediction.effect_match_rate:.1%} |")
    if facts.final is not None:
        lines.append(
            f"| accuracy on {facts.tested_on} | {facts.final.accuracy:.3f} ({facts.final.n} people) |"
        )
    lines += [
        f"| variants {name} | {count} |"
        for name, count in prediction.counts.items()
        if name != "wanted" and count
    ]
    lines += ["", "| iid | probability | predicted | called | ancestry z |", "|---|---|---|---|---|"]
    lines += [
        f"| {_escape(str(row['iid']))} | {row['probability']:.3f} | {row['predicted']} | {row['call_rate']:.1%} | "
        f"{row['ancestry_z']:+.1f} |"
        for row in table.head(MOST_ROWS).to_dict("records")
    ]
    if len(table) > MOST_ROWS:
        lines += ["", f"The first {MOST_ROWS} of {len(table)} people."]
    return [*lines, "", *(f"- {_escape(note)}" for note in prediction.notes)]


def _escape(text: str) -> str:
    """Return text that Markdown and its tables show as it is: no tag, link, line or column of its own."""
    for letter, shown in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ("|", "\\|"),
        ("[", "\\["),
        ("`", "\\`"),
        ("\n", " "),
        ("\r", " "),
    ):
        text = text.replace(letter, shown)
    return text
