"""What a study can do whose source is known by its statistics alone, or by a published score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genotransfer.candidates import NETWORK_METHODS, SCORES_METHOD

if TYPE_CHECKING:
    from genotransfer.config import Study

# Scores with a form that learns from statistics; genotransfer.scores.registry has both.
SUMMARY_SCORES = ("clumping", "susie", "susie_joint", "shrinkage")
READY = "ready"
SCORE_FORMAT = "pgs-catalog"


def has_statistics(source: Any) -> bool:
    """Say whether the settings of a source, read or not yet, name statistics."""
    return "statistics" in source if isinstance(source, dict) else hasattr(source, "statistics")


def fill_defaults(study: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a study, its methods and scores those possible where none are named.

    Parameters
    ----------
    study : as given by the user. One with individual data of the source is returned as it is.
    """
    source = _take(study.get("genotypes"), "source")
    if source is None or not has_statistics(source):
        return study
    ready = _take(source, "format") == SCORE_FORMAT
    methods = ["none", SCORES_METHOD] if ready else ["none", "snp_transfer", SCORES_METHOD]
    possible = {
        "transfer": {"methods": methods, "fit_on": ["target"]},
        "models": {"scores": [READY] if ready else list(SUMMARY_SCORES)},
    }
    filled = dict(study)
    for group, defaults in possible.items():
        named = study.get(group, {})
        # What was made in Python knows what it was made with.
        named = named if isinstance(named, dict) or named is None else named.model_dump(exclude_unset=True)
        if isinstance(named, dict):
            filled[group] = defaults | named
    return filled


def check_study(study: Study) -> None:
    """Check that the study asks for nothing that its source cannot give.

    Raises
    ------
    ValueError
        It does; the message says what to set.
    """
    scores = study.models.scores if SCORES_METHOD in study.transfer.methods else []
    statistics = study.statistics
    if statistics is None:
        if READY in scores:
            raise ValueError(
                "models.scores: 'ready' is a published score, and genotypes.source names none. Give "
                "genotypes.source.statistics a scoring file, with format pgs-catalog, or take 'ready' out"
            )
        return
    if study.phenotypes.kind != "files" or len(study.phenotype_names) != 1:
        raise ValueError(
            "genotypes.source gives statistics, which are of one phenotype: phenotypes must be of kind "
            "'files' with one column, the same phenotype in the target"
        )
    deep = [method for method in study.transfer.methods if method in NETWORK_METHODS]
    if deep:
        left = [method for method in study.transfer.methods if method not in NETWORK_METHODS]
        raise ValueError(
            f"transfer.methods: {', '.join(deep)} learn from people of the source, and genotypes.source gives "
            f"statistics only. Set transfer.methods to {left or ['none', SCORES_METHOD]}"
        )
    if "snp_transfer" in study.transfer.methods and "source" in study.transfer.fit_on:
        raise ValueError(
            "transfer.fit_on: models cannot be fitted on a source of which there are statistics only. "
            "Set transfer.fit_on to ['target']"
        )
    if study.panels.statistic == "difference":
        raise ValueError(
            "panels.statistic: statistics of the source have no mutation difference. Set it to p"
        )
    if statistics.format == SCORE_FORMAT and "snp_transfer" in study.transfer.methods:
        raise ValueError(
            "transfer.methods: a published score has no p-values to select the panels of SNP transfer by. "
            f"Set transfer.methods to {['none', SCORES_METHOD]}"
        )
    known = [READY] if statistics.format == SCORE_FORMAT else [*SUMMARY_SCORES, READY]
    impossible = [name for name in scores if name not in known]
    if impossible:
        raise ValueError(
            f"models.scores: {', '.join(impossible)} cannot be learnt from what genotypes.source gives. "
            f"Choose from {', '.join(known[:-1] or known)}"
        )


def _take(group: Any, name: str) -> Any:
    """Return one of a group of settings, read or not yet; None where there is none."""
    return group.get(name) if isinstance(group, dict) else getattr(group, name, None)
