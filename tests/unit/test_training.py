"""Both trainers: freezing, early stopping, repeatability and invariances."""

import numpy as np
import pytest

from genotransfer.errors import StudyError
from genotransfer.models.networks import NETWORKS, build_network, count_trainable_depths
from genotransfer.models.standardise import Standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.api import TRAINERS, get_trainer
from genotransfer.training.forward import ForwardRunner, score_logits
from genotransfer.training.jobs import TrainingJob, TrainingSettings, batch_order
from genotransfer.training.widths import BUCKETS, choose_width, resize_weights, widen_inputs


def draw(n, p, seed):
    rng = np.random.default_rng(seed)
    dosages = rng.integers(-1, 3, size=(n, p)).astype(np.int8)
    labels = (dosages[:, :3].sum(axis=1) + rng.normal(size=n) > 1.5).astype(np.int8)
    return LabelledSamples(dosages, labels)


TD, VD, ED = draw(60, 7, 1), draw(20, 7, 2), draw(200, 7, 3)
STANDARDISER = Standardiser.fit(TD.dosages)
FEW = TrainingSettings(epochs=4, patience=50)


def make_job(network="ann_1", **given):
    defaults = {"key": "job", "train": TD, "validation": VD, "standardiser": STANDARDISER, "seed": 11}
    return TrainingJob(network=network, **{**defaults, **given})


@pytest.fixture(scope="module", params=TRAINERS)
def trainer(request):
    return get_trainer(request.param)


def train(trainer, *jobs, settings=FEW):
    return list(trainer.train_networks(jobs, settings))


def test_batches_are_a_permutation_in_each_epoch():
    order = batch_order(70, 32, 5, seed=3)
    assert order.shape == (5, 3, 32)
    flat = order.reshape(5, -1)
    assert all(np.array_equal(np.sort(row[row >= 0]), np.arange(70)) for row in flat)
    assert (flat[:, 70:] == -1).all()
    assert (flat[:, :70] >= 0).all()
    assert len({row.tobytes() for row in flat}) == 5
    assert np.array_equal(order, batch_order(70, 32, 5, seed=3))
    # A longer run begins with the batches of a shorter one.
    assert np.array_equal(order[:2], batch_order(70, 32, 2, seed=3))


@pytest.mark.parametrize("network", NETWORKS)
def test_frozen_layers_stay_bit_for_bit_and_trained_ones_move(trainer, network):
    start = build_network(network, 7, seed=1).get_weights()
    layer_of = [
        at for at, layer in enumerate(build_network(network, 7, seed=1).layers) for _ in layer.weights
    ]
    weighted = sorted(set(layer_of))
    depths = range(1, count_trainable_depths(network) + 1)
    jobs = [
        make_job(network, key=str(depth), initial_weights=start, trainable_layers=depth) for depth in depths
    ]
    found = {trained.key: trained for trained in train(trainer, *jobs)}
    for depth in depths:
        trained = found[str(depth)]
        frozen = weighted[:-depth]
        for before, after, layer in zip(start, trained.weights, layer_of, strict=True):
            if layer in frozen:
                assert np.array_equal(before, after)
        for layer in weighted[-depth:]:
            moved = [
                not np.array_equal(before, after)
                for before, after, at in zip(start, trained.weights, layer_of, strict=True)
                if at == layer
            ]
            assert any(moved), (network, depth, layer)


def test_training_repeats_bit_for_bit_in_any_company(trainer):
    jobs = [
        make_job("gru_1", key="a", seed=1),
        make_job("gru_1", key="b", seed=2),
        make_job("ann_1", key="c"),
    ]
    first = {one.key: one for one in train(trainer, *jobs)}
    second = {one.key: one for one in train(type(trainer)(), *reversed(jobs))}
    for key, one in first.items():
        assert all(np.array_equal(a, b) for a, b in zip(one.weights, second[key].weights, strict=True))
        assert one.curve.equals(second[key].curve)
    assert not np.array_equal(first["a"].weights[0], first["b"].weights[0])


@pytest.mark.parametrize(("network", "depth"), [("ann_2", None), ("lstm_1", 2), ("bilstm_2", 3)])
def test_early_stopping_keeps_the_best_epoch(trainer, network, depth):
    settings = TrainingSettings(epochs=60, patience=3, learning_rate=0.02)
    [one] = train(trainer, make_job(network, trainable_layers=depth), settings=settings)
    losses = one.curve["val_loss"].to_numpy()
    assert one.curve["epoch"].tolist() == list(range(1, one.stopped_epoch + 1))
    assert one.best_epoch == int(losses.argmin()) + 1
    assert one.stopped_epoch == one.best_epoch + 3 < 60
    scores = score_logits(
        ForwardRunner().run_layers(network, one.weights, STANDARDISER.transform(VD.dosages))[-1]
    )
    right = np.where(VD.labels == 1, scores, 1 - scores)
    assert np.isclose(-np.log(right).mean(), losses.min(), rtol=1e-5)
    assert np.isclose(((scores > 0.5) == VD.labels).mean(), one.curve["val_accuracy"][one.best_epoch - 1])


def test_training_finds_a_real_signal(trainer):
    [one] = train(trainer, make_job(train=draw(700, 7, 9)), settings=TrainingSettings(epochs=15))
    probabilities = np.asarray(one.model(STANDARDISER.transform(ED.dosages)))[:, 1]
    assert ((probabilities > 0.5) == ED.labels).mean() > 0.7


@pytest.mark.parametrize("network", ["ann_1", "gru_2"])
def test_swapping_cases_and_controls_mirrors_the_network(trainer, network):
    start = build_network(network, 7, seed=1).get_weights()
    mirrored = [*start[:-2], start[-2][:, ::-1].copy(), start[-1][::-1].copy()]
    swap = {
        "train": LabelledSamples(TD.dosages, 1 - TD.labels),
        "validation": LabelledSamples(VD.dosages, 1 - VD.labels),
    }
    there, back = train(
        trainer, make_job(network, initial_weights=start), make_job(network, initial_weights=mirrored, **swap)
    )
    x = STANDARDISER.transform(ED.dosages)
    assert np.allclose(np.asarray(there.model(x)), np.asarray(back.model(x))[:, ::-1], atol=1e-5)


@pytest.mark.parametrize("network", ["ann_1", "lstm_1", "bilstm_1"])
def test_permuting_variants_permutes_the_first_kernels(trainer, network):
    order = np.random.default_rng(1).permutation(7)
    start = build_network(network, 7, seed=1).get_weights()
    kernels = (0, 3) if network.startswith("bilstm") else (0,)
    permuted = [w[order] if at in kernels else w for at, w in enumerate(start)]
    shuffled = {
        "train": LabelledSamples(TD.dosages[:, order], TD.labels),
        "validation": LabelledSamples(VD.dosages[:, order], VD.labels),
        "standardiser": Standardiser(STANDARDISER.mean[order], STANDARDISER.sd[order]),
    }
    there, back = train(
        trainer,
        make_job(network, initial_weights=start),
        make_job(network, initial_weights=permuted, **shuffled),
    )
    for at, (one, other) in enumerate(zip(there.weights, back.weights, strict=True)):
        assert np.allclose(one[order] if at in kernels else one, other, atol=1e-5)


def test_a_window_trains_its_own_time_steps(trainer):
    whole, stepped, part = train(
        trainer,
        make_job("lstm_1"),
        make_job("lstm_1", window=3),
        make_job("lstm_1", window=3, trainable_layers=1),
    )
    assert whole.weights[0].shape == (7, 200)
    assert stepped.weights[0].shape == (3, 200)
    assert part.model.get_layer("steps").output.shape == (None, 3, 3)
    # With time steps the recurrent kernel learns; with one it has no gradient.
    assert np.array_equal(whole.weights[1], build_network("lstm_1", 7, seed=11).get_weights()[1])
    assert not np.array_equal(
        stepped.weights[1], build_network("lstm_1", 7, window=3, seed=11).get_weights()[1]
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_padding_to_a_bucket_changes_no_output(network):
    model = build_network(network, 30, seed=4)
    x = np.random.default_rng(2).normal(size=(5, 30)).astype(np.float32)
    wide = resize_weights(network, model.get_weights(), 64)
    wider = build_network(network, 64, seed=5)
    wider.set_weights(wide)
    assert np.allclose(model(x), wider(widen_inputs(x, 64)), atol=1e-6)
    back = resize_weights(network, wide, 30)
    assert all(np.array_equal(a, b) for a, b in zip(back, model.get_weights(), strict=True))


def test_buckets_hold_their_panels():
    for n_variants in (1, 256, 257, 1300, 6784, 6785, 20000):
        width = choose_width(n_variants)
        assert width >= n_variants
        assert width == choose_width(width)
    assert [choose_width(width) for width in BUCKETS] == list(BUCKETS)
    assert choose_width(300, window=7) == 300


def test_progress_hears_every_job(trainer):
    heard = []
    jobs = [make_job(key="x"), make_job(key="y")]
    trained = list(trainer.train_networks(jobs, FEW, heard.append))
    assert [one.key for one in trained] == ["x", "y"]
    assert [id(one) for one in heard] == [id(one) for one in trained]


def test_jobs_that_cannot_be_done_are_refused(trainer):
    empty = LabelledSamples(TD.dosages[:0], TD.labels[:0])
    for wrong, message in (
        ({"train": empty}, "no training samples"),
        ({"validation": empty}, "no validation samples"),
        ({"trainable_layers": 4}, "which has 3"),
        ({"trainable_layers": 0}, "which has 3"),
        ({"network": "cnn"}, "no network"),
    ):
        with pytest.raises(StudyError, match=message):
            train(trainer, make_job(**wrong))
    with pytest.raises(StudyError, match="no trainer 'jax'"):
        get_trainer("jax")


def test_scores_of_logits_never_overflow():
    logits = np.array([[0, 0], [0, 1000], [1000, 0], [0, 1]], dtype=np.float32)
    assert np.allclose(score_logits(logits), [0.5, 1, 0, 1 / (1 + np.exp(-1))])
