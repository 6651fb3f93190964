"""Networks, transfer and polygenic scores as scikit-learn classifiers of the target's dosages."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from genotransfer.comparison.source import SourceCohort
from genotransfer.comparison.training import hold_out, resample, score_network, share_trainer
from genotransfer.errors import AlignmentError, StudyError
from genotransfer.models.networks import count_trainable_depths
from genotransfer.models.standardise import Standardiser, fit_standardiser, impute_means
from genotransfer.randomness import derive_seed
from genotransfer.scores.base import calibrate, take_sample
from genotransfer.scores.registry import build_score
from genotransfer.splits import LabelledSamples
from genotransfer.training.jobs import TrainedNetwork, TrainingJob, TrainingSettings


class _DosageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base: takes dosages, int8 with -1 missing, and labels 0 and 1; gives the probability of a case."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from people of the target.

        Parameters
        ----------
        X : int8 (n_samples, n_variants); 0, 1, 2 copies, -1 missing.
        y : (n_samples,); 1 case, 0 control.

        Raises
        ------
        StudyError
            There are cases only, or controls only.
        """
        X = validate_data(self, X, dtype=np.int8)
        labels = np.asarray(y, dtype=np.int8)
        self.classes_ = np.array([0, 1])
        if not np.array_equal(np.unique(labels), self.classes_):
            raise StudyError(
                f"{type(self).__name__} needs cases (1) and controls (0) to learn from; the {len(labels)} people "
                "are not both. Ask for fewer folds, or another phenotype."
            )
        self._learn(LabelledSamples(X, labels))
        return self

    def _learn(self, people: LabelledSamples) -> None:
        raise NotImplementedError

    def _score(self, dosages: np.ndarray) -> Float64[np.ndarray, " n"]:
        raise NotImplementedError

    def predict_proba(self, X: Any) -> Float64[np.ndarray, "n 2"]:
        """Return the probability of control and case of each person."""
        check_is_fitted(self, "classes_")
        case = self._score(validate_data(self, X, dtype=np.int8, reset=False))
        return np.column_stack([1 - case, case])

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for a predicted case, 0 for a control."""
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)])


class NetworkClassifier(_DosageClassifier):
    """A network trained by the fast trainer on people of the target alone.

    Part of the people given stop the training; they, too, are of the training part of a fold.

    Parameters
    ----------
    network : its key, e.g. ``ann_1``.
    epochs, batch_size, learning_rate, patience, threads : see `TrainingSettings`.
    held_out : share of the people on which training is stopped.
    imbalance : ``none``, ``oversample`` or ``undersample``, of those trained on, not of those held out.
    random_state : of the split, the first weights and the batches.

    Attributes
    ----------
    trained_ : the network.
    standardiser_ : of its dosages.
    """

    def __init__(
        self,
        network: str = "ann_1",
        epochs: int = 50,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        patience: int = 10,
        held_out: float = 0.15,
        imbalance: str = "none",
        threads: int = 1,
        random_state: int = 0,
    ) -> None:
        self.network = network
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.held_out = held_out
        self.imbalance = imbalance
        self.threads = threads
        self.random_state = random_state

    @property
    def settings(self) -> TrainingSettings:
        """Settings of the trainer."""
        return TrainingSettings(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            threads=self.threads,
        )

    def _learn(self, people: LabelledSamples) -> None:
        train, validation = self._divide(people)
        self.standardiser_ = fit_standardiser(self.network, train.dosages)
        self.trained_ = self._train(train, validation, self.standardiser_)

    def _divide(self, people: LabelledSamples) -> tuple[LabelledSamples, LabelledSamples]:
        train, validation = hold_out(people, self.held_out, self.random_state)
        return resample(train, self.imbalance, self.random_state), validation

    def _train(
        self, train: LabelledSamples, validation: LabelledSamples, standardiser: Standardiser, **more: Any
    ) -> TrainedNetwork:
        seed = derive_seed(self.random_state, "network", self.network)
        job = TrainingJob("fold", self.network, train, validation, standardiser, seed, **more)
        [trained] = share_trainer().train_networks([job], self.settings)
        return trained

    def _score(self, dosages: np.ndarray) -> Float64[np.ndarray, " n"]:
        return score_network(self.trained_, self.standardiser_, dosages)

    @property
    def n_parameters_(self) -> int:
        """Number of the network's weights."""
        return sum(one.size for one in self.trained_.weights)


class TransferClassifier(NetworkClassifier):
    """A network trained on the source and fine-tuned on people of the target.

    The variants are those most associated in the source; dosages are on the scale of the source.

    Parameters
    ----------
    cohort : the source, whose variants are the columns of X.
    n_variants, r2 : see `SourceCohort.train_network`.
    trainable_layers : layers that are fine-tuned, from the top; None for all, 0 for none, which takes the
        source's network as it is.
    network and others : see `NetworkClassifier`; they hold for the source's training too.
    """

    def __init__(
        self,
        cohort: SourceCohort | None = None,
        network: str = "ann_1",
        n_variants: int = 500,
        r2: float | None = None,
        trainable_layers: int | None = None,
        epochs: int = 50,
        batch_size: int = 32,
        learning_rate: float = 1e-3,
        patience: int = 10,
        held_out: float = 0.15,
        imbalance: str = "none",
        threads: int = 1,
        random_state: int = 0,
    ) -> None:
        super().__init__(
            network=network,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            held_out=held_out,
            imbalance=imbalance,
            threads=threads,
            random_state=random_state,
        )
        self.cohort = cohort
        self.n_variants = n_variants
        self.r2 = r2
        self.trainable_layers = trainable_layers

    def _learn(self, people: LabelledSamples) -> None:
        cohort = require_cohort(self.cohort, people)
        begun = cohort.train_network(self.network, self.n_variants, self.r2, self.held_out, self.settings)
        self.columns_, self.standardiser_, self.trained_ = begun.columns, begun.standardiser, begun.trained
        depths = count_trainable_depths(self.network)
        depth = depths if self.trainable_layers is None else self.trainable_layers
        if not 0 <= depth <= depths:
            raise StudyError(
                f"trainable_layers is {depth}, and {self.network} has {depths} layers. Choose from 0 to {depths}."
            )
        if depth:
            people = LabelledSamples(people.dosages[:, self.columns_], people.labels)
            train, validation = self._divide(people)
            more = {"initial_weights": begun.trained.weights, "trainable_layers": depth}
            self.trained_ = self._train(train, validation, self.standardiser_, **more)

    def _score(self, dosages: np.ndarray) -> Float64[np.ndarray, " n"]:
        return super()._score(dosages[:, self.columns_])


class ScoreClassifier(_DosageClassifier):
    """A polygenic score learnt on the source, or on source and target, placed in the target.

    Parameters
    ----------
    cohort : the source, whose variants are the columns of X.
    score : a name in `genotransfer.scores.registry.SCORES`.
    learn_on : ``both`` populations, or the ``source`` alone; slope and intercept of the latter are found
        in the people of the target.
    n_variants : the so many most associated in the source only; None for all.
    random_state : of what is random in the score.

    Attributes
    ----------
    coef_ : float64 (n_variants,); log odds of each copy of the counted allele.
    intercept_ : of the target.
    """

    def __init__(
        self,
        cohort: SourceCohort | None = None,
        score: str = "susie_joint",
        learn_on: str = "both",
        n_variants: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.cohort = cohort
        self.score = score
        self.learn_on = learn_on
        self.n_variants = n_variants
        self.random_state = random_state

    def _learn(self, people: LabelledSamples) -> None:
        cohort = require_cohort(self.cohort, people)
        columns, source = cohort.take_sample(self.n_variants)
        filled = impute_means(people.dosages)
        everyone = np.ones(len(people.labels), dtype=bool)
        target = take_sample(filled[:, columns], people.labels, everyone)
        if self.learn_on == "both":
            fitted = build_score(self.score, self.random_state).fit_samples(source, target)
            effects, self.intercept_ = fitted.coef_, float(fitted.intercept_)
        else:
            effects, [self.intercept_] = calibrate(
                cohort.learn_effects(self.score, self.n_variants), [target]
            )
        self.coef_ = np.zeros(people.dosages.shape[1])
        self.coef_[columns] = effects
        self.means_ = filled.mean(axis=0, dtype=np.float64)

    def _score(self, dosages: np.ndarray) -> Float64[np.ndarray, " n"]:
        filled = np.where(dosages < 0, self.means_, dosages)
        return np.asarray(expit(filled @ self.coef_ + self.intercept_), dtype=np.float64)


def require_cohort(cohort: SourceCohort | None, people: LabelledSamples) -> SourceCohort:
    """Return the source, having checked that it has the variants of some people of the target.

    Raises
    ------
    StudyError
        There is no source.
    AlignmentError
        It has another number of variants.
    """
    if cohort is None:
        raise StudyError("A model that learns from the source was given none. Give it a SourceCohort.")
    ours, theirs = cohort.people.dosages.shape[1], people.dosages.shape[1]
    if ours != theirs:
        raise AlignmentError(
            f"The source has {ours} variants and the target {theirs}. Give both the same, in one order; no step "
            "before this one may choose among them."
        )
    return cohort
