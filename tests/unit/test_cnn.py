"""Convolutional networks: names, layers, genotypes as channels, files, and predictors on them."""

import keras
import numpy as np
import pandas as pd
import pytest

from benchmarks.arithmetic import count_multiplications
from genotransfer.adaptation import adapt_networks
from genotransfer.config import Study
from genotransfer.errors import InputError, StudyError
from genotransfer.models import predictors
from genotransfer.models.cnn import count_side, name_cnn
from genotransfer.models.initial_weights import draw_weights
from genotransfer.models.network_files import NetworkFiles
from genotransfer.models.networks import (
    build_network,
    check_adaptable,
    count_trainable_depths,
    cut_top,
    find_network,
    list_trainable,
)
from genotransfer.models.source_models import save_source_models
from genotransfer.models.standardise import Standardiser, fit_standardiser
from genotransfer.models.store import NetworkPredictor, load_predictor, save_predictor
from genotransfer.training.api import get_trainer
from genotransfer.training.forward import ForwardRunner
from genotransfer.training.jobs import TrainingSettings, restore_model
from genotransfer.transfer import train_source_networks, transfer_networks
from tests.unit.test_transfer import PANELS

SMALL = ["cnn_1d_f3_d5", "cnn_2d_f3_d5x4", "cnn_3d_f3_d5"]
# One variant, a square, and one that is filled up.
WIDTHS = (1, 9, 11)


def test_names_tell_the_sizes():
    for name, form, filters, dense in (
        ("cnn_1d", "1d", 32, (100,)),
        ("cnn_2d_f64_d1000", "2d", 64, (1000,)),
        ("cnn_3d_f32_d500x100", "3d", 32, (500, 100)),
    ):
        spec = find_network(name)
        assert (spec.name, spec.family, spec.form) == (name, "cnn", form)
        assert (spec.filters, spec.dense, spec.recurrent) == (filters, dense, ())
        assert name_cnn(form, filters, dense) == name
        assert count_trainable_depths(name) == 3 + len(dense)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cnn_4d", "no network 'cnn_4d'"),
        ("cnn_1d_f8", "no network"),
        ("cnn_1d_f08_d10", "no network"),
        ("cnn_1d_f8_d10x", "no network"),
        ("cnn_1d_f257_d10", "1 to 256 filters"),
        ("cnn_1d_f8_d1001", "1 to 1000 units"),
        ("cnn_1d_f8_d10x10x10x10", "1 to 3 dense"),
        ("cnn_1d_f32_d100", "is named cnn_1d"),
    ],
)
def test_other_names_are_refused(name, message):
    with pytest.raises(StudyError, match=message):
        find_network(name)


def test_sizes_that_cannot_be_named_are_refused():
    for given in (("4d",), ("1d", 0), ("1d", 8, ()), ("2d", 8, (0,))):
        with pytest.raises(StudyError, match="convolutional network of"):
            name_cnn(*given)
    with pytest.raises(StudyError, match="deep_adapted"):
        check_adaptable(["ann_1", "cnn_1d"])


def test_the_square_is_the_smallest():
    assert [count_side(n) for n in (1, 2, 4, 5, 9, 10, 18970)] == [1, 2, 2, 3, 3, 4, 138]


def test_layers_are_those_of_the_paper():
    model = build_network("cnn_2d_f64_d1000", 18970, seed=1)
    named = [(type(layer).__name__, layer.output.shape[1:]) for layer in model.layers]
    block = ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "Dropout"]
    tail = ["Flatten", "Dense", "Dropout", "Dense", "Activation"]
    assert [name for name, _ in named[4:]] == [*block, *block, *tail]
    shapes = [shape for name, shape in named if name in ("Reshape", "MaxPooling2D", "Dense")]
    assert shapes == [(18970, 1), (138, 138, 1), (69, 69, 64), (35, 35, 64), (1000,), (2,)]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        0.25,
        0.25,
        0.5,
    ]


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("n_variants", WIDTHS)
def test_the_programs_forward_pass_is_that_of_the_keras_layers(name, n_variants):
    model = build_network(name, n_variants, seed=9)
    drawn = draw_weights(name, n_variants, seed=9)
    for one, other in zip(model.get_weights(), drawn, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    rng = np.random.default_rng(2)
    weights = [one + rng.uniform(-0.1, 0.5, one.shape).astype(np.float32) for one in drawn]
    weights[1][0] = -0.5
    model.set_weights(weights)
    x = fit_standardiser(name, np.zeros((1, n_variants), np.int8)).transform(
        rng.integers(-1, 3, size=(6, n_variants)).astype(np.int8)
    )
    layers = list_trainable(model)
    expected = keras.Model(model.input, [layer.last.output for layer in layers])(x)
    runner = RUNNER
    found = runner.run_layers(name, weights, x)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other, atol=1e-5)
    assert np.allclose(runner.run_layers(name, weights, x, last=1)[0], expected[-1], atol=1e-5)
    assert np.allclose(
        runner.run_top(name, weights, found[0], n_variants=n_variants), expected[-1], atol=1e-5
    )
    for depth in range(1, len(layers)):
        assert np.allclose(cut_top(model, depth)(expected[-depth - 1]), expected[-1], atol=1e-5)
        assert len(list_trainable(cut_top(model, depth))) == depth


RUNNER = ForwardRunner()


def test_each_genotype_has_a_channel_and_missing_ones_have_none():
    model = build_network("cnn_3d_f3_d5", 6, seed=1)
    channels = keras.Model(model.input, model.get_layer("genotypes").output)
    standardiser = fit_standardiser("cnn_3d_f3_d5", np.zeros((4, 6), np.int8))
    for dosages in (
        np.array([[0, 1, 2, -1, 2, 0]], np.int8),
        np.array([[0, 1, 2, np.nan, 2, 0]], np.float32),
    ):
        found = np.asarray(channels(standardiser.transform(dosages)))[0]
        expected = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 1], [1, 0, 0]]
        assert np.array_equal(found, expected)
    # A dosage of an imputed genotype is shared between the two it lies between.
    found = np.asarray(channels(standardiser.transform(np.full((1, 6), 1.25, np.float32))))[0]
    assert np.allclose(found, [0, 0.75, 0.25])


@pytest.mark.parametrize("name", SMALL)
def test_files_and_predictors_keep_the_network(name, tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    dosages = rng.integers(-1, 3, size=(40, 11)).astype(np.int8)
    weights = [one + np.float32(0.1) for one in draw_weights(name, 11, seed=4)]
    files = NetworkFiles()
    for at in range(2):
        files.write(tmp_path / f"{at}.keras", name, 11, None, weights)
    assert (tmp_path / "0.keras").read_bytes() == (tmp_path / "1.keras").read_bytes()
    for one, other in zip(files.read(tmp_path / "0.keras", name, 11, None), weights, strict=True):
        assert np.array_equal(one, other)
    with pytest.raises(InputError, match="no file of"):
        files.read(tmp_path / "0.keras", name, 20, None)
    variants = pd.DataFrame({"id": [f"rs{at}" for at in range(11)], "counted": "A", "other": "C"})
    model = restore_model(name, 11, None, weights)
    saved = NetworkPredictor(variants, fit_standardiser(name, dosages), name, None, model)
    save_predictor(tmp_path / "model", saved)
    loaded = load_predictor(tmp_path / "model")
    assert np.array_equal(loaded.score(dosages), saved.score(dosages))
    monkeypatch.setattr(predictors, "MOST_VALUES", 400)  # some rows at a time
    assert np.allclose(loaded.score(dosages), saved.score(dosages), atol=1e-6)
    assert loaded.score(dosages[:0]).shape == (0,)


def test_only_networks_that_read_genotypes_take_copies():
    dosages = np.array([[0, 1], [2, -1], [1, 1]], np.int8)
    assert np.array_equal(fit_standardiser("cnn_2d", dosages).mean, Standardiser.fit(dosages).mean)
    copies = fit_standardiser("cnn_3d", dosages)
    assert np.array_equal(copies.transform(dosages), [[1, 2], [3, 0], [2, 2]])


def test_transfer_carries_networks_in_all_forms(tmp_path):
    networks, panel = ["cnn_2d_f8_d16", "cnn_3d_f8_d16"], PANELS[0]
    settings = TrainingSettings(
        epochs=25, patience=25, learning_rate=0.01, schedule="cosine", plateau_factor=0.5
    )
    trainer = get_trainer()
    trained = train_source_networks("5_1", [panel], networks, trainer, settings, 7)
    sources = save_source_models(tmp_path / "sources", trained)
    found = list(
        transfer_networks("5_1", [panel], sources, networks, trainer, settings, 7, classifiers=["cart"])
    )
    assert len(found) == len(networks) * (1 + 1 + 4)
    for one in found:
        ed = panel.target["ED"]
        accuracy = ((one.predictor.score(ed.dosages) > 0.5) == ed.labels).mean()
        assert one.candidate.ed_accuracy == pytest.approx(accuracy, abs=1e-12), one.candidate.key
    simple = [one for one in found if one.candidate.method == "deep_simple"]
    assert min(one.candidate.source_ed_accuracy for one in simple) > 0.7
    assert [one.predictor.standardiser.mean[0] == -1 for one in simple] == [False, True]
    with pytest.raises(StudyError, match="not for convolutional networks"):
        list(adapt_networks("5_1", [panel], sources, networks, settings, 7))


def test_a_study_names_them_by_their_sizes():
    study = Study(name="x", models={"networks": ["ann_1", "cnn_2d_f64_d1000", "cnn_1d"]})
    assert study.families == ["ann", "cnn"]
    assert study.networks_of("cnn") == ["cnn_2d_f64_d1000", "cnn_1d"]
    with pytest.raises(ValueError, match="1 to 256 filters"):
        Study(name="x", models={"networks": ["cnn_2d_f999_d10"]})
    with pytest.raises(ValueError, match="deep_adapted is not for"):
        Study(name="x", models={"networks": ["cnn_1d"]}, transfer={"methods": ["deep_adapted"]})


def test_multiplications_are_those_of_every_position():
    # 11 positions, then 6 and 3; 3 values of 1 and of 3 channels for each of 3 filters.
    assert count_multiplications("cnn_1d_f3_d5", 11) == [11 * 9, 6 * 27, 3 * 3 * 5, 10]
    assert count_multiplications("cnn_3d_f3_d5", 9) == [9 * 9 * 9, 4 * 9 * 9, 1 * 3 * 5, 10]
