"""Score transfer: polygenic scores learnt on both populations, judged by cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64

from genotransfer.baselines import Fitted, PanelData
from genotransfer.candidates import SCORES_METHOD, STACK, Candidate
from genotransfer.errors import StudyError
from genotransfer.models.predictors import VARIANT_COLUMNS, ScorePredictor
from genotransfer.models.standardise import Standardiser, impute_means
from genotransfer.randomness import derive_seed, make_generator
from genotransfer.scores.base import PolygenicScore, Sample, fit_slope, take_sample
from genotransfer.scores.ready import ReadyScore
from genotransfer.scores.registry import build_score
from genotransfer.scores.stacking import StackedScore, cross_stack, fit_weights
from genotransfer.splits import SPLITS, assign_splits

# A score that says nothing of people it has not seen keeps its order of people, and next to no odds.
LEAST_SLOPE = 0.01


@dataclass(frozen=True, eq=False)
class LearningPeople:
    """All people that learn, of both populations, in one matrix.

    Attributes
    ----------
    dosages : float32 (n_samples, n_variants); a missing one is the mean of its population.
    labels : 1 case, 0 control.
    target : True for people of the target.
    split : TD, VD or ED of each.
    """

    dosages: Float32[np.ndarray, "n_samples n_variants"]
    labels: Int8[np.ndarray, " n_samples"]
    target: Bool[np.ndarray, " n_samples"]
    split: np.ndarray

    @classmethod
    def gather(cls, panel: PanelData) -> LearningPeople:
        """Put the splits of both populations together."""
        dosages, labels, target, split = [], [], [], []
        for ours, splits in ((False, panel.source), (True, panel.target)):
            given = [(name, splits[name]) for name in SPLITS if name in splits and len(splits[name].labels)]
            if not given:
                continue
            dosages.append(impute_means(np.concatenate([one.dosages for _, one in given])))
            labels += [one.labels for _, one in given]
            split += [np.repeat(name, len(one.labels)) for name, one in given]
            target.append(np.full(sum(len(one.labels) for _, one in given), ours))
        return cls(
            np.concatenate(dosages), np.concatenate(labels), np.concatenate(target), np.concatenate(split)
        )

    def fold(self, n_folds: int, generator: np.random.Generator) -> Int64[np.ndarray, " n_samples"]:
        """Divide the people into folds, each with its share of either population's cases."""
        folds = np.zeros(len(self.labels), dtype=np.int64)
        for ours in (False, True):
            at = np.flatnonzero(self.target == ours)
            size, more = divmod(len(at), n_folds)
            sizes = {str(fold): size + (fold < more) for fold in range(n_folds)}
            folds[at] = assign_splits(self.labels[at], sizes, generator).astype(np.int64)
        return folds


@runtime_checkable
class Learner(Protocol):
    """How a score is learnt; the source is what the learner knows, or people."""

    def learn(self, name: str, seed: int, source: Sample, target: Sample) -> PolygenicScore:
        """Return the fitted score of a name.

        Parameters
        ----------
        source, target : people; the source has none where the learner knows it otherwise.
        """


class PeopleLearner:
    """Learns scores from people of both populations."""

    def learn(self, name: str, seed: int, source: Sample, target: Sample) -> PolygenicScore:
        """Return the fitted score of a name in `genotransfer.scores.registry.SCORES`."""
        return build_score(name, seed).fit_samples(source, target)


@dataclass(frozen=True, eq=False)
class ChampionLearner:
    """Goes on from a champion's effects, with people of the target it has not learnt from.

    Attributes
    ----------
    weights : the champion's, of one copy of each counted allele, in the order of the dosages.
    """

    weights: Float64[np.ndarray, " n_variants"]

    def learn(self, name: str, seed: int, source: Sample, target: Sample) -> PolygenicScore:
        """Return the score fine-tuned on the target's people; the source has none."""
        score = build_score(name, seed, weights=self.weights)
        assert isinstance(score, ReadyScore)
        return score.fit_people(target)


def cross_validate(
    people: LearningPeople,
    names: Sequence[str],
    folds: Int64[np.ndarray, " n_samples"],
    seed: int,
    learner: Learner | None = None,
) -> dict[str, Float64[np.ndarray, " n_samples"]]:
    """Return the log odds of every person by scores that have not seen that person's label.

    Parameters
    ----------
    names : of the scores.
    folds : from `LearningPeople.fold`; each is left out in turn.
    learner : learns the scores; from people of both populations when None.
    """
    learner = learner or PeopleLearner()
    margins = {name: np.zeros(len(people.labels)) for name in names}
    for fold in range(int(folds.max()) + 1):
        out = folds == fold
        samples = [
            take_sample(people.dosages, people.labels, ~out & (people.target == ours))
            for ours in (False, True)
        ]
        for name in names:
            score = learner.learn(name, derive_seed(seed, "score", name, fold), *samples)
            margins[name][out] = predict_margins(score, people, out)
    return margins


def predict_margins(
    score: PolygenicScore, people: LearningPeople, at: Bool[np.ndarray, " n_samples"]
) -> Float64[np.ndarray, " k"]:
    """Return the log odds of some people, each by the intercept of the person's population."""
    intercepts = np.where(people.target[at], score.intercept_, score.source_intercept_)
    used = np.flatnonzero(score.coef_)
    return np.asarray(people.dosages[np.ix_(at, used)] @ score.coef_[used] + intercepts, dtype=np.float64)


def fit_scores(
    phenotype: str,
    panel: PanelData,
    names: Sequence[str],
    seed: int,
    n_folds: int = 5,
    learner: Learner | None = None,
) -> Iterator[Fitted]:
    """Learn polygenic scores from both populations.

    Parameters
    ----------
    panel : all variants that may enter, in genome order, with TD, VD and ED of both populations.
    names : of the scores.
    n_folds : folds of the cross-validation that judges them.
    learner : learns the scores; from people of both populations when None.

    Yields
    ------
    One candidate a score, and one for the stack of all where there are several; none where there are no
    variants. Accuracies, on TD too, are those of cross-validation: no person was judged by a score that
    had seen that person's label. The stack's weights are of people of the other folds too, judged by
    scores that had. The predictor has learnt from all of them.

    Raises
    ------
    StudyError
        All people that learn are cases, or all controls.
    """
    if panel.variants.empty:
        return
    learner = learner or PeopleLearner()
    people = LearningPeople.gather(panel)
    if people.labels.min() == people.labels.max():
        raise StudyError(
            f"The scores of {phenotype} need cases and controls to learn from; all {len(people.labels)} people "
            f"are {'cases' if people.labels[0] else 'controls'}. Change the phenotype, the sizes or the seed."
        )
    of_phenotype = derive_seed(seed, "scores", phenotype)
    folds = people.fold(n_folds, make_generator(of_phenotype, "folds"))
    margins = cross_validate(people, names, folds, of_phenotype, learner)
    everyone = [take_sample(people.dosages, people.labels, people.target == ours) for ours in (False, True)]
    scores: dict[str, PolygenicScore] = {
        name: learner.learn(name, derive_seed(of_phenotype, "score", name), *everyone) for name in names
    }
    if len(names) > 1:
        unseen = np.column_stack([margins[name] for name in names])
        weights = fit_weights(unseen, people.labels, people.target)
        scores[STACK] = StackedScore([scores[name] for name in names], weights)
        margins[STACK] = cross_stack(unseen, people.labels, people.target, folds)
    for name, score in scores.items():
        slope = _measure_slope(people, margins[name])
        candidate = Candidate(
            key=f"{phenotype}.{SCORES_METHOD}.{name}",
            phenotype=phenotype,
            method=SCORES_METHOD,
            fit_on="target" if people.target.any() else "source",
            panel=panel.name,
            n_snps=int(np.count_nonzero(score.coef_)),
            model=name,
            trainable_layers=0,
            **_measure(people, margins[name]),
        )
        recalibrated = copy(score).recalibrate(slope, everyone)
        yield Fitted(candidate, partial(make_predictor, name, recalibrated, panel, everyone[1].means))


def make_predictor(
    name: str, score: PolygenicScore, panel: PanelData, means: Float64[np.ndarray, " n_variants"]
) -> ScorePredictor:
    """Return a score as a predictor that reads the variants with an effect only."""
    kept = np.flatnonzero(score.coef_)
    if not len(kept):
        kept = np.arange(min(1, len(score.coef_)))
    effects = score.coef_[kept]
    variants = panel.variants[VARIANT_COLUMNS].iloc[kept].reset_index(drop=True)
    # A missing dosage is the target's mean; dosages are centred on it, which the constant makes good.
    centre = Standardiser(means[kept], np.ones(len(kept)))
    return ScorePredictor(variants, centre, name, effects, float(score.intercept_ + means[kept] @ effects))


def _measure_slope(people: LearningPeople, margins: np.ndarray) -> float:
    groups = [at for at in (~people.target, people.target) if at.any()]
    return max(fit_slope([margins[at] for at in groups], [people.labels[at] for at in groups]), LEAST_SLOPE)


def _measure(people: LearningPeople, margins: np.ndarray) -> dict[str, float]:
    right = (margins > 0) == (people.labels == 1)

    def share(at: np.ndarray) -> float:
        return float(right[at].mean()) if at.any() else np.nan

    found = {f"{name.lower()}_accuracy": share(people.target & (people.split == name)) for name in SPLITS}
    return found | {
        "source_ed_accuracy": share(~people.target & (people.split == "ED")),
        "target_cv_accuracy": share(people.target),
        "source_cv_accuracy": share(~people.target),
    }
