"""The plain loops that training is compared with, measured on one sample and scaled to any trainings."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from benchmarks.data import StudyData
from benchmarks.ours import PIPELINE, Trained
from benchmarks.plain import ALONE, describe_sample, measure_plain
from benchmarks.sampling import Scaled, Unit, draw_sample, scale_reused, scale_sample
from genotransfer.randomness import make_generator


@dataclass(frozen=True)
class Peers:
    """The plain loop as it was measured on a sample.

    Attributes
    ----------
    sample : what was measured.
    alone : in one process, with TensorFlow's own choice of threads.
    side_by_side : in two processes at a time, one thread each.
    """

    sample: list[Unit]
    alone: pd.DataFrame
    side_by_side: pd.DataFrame

    def scale(self, trainings: pd.DataFrame) -> dict[str, Scaled]:
        """Return the seconds of each plain loop for all of `trainings`.

        Returns
        -------
        alone; side_by_side: two processes share the trainings without a gap; reused: the same, with
        one compiled model for each shape; cpu: the CPU seconds of the faster of the first two.
        """
        halved = {
            "side_by_side": scale_sample(self.side_by_side, trainings),
            "reused": scale_reused(self.side_by_side, trainings),
        }
        loops = {"alone": scale_sample(self.alone, trainings)} | {
            name: Scaled(one.seconds / PIPELINE.slots, one.standard_error / PIPELINE.slots)
            for name, one in halved.items()
        }
        faster = self.alone if find_fastest(loops) == "alone" else self.side_by_side
        return loops | {"cpu": scale_sample(faster, trainings, "cpu")}

    def describe(self) -> str:
        """Return both samples as tables for the eye."""
        return "\n".join(
            f"\nplain loop, {name}: seconds (of the CPU) of each training measured, by network and SNPs\n"
            f"{describe_sample(table)}\n"
            f"{len(table)} trainings, {table['seconds'].sum():.0f} s of the wall, {table['cpu'].sum():.0f} s CPU"
            for name, table in (("alone", self.alone), ("two side by side", self.side_by_side))
        )

    def tabulate(self) -> dict[str, list[dict[str, Any]]]:
        """Return both samples, row by row, for JSON."""
        return {
            name: json.loads(table.to_json(orient="records", double_precision=6))
            for name, table in (("alone", self.alone), ("side_by_side", self.side_by_side))
        }


def find_fastest(loops: dict[str, Scaled]) -> str:
    """Return which of the two plain loops takes less time."""
    return min(("alone", "side_by_side"), key=lambda name: loops[name].seconds)


def measure_peers(
    data: StudyData, phenotype: str, per_cell: int, variables: dict[str, str] | None = None
) -> Peers:
    """Measure the plain loop on a sample of one phenotype's trainings, in both ways it can run.

    Parameters
    ----------
    per_cell : panels of each network in each class of widths.
    variables : of the environment, beside those of each way.
    """
    widths = data.measure_panels(phenotype)
    generator = make_generator(data.study.seed, "benchmark", phenotype)
    sample = draw_sample(widths, list(data.study.models.networks), per_cell, generator)
    places = [replace(place, variables=place.variables | (variables or {})) for place in (ALONE, PIPELINE)]
    return Peers(
        sample=sample,
        alone=measure_plain(data, phenotype, sample, place=places[0]),
        side_by_side=measure_plain(data, phenotype, sample, place=places[1], again=True),
    )


def compare(trained: Trained, peers: Peers) -> dict[str, Any]:
    """Set what training took beside what the plain loops would have taken for the same trainings."""
    loops = peers.scale(trained.trainings)
    seconds = trained.seconds
    at_best = sum(trained.by_family.values()) / trained.slots
    return {
        "ratio": loops["alone"].seconds / seconds,
        "ratio_standard_error": _hide_nan(loops["alone"].standard_error / seconds),
        "ratio_of_cpu": loops["cpu"].seconds / trained.cpu_seconds,
        "ratio_to_side_by_side": loops["side_by_side"].seconds / seconds,
        "ratio_to_reused": loops["reused"].seconds / seconds,
        "plain_seconds": {name: one.seconds for name, one in loops.items()},
        "plain_standard_errors": {name: _hide_nan(one.standard_error) for name, one in loops.items()},
        "seconds": seconds,
        "cpu_seconds": trained.cpu_seconds,
        "wall_seconds": trained.wall_seconds,
        "seconds_by_family": trained.by_family,
        "best_order": trained.best_order,
        "seconds_in_best_order": trained.best_order_seconds,
        "seconds_if_evenly_shared": at_best,
        "peak_bytes": trained.peak_bytes,
        "trainings": trained.trainings["kind"].value_counts().to_dict(),
        "epochs": trained.trainings.groupby("kind")["epochs"].sum().to_dict(),
        "mean_epochs": trained.trainings.groupby("kind")["epochs"].mean().to_dict(),
        "mean_epochs_of_sample": peers.side_by_side.groupby("kind")["epochs"].mean().to_dict(),
        "flops": trained.flops,
    }


def _hide_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
