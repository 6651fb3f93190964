"""The plan of a study: checked before anything runs, and read by every later stage."""

from __future__ import annotations

from pathlib import Path

from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.report.markdown import describe_plan
from genotransfer.study_files import parse_study


def plan_study(
    text: str,
    phenotypes: list[str],
    families: list[str],
    planned: str | Path,
    summary: str | Path | None = None,
) -> Study:
    """Check the study and the loops over it, and write it out with every setting but those of the cluster.

    Parameters
    ----------
    text : the study, YAML or JSON.
    phenotypes, families : what the pipeline loops over; must be the study's own.
    planned : where the study is written, as JSON.
    summary : where what will be run is written in words, as Markdown, if anywhere.

    Raises
    ------
    StudyError
        The study is not valid, or a loop does not agree with it.
    """
    study = check_loops(text, phenotypes, families)
    with replace_together(planned, *([] if summary is None else [summary])) as [path, *told]:
        path.write_text(study.to_json(with_cluster=False))
        for one in told:
            one.write_text(describe_plan(study))
    return study


def check_loops(text: str, phenotypes: list[str], families: list[str]) -> Study:
    """Return the study, having checked that a pipeline loops over what it has.

    Parameters
    ----------
    text : the study, YAML or JSON.
    phenotypes, families : what the pipeline loops over; must be the study's own.

    Raises
    ------
    StudyError
        The study is not valid, or a loop does not agree with it.
    """
    study = parse_study(text)
    for name, given, due in (
        ("phenotypes", phenotypes, study.phenotype_names),
        ("families", families, study.families),
    ):
        if sorted(given) != sorted(due):
            raise StudyError(
                f"The pipeline's parameter {name!r} is {given}, but the study {study.name!r} has {due}. "
                f"Set {name} to {due}."
            )
    return study


def read_study(planned: str | Path) -> Study:
    """Return the study a plan wrote."""
    return parse_study(Path(planned).read_text())
