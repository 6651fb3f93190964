"""Haplotypes and genotypes copied from a reference panel by Li and Stephens' model.

The model is the one of HAPGEN (Li and Stephens 2003, Genetics 165:2213; Spencer et al. 2009, PLoS
Genet 5:e1000477). A new haplotype is a mosaic of the panel's n haplotypes. Between neighbouring
variants r Morgan apart it switches with probability 1 - exp(-4 Ne r / n) to a haplotype drawn
uniformly from all n, the present one included; each copied allele flips with probability
theta / (2 (n + theta)).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, UInt8

from genotransfer.errors import StudyError
from genotransfer.simulation.disease import CaseSampler, DiseaseLocus
from genotransfer.simulation.mosaic import Copier, compute_default_theta
from genotransfer.simulation.panel import ReferencePanel

# Effective population sizes HAPGEN2's and IMPUTE's authors advise for HapMap's populations.
DEFAULT_NE = {"CEU": 11418.0, "YRI": 17469.0}

__all__ = [
    "DEFAULT_NE",
    "DiseaseLocus",
    "SimulatedGenotypes",
    "compute_default_theta",
    "copy_haplotypes",
    "simulate_blocks",
    "simulate_genotypes",
]


@dataclass(frozen=True)
class SimulatedGenotypes:
    """Simulated samples.

    Attributes
    ----------
    dosages : 0, 1 or 2 copies of the panel's counted allele; none is missing.
    status : 1 for a case, 0 for a control; controls come first.
    """

    dosages: Int8[np.ndarray, "n_samples n_variants"]
    status: Int8[np.ndarray, " n_samples"]


def copy_haplotypes(
    panel: ReferencePanel,
    n_haplotypes: int,
    *,
    ne: float,
    theta: float | None,
    generator: np.random.Generator,
) -> UInt8[np.ndarray, "n_copies n_variants"]:
    """Return new haplotypes of the panel's population: 1 the counted allele, 0 the other.

    Parameters
    ----------
    panel : the reference panel.
    n_haplotypes : how many to draw.
    ne : effective population size; the larger, the shorter the copied stretches.
    theta : population mutation rate; `compute_default_theta` when None, 0 for no flips.
    generator : source of all randomness.

    Raises
    ------
    StudyError
        A number is out of its range.
    """
    _check_count(n_haplotypes, "haplotypes")
    copier = Copier(panel, ne, theta)
    copies = np.zeros((n_haplotypes, panel.n_variants), dtype=np.int8)
    for row in copies:
        copier.add_haplotype(row, copier.draw_path(generator), generator)
    return copies.view(np.uint8)


def simulate_genotypes(
    panel: ReferencePanel,
    n_samples: int,
    *,
    ne: float | None = None,
    theta: float | None = None,
    generator: np.random.Generator,
    disease: Sequence[DiseaseLocus] = (),
    n_cases: int = 0,
) -> SimulatedGenotypes:
    """Return the genotypes of new samples of the panel's population, controls first, then cases.

    Controls are samples of the population. Cases are samples of the population given that they
    have the disease: at one locus their genotype g has probability P(g) RR(g) / sum, and the
    chromosome is copied outward from it; the relative risks of several loci multiply.

    The matrix takes n_samples * n_variants bytes; `simulate_blocks` makes the same samples a block
    at a time.

    Parameters
    ----------
    panel : the reference panel.
    n_samples : how many samples, cases included.
    ne : effective population size; when None, `DEFAULT_NE` of the panel's population.
    theta : population mutation rate; `compute_default_theta` when None, 0 for no flips.
    generator : source of all randomness. It is asked for one key; sample i then depends on the
        key and on i only.
    disease : disease loci, at distinct variants of the panel.
    n_cases : how many of the samples are cases; needs `disease` when above 0.

    Raises
    ------
    StudyError
        The population has no default Ne, a number is out of its range, or a disease locus cannot
        be used (see `CaseSampler`).
    """
    blocks = simulate_blocks(
        panel, n_samples, ne=ne, theta=theta, generator=generator, disease=disease, n_cases=n_cases
    )
    dosages = np.zeros((n_samples, panel.n_variants), dtype=np.int8)
    for where, block in blocks:
        dosages[where] = block.dosages
    return SimulatedGenotypes(dosages, _mark_cases(n_samples, n_cases))


def simulate_blocks(
    panel: ReferencePanel,
    n_samples: int,
    *,
    ne: float | None = None,
    theta: float | None = None,
    generator: np.random.Generator,
    disease: Sequence[DiseaseLocus] = (),
    n_cases: int = 0,
    block: int = 256,
) -> Iterator[tuple[slice, SimulatedGenotypes]]:
    """Yield (positions of the samples, their genotypes) in blocks of samples.

    The samples are those of `simulate_genotypes`, whatever the size of a block. The parameters and
    errors are the same; a block takes ``block * n_variants`` bytes.
    """
    _check_count(n_samples, "samples")
    if block < 1:
        raise StudyError(f"blocks of {block} samples cannot be made. Give a block of 1 or more.")
    if not 0 <= n_cases <= n_samples or (n_cases and not disease):
        raise StudyError(
            f"{n_cases} cases among {n_samples} samples with {len(disease)} disease loci cannot be drawn. "
            "Ask for no more cases than samples, and name a disease locus when there are cases."
        )
    copier = Copier(panel, _choose_ne(panel, ne), theta)
    cases = CaseSampler(panel, disease, copier.distances, copier.flip) if disease else None
    key = generator.integers(2**32, size=4, dtype=np.uint64).tolist()
    return _make_blocks(copier, cases, key, _mark_cases(n_samples, n_cases), block)


def _make_blocks(
    copier: Copier,
    cases: CaseSampler | None,
    key: list[int],
    status: Int8[np.ndarray, " n_samples"],
    block: int,
) -> Iterator[tuple[slice, SimulatedGenotypes]]:
    n_samples = len(status)
    for start in range(0, n_samples, block):
        where = slice(start, min(start + block, n_samples))
        dosages = np.zeros((where.stop - start, copier.n_variants), dtype=np.int8)
        for sample, row in zip(range(start, where.stop), dosages, strict=True):
            own = np.random.Generator(np.random.PCG64(np.random.SeedSequence([*key, sample])))
            anchors = cases.draw(own) if cases is not None and status[sample] else None
            for copy in range(2):
                if cases is None or anchors is None:
                    copier.add_haplotype(row, copier.draw_path(own), own)
                else:
                    path = copier.draw_path_through(cases.at, anchors, copy, own)
                    copier.add_haplotype(row, path, own, fixed=(cases.at, anchors.alleles[copy]))
        yield where, SimulatedGenotypes(dosages, status[where])


def _choose_ne(panel: ReferencePanel, ne: float | None) -> float:
    if ne is not None:
        return ne
    if panel.population not in DEFAULT_NE:
        raise StudyError(
            f"population {panel.population!r} has no default Ne. Set ne; {DEFAULT_NE} are known."
        )
    return DEFAULT_NE[panel.population]


def _mark_cases(n_samples: int, n_cases: int) -> Int8[np.ndarray, " n_samples"]:
    return np.asarray(np.arange(n_samples) >= n_samples - n_cases, dtype=np.int8)


def _check_count(count: int, what: str) -> None:
    if count < 0:
        raise StudyError(f"{count} {what} cannot be drawn. Give a number of 0 or more.")
