"""What the chosen models rest on: importance of variants, by the people who learn."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def interpret_models(
    planned: dsl.Input[dsl.Dataset],
    selection: dsl.Input[dsl.Dataset],
    baseline_models: dsl.Input[List[dsl.Model]],
    score_models: dsl.Input[List[dsl.Model]],
    transferred_models: dsl.Input[List[dsl.Model]],
    phenotypes: dsl.Input[List[dsl.Dataset]],
    truths: dsl.Input[List[dsl.Dataset]],
    associations: dsl.Input[List[dsl.Dataset]],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    interpretation: dsl.Output[dsl.Dataset],
) -> None:
    """Explain the chosen models.

    Args:
        planned: The study.
        selection: The chosen models.
        baseline_models: Classical models of each phenotype.
        score_models: Polygenic scores of each phenotype.
        transferred_models: Networks of each family.
        phenotypes: Labels and splits of the people who learn.
        truths: Risk SNPs of each phenotype, which explanations are to find.
        associations: Association of both populations, drawn above.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        interpretation: Importance of variants, recovery of risk SNPs, figures.
    """
    from components.artifacts import (
        AssociationFacts,
        InterpretationFacts,
        ModelsFacts,
        PhenotypesFacts,
        SelectionFacts,
        StudyFacts,
        TruthFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import interpretation as stage
    from genotransfer.stages import plan

    with report_task("interpret_models") as progress:
        expect(planned, StudyFacts)
        expect(selection, SelectionFacts)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        parts = [*baseline_models, *score_models, *transferred_models]
        count = stage.interpret_models(
            plan.read_study(planned.path),
            selection.path,
            {expect(one, ModelsFacts).part: one.path for one in parts},
            {expect(one, PhenotypesFacts, role="learning").phenotype: one.path for one in phenotypes},
            {expect(one, TruthFacts).phenotype: one.path for one in truths},
            {expect(one, AssociationFacts).phenotype: one.path for one in associations},
            {"source": source_genotypes.path, "target": target_genotypes.path},
            interpretation.path,
            progress,
        )
        describe(interpretation, InterpretationFacts(n_models=count))
