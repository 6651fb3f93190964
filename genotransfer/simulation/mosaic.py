"""Mosaics of a panel's haplotypes: where a copy switches, what it copies, where it flips.

Switches are drawn as a Poisson process along the map, of rate 4 Ne / n a Morgan: an interval with
one or more events is a switch, with just that probability. The work is thus in proportion to the
few hundred switches and flips of a haplotype, and the variants between are copied as slices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8, Int64, UInt8

from genotransfer.errors import StudyError
from genotransfer.simulation.disease import Anchors
from genotransfer.simulation.panel import ReferencePanel


def compute_default_theta(n_haplotypes: int) -> float:
    """Return theta = 1 / (1 + 1/2 + ... + 1/(n-1)), Watterson's estimate for one segregating site.

    Source: Li and Stephens 2003, appendix A.
    """
    return float(1 / np.sum(1 / np.arange(1, n_haplotypes)))


@dataclass(frozen=True)
class Mosaic:
    """A mosaic: from variant ``starts[i]`` up to the next start, panel haplotype ``states[i]`` is copied."""

    starts: Int64[np.ndarray, " n_segments"]
    states: Int64[np.ndarray, " n_segments"]


class Copier:
    """The copying model of one panel, with its two rates."""

    def __init__(self, panel: ReferencePanel, ne: float, theta: float | None) -> None:
        self.n = panel.n_haplotypes
        theta = compute_default_theta(self.n) if theta is None else theta
        if not (0 < ne < np.inf and 0 <= theta < np.inf):
            raise StudyError(f"Ne {ne} or theta {theta} is out of range. Give Ne > 0 and theta >= 0.")
        self.alleles = panel.haplotypes.view(np.int8)
        self.n_variants = panel.n_variants
        # switch events expected from the map's origin up to each variant; cM / 100 is Morgan
        self.distances: Float64[np.ndarray, " n_variants"] = (
            4 * ne / self.n * panel.variants["cm"].to_numpy(dtype=np.float64) / 100
        )
        self.flip = theta / (2 * (self.n + theta))

    def draw_path(self, generator: np.random.Generator) -> Mosaic:
        """Return a mosaic of the whole chromosome."""
        events = self._draw_events(self.distances[0], self.distances[-1], generator)
        return self._make_path(events, generator.integers(self.n, size=len(events) + 1))

    def draw_path_through(
        self, at: Int64[np.ndarray, " n_loci"], anchors: Anchors, copy: int, generator: np.random.Generator
    ) -> Mosaic:
        """Return a mosaic through given states at the variants `at`, copied outward and between them.

        The chain is reversible, so leftward of the first locus it runs as it does rightward. Between
        loci only the last event's state is given: it is the state of the locus to the right.
        """
        given = anchors.states[copy]
        loci = self.distances[at]
        left = self._draw_events(self.distances[0], loci[0], generator)
        events, states = [left], [generator.integers(self.n, size=len(left)), given[:1]]
        for locus in range(1, len(at)):
            if anchors.switched[copy, locus - 1]:
                between = self._draw_events_at_least_one(loci[locus - 1], loci[locus], generator)
                events.append(between)
                states += [generator.integers(self.n, size=len(between) - 1), given[locus : locus + 1]]
        right = self._draw_events(loci[-1], self.distances[-1], generator)
        events.append(right)
        states.append(generator.integers(self.n, size=len(right)))
        return self._make_path(np.concatenate(events), np.concatenate(states))

    def add_haplotype(
        self,
        row: Int8[np.ndarray, " n_variants"],
        path: Mosaic,
        generator: np.random.Generator,
        fixed: tuple[Int64[np.ndarray, " n_loci"], UInt8[np.ndarray, " n_loci"]] | None = None,
    ) -> None:
        """Add a copy along `path`, with its flips, to a row of allele counts.

        `fixed` names variants and the alleles the copy has there, in place of drawn flips.
        """
        starts, states = path.starts.tolist(), path.states.tolist()
        for start, stop, state in zip(starts, [*starts[1:], self.n_variants], states, strict=True):
            if start < stop:
                part = row[start:stop]
                np.add(part, self.alleles[state, start:stop], out=part)
        n_flips = generator.binomial(self.n_variants, self.flip)
        flips = generator.choice(self.n_variants, size=n_flips, replace=False, shuffle=False)
        if fixed is not None:
            at, due = fixed
            flips = np.concatenate([flips[~np.isin(flips, at)], at[due != self._read(path, at)]])
        row[flips] += 1 - 2 * self._read(path, flips)

    def _read(self, path: Mosaic, at: Int64[np.ndarray, " k"]) -> Int8[np.ndarray, " k"]:
        states = path.states[np.searchsorted(path.starts, at, side="right") - 1]
        return np.asarray(self.alleles[states, at])

    def _make_path(
        self, events: Float64[np.ndarray, " k"], states: Int64[np.ndarray, " k_and_one"]
    ) -> Mosaic:
        starts = np.searchsorted(self.distances, events, side="left")
        return Mosaic(np.concatenate([[0], starts]), states)

    def _draw_events(
        self, start: float, stop: float, generator: np.random.Generator
    ) -> Float64[np.ndarray, " k"]:
        # 1 - random() lies in (0, 1], so that no event falls on `start` itself
        n_events = generator.poisson(stop - start)
        events = start + (stop - start) * (1 - generator.random(n_events))
        return np.sort(np.minimum(events, stop))

    def _draw_events_at_least_one(
        self, start: float, stop: float, generator: np.random.Generator
    ) -> Float64[np.ndarray, " k"]:
        # the first event's distance is exponential, cut off at `stop`; those after it are free
        first = min(start - np.log1p((1 - generator.random()) * np.expm1(start - stop)), stop)
        return np.concatenate([[first], self._draw_events(first, stop, generator)])
