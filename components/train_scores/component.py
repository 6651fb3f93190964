"""Polygenic scores, learnt on the source and adapted to the target."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def train_scores(
    planned: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    variants: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    leaderboard: dsl.Output[dsl.Dataset],
    models: dsl.Output[dsl.Model],
) -> None:
    """Learn polygenic scores from both populations.

    Args:
        planned: The study.
        phenotypes: Labels and splits.
        variants: The variants that passed quality control.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        leaderboard: Every score with its cross-validated accuracies.
        models: All of them.
    """
    from components.artifacts import (
        LeaderboardFacts,
        ModelsFacts,
        PhenotypesFacts,
        StudyFacts,
        VariantsFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import models as stage
    from genotransfer.stages import plan

    phenotype = expect(phenotypes, PhenotypesFacts, role="learning").phenotype
    with report_task("train_scores", phenotype) as progress:
        expect(planned, StudyFacts)
        expect(variants, VariantsFacts, phenotype=phenotype)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        made = stage.train_scores(
            plan.read_study(planned.path),
            phenotype,
            phenotypes.path,
            variants.path,
            {"source": source_genotypes.path, "target": target_genotypes.path},
            leaderboard.path,
            models.path,
            progress,
        )
        part = f"scores/{phenotype}"
        describe(leaderboard, LeaderboardFacts(part=part, n_candidates=made.n_candidates))
        describe(models, ModelsFacts(part=part, n_models=made.n_models))
