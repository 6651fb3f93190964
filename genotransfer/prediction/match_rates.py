"""How much of a model a file holds, and the refusal of one that holds too little."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from genotransfer.errors import InputError
from genotransfer.prediction.cohorts import Cohort
from genotransfer.prediction.match import VariantMatch
from genotransfer.prediction.opened import Bundle


def measure_match(bundle: Bundle, match: VariantMatch) -> tuple[float, float | None]:
    """Return the share of the model's variants in a file, and that of its effects where they are known."""
    found = match.found[: bundle.n_variants]
    importance = bundle.importance
    return float(found.mean()), None if importance is None else min(1.0, float(importance[found].sum()))


def refuse_poor(
    bundle: Bundle,
    cohort: Cohort,
    match: VariantMatch,
    rates: tuple[float, float | None],
    input: str | Path,
    least: float,
) -> None:
    """Refuse a file that holds too little of the model.

    Parameters
    ----------
    rates : from `measure_match`.
    input : the file, for the message.
    least : least share of the variants, and of the effects where they are known.

    Raises
    ------
    InputError
        It does.
    """
    share, of_effects = rates
    lowest = share if of_effects is None else min(share, of_effects)
    if lowest >= least:
        return
    who = "" if Path(input).is_file() or len(cohort.iids) != 1 else f" of {cohort.iids[0]}"
    effects = "" if of_effects is None else f", which carry {of_effects:.1%} of its effects"
    moved = (
        " Their positions are those of another genome build, so that none could be found by position."
        if match.other_build
        else ""
    )
    build = f" of build {bundle.facts.build}" if bundle.facts.build else ""
    first = ", ".join(
        f"{row.id} at {row.chromosome}:{row.position}" for row in bundle.variants.head(2).itertuples()
    )
    raise InputError(
        f"the file{who} holds {share:.1%} of the model's {bundle.n_variants} variants{effects}, below "
        f"{least:.1%}.{moved} The model's begin with {first}; the file's with "
        f"{_name_first(cohort.variants)}",
        file=input,
        remedy=f"Give genotypes with these ids, or with positions{build}, imputed where the chip lacks them; "
        "of a sequenced person all sites, not those alone where they differ from the reference; or lower "
        "--least-match-rate, and missing variants count as the model's mean",
    )


def _name_first(variants: pd.DataFrame) -> str:
    return ", ".join(f"{row.id} at {row.chromosome}:{row.position}" for row in variants.head(2).itertuples())
