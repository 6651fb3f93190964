"""Random number generators: one for each named item of a study, all from the study's seed."""

import hashlib

import numpy as np


def make_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator of one named item.

    The stream depends on the seed and the names only, not on the order in which items are
    made, so tasks may run in parallel or be repeated and still draw the same numbers.

    Parameters
    ----------
    seed : the study's seed, >= 0.
    names : path of the item, for example ``("phenotype", "5_1", "source")``.

    Examples
    --------
    >>> int(make_generator(7, "a").integers(1000)) == int(make_generator(7, "a").integers(1000))
    True
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    key = [int.from_bytes(digest[start : start + 4], "little") for start in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *key])))


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a 31-bit integer seed of one named item, for libraries that take an integer."""
    return int(make_generator(seed, *names).integers(2**31 - 1))
