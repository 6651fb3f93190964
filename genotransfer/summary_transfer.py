"""Score transfer from statistics of the source, or from a published score, to people of the target."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.from_summary import SummaryScore
from genotransfer.scores.ready import ReadyScore
from genotransfer.scores.registry import SUMMARY_SCORES, build_score
from genotransfer.scores.summary_sample import SummarySample
from genotransfer.scores.susie import MANY

# A study of many people finds more effects than the 10 that are enough for a thousand people.
LARGE = {name: {"n_effects": 40, "screened": 2000} for name in ("susie", "susie_joint")}


@dataclass(frozen=True, eq=False)
class SummaryLearner:
    """Learns scores from statistics of the source and people of the target.

    Attributes
    ----------
    source : of the variants of the target's dosages, in their order.
    """

    source: SummarySample
    _learnt: dict[str, Float64[np.ndarray, " n_variants"]] = field(default_factory=dict, repr=False)

    def learn(self, name: str, seed: int, source: Sample, target: Sample) -> PolygenicScore:
        """Return the fitted score of a name in `SUMMARY_SCORES`.

        What a score learns from the source alone it learns once, not anew for each fold of the target.
        """
        large = LARGE.get(name, {}) if self.source.n > MANY else {}
        score = build_score(SUMMARY_SCORES[name], seed, **large)
        assert isinstance(score, SummaryScore)
        if not score.source_only:
            return score.fit_statistics(self.source, target)
        if name not in self._learnt:
            self._learnt[name] = score.learn_effects(self.source, target)
        return score.adapt(self._learnt[name], self.source, target)


@dataclass(frozen=True, eq=False)
class ReadyLearner:
    """Adapts a published score to people of the target.

    Attributes
    ----------
    weights : of one copy of each counted allele, in the order of the target's dosages.
    """

    weights: Float64[np.ndarray, " n_variants"]

    def learn(self, name: str, seed: int, source: Sample, target: Sample) -> PolygenicScore:
        """Return the score with the slope and the intercept of these people."""
        return ReadyScore(self.weights).fit_people(target)
