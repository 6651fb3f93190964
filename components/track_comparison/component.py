"""Log a comparison to MLflow: one run for the study, one for each model."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def track_comparison(
    planned: dsl.Input[dsl.Dataset],
    people: dsl.Input[dsl.Dataset],
    judged: dsl.Input[List[dsl.Dataset]],
    report: dsl.Input[dsl.Artifact],
    tracked: dsl.Output[dsl.Artifact],
    job: str = "",
) -> None:
    """Log a comparison, its report and every model to MLflow.

    Args:
        planned: The study.
        people: The people, to be logged as a dataset.
        judged: What was found of each model.
        report: The folder of the report.
        tracked: The ids of the runs, JSON.
        job: The pipeline's run.
    """
    from components.artifacts import (
        JudgedFacts,
        PeopleFacts,
        ReportFacts,
        StudyFacts,
        TrackedFacts,
        describe,
        expect,
    )
    from genotransfer.comparison.judging import JudgedModel
    from genotransfer.events import report_task
    from genotransfer.stages import comparison
    from genotransfer.tracking.datasets import Datum, hash_folder
    from genotransfer.tracking.models_compared import track_comparison as track

    with report_task("track_comparison"):
        expect(planned, StudyFacts)
        expect(report, ReportFacts)
        facts = expect(people, PeopleFacts)
        datum = Datum(
            "people", "learning", hash_folder(people.path), people.uri, facts.n_target, facts.n_variants
        )
        models = [JudgedModel.read(one.path) for one in judged if expect(one, JudgedFacts)]
        track(comparison.read_comparison(planned.path), models, report.path, tracked.path, [datum], job)
        describe(tracked, TrackedFacts())
