"""Parts of convolutional networks, in few passes over large arrays, for traced TensorFlow functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genotransfer.models import cnn


@dataclass(frozen=True, eq=False)
class Drop:
    """A dropout layer at one step: what Keras's layer of that seed does.

    Attributes
    ----------
    rate : share that is dropped.
    seed, step : int32 (), of the layer, and the steps it has taken before.
    """

    rate: float
    seed: Any
    step: Any

    @property
    def growth(self) -> float:
        """By what the values that are kept are multiplied."""
        return 1 / (1 - self.rate)

    def apply(self, x: Any) -> Any:
        """Drop from `x`."""
        import tensorflow as tf

        return tf.nn.experimental.stateless_dropout(x, rate=self.rate, seed=tf.stack([self.seed, self.step]))

    def apply_rectified(self, x: Any) -> Any:
        """Rectify and drop, without the growth; the gradient passes where something came out."""
        import tensorflow as tf

        drawn = tf.random.stateless_uniform(tf.shape(x), tf.stack([self.seed, self.step]))

        def run(x: Any) -> tuple[Any, Any]:
            out = tf.nn.relu(x) * tf.cast(drawn >= self.rate, tf.float32)
            return out, lambda gradient: tf.raw_ops.ReluGrad(gradients=gradient, features=out)

        return tf.custom_gradient(run)(x)


def multiply_long(x: Any, kernel: Any) -> Any:
    """Return the product of `x` (n, p) and a kernel; with a gradient for few rows and long kernels."""
    import tensorflow as tf

    def run(x: Any, kernel: Any) -> tuple[Any, Any]:
        def differentiate(gradient: Any) -> tuple[Any, Any]:
            # Half the time of the same product the other way round.
            below = tf.transpose(tf.matmul(kernel, gradient, transpose_b=True))
            return below, tf.matmul(x, gradient, transpose_a=True)

        return tf.matmul(x, kernel), differentiate

    return tf.custom_gradient(run)(x, kernel)


def normalise_batch(y: Any, scale: Any, offset: Any) -> tuple[Any, Any, Any]:
    """Return `y` (n, h, w, filters) normalised by the batch, with its mean and variance."""
    import tensorflow as tf

    normal, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=y, scale=scale, offset=offset, mean=[], variance=[], epsilon=cnn.EPSILON, is_training=True
    )
    # TensorFlow's is that of a sample, Keras's that of these values.
    n = tf.cast(tf.reduce_prod(tf.shape(y)[:-1]), tf.float32)
    return normal, mean, variance * tf.maximum(n - 1, 1) / n


def foresee_moments(x: Any, kernel: Any) -> tuple[Any, Any]:
    """Return mean and variance, by filter, of what a kernel makes of `x`, before it makes it.

    They are those of a weighted sum: of the values that the kernel meets, as many as it has weights for
    a filter, the means and covariances. These are few, where `x` has few channels.
    """
    import tensorflow as tf

    height, width, channels, filters = kernel.shape
    margins = [[0, 0], [height // 2] * 2, [width // 2] * 2, [0, 0]]
    padded = tf.pad(x, margins)
    size = tf.shape(x)
    met = tf.stack(
        [
            padded[:, row : row + size[1], column : column + size[2], channel]
            for row in range(height)
            for column in range(width)
            for channel in range(channels)
        ]
    )
    met = tf.reshape(met, [height * width * channels, -1])
    n = tf.cast(tf.shape(met)[1], tf.float32)
    means = tf.reduce_mean(met, axis=1, keepdims=True)
    covariances = tf.matmul(met, met, transpose_b=True) / n - means * tf.transpose(means)
    weights = tf.reshape(kernel, [-1, filters])
    return (
        tf.reduce_sum(means * weights, axis=0),
        tf.reduce_sum(weights * tf.matmul(covariances, weights), axis=0),
    )
