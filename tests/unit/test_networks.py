"""The networks: shapes of the paper's tables, seeds, time steps, and invariances."""

import keras
import numpy as np
import pytest

from genotransfer.errors import StudyError
from genotransfer.models.networks import (
    FAMILIES,
    NETWORKS,
    build_network,
    count_trainable_depths,
    cut_top,
    last_hidden_model,
    list_family,
    weighted_layers,
)

CNNS = ("cnn_1d", "cnn_2d", "cnn_3d")
# A second transcription of Muneeb 2022, Tables 4 and 5, by the paper's model number.
PAPER = {
    1: ["Dense 30", "Dense 10", "Dense 2"],
    2: ["Dense 80", "Dense 70", "Dense 40", "Dense 10", "Dense 2"],
    3: ["Dense 80", "Dense 70", "Dense 50", "Dense 20", "Dense 10", "Dense 2"],
    4: ["GRU 50", "GRU 20", "Dense 2"],
    5: ["LSTM 50", "LSTM 20", "Dense 2"],
    6: ["Bidirectional 50", "Bidirectional 20", "Dense 2"],
    7: ["GRU 50", "GRU 20", "Dense 10", "Dense 5", "Dense 2"],
    8: ["LSTM 50", "LSTM 20", "Dense 10", "Dense 5", "Dense 2"],
    9: ["Bidirectional 50", "Bidirectional 20", "Dense 10", "Dense 5", "Dense 2"],
}


def describe(layer):
    units = layer.forward_layer.units if hasattr(layer, "forward_layer") else layer.units
    return f"{type(layer).__name__} {units}"


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_are_the_papers(name):
    model = build_network(name, 12, seed=1)
    assert [describe(layer) for layer in weighted_layers(model)] == PAPER[NETWORKS[name].paper_model]
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
    assert count_trainable_depths(name) == len(weighted_layers(model))
    dense = [layer for layer in weighted_layers(model)[:-1] if isinstance(layer, keras.layers.Dense)]
    assert all(layer.activation is keras.activations.relu for layer in dense)


def test_a_panel_has_38_fine_tunings():
    assert sum(count_trainable_depths(name) for name in NETWORKS) == 38
    assert sorted(spec.paper_model for spec in NETWORKS.values()) == list(range(1, 10))
    assert {name for family in FAMILIES for name in list_family(family)} == {*NETWORKS, *CNNS}


@pytest.mark.parametrize("name", ["ann_1", "gru_2", "bilstm_1"])
def test_weights_follow_the_seed_and_nothing_else(name):
    keras.utils.set_random_seed(1)
    first = build_network(name, 9, seed=5).get_weights()
    keras.utils.set_random_seed(2)
    build_network(name, 9, seed=6)
    again = build_network(name, 9, seed=5).get_weights()
    other = build_network(name, 9, seed=6).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    kernels = [array for array in first if array.ndim == 2]
    assert len({array.tobytes() for array in kernels}) == len(kernels)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one_lstm_step(x, kernel, bias):
    i, _, g, o = np.split(x @ kernel + bias, 4, axis=1)
    # The forget gate has nothing to forget.
    return sigmoid(o) * np.tanh(sigmoid(i) * np.tanh(g))


def one_gru_step(x, kernel, bias):
    # From a state of zero the recurrent kernel has no part; its bias has, behind the reset gate.
    z, r, h = np.split(x @ kernel + bias[0], 3, axis=1)
    bz, br, bh = np.split(bias[1], 3)
    return (1 - sigmoid(z + bz)) * np.tanh(h + sigmoid(r + br) * bh)


@pytest.mark.parametrize("family", ["gru", "lstm", "bilstm"])
def test_one_time_step_is_a_gated_dense_layer(family):
    rng = np.random.default_rng(3)
    model = build_network(f"{family}_1", 7, seed=1)
    weights = [rng.normal(size=one.shape, scale=0.5) for one in model.get_weights()]
    model.set_weights(weights)
    x = rng.normal(size=(5, 7)).astype(np.float32)
    step = one_gru_step if family == "gru" else one_lstm_step
    hidden, at = x, 0
    for _ in range(2):
        parts = []
        for _ in range(2 if family == "bilstm" else 1):
            parts.append(step(hidden, weights[at], weights[at + 2]))
            at += 3
        hidden = np.concatenate(parts, axis=1)
    logits = hidden @ weights[at] + weights[at + 1]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(model(x), expected, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_permuting_variants_and_first_kernels_changes_nothing(name):
    rng = np.random.default_rng(4)
    model, permuted = build_network(name, 11, seed=2), build_network(name, 11, seed=2)
    order = rng.permutation(11)
    weights = model.get_weights()
    for at in (0, 3) if name.startswith("bilstm") else (0,):
        weights[at] = weights[at][order]
    permuted.set_weights(weights)
    x = rng.normal(size=(6, 11)).astype(np.float32)
    assert np.allclose(model(x), permuted(x[:, order]), atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("window", [None, 4])
def test_cut_models_share_weights_and_meet_at_the_cut(name, window):
    x = np.random.default_rng(5).normal(size=(3, 10)).astype(np.float32)
    model = build_network(name, 10, window=window, seed=3)
    probabilities = np.asarray(model(x))
    for depth in range(1, count_trainable_depths(name) + 1):
        top = cut_top(model, depth)
        layers = weighted_layers(model)
        assert [layer.name for layer in weighted_layers(top)] == [layer.name for layer in layers[-depth:]]
        below = x if depth == len(layers) else keras.Model(model.input, layers[-depth - 1].output)(x)
        assert np.allclose(keras.ops.softmax(top(below)), probabilities, atol=1e-6)
    features = np.asarray(last_hidden_model(model)(x))
    kernel, bias = model.get_layer("logits").get_weights()
    assert np.allclose(keras.ops.softmax(features @ kernel + bias), probabilities, atol=1e-6)


def test_windows_make_time_steps_filled_with_zeros():
    model = build_network("gru_1", 10, window=4, seed=1)
    assert model.get_layer("steps").output.shape == (None, 3, 4)
    whole = build_network("gru_1", 12, window=4, seed=1)
    whole.set_weights(model.get_weights())
    x = np.random.default_rng(6).normal(size=(2, 10)).astype(np.float32)
    assert np.allclose(model(x), whole(np.pad(x, ((0, 0), (0, 2)))), atol=1e-6)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(StudyError, match="701 time steps"):
        build_network("lstm_1", 701, window=1, seed=1)
    assert build_network("lstm_1", 701, window=1, seed=1, allow_many_steps=True).count_params() > 0
    with pytest.raises(StudyError, match="no network 'cnn_1'"):
        build_network("cnn_1", 5, seed=1)
    with pytest.raises(StudyError, match="no network 'mlp'"):
        build_network("mlp", 5, seed=1)
    with pytest.raises(StudyError, match="no network family"):
        list_family("mlp")
    with pytest.raises(StudyError, match="0 variants"):
        build_network("ann_1", 0, seed=1)
