"""Simulate or ingest the genotypes of both populations, brought to their common variants."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def prepare_genotypes(
    planned: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Output[dsl.Dataset],
    target_genotypes: dsl.Output[dsl.Dataset],
    final_genotypes: dsl.Output[dsl.Dataset],
    alignment: dsl.Output[dsl.Dataset],
) -> None:
    """Simulate or ingest genotypes and bring the populations to their common variants.

    Args:
        planned: The study.
        source_genotypes: PLINK fileset of the large population.
        target_genotypes: PLINK fileset of the small population's TD, VD and ED.
        final_genotypes: PLINK fileset of the small population's FD, read by the final evaluation only.
        alignment: Counts of the variants matched, swapped, flipped and left out.
    """
    from components.artifacts import AlignmentFacts, GenotypesFacts, StudyFacts, describe, expect
    from genotransfer.events import report_task
    from genotransfer.stages import genotypes, plan

    with report_task("prepare_genotypes") as progress:
        expect(planned, StudyFacts)
        folders = {"source": source_genotypes, "target": target_genotypes, "final": final_genotypes}
        made = genotypes.prepare_genotypes(
            plan.read_study(planned.path),
            {role: artifact.path for role, artifact in folders.items()},
            alignment.path,
            progress=progress,
        )
        for role, artifact in folders.items():
            describe(artifact, GenotypesFacts(**made.facts[role]))
        describe(alignment, AlignmentFacts(n_common=made.n_common))
