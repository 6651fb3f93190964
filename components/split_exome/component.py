"""Folds of an exome's people, and the variants that each fold's networks read."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def split_exome(
    planned: dsl.Input[dsl.Dataset],
    genotypes: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    folds: dsl.Output[dsl.Dataset],
    tests: dsl.Output[dsl.Dataset],
) -> None:
    """Part the people and choose each fold's variants, by every protocol.

    Args:
        planned: The study.
        genotypes: The exome.
        phenotypes: Who is a case.
        folds: People and variants of each protocol and fold; a test person's label only where the protocol
            watches the test people.
        tests: Labels of the test people.
    """
    from components.artifacts import (
        ExomeFacts,
        ExomeFoldsFacts,
        ExomeLabelsFacts,
        ExomeTestsFacts,
        StudyFacts,
        describe,
        expect,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import folds as stage
    from genotransfer.exome_cnn import plan, preparing

    with report_task("split_exome"):
        expect(planned, StudyFacts)
        expect(phenotypes, ExomeLabelsFacts, n_samples=expect(genotypes, ExomeFacts).n_samples)
        study = plan.read_study(planned.path)
        counts = stage.split_exome(
            study,
            preparing.open_exome(genotypes.path),
            preparing.read_labels(phenotypes.path),
            folds.path,
            tests.path,
        )
        n_folds = int(counts["fold"].nunique())
        describe(folds, ExomeFoldsFacts(protocols=", ".join(study.protocols), n_folds=n_folds))
        describe(tests, ExomeTestsFacts(n_folds=n_folds))
