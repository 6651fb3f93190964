"""The plain Keras loop, the peer: for each model build, compile and fit, as a script does it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.data import StudyData, describe_data, read_data
from benchmarks.ours import Place
from benchmarks.processes import run_chains
from benchmarks.sampling import Unit
from genotransfer.models.networks import build_network, count_trainable_depths, list_trainable
from genotransfer.models.standardise import Standardiser, fit_standardiser
from genotransfer.randomness import derive_seed
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import Weights

if TYPE_CHECKING:
    import keras

    from genotransfer.config import Training

# TensorFlow as it comes: one process, all cores.
ALONE = Place(1, None, {})
Arrays = tuple[np.ndarray, np.ndarray]


def measure_plain(
    data: StudyData, phenotype: str, sample: Sequence[Unit], *, place: Place, again: bool = False
) -> pd.DataFrame:
    """Measure the plain loop on a sample of a phenotype's trainings.

    Parameters
    ----------
    place : `ALONE`, or `PIPELINE` for a process with one thread on each of two cores.
    again : also measure another training with each compiled model.

    Returns
    -------
    A row a training: kind, network, panel, n_variants, depth, epochs, and of both clocks (seconds,
    cpu): <clock> in all, <clock>_per_epoch after the first, <clock>_setup (all the rest) and, with
    `again`, <clock>_setup_again.
    """
    tasks = [
        {
            "task": "fit_plain",
            "data": describe_data(data),
            "phenotype": phenotype,
            "sample": [vars(unit) for unit in sample[at :: place.slots]],
            "threads": place.threads,
            "again": again,
        }
        for at in range(place.slots)
    ]
    finished = run_chains([[task] for task in tasks], slots=place.slots, environment=place.variables)
    return pd.DataFrame([row for [result] in finished.results for row in result["trainings"]])


def fit_plain(
    data: dict[str, str], phenotype: str, sample: list[dict[str, Any]], threads: int | None, again: bool
) -> dict[str, Any]:
    """Run the plain loop over a sample: a task of `benchmarks.worker`."""
    import keras  # noqa: F401 - so that no import is timed

    from genotransfer.training.devices import limit_threads

    limit_threads(threads)
    opened = read_data(data)
    training = opened.study.training
    panels = {panel.name: panel for panel in opened.load_panels(phenotype)}
    rows = []
    for unit in (Unit(**one) for one in sample):
        panel = panels[unit.panel]
        standardiser = fit_standardiser(unit.network, panel.source["TD"].dosages)
        source, target = (
            [_to_arrays(splits[name], standardiser) for name in ("TD", "VD")]
            for splits in (panel.source, panel.target)
        )
        seed = derive_seed(opened.study.seed, "source", phenotype, panel.name, unit.network)
        whole = count_trainable_depths(unit.network)
        base, weights = _measure_fit(unit.network, source, whole, None, seed, training, again)
        fine, _ = _measure_fit(unit.network, target, unit.depth, weights, seed, training, again)
        about = {"network": unit.network, "panel": unit.panel, "n_variants": len(panel.variants)}
        rows.append({"kind": "base", **about, "depth": whole, **base})
        rows.append({"kind": "fine", **about, "depth": unit.depth, **fine})
    return {"trainings": rows, "threads": threads or os.cpu_count()}


def _to_arrays(split: LabelledSamples, standardiser: Standardiser) -> Arrays:
    return standardiser.transform(split.dosages), split.labels.astype(np.int32)


def _measure_fit(
    network: str,
    data: list[Arrays],
    depth: int,
    weights: Weights | None,
    seed: int,
    training: Training,
    again: bool,
) -> tuple[dict[str, Any], Weights]:
    """Time one turn of the loop; return the times and the trained weights."""
    import keras

    began = _read_clocks()
    keras.utils.clear_session()
    model = build_network(network, data[0][0].shape[1], seed=seed)
    if weights is not None:
        model.set_weights(weights)
    for frozen in list_trainable(model)[:-depth]:
        for layer in frozen.weighted:
            layer.trainable = False
    model.compile(
        optimizer=keras.optimizers.Adam(training.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
    )
    start = model.get_weights() if again else []
    ends = _fit(model, data, training, training.epochs)
    ended = _read_clocks()
    trained = model.get_weights()
    times: dict[str, Any] = {"epochs": len(ends)}
    for clock in began:
        times[clock] = ended[clock] - began[clock]
        further = len(ends) - 1
        times[f"{clock}_per_epoch"] = (ends[-1][clock] - ends[0][clock]) / max(further, 1)
        times[f"{clock}_setup"] = times[clock] - further * times[f"{clock}_per_epoch"]
    if again:
        began = _read_clocks()
        model.set_weights(start)
        for variable in model.optimizer.variables:
            if variable is not model.optimizer._learning_rate:
                variable.assign(np.zeros(variable.shape, dtype=variable.dtype))
        _fit(model, data, training, epochs=1)
        ended = _read_clocks()
        times |= {f"{clock}_setup_again": ended[clock] - began[clock] for clock in began}
    return times, trained


def _fit(model: keras.Model, data: list[Arrays], training: Training, epochs: int) -> list[dict[str, float]]:
    """Fit as the loop does; return the clocks at the end of each epoch."""
    import keras

    ends: list[dict[str, float]] = []
    stop = keras.callbacks.EarlyStopping(patience=training.patience, restore_best_weights=True)
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ends.append(_read_clocks()))
    (x, y), validation = data
    model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=training.batch_size,
        validation_data=validation,
        callbacks=[stop, note],
        verbose=0,
    )
    return ends


def _read_clocks() -> dict[str, float]:
    return {"seconds": time.perf_counter(), "cpu": time.process_time()}


def describe_sample(measured: pd.DataFrame) -> str:
    """Return the measured trainings as a table for the eye: seconds (CPU seconds) by network and width."""
    told = [
        f"{seconds:.1f} ({cpu:.1f})"
        for seconds, cpu in zip(measured["seconds"], measured["cpu"], strict=True)
    ]
    table = measured.assign(told=told).pivot_table(
        index=["kind", "network"], columns="n_variants", values="told", aggfunc=" ".join
    )
    return table.to_string(na_rep="")
