"""Whom a model has learnt from, told by prints of their genotypes, so that it is not tested on them.

A print is a hash of a person's genotypes at the ancestry variants of a bundle: it tells whether a
person at hand was among those that learnt, and nothing else. It cannot be turned back, but whoever
has a person's genotypes can find out with it that the person took part.
"""

from __future__ import annotations

import hashlib

import numpy as np

from genotransfer.errors import InputError
from genotransfer.genotypes import Genotypes
from genotransfer.prediction.cohorts import FilesetCohort, read_matched
from genotransfer.prediction.facts import LEARNERS, REMEDY, read_bundle_table
from genotransfer.prediction.match import match_model
from genotransfer.prediction.opened import Bundle

# With fewer variants two people could have the same print.
LEAST_VARIANTS = 50


def print_people(dosages: np.ndarray) -> list[str]:
    """Return a print of each person: 16 digits of the sha256 of the dosages.

    Parameters
    ----------
    dosages : int8 (n_samples, n_variants); nobody has one with fewer than 50 variants.
    """
    if dosages.shape[1] < LEAST_VARIANTS:
        return []
    rows = np.ascontiguousarray(dosages.astype(np.int8))
    return [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in rows]


def find_learners(bundle: Bundle, samples: Genotypes) -> int | None:
    """Return how many people a bundle's model has learnt from.

    None where it cannot be told: the genotypes lack some of the bundle's ancestry variants, or the
    bundle has too few of them.

    Parameters
    ----------
    bundle : of the model.
    samples : people whose genotypes are of the same origin as those that learnt.
    """
    table = read_bundle_table(bundle.folder / LEARNERS)
    if LEARNERS not in bundle.facts.sha256 or "print" not in table:
        raise InputError(
            "the manifest does not name it, or it has no prints", file=bundle.folder / LEARNERS, remedy=REMEDY
        )
    known = set(table["print"].astype(str))
    match = match_model(bundle.ancestry, samples.variants, ambiguous="keep")
    if not known or not match.found.all():
        return None
    dosages = read_matched(FilesetCohort(samples), match, slice(None))
    return sum(one in known for one in print_people(dosages))
