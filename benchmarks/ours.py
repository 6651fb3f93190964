"""A study's training through the trainer: the pipeline's tasks, in fresh processes, two at a time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.arithmetic import count_flops
from benchmarks.clocks import TimedTrainer
from benchmarks.data import StudyData, describe_data, read_data
from benchmarks.processes import ONE_THREAD, SLOTS, Task, find_best_order, find_makespan, run_chains
from genotransfer.models.source_models import load_source_models, save_source_models
from genotransfer.training.jobs import TrainingSettings
from pipelines.kinds import order_families


@dataclass(frozen=True)
class Place:
    """Where networks are trained.

    Attributes
    ----------
    slots : processes at a time.
    threads : of TensorFlow in each; None for its own choice.
    variables : of the environment.
    """

    slots: int
    threads: int | None
    variables: dict[str, str]


# As the embedded runner has it: two tasks at a time, a thread each.
PIPELINE = Place(SLOTS, 1, ONE_THREAD)


@dataclass(frozen=True)
class Trained:
    """What training took.

    Attributes
    ----------
    by_family : seconds inside the trainer, by family of networks.
    order : of the families, the pipeline's.
    slots : processes at a time.
    cpu_seconds : inside the trainer, of all processes together.
    wall_seconds : with everything: starts of processes, imports, reading, saving and scoring.
    peak_bytes : of resident memory, the processes together; None where it cannot be read.
    trainings : a row a training: kind, network, n_variants, depth, n_train, n_validation, epochs.
    """

    by_family: dict[str, float]
    order: tuple[str, ...]
    slots: int
    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int | None
    trainings: pd.DataFrame

    @property
    def seconds(self) -> float:
        """Seconds inside the trainer of the process that is busy longest, in the pipeline's order."""
        return find_makespan(self.by_family, self.order, self.slots)

    @property
    def best_order(self) -> tuple[str, ...]:
        """The order of the families that is best balanced."""
        return find_best_order(self.by_family, self.slots)

    @property
    def best_order_seconds(self) -> float:
        """Seconds in the best order."""
        return find_makespan(self.by_family, self.best_order, self.slots)

    @property
    def flops(self) -> int:
        """Floating-point operations the trainings need, at the true widths of the layers."""
        facts = ["network", "n_variants", "depth", "n_train", "n_validation", "epochs"]
        return sum(count_flops(*row) for row in self.trainings[facts].itertuples(index=False))


def train_study(
    data: StudyData,
    phenotypes: Sequence[str],
    *,
    place: Place = PIPELINE,
    twice: bool = False,
    below: int | None = None,
) -> Trained:
    """Train all networks of a study on the source and fine-tune them at every depth.

    As the pipeline does it: a chain of two tasks for each family, the first training on the source,
    the second fine-tuning, each in a fresh process.

    Parameters
    ----------
    phenotypes : which of the study's.
    twice : do all of it twice in one process a family, and time the second time, when everything
        is compiled.
    below : take panels narrower than this only.
    """
    families = tuple(order_families(data.study))
    with tempfile.TemporaryDirectory() as models:

        def describe(name: str, family: str) -> Task:
            return {
                "task": name,
                "data": describe_data(data),
                "family": family,
                "phenotypes": list(phenotypes),
                "models": str(Path(models) / family),
                "threads": place.threads,
                "below": below,
            }

        names = ("train_twice",) if twice else ("train_source", "fine_tune")
        chains = [[describe(name, family) for name in names] for family in families]
        began = time.perf_counter()
        finished = run_chains(chains, slots=place.slots, environment=place.variables)
        wall = time.perf_counter() - began
    sums = [sum(result["seconds"] for result in chain) for chain in finished.results]
    flat = [result for chain in finished.results for result in chain]
    return Trained(
        by_family=dict(zip(families, sums, strict=True)),
        order=families,
        slots=place.slots,
        cpu_seconds=sum(result["cpu_seconds"] for result in flat),
        wall_seconds=wall,
        peak_bytes=finished.peak_bytes,
        trainings=pd.DataFrame([row for result in flat for row in result["trainings"]]),
    )


def train_source(**task: Any) -> dict[str, Any]:
    """Train a family on the source: a task of `benchmarks.worker`."""
    work = _FamilyWork(**task)
    work.train_source()
    return work.tell()


def fine_tune(**task: Any) -> dict[str, Any]:
    """Fine-tune a family at every depth: a task of `benchmarks.worker`."""
    work = _FamilyWork(**task)
    work.fine_tune()
    return work.tell()


def train_twice(**task: Any) -> dict[str, Any]:
    """Train and fine-tune a family, twice, and tell of the second time: a task of `benchmarks.worker`."""
    work = _FamilyWork(**task)
    for _ in range(2):
        work.trainer.reset()
        work.train_source()
        work.fine_tune()
    return work.tell()


class _FamilyWork:
    """What the pipeline's training tasks do for one family, with the trainer timed."""

    def __init__(
        self,
        data: dict[str, str],
        family: str,
        phenotypes: list[str],
        models: str,
        threads: int | None,
        below: int | None,
    ) -> None:
        import keras  # noqa: F401 - so that no import is timed

        from genotransfer.training.api import get_trainer
        from genotransfer.training.forward import ForwardRunner

        self._data, self._models = read_data(data), models
        self._networks = self._data.study.networks_of(family)
        training = self._data.study.training
        asked = {one.name: getattr(training, one.name) for one in fields(TrainingSettings)}
        self._settings = TrainingSettings(**asked | {"threads": threads})
        self._phenotypes, self._below = phenotypes, below
        widths = [width for one in phenotypes for width in self._data.measure_panels(one, below).values()]
        self._runner = ForwardRunner()
        self.trainer = TimedTrainer(get_trainer(training.trainer, widths))

    def train_source(self) -> None:
        from genotransfer.transfer import train_source_networks

        seed = self._data.study.seed
        models = (
            model
            for phenotype in self._phenotypes
            for model in train_source_networks(
                phenotype,
                self._data.load_panels(phenotype, self._below),
                self._networks,
                self.trainer,
                self._settings,
                seed,
            )
        )
        save_source_models(self._models, models)

    def fine_tune(self) -> None:
        from genotransfer.transfer import transfer_networks

        sources = load_source_models(self._models)
        for phenotype in self._phenotypes:
            for _ in transfer_networks(
                phenotype,
                self._data.load_panels(phenotype, self._below),
                sources,
                self._networks,
                self.trainer,
                self._settings,
                self._data.study.seed,
                methods=["deep_finetuned"],
                runner=self._runner,
            ):
                pass

    def tell(self) -> dict[str, Any]:
        watch = self.trainer.watch
        return {
            "seconds": watch.seconds,
            "cpu_seconds": watch.cpu_seconds,
            "trainings": self.trainer.trainings,
        }
