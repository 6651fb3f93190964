"""Train the networks of one family on the source, for all phenotypes and panels."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def train_source_models(
    planned: dsl.Input[dsl.Dataset],
    family: str,
    cohorts: dsl.Input[dsl.Dataset],
    source_genotypes: dsl.Input[dsl.Dataset],
    models: dsl.Output[dsl.Model],
) -> None:
    """Train the networks of one family on the source.

    Args:
        planned: The study.
        family: ann, gru, lstm, bilstm or cnn; none in a study without networks.
        cohorts: Labels and panels of all phenotypes.
        source_genotypes: The large population.
        models: One network for each phenotype, panel and architecture, and the learning curves.
    """
    from components.artifacts import (
        CohortsFacts,
        ModelsFacts,
        StudyFacts,
        describe,
        expect,
        expect_genotypes,
    )
    from genotransfer.events import report_task
    from genotransfer.stages import models as stage
    from genotransfer.stages import plan

    with report_task("train_source_models", family) as progress:
        expect(planned, StudyFacts)
        expect(cohorts, CohortsFacts)
        expect_genotypes(source=source_genotypes)
        count = stage.train_source_models(
            plan.read_study(planned.path), family, cohorts.path, source_genotypes.path, models.path, progress
        )
        describe(models, ModelsFacts(part=f"source/{family}", n_models=count))
