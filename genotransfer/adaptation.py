"""Adapted deep transfer: networks of the source that learn on, also from people without a label.

Beside the paper's three forms of deep transfer, see `genotransfer.transfer`. It learns from the labelled
TD of both populations and from the genotypes of the target's VD and ED; labels of VD stop it early,
labels of ED are read to judge only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int8

from genotransfer.baselines import Fitted, PanelData
from genotransfer.candidates import ADAPTED, Candidate
from genotransfer.models.networks import (
    build_network,
    check_adaptable,
    count_trainable_depths,
    list_trainable,
)
from genotransfer.models.predictors import VARIANT_COLUMNS, NetworkPredictor
from genotransfer.models.source_models import SourceModels
from genotransfer.randomness import derive_seed
from genotransfer.training.adapter import AdaptationJob, MinimaxTrainer
from genotransfer.training.devices import limit_threads
from genotransfer.training.forward import ForwardRunner, score_logits
from genotransfer.training.jobs import TrainingSettings, Weights
from genotransfer.training.minimax import MinimaxRule
from genotransfer.transfer import TargetPanel, prepare_targets

if TYPE_CHECKING:
    import keras

# FD is none of them: it lies in a fileset of its own. Samples without a split lack too many calls.
UNLABELLED = ("VD", "ED")


def adapt_networks(
    phenotype: str,
    panels: Iterable[PanelData],
    sources: SourceModels,
    networks: Sequence[str],
    settings: TrainingSettings,
    seed: int,
    *,
    rule: MinimaxRule | None = None,
    trainer: MinimaxTrainer | None = None,
    runner: ForwardRunner | None = None,
) -> Iterator[Fitted]:
    """Adapt the source's networks to the target by minimax entropy; yield candidates one by one.

    Every layer of the network learns, and its logits are replaced by a classifier of unit features by
    unit weights, see `genotransfer.training.minimax`. Dosages are standardised by the source's TD.

    Parameters
    ----------
    panels : the panels the sources were trained on.
    networks : keys of networks, as a rule those of one family.
    settings : epochs, batch size, learning rate and patience; the rest plays no part.
    rule : constants of the method.
    trainer, runner : keep traced programs; give the same ones for all phenotypes. A trainer has its own
        settings and rule, which then count.

    Yields
    ------
    One candidate of method ``deep_adapted`` for each network and panel.

    Raises
    ------
    InputError
        A source model is absent, changed, or of other variants.
    StudyError
        A split is absent, or a network is convolutional.
    """
    check_adaptable(networks)
    limit_threads(settings.threads)
    trainer, runner = trainer or MinimaxTrainer(settings, rule), runner or ForwardRunner()
    for network, targets in prepare_targets(panels, networks):
        for target in targets:
            yield _adapt(phenotype, target, network, sources, trainer, runner, seed)


def gather_unlabelled(panel: PanelData) -> Int8[np.ndarray, "n_people n_variants"]:
    """Return the dosages of the target's people whose labels are not learnt from; -1 missing."""
    return np.concatenate([panel.target[split].dosages for split in UNLABELLED])


def _adapt(
    phenotype: str,
    target: TargetPanel,
    network: str,
    sources: SourceModels,
    trainer: MinimaxTrainer,
    runner: ForwardRunner,
    seed: int,
) -> Fitted:
    panel = target.panel
    window = sources.find(phenotype, panel.name, network)["window"]
    job = AdaptationJob(
        network=network,
        window=window,
        weights=sources.read_weights(phenotype, panel.name, network, panel.variants),
        source=panel.source["TD"],
        target=panel.target["TD"],
        validation=panel.target["VD"],
        unlabelled=gather_unlabelled(panel),
        standardiser=target.standardiser,
        seed=derive_seed(seed, "adapt", phenotype, panel.name, network),
    )
    adapted = trainer.train(job)
    *hidden, kernel = adapted.weights
    # The layers below the logits are the network's own; the classifier above them is not its.
    whole = [*hidden, kernel, np.zeros(kernel.shape[1], np.float32)]
    features = runner.run_layers(network, whole, target.values, window=window)[-2]
    scores = score_logits(unit_rows(features) @ kernel)
    candidate = Candidate(
        key=f"{phenotype}.{ADAPTED}.{panel.name}.{network}",
        phenotype=phenotype,
        method=ADAPTED,
        fit_on="target",
        panel=panel.name,
        n_snps=len(panel.variants),
        model=network,
        trainable_layers=count_trainable_depths(network),
        **target.rows.measure(scores),
    )
    make = partial(_make_predictor, target, network, window, adapted.weights)
    return Fitted(candidate, make, adapted.curve)


def unit_rows(features: Float32[np.ndarray, "n k"]) -> Float32[np.ndarray, "n k"]:
    """Return features of length 1, as Keras's ``UnitNormalization`` does; zeros stay zeros."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, np.float32(1e-12)))


def restore_adapted(network: str, n_variants: int, window: int | None, weights: Weights) -> keras.Model:
    """Return a Keras model of an adapted network, made of ordinary layers.

    Parameters
    ----------
    network, n_variants, window : as `build_network` takes them.
    weights : of an `AdaptedNetwork`.

    Returns
    -------
    The network up to its last hidden layer, then ``unit_features``, ``logits`` (dense, no bias) and
    ``probabilities``.
    """
    import keras

    base = build_network(network, n_variants, window=window, seed=0, allow_many_steps=True)
    unit = keras.layers.UnitNormalization(name="unit_features")(list_trainable(base)[-2].last.output)
    logits = keras.layers.Dense(weights[-1].shape[1], use_bias=False, name="logits")(unit)
    probabilities = keras.layers.Activation("softmax", name="probabilities")(logits)
    model = keras.Model(base.input, probabilities, name=network)
    model.set_weights(weights)
    return model


def _make_predictor(
    target: TargetPanel, network: str, window: int | None, weights: Weights
) -> NetworkPredictor:
    variants = target.panel.variants[VARIANT_COLUMNS]
    model = restore_adapted(network, len(variants), window, weights)
    return NetworkPredictor(variants, target.standardiser, network, window, model)
