"""The fast trainer as a scikit-learn estimator uses it: one for the process, its programs kept."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int8

from genotransfer.models.standardise import Standardiser
from genotransfer.randomness import derive_seed, make_generator
from genotransfer.splits import LabelledSamples, assign_splits
from genotransfer.training.jobs import TrainedNetwork, Trainer

if TYPE_CHECKING:
    from genotransfer.training.forward import ForwardRunner


@cache
def share_trainer() -> Trainer:
    """Return the trainer of this process; searches and folds share its compiled programs."""
    from genotransfer.training.api import get_trainer

    return get_trainer("stacked")


@cache
def share_runner() -> ForwardRunner:
    """Return what runs networks forward in this process."""
    from genotransfer.training.forward import ForwardRunner

    return ForwardRunner()


def score_network(
    trained: TrainedNetwork, standardiser: Standardiser, dosages: Int8[np.ndarray, "n k"]
) -> Float64[np.ndarray, " n"]:
    """Return the probability that each person is a case, by a trained network."""
    from genotransfer.training.forward import score_logits

    values = standardiser.transform(dosages)
    layers = share_runner().run_layers(trained.network, trained.weights, values, window=trained.window)
    return score_logits(layers[-1])


def hold_out(people: LabelledSamples, share: float, seed: int) -> tuple[LabelledSamples, LabelledSamples]:
    """Return those to train on and those to stop training by, either with its share of cases.

    Parameters
    ----------
    share : of the people that are held out; at least one is, and one is trained on.
    """
    n = len(people.labels)
    n_held = min(max(round(share * n), 1), n - 1)
    sizes = {"VD": n_held, "TD": n - n_held}
    part = assign_splits(people.labels, sizes, make_generator(seed, "held out"))
    train, held = (
        LabelledSamples(people.dosages[part == name], people.labels[part == name]) for name in ("TD", "VD")
    )
    return train, held


def resample(people: LabelledSamples, how: str, seed: int) -> LabelledSamples:
    """Return people with as many cases as controls.

    Parameters
    ----------
    how : ``oversample`` draws more of the rarer, ``undersample`` fewer of the commoner; ``none`` leaves
        them as they are.
    """
    if how == "none":
        return people
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    kind = RandomOverSampler if how == "oversample" else RandomUnderSampler
    sampler = kind(random_state=derive_seed(seed, how))
    dosages, labels = sampler.fit_resample(people.dosages, people.labels)
    return LabelledSamples(np.asarray(dosages, np.int8), np.asarray(labels, np.int8))
