"""The effects of a registered model, on the variants of a study that goes on from it."""

from __future__ import annotations

import tempfile

import numpy as np
import pandas as pd
from jaxtyping import Float64

from genotransfer.errors import StudyError
from genotransfer.prediction.match import match_model
from genotransfer.prediction.opened import Bundle, open_model

# Share of its variation that the study's variants must hold.
LEAST_EFFECTS = 0.8


def load_effects(place: str, tracking_uri: str, variants: pd.DataFrame) -> Float64[np.ndarray, " n_variants"]:
    """Return a model's effects in the order of a study's variants, 0 where it has none.

    Parameters
    ----------
    place : a bundle's folder, or ``models:/NAME/VERSION``.
    tracking_uri : of the registry; MLFLOW_TRACKING_URI's when empty.
    variants : id, counted, other, and where known chromosome and position.

    Raises
    ------
    StudyError
        The model is no polygenic score, or the variants hold too little of it.
    """
    with tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch:
        bundle = open_model(place, scratch, tracking_uri)
        return align_effects(bundle, place, variants)


def require_effects(place: str, tracking_uri: str) -> None:
    """Check that a model has effects to go on from.

    Raises
    ------
    StudyError
        It is no polygenic score.
    """
    with tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch:
        _take_effects(open_model(place, scratch, tracking_uri), place)


def align_effects(bundle: Bundle, place: str, variants: pd.DataFrame) -> Float64[np.ndarray, " n_variants"]:
    """Return a bundle's effects in the order of variants; see `load_effects`."""
    effects, importance = _take_effects(bundle, place)
    unknown = {name: value for name, value in (("chromosome", "0"), ("position", 0)) if name not in variants}
    match = match_model(bundle.variants, variants.assign(**unknown), ambiguous="keep")
    held = float(importance[match.found].sum())
    if held < LEAST_EFFECTS:
        raise StudyError(
            f"The study's variants hold {held:.0%} of the effects of {place}, below {LEAST_EFFECTS:.0%}. Set "
            "retraining.mode to full, which trains on the variants there are."
        )
    aligned = np.zeros(len(variants))
    sign = np.where(match.swapped, -1.0, 1.0)
    aligned[match.rows[match.found]] = (sign * effects)[match.found]
    return aligned


def _take_effects(bundle: Bundle, place: str) -> tuple[np.ndarray, np.ndarray]:
    effects, importance = bundle.effects, bundle.importance
    if effects is None or importance is None:
        models = ", ".join(one.model for one in bundle.facts.members)
        raise StudyError(
            f"{place} is {models}, and not a polygenic score with effects to go on from. Set retraining.mode to "
            "full, which trains all models anew."
        )
    return effects, importance
