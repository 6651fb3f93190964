"""The same slice on a GPU: `python -m benchmarks.training_gpu`, where TensorFlow sees one.

Expected: on a machine without a GPU, a line of JSON whose figures are null. What a GPU gives is in
docs/reference/benchmarks.md once it has been measured.

One phenotype's networks are trained on the GPU, one family at a time, then on the same machine's
CPU as the pipeline does it, and the plain Keras loop runs over the sample on the GPU and on the CPU.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.data import StudyData, prepare_data
from benchmarks.machine import describe_machine
from benchmarks.ours import PIPELINE, Place, train_study
from benchmarks.peers import compare, measure_peers
from benchmarks.plain import ALONE, measure_plain
from benchmarks.processes import run_chains
from benchmarks.sampling import scale_sample

# A GPU is one family's at a time; its memory is not shared out.
ON_GPU = Place(1, None, {})
HIDDEN = {"CUDA_VISIBLE_DEVICES": "-1"}
FIGURES = ("gpu_seconds", "gpu_ratio_to_cpu", "gpu_ratio_to_plain_on_gpu", "gpu_ratio_to_plain_on_cpu")


def list_devices() -> dict[str, Any]:
    """List the GPUs TensorFlow sees: a task of `benchmarks.worker`."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(device).get("device_name") for device in devices]
    return {"gpus": [name or "unnamed" for name in names]}


def measure_gpu(data: StudyData, phenotype: str, per_cell: int) -> dict[str, Any]:
    """Measure one phenotype's training on the GPU, on the CPU and by the plain loop on both."""
    on_gpu = train_study(data, [phenotype], place=ON_GPU)
    on_cpu = train_study(data, [phenotype], place=replace(PIPELINE, variables=PIPELINE.variables | HIDDEN))
    peers = measure_peers(data, phenotype, per_cell, HIDDEN)
    plain = scale_sample(measure_plain(data, phenotype, peers.sample, place=ALONE), on_gpu.trainings)
    return {
        "gpu_seconds": on_gpu.seconds,
        "gpu_ratio_to_cpu": on_cpu.seconds / on_gpu.seconds,
        "gpu_ratio_to_plain_on_gpu": plain.seconds / on_gpu.seconds,
        "gpu_ratio_to_plain_on_cpu": compare(on_gpu, peers)["ratio"],
    }


def main() -> None:
    """Measure, where there is a GPU; print one line of JSON last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small study, to check that everything runs")
    parser.add_argument("--trainer", help="replaces the study's own")
    parser.add_argument("--phenotype", help="the study's first by default")
    parser.add_argument("--sample", type=int, default=1, help="panels of each network and class to measure")
    parser.add_argument("--data", type=Path, help="a finished run of the paper study, to take its data from")
    options = parser.parse_args()
    [[seen]] = run_chains([[{"task": "list_devices"}]], slots=1).results
    figures: dict[str, Any] = dict.fromkeys(FIGURES)
    if seen["gpus"]:
        data = prepare_data(options.quick, options.data, options.trainer)
        figures = measure_gpu(data, options.phenotype or data.study.phenotype_names[0], options.sample)
    gpu = seen["gpus"][0] if seen["gpus"] else None
    print(json.dumps({"gpu": gpu, **figures, "quick": options.quick, **describe_machine()}))


if __name__ == "__main__":
    main()
