"""Names of chromosomes, brought to one form: 1 to 22, X, Y, XY, MT, 0 for unknown."""

from __future__ import annotations

import re

import pandas as pd

UNKNOWN = "0"
# PLINK's numbers of the human chromosomes after the autosomes.
NUMBERED = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT", "": UNKNOWN, ".": UNKNOWN}
AUTOSOMES_AND_SEX = {UNKNOWN, "X", "Y", "XY", "MT", *map(str, range(1, 23))}


def name_chromosome(code: str) -> str:
    """Return a chromosome's name without ``chr`` and leading zeros, PLINK's 23 to 26 as letters.

    Names that are not those of human chromosomes, such as a scaffold's, come back as they are.

    Examples
    --------
    >>> [name_chromosome(code) for code in ("chr01", "23", "chrM", "GL000191.1")]
    ['1', 'X', 'MT', 'GL000191.1']
    """
    bare = re.sub(r"^(chr|chrom)?0*(?=.)", "", code.strip(), flags=re.IGNORECASE)
    upper = bare.upper()
    named = NUMBERED.get(upper, upper)
    return named if named in AUTOSOMES_AND_SEX else code


def name_chromosomes(codes: pd.Series) -> pd.Series:
    """Return `name_chromosome` of every element of a column."""
    return codes.map({code: name_chromosome(code) for code in codes.unique()})
