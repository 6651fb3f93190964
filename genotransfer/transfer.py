"""Deep transfer (Module 5): train networks on the source, carry them to the target in three forms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from genotransfer.baselines import EvaluationRows, Fitted, PanelData, gather_rows
from genotransfer.candidates import DEEP_METHODS, Candidate
from genotransfer.errors import StudyError
from genotransfer.models.classical import CLASSICAL, fit_classifier, score_cases
from genotransfer.models.networks import count_trainable_depths
from genotransfer.models.predictors import VARIANT_COLUMNS, FeaturePredictor, NetworkPredictor
from genotransfer.models.source_models import SourceModel, SourceModels, hash_variants
from genotransfer.models.standardise import Standardiser
from genotransfer.randomness import derive_seed
from genotransfer.training.forward import ForwardRunner, score_logits
from genotransfer.training.jobs import (
    TrainedNetwork,
    Trainer,
    TrainingJob,
    TrainingSettings,
    Weights,
    restore_model,
)


def train_source_networks(
    phenotype: str,
    panels: Iterable[PanelData],
    networks: Sequence[str],
    trainer: Trainer,
    settings: TrainingSettings,
    seed: int,
    *,
    window: int | None = None,
    allow_many_steps: bool = False,
    progress: Callable[[TrainedNetwork], Any] | None = None,
) -> Iterator[SourceModel]:
    """Train every network on every panel's source TD, stopped early by the source's VD.

    Parameters
    ----------
    networks : keys of networks, as a rule those of one family.
    trainer : from `get_trainer`; give the same one for all phenotypes, it keeps compiled programs.
    window : variants a time step of a recurrent network reads; None for one step.

    Yields
    ------
    One model at a time. Its standardiser is not kept: it is that of the panel's source TD.

    Raises
    ------
    StudyError
        A panel lacks the source's TD or VD, or a network is unknown.
    """
    given = {}

    def make_jobs() -> Iterator[TrainingJob]:
        for panel in panels:
            _check_splits(panel, "source", ("TD", "VD"))
            standardiser = Standardiser.fit(panel.source["TD"].dosages)
            for network in networks:
                key = f"{phenotype}.{panel.name}.{network}"
                given[key] = (panel.name, hash_variants(panel.variants))
                yield TrainingJob(
                    key=key,
                    network=network,
                    train=panel.source["TD"],
                    validation=panel.source["VD"],
                    standardiser=standardiser,
                    seed=derive_seed(seed, "source", phenotype, panel.name, network),
                    window=window,
                    allow_many_steps=allow_many_steps,
                )

    for trained in trainer.train_networks(make_jobs(), settings, progress):
        name, sha256 = given.pop(trained.key)
        yield SourceModel(phenotype, name, sha256, trained)


def transfer_networks(
    phenotype: str,
    panels: Iterable[PanelData],
    sources: SourceModels,
    networks: Sequence[str],
    trainer: Trainer,
    settings: TrainingSettings,
    seed: int,
    *,
    methods: Sequence[str] = DEEP_METHODS,
    classifiers: Sequence[str] = CLASSICAL,
    runner: ForwardRunner | None = None,
    progress: Callable[[TrainedNetwork], Any] | None = None,
) -> Iterator[Fitted]:
    """Carry the source's networks to the target; yield candidates one by one.

    Simple: the network as it is. Pre-trained: all layers frozen, the last hidden layer's output
    to each classical model, fitted to the target's TD. Fine-tuned: the top 1, 2, ... all weighted
    layers trained on the target's TD, stopped early by the target's VD. Dosages are standardised
    by the source's TD throughout, since the weights were learnt on that scale.

    Parameters
    ----------
    panels : the panels the sources were trained on.
    methods : which of `DEEP_METHODS`.
    classifiers : the classical models of the pre-trained form.
    runner : keeps traced programs; give the same one for all phenotypes.

    Raises
    ------
    InputError
        A source model is absent, changed, or of other variants.
    StudyError
        A split is absent or, for the pre-trained form, the target's TD holds one class only.
    """
    unknown = sorted(set(methods) - set(DEEP_METHODS))
    if unknown:
        raise StudyError(
            f"{unknown[0]!r} is no form of deep transfer. Choose from: {', '.join(DEEP_METHODS)}."
        )
    runner = runner or ForwardRunner()
    for panel in panels:
        _check_splits(panel, "source", ("TD",))
        _check_splits(panel, "target", ("TD", "VD", "ED"))
        standardiser = Standardiser.fit(panel.source["TD"].dosages)
        rows = gather_rows(panel)
        values = standardiser.transform(rows.dosages)
        for network in networks:
            weights = sources.read_weights(phenotype, panel.name, network, panel.variants)
            window = sources.find(phenotype, panel.name, network)["window"]
            layers = runner.run_layers(network, weights, values, window=window)
            one = _Source(phenotype, panel, network, window, weights, standardiser, rows, layers)
            if "deep_simple" in methods:
                yield one.use_as_is()
            if "deep_pretrained" in methods:
                yield from one.fit_heads(classifiers, seed)
            if "deep_finetuned" in methods:
                yield from one.fine_tune(trainer, settings, seed, runner, values, progress)


@dataclass(frozen=True, eq=False)
class _Source:
    """One source network before one panel of the target."""

    phenotype: str
    panel: PanelData
    network: str
    window: int | None
    weights: Weights
    standardiser: Standardiser
    rows: EvaluationRows
    layers: list[np.ndarray]

    def use_as_is(self) -> Fitted:
        candidate = self._describe("deep_simple", "source", self.network, 0, score_logits(self.layers[-1]))
        return Fitted(candidate, partial(self._make_network, self.weights))

    def fit_heads(self, classifiers: Sequence[str], seed: int) -> Iterator[Fitted]:
        train = self.rows.slices["td_accuracy"]
        features = self.layers[-2]
        for name in classifiers:
            model = f"{self.network}+{name}"
            head_seed = derive_seed(seed, "head", self.phenotype, self.panel.name, model)
            estimator = fit_classifier(name, features[train], self.rows.labels[train], head_seed)
            scores = score_cases(estimator, features)
            candidate = self._describe("deep_pretrained", "target", model, 0, scores)
            yield Fitted(candidate, partial(self._make_feature, name, estimator))

    def fine_tune(
        self,
        trainer: Trainer,
        settings: TrainingSettings,
        seed: int,
        runner: ForwardRunner,
        values: np.ndarray,
        progress: Callable[[TrainedNetwork], Any] | None,
    ) -> Iterator[Fitted]:
        depths = range(1, count_trainable_depths(self.network) + 1)
        jobs = [
            TrainingJob(
                key=f"{self.phenotype}.{self.panel.name}.{self.network}.{depth}",
                network=self.network,
                train=self.panel.target["TD"],
                validation=self.panel.target["VD"],
                standardiser=self.standardiser,
                seed=derive_seed(seed, "fine_tune", self.phenotype, self.panel.name, self.network, depth),
                initial_weights=self.weights,
                trainable_layers=depth,
                window=self.window,
                allow_many_steps=True,
            )
            for depth in depths
        ]
        for depth, trained in zip(depths, trainer.train_networks(jobs, settings, progress), strict=True):
            scores = score_logits(self._run(trained, depth, runner, values))
            candidate = self._describe("deep_finetuned", "target", self.network, depth, scores)
            yield Fitted(candidate, partial(self._make_network, trained.weights), trained.curve)

    def _run(
        self, trained: TrainedNetwork, depth: int, runner: ForwardRunner, values: np.ndarray
    ) -> np.ndarray:
        if depth == len(self.layers):
            return runner.run_layers(self.network, trained.weights, values, window=self.window)[-1]
        # What lies below the trained layers is the source's, and has been run already.
        return runner.run_top(
            self.network,
            trained.weights,
            self.layers[-depth - 1],
            depth,
            n_variants=values.shape[1],
            window=self.window,
        )

    def _describe(self, method: str, fit_on: str, model: str, depth: int, scores: np.ndarray) -> Candidate:
        parts = [self.phenotype, method, self.panel.name, model, *([str(depth)] if depth else [])]
        return Candidate(
            key=".".join(parts),
            phenotype=self.phenotype,
            method=method,
            fit_on=fit_on,
            panel=self.panel.name,
            n_snps=len(self.panel.variants),
            model=model,
            trainable_layers=depth,
            **self.rows.measure(scores),
        )

    def _make_network(self, weights: Weights) -> NetworkPredictor:
        model = restore_model(self.network, len(self.panel.variants), self.window, weights)
        variants = self.panel.variants[VARIANT_COLUMNS]
        return NetworkPredictor(variants, self.standardiser, self.network, self.window, model)

    def _make_feature(self, name: str, estimator: Any) -> FeaturePredictor:
        model = restore_model(self.network, len(self.panel.variants), self.window, self.weights)
        variants = self.panel.variants[VARIANT_COLUMNS]
        return FeaturePredictor(
            variants, self.standardiser, self.network, self.window, model, name, estimator
        )


def _check_splits(panel: PanelData, population: str, names: Sequence[str]) -> None:
    splits = panel.source if population == "source" else panel.target
    for name in names:
        if name not in splits or not len(splits[name].labels):
            raise StudyError(
                f"Panel {panel.name} has no {population} {name}, which deep transfer reads. "
                "Give that split at least one sample."
            )
