"""Forward selection: variants added one at a time while they explain more than chance would."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.special import gammaln

from genotransfer.scores.base import PolygenicScore, Sample
from genotransfer.scores.pool import Pool, invert


class ForwardScore(PolygenicScore):
    """Least squares on variants chosen one after the other, in both populations together.

    Each step adds the variant of the largest partial correlation with the label given those
    already chosen (the score test). It stops by the extended Bayesian information criterion (EBIC),
    which charges for the number of variants there were to choose from. The effects are those of a joint
    regression on the chosen, with an intercept for each population.

    Parameters
    ----------
    gamma : weight of that charge, 0 (the ordinary BIC) to 1.
    max_variants : number of variants after which to stop in any case.
    patience : number of variants to look beyond the best number so far.
    max_r2 : share of a variant's variance, explained by the chosen, above which it is not added.

    Source
    ------
    Chen and Chen 2008, Biometrika 95:759 (EBIC).
    """

    def __init__(
        self, gamma: float = 1.0, max_variants: int = 50, patience: int = 2, max_r2: float = 0.95
    ) -> None:
        self.gamma = gamma
        self.max_variants = max_variants
        self.patience = patience
        self.max_r2 = max_r2

    def _learn_effects(self, source: Sample, target: Sample) -> Float64[np.ndarray, " n_variants"]:
        people = Pool.gather(source, target)
        rest = people.responses.astype(np.float64)
        start = people.variances * people.n
        free = start.copy()  # sum of squares of each variant that the chosen do not explain
        products = people.multiply(people.responses[:, None])[:, 0].astype(np.float64)
        n_choices = int((start > 0).sum())
        basis = np.empty((people.n, 0))
        chosen: list[int] = []
        best, n_best = self._judge(rest, 0, n_choices), 0
        while len(chosen) < min(self.max_variants, people.n - 2, n_choices):
            usable = (free > (1 - self.max_r2) * start) & (free > 0)
            merits = np.where(usable, products**2 * invert(np.maximum(free, 0)), -1.0)
            variant = int(np.argmax(merits))
            if merits[variant] <= 0:
                break
            values = people.take(np.array([variant]))[:, 0].astype(np.float64)
            for _ in range(2):  # once more: rounding leaves a little of the others
                values -= basis @ (basis.T @ values)
            direction = values / np.linalg.norm(values)
            along = people.multiply(direction.astype(np.float32)[:, None])[:, 0].astype(np.float64)
            gain = float(direction @ rest)
            rest = rest - gain * direction
            products -= gain * along
            free -= along**2
            basis = np.column_stack([basis, direction])
            chosen.append(variant)
            now = self._judge(rest, len(chosen), n_choices)
            if now < best:
                best, n_best = now, len(chosen)
            elif len(chosen) - n_best >= self.patience:
                break
        self.variants_ = np.array(chosen[: max(n_best, min(len(chosen), 1))], dtype=np.int64)
        effects = np.zeros(people.n_variants)
        if len(self.variants_):
            values = people.take(self.variants_).astype(np.float64)
            effects[self.variants_] = np.linalg.lstsq(values, people.responses.astype(np.float64))[0]
        return effects

    def _judge(self, rest: Float64[np.ndarray, " n"], size: int, n_choices: int) -> float:
        """Return the EBIC of a regression on `size` variants with these residuals."""
        n = len(rest)
        ways = gammaln(n_choices + 1) - gammaln(size + 1) - gammaln(n_choices - size + 1)
        likelihood = n * np.log(max(float(rest @ rest), 1e-12) / n)
        return float(likelihood + size * np.log(n) + 2 * self.gamma * ways)
