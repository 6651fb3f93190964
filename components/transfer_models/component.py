"""Transfer the source's networks to the target: simple, pre-trained, fine-tuned at every depth, adapted."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def transfer_models(
    planned: dsl.Input[dsl.Dataset],
    family: str,
    cohorts: dsl.Input[dsl.Dataset],
    source_models: dsl.Input[dsl.Model],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    leaderboard: dsl.Output[dsl.Dataset],
    models: dsl.Output[dsl.Model],
) -> None:
    """Transfer the networks of one family to the target.

    Args:
        planned: The study.
        family: ann, gru, lstm, bilstm or cnn; none in a study without networks.
        cohorts: Labels and panels of all phenotypes.
        source_models: The family's networks, trained on the source.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        leaderboard: Every transferred model with its accuracies on TD, VD and ED.
        models: The best of each phenotype and method.
    """
    from components.artifacts import (
        CohortsFacts,
        LeaderboardFacts,
        ModelsFacts,
        StudyFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import models as stage
    from genotransfer.stages import plan

    with report_task("transfer_models", family) as progress:
        expect(source_models, ModelsFacts, part=f"source/{family}")
        expect(planned, StudyFacts)
        expect(cohorts, CohortsFacts)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        made = stage.transfer_models(
            plan.read_study(planned.path),
            family,
            cohorts.path,
            source_models.path,
            {"source": source_genotypes.path, "target": target_genotypes.path},
            leaderboard.path,
            models.path,
            progress,
        )
        part = f"transfer/{family}"
        describe(leaderboard, LeaderboardFacts(part=part, n_candidates=made.n_candidates))
        describe(models, ModelsFacts(part=part, n_models=made.n_models))
