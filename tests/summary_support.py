"""Small populations with known effects, and their statistics by closed forms."""

import numpy as np
import pandas as pd

from genotransfer.summary import SummaryStatistics
from genotransfer.summary.statistics import clean_statistics


def draw_population(n: int, m: int, seed: int, frequencies: np.ndarray | None = None) -> np.ndarray:
    """Dosages of people whose neighbouring variants go together: haplotypes that copy their left neighbour."""
    rng = np.random.default_rng(seed)
    frequencies = np.random.default_rng(7).uniform(0.15, 0.6, m) if frequencies is None else frequencies
    drawn = rng.random((2, n, m))
    copies = rng.random((2, n, m)) < 0.7
    for at in range(1, m):
        drawn[:, :, at] = np.where(copies[:, :, at], drawn[:, :, at - 1], drawn[:, :, at])
    return (drawn < frequencies).sum(axis=0).astype(np.float32)


def draw_labels(dosages: np.ndarray, effects: np.ndarray, seed: int) -> np.ndarray:
    """Cases where a liability of heritability near .6 is above its median."""
    liability = dosages @ effects
    noise = np.random.default_rng(seed).normal(0, liability.std() * 0.8, len(dosages))
    return (liability + noise > np.median(liability + noise)).astype(int)


def regress(dosages: np.ndarray, outcome: np.ndarray) -> SummaryStatistics:
    """Least squares of the outcome on each variant and an intercept, by the normal equations."""
    n, m = dosages.shape
    beta, se = np.empty(m), np.empty(m)
    for at in range(m):
        design = np.column_stack([np.ones(n), dosages[:, at].astype(np.float64)])
        inverse = np.linalg.inv(design.T @ design)
        found = inverse @ design.T @ outcome
        rest = outcome - design @ found
        beta[at], se[at] = found[1], np.sqrt(inverse[1, 1] * (rest @ rest) / (n - 2))
    return clean_statistics(describe(m).assign(beta=beta, se=se, n=float(n)), scale="linear")


def describe(m: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"rs{at}" for at in range(m)],
            "chromosome": "1",
            "position": np.arange(m, dtype=np.int64) * 5000 + 1000,
            "counted": "A",
            "other": "C",
            "beta": 0.1,
            "se": 0.05,
            "p": np.nan,
            "n": 100.0,
            "frequency": np.nan,
        }
    )
