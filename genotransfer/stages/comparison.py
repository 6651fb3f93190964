"""The stages of a comparison of models: plan, people, one model, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genotransfer.comparison.judging import JudgedModel
from genotransfer.comparison.judging import judge_model as cross_validate
from genotransfer.comparison.people import load_people
from genotransfer.comparison.people import prepare_people as write_people
from genotransfer.comparison.pipelines import check_models
from genotransfer.comparison.report import write_report as write_all
from genotransfer.comparison.report import write_summary
from genotransfer.comparison.settings import ComparisonStudy
from genotransfer.comparison.words import describe_plan
from genotransfer.errors import StudyError
from genotransfer.events import Progress
from genotransfer.formats.files import replace_together
from genotransfer.study_files import parse_text


def plan_comparison(
    text: str, models: list[str], planned: str | Path, summary: str | Path | None = None
) -> ComparisonStudy:
    """Check a comparison, its models and the loop over them, and write it out with every setting.

    Parameters
    ----------
    text : the study, YAML or JSON.
    models : what the pipeline loops over; must be the study's own.
    planned : where the study is written, as JSON.
    summary : where what will be run is written in words, as Markdown, if anywhere.

    Raises
    ------
    StudyError
        The study is not valid, a search names what its model does not have, or the loop does not agree.
    """
    study = parse_text(text, ComparisonStudy)
    check_models(study)
    if sorted(models) != sorted(study.model_names):
        raise StudyError(
            f"The pipeline's parameter 'models' is {models}, but the study {study.name!r} has "
            f"{study.model_names}. Set models to {study.model_names}."
        )
    with replace_together(planned, *([] if summary is None else [summary])) as [path, *told]:
        path.write_text(study.to_json(with_cluster=False))
        for one in told:
            one.write_text(describe_plan(study))
    return study


def read_comparison(planned: str | Path) -> ComparisonStudy:
    """Return the comparison a plan wrote."""
    return parse_text(Path(planned).read_text(), ComparisonStudy)


def prepare_people(
    planned: str | Path, folder: str | Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Make the people of a comparison; return their facts."""
    return write_people(read_comparison(planned), folder, progress=progress)


def judge_model(
    planned: str | Path,
    model: str,
    people_folder: str | Path,
    folder: str | Path,
    progress: Progress | None = None,
) -> float:
    """Cross-validate one model, write what was found, and return its accuracy."""
    judged = cross_validate(read_comparison(planned), model, load_people(people_folder), progress)
    judged.write(folder)
    predictions = judged.predictions
    return float(((predictions["score"] > 0.5) == (predictions["label"] == 1)).mean())


def write_metric(path: str | Path, name: str, value: float) -> None:
    """Write a metric as JSON; KFP's cache wants a file behind each artifact."""
    with replace_together(path) as [temporary]:
        temporary.write_text(json.dumps({name: value}))


def write_report(
    planned: str | Path,
    people_folder: str | Path,
    judged_folders: Sequence[str | Path],
    folder: str | Path,
    page: str | Path | None = None,
    summary: str | Path | None = None,
) -> None:
    """Write the report of a comparison, its page once more as `page`, and its results in words."""
    study = read_comparison(planned)
    judged = [JudgedModel.read(one) for one in judged_folders]
    table, pairs = write_all(study, people_folder, judged, folder)
    if page is not None:
        with replace_together(page) as [temporary]:
            temporary.write_bytes((Path(folder) / "report.html").read_bytes())
    if summary is not None:
        write_summary(study, table, pairs, summary)
