"""What the source knows, taught once for all folds: its networks and its polygenic scores.

People of the source are never judged, and no fold of the target has a say in what the source teaches;
so a source model is the same in every fold, and is trained once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from genotransfer.comparison.features import CorrelationFilter, check_selection, rank_variants
from genotransfer.comparison.training import hold_out, share_trainer
from genotransfer.models.standardise import Standardiser, fit_standardiser, impute_means
from genotransfer.randomness import derive_seed
from genotransfer.scores.base import Sample, take_sample
from genotransfer.scores.registry import build_score
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import TrainedNetwork, TrainingJob, TrainingSettings


@dataclass(frozen=True)
class SourceNetwork:
    """A network of the source.

    Attributes
    ----------
    columns : positions of its variants, in the genome's order.
    standardiser : of their dosages, fitted to the source's training part.
    trained : the network.
    """

    columns: Int64[np.ndarray, " k"]
    standardiser: Standardiser
    trained: TrainedNetwork


@dataclass(eq=False)
class SourceCohort:
    """The source's people, and what was learnt from them so far.

    Parameters
    ----------
    people : of the source.
    seed : the study's.

    Attributes
    ----------
    seconds, cpu_seconds : spent on learning from the source, so far.
    """

    people: LabelledSamples
    seed: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    _learnt: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __deepcopy__(self, memo: Any) -> SourceCohort:
        """Return this: scikit-learn copies an estimator's parameters, and the source is one for all."""
        return self

    def train_network(
        self, network: str, n_variants: int, r2: float | None, held_out: float, settings: TrainingSettings
    ) -> SourceNetwork:
        """Return a network trained on the source.

        Parameters
        ----------
        network : its key, e.g. ``ann_1``.
        n_variants, r2 : the variants most associated in the source, see `AssociationSelector` and
            `CorrelationFilter`; as many as are left.
        held_out : share of the people on which training is stopped.
        """
        check_selection(n_variants, r2)
        key = ("network", network, n_variants, r2, held_out, settings)
        return self._learn(  # type: ignore[no-any-return]
            key, lambda: self._train(network, n_variants, r2, held_out, settings)
        )

    def take_sample(self, n_variants: int | None = None) -> tuple[Int64[np.ndarray, " k"], Sample]:
        """Return the positions of variants, and the people as a polygenic score takes them at those.

        Parameters
        ----------
        n_variants : the so many most associated in the source; all when None.
        """
        check_selection(n_variants, None)

        def take() -> tuple[Int64[np.ndarray, " k"], Sample]:
            ranked = rank_variants(self.people.dosages, self.people.labels)
            columns = np.sort(ranked[:n_variants])
            everyone = np.ones(len(self.people.labels), dtype=bool)
            return columns, take_sample(
                impute_means(self.people.dosages[:, columns]), self.people.labels, everyone
            )

        return self._learn(("sample", n_variants), take)  # type: ignore[no-any-return]

    def learn_effects(self, score: str, n_variants: int | None = None) -> Float64[np.ndarray, " k"]:
        """Return a polygenic score's effects on the log odds, learnt on the source alone.

        Parameters
        ----------
        score : a name in `genotransfer.scores.registry.SCORES`.
        n_variants : as for `take_sample`; the effects are of those variants.
        """

        def learn() -> Float64[np.ndarray, " k"]:
            _, sample = self.take_sample(n_variants)
            nobody = take_sample(sample.dosages, sample.labels, np.zeros(sample.n, dtype=bool))
            fitted = build_score(score, derive_seed(self.seed, "source score", score))
            return np.asarray(fitted.fit_samples(sample, nobody).coef_, dtype=np.float64)

        return self._learn(("score", score, n_variants), learn)  # type: ignore[no-any-return]

    def _learn(self, key: Any, learn: Callable[[], Any]) -> Any:
        if key not in self._learnt:
            began = time.perf_counter(), time.process_time()
            before = self.seconds, self.cpu_seconds
            self._learnt[key] = learn()
            # What was learnt on the way has been counted in this time too.
            self.seconds = before[0] + time.perf_counter() - began[0]
            self.cpu_seconds = before[1] + time.process_time() - began[1]
        return self._learnt[key]

    def _train(
        self, network: str, n_variants: int, r2: float | None, held_out: float, settings: TrainingSettings
    ) -> SourceNetwork:
        seed = derive_seed(self.seed, "source network", network, n_variants, str(r2))
        train, validation = hold_out(self.people, held_out, seed)
        columns = choose_columns(train, n_variants, r2)
        train, validation = (
            LabelledSamples(one.dosages[:, columns], one.labels) for one in (train, validation)
        )
        standardiser = fit_standardiser(network, train.dosages)
        job = TrainingJob("source", network, train, validation, standardiser, seed)
        [trained] = share_trainer().train_networks([job], settings)
        return SourceNetwork(columns, standardiser, trained)


def choose_columns(people: LabelledSamples, n_variants: int, r2: float | None) -> Int64[np.ndarray, " k"]:
    """Return the variants most associated in some people, in the genome's order.

    Parameters
    ----------
    n_variants : how many.
    r2 : the correlation filter, applied to them; None for none.
    """
    columns = np.sort(rank_variants(people.dosages, people.labels)[:n_variants])
    if r2 is not None:
        columns = columns[CorrelationFilter(r2).fit(people.dosages[:, columns], people.labels).support_]
    return columns
