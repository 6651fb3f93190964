"""A panel with one planted strong SNP, a proxy of it, and models of every family fitted to it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genotransfer.genotypes import Genotypes
from genotransfer.interpretation.cohort import Cohort
from genotransfer.interpretation.explain import People
from genotransfer.linkage import bin_variants
from genotransfer.models.classical import CLASSICAL, fit_classifier
from genotransfer.models.networks import build_network, last_hidden_model
from genotransfer.models.predictors import (
    ClassicalPredictor,
    FeaturePredictor,
    NetworkPredictor,
    Predictor,
    ScorePredictor,
)
from genotransfer.models.standardise import Standardiser, fit_standardiser

N, M, RISK, PROXY, TRAINED = 260, 30, 7, 21, 180
NETWORKS = ("ann_1", "gru_1", "lstm_1", "bilstm_1", "cnn_1d", "cnn_2d", "cnn_3d")


@dataclass(frozen=True)
class Plant:
    """The dosages, labels and variants of all people, and the bin of each variant."""

    dosages: np.ndarray
    labels: np.ndarray
    variants: pd.DataFrame
    bins: np.ndarray

    @property
    def people(self) -> People:
        return People(self.dosages, self.labels, np.arange(N) >= TRAINED)

    @property
    def standardiser(self) -> Standardiser:
        return Standardiser.fit(self.dosages[:TRAINED])

    @property
    def values(self) -> np.ndarray:
        return self.standardiser.transform(self.dosages)


@lru_cache
def plant() -> Plant:
    """Draw people whose label hangs on one SNP, which a SNP elsewhere repeats with the other allele counted."""
    rng = np.random.default_rng(4)
    dosages = rng.binomial(2, rng.uniform(0.25, 0.6, M), (N, M)).astype(np.int8)
    dosages[:, PROXY] = 2 - dosages[:, RISK]
    strange = rng.choice(N, 4, replace=False)
    dosages[strange, PROXY] = 1
    liability = dosages[:, RISK] + rng.normal(0, 0.5, N)
    variants = pd.DataFrame(
        {
            "chromosome": "21",
            "id": [f"rs{at}" for at in range(M)],
            "cm": 0.0,
            "position": 10_000 + 1_000 * np.arange(M),
            "counted": "A",
            "other": "G",
        }
    )
    labels = (liability > np.median(liability)).astype(np.int8)
    return Plant(dosages, labels, variants, bin_variants(dosages, variants))


@lru_cache
def fit_models() -> dict[str, Predictor]:
    """Return a fitted model of every family, by name."""
    planted = plant()
    ids, scale, labels = planted.variants[["id", "counted", "other"]], planted.standardiser, planted.labels
    values = planted.values
    models: dict[str, Predictor] = {}
    for name in CLASSICAL:
        fitted = fit_classifier(name, values[:TRAINED], labels[:TRAINED], 1)
        models[name] = ClassicalPredictor(ids, scale, name, fitted)
    for name in NETWORKS:
        scale_of = fit_standardiser(name, planted.dosages[:TRAINED])
        network = build_network(name, M, seed=1)
        _train(network, scale_of.transform(planted.dosages[:TRAINED]), labels[:TRAINED])
        models[name] = NetworkPredictor(ids, scale_of, name, None, network)
    network = models["gru_1"].model
    hidden = np.asarray(last_hidden_model(network)(values))
    for head in ("svm", "cart"):
        fitted = fit_classifier(head, hidden[:TRAINED], labels[:TRAINED], 1)
        models[f"gru_1+{head}"] = FeaturePredictor(ids, scale, "gru_1", None, network, head, fitted)
    effects = np.linspace(-0.05, 0.05, M)
    effects[RISK] = 1.5
    models["score"] = ScorePredictor(ids, scale, "susie", effects, -0.3)
    return models


def _train(network: Any, values: np.ndarray, labels: np.ndarray, steps: int = 25) -> None:
    """Take some steps of Adam on all people at once: what is tested here is no trainer."""
    import keras
    import tensorflow as tf

    part = keras.Model(network.input, network.get_layer("logits").output)
    optimizer = keras.optimizers.Adam(1e-2)
    x, y = tf.constant(values), tf.constant(labels.astype(np.int32))

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, part(x, training=True))
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(steps):
        step()


def make_cohort(folder: Path) -> Cohort:
    """Write the people as a fileset and gather them: TD first, then ED."""
    planted = plant()
    samples = pd.DataFrame(
        {
            "fid": [f"f{at}" for at in range(N)],
            "iid": [f"i{at}" for at in range(N)],
            "father": "0",
            "mother": "0",
            "sex": 1,
            "phenotype": "1",
        }
    )
    genotypes = Genotypes.from_dosages(folder / "planted", planted.dosages, planted.variants, samples)
    table = pd.DataFrame(
        {
            "FID": samples["fid"],
            "IID": samples["iid"],
            "phenotype": planted.labels,
            "split": np.where(np.arange(N) < TRAINED, "TD", "ED"),
        }
    )
    return Cohort.gather(genotypes, table)
