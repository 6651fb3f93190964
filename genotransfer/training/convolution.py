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
from genotransfer.training.convolution_layers import Drop, foresee_moments, multiply_long, normalise_batch
from genotransfer.training.jobs import Weights

# Kernel, scale, offset, moving mean, moving variance; kernel and bias.
BLOCK_ARRAYS, DENSE_ARRAYS = 5, 2
MOVING = (3, 4)


@dataclass(frozen=True, eq=False)
class ConvolutionalModel:
    """The top `depth` trainable layers of a convolutional network, from dosages or from the layer below.

    Attributes
    ----------
    spec : of the network.
    depth : trainable layers that it has.
    precision : a Keras dtype policy, e.g. ``mixed_bfloat16``: of products and convolutions.
    frozen : so many of these layers, the lowest, are as at prediction in training too.
    """

    spec: NetworkSpec
    depth: int
    precision: str = "float32"
    frozen: int = 0

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
        """Places of the moving means and variances that training moves."""
        blocks = range(self.frozen, self.n_blocks)
        return tuple(BLOCK_ARRAYS * block + at for block in blocks for at in MOVING)

    @property
    def learnt(self) -> list[int]:
        """Places of the arrays that have a gradient."""
        start, end = sum(self.layer_sizes[: self.frozen]), sum(self.layer_sizes)
        return [at for at in range(start, end) if at not in self.moving]

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
        drops: list[Any] = [None] * self.depth
        if training is not None:
            rates = self._rates[-len(self.dropouts) :]
            drops = [Drop(rate, training[0][at], training[1]) for at, rate in enumerate(rates)]
            # The lowest layer of a whole network has none below it.
            drops = [None, *drops] if whole else drops
            drops[: self.frozen] = [None] * self.frozen
        outputs: list[Any] = []
        moved: list[Any] = []
        at, dropped = 0, False
        for position, drop in enumerate(drops):
            if drop is not None and not dropped:
                hidden = drop.apply(hidden)
            dropped = False
            if position < self.n_blocks:
                above = drops[position + 1] if position >= self.frozen else None
                dropped, lowest = above is not None, whole and position == 0
                hidden, statistics = self._run_block(hidden, weights[at : at + BLOCK_ARRAYS], above, lowest)
                moved += statistics
                at += BLOCK_ARRAYS
            else:
                if len(hidden.shape) > 2:
                    hidden = tf.reshape(hidden, [tf.shape(hidden)[0], tf.shape(weights[at])[0]])
                hidden = self._compute(multiply_long, hidden, weights[at]) + weights[at + 1]
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

    def _run_block(
        self, x: Any, weights: list[Any], drop: Drop | None, lowest: bool
    ) -> tuple[Any, list[Any]]:
        """Return what a block puts out; in training, dropped from, and its new moving mean and variance.

        Parameters
        ----------
        drop : what lies above it; None at prediction.
        lowest : whether it is the network's first block, which reads few channels.
        """
        import tensorflow as tf

        kernel, scale, offset, moving_mean, moving_variance = weights
        line = len(x.shape) == 3
        if line:
            x, kernel = tf.expand_dims(x, 1), tf.expand_dims(kernel, 0)
        convolve = partial(tf.nn.conv2d, strides=1, padding="SAME")
        mean, variance = moving_mean, moving_variance
        if drop is not None:
            # What is kept grows by so much; the normalisation can do it.
            scale, offset = scale * drop.growth, offset * drop.growth
        shift = None
        if drop is not None and not lowest:
            y, mean, variance = normalise_batch(self._compute(convolve, x, kernel), scale, offset)
        else:
            if drop is not None:
                mean, variance = foresee_moments(x, kernel)
            # Normalised by the kernel itself.
            size = scale * tf.math.rsqrt(variance + cnn.EPSILON)
            y, shift = self._compute(convolve, x, kernel * size), offset - mean * size
        # The greatest of what is shifted and rectified is what is greatest, shifted and rectified.
        size = [1, cnn.POOL] if line else cnn.POOL
        y = tf.nn.max_pool2d(y, size, size, "SAME")
        if shift is not None:
            y = tf.nn.bias_add(y, shift)
        if line:
            y = tf.squeeze(y, 1)
        if drop is None:
            return tf.nn.relu(y), []
        moved = [
            old * cnn.MOMENTUM + tf.stop_gradient(new) * (1 - cnn.MOMENTUM)
            for old, new in ((moving_mean, mean), (moving_variance, variance))
        ]
        return drop.apply_rectified(y), moved

    def _compute(self, function: Callable[[Any, Any], Any], x: Any, kernel: Any) -> Any:
        """Call a product in the precision asked for; it gives float32."""
        import tensorflow as tf

        if self.precision == "float32":
            return function(x, kernel)
        return tf.cast(function(tf.cast(x, tf.bfloat16), tf.cast(kernel, tf.bfloat16)), tf.float32)


def open_convolutional(
    network: str, depth: int | None = None, precision: str = "float32", frozen: int = 0
) -> ConvolutionalModel:
    """Return the top `depth` trainable layers of a convolutional network, or all of them."""
    spec = find_network(network)
    assert spec.family == CNN, f"{network} has no convolutions"
    depth = count_trainable_depths(network) if depth is None else depth
    return ConvolutionalModel(spec, depth, precision, frozen)
