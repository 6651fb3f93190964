"""Choose the best model of each phenotype and method on ED, and each phenotype's one model."""

from typing import List

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def select_best_model(
    planned: dsl.Input[dsl.Dataset],
    baselines: dsl.Input[List[dsl.Dataset]],
    scores: dsl.Input[List[dsl.Dataset]],
    transferred: dsl.Input[List[dsl.Dataset]],
    selection: dsl.Output[dsl.Dataset],
) -> None:
    """Choose the best model of each phenotype and method on ED, list its ties, and choose one of all.

    Args:
        planned: The study.
        baselines: Candidates of each phenotype, classical models.
        scores: Candidates of each phenotype, polygenic scores.
        transferred: Candidates of each family of networks.
        selection: The chosen, the tied and all candidates.
    """
    from components.artifacts import LeaderboardFacts, SelectionFacts, StudyFacts, describe, expect
    from genotransfer.events import report_task
    from genotransfer.stages import plan, results

    with report_task("select_best_model"):
        expect(planned, StudyFacts)
        parts = [*baselines, *scores, *transferred]
        for part in parts:
            expect(part, LeaderboardFacts)
        count = results.select_best(
            plan.read_study(planned.path), [part.path for part in parts], selection.path
        )
        describe(selection, SelectionFacts(n_candidates=count))
