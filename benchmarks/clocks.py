"""Clocks: wall and CPU seconds of a trainer's own work, whatever its caller does in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from genotransfer.models.networks import count_trainable_depths
from genotransfer.training.jobs import TrainedNetwork, Trainer, TrainingJob, TrainingSettings


class Stopwatch:
    """Wall and CPU seconds of this process, summed over the stretches in which it runs."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self._began = (0.0, 0.0)

    def start(self) -> None:
        """Begin a stretch."""
        self._began = (time.perf_counter(), time.process_time())

    def stop(self) -> None:
        """End the stretch."""
        self.seconds += time.perf_counter() - self._began[0]
        self.cpu_seconds += time.process_time() - self._began[1]


class TimedTrainer:
    """A trainer that times another and notes what it trained.

    Making the jobs and using the networks is the caller's work, as it is beside a plain loop; both
    happen between the trainer's steps, and the watch stands still meanwhile.

    Attributes
    ----------
    watch : of the trainer's work so far.
    trainings : what was trained: kind (base or fine), network, n_variants, depth (trained layers),
        n_train, n_validation, epochs (that were run).
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.reset()

    def reset(self) -> None:
        """Forget what was timed; what the trainer has compiled stays."""
        self.watch = Stopwatch()
        self.trainings: list[dict[str, Any]] = []

    def train_networks(
        self,
        jobs: Iterable[TrainingJob],
        settings: TrainingSettings,
        progress: Callable[[TrainedNetwork], Any] | None = None,
    ) -> Iterator[TrainedNetwork]:
        """Yield what the trainer yields."""
        facts: dict[str, dict[str, Any]] = {}
        self.watch.start()
        for trained in self._trainer.train_networks(self._pull(jobs, facts), settings, progress):
            self.watch.stop()
            self.trainings.append(facts.pop(trained.key) | {"epochs": trained.stopped_epoch})
            yield trained
            self.watch.start()
        self.watch.stop()

    def _pull(self, jobs: Iterable[TrainingJob], facts: dict[str, dict[str, Any]]) -> Iterator[TrainingJob]:
        waiting = iter(jobs)
        while True:
            self.watch.stop()
            job = next(waiting, None)
            self.watch.start()
            if job is None:
                return
            facts[job.key] = _describe(job)
            yield job


def _describe(job: TrainingJob) -> dict[str, Any]:
    depths = count_trainable_depths(job.network)
    return {
        "kind": "base" if job.initial_weights is None else "fine",
        "network": job.network,
        "n_variants": job.train.dosages.shape[1],
        "depth": depths if job.trainable_layers is None else job.trainable_layers,
        "n_train": len(job.train.labels),
        "n_validation": len(job.validation.labels),
    }
