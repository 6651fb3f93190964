"""Simulate or ingest one phenotype of both populations and split the samples."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def prepare_phenotypes(
    planned: dsl.Input[dsl.Dataset],
    phenotype: str,
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    final_genotypes: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Output[dsl.Dataset],
    final_phenotypes: dsl.Output[dsl.Dataset],
    truth: dsl.Output[dsl.Dataset],
) -> None:
    """Simulate or ingest one phenotype and split the samples.

    This task labels FD; it learns nothing from it. Only the final evaluation reads what it labels.

    Args:
        planned: The study.
        phenotype: Name of the phenotype, without the population.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        final_genotypes: The small population's FD.
        phenotypes: Labels and splits of both populations, without FD.
        final_phenotypes: Labels of FD.
        truth: Risk SNPs and effects, for the oracle; empty for real cohorts.
    """
    from components.artifacts import (
        PhenotypesFacts,
        StudyFacts,
        TruthFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import phenotypes as stage
    from genotransfer.stages import plan

    with report_task("prepare_phenotypes", phenotype):
        expect(planned, StudyFacts)
        folders = {"source": source_genotypes, "target": target_genotypes, "final": final_genotypes}
        expect_genotypes(**folders)
        made = stage.prepare_phenotypes(
            plan.read_study(planned.path),
            phenotype,
            {role: artifact.path for role, artifact in folders.items()},
            phenotypes.path,
            final_phenotypes.path,
            truth.path,
        )
        describe(phenotypes, PhenotypesFacts(role="learning", phenotype=phenotype, **made.learning))
        describe(final_phenotypes, PhenotypesFacts(role="final", phenotype=phenotype, **made.final))
        describe(truth, TruthFacts(phenotype=phenotype, **made.truth))
