"""An exome: simulated, or taken from files through quality control."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def prepare_exome(
    planned: dsl.Input[dsl.Dataset],
    genotypes: dsl.Output[dsl.Dataset],
    phenotypes: dsl.Output[dsl.Dataset],
) -> None:
    """Simulate or read an exome; labels go apart from genotypes.

    Args:
        planned: The study.
        genotypes: The fileset of everybody with a phenotype, its genes, and what quality control removed.
        phenotypes: Who is a case.
    """
    from components.artifacts import ExomeFacts, ExomeLabelsFacts, StudyFacts, describe, expect
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import plan, preparing

    with report_task("prepare_exome"):
        expect(planned, StudyFacts)
        made = preparing.prepare_exome(plan.read_study(planned.path), genotypes.path, phenotypes.path)
        describe(
            genotypes,
            ExomeFacts(n_samples=made.n_samples, n_variants=made.n_variants, sha256=made.sha256),
        )
        describe(phenotypes, ExomeLabelsFacts(n_samples=made.n_samples, n_cases=made.n_cases))
