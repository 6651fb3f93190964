"""Domain adaptation of the source's people to the target: CORAL and TCA, in linear forms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.covariance import ledoit_wolf

from genotransfer.scores.logistic import LogisticScore


class CoralScore(LogisticScore):
    """Logistic regression after correlation alignment (CORAL) of the source to the target.

    The source's dosages are turned so that their covariance, the LD, is the target's; the
    regression learns from them and from the target's people as they are. Its effects hold on the target's
    dosages. Variants, penalty and folds are as in `LogisticScore`.

    Parameters
    ----------
    sizes, r2, distance, n_folds, random_state : see `LogisticScore`.

    Notes
    -----
    Correlations are shrunk as Ledoit and Wolf do, by scikit-learn: with few people of the target the
    plain ones say more than they know. skada 0.6.0 (BSD) fits the locked versions, and its CORAL is
    the oracle of a test. It is not needed to run: it brings POT, which imports TensorFlow where that is
    installed, for what are two roots of matrices. adapt 0.4.5 needs cvxopt, which is under the GPL, and
    tensorflow besides tensorflow-cpu.

    Source
    ------
    Sun, Feng and Saenko 2016, Return of frustratingly easy domain adaptation, AAAI 30:2058; Ledoit
    and Wolf 2004, J Multivar Anal 88:365.
    """

    def _map(
        self,
        values: Float64[np.ndarray, "n k"],
        group: Int64[np.ndarray, " n"],
        means: Float64[np.ndarray, "p k"],
    ) -> list[Float64[np.ndarray, "k d"]]:
        if np.bincount(group, minlength=2).min() < 2:  # one person has no covariance
            return super()._map(values, group, means)
        return [align_covariances(values[group == 0], values[group == 1]), np.eye(values.shape[1])]


class TcaScore(LogisticScore):
    """Logistic regression on transfer components (TCA) of both populations.

    The components are directions of large variance along which the populations' means hardly differ;
    the penalty of the regression is on the effects of the components, each of variance 1.
    Variants, penalty and folds are as in `LogisticScore`.

    Parameters
    ----------
    n_components : largest number of components. Where there are fewer variants than that, every
        direction is kept, and only the penalty tells them apart.
    mu : weight of the components' smoothness against the difference between populations.
    sizes, r2, distance, n_folds, random_state : see `LogisticScore`.

    Notes
    -----
    With the linear kernel, the one under which the score remains a sum of allele counts. skada 0.6.0
    solves for the components by ``eigh`` of a product of two matrices that is not symmetric, of which
    that routine reads one half: its components are not those of the paper, so it is not used. For
    adapt see `CoralScore`.

    Source
    ------
    Pan et al. 2011, Domain adaptation via transfer component analysis, IEEE Trans Neural Netw 22:199.
    """

    def __init__(
        self,
        n_components: int = 100,
        mu: float = 1.0,
        sizes: Sequence[int] = (5, 10, 30, 100),
        r2: float = 0.3,
        distance: int = 500,
        n_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        super().__init__(sizes, r2, distance, n_folds, random_state)
        self.n_components = n_components
        self.mu = mu

    def _map(
        self,
        values: Float64[np.ndarray, "n k"],
        group: Int64[np.ndarray, " n"],
        means: Float64[np.ndarray, "p k"],
    ) -> list[Float64[np.ndarray, "k d"]]:
        centre = np.bincount(group, minlength=len(means)) @ means / len(group)
        found = find_components(values + (means - centre)[group], group, self.n_components, self.mu)
        return [found] * len(means)


def align_covariances(
    source: Float64[np.ndarray, "n k"], target: Float64[np.ndarray, "m k"]
) -> Float64[np.ndarray, "k k"]:
    """Return the matrix A for which source @ A has the target's covariance.

    Parameters
    ----------
    source, target : values; the variables are centred here.

    Source
    ------
    Sun, Feng and Saenko 2016, equation 3.
    """
    whiten, colour = _raise_matrix(_estimate(source), -0.5), _raise_matrix(_estimate(target), 0.5)
    return np.asarray(whiten @ colour)


def _estimate(values: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "k k"]:
    """Return the covariance, its correlations shrunk; a constant is taken to have the deviation 1."""
    deviations = values.std(axis=0)
    deviations = np.where(deviations > 0, deviations, 1)
    shrunk, _ = ledoit_wolf((values - values.mean(axis=0)) / deviations)
    return np.asarray(shrunk * deviations * deviations[:, None])


def _raise_matrix(covariance: Float64[np.ndarray, "k k"], power: float) -> Float64[np.ndarray, "k k"]:
    values, vectors = np.linalg.eigh(covariance)
    floor = max(float(values[-1]), 1e-12) * 1e-10
    return np.asarray((vectors * np.maximum(values, floor) ** power) @ vectors.T)


def find_components(
    values: Float64[np.ndarray, "n k"], group: Int64[np.ndarray, " n"], n_components: int, mu: float
) -> Float64[np.ndarray, "k d"]:
    """Return the map of values to transfer components of variance 1, the leading one first.

    Parameters
    ----------
    values : of both populations, with the difference of their means.
    group : 0 or 1; the population of each row. All of one when there is no other.
    n_components : largest number of components; there are no more than the rank of the values.
    mu : weight of the smoothness, 0 not allowed; the kernel is divided by the number of variables.

    Source
    ------
    Pan et al. 2011, equation 12: the leading eigenvectors of ``(K L K + mu I)^-1 K H K``. Here K = X X',
    and K L K = u u', so that the inverse root of the first matrix has a closed form, and the
    eigenvectors come from a singular value decomposition as narrow as there are variables.
    """
    X = values / np.sqrt(values.shape[1])
    sizes = np.bincount(group)
    sign = np.where(group == 0, 1.0, -1.0) / sizes[group]
    u = X @ (X.T @ sign) if np.count_nonzero(sizes) == 2 else np.zeros(len(X))
    length = float(np.linalg.norm(u))
    axis = u / length if length > 0 else u
    share = 1 - np.sqrt(mu / (mu + length**2))

    def shrink(matrix: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
        """Multiply by the inverse root of K L K + mu I."""
        return np.asarray((matrix - share * np.outer(axis, axis @ matrix)) / np.sqrt(mu))

    centred = X - X.mean(axis=0)
    spread, turn = np.linalg.eigh(centred.T @ centred)
    left, lengths, _ = np.linalg.svd(shrink(X @ (turn * np.sqrt(np.maximum(spread, 0)))), full_matrices=False)
    rank = int((lengths > 1e-8 * max(float(lengths[0]), 1e-12)).sum())
    found = X.T @ shrink(left[:, : max(min(n_components, rank), 1)])
    deviations = (values @ found).std(axis=0)
    return np.asarray(found / np.where(deviations > 0, deviations, 1))
