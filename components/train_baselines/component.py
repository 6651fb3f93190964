"""Classical models: without transfer, and with the SNPs of the source."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.DATA, install_kfp_package=False)
def train_baselines(
    planned: dsl.Input[dsl.Dataset],
    phenotypes: dsl.Input[dsl.Dataset],
    panels: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Input[dsl.Dataset],
    target_genotypes: dsl.Input[dsl.Dataset],
    leaderboard: dsl.Output[dsl.Dataset],
    models: dsl.Output[dsl.Model],
) -> None:
    """Fit the classical models without transfer and with SNP transfer.

    Args:
        planned: The study.
        phenotypes: Labels and splits.
        panels: SNP panels of both populations.
        source_genotypes: The large population.
        target_genotypes: The small population's TD, VD and ED.
        leaderboard: Every fitted model with its accuracies on TD, VD and ED.
        models: The best of each method.
    """
    from components.artifacts import (
        LeaderboardFacts,
        ModelsFacts,
        PanelsFacts,
        PhenotypesFacts,
        StudyFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import models as stage
    from genotransfer.stages import plan

    phenotype = expect(phenotypes, PhenotypesFacts, role="learning").phenotype
    with report_task("train_baselines", phenotype) as progress:
        expect(planned, StudyFacts)
        expect(panels, PanelsFacts, phenotype=phenotype)
        expect_genotypes(source=source_genotypes, target=target_genotypes)
        made = stage.train_baselines(
            plan.read_study(planned.path),
            phenotype,
            phenotypes.path,
            panels.path,
            {"source": source_genotypes.path, "target": target_genotypes.path},
            leaderboard.path,
            models.path,
            progress,
        )
        part = f"baselines/{phenotype}"
        describe(leaderboard, LeaderboardFacts(part=part, n_candidates=made.n_candidates))
        describe(models, ModelsFacts(part=part, n_models=made.n_models))
