"""The one reading of FD: evaluate the chosen models."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def evaluate_final(
    planned: dsl.Input[dsl.Dataset],
    selection: dsl.Input[dsl.Dataset],
    baseline_models: dsl.Input[List[dsl.Model]],
    score_models: dsl.Input[List[dsl.Model]],
    transferred_models: dsl.Input[List[dsl.Model]],
    phenotypes: dsl.Input[List[dsl.Dataset]],
    truths: dsl.Input[List[dsl.Dataset]],
    target_genotypes: dsl.Input[dsl.Dataset],
    final_genotypes: dsl.Input[dsl.Dataset],
    final_phenotypes: dsl.Input[List[dsl.Dataset]],
    results: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Evaluate the chosen models on FD.

    Args:
        planned: The study.
        selection: The chosen models.
        baseline_models: Classical models of each phenotype.
        score_models: Polygenic scores of each phenotype.
        transferred_models: Networks of each family.
        phenotypes: Labels of TD, for where the oracle cuts its score.
        truths: Risk SNPs and effects of each phenotype.
        target_genotypes: Genotypes of TD, likewise.
        final_genotypes: Genotypes of FD.
        final_phenotypes: Labels of FD for each phenotype.
        results: One row for each phenotype and method, and the predictions.
        metrics: Mean accuracy on FD of each method.
    """
    from components.artifacts import (
        ModelsFacts,
        PhenotypesFacts,
        ResultsFacts,
        SelectionFacts,
        StudyFacts,
        TruthFacts,
        describe,
        expect,
        expect_genotypes,
        name_shown,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import plan
    from genotransfer.stages import results as stage

    with report_task("evaluate_final"):
        expect(planned, StudyFacts)
        expect(selection, SelectionFacts)
        expect_genotypes(target=target_genotypes, final=final_genotypes)
        made = stage.evaluate_final(
            plan.read_study(planned.path),
            selection.path,
            {
                expect(one, ModelsFacts).part: one.path
                for one in [*baseline_models, *score_models, *transferred_models]
            },
            {expect(one, PhenotypesFacts, role="learning").phenotype: one.path for one in phenotypes},
            {expect(one, TruthFacts).phenotype: one.path for one in truths},
            {"target": target_genotypes.path, "final": final_genotypes.path},
            {expect(one, PhenotypesFacts, role="final").phenotype: one.path for one in final_phenotypes},
            results.path,
        )
        describe(results, ResultsFacts(n_rows=made.n_rows))
        for name, value in made.metrics.items():
            metrics.log_metric(name, value)
        name_shown({"Mean accuracy on FD, by method": metrics})
        made.write_metrics(metrics.path)
