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
from genotransfer.models.networks import CNN, count_trainable_depths, find_network, reads_genotypes
from genotransfer.models.predictors import VARIANT_COLUMNS, FeaturePredictor, NetworkPredictor
from genotransfer.models.source_models import SourceModel, SourceModels, hash_variants
from genotransfer.models.standardise import Standardiser, fit_standardiser
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
            scales: dict[bool, Standardiser] = {}
            for network in networks:
                kind = reads_genotypes(network)
                if kind not in scales:
                    scales[kind] = fit_standardiser(network, panel.source["TD"].dosages)
                key = f"{phenotype}.{panel.name}.{network}"
                given[key] = (panel.name, hash_variants(panel.variants))
                yield TrainingJob(
                    key=key,
                    network=network,
                    train=panel.source["TD"],
                    validation=panel.source["VD"],
                    standardiser=scales[kind],
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
    for network, targets in prepare_targets(panels, networks):
        # All panels of a network at once: the trainer lays what is alike side by side.
        ready = [_Source.run(phenotype, target, network, sources, runner) for target in targets]
        tuned: dict[str, TrainedNetwork] = {}
        if "deep_finetuned" in methods:
            jobs = [job for one in ready for job in one.list_jobs(seed)]
            tuned = {trained.key: trained for trained in trainer.train_networks(jobs, settings, progress)}
        for one in ready:
            if "deep_simple" in methods:
                yield one.use_as_is()
            if "deep_pretrained" in methods:
                yield from one.fit_heads(classifiers, seed)
            for depth in one.depths if tuned else ():
                yield one.judge(tuned.pop(one.name_job(depth)), depth, runner)


@dataclass(frozen=True, eq=False)
class TargetPanel:
    """A panel's samples that learn and judge, on the scale of the source."""

    panel: PanelData
    standardiser: Standardiser
    rows: EvaluationRows
    values: np.ndarray

    @classmethod
    def prepare(cls, panel: PanelData, network: str) -> TargetPanel:
        """Standardise a panel by its source's TD, as a network reads it.

        Raises
        ------
        StudyError
            The source's TD or one of the target's splits is absent.
        """
        _check_splits(panel, "source", ("TD",))
        _check_splits(panel, "target", ("TD", "VD", "ED"))
        standardiser = fit_standardiser(network, panel.source["TD"].dosages)
        rows = gather_rows(panel)
        return cls(panel, standardiser, rows, standardiser.transform(rows.dosages))


def prepare_targets(
    panels: Iterable[PanelData], networks: Sequence[str]
) -> Iterator[tuple[str, list[TargetPanel]]]:
    """Yield each network with the panels as it reads them; networks that read alike share them.

    Raises
    ------
    StudyError
        The source's TD or one of the target's splits is absent.
    """
    panels = list(panels)
    prepared: dict[bool, list[TargetPanel]] = {}
    for network in networks:
        kind = reads_genotypes(network)
        if kind not in prepared:
            prepared[kind] = [TargetPanel.prepare(panel, network) for panel in panels]
        yield network, prepared[kind]


@dataclass(frozen=True, eq=False)
class _Source:
    """One source network before one panel of the target."""

    phenotype: str
    target: TargetPanel
    network: str
    window: int | None
    weights: Weights
    layers: list[np.ndarray]

    @classmethod
    def run(
        cls, phenotype: str, target: TargetPanel, network: str, sources: SourceModels, runner: ForwardRunner
    ) -> _Source:
        panel = target.panel
        weights = sources.read_weights(phenotype, panel.name, network, panel.variants)
        window = sources.find(phenotype, panel.name, network)["window"]
        # The layers below put out too much to be kept: they are run again.
        last = 2 if find_network(network).family == CNN else None
        layers = runner.run_layers(network, weights, target.values, window=window, last=last)
        return cls(phenotype, target, network, window, weights, layers)

    @property
    def panel(self) -> PanelData:
        return self.target.panel

    @property
    def depths(self) -> range:
        return range(1, count_trainable_depths(self.network) + 1)

    def use_as_is(self) -> Fitted:
        candidate = self._describe("deep_simple", "source", self.network, 0, score_logits(self.layers[-1]))
        return Fitted(candidate, partial(self._make_network, self.weights))

    def fit_heads(self, classifiers: Sequence[str], seed: int) -> Iterator[Fitted]:
        train = self.target.rows.slices["td_accuracy"]
        features = self.layers[-2]
        for name in classifiers:
            model = f"{self.network}+{name}"
            head_seed = derive_seed(seed, "head", self.phenotype, self.panel.name, model)
            estimator = fit_classifier(name, features[train], self.target.rows.labels[train], head_seed)
            scores = score_cases(estimator, features)
            candidate = self._describe("deep_pretrained", "target", model, 0, scores)
            yield Fitted(candidate, partial(self._make_feature, name, estimator))

    def name_job(self, depth: int) -> str:
        return f"{self.phenotype}.{self.panel.name}.{self.network}.{depth}"

    def list_jobs(self, seed: int) -> Iterator[TrainingJob]:
        for depth in self.depths:
            yield TrainingJob(
                key=self.name_job(depth),
                network=self.network,
                train=self.panel.target["TD"],
                validation=self.panel.target["VD"],
                standardiser=self.target.standardiser,
                seed=derive_seed(seed, "fine_tune", self.phenotype, self.panel.name, self.network, depth),
                initial_weights=self.weights,
                trainable_layers=depth,
                window=self.window,
                allow_many_steps=True,
            )

    def judge(self, trained: TrainedNetwork, depth: int, runner: ForwardRunner) -> Fitted:
        if depth == len(self.depths) or len(self.layers) < len(self.depths):
            last = None if len(self.layers) == len(self.depths) else 1
            logits = runner.run_layers(
                self.network, trained.weights, self.target.values, window=self.window, last=last
            )[-1]
        else:
            # The first layer is the source's, and has been run already.
            logits = runner.run_top(
                self.network,
                trained.weights,
                self.layers[0],
                n_variants=len(self.panel.variants),
                window=self.window,
            )
        candidate = self._describe("deep_finetuned", "target", self.network, depth, score_logits(logits))
        return Fitted(candidate, partial(self._make_network, trained.weights), trained.curve)

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
            **self.target.rows.measure(scores),
        )

    def _make_network(self, weights: Weights) -> NetworkPredictor:
        model = restore_model(self.network, len(self.panel.variants), self.window, weights)
        variants = self.panel.variants[VARIANT_COLUMNS]
        return NetworkPredictor(variants, self.target.standardiser, self.network, self.window, model)

    def _make_feature(self, name: str, estimator: Any) -> FeaturePredictor:
        model = restore_model(self.network, len(self.panel.variants), self.window, self.weights)
        variants = self.panel.variants[VARIANT_COLUMNS]
        return FeaturePredictor(
            variants, self.target.standardiser, self.network, self.window, model, name, estimator
        )


def _check_splits(panel: PanelData, population: str, names: Sequence[str]) -> None:
    splits = panel.source if population == "source" else panel.target
    for name in names:
        if name not in splits or not len(splits[name].labels):
            raise StudyError(
                f"Panel {panel.name} has no {population} {name}, which deep transfer reads. "
                "Give that split at least one sample."
            )
