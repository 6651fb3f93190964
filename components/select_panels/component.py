"""SNP panels, the paper's sub-datasets, from thresholds on the association."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def select_panels(
    planned: dsl.Input[dsl.Dataset],
    association: dsl.Input[dsl.Dataset],
    variants: dsl.Input[dsl.Dataset],
    panels: dsl.Output[dsl.Dataset],
) -> None:
    """Select the SNP panels of both populations.

    Args:
        planned: The study.
        association: Association of both populations.
        variants: The variants that passed quality control, with their alleles.
        panels: The panels, and the size of each with the empty ones.
    """
    from components.artifacts import (
        AssociationFacts,
        PanelsFacts,
        StudyFacts,
        VariantsFacts,
        describe,
        expect,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import association as stage
    from genotransfer.stages import plan

    phenotype = expect(association, AssociationFacts).phenotype
    with report_task("select_panels", phenotype):
        expect(planned, StudyFacts)
        expect(variants, VariantsFacts, phenotype=phenotype)
        made = stage.select_panels(
            plan.read_study(planned.path), phenotype, association.path, variants.path, panels.path
        )
        describe(panels, PanelsFacts(phenotype=phenotype, **made))
