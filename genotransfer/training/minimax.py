"""Minimax entropy: the losses, and a traced TensorFlow program of an epoch's steps.

A classifier of unit features by unit weights puts each class where its people are. Labelled people
of both populations teach it by cross-entropy. On people of the target without a label it is raised
in entropy, which moves its weights towards them, and the features are lowered in entropy, which
gathers these people around the weights.

Source: Saito et al. 2019, "Semi-supervised domain adaptation via minimax entropy", ICCV; for genotypes
Comajoan Cara, Mas Montserrat and Ioannidis 2024, "PopGenAdapt", Pac Symp Biocomput 29:327-340. The
weights' length is free there, and 1 here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from genotransfer.models.networks import count_trainable_depths, list_trainable
from genotransfer.models.standardise import Standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.adam import apply_adam, compute_powers, make_variable
from genotransfer.training.jobs import Weights
from genotransfer.training.opened import OpenedModel, close_network, open_network
from genotransfer.training.programs import standardise_dosages


@dataclass(frozen=True)
class MinimaxRule:
    """Constants of the method, as published.

    Attributes
    ----------
    entropy_weight : of the entropy, beside a cross-entropy of weight 1; 0 learns from labels alone.
    temperature : the cosines of features and weights are divided by it.
    """

    entropy_weight: float = 0.1
    temperature: float = 0.05


def score_cosines(features: Any, kernel: Any, temperature: float) -> Any:
    """Return logits (n, 2): cosines of features (n, k) and of the kernel's columns (k, 2), by temperature."""
    import tensorflow as tf

    units = tf.math.l2_normalize(features, axis=-1), tf.math.l2_normalize(kernel, axis=0)
    return tf.matmul(*units) / temperature


def measure_entropy(logits: Any) -> Any:
    """Return the mean entropy of the softmax of logits (n, 2), in nats."""
    import tensorflow as tf

    log = tf.nn.log_softmax(logits)
    return -tf.reduce_mean(tf.reduce_sum(tf.exp(log) * log, axis=-1))


def oppose_entropy(features: Any, kernel: Any, temperature: float) -> Any:
    """Return 0 with the gradient of the entropy for the features, and its negative for the kernel.

    Going down this gradient lowers the entropy by the features and raises it by the kernel, as a layer
    that reverses gradients between the two does.
    """
    import tensorflow as tf

    by_features = measure_entropy(score_cosines(features, tf.stop_gradient(kernel), temperature))
    by_kernel = measure_entropy(score_cosines(tf.stop_gradient(features), kernel, temperature))
    return by_features - by_kernel


def cut_logits(network: str, n_variants: int, window: int | None) -> OpenedModel:
    """Return a network to its last hidden layer, opened at the first one where it has no window."""
    import keras

    depths = count_trainable_depths(network)
    whole = open_network(network) if window is None else close_network(network, n_variants, depths, window)
    hidden = list_trainable(whole.model)[-2].last.output
    return replace(whole, model=keras.Model(whole.model.input, hidden))


class MinimaxProgram:
    """The epochs of one network's adaptation; the last of its weights is the classifier's kernel."""

    def __init__(self, opened: OpenedModel, learning_rate: float, rule: MinimaxRule) -> None:
        import tensorflow as tf

        self.opened, self._rate, self._rule = opened, learning_rate, rule
        shapes = [*opened.shapes, (opened.model.output.shape[-1], 2)]
        self._weights, self._momenta, self._squares = (
            [make_variable(one) for one in shapes] for _ in range(3)
        )
        people, labels = tf.TensorSpec((None, None), tf.int8), tf.TensorSpec((None,), tf.int32)
        scale = [tf.TensorSpec((None,), tf.float32)] * 2
        order, step = tf.TensorSpec((None, None), tf.int32), tf.TensorSpec((), tf.int32)
        signature = [
            people,
            labels,
            people,
            labels,
            people,
            people,
            labels,
            *scale,
            order,
            order,
            order,
            step,
        ]
        # A partial is its own: TensorFlow counts traces, and would warn of those of other programs.
        function: Callable[..., Any] = partial(self._trace_epoch)
        self.run_epoch = tf.function(function, input_signature=signature, autograph=False)

    def take(
        self,
        source: LabelledSamples,
        target: LabelledSamples,
        unlabelled: np.ndarray,
        validation: LabelledSamples,
        standardiser: Standardiser,
    ) -> list[Any]:
        """Return a job's samples as `run_epoch` takes them."""
        import tensorflow as tf

        labels = [split.labels.astype(np.int32) for split in (source, target, validation)]
        scale = [one.astype(np.float32) for one in (standardiser.mean, standardiser.sd)]
        learning = [source.dosages, labels[0], target.dosages, labels[1], unlabelled]
        return [tf.constant(one) for one in (*learning, validation.dosages, labels[2], *scale)]

    def load(self, weights: Weights) -> None:
        """Set the weights to a network's, without its logits' bias, and forget what Adam knew."""
        *hidden, kernel, _ = weights
        for position, array in enumerate([*self.opened.narrow(hidden), kernel]):
            self._weights[position].assign(array)
            for others in (self._momenta, self._squares):
                others[position].assign(np.zeros_like(array))

    def read(self) -> Weights:
        """Return the weights as they are, as `OpenedModel.call` takes them, and the kernel."""
        return [variable.numpy() for variable in self._weights]

    def _trace_epoch(
        self,
        source: Any,
        source_labels: Any,
        target: Any,
        target_labels: Any,
        unlabelled: Any,
        validation: Any,
        validation_labels: Any,
        mean: Any,
        sd: Any,
        source_order: Any,
        target_order: Any,
        unlabelled_order: Any,
        first: Any,
    ) -> Any:
        import tensorflow as tf

        def take_step(batch: Any, *sums: Any) -> Any:
            rows = [one[batch] for one in (source_order, target_order, unlabelled_order)]
            parts = [tf.gather(*one) for one in zip((source, target, unlabelled), rows, strict=True)]
            x = standardise_dosages(tf.concat(parts, axis=0), mean, sd)
            y = tf.concat([tf.gather(source_labels, rows[0]), tf.gather(target_labels, rows[1])], axis=0)
            gradients, *measured = self._differentiate(x, y)
            with tf.control_dependencies(measured):
                powers = compute_powers(first + batch + 1)
                places = zip(self._weights, self._momenta, self._squares, gradients, strict=True)
                for place in places:
                    apply_adam(*place, powers, self._rate)
            return batch + 1, *(total + one for total, one in zip(sums, measured, strict=True))

        n_steps = tf.shape(source_order)[0]
        _, loss, right = tf.while_loop(
            lambda batch, *sums: batch < n_steps,
            take_step,
            (tf.constant(0), tf.constant(0.0), tf.constant(0.0)),
            parallel_iterations=1,
        )
        with tf.control_dependencies([loss, right]):
            weights = [variable.read_value() for variable in self._weights]
        logits = self._score(weights, standardise_dosages(validation, mean, sd))[1]
        steps = tf.cast(n_steps, tf.float32)
        return tf.stack([loss / steps, right / steps, *_judge(logits, validation_labels)])

    def _differentiate(self, x: Any, y: Any) -> Any:
        """Return gradients, cross-entropy and accuracy; the first rows of `x` are those with a label."""
        import tensorflow as tf

        weights = [variable.read_value() for variable in self._weights]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            features, logits = self._score(weights, x)
            loss, accuracy = _judge(logits[: tf.shape(y)[0]], y)
            opposed = oppose_entropy(features[tf.shape(y)[0] :], weights[-1], self._rule.temperature)
            total = loss + self._rule.entropy_weight * opposed
        return tape.gradient(total, weights), loss, accuracy

    def _score(self, weights: Any, x: Any) -> Any:
        features = self.opened.call(weights[:-1], x)
        return features, score_cosines(features, weights[-1], self._rule.temperature)


def _judge(logits: Any, labels: Any) -> Any:
    import tensorflow as tf

    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    right = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == labels, tf.float32)
    return tf.reduce_mean(losses), tf.reduce_mean(right)
