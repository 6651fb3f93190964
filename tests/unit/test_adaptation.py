"""Adaptation by minimax entropy: its gradients, what it learns from, and what it leaves on file."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy

from genotransfer.adaptation import adapt_networks, gather_unlabelled, restore_adapted, unit_rows
from genotransfer.baselines import PanelData
from genotransfer.errors import StudyError
from genotransfer.models.networks import build_network
from genotransfer.models.source_models import SourceModel, hash_variants, save_source_models
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import load_predictor, save_predictor
from genotransfer.splits import LabelledSamples
from genotransfer.training.adapter import AdaptationJob, MinimaxTrainer, draw_batches
from genotransfer.training.api import get_trainer
from genotransfer.training.jobs import CURVE_COLUMNS, TrainedNetwork, TrainingJob, TrainingSettings
from genotransfer.training.minimax import (
    MinimaxProgram,
    MinimaxRule,
    cut_logits,
    measure_entropy,
    oppose_entropy,
    score_cosines,
)
from genotransfer.transfer import train_source_networks
from tests.unit.test_transfer import PANELS

SETTINGS = TrainingSettings(epochs=4, patience=4, learning_rate=3e-3, threads=1)
NETWORKS = ["ann_1"]


def entropy_of(features, kernel, temperature):
    """Mean entropy by NumPy and SciPy."""
    cosines = (features / np.linalg.norm(features, axis=1, keepdims=True)) @ (
        kernel / np.linalg.norm(kernel, axis=0)
    )
    odds = np.exp(cosines / temperature)
    return entropy(odds / odds.sum(axis=1, keepdims=True), axis=1).mean()


def differentiate(function, x, step=1e-6):
    """Central differences."""
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        there, back = x.copy(), x.copy()
        there[at] += step
        back[at] -= step
        gradient[at] = (function(there) - function(back)) / (2 * step)
    return gradient


def test_the_classifier_raises_the_entropy_and_the_features_lower_it():
    """A tiny network, tanh(x W) before the classifier, against finite differences of the entropy."""
    import tensorflow as tf

    rng = np.random.default_rng(1)
    x, first, kernel = rng.normal(size=(7, 4)), rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    temperature = 0.4
    first_given, kernel_given = tf.constant(first), tf.constant(kernel)
    with tf.GradientTape() as tape:
        tape.watch([first_given, kernel_given])
        features = tf.tanh(x @ first_given)
        opposed = oppose_entropy(features, kernel_given, temperature)
    found = [one.numpy() for one in tape.gradient(opposed, [first_given, kernel_given])]
    assert float(opposed) == 0
    measured = float(measure_entropy(score_cosines(features, kernel_given, temperature)))
    assert measured == pytest.approx(entropy_of(np.tanh(x @ first), kernel, temperature), abs=1e-12)
    by_first = differentiate(lambda one: entropy_of(np.tanh(x @ one), kernel, temperature), first)
    by_kernel = differentiate(lambda one: entropy_of(np.tanh(x @ first), one, temperature), kernel)
    np.testing.assert_allclose(found[0], by_first, atol=1e-8)
    np.testing.assert_allclose(found[1], -by_kernel, atol=1e-8)
    assert np.abs(by_first).max() > 0.01
    assert np.abs(by_kernel).max() > 0.01


@pytest.mark.parametrize("network", ["ann_1", "lstm_1"])
def test_a_networks_gradient_is_that_of_labels_and_of_the_opposed_entropy(network):
    """Steps down what the entropy adds to the gradient, judged by a Keras model of the network."""
    panel, temperature = PANELS[0], 0.3
    standardiser = Standardiser.fit(panel.source["TD"].dosages)
    labelled = panel.source["TD"].labels[:20].astype(np.int32)
    x = standardiser.transform(panel.source["TD"].dosages[:60])
    weights = build_network(network, x.shape[1], seed=4).get_weights()
    gradients = []
    for weight in (0.0, 1.0):
        program = MinimaxProgram(cut_logits(network, 8, None), 1e-3, MinimaxRule(weight, temperature))
        program.load(weights)
        found, loss, _ = program._differentiate(x, labelled)
        gradients.append([one.numpy() for one in found])
    added = [one - other for one, other in zip(gradients[1], gradients[0], strict=True)]

    def judge(hidden, kernel):
        """Cross-entropy of the labelled people, entropy of the others."""
        kernel = kernel / np.linalg.norm(kernel, axis=0) / temperature
        whole = program.opened.restore(hidden, weights[:-2])
        shares = restore_adapted(network, 8, None, [*whole, kernel])(x).numpy().astype(np.float64)
        return -np.log(shares[np.arange(20), labelled]).mean(), entropy(shares[20:], axis=1).mean()

    hidden, kernel = program.read()[:-1], program.read()[-1]
    before, uncertain = judge(hidden, kernel)
    assert float(loss) == pytest.approx(before, rel=1e-4)
    # To first order a step changes what it is for by the step times the gradient's square.
    change = 0.002
    steps = [change / sum(float((one**2).sum()) for one in part) for part in (added[:-1], added[-1:])]
    lower = judge([one - steps[0] * up for one, up in zip(hidden, added, strict=False)], kernel)[1]
    higher = judge(hidden, kernel - steps[1] * added[-1])[1]
    assert lower - uncertain == pytest.approx(-change, rel=0.1)
    assert higher - uncertain == pytest.approx(change, rel=0.1)
    step = change / float((gradients[0][-1] ** 2).sum())
    taught = judge(hidden, kernel - step * gradients[0][-1])[0]
    assert taught - before == pytest.approx(-change, rel=0.1)


def draw_shifted(n, rng, shift=None):
    """Twenty variants: in the source five follow the label; with a shift ten others do, and five little."""
    labels = rng.integers(0, 2, n).astype(np.int8)
    sign = np.where(labels == 1, 1, -1)[:, None]
    frequency = np.full((n, 20), 0.5)
    if shift is None:
        frequency[:, :5] += 0.35 * sign
    else:
        frequency[:, :5] += 0.15 * sign
        frequency[:, 5:15] += 0.38 * sign
        frequency = np.clip(frequency + shift, 0.02, 0.98)
    return LabelledSamples(rng.binomial(2, frequency).astype(np.int8), labels)


def test_people_without_a_label_help_where_the_target_is_shifted():
    """Four labelled people of the target and two hundred others, against the same without the others."""
    settings = TrainingSettings(epochs=15, learning_rate=3e-3, threads=1)
    trainer = get_trainer("keras")
    adapters = [MinimaxTrainer(settings, MinimaxRule(weight, 0.2)) for weight in (0.0, 0.1)]
    accuracies = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        shift = rng.uniform(-0.1, 0.1, 20)
        source, stopping = draw_shifted(300, rng), draw_shifted(60, rng)
        target, validation, others, judges = (draw_shifted(n, rng, shift) for n in (4, 20, 200, 400))
        standardiser = Standardiser.fit(source.dosages)
        learning = TrainingJob("source", "ann_1", source, stopping, standardiser, seed)
        [trained] = trainer.train_networks([learning], settings)
        job = AdaptationJob(
            "ann_1",
            None,
            trained.weights,
            source,
            target,
            validation,
            others.dosages,
            standardiser,
            seed,
        )
        values = standardiser.transform(judges.dosages)
        models = [restore_adapted("ann_1", 20, None, one.train(job).weights) for one in adapters]
        called = [model(values).numpy().argmax(axis=1) for model in (trained.model, *models)]
        accuracies.append([(one == judges.labels).mean() for one in called])
    as_it_is, labels_alone, with_others = np.mean(accuracies, axis=0)
    assert with_others > labels_alone + 0.02
    assert with_others > as_it_is + 0.05
    assert sum(row[2] > row[1] for row in accuracies) >= 3


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "models"
    trained = train_source_networks("5_1", PANELS, NETWORKS, get_trainer("keras"), SETTINGS, 7)
    return save_source_models(folder, trained)


@pytest.fixture(scope="module")
def trainer():
    return MinimaxTrainer(SETTINGS)


@pytest.fixture(scope="module")
def adapted(sources, trainer):
    return list(adapt_networks("5_1", PANELS, sources, NETWORKS, SETTINGS, 7, trainer=trainer))


def test_a_candidate_a_network_and_panel(adapted):
    found = {one.candidate.key: one for one in adapted}
    due = {f"5_1.deep_adapted.{panel.name}.{network}" for panel in PANELS for network in NETWORKS}
    assert set(found) == due
    assert len(adapted) == len(due)
    one = found["5_1.deep_adapted.source_02.ann_1"]
    assert (one.candidate.method, one.candidate.trainable_layers) == ("deep_adapted", 3)
    assert one.curve["epoch"].tolist() == [1, 2, 3, 4]
    # The signal is common to both populations and the panel has nothing else.
    assert np.mean([one.candidate.ed_accuracy for one in adapted]) > 0.75


def test_a_saved_predictor_predicts_the_same(adapted, tmp_path):
    for one in adapted:
        [panel] = [panel for panel in PANELS if panel.name == one.candidate.panel]
        save_predictor(tmp_path / one.candidate.key, one.predictor)
        again = load_predictor(tmp_path / one.candidate.key)
        scores = one.predictor.score(panel.target["ED"].dosages)
        np.testing.assert_array_equal(again.score(panel.target["ED"].dosages), scores)
        for split in ("TD", "VD", "ED"):
            called = again.score(panel.target[split].dosages) > 0.5
            accuracy = (called == panel.target[split].labels).mean()
            assert getattr(one.candidate, f"{split.lower()}_accuracy") == pytest.approx(accuracy)
        columns = again.model.get_layer("logits").get_weights()[0]
        np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1 / 0.05, rtol=1e-5)


def turn_round(split):
    return LabelledSamples(split.dosages, 1 - split.labels)


def test_labels_of_ed_do_not_matter_and_those_of_vd_only_stop(sources, trainer, adapted):
    panel = PANELS[0]
    for split in ("ED", "VD"):
        turned = panel.target | {split: turn_round(panel.target[split])}
        changed = PanelData(panel.name, panel.variants, panel.source, turned)
        [other] = adapt_networks("5_1", [changed], sources, ["ann_1"], SETTINGS, 7, trainer=trainer)
        names = ["loss", "accuracy"] if split == "VD" else list(adapted[0].curve)
        assert other.curve[names].equals(adapted[0].curve[names])
        weights = [one.predictor.model.get_weights() for one in (adapted[0], other)]
        if split == "ED":
            assert all(np.array_equal(*pair) for pair in zip(*weights, strict=True))
            right = adapted[0].candidate.ed_accuracy
            assert other.candidate.ed_accuracy == pytest.approx(1 - right)


def test_genotypes_of_people_without_a_label_matter(sources, trainer, adapted):
    panel = PANELS[0]
    assert len(gather_unlabelled(panel)) == 12 + 200
    ed = LabelledSamples(2 - np.maximum(panel.target["ED"].dosages, 0), panel.target["ED"].labels)
    changed = PanelData(panel.name, panel.variants, panel.source, panel.target | {"ED": ed})
    [other] = adapt_networks("5_1", [changed], sources, ["ann_1"], SETTINGS, 7, trainer=trainer)
    assert not other.curve["loss"].equals(adapted[0].curve["loss"])


@pytest.mark.parametrize(("network", "window"), [("bilstm_2", None), ("gru_1", 3)])
def test_recurrent_networks_are_adapted(tmp_path, network, window):
    """From first weights, which are as good as others here."""
    panel, settings = PANELS[0], TrainingSettings(epochs=1, threads=1)
    weights = build_network(network, 8, window=window, seed=1).get_weights()
    curve = pd.DataFrame([[1, 0.7, 0.5, 0.7, 0.5]], columns=CURVE_COLUMNS)
    trained = TrainedNetwork("first", network, 8, window, weights, curve, 1, 1)
    model = SourceModel("5_1", panel.name, hash_variants(panel.variants), trained)
    sources = save_source_models(tmp_path / "models", [model])
    [one] = adapt_networks("5_1", [panel], sources, [network], settings, 7)
    save_predictor(tmp_path / "one", one.predictor)
    predictor, ed = load_predictor(tmp_path / "one"), panel.target["ED"]
    accuracy = ((predictor.score(ed.dosages) > 0.5) == ed.labels).mean()
    assert one.candidate.ed_accuracy == pytest.approx(accuracy)
    learnt = predictor.model.get_weights()[: len(weights) - 2]
    moved = [not np.array_equal(*pair) for pair in zip(learnt, weights, strict=False)]
    assert len(moved) == len(weights) - 2
    assert moved[0]
    assert moved[-1]


def test_a_split_that_is_absent_is_told(sources):
    panel = PANELS[0]
    lacking = {"TD": panel.target["TD"], "ED": panel.target["ED"]}
    changed = PanelData(panel.name, panel.variants, panel.source, lacking)
    with pytest.raises(StudyError, match="no target VD"):
        list(adapt_networks("5_1", [changed], sources, ["ann_1"], SETTINGS, 7))


def test_batches_read_everyone_again_and_again():
    order = draw_batches(10, 4, (3, 5), np.random.default_rng(1))
    assert order.shape == (3, 5, 4)
    assert (np.sort(order.reshape(6, 10), axis=1) == np.arange(10)).all()
    assert draw_batches(3, 8, (2, 2), np.random.default_rng(1)).shape == (2, 2, 3)


def test_unit_rows_are_those_of_keras():
    import keras

    features = np.array([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]], dtype=np.float32)
    due = keras.layers.UnitNormalization()(features)
    np.testing.assert_allclose(unit_rows(features), np.asarray(due), atol=1e-6)
