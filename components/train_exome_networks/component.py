"""Train the networks of one form on every fold of every protocol."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.TRAIN, install_kfp_package=False)
def train_exome_networks(
    planned: dsl.Input[dsl.Dataset],
    form: str,
    genotypes: dsl.Input[dsl.Dataset],
    folds: dsl.Input[dsl.Dataset],
    networks: dsl.Output[dsl.Dataset],
    scores: dsl.Output[dsl.Dataset],
    models: dsl.Output[dsl.Model],
) -> None:
    """Train every configuration of one form of network.

    Args:
        planned: The study.
        form: 1d, 2d, 3d or dense.
        genotypes: The exome.
        folds: People and variants of each protocol and fold.
        networks: The leaderboard and the learning curves.
        scores: P(case) of the test people by each network.
        models: The form's best network of each fold of the honest protocol.
    """
    from components.artifacts import (
        ExomeFacts,
        ExomeFoldsFacts,
        ExomeNetworksFacts,
        ExomeScoresFacts,
        ModelsFacts,
        StudyFacts,
        describe,
        expect,
    )
    from genotransfer.events import report_task
    from genotransfer.exome_cnn import plan, preparing, training

    with report_task("train_exome_networks", form) as progress:
        expect(planned, StudyFacts)
        expect(genotypes, ExomeFacts)
        parted = expect(folds, ExomeFoldsFacts)
        count = training.train_form(
            plan.read_study(planned.path),
            form,
            preparing.open_exome(genotypes.path),
            preparing.find_annotation(genotypes.path),
            folds.path,
            networks.path,
            scores.path,
            models.path,
            progress,
        )
        describe(networks, ExomeNetworksFacts(form=form, n_networks=count))
        describe(scores, ExomeScoresFacts(form=form))
        describe(models, ModelsFacts(part=form, n_models=parted.n_folds))
