"""The report of a study of an exome."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def write_exome_report(
    planned: dsl.Input[dsl.Dataset],
    results: dsl.Input[dsl.Dataset],
    networks: dsl.Input[List[dsl.Dataset]],
    genotypes: dsl.Input[dsl.Dataset],
    folds: dsl.Input[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Write results.csv, the paper's tables, figures and the HTML report.

    Args:
        planned: The study.
        results: The results on the test people.
        networks: Learning curves of all forms.
        genotypes: The exome, for what quality control removed.
        folds: People and variants of each protocol and fold, for their numbers.
        report: The folder with everything.
        page: The report's page.
        summary: The answer in words.
    """
    from components.artifacts import (
        ExomeFacts,
        ExomeFoldsFacts,
        ExomeNetworksFacts,
        ExomeResultsFacts,
        ReportFacts,
        StudyFacts,
        describe,
        expect,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import plan
    from genotransfer.exome_cnn import report as stage

    with report_task("write_exome_report"):
        expect(planned, StudyFacts)
        expect(results, ExomeResultsFacts)
        expect(genotypes, ExomeFacts)
        expect(folds, ExomeFoldsFacts)
        trained = {expect(one, ExomeNetworksFacts).form: one.path for one in networks}
        study = plan.read_study(planned.path)
        stage.write_report(
            study,
            results.path,
            [trained[form] for form in study.sweep.forms],
            genotypes.path,
            folds.path,
            report.path,
            page.path,
            summary.path,
        )
        describe(report, ReportFacts())
        name_shown({"Report": page, "Results": summary})
