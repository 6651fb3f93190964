"""Convolutional networks in the fast trainer's programs: the layers of `cnn.build_cnn`, for any width.

They are written out here and not called as Keras layers: the number of variants is then known at run
time only, one traced program serves all panels, and what Keras computes in many passes over the largest
arrays takes few. Tests hold them to Keras's layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from genotransfer.models import cnn
from genotransfer.models.networks import CNN, NetworkSpec, count_trainable_depths, find_network
from genotransfer.training.jobs import Weights

# Kernel, scale, offset, moving mean, moving variance; kernel and bias.
BLOCK_ARRAYS, DENSE_ARRAYS = 5, 2


@dataclass(frozen=True, eq=False)
class ConvolutionalModel:
    """The top `depth` trainable layers of a convolutional network, from dosages or from the layer below.

    Attributes
    ----------
    spec : of the network.
    depth : trainable layers that it has.
    precision : a Keras dtype policy, e.g. ``mixed_bfloat16``: of products and convolutions.
    """

    spec: NetworkSpec
    depth: int
    precision: str = "float32"

    @property
    def n_blocks(self) -> int:
        """How many of the layers are blocks with a convolution."""
        return max(self.depth - len(self.spec.dense) - 1, 0)

    @property
    def layer_sizes(self) -> list[int]:
        """Number of weight arrays of each trainable layer, bottom to top."""
        return [BLOCK_ARRAYS] * self.n_blocks + [DENSE_ARRAYS] * (self.depth - self.n_blocks)

    @property
    def moving(self) -> tuple[int, ...]:
        """Places of the arrays that are no weights to train but moving means and variances."""
        return tuple(BLOCK_ARRAYS * block + at for block in range(self.n_blocks) for at in (3, 4))

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """What it reads of each person: dosages, or positions and filters, or units."""
        layers = count_trainable_depths(self.spec.name)
        if self.depth == layers:
            return (None,)
        if self.depth > len(self.spec.dense):
            return (*(None,) * self._n_axes, self.spec.filters)
        return (self.spec.dense[-self.depth],)

    @property
    def shapes(self) -> list[tuple[int | None, ...]]:
        """Shape of each weight array; None for the rows of the dense kernel above the blocks."""
        spec = self.spec
        shapes: list[tuple[int | None, ...]] = []
        for block in range(cnn.N_BLOCKS - self.n_blocks, cnn.N_BLOCKS):
            channels = spec.filters if block else cnn.GENOTYPES if spec.form == "3d" else 1
            shapes.append((*(cnn.KERNEL,) * self._n_axes, channels, spec.filters))
            shapes += [(spec.filters,)] * 4
        widths = [None, *spec.dense, 2][-(self.depth - self.n_blocks) - 1 :]
        for rows, units in pairwise(widths):
            shapes += [(rows, units), (units,)]
        return shapes

    @property
    def dropouts(self) -> tuple[str, ...]:
        """Names of the dropout layers: all that lie below one of its trainable layers."""
        return cnn.name_dropouts(self.spec)[-min(self.depth, len(self._rates)) :]

    @property
    def _rates(self) -> tuple[float, ...]:
        return cnn.find_rates(self.spec)

    @property
    def _n_axes(self) -> int:
        return 1 if self.spec.form == "1d" else 2

    def narrow(self, weights: Weights) -> Weights:
        """Return its own weights, of those of the whole network."""
        return weights[len(weights) - sum(self.layer_sizes) :]

    def restore(self, narrowed: Weights, first: Weights) -> Weights:
        """Return whole weights: its own, above those it does not have."""
        return [*first[: len(first) - len(narrowed)], *narrowed]

    def draw_seeds(self, seed: int) -> np.ndarray:
        """Return the seeds of its dropout layers, int32 (n_dropouts,), of a job's seed."""
        seeds = [cnn.derive_dropout_seed(seed, self.spec.name, layer) for layer in self.dropouts]
        return np.array(seeds, dtype=np.int32)

    def call(self, weights: list[Any], x: Any) -> Any:
        """Return logits (n, 2) for `x`, as at prediction, within a traced function."""
        return self.call_layers(weights, x)[-1]

    def call_layers(self, weights: list[Any], x: Any) -> list[Any]:
        """Return what each trainable layer puts out, as at prediction."""
        return self._run(weights, x)[0]

    def call_training(self, weights: list[Any], x: Any, seeds: Any, step: Any) -> tuple[Any, list[Any]]:
        """Return logits as in training, and the new values of the arrays that `moving` names.

        Parameters
        ----------
        seeds : of the dropout layers.
        step : how many steps the network has been trained before.
        """
        outputs, moved = self._run(weights, x, (seeds, step))
        return outputs[-1], moved

    def _run(
        self, weights: list[Any], x: Any, training: tuple[Any, Any] | None = None
    ) -> tuple[list[Any], list[Any]]:
        import tensorflow as tf

        whole = self.depth == count_trainable_depths(self.spec.name)
        hidden = self._arrange(x) if whole else x
        rates = self._rates[-len(self.dropouts) :]
        outputs: list[Any] = []
        moved: list[Any] = []
        at = 0
        for position in range(self.depth):
            below = position - whole
            if training is not None and below >= 0:
                hidden = _drop(hidden, rates[below], training[0][below], training[1])
            if position < self.n_blocks:
                hidden, statistics = self._run_block(
                    hidden, weights[at : at + BLOCK_ARRAYS], training is not None
                )
                moved += statistics
                at += BLOCK_ARRAYS
            else:
                if len(hidden.shape) > 2:
                    hidden = tf.reshape(hidden, [tf.shape(hidden)[0], tf.shape(weights[at])[0]])
                hidden = self._compute(tf.matmul, hidden, weights[at]) + weights[at + 1]
                at += DENSE_ARRAYS
                if position < self.depth - 1:
                    hidden = tf.nn.relu(hidden)
            outputs.append(hidden)
        return outputs, moved

    def _arrange(self, x: Any) -> Any:
        """Return dosages (n, p) as positions with channels."""
        import tensorflow as tf

        x = x[..., None]
        if self.spec.form == "3d":
            # How much of each whole number is reached, less how much of the next.
            whole = np.arange(cnn.GENOTYPES + 1, dtype=np.float32)
            reached = tf.clip_by_value(x - whole, 0.0, 1.0)
            x = reached[..., :-1] - reached[..., 1:]
        if self.spec.form == "1d":
            return x
        n_variants = tf.shape(x)[1]
        side = tf.cast(tf.math.ceil(tf.sqrt(tf.cast(n_variants, tf.float64))), tf.int32)
        x = tf.pad(x, [[0, 0], [0, side * side - n_variants], [0, 0]])
        return tf.reshape(x, [-1, side, side, x.shape[-1]])

    def _run_block(self, x: Any, weights: list[Any], training: bool) -> tuple[Any, list[Any]]:
        """Return what a block puts out, and in training its new moving mean and variance."""
        import tensorflow as tf

        kernel, scale, offset, moving_mean, moving_variance = weights
        line = len(x.shape) == 3
        if line:
            x, kernel = x[:, None], kernel[None]
        size = [1, cnn.POOL] if line else cnn.POOL
        y = self._compute(partial(tf.nn.conv2d, strides=1, padding="SAME"), x, kernel)
        moved = []
        mean, variance = moving_mean, moving_variance
        if training:
            mean, variance = tf.nn.moments(y, axes=[0, 1, 2])
            moved = [
                old * cnn.MOMENTUM + new * (1 - cnn.MOMENTUM)
                for old, new in ((moving_mean, mean), (moving_variance, variance))
            ]
        y = tf.nn.batch_normalization(y, mean, variance, offset, scale, cnn.EPSILON)
        y = tf.nn.max_pool2d(tf.nn.relu(y), size, size, "SAME")
        return (y[:, 0] if line else y), moved

    def _compute(self, function: Callable[[Any, Any], Any], x: Any, kernel: Any) -> Any:
        """Call a product in the precision asked for; it gives float32."""
        import tensorflow as tf

        if self.precision == "float32":
            return function(x, kernel)
        return tf.cast(function(tf.cast(x, tf.bfloat16), tf.cast(kernel, tf.bfloat16)), tf.float32)


def open_convolutional(network: str, depth: int, precision: str = "float32") -> ConvolutionalModel:
    """Return the top `depth` trainable layers of a convolutional network."""
    spec = find_network(network)
    assert spec.family == CNN, f"{network} has no convolutions"
    return ConvolutionalModel(spec, depth, precision)


def _drop(x: Any, rate: float, seed: Any, step: Any) -> Any:
    """Drop as Keras's layer of that seed does at its step."""
    import tensorflow as tf

    return tf.nn.experimental.stateless_dropout(x, rate=rate, seed=tf.stack([seed, step]))
