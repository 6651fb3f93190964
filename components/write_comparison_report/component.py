"""The report of a comparison: results.csv, tables, figures and one HTML page."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def write_comparison_report(
    planned: dsl.Input[dsl.Dataset],
    people: dsl.Input[dsl.Dataset],
    judged: dsl.Input[List[dsl.Dataset]],
    report: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Compare the models and write the report.

    Args:
        planned: The study.
        people: The people and their folds.
        judged: What was found of each model.
        report: The folder with everything.
        page: The report's page.
        summary: The answer in words, and every model.
    """
    from components.artifacts import (
        JudgedFacts,
        PeopleFacts,
        ReportFacts,
        StudyFacts,
        describe,
        expect,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import comparison

    with report_task("write_comparison_report"):
        study = expect(planned, StudyFacts)
        expect(people, PeopleFacts, study=study.name)
        folders = [one.path for one in judged if expect(one, JudgedFacts)]
        comparison.write_report(planned.path, people.path, folders, report.path, page.path, summary.path)
        describe(report, ReportFacts())
        name_shown({"Report": page, "Results": summary})
