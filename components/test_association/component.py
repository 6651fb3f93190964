"""Association of each SNP with the phenotype, on TD of each population."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def test_association(
    planned: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    variants: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    association: dsl.Output[dsl.Dataset],
) -> None:
    """Test each SNP for association with the phenotype on TD.

    Args:
        planned: The study.
        phenotypes: Labels and splits.
        variants: The variants that passed quality control.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        association: One table for each population, with PLINK's columns.
    """
    from components.artifacts import (
        AssociationFacts,
        PhenotypesFacts,
        StudyFacts,
        VariantsFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import association as stage
    from genotransfer.stages import plan

    facts = expect(phenotypes, PhenotypesFacts, role="learning")
    with report_task("test_association", facts.phenotype):
        expect(planned, StudyFacts)
        expect(variants, VariantsFacts, phenotype=facts.phenotype)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        study = plan.read_study(planned.path)
        stage.test_association(
            study,
            phenotypes.path,
            variants.path,
            {"source": source_genotypes.path, "target": target_genotypes.path},
            association.path,
        )
        describe(association, AssociationFacts(phenotype=facts.phenotype, test=study.association.test))
