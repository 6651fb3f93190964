"""Gather all phenotypes' labels and panels into one artifact."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def gather_cohorts(
    phenotypes: dsl.Input[List[dsl.Dataset]],
    panels: dsl.Input[List[dsl.Dataset]],
    cohorts: dsl.Output[dsl.Dataset],
) -> None:
    """Gather labels and panels of all phenotypes, for tasks that take all of them.

    Args:
        phenotypes: Labels and splits of each phenotype.
        panels: SNP panels of each phenotype.
        cohorts: One folder for each phenotype.
    """
    from components.artifacts import CohortsFacts, PanelsFacts, PhenotypesFacts, describe, expect
    from genotransfer.events import report_task
    from genotransfer.stages import models as stage

    with report_task("gather_cohorts"):
        labels = {expect(one, PhenotypesFacts, role="learning").phenotype: one.path for one in phenotypes}
        selected = {expect(one, PanelsFacts).phenotype: one.path for one in panels}
        stage.gather_cohorts(labels, selected, cohorts.path)
        describe(cohorts, CohortsFacts(phenotypes=" ".join(labels)))
