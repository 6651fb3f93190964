"""The report: results.csv, the paper's tables and one HTML page."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def write_report(
    planned: dsl.Input[dsl.Dataset],
    results: dsl.Input[dsl.Dataset],
    selection: dsl.Input[dsl.Dataset],
    alignment: dsl.Input[dsl.Dataset],
    panels: dsl.Input[List[dsl.Dataset]],
    variants: dsl.Input[List[dsl.Dataset]],
    truths: dsl.Input[List[dsl.Dataset]],
    figures: dsl.Input[List[dsl.Artifact]],
    source_models: dsl.Input[List[dsl.Model]],
    transferred_models: dsl.Input[List[dsl.Model]],
    interpretation: dsl.Input[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
) -> None:
    """Write results.csv, the tables and the HTML report.

    Args:
        planned: The study.
        results: The results on FD.
        selection: The chosen, the tied and all candidates.
        alignment: Counts of the common variants.
        panels: Panels of each phenotype, for the tables of their sizes.
        variants: Quality control of each phenotype.
        truths: Heritability of each phenotype.
        figures: Figures of each phenotype.
        source_models: Learning curves on the source.
        transferred_models: Learning curves of fine-tuning.
        interpretation: What the chosen models rest on.
        report: The folder with everything.
        page: The report's page.
        summary: The answer in words, and every result.
    """
    from components.artifacts import (
        AlignmentFacts,
        FiguresFacts,
        InterpretationFacts,
        ModelsFacts,
        PanelsFacts,
        ReportFacts,
        ResultsFacts,
        SelectionFacts,
        StudyFacts,
        TruthFacts,
        VariantsFacts,
        describe,
        expect,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import plan
    from genotransfer.stages import report as stage

    with report_task("write_report"):
        expect(results, ResultsFacts)
        expect(planned, StudyFacts)
        expect(selection, SelectionFacts)
        expect(alignment, AlignmentFacts)
        expect(interpretation, InterpretationFacts)
        stage.write_report(
            plan.read_study(planned.path),
            results.path,
            selection.path,
            alignment.path,
            {expect(one, PanelsFacts).phenotype: one.path for one in panels},
            {expect(one, VariantsFacts).phenotype: one.path for one in variants},
            {expect(one, TruthFacts).phenotype: expect(one, TruthFacts).heritability for one in truths},
            {expect(one, FiguresFacts).phenotype: one.path for one in figures},
            [one.path for one in (*source_models, *transferred_models) if expect(one, ModelsFacts)],
            *(one.path for one in (report, page, summary, interpretation)),
        )
        describe(report, ReportFacts())
        name_shown({"Report": page, "Results": summary})
