"""``compile`` and ``fit`` of Keras itself, one model at a time: what the trainers must equal."""

import keras
import numpy as np
import tensorflow as tf

from genotransfer.models.networks import build_network, weighted_layers
from genotransfer.models.standardise import Standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import batch_order


def draw(n, p, seed):
    rng = np.random.default_rng(seed)
    dosages = rng.integers(0, 3, size=(n, p)).astype(np.int8)
    labels = (dosages[:, :3].sum(axis=1) + rng.normal(size=n) > 3).astype(np.int8)
    return LabelledSamples(dosages, labels)


TD, VD = draw(70, 40, 1), draw(20, 40, 2)
STANDARDISER = Standardiser.fit(TD.dosages)


def feed(x, y, order):
    """Return the batches of all epochs, one after another."""

    def batches():
        for rows in order.reshape(-1, order.shape[2]):
            rows = rows[rows >= 0]
            yield x[rows], y[rows]

    signature = (
        tf.TensorSpec((None, x.shape[1]), tf.float32),
        tf.TensorSpec((None,), tf.int32),
    )
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def fit_plainly(job, settings):
    whole = build_network(job.network, 40, window=job.window, seed=job.seed)
    whole.set_weights(job.initial_weights)
    if job.trainable_layers is not None:
        for layer in weighted_layers(whole)[: -job.trainable_layers]:
            layer.trainable = False
    model = keras.Model(whole.input, whole.get_layer("logits").output)
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    stop = keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True)
    order = batch_order(len(TD.labels), settings.batch_size, settings.epochs, job.seed)
    x, val_x = (STANDARDISER.transform(split.dosages) for split in (TD, VD))
    history = model.fit(
        feed(x, TD.labels.astype(np.int32), order),
        steps_per_epoch=order.shape[1],
        epochs=settings.epochs,
        validation_data=(val_x, VD.labels.astype(np.int32)),
        callbacks=[stop],
        shuffle=False,
        verbose=0,
    )
    return whole.get_weights(), history.history, stop


def assert_equal_to_fit(trained, job, settings):
    """Check weights, learning curve, best and last epoch against ``fit``."""
    weights, history, stop = fit_plainly(job, settings)
    assert trained.best_epoch == stop.best_epoch + 1
    assert trained.stopped_epoch == len(history["loss"])
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert np.allclose(trained.curve[name], history[name], rtol=1e-4, atol=1e-6), name
    for mine, theirs in zip(trained.weights, weights, strict=True):
        assert np.allclose(mine, theirs, atol=2e-4)
