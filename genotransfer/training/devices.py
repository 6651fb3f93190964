"""The machine a trainer runs on: threads, memory, and whether there is a GPU."""

from __future__ import annotations

import os
from pathlib import Path

GIB = 2**30
# Two tasks may train side by side on a machine, and each holds its data beside its networks.
SHARE_OF_MACHINE, SHARE_OF_GPU = 0.2, 0.6
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def limit_threads(threads: int | None) -> None:
    """Let TensorFlow use so many threads in this process; None leaves it its own choice.

    TensorFlow fixes its pools at its first operation; a later call changes nothing.
    """
    if threads is None:
        return
    import tensorflow as tf
    from tensorflow.python.eager import context

    if context.context()._context_handle is None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def has_gpu() -> bool:
    """Return whether TensorFlow sees a GPU."""
    import tensorflow as tf

    return bool(tf.config.list_logical_devices("GPU"))


def choose_memory_budget(gib: float | None = None) -> int:
    """Return how many bytes a trainer may fill with networks and their samples.

    Parameters
    ----------
    gib : the budget asked for, in GiB; None takes a share of what the GPU has, or, without one,
        of what the machine or the container has.
    """
    if gib is not None:
        return int(gib * GIB)
    if has_gpu():
        from tensorflow.python.client import device_lib

        limits = [one.memory_limit for one in device_lib.list_local_devices() if one.device_type == "GPU"]
        return int(min(limits) * SHARE_OF_GPU)
    return int(measure_memory() * SHARE_OF_MACHINE)


def measure_memory() -> int:
    """Return the bytes of memory of this machine, or of the container where that has less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CGROUP_LIMITS:
        if path.is_file() and (text := path.read_text().strip()).isdigit():
            found.append(int(text))
    return min(found)
