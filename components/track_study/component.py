"""Log the study to MLflow: one run for the study, one for each phenotype and method."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def track_study(
    planned: dsl.Input[dsl.Dataset],
    results: dsl.Input[dsl.Dataset],
    selection: dsl.Input[dsl.Dataset],
    report: dsl.Input[dsl.Artifact],
    baseline_models: dsl.Input[List[dsl.Model]],
    score_models: dsl.Input[List[dsl.Model]],
    transferred_models: dsl.Input[List[dsl.Model]],
    tracked: dsl.Output[dsl.Artifact],
) -> None:
    """Log the study, its chosen models and the leaderboard to MLflow.

    Args:
        planned: The study.
        results: The results on FD.
        selection: The chosen, the tied and all candidates.
        report: The folder of the report.
        baseline_models: Classical models of each phenotype.
        score_models: Polygenic scores of each phenotype.
        transferred_models: Networks of each family.
        tracked: The ids of the runs, JSON.
    """
    from components.artifacts import (
        ModelsFacts,
        ReportFacts,
        ResultsFacts,
        SelectionFacts,
        StudyFacts,
        expect,
        name_shown,
    )
    from genotransfer import tracking
    from genotransfer.events import report_task
    from genotransfer.stages import plan

    with report_task("track_study"):
        expect(planned, StudyFacts)
        expect(results, ResultsFacts)
        expect(selection, SelectionFacts)
        expect(report, ReportFacts)
        tracking.track_study(
            plan.read_study(planned.path),
            results.path,
            selection.path,
            report.path,
            {
                expect(one, ModelsFacts).part: one.path
                for one in [*baseline_models, *score_models, *transferred_models]
            },
            tracked.path,
        )
        tracked.metadata.update(kind="tracked")
        name_shown({"Runs in MLflow": tracked})
