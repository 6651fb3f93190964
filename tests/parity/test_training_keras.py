"""The plain trainer against ``compile`` and ``fit`` of Keras itself."""

import pytest

from genotransfer.models.networks import build_network
from genotransfer.training.jobs import TrainingJob, TrainingSettings
from genotransfer.training.keras_trainer import KerasTrainer
from tests.parity.plain_keras import STANDARDISER, TD, VD, assert_equal_to_fit


@pytest.mark.parametrize(
    ("network", "depth", "window"),
    [
        ("ann_1", None, None),
        ("ann_1", 1, None),
        ("gru_1", None, None),
        ("gru_1", 2, None),
        ("lstm_2", 4, None),
        ("lstm_1", None, 10),
        ("lstm_1", 2, 10),
        ("bilstm_1", 3, None),
    ],
)
def test_equals_compile_and_fit(network, depth, window):
    settings = TrainingSettings(epochs=8, patience=2, learning_rate=0.01)
    start = build_network(network, 40, window=window, seed=3).get_weights()
    job = TrainingJob(
        "job", network, TD, VD, STANDARDISER, 5, initial_weights=start, trainable_layers=depth, window=window
    )
    [ours] = KerasTrainer().train_networks([job], settings)
    assert_equal_to_fit(ours, job, settings)
