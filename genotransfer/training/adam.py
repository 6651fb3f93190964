"""Adam's steps, and the variables they are taken with, in traced TensorFlow functions."""

from __future__ import annotations

from typing import Any

import numpy as np

# Adam's constants, as in Keras.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def compute_powers(step: Any) -> list[Any]:
    """Return both of Adam's constants to the power of the step, which counts from 1."""
    import tensorflow as tf

    return [tf.pow(beta, tf.cast(step, tf.float32)) for beta in (BETA_1, BETA_2)]


def apply_adam(
    variable: Any, momentum: Any, square: Any, gradient: Any, powers: list[Any], rate: Any
) -> None:
    """Take one of Adam's steps with a variable, in a traced function.

    Parameters
    ----------
    rate : the learning rate; or one for each network of a stack, (n_models,).
    """
    import tensorflow as tf

    if getattr(rate, "shape", ()) != ():
        # TensorFlow's operation knows one rate.
        momentum.assign_add((gradient - momentum) * (1 - BETA_1))
        square.assign_add((tf.square(gradient) - square) * (1 - BETA_2))
        size = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
        size = tf.reshape(size, [-1, *[1] * (len(gradient.shape) - 1)])
        variable.assign_sub(momentum * size / (tf.sqrt(square) + EPSILON))
        return
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=momentum.handle,
        v=square.handle,
        beta1_power=powers[0],
        beta2_power=powers[1],
        lr=rate,
        beta1=BETA_1,
        beta2=BETA_2,
        epsilon=EPSILON,
        grad=gradient,
    )


def make_variable(shape: tuple[int | None, ...], stacked: bool = False) -> Any:
    """Return a variable of zeros that takes any size where the shape has None, and any number if stacked."""
    import tensorflow as tf

    shape = (None, *shape) if stacked else shape
    empty = np.zeros([0 if size is None else size for size in shape], np.float32)
    return tf.Variable(empty, shape=tf.TensorShape(shape), trainable=False)
