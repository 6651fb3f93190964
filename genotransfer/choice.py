"""The study's one model of a phenotype, chosen among all methods by all the evidence there is.

The best of thousands of candidates on 20 people is mostly lucky. This rule reads everything that a
candidate got right on people it had not learnt from: the target's VD and ED, or its cross-validation
over all people that learn, and the source's ED or cross-validation, whose people count for less.
The estimate is shrunk towards a coin, and lowered by what the best of as many guessing candidates
would gain: a method with thousands of candidates needs more evidence than one with ten. Where the
target's people are too few to tell candidates apart the source decides. The candidates that come
near the best are averaged, or left to the stack of scores where it is one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.candidates import CHOSEN, STACK
from genotransfer.selection import rank_candidates, split_digits

MEMBER_COLUMNS = ["phenotype", "key", "weight"]


@dataclass(frozen=True)
class EvidenceSizes:
    """How many people stand behind a candidate's accuracies.

    Attributes
    ----------
    target_td, target_vd, target_ed, source, source_ed : people of the splits; source: of all of its splits.
    """

    target_td: int
    target_vd: int
    target_ed: int
    source: int
    source_ed: int


@dataclass(frozen=True)
class EvidenceRule:
    """Constants of the rule; found on simulated studies, see docs/explanation/selection.md.

    Attributes
    ----------
    source_person : what one person of the source counts, in people of the target.
    coin : people's worth of belief that a candidate is a coin.
    most : candidates averaged at most.
    """

    source_person: float = 0.2
    coin: float = 20.0
    most: int = 3

    def estimate(self, leaderboard: pd.DataFrame, sizes: EvidenceSizes) -> tuple[np.ndarray, np.ndarray]:
        """Return each candidate's shrunken accuracy on the target, and its standard error.

        Parameters
        ----------
        leaderboard : the table of candidates.
        sizes : people behind the accuracies.
        """
        validated = leaderboard["target_cv_accuracy"].notna().to_numpy()
        right, people = np.full(len(leaderboard), self.coin / 2), np.full(len(leaderboard), self.coin)
        for column, n, where in (
            ("target_cv_accuracy", sizes.target_td + sizes.target_vd + sizes.target_ed, validated),
            ("source_cv_accuracy", self.source_person * sizes.source, validated),
            ("vd_accuracy", sizes.target_vd, ~validated),
            ("ed_accuracy", sizes.target_ed, ~validated),
            ("source_ed_accuracy", self.source_person * sizes.source_ed, ~validated),
        ):
            values = leaderboard[column].to_numpy(dtype=np.float64)
            known = where & np.isfinite(values)
            right[known] += n * values[known]
            people[known] += n
        mean = right / people
        return mean, np.sqrt(mean * (1 - mean) / people)

    def judge(self, leaderboard: pd.DataFrame, sizes: EvidenceSizes) -> Float64[np.ndarray, " n_candidates"]:
        """Return each candidate's merit: its estimate less what luck gives the best of its method."""
        mean, error = self.estimate(leaderboard, sizes)
        counts = leaderboard.groupby(["phenotype", "method"])["key"].transform("size").to_numpy(dtype=float)
        return np.asarray(mean - error * np.sqrt(2 * np.log(np.maximum(counts, 1.0))))


def choose_by_evidence(
    leaderboard: pd.DataFrame,
    sizes: EvidenceSizes,
    rule: EvidenceRule | None = None,
    among: set[str] | None = None,
) -> pd.DataFrame:
    """Choose each phenotype's model: one candidate, or an average of a few.

    Parameters
    ----------
    leaderboard : the table of all candidates.
    sizes : people behind the accuracies.
    rule : its constants.
    among : keys of those that can be chosen, as their models were kept; all of them when None.

    Returns
    -------
    phenotype, key, weight: the candidates to average, the best first; weights of a phenotype add up to 1.
    """
    rule = rule or EvidenceRule()
    ranked = rank_candidates(leaderboard)
    ranked = ranked.assign(merit=rule.judge(ranked, sizes), error=rule.estimate(ranked, sizes)[1])
    if among is not None:
        ranked = ranked[ranked["key"].isin(among)]
    parts = []
    for _, group in sorted(
        ranked.groupby("phenotype", sort=False), key=lambda pair: split_digits(str(pair[0]))
    ):
        ordered = group.sort_values("merit", ascending=False, kind="stable")
        best = ordered.iloc[0]
        # Only of the same method: two methods' merits differ by the people they were judged on.
        near = (ordered["merit"] >= best["merit"] - best["error"] / 2) & (ordered["method"] == best["method"])
        leaders = ordered[near].head(rule.most)
        # A stack is an average already, with weights that were learnt.
        stacks = ordered[near & (ordered["model"] == STACK)]
        leaders = stacks.head(1) if len(stacks) else leaders
        parts.append(leaders.assign(weight=1 / len(leaders)))
    members: pd.DataFrame = pd.concat(parts, ignore_index=True)[MEMBER_COLUMNS]
    return members


def choose_by_ed(leaderboard: pd.DataFrame) -> pd.DataFrame:
    """Choose each phenotype's model by the paper's rule: the best on the target's ED of all methods.

    Returns
    -------
    phenotype, key, weight, as `choose_by_evidence`.
    """
    first = rank_candidates(leaderboard).drop_duplicates("phenotype").assign(weight=1.0)
    order = sorted(range(len(first)), key=lambda at: split_digits(str(first["phenotype"].iloc[at])))
    members: pd.DataFrame = first.iloc[order][MEMBER_COLUMNS].reset_index(drop=True)
    return members


def describe_choice(leaderboard: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Return one row a phenotype, in the leaderboard's columns, for the models chosen among all methods.

    Parameters
    ----------
    leaderboard : the table of all candidates.
    members : from `choose_by_evidence` or `choose_by_ed`.
    """
    by_key = leaderboard.set_index("key", drop=False)
    rows = []
    for phenotype, group in members.groupby("phenotype", sort=False):
        row = by_key.loc[group["key"].iloc[0]].copy()
        models = list(by_key.loc[group["key"], "model"])
        row["method"] = CHOSEN
        row["model"] = models[0] if len(models) == 1 else f"mean of {', '.join(models)}"
        row["phenotype"], row["n_tied"] = phenotype, 1
        rows.append(row)
    return pd.DataFrame(rows).reset_index(drop=True)


def average_scores(
    scores: list[Float64[np.ndarray, " n_samples"]], weights: list[float]
) -> Float64[np.ndarray, " n_samples"]:
    """Return the probability of being a case by the mean log odds of several models.

    Parameters
    ----------
    scores : probabilities of each model; one that is 0 or 1 counts as 1e-6 from it.
    weights : of the models, adding up to 1.
    """
    if len(scores) == 1:
        return scores[0]
    bounded = [np.clip(one, 1e-6, 1 - 1e-6) for one in scores]
    margin = sum(weight * np.log(one / (1 - one)) for one, weight in zip(bounded, weights, strict=True))
    return np.asarray(1 / (1 + np.exp(-margin)), dtype=np.float64)
