"""One network on 100,000 samples of 6,600 SNPs: `python -m benchmarks.scale`, or `make bench-scale`.

Expected on 2 cores: see docs/reference/benchmarks.md. Needs 6 GiB of memory.

The genotypes are drawn at random, int8, with a planted signal; TensorFlow uses all cores. The first
training, of one epoch, tells what compiling costs; the second, compiled already, tells the rate.
The last line is JSON: for each network the rows a second, the minutes of 50 epochs, the peak memory.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from benchmarks.clocks import TimedTrainer
from benchmarks.machine import describe_machine
from benchmarks.processes import run_chains
from genotransfer.models.standardise import Standardiser, fit_standardiser
from genotransfer.randomness import make_generator
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import TrainingJob, TrainingSettings

SEED = 20221115
BLOCK = 2000  # samples drawn at a time
N_VALIDATION = 2000
N_RISK = 20
WHOLE_EPOCHS = 50
GIB = 2**30


def draw_cohort(n_samples: int, n_variants: int, seed: int = SEED) -> LabelledSamples:
    """Draw genotypes in blocks, and labels that half depend on some risk SNPs.

    Returns
    -------
    Dosages, int8 (n_samples, n_variants), of independent SNPs with allele frequencies of .05 to .5;
    cases are those whose liability, of heritability .5, is above the mean.
    """
    frequencies = make_generator(seed, "frequencies").uniform(0.05, 0.5, n_variants)
    thresholds = np.round(256 * frequencies).astype(np.uint8)
    dosages = np.empty((n_samples, n_variants), dtype=np.int8)
    for start in range(0, n_samples, BLOCK):
        block = dosages[start : start + BLOCK]
        generator = make_generator(seed, "block", start)
        for allele in range(2):
            carried = generator.integers(0, 256, block.shape, dtype=np.uint8) < thresholds
            np.copyto(block, carried) if allele == 0 else np.add(block, carried, out=block)
    at = make_generator(seed, "risk").choice(n_variants, min(N_RISK, n_variants), replace=False)
    genetic = Standardiser.fit(dosages[:, at]).transform(dosages[:, at]).sum(axis=1)
    noise = make_generator(seed, "noise").normal(0, max(genetic.std(), 1e-6), n_samples)
    liability = genetic + noise
    return LabelledSamples(dosages, (liability > liability.mean()).astype(np.int8))


def train_large(
    network: str, n_samples: int, n_variants: int, epochs: int, batch_size: int, trainer: str | None
) -> dict[str, Any]:
    """Train one network on a large cohort: a task of `benchmarks.worker`."""
    import keras  # noqa: F401 - so that no import is timed

    from genotransfer.config import Training
    from genotransfer.training.api import get_trainer

    whole = draw_cohort(n_samples + N_VALIDATION, n_variants)
    train = LabelledSamples(whole.dosages[:n_samples], whole.labels[:n_samples])
    validation = LabelledSamples(whole.dosages[n_samples:], whole.labels[n_samples:])
    standardiser = fit_standardiser(network, train.dosages)
    job = TrainingJob(network, network, train, validation, standardiser, seed=SEED)
    timed = TimedTrainer(get_trainer(trainer or Training().trainer))
    seconds = {}
    for name, number in (("cold", 1), ("warm", epochs)):
        timed.reset()
        settings = TrainingSettings(epochs=number, batch_size=batch_size, patience=WHOLE_EPOCHS)
        [trained] = timed.train_networks([job], settings)
        seconds[name] = timed.watch.seconds
        cpu_seconds = timed.watch.cpu_seconds
    return {
        "cold_epoch_seconds": seconds["cold"],
        "warm_seconds": seconds["warm"],
        "warm_cpu_seconds": cpu_seconds,
        "validation_accuracy": float(trained.curve["val_accuracy"].max()),
    }


def measure_network(network: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train one network in a process of its own; return its figures."""
    task = {
        "task": "train_large",
        "network": network,
        "n_samples": options.samples,
        "n_variants": options.variants,
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "trainer": options.trainer,
    }
    finished = run_chains([[task]], slots=1)
    [[result]] = finished.results
    an_epoch = result["warm_seconds"] / options.epochs
    peak = finished.peak_bytes
    return {
        "rows_per_second": round(options.samples / an_epoch),
        "minutes_of_50_epochs": round((result["cold_epoch_seconds"] + (WHOLE_EPOCHS - 1) * an_epoch) / 60, 2),
        "peak_gib": None if peak is None else round(peak / GIB, 2),
        "genotypes_gib": round((options.samples + N_VALIDATION) * options.variants / GIB, 2),
    } | {name: round(value, 3) for name, value in result.items()}


def main() -> None:
    """Measure each network; print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["ann_2", "lstm_1"])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--variants", type=int, default=6_600)
    parser.add_argument("--epochs", type=int, default=5, help="measured; the minutes are of 50")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--trainer", help="the study's default where none is given")
    options = parser.parse_args()
    found = {}
    for network in options.networks:
        found[network] = measure_network(network, options)
        print(f"{network}: {found[network]}", flush=True)
    print(json.dumps({"networks": found, "options": vars(options), **describe_machine()}))


if __name__ == "__main__":
    main()
