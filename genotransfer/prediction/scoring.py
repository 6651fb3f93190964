"""A model's probabilities for people whose genotypes are at hand, of the same origin as those it knows."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from genotransfer.genotypes import Genotypes
from genotransfer.prediction.cohorts import FilesetCohort, read_matched
from genotransfer.prediction.match import match_model
from genotransfer.prediction.opened import Bundle


def score_genotypes(bundle: Bundle, people: Genotypes) -> Float64[np.ndarray, " n"]:
    """Return each person's probability of being a case; variants they lack count as the model's means.

    Ambiguous variants are taken as they are named: a study has brought its populations to one strand.
    """
    match = match_model(bundle.variants, people.variants, ambiguous="keep")
    return bundle.score(read_matched(FilesetCohort(people), match, slice(None)), ~match.found)
