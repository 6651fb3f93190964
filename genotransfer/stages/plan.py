"""The plan of a study: checked before anything runs, and read by every later stage."""

from __future__ import annotations

from pathlib import Path

from genotransfer.config import Study
from genotransfer.errors import StudyError
from genotransfer.formats.files import replace_together
from genotransfer.study_files import parse_study


def plan_study(text: str, phenotypes: list[str], families: list[str], planned: str | Path) -> Study:
    """Check the study and the loops over it, and write it out with every setting.

    Parameters
    ----------
    text : the study, YAML or JSON.
    phenotypes, families : what the pipeline loops over; must be the study's own.
    planned : where the study is written, as JSON.

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
    with replace_together(planned) as [path]:
        path.write_text(study.to_json())
    return study


def read_study(planned: str | Path) -> Study:
    """Return the study a plan wrote."""
    return parse_study(Path(planned).read_text())
