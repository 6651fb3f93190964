"""Register what an exome's study chose as challenger in MLflow's registry."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def register_exome(
    planned: dsl.Input[dsl.Dataset],
    tracked: dsl.Input[dsl.Artifact],
    selection: dsl.Input[dsl.Dataset],
    models: dsl.Input[List[dsl.Model]],
    results: dsl.Input[dsl.Dataset],
    genotypes: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    folds: dsl.Input[dsl.Dataset],
    registered: dsl.Output[dsl.Artifact],
) -> None:
    """Register the chosen networks with all that is needed to predict.

    Args:
        planned: The study.
        tracked: The ids of the runs.
        selection: The chosen networks.
        models: The networks that each form kept.
        results: The results on the test people.
        genotypes: The exome, for its allele frequencies.
        phenotypes: Who is a case.
        folds: Who learnt in each fold.
        registered: The version, JSON.
    """
    from components.artifacts import (
        ExomeFacts,
        ExomeFoldsFacts,
        ExomeLabelsFacts,
        ExomeResultsFacts,
        ExomeSelectionFacts,
        ModelsFacts,
        RegisteredFacts,
        StudyFacts,
        TrackedFacts,
        describe,
        expect,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import plan
    from genotransfer.tracking import exome_registry

    with report_task("register_exome"):
        expect(planned, StudyFacts)
        expect(tracked, TrackedFacts)
        expect(selection, ExomeSelectionFacts)
        expect(results, ExomeResultsFacts)
        expect(genotypes, ExomeFacts)
        expect(phenotypes, ExomeLabelsFacts)
        expect(folds, ExomeFoldsFacts)
        kept = {expect(one, ModelsFacts).part: one.path for one in models}
        made = exome_registry.register_exome(
            plan.read_study(planned.path),
            tracked.path,
            selection_folder=selection.path,
            models=kept,
            results_folder=results.path,
            genotypes_folder=genotypes.path,
            phenotypes_folder=phenotypes.path,
            folds_folder=folds.path,
            registered=registered.path,
        )
        describe(registered, RegisteredFacts(n_versions=len(made)))
