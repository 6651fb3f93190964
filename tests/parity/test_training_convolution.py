"""Convolutional networks: both trainers against ``fit`` of Keras, with its dropout and batch normalisation."""

import weakref
from dataclasses import replace

import numpy as np
import pytest

from genotransfer.models.networks import build_network
from genotransfer.models.standardise import fit_standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import TrainingJob, TrainingSettings
from genotransfer.training.keras_trainer import KerasTrainer
from genotransfer.training.stacked_trainer import StackedTrainer
from tests.parity.plain_keras import TD, VD, assert_equal_to_fit

# Batches of 32, 32 and 6: the last must be normalised by its own six.
SETTINGS = TrainingSettings(epochs=6, patience=4, learning_rate=0.01)


def spoil(split):
    """Return a split in which some genotypes are missing."""
    dosages = split.dosages.copy()
    dosages[np.random.default_rng(3).random(dosages.shape) < 0.1] = -1
    return LabelledSamples(dosages, split.labels)


def make_job(network, depth=None, **given):
    train, validation = spoil(TD), spoil(VD)
    start = [array.copy() for array in build_network(network, 40, seed=3).get_weights()]
    # Statistics and scales as after a training, so that what is frozen shows; one scale is negative.
    rng = np.random.default_rng(4)
    for at in (1, 2, 3, 4, 6, 7, 8, 9):
        start[at] += rng.uniform(0.0, 0.5, start[at].shape).astype(np.float32)
    start[1][0], start[6][0] = -0.7, -0.9
    standardiser = fit_standardiser(network, train.dosages)
    given = {"key": f"{network}.{depth}", "train": train, "validation": validation, **given}
    return TrainingJob(
        network=network,
        standardiser=standardiser,
        seed=5,
        initial_weights=start,
        trainable_layers=depth,
        **given,
    )


@pytest.mark.parametrize("network", ["cnn_1d_f8_d12", "cnn_2d_f5_d12x6", "cnn_3d_f5_d12"])
def test_whole_networks_equal_fit(network):
    job = make_job(network)
    [ours] = StackedTrainer().train_networks([job], SETTINGS)
    assert_equal_to_fit(ours, job, SETTINGS)
    # The statistics are learnt, and kept with the best weights.
    for at in (3, 4, 8, 9):
        assert not np.allclose(ours.weights[at], job.initial_weights[at], atol=1e-3)


@pytest.mark.parametrize(("network", "depth"), [("cnn_2d_f5_d12x6", 4), ("cnn_3d_f5_d12", 2)])
def test_frozen_networks_equal_fit(network, depth):
    job = make_job(network, depth)
    [ours] = StackedTrainer().train_networks([job], SETTINGS)
    assert_equal_to_fit(ours, job, SETTINGS)


def test_the_plain_trainer_equals_fit():
    job = make_job("cnn_2d_f5_d12x6", 4)
    [ours] = KerasTrainer().train_networks([job], SETTINGS)
    assert_equal_to_fit(ours, job, SETTINGS)


def test_both_trainers_are_equal_at_every_depth():
    jobs = [make_job("cnn_2d_f4_d6", depth) for depth in range(1, 5)]
    plain = {one.key: one for one in KerasTrainer().train_networks(jobs, SETTINGS)}
    # XLA and stacks are for other networks, and a tiny budget feeds blocks.
    tiny = replace(SETTINGS, memory_gib=1e-7)
    for trainer, settings in (
        (StackedTrainer(compiled=True, stack_whole=True), SETTINGS),
        (StackedTrainer(), tiny),
    ):
        for ours in trainer.train_networks(jobs, settings):
            theirs = plain[ours.key]
            assert (ours.best_epoch, ours.stopped_epoch) == (theirs.best_epoch, theirs.stopped_epoch)
            assert np.allclose(ours.curve, theirs.curve, rtol=1e-4, atol=1e-5)
            for mine, its in zip(ours.weights, theirs.weights, strict=True):
                assert np.allclose(mine, its, atol=2e-4)


def test_frozen_outputs_of_two_jobs_at_most_are_held(monkeypatch):
    """They take more than the dosages: those of all jobs of a study would fill the memory."""
    alive, most, run = [], [], StackedTrainer._run_layer

    def watch(*arguments):
        made = run(*arguments)
        alive.extend(weakref.ref(one) for one in made)
        most.append(sum(one() is not None for one in alive))
        return made

    monkeypatch.setattr(StackedTrainer, "_run_layer", watch)
    jobs = [make_job("cnn_1d_f4_d6", 2, key=str(number)) for number in range(4)]
    for _ in StackedTrainer().train_networks(jobs, replace(SETTINGS, epochs=1)):
        pass
    assert len(most) == 4
    assert max(most) == 4


def test_masks_follow_the_seed():
    job = make_job("cnn_1d_f4_d6", 1)
    # Only what is dropped differs: there is one batch, and the order within it does not matter.
    [a], [b], [c] = (
        StackedTrainer().train_networks([replace(job, seed=seed)], replace(SETTINGS, batch_size=70, epochs=1))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(a.weights[-2], b.weights[-2])
    assert not np.allclose(a.weights[-2], c.weights[-2], atol=1e-4)
