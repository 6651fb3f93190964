"""Learning rates between epochs, in both trainers, against Keras's own callbacks."""

from dataclasses import replace

import numpy as np
import pytest

from genotransfer.models.networks import build_network
from genotransfer.training.jobs import TrainingJob, TrainingSettings
from genotransfer.training.keras_trainer import KerasTrainer
from genotransfer.training.rates import RateKeeper, list_rates
from genotransfer.training.stacked_trainer import StackedTrainer
from tests.parity.plain_keras import STANDARDISER, TD, VD, assert_equal_to_fit

EXPONENTIAL = TrainingSettings(
    epochs=14,
    patience=8,
    learning_rate=0.02,
    schedule="exponential",
    decay=0.9,
    plateau_factor=0.3,
    plateau_patience=2,
)
COSINE = replace(EXPONENTIAL, schedule="cosine")
PLATEAU = replace(EXPONENTIAL, schedule="none")


def make_job(network, depth=None, seed=5):
    start = build_network(network, 40, seed=3).get_weights()
    return TrainingJob(
        f"{network}.{depth}",
        network,
        TD,
        VD,
        STANDARDISER,
        seed,
        initial_weights=start,
        trainable_layers=depth,
    )


@pytest.mark.parametrize(
    ("network", "trainer", "settings"),
    [
        ("ann_1", StackedTrainer, COSINE),
        ("gru_1", StackedTrainer, EXPONENTIAL),
        ("ann_1", KerasTrainer, EXPONENTIAL),
        ("cnn_1d_f4_d6", StackedTrainer, EXPONENTIAL),
        ("cnn_1d_f4_d6", KerasTrainer, PLATEAU),
    ],
)
def test_rates_equal_those_of_keras(network, trainer, settings):
    job = make_job(network)
    [ours] = trainer().train_networks([job], settings)
    rates = assert_equal_to_fit(ours, job, settings)
    # The schedule alone does not account for them: there was a plateau.
    assert rates[-1] < 0.5 * list_rates(settings)[len(rates) - 1]
    keeper = RateKeeper(settings)
    for epoch, rate in enumerate(rates, start=1):
        assert np.isclose(keeper.find_rate(epoch), rate, rtol=1e-5)
        keeper.hear(ours.curve["val_loss"][epoch - 1])


def test_each_network_of_a_stack_has_its_own_plateaus():
    jobs = [make_job("ann_1", depth, seed=depth) for depth in (1, 2)]
    plain = {one.key: one for one in KerasTrainer().train_networks(jobs, EXPONENTIAL)}
    for stacked in (StackedTrainer(), StackedTrainer(compiled=True)):
        for ours in stacked.train_networks(jobs, EXPONENTIAL):
            assert np.allclose(ours.curve, plain[ours.key].curve, atol=1e-5)
            for mine, its in zip(ours.weights, plain[ours.key].weights, strict=True):
                assert np.allclose(mine, its, atol=1e-5)
        assert stacked.n_passes == 1


@pytest.mark.parametrize("network", ["ann_1", "cnn_1d_f4_d6"])
def test_blocks_keep_the_rate(network):
    job = make_job(network)
    [whole] = StackedTrainer().train_networks([job], EXPONENTIAL)
    [blocks] = StackedTrainer().train_networks([job], replace(EXPONENTIAL, memory_gib=1e-7))
    assert np.allclose(whole.curve, blocks.curve, atol=1e-5)


def test_a_loss_that_is_no_number_is_a_plateau():
    keeper = RateKeeper(PLATEAU)
    for _ in range(5):  # the first counts as the best so far, as in Keras
        keeper.hear(float("nan"))
    assert np.isclose(keeper.find_rate(6), 0.02 * 0.3**2)
