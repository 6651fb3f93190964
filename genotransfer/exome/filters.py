"""The filter chain of an exome, one record at a time, with a count of what each step removed.

Source: Henriques et al. 2025, Dataset and preprocessing: QUAL, excluded samples, AC = 0, depth, call
rate, the split of records with several alternatives, the same three again, indels and sex chromosomes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int8, Int64

from genotransfer.exome.calls import ANY, Calls
from genotransfer.exome.settings import ExomeSettings
from genotransfer.exome.sites import Site, average_depth, find_snp
from genotransfer.formats.chromosomes import name_chromosome
from genotransfer.genotypes import MISSING

QUALITY, FILTER = "quality", "FILTER not PASS"
UNSEEN, DEPTH, CALL_RATE = "no alternative allele (AC = 0)", "depth", "call rate"
SPLIT = "several alternative alleles"
AGAIN = "{} after the split"
CHROMOSOME, NO_SNP, DOUBLE = "excluded chromosome", "no SNP", "duplicate variant"
STEPS = (
    QUALITY,
    FILTER,
    UNSEEN,
    DEPTH,
    CALL_RATE,
    SPLIT,
    *(AGAIN.format(step) for step in (UNSEEN, DEPTH, CALL_RATE)),
    CHROMOSOME,
    NO_SNP,
    DOUBLE,
)
STEP_COLUMNS = ["step", "unit", "before", "removed", "added", "left", "share_removed"]
UNKNOWN_ALTERNATIVE = "0"
# chromosome, id, cm, position, counted (the alternative), other (the reference)
Variant = tuple[str, str, float, int, str, str]


@dataclass
class SiteFilter:
    """The chain and its counts.

    Attributes
    ----------
    settings : the filters.
    samples : positions of the samples kept; all when None.
    n_samples : how many they are.
    n_records : records looked at so far.
    removed : how many each step of `STEPS` removed; variants from `SPLIT` on.
    added : how many variants the split made beyond the records it had.
    """

    settings: ExomeSettings
    samples: Int64[np.ndarray, " k"] | None
    n_samples: int
    n_records: int = 0
    removed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))
    added: int = 0
    _names: set[str] = field(default_factory=set)
    _chromosomes: dict[str, str] = field(default_factory=dict)

    def examine(self, site: Site) -> Iterator[tuple[Variant, Int8[np.ndarray, " n_samples"]]]:
        """Yield the variants of a record that pass every step, with the copies of the alternative.

        Raises
        ------
        InputError
            The record's genotypes cannot be read.
        """
        self.n_records += 1
        settings = self.settings
        if settings.quality is not None and not site.quality > settings.quality:
            self.removed[QUALITY] += 1
            return
        if settings.passed_only and not site.passed:
            self.removed[FILTER] += 1
            return
        calls = site.read_calls()
        shallow = self._find_shallow(site)
        several = len(site.alternatives) > 1
        copies = self._count(calls, ANY if several or not site.alternatives else 1, shallow)
        failed = self._test(copies, site, shallow)
        if failed is not None:
            self.removed[failed] += 1
            return
        if not several:
            yield from self._finish(site, (site.alternatives or [UNKNOWN_ALTERNATIVE])[0], copies, False)
            return
        if not settings.split:
            self.removed[SPLIT] += 1
            return
        self.added += len(site.alternatives) - 1
        for number, alternative in enumerate(site.alternatives, start=1):
            copies = self._count(calls, number, shallow)
            failed = self._test(copies, site, shallow)
            if failed is not None:
                self.removed[AGAIN.format(failed)] += 1
            else:
                yield from self._finish(site, alternative, copies, True)

    def _find_shallow(self, site: Site) -> Bool[np.ndarray, " n_samples"] | None:
        """Say which genotypes have too few reads to be taken, where genotypes are asked for it."""
        if self.settings.depth_of != "genotype" or not self.settings.depth:
            return None
        depths = site.read_depths()
        if depths is None:
            return np.ones(self.n_samples, dtype=bool)
        chosen = depths if self.samples is None else depths.take(self.samples)
        return np.asarray(chosen < self.settings.depth)

    def _count(
        self, calls: Calls, number: int, shallow: Bool[np.ndarray, " n_samples"] | None
    ) -> Int8[np.ndarray, " n_samples"]:
        copies = calls.count(number)
        if self.samples is not None:
            copies = copies.take(self.samples)
        return copies if shallow is None else np.where(shallow, np.int8(MISSING), copies)

    def _test(
        self,
        copies: Int8[np.ndarray, " n_samples"],
        site: Site,
        shallow: Bool[np.ndarray, " n_samples"] | None,
    ) -> str | None:
        """Return the first of the three repeated steps that fails; None when all pass."""
        settings = self.settings
        if settings.drop_unseen and copies.max() <= 0:
            return UNSEEN
        if settings.depth and shallow is None and not self._read_depth(site) >= settings.depth:
            return DEPTH
        if settings.call_rate:
            called = self.n_samples - int(np.count_nonzero(copies < 0))
            # As vcftools: 90 of 100 is not below 0.9, since both are the same double.
            if called / self.n_samples < settings.call_rate:
                return CALL_RATE
        return None

    def _read_depth(self, site: Site) -> float:
        if self.settings.depth_of == "info":
            return site.read_info_depth()
        depths = site.read_depths()
        return 0.0 if depths is None else average_depth(depths, self.samples)

    def _finish(
        self, site: Site, alternative: str, copies: Int8[np.ndarray, " n_samples"], split: bool
    ) -> Iterator[tuple[Variant, Int8[np.ndarray, " n_samples"]]]:
        chromosome = self._chromosomes.get(site.chromosome)
        if chromosome is None:
            chromosome = self._chromosomes[site.chromosome] = name_chromosome(site.chromosome)
        if chromosome in self.settings.excluded_chromosomes:
            self.removed[CHROMOSOME] += 1
            return
        other, counted = site.reference.upper(), alternative.upper()
        if self.settings.snps_only and find_snp(other, counted) is None:
            self.removed[NO_SNP] += 1
            return
        place = f"{chromosome}:{site.position}:{other}:{counted}"
        name = place if split or site.name is None or site.name in self._names else site.name
        if name in self._names:
            self.removed[DOUBLE] += 1
            return
        self._names.add(name)
        yield (chromosome, name, 0.0, site.position, counted, other), copies

    def tabulate(self, n_samples_before: int) -> pd.DataFrame:
        """Return a row a step: step, unit, before, removed, added, left, share_removed.

        The unit is ``samples``, ``records`` until the split, ``variants`` (a record and an
        alternative) after it. The split adds a variant for each further alternative.
        """
        gone = n_samples_before - self.n_samples
        rows = [("excluded samples", "samples", n_samples_before, gone, 0, self.n_samples)]
        before, unit = self.n_records, "records"
        for step in STEPS:
            added = self.added if step == SPLIT else 0
            left = before - self.removed[step] + added
            rows.append((step, unit, before, self.removed[step], added, left))
            before, unit = left, "variants" if step == SPLIT else unit
        table = pd.DataFrame(rows, columns=STEP_COLUMNS[:-1])
        return table.assign(share_removed=table["removed"] / table["before"].clip(lower=1))[STEP_COLUMNS]
