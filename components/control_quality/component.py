"""Quality control of both populations, with a count for each step."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def control_quality(
    planned: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    variants: dsl.Output[dsl.Dataset],
    kept_phenotypes: dsl.Output[dsl.Dataset],
) -> None:
    """Keep the variants and samples that pass quality control in both populations.

    Args:
        planned: The study.
        phenotypes: Labels and splits; the study says in whom Hardy-Weinberg proportions are tested.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        variants: The variants kept, and what each step removed.
        kept_phenotypes: Labels and splits without the samples that failed.
    """
    from components.artifacts import (
        PhenotypesFacts,
        StudyFacts,
        VariantsFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import association, plan

    facts = expect(phenotypes, PhenotypesFacts, role="learning")
    with report_task("control_quality", facts.phenotype):
        expect(planned, StudyFacts)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        kept = association.control_quality(
            plan.read_study(planned.path),
            facts.phenotype,
            phenotypes.path,
            {"source": source_genotypes.path, "target": target_genotypes.path},
            variants.path,
            kept_phenotypes.path,
        )
        describe(kept_phenotypes, facts)
        describe(variants, VariantsFacts(phenotype=facts.phenotype, n_variants=kept))
