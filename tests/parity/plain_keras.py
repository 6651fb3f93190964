"""``compile`` and ``fit`` of Keras itself, one model at a time: what the trainers must equal."""

import warnings

import keras
import numpy as np
import tensorflow as tf

from genotransfer.models.networks import CNN, build_network, cut_top, find_network, list_trainable
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
        tf.TensorSpec((None, *x.shape[1:]), tf.float32),
        tf.TensorSpec((None,), tf.int32),
    )
    return tf.data.Dataset.from_generator(batches, output_signature=signature)


def freeze(whole, depth):
    """Return the network to its logits, of which the top `depth` layers are trained, and what it reads.

    Of a convolutional network it is these layers alone, on what a base at prediction puts out: called in
    a model, the base would drop, whatever it is told.
    """
    below = list_trainable(whole)[:-depth]
    if find_network(whole.name).family == CNN:
        return cut_top(whole, depth), keras.Model(whole.input, below[-1].last.output)
    for one in below:
        for layer in one.weighted:
            layer.trainable = False
    return keras.Model(whole.input, whole.get_layer("logits").output), None


def schedule_rate(settings):
    """Return the schedule as a factor on the rate there is, for ``LearningRateScheduler``."""

    def share(epoch):
        if settings.schedule == "exponential":
            return settings.decay**epoch
        if settings.schedule == "cosine":
            return (1 + np.cos(np.pi * epoch / settings.epochs)) / 2
        return 1.0

    return lambda epoch, rate: float(rate * share(epoch) / share(max(epoch - 1, 0)))


def list_callbacks(settings):
    """Return early stopping, and Keras's own callbacks for the learning rate."""
    stop = keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True)
    callbacks = [stop, keras.callbacks.LearningRateScheduler(schedule_rate(settings))]
    if settings.plateau_factor is not None:
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_loss", factor=settings.plateau_factor, patience=settings.plateau_patience
            )
        )
    return callbacks


def fit_plainly(job, settings):
    whole = build_network(job.network, job.train.dosages.shape[1], window=job.window, seed=job.seed)
    whole.set_weights(job.initial_weights)
    model, base = keras.Model(whole.input, whole.get_layer("logits").output), None
    if job.trainable_layers is not None:
        model, base = freeze(whole, job.trainable_layers)
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    stop, *others = list_callbacks(settings)
    order = batch_order(len(job.train.labels), settings.batch_size, settings.epochs, job.seed)
    x, val_x = (job.standardiser.transform(split.dosages) for split in (job.train, job.validation))
    if base is not None:
        x, val_x = np.asarray(base(x, training=False)), np.asarray(base(val_x, training=False))
    with warnings.catch_warnings():
        # Keras 3.15 reads the learning rate in a way NumPy 2 deprecates.
        warnings.filterwarnings(
            "ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning
        )
        history = model.fit(
            feed(x, job.train.labels.astype(np.int32), order),
            steps_per_epoch=order.shape[1],
            epochs=settings.epochs,
            validation_data=(val_x, job.validation.labels.astype(np.int32)),
            callbacks=[stop, *others],
            shuffle=False,
            verbose=0,
        )
    return whole.get_weights(), history.history, stop


def assert_equal_to_fit(trained, job, settings, atol=2e-4):
    """Check weights, learning curve, best and last epoch against ``fit``; return its learning rates."""
    weights, history, stop = fit_plainly(job, settings)
    assert trained.best_epoch == stop.best_epoch + 1
    assert trained.stopped_epoch == len(history["loss"])
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert np.allclose(trained.curve[name], history[name], rtol=1e-4, atol=1e-6), name
    for mine, theirs in zip(trained.weights, weights, strict=True):
        assert np.allclose(mine, theirs, atol=atol)
    return np.array(history["learning_rate"])
