"""Disease loci: the panel haplotypes and alleles that cases carry at them.

A case is a sample of the population kept with a probability proportional to the relative risk of
its genotypes; risks of several loci multiply. With one locus this is HAPGEN's disease model
(Spencer et al. 2009, PLoS Genet 5:e1000477). For several, on one chromosome, the joint
distribution is drawn exactly, linkage between the loci included, where HAPGEN2 (Su et al. 2011,
Bioinformatics 27:2304) states its risks locus by locus as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from genotransfer.errors import StudyError
from genotransfer.simulation.panel import ReferencePanel


@dataclass(frozen=True)
class DiseaseLocus:
    """A variant that raises or lowers the risk of disease, as HAPGEN2's ``-dl`` takes it.

    Attributes
    ----------
    position : bp of a variant of the panel.
    risk_allele : 1 for the counted allele (X1), 0 for the other (X0).
    relative_risk_het, relative_risk_hom : risk of carriers of one and of two risk alleles, over
        that of carriers of none; positive, 1 for no effect.
    """

    position: int
    risk_allele: int
    relative_risk_het: float
    relative_risk_hom: float


@dataclass(frozen=True)
class Anchors:
    """What one case carries at the disease loci, in order of position.

    Attributes
    ----------
    states : the panel haplotype each of the two haplotypes copies at each locus.
    alleles : the allele emitted there (1 counted), mutation included.
    switched : whether a haplotype left its state between a locus and the next.
    """

    states: Int64[np.ndarray, "2 n_loci"]
    alleles: UInt8[np.ndarray, "2 n_loci"]
    switched: Bool[np.ndarray, "2 n_intervals"]


class CaseSampler:
    """Draws what cases carry at disease loci, under Li and Stephens' model and the loci's risks.

    The pairs of haplotypes copied at successive loci form a Markov chain, and the weight of each
    pair and locus is its expected relative risk; backward sums over the chain make every draw
    exact. It takes memory for n_loci * n_haplotypes ** 2 numbers.

    Parameters
    ----------
    panel : the reference panel.
    loci : disease loci at distinct variants of the panel.
    switch_distances : cumulated switch rate at each variant; over a distance d a haplotype
        switches with probability 1 - exp(-d).
    flip : probability that a copied allele flips.

    Raises
    ------
    StudyError
        A locus is at no variant of the panel or at several, is monomorphic there, stands twice, or
        has a risk allele other than 0 and 1 or a relative risk that is not positive.
    """

    def __init__(
        self,
        panel: ReferencePanel,
        loci: Sequence[DiseaseLocus],
        switch_distances: Float64[np.ndarray, " n_variants"],
        flip: float,
    ) -> None:
        by_position = sorted(loci, key=lambda locus: locus.position)
        self.at: Int64[np.ndarray, " n_loci"] = np.array([_locate(panel, locus) for locus in by_position])
        if len(set(self.at.tolist())) < len(self.at):
            raise StudyError("a disease locus stands twice. Name each position once.")
        self.risk_alleles = np.array([locus.risk_allele for locus in by_position])
        self.n_haplotypes = panel.n_haplotypes
        self.p_switch = -np.expm1(-np.diff(switch_distances[self.at]))
        self.risks = np.array(
            [
                [[1.0, locus.relative_risk_het], [locus.relative_risk_het, locus.relative_risk_hom]]
                for locus in by_position
            ]
        )
        carries_risk = (panel.haplotypes[:, self.at] == self.risk_alleles).T
        # emissions[locus, haplotype, a]: probability that a copy carries a risk alleles (0 or 1)
        p_risk = np.where(carries_risk, 1 - flip, flip)
        self.emissions = np.stack([1 - p_risk, p_risk], axis=2)
        self.weights = self._sum_backward()

    def _sum_backward(self) -> Float64[np.ndarray, "n_loci n_haplotypes n_haplotypes"]:
        weights = np.einsum("lia,lab,ljb->lij", self.emissions, self.risks, self.emissions)
        for locus in range(len(self.at) - 2, -1, -1):
            p, later = self.p_switch[locus], weights[locus + 1]
            one = later.mean(axis=1)
            weights[locus] *= (
                (1 - p) ** 2 * later + (1 - p) * p * (one[:, None] + one[None, :]) + p**2 * later.mean()
            )
            weights[locus] /= weights[locus].max()  # only ratios matter; this keeps them from overflow
        return np.asarray(weights)

    def draw(self, generator: np.random.Generator) -> Anchors:
        """Return the states and alleles of one case at the loci."""
        n_loci = len(self.at)
        states = np.zeros((2, n_loci), dtype=np.int64)
        switched = np.zeros((2, max(n_loci - 1, 0)), dtype=bool)
        states[:, 0] = _draw_pair(self.weights[0], generator)
        for locus in range(1, n_loci):
            p, weights = self.p_switch[locus - 1], self.weights[locus]
            first, second = states[:, locus - 1]
            moves = np.array(
                [
                    (1 - p) ** 2 * weights[first, second],
                    (1 - p) * p * weights[first].mean(),
                    (1 - p) * p * weights[second].mean(),  # the weights are symmetric
                    p**2 * weights.mean(),
                ]
            )
            move = _draw_index(moves, generator)
            switched[:, locus - 1] = move >= 2, move % 2 == 1
            if move == 1:
                second = _draw_index(weights[first], generator)
            elif move == 2:
                first = _draw_index(weights[second], generator)
            elif move == 3:
                first, second = _draw_pair(weights, generator)
            states[:, locus] = first, second
        return Anchors(states, self._draw_alleles(states, generator), switched)

    def _draw_alleles(
        self, states: Int64[np.ndarray, "2 n_loci"], generator: np.random.Generator
    ) -> UInt8[np.ndarray, "2 n_loci"]:
        carried = np.zeros(states.shape, dtype=bool)
        for locus, (first, second) in enumerate(states.T):
            emissions = self.emissions[locus]
            joint = emissions[first][:, None] * emissions[second][None, :] * self.risks[locus]
            carried[:, locus] = np.divmod(_draw_index(joint.ravel(), generator), 2)
        return np.asarray(carried == self.risk_alleles, dtype=np.uint8)


def _locate(panel: ReferencePanel, locus: DiseaseLocus) -> int:
    where = f"the disease locus at {panel.chromosome}:{locus.position}"
    if locus.risk_allele not in (0, 1):
        raise StudyError(f"{where} has risk allele {locus.risk_allele}. Give 1 for X1 or 0 for X0.")
    if not (0 < locus.relative_risk_het < np.inf and 0 < locus.relative_risk_hom < np.inf):
        raise StudyError(f"{where} has a relative risk that is not positive. Give 1 for no effect.")
    at = np.flatnonzero(panel.variants["position"].to_numpy() == locus.position)
    if len(at) != 1:
        raise StudyError(
            f"{where} is at {len(at)} variants of the {panel.population} panel. "
            "Name the position of exactly one."
        )
    if not 0 < panel.haplotypes[:, at[0]].mean() < 1:
        raise StudyError(
            f"{where} is monomorphic in the {panel.population} panel. Name a variant with both alleles."
        )
    return int(at[0])


def _draw_index(weights: Float64[np.ndarray, " n"], generator: np.random.Generator) -> int:
    sums = np.cumsum(weights)
    return int(np.searchsorted(sums, generator.random() * sums[-1], side="right").clip(max=len(sums) - 1))


def _draw_pair(weights: Float64[np.ndarray, "n n"], generator: np.random.Generator) -> tuple[int, int]:
    first = _draw_index(weights.sum(axis=1), generator)
    return first, _draw_index(weights[first], generator)
