"""Candidates: every fitted model of a study, with what selection may know of it.

The leaderboard is the table of all candidates, one row each. It holds accuracies on TD, VD and
ED only: nothing in it comes from FD.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

# The paper's three forms of deep transfer; its tables choose among these alone.
DEEP_METHODS = ("deep_simple", "deep_pretrained", "deep_finetuned")
# Deep transfer that also learns from people without a label; no form of the paper's.
ADAPTED = "deep_adapted"
# What a network's family of models holds.
NETWORK_METHODS = (*DEEP_METHODS, ADAPTED)
SCORES_METHOD = "score_transfer"
METHODS = ("none", "snp_transfer", *NETWORK_METHODS, SCORES_METHOD)
# The model of score transfer that is a weighted sum of the others.
STACK = "stack"
# A score that begins with the registered champion's effects.
CHAMPION_SCORE = "champion"
# The study's one model of a phenotype, chosen among all methods; beside the methods in the results.
CHOSEN = "chosen"
RESULT_METHODS = (*METHODS, CHOSEN)


@dataclass(frozen=True)
class Candidate:
    """One fitted model.

    Attributes
    ----------
    key : unique within the study, stable, usable as a folder's name.
    phenotype : name of the phenotype within the study, e.g. ``5_1``.
    method : one of `METHODS`.
    fit_on : the population the last fit used: ``source`` or ``target``.
    panel : name of the SNP panel, e.g. ``source_03``.
    n_snps : number of variants in the panel.
    model : what is printed, e.g. ``svm``, ``gru_1``, ``gru_1+svm`` (a classical head on a frozen network).
    trainable_layers : layers trained on the target: 0 when none, 1 for the top one only.
    td_accuracy, vd_accuracy, ed_accuracy : accuracy on the target's splits, 0 to 1. Of a score, all
        are by cross-validation over all people that learn, and the model kept has learnt from all.
    source_ed_accuracy : accuracy on the source's ED; NaN when the model cannot be applied there.
    target_cv_accuracy, source_cv_accuracy : by cross-validation over TD, VD and ED together; NaN for
        a model that is not cross-validated.
    """

    key: str
    phenotype: str
    method: str
    fit_on: str
    panel: str
    n_snps: int
    model: str
    trainable_layers: int
    td_accuracy: float
    vd_accuracy: float
    ed_accuracy: float
    source_ed_accuracy: float
    target_cv_accuracy: float = math.nan
    source_cv_accuracy: float = math.nan


LEADERBOARD_COLUMNS = list(Candidate.__dataclass_fields__)


def tabulate(candidates: list[Candidate]) -> pd.DataFrame:
    """Return the leaderboard, one row a candidate, in the order given."""
    return pd.DataFrame([asdict(one) for one in candidates], columns=LEADERBOARD_COLUMNS)
