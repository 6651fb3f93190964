"""The rule of promotion: a challenger against the champion on the same people."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

from genotransfer.final_data import SHORT
from genotransfer.paired import PairedComparison
from genotransfer.registry_settings import Registry

FIRST = "The first model: there was no champion to compare it with."
Outcome = Literal["promoted", "kept", "refused", "off", "held"]


@dataclass(frozen=True)
class Decision:
    """What was decided of a version, and why.

    Attributes
    ----------
    phenotype, name, version : of the challenger.
    outcome : ``promoted``; ``kept``, the champion stays; ``refused``, it could not be asked; ``off``, the
        study promotes nothing; ``held``, the version is the champion already.
    reason : in words.
    champion : version of the champion there was; empty where there was none.
    final_sha256 : of the people it was decided on; empty where it was on none.
    comparison : challenger less champion; None where they were not compared.
    """

    phenotype: str
    name: str
    version: str
    outcome: Outcome
    reason: str
    champion: str
    final_sha256: str
    comparison: PairedComparison | None = None

    def to_tags(self) -> dict[str, str]:
        """Return the decision as tags of the version."""
        tags = {
            "decision": self.outcome,
            "decision_reason": self.reason,
            "decided_against": self.champion or "none",
        }
        if self.final_sha256:
            tags["decided_on_final"] = self.final_sha256
        if self.comparison is not None:
            numbers = asdict(self.comparison).items()
            tags |= {f"compared_{name}": f"{value:.6g}" for name, value in numbers if not math.isnan(value)}
        return tags


def judge(rule: Registry, comparison: PairedComparison, champion: str) -> tuple[Outcome, str]:
    """Return whether a challenger is better than the champion by the study's rule, and why.

    Parameters
    ----------
    rule : its measure, level and least gain.
    comparison : the challenger less the champion.
    champion : version of the champion.
    """
    by_auc = rule.measure == "auc"
    gain = comparison.auc_difference if by_auc else comparison.accuracy_difference
    p = comparison.auc_p if by_auc else comparison.mcnemar_p
    test = "bootstrap" if by_auc else "McNemar"
    said = (
        f"{'AUC' if by_auc else 'accuracy'} {gain:+.3f} against version {champion} on {comparison.n:,} "
        f"people ({test} P {p:.2g})"
    )
    if math.isnan(gain) or math.isnan(p):
        return "refused", "Not comparable: the final data have one class only."
    if gain >= rule.least_gain and gain > 0 and p < rule.level:
        return "promoted", f"Better: {said}."
    why = f"below the least gain of {rule.least_gain:g}" if p < rule.level and gain > 0 else "not better"
    return "kept", f"The champion stays, the challenger is {why}: {said}, level {rule.level:g}."


def refuse_reused(name: str, final: str, used_by: str) -> str:
    """Return why final data that decided before are refused."""
    return (
        f"These final data ({final[:SHORT]}) decided version {used_by} of {name} before; deciding on the same "
        f"people again and again finds luck. Take new people, or allow it by name: "
        f"registry.reuse_final: [{final[:SHORT]}]."
    )
