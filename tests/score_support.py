"""Two small populations with LD and a trait of a few risk variants, for the tests of scores."""

from dataclasses import dataclass

import numpy as np

from genotransfer.scores.base import Sample


@dataclass
class Study:
    """Dosages and labels of people to learn from, of both populations, and of others of the target."""

    X: np.ndarray
    y: np.ndarray
    target: np.ndarray
    X_new: np.ndarray
    y_new: np.ndarray

    def samples(self) -> tuple[Sample, Sample]:
        """Return source and target as a score receives them."""
        both = []
        for at in (~self.target, self.target):
            means = self.X[at].mean(axis=0, dtype=np.float64)
            both.append(Sample(self.X[at] - means.astype(np.float32), self.y[at], means))
        return both[0], both[1]


def draw_dosages(n: int, frequencies: np.ndarray, persistence: float, rng: np.random.Generator) -> np.ndarray:
    """Return dosages (n, m) of two haplotypes whose neighbours are in LD."""
    total = np.zeros((n, len(frequencies)), dtype=np.float32)
    for _ in range(2):
        hidden = rng.standard_normal((n, len(frequencies)))
        for at in range(1, len(frequencies)):
            fresh = np.sqrt(1 - persistence**2) * hidden[:, at]
            hidden[:, at] = persistence * hidden[:, at - 1] + fresh
        cuts = -np.quantile(hidden, frequencies, axis=0).diagonal()
        total += hidden < -cuts
    return total


def draw_study(seed: int = 3, n_source: int = 300, n_target: int = 60, n_variants: int = 240) -> Study:
    """Return a study whose trait has four risk variants and a heritability of about .7."""
    rng = np.random.default_rng(seed)
    frequencies = rng.uniform(0.15, 0.85, n_variants)
    n_new = 400
    source = draw_dosages(n_source, frequencies, 0.9, rng)
    others = draw_dosages(
        n_target + n_new, np.clip(frequencies + rng.normal(0, 0.1, n_variants), 0.1, 0.9), 0.7, rng
    )
    risk = rng.choice(n_variants, 4, replace=False)
    labels = []
    for dosages in (source, others):
        genetic = (dosages[:, risk] - dosages[:, risk].mean(axis=0)) @ np.array([1.0, -1.0, 1.0, 1.0])
        liability = genetic / genetic.std() * np.sqrt(0.7) + rng.normal(0, np.sqrt(0.3), len(dosages))
        labels.append((liability > 0).astype(np.int8))
    return Study(
        X=np.concatenate([source, others[:n_target]]),
        y=np.concatenate([labels[0], labels[1][:n_target]]),
        target=np.arange(n_source + n_target) >= n_source,
        X_new=others[n_target:],
        y_new=labels[1][n_target:],
    )
