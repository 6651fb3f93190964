"""Register each phenotype's chosen model as challenger in MLflow's registry."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def register_models(
    planned: dsl.Input[dsl.Dataset],
    tracked: dsl.Input[dsl.Artifact],
    results: dsl.Input[dsl.Dataset],
    selection: dsl.Input[dsl.Dataset],
    baseline_models: dsl.Input[List[dsl.Model]],
    score_models: dsl.Input[List[dsl.Model]],
    transferred_models: dsl.Input[List[dsl.Model]],
    phenotypes: dsl.Input[List[dsl.Dataset]],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    final_genotypes: dsl.Input[dsl.Dataset],
    registered: dsl.Output[dsl.Artifact],
) -> None:
    """Register the chosen models with all that is needed to predict.

    Args:
        planned: The study.
        tracked: The ids of the runs.
        results: The results on FD.
        selection: The chosen models.
        baseline_models: Classical models of each phenotype.
        score_models: Polygenic scores of each phenotype.
        transferred_models: Networks of each family.
        phenotypes: Labels of the people that learnt.
        source_genotypes: The large population, for its allele frequencies.
        target_genotypes: The small population, likewise.
        final_genotypes: FD, for its hash.
        registered: The versions, JSON.
    """
    from components.artifacts import (
        ModelsFacts,
        PhenotypesFacts,
        RegisteredFacts,
        ResultsFacts,
        SelectionFacts,
        StudyFacts,
        TrackedFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import plan
    from genotransfer.tracking import registry

    with report_task("register_models"):
        expect(planned, StudyFacts)
        expect(tracked, TrackedFacts)
        expect(results, ResultsFacts)
        expect(selection, SelectionFacts)
        genotypes = {"source": source_genotypes, "target": target_genotypes, "final": final_genotypes}
        expect_genotypes(**genotypes)
        made = registry.register_models(
            plan.read_study(planned.path),
            tracked.path,
            results.path,
            selection.path,
            {
                expect(one, ModelsFacts).part: one.path
                for one in [*baseline_models, *score_models, *transferred_models]
            },
            {role: artifact.path for role, artifact in genotypes.items()},
            {expect(one, PhenotypesFacts, role="learning").phenotype: one.path for one in phenotypes},
            registered.path,
        )
        describe(registered, RegisteredFacts(n_versions=len(made)))
