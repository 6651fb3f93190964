"""Small genotypes and strategies for the tests of formats and alignment."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genotransfer.genotypes import Genotypes

DATA = Path(__file__).parent / "data"
BASES = "ACGT"


def make_samples(n: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "fid": [f"f{at}" for at in range(n)],
            "iid": [f"i{at}" for at in range(n)],
            "father": "0",
            "mother": "0",
            "sex": [at % 3 for at in range(n)],
            "phenotype": [str(at % 2 + 1) for at in range(n)],
        }
    )


def make_variants(n: int, alleles: list[str] | None = None) -> pd.DataFrame:
    """Return n variants; `alleles` holds the counted and the other allele of each, as ``AC``."""
    alleles = alleles or [("AC", "AG", "TC", "TG")[at % 4] for at in range(n)]
    return pd.DataFrame(
        {
            "chromosome": [str(1 + at // -(-n // 22)) for at in range(n)],
            "id": [f"rs{at}" for at in range(n)],
            "cm": [at / 8 for at in range(n)],
            "position": [1000 + 7 * at for at in range(n)],
            "counted": [pair[0] for pair in alleles],
            "other": [pair[1] for pair in alleles],
        }
    )


def draw_dosages(n_samples: int, n_variants: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1, 3, (n_samples, n_variants)).astype(np.int8)


def make_genotypes(
    prefix: Path, n_samples: int = 7, n_variants: int = 10, seed: int = 0, alleles: list[str] | None = None
) -> Genotypes:
    return Genotypes.from_dosages(
        prefix,
        draw_dosages(n_samples, n_variants, seed),
        make_variants(n_variants, alleles),
        make_samples(n_samples),
    )


def list_folder(folder: Path) -> dict[str, bytes | None]:
    """Return everything under a folder, to see whether something changed it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


dosage_matrices = hnp.arrays(
    np.int8,
    st.tuples(st.integers(1, 9), st.integers(1, 12)),
    elements=st.integers(-1, 2),
)
snp_alleles = st.permutations(BASES).map(lambda letters: "".join(letters[:2]))
unambiguous_alleles = snp_alleles.filter(lambda pair: set(pair) not in ({"A", "T"}, {"C", "G"}))
