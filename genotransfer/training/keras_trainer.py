"""Train networks with Keras: the steps of ``compile`` and ``fit`` without their cost for each model.

``fit`` spends most of its time on tracing and on Python between epochs. Here a model of each shape
is built and compiled once and serves all jobs of that shape: weights and optimizer are set anew,
and one traced function runs Keras's own ``train_step`` over the batches of an epoch and its
``test_step`` on VD. Frozen layers are run once and only what lies above them is trained.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32

from genotransfer.models.cnn import derive_dropout_seed
from genotransfer.models.networks import (
    build_network,
    count_trainable_depths,
    cut_top,
    keeps_width,
)
from genotransfer.splits import LabelledSamples
from genotransfer.training.devices import limit_threads
from genotransfer.training.forward import ForwardRunner
from genotransfer.training.jobs import (
    CURVE_COLUMNS,
    TrainedNetwork,
    TrainingJob,
    TrainingSettings,
    Weights,
    batch_order,
    check_job,
)
from genotransfer.training.rates import RateKeeper
from genotransfer.training.widths import find_width, resize_weights, widen_inputs

# The nine networks need at most 74 shapes. TensorFlow gives little memory back of those let go.
MOST_WORKBENCHES = 128


class KerasTrainer:
    """The plain Keras trainer; it keeps its compiled models from one call to the next."""

    def __init__(self) -> None:
        self._benches: OrderedDict[tuple[Any, ...], Workbench] = OrderedDict()
        self._forward = ForwardRunner()
        self._frozen: tuple[tuple[Any, ...], list[list[np.ndarray]]] | None = None

    def train_networks(
        self,
        jobs: Iterable[TrainingJob],
        settings: TrainingSettings,
        progress: Callable[[TrainedNetwork], Any] | None = None,
    ) -> Iterator[TrainedNetwork]:
        """Yield one trained network for each job, in order.

        Adam on the sparse categorical cross-entropy of the logits, in float32; training stops
        `patience` epochs after the lowest loss on VD, whose weights are kept.

        Raises
        ------
        StudyError
            A job has no samples, an unknown network, or more trainable layers than there are.
        """
        limit_threads(settings.threads)
        for job in jobs:
            trained = self._train(job, settings)
            if progress is not None:
                progress(trained)
            yield trained

    def _train(self, job: TrainingJob, settings: TrainingSettings) -> TrainedNetwork:
        depth = check_job(job)
        n_variants = job.train.dosages.shape[1]
        weights = job.initial_weights
        if weights is None:
            weights = build_network(
                job.network,
                n_variants,
                window=job.window,
                seed=job.seed,
                allow_many_steps=job.allow_many_steps,
            ).get_weights()
        bench = self._find_bench(job, depth, n_variants, settings)
        if depth == count_trainable_depths(job.network):
            width = find_width(job.network, n_variants, job.window)
            bench.load(resize_weights(job.network, weights, width, job.window))
            values = [widen_inputs(_standardise(job, split), width) for split in (job.train, job.validation)]
            curve, best = bench.run(values, job, settings)
            final = resize_weights(job.network, bench.best_weights, n_variants, job.window)
        else:
            kept = len(weights) - bench.n_arrays
            bench.load(weights[kept:])
            curve, best = bench.run(self._run_frozen(job, weights, depth), job, settings)
            final = [*weights[:kept], *bench.best_weights]
        return TrainedNetwork(
            job.key,
            job.network,
            n_variants,
            job.window,
            final,
            curve,
            best_epoch=best,
            stopped_epoch=len(curve),
        )

    def _run_frozen(self, job: TrainingJob, weights: Weights, depth: int) -> list[np.ndarray]:
        """Return what the layer below the trained ones puts out, on TD and on VD."""
        # Jobs of one source model at successive depths share their frozen outputs.
        asked = (job.initial_weights, job.train, job.validation, job.standardiser)
        if self._frozen is None or any(a is not b for a, b in zip(self._frozen[0], asked, strict=True)):
            outputs = [
                self._forward.run_layers(job.network, weights, _standardise(job, split), window=job.window)
                for split in (job.train, job.validation)
            ]
            self._frozen = (asked, outputs)
        if job.initial_weights is None:  # drawn for this job only: nothing to share
            outputs, self._frozen = self._frozen[1], None
        else:
            outputs = self._frozen[1]
        return [layers[-depth - 1] for layers in outputs]

    def _find_bench(
        self, job: TrainingJob, depth: int, n_variants: int, settings: TrainingSettings
    ) -> Workbench:
        width = find_width(job.network, n_variants, job.window)
        full = depth == count_trainable_depths(job.network)
        key = (
            job.network,
            depth,
            width if full or keeps_width(job.network, job.window) else None,
            job.window,
        )
        if key not in self._benches:
            model = build_network(job.network, width, window=job.window, seed=0, allow_many_steps=True)
            self._benches[key] = Workbench(cut_top(model, depth))
            if len(self._benches) > MOST_WORKBENCHES:
                self._benches.popitem(last=False)
        self._benches.move_to_end(key)
        return self._benches[key]


class Workbench:
    """One compiled Keras model that trains many networks of its shape, one after another."""

    def __init__(self, model: Any) -> None:
        import keras
        import tensorflow as tf

        self._model = model
        self.n_arrays = len(model.weights)
        self.best_weights: Weights = []
        model.compile(
            optimizer=keras.optimizers.Adam(),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.optimizer.build(model.trainable_variables)
        shape = model.inputs[0].shape[1:]
        samples = tf.TensorSpec((None, *shape), tf.float32)
        labels = tf.TensorSpec((None,), tf.int32)
        # One set of metrics and optimizer variables is traced once and reset between jobs.
        self._run_epoch = tf.function(
            self._trace_epoch,
            input_signature=[samples, labels, samples, labels, tf.TensorSpec((None, None), tf.int32)],
            autograph=False,
        )

    def load(self, weights: Weights) -> None:
        """Set the weights and forget the optimizer's moments and step count."""
        self._model.set_weights(weights)
        optimizer = self._model.optimizer
        for variable in optimizer.variables:
            if variable is not optimizer._learning_rate:
                variable.assign(np.zeros(variable.shape, dtype=variable.dtype))

    def run(
        self, values: list[np.ndarray], job: TrainingJob, settings: TrainingSettings
    ) -> tuple[pd.DataFrame, int]:
        """Train, keep the best epoch's weights in `best_weights`; return the curve and that epoch."""
        import tensorflow as tf

        self._seed_dropout(job)
        keeper = RateKeeper(settings)
        data = [
            tf.constant(values[0]),
            tf.constant(job.train.labels.astype(np.int32)),
            tf.constant(values[1]),
            tf.constant(job.validation.labels.astype(np.int32)),
        ]
        order = batch_order(len(values[0]), settings.batch_size, settings.epochs, job.seed)
        rows: list[tuple[float, ...]] = []
        lowest, best = np.inf, 0
        for epoch in range(1, settings.epochs + 1):
            self._model.optimizer.learning_rate = keeper.find_rate(epoch)
            rows.append((epoch, *np.asarray(self._run_epoch(*data, order[epoch - 1])).tolist()))
            val_loss = rows[-1][3]
            keeper.hear(val_loss)
            if val_loss < lowest or not best:
                # The first epoch counts even when its loss is not a number, as in Keras.
                lowest, best = (val_loss if val_loss < lowest else lowest), epoch
                self.best_weights = self._model.get_weights()
            elif epoch - best >= settings.patience:
                break
        curve = pd.DataFrame(rows, columns=CURVE_COLUMNS).astype({"epoch": np.int32})
        return curve, best

    def _seed_dropout(self, job: TrainingJob) -> None:
        """Let the dropout layers draw what those of a model built with the job's seed would."""
        for layer in self._model.layers:
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.state.assign([derive_dropout_seed(job.seed, job.network, layer.name), 0])

    def _trace_epoch(self, x: Any, y: Any, val_x: Any, val_y: Any, order: Any) -> Any:
        import tensorflow as tf

        model = self._model

        def step(batch: Any) -> Any:
            rows = tf.boolean_mask(order[batch], order[batch] >= 0)
            model.train_step((tf.gather(x, rows), tf.gather(y, rows)))
            return (batch + 1,)

        model.reset_metrics()
        tf.while_loop(
            lambda batch: batch < tf.shape(order)[0], step, (tf.constant(0),), parallel_iterations=1
        )
        training = model.get_metrics_result()
        measured = [tf.identity(training[name]) for name in ("loss", "accuracy")]
        with tf.control_dependencies(measured):
            model.reset_metrics()
            validation = model.test_step((val_x, val_y))
        return tf.stack([*measured, validation["loss"], validation["accuracy"]])


def train_networks(
    jobs: Iterable[TrainingJob],
    settings: TrainingSettings,
    progress: Callable[[TrainedNetwork], Any] | None = None,
) -> Iterator[TrainedNetwork]:
    """Yield one trained network for each job, with a trainer of its own: see `KerasTrainer`."""
    return KerasTrainer().train_networks(jobs, settings, progress)


def _standardise(job: TrainingJob, split: LabelledSamples) -> Float32[np.ndarray, "n_samples n_variants"]:
    return job.standardiser.transform(split.dosages)
