"""Logistic regression of the label on A1's dosage, every variant of a block at once.

Newton's method runs on all variants together; a variant leaves the batch when it has converged.
Where the likelihood has no maximum, because A1 parts cases from controls, Firth's penalised
likelihood gives an estimate, as PLINK 2 does by default.

Source: Firth 1993, Biometrika 80:27; Heinze & Schemper 2002, Stat Med 21:2409.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import expit

MAX_ITERATIONS = {False: 40, True: 200}
TOLERANCE = 1e-9
MAX_STEP = 5.0
# Beyond these log odds a fit is running off to infinity, and its information matrix is singular.
DIVERGED = 30.0


@dataclass(frozen=True)
class LogisticFit:
    """Log odds ratio of one more copy of A1 and its standard error; NaN where there is no fit."""

    beta: Float64[np.ndarray, " k"]
    se: Float64[np.ndarray, " k"]


@dataclass
class _Batch:
    """The fits still running: grouped binomial data, n rows by k variants."""

    common: Float64[np.ndarray, "n q"]
    dosage: Float64[np.ndarray, "n k"]
    cases: Float64[np.ndarray, "n k"]
    totals: Float64[np.ndarray, "n k"]
    products: Float64[np.ndarray, "n q2"] = field(init=False)

    def __post_init__(self) -> None:
        n, q = self.common.shape
        self.products = (self.common[:, :, None] * self.common[:, None, :]).reshape(n, q * q)

    def take(self, keep: Bool[np.ndarray, " k"]) -> "_Batch":
        """Return the batch of some variants."""
        return _Batch(self.common, self.dosage[:, keep], self.cases[:, keep], self.totals[:, keep])

    def predict(self, beta: Float64[np.ndarray, "k p"]) -> Float64[np.ndarray, "n k"]:
        """Return each row's probability of being a case."""
        return np.asarray(expit(self.common @ beta[:, :-1].T + self.dosage * beta[:, -1]))

    def gather(self, values: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "k p"]:
        """Return the design's transpose times `values`."""
        last = (self.dosage * values).sum(axis=0)
        return np.column_stack([values.T @ self.common, last])

    def inform(self, weights: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "k p p"]:
        """Return the information matrices X' W X."""
        k, q = weights.shape[1], self.common.shape[1]
        information = np.empty((k, q + 1, q + 1))
        information[:, :q, :q] = (weights.T @ self.products).reshape(k, q, q)
        weighted = weights * self.dosage
        information[:, q, :q] = information[:, :q, q] = weighted.T @ self.common
        information[:, q, q] = (weighted * self.dosage).sum(axis=0)
        return information

    def leverage(self, inverse: Float64[np.ndarray, "k p p"]) -> Float64[np.ndarray, "n k"]:
        """Return x' inverse x of every row and variant."""
        k, q = len(inverse), self.common.shape[1]
        common = self.products @ inverse[:, :q, :q].reshape(k, q * q).T
        cross = 2 * self.dosage * (self.common @ inverse[:, :q, q].T)
        return np.asarray(common + cross + self.dosage**2 * inverse[:, q, q])


def fit_logistic(
    common: Float64[np.ndarray, "n q"],
    dosage: Float64[np.ndarray, "n k"],
    cases: Float64[np.ndarray, "n k"],
    totals: Float64[np.ndarray, "n k"],
    *,
    firth: bool = False,
) -> LogisticFit:
    """Fit logit P(case) = common a + dosage b, for each of k variants.

    Parameters
    ----------
    common : the intercept and the covariates, the same for all variants.
    dosage : copies of A1; any number where `totals` is 0.
    cases, totals : cases and people in each row; 0 and 0 where the genotype is missing. A row
        may be one person or, without covariates, all people of one genotype.
    firth : maximise Firth's penalised likelihood.

    Returns
    -------
    LogisticFit; NaN where the iterations did not converge.
    """
    k, p = dosage.shape[1], common.shape[1] + 1
    result = LogisticFit(np.full(k, np.nan), np.full(k, np.nan))
    running, batch, beta = np.arange(k), _Batch(common, dosage, cases, totals), np.zeros((k, p))
    for _ in range(MAX_ITERATIONS[firth]):
        if not len(running):
            break
        step, inverse = _step(batch, beta, firth)
        beta = beta + step
        size = np.abs(step).max(axis=1)
        done = size < TOLERANCE * (1 + np.abs(beta).max(axis=1))
        result.beta[running[done]] = beta[done, -1]
        result.se[running[done]] = np.sqrt(inverse[done, -1, -1])
        keep = ~done & np.isfinite(size) & (np.abs(beta[:, -1]) < DIVERGED)
        running, batch, beta = running[keep], batch.take(keep), beta[keep]
    return result


def _step(
    batch: _Batch, beta: Float64[np.ndarray, "k p"], firth: bool
) -> tuple[Float64[np.ndarray, "k p"], Float64[np.ndarray, "k p p"]]:
    fitted = batch.predict(beta)
    spread = fitted * (1 - fitted)
    inverse = curvature = _invert(batch.inform(batch.totals * spread))
    residual = batch.cases - batch.totals * fitted
    if firth:
        # The penalty pulls with the leverage; with its share in the curvature left out, the steps of a
        # variant with one carrier would swing about the maximum for ever.
        leverage = spread * batch.leverage(inverse)
        residual = residual + batch.totals * leverage * (0.5 - fitted)
        curvature = _invert(batch.inform(batch.totals * spread * (1 + leverage)))
    step = (curvature @ batch.gather(residual)[:, :, None])[:, :, 0]
    longest = np.abs(step).max(axis=1, keepdims=True)
    return step * np.minimum(1, MAX_STEP / np.maximum(longest, 1e-300)), inverse


def _invert(matrices: Float64[np.ndarray, "k p p"]) -> Float64[np.ndarray, "k p p"]:
    """Invert, with NaN for a matrix that is singular to working precision."""
    scale = np.sqrt(np.einsum("kii->ki", matrices))
    scale = np.where(scale > 0, scale, 1)
    scaled = matrices / (scale[:, :, None] * scale[:, None, :])
    finite = np.isfinite(scaled).all(axis=(1, 2))
    scaled[~finite] = np.eye(matrices.shape[1])
    sound = finite & (np.linalg.eigvalsh(scaled)[:, 0] > 1e-10)
    scaled[~sound] = np.eye(matrices.shape[1])
    inverse = np.linalg.inv(scaled) / (scale[:, :, None] * scale[:, None, :])
    inverse[~sound] = np.nan
    return np.asarray(inverse)
