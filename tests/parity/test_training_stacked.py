"""The fast trainer against ``compile`` and ``fit``, against the plain trainer, and against itself."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from genotransfer.models.networks import NETWORKS, build_network, count_trainable_depths
from genotransfer.models.source_models import SourceModel, load_source_models, save_source_models
from genotransfer.training.jobs import TrainingJob, TrainingSettings
from genotransfer.training.keras_trainer import KerasTrainer
from genotransfer.training.stacked_trainer import StackedTrainer
from tests.parity.plain_keras import STANDARDISER, TD, VD, assert_equal_to_fit, draw

SETTINGS = TrainingSettings(epochs=12, patience=2, learning_rate=0.01)
LITTLE = draw(35, 40, 3), draw(10, 40, 4)
TINY_GIB = 1e-6


def make_job(network, **given):
    defaults = {"key": network, "train": TD, "validation": VD, "standardiser": STANDARDISER, "seed": 5}
    return TrainingJob(network=network, **{**defaults, **given})


def list_depths(network, **given):
    """Return a job for each depth, on fewer samples, from the same weights."""
    start = build_network(network, 40, seed=3).get_weights()
    train, validation = LITTLE
    return [
        make_job(
            network,
            key=f"{network}.{depth}",
            train=train,
            validation=validation,
            seed=20 + depth,
            initial_weights=start,
            trainable_layers=depth,
            **given,
        )
        for depth in range(1, count_trainable_depths(network) + 1)
    ]


def train(trainer, jobs, settings=SETTINGS):
    return {one.key: one for one in trainer.train_networks(jobs, settings)}


def assert_alike(ours, theirs, atol=1e-5):
    for key, other in theirs.items():
        one = ours[key]
        assert (one.best_epoch, one.stopped_epoch) == (other.best_epoch, other.stopped_epoch), key
        assert np.allclose(one.curve, other.curve, atol=atol), key
        for mine, its in zip(one.weights, other.weights, strict=True):
            assert np.allclose(mine, its, atol=atol), key


@pytest.mark.parametrize("network", NETWORKS)
def test_whole_networks_equal_compile_and_fit(network):
    job = make_job(network, initial_weights=build_network(network, 40, seed=3).get_weights())
    [ours] = StackedTrainer().train_networks([job], SETTINGS)
    assert_equal_to_fit(ours, job, SETTINGS)


@pytest.mark.parametrize(
    ("network", "depth", "window"),
    [("ann_1", 1, None), ("gru_1", 2, None), ("lstm_2", 4, None), ("lstm_1", None, 10), ("bilstm_1", 2, 10)],
)
def test_frozen_and_windowed_networks_equal_compile_and_fit(network, depth, window):
    start = build_network(network, 40, window=window, seed=3).get_weights()
    job = make_job(network, initial_weights=start, trainable_layers=depth, window=window)
    [ours] = StackedTrainer().train_networks([job], SETTINGS)
    assert_equal_to_fit(ours, job, SETTINGS)


@pytest.mark.parametrize("network", NETWORKS)
def test_depths_side_by_side_equal_the_plain_trainer(network):
    jobs = list_depths(network)
    ours = train(StackedTrainer(), jobs)
    assert ours.keys() == {job.key for job in jobs}
    # The least and the most that a stack holds; Adam magnifies the rounding of deep ReLU networks.
    assert_alike(ours, train(KerasTrainer(), [jobs[0], jobs[-2]]), atol=2e-4)


def test_a_tiny_budget_gives_the_same_in_more_passes():
    jobs = [make_job("ann_1"), make_job("gru_1"), *list_depths("ann_2"), *list_depths("gru_1")]
    roomy, cramped = StackedTrainer(), StackedTrainer()
    ours = train(roomy, jobs)
    theirs = train(cramped, jobs, replace(SETTINGS, memory_gib=TINY_GIB))
    assert_alike(ours, theirs)
    # Two whole networks and two fine-tuned ones alone, and one stack of depths for each network.
    assert roomy.n_passes == 6
    assert cramped.n_passes == len(jobs)


@pytest.mark.parametrize("rows", [64, 65, 70])
def test_blocks_take_the_same_steps(rows):
    job = make_job("gru_1", train=draw(rows, 40, 9))
    whole = train(StackedTrainer(), [job])
    blocks = train(StackedTrainer(), [job], replace(SETTINGS, memory_gib=TINY_GIB))
    assert_alike(whole, blocks)


def test_xla_and_whole_stacks_change_nothing():
    jobs = [make_job("gru_1"), make_job("gru_1", key="b", seed=6), *list_depths("ann_1")]
    one_by_one = train(StackedTrainer(), jobs)
    for trainer, passes in (
        (StackedTrainer(compiled=True), 4),
        (StackedTrainer(stack_whole=True), 3),
        (StackedTrainer([48], compiled=True, stack_whole=True), 3),
    ):
        assert_alike(one_by_one, train(trainer, jobs))
        assert trainer.n_passes == passes


def test_a_loss_that_is_no_number_still_ends():
    wild = replace(SETTINGS, learning_rate=1e30, epochs=6)
    jobs = [make_job("ann_1"), *list_depths("ann_1")]
    ours, theirs = train(StackedTrainer(), jobs, wild), train(KerasTrainer(), jobs, wild)
    blocks = train(StackedTrainer(), jobs, replace(wild, memory_gib=TINY_GIB))
    for key, one in theirs.items():
        ends = (one.best_epoch, one.stopped_epoch)
        assert (ours[key].best_epoch, ours[key].stopped_epoch) == ends
        assert (blocks[key].best_epoch, blocks[key].stopped_epoch) == ends
    assert any(one.curve["val_loss"].isna().any() for one in theirs.values())


@pytest.mark.parametrize("network", ["ann_1", "bilstm_2"])
def test_bfloat16_keeps_float32_weights_and_nearly_the_losses(network):
    settings = replace(SETTINGS, patience=50, learning_rate=1e-3)
    [full] = StackedTrainer().train_networks([make_job(network)], settings)
    [half] = StackedTrainer().train_networks(
        [make_job(network)], replace(settings, precision="mixed_bfloat16")
    )
    assert {array.dtype for array in half.weights} == {np.dtype(np.float32)}
    assert np.allclose(full.curve["loss"], half.curve["loss"], rtol=0.02)
    assert not np.array_equal(full.weights[0], half.weights[0])


PREDICT = """
import json, sys
import keras, numpy as np
x = np.array(json.load(sys.stdin), dtype=np.float32)
for path in sys.argv[1:]:
    print(json.dumps(np.asarray(keras.models.load_model(path, safe_mode=True)(x)).tolist()))
"""


def test_saved_networks_predict_the_same_in_a_clean_process(tmp_path):
    jobs = [make_job(network) for network in NETWORKS]
    trained = list(StackedTrainer().train_networks(jobs, replace(SETTINGS, epochs=2)))
    save_source_models(tmp_path / "m", (SourceModel("5_1", "p", "0" * 64, one) for one in trained))
    table = load_source_models(tmp_path / "m").table.set_index("network")
    x = STANDARDISER.transform(VD.dosages)
    files = [str(tmp_path / "m" / table.loc[one.network, "file"]) for one in trained]
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, *files],
        input=json.dumps(x.tolist()),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    for one, line in zip(trained, done.stdout.splitlines(), strict=True):
        assert np.allclose(np.asarray(one.model(x)), json.loads(line), atol=1e-6), one.network
