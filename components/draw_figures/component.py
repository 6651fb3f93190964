"""Module 3: Manhattan plot, QQ plot and LD heat map of each population."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def draw_figures(
    planned: dsl.Input[dsl.Dataset],
    association: dsl.Input[dsl.Dataset],
    truth: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    figures: dsl.Output[dsl.Artifact],
    page: dsl.Output[dsl.HTML],
) -> None:
    """Draw the Manhattan plot, the QQ plot and the LD heat map of each population.

    Args:
        planned: The study.
        association: Association of both populations.
        truth: The risk SNPs, marked in the plots of a simulated phenotype.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        figures: The figures, PNG.
        page: The figures on one page.
    """
    from components.artifacts import (
        AssociationFacts,
        FiguresFacts,
        StudyFacts,
        TruthFacts,
        describe,
        expect,
        expect_genotypes,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import figures as stage
    from genotransfer.stages import plan

    phenotype = expect(association, AssociationFacts).phenotype
    with report_task("draw_figures", phenotype):
        expect(planned, StudyFacts)
        expect(truth, TruthFacts, phenotype=phenotype)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        stage.draw_figures(
            plan.read_study(planned.path),
            phenotype,
            association.path,
            truth.path,
            {"source": source_genotypes.path, "target": target_genotypes.path},
            figures.path,
            page.path,
        )
        describe(figures, FiguresFacts(phenotype=phenotype))
        name_shown({f"Figures of {phenotype}": page})
