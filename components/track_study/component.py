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
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    final_genotypes: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[List[dsl.Dataset]],
    tracked: dsl.Output[dsl.Artifact],
    job: str = "",
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
        source_genotypes: The large population, to be logged as a dataset.
        target_genotypes: The small population, likewise.
        final_genotypes: FD, likewise.
        phenotypes: Labels of the people that learnt, likewise.
        tracked: The ids of the runs, JSON.
        job: The pipeline's run.
    """
    from components.artifacts import (
        ModelsFacts,
        ReportFacts,
        ResultsFacts,
        SelectionFacts,
        StudyFacts,
        TrackedFacts,
        describe,
        expect,
        expect_genotypes,
        list_data,
    )
    from genotransfer import tracking
    from genotransfer.events import report_task
    from genotransfer.stages import plan

    with report_task("track_study"):
        expect(planned, StudyFacts)
        expect(results, ResultsFacts)
        expect(selection, SelectionFacts)
        expect(report, ReportFacts)
        expect_genotypes(source=source_genotypes, target=target_genotypes, final=final_genotypes)
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
            data=list_data([source_genotypes, target_genotypes, final_genotypes], phenotypes),
            job=job,
        )
        describe(tracked, TrackedFacts())
