"""The polygenic scores by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from genotransfer.errors import StudyError
from genotransfer.scores.base import PolygenicScore

# Imported when asked for: a task fits a few of them, and some bring libraries of their own.
SCORES = {
    "susie": "genotransfer.scores.susie:SourceSusie",
    "susie_joint": "genotransfer.scores.susie:JointSusie",
    "clumping": "genotransfer.scores.clumping:ClumpingScore",
    "forward": "genotransfer.scores.forward:ForwardScore",
    "lasso": "genotransfer.scores.lasso:LassoScore",
    "elastic_net": "genotransfer.scores.lasso:ElasticNetScore",
    "gblup": "genotransfer.scores.gblup:GblupScore",
    "logistic": "genotransfer.scores.logistic:LogisticScore",
    "tuned": "genotransfer.scores.tuned:TunedScore",
    "coral": "genotransfer.scores.adaptation:CoralScore",
    "tca": "genotransfer.scores.adaptation:TcaScore",
    "shrinkage": "genotransfer.scores.shrinkage:ShrinkageScore",
    "ready": "genotransfer.scores.ready:ReadyScore",
    "champion": "genotransfer.scores.champion:ChampionScore",
    "clumping_summary": "genotransfer.scores.summary_clumping:SummaryClumping",
}

# The forms that learn from statistics of the source, by the names a study gives scores.
SUMMARY_SCORES = {
    "clumping": "clumping_summary",
    "susie": "susie",
    "susie_joint": "susie_joint",
    "shrinkage": "shrinkage",
}


def build_score(name: str, seed: int, **settings: Any) -> PolygenicScore:
    """Return an unfitted score.

    Parameters
    ----------
    name : a key of `SCORES`.
    seed : of what is random in it; given to those that take a ``random_state``.
    settings : parameters of its constructor, where not the default.

    Raises
    ------
    StudyError
        There is no such score.
    """
    if name not in SCORES:
        raise StudyError(f"There is no score {name!r}. Choose from: {', '.join(SCORES)}.")
    module, _, attribute = SCORES[name].partition(":")
    score: PolygenicScore = getattr(import_module(module), attribute)(**settings)
    if "random_state" in score.get_params():
        score.set_params(random_state=seed % 2**32)
    return score
