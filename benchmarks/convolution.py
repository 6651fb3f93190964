"""Convolutional networks, the fast trainer against fit: `python -m benchmarks.convolution`, or `make bench-cnn`.

Expected on 2 cores: see docs/reference/benchmarks.md.

Genotypes are drawn at random. Every training has a fresh process and ends after the same epochs, both
ways by turns. The clock starts at the job, and stops at the trained weights: building, tracing and
compiling count. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.clocks import Stopwatch
from benchmarks.machine import describe_machine
from benchmarks.processes import ONE_THREAD, run_chains
from benchmarks.scale import GIB, draw_cohort
from genotransfer.models.networks import build_network
from genotransfer.models.standardise import fit_standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import TrainingJob, TrainingSettings

SEED = 20221115
WAYS = ("ours", "fit")


def train_convolutional(
    way: str,
    network: str,
    n_samples: int,
    n_variants: int,
    epochs: int,
    threads: int | None,
    precision: str = "float32",
) -> dict[str, Any]:
    """Train one network in one of `WAYS`: a task of `benchmarks.worker`."""
    import keras  # noqa: F401 - so that no import is timed

    from genotransfer.training.api import get_trainer
    from genotransfer.training.devices import limit_threads

    limit_threads(threads)
    whole = draw_cohort(n_samples + max(n_samples // 7, 1), n_variants)
    train = LabelledSamples(whole.dosages[:n_samples], whole.labels[:n_samples])
    validation = LabelledSamples(whole.dosages[n_samples:], whole.labels[n_samples:])
    job = TrainingJob(
        network, network, train, validation, fit_standardiser(network, train.dosages), seed=SEED
    )
    # Nothing stops early: both ways take the same steps.
    settings = TrainingSettings(epochs=epochs, patience=epochs, threads=threads, precision=precision)
    watch = Stopwatch()
    watch.start()
    if way == "ours":
        [trained] = get_trainer("stacked").train_networks([job], settings)
        loss = float(trained.curve["loss"].iloc[-1])
    else:
        loss = _fit(job, settings)
    watch.stop()
    return {"seconds": watch.seconds, "cpu": watch.cpu_seconds, "loss": loss}


def _fit(job: TrainingJob, settings: TrainingSettings) -> float:
    """Build, compile and fit, as a script does; return the last epoch's loss."""
    import keras

    model = build_network(job.network, job.train.dosages.shape[1], seed=job.seed)
    model.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    (x, y), validation = [
        (job.standardiser.transform(split.dosages), split.labels.astype(np.int32))
        for split in (job.train, job.validation)
    ]
    stop = keras.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True)
    history = model.fit(
        x,
        y,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        validation_data=validation,
        callbacks=[stop],
        verbose=0,
    )
    return float(history.history["loss"][-1])


def measure_network(network: str, n_variants: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train one network both ways; return seconds, CPU seconds, peak memory and their ratios."""
    found: dict[str, Any] = {}
    for way in options.ways:
        task = {
            "task": "train_convolutional",
            "way": way,
            "network": network,
            "n_samples": options.samples,
            "n_variants": n_variants,
            "epochs": options.epochs,
            "threads": options.threads,
            "precision": options.precision,
        }
        finished = run_chains([[task]], slots=1, environment=ONE_THREAD if options.threads == 1 else None)
        [[result]] = finished.results
        peak = finished.peak_bytes
        found[way] = {name: round(result[name], 3) for name in ("seconds", "cpu", "loss")} | {
            "peak_gib": None if peak is None else round(peak / GIB, 2)
        }
    if len(found) == len(WAYS):
        for clock in ("seconds", "cpu"):
            found[f"ratio_of_{clock}"] = round(found["fit"][clock] / found["ours"][clock], 2)
    return found


def main() -> None:
    """Measure each network at each width; print one line of JSON last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["cnn_1d", "cnn_2d", "cnn_3d"])
    parser.add_argument("--samples", type=int, default=700, help="of TD; VD has a seventh of it")
    parser.add_argument("--variants", type=int, nargs="+", default=[1135, 6629])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1, help="as in a study's tasks")
    parser.add_argument(
        "--precision", choices=["float32", "mixed_bfloat16"], default="float32", help="of ours"
    )
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    found = {}
    for n_variants in options.variants:
        for network in options.networks:
            name = f"{network} on {n_variants}"
            found[name] = measure_network(network, n_variants, options)
            print(f"{name}: {found[name]}", flush=True)
    print(json.dumps({"networks": found, "options": vars(options), **describe_machine()}))


if __name__ == "__main__":
    main()
