"""Reference panels of phased haplotypes: the one that ships, and those in HAPGEN2's files."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64, UInt8

from genotransfer.errors import InputError, StudyError
from genotransfer.formats.files import read_lines
from genotransfer.genotypes import VARIANT_COLUMNS
from genotransfer.simulation.genetic_map import POSITION_NAMES, GeneticMap, read_genetic_map
from genotransfer.simulation.tables import read_columns, refuse_row, to_positions

SHIPPED_PANEL = "chr21.b38.OutOfAfrica_3G09.npz"
SHIPPED_MAP = "chr21.b38.gmap.gz"
SHIPPED_CHROMOSOME = "21"
SHIPPED_BUILD = "GRCh38"
SHIPPED_POPULATIONS = ("CEU", "YRI")
# Allele letters are stored as one number a variant: 4 * index of REF + index of ALT.
LETTERS = np.array(["A", "C", "G", "T"])

ID_NAMES = {"rs", "id", "rsid", "snp"}


@dataclass(frozen=True)
class ReferencePanel:
    """Phased haplotypes of one population on one chromosome.

    Attributes
    ----------
    population : name, for example ``CEU``.
    chromosome : as in the variants' table.
    build : name of the genome build; empty when it is not known.
    variants : one row a variant, sorted by position: chromosome, id, cm (centimorgan from the
        map's origin), position (bp, 1-based), counted (HAPGEN2's X1, the alternate allele) and
        other (X0, the reference allele).
    haplotypes : uint8, 1 where a haplotype carries ``counted`` and 0 where it carries ``other``.
    """

    population: str
    chromosome: str
    build: str
    variants: pd.DataFrame
    haplotypes: UInt8[np.ndarray, "n_haplotypes n_variants"]

    @property
    def n_haplotypes(self) -> int:
        """Number of haplotypes, two for each diploid individual."""
        return int(self.haplotypes.shape[0])

    @property
    def n_variants(self) -> int:
        """Number of variants."""
        return int(self.haplotypes.shape[1])

    @property
    def frequencies(self) -> Float64[np.ndarray, " n_variants"]:
        """Frequency of the counted allele at each variant, 0 to 1."""
        return np.asarray(self.haplotypes.mean(axis=0, dtype=np.float64))

    def select_variants(
        self, which: Int64[np.ndarray, " k"] | Bool[np.ndarray, " n_variants"]
    ) -> ReferencePanel:
        """Return the panel at some of its variants, by ascending position or by mask."""
        at = np.flatnonzero(which) if np.asarray(which).dtype == bool else np.asarray(which)
        return replace(
            self,
            variants=self.variants.iloc[at].reset_index(drop=True),
            haplotypes=np.ascontiguousarray(self.haplotypes[:, at]),
        )


def load_shipped_panel(population: str) -> ReferencePanel:
    """Return the panel that ships with genotransfer: 120 haplotypes of chromosome 21, build 38.

    CEU and YRI come out of one simulated genealogy and share their variants, those with a
    minor-allele frequency of at least .01 in either. A variant may therefore be monomorphic in
    one population's panel; it is kept, as HAPGEN2 keeps every row of the legend it is given.

    Parameters
    ----------
    population : ``CEU`` or ``YRI``.

    Raises
    ------
    StudyError
        No panel of that population ships.

    Source: `genotransfer.simulation.make_panel` and panels/README.md.
    """
    if population not in SHIPPED_POPULATIONS:
        raise StudyError(
            f"no reference panel of {population!r} ships with genotransfer, only of "
            f"{' and '.join(SHIPPED_POPULATIONS)}. Name one of these, or give your own panel as "
            ".hap, .legend and a genetic map."
        )
    panels = files("genotransfer.simulation") / "panels"
    with np.load(io.BytesIO((panels / SHIPPED_PANEL).read_bytes()), allow_pickle=False) as stored:
        positions = np.cumsum(stored["position_steps"], dtype=np.int64)
        letters = stored["alleles"]
        haplotypes = np.unpackbits(stored[population], axis=1, count=len(positions))
    with as_file(panels / SHIPPED_MAP) as path:
        genetic_map = read_genetic_map(path)
    reference, alternate = LETTERS[letters // 4], LETTERS[letters % 4]
    ids = [
        f"{SHIPPED_CHROMOSOME}:{at}:{ref}:{alt}"
        for at, ref, alt in zip(positions.tolist(), reference.tolist(), alternate.tolist(), strict=True)
    ]
    return ReferencePanel(
        population=population,
        chromosome=SHIPPED_CHROMOSOME,
        build=SHIPPED_BUILD,
        variants=_make_variants(SHIPPED_CHROMOSOME, ids, positions, alternate, reference, genetic_map),
        haplotypes=haplotypes,
    )


def read_hapgen_panel(
    haplotypes: Path, legend: Path, genetic_map: Path, *, population: str, chromosome: str, build: str = ""
) -> ReferencePanel:
    """Read a panel in the files IMPUTE and HAPGEN2 use; each may be gzipped.

    Parameters
    ----------
    haplotypes : ``.hap``: a row a variant, a column a haplotype, 0 for X0 and 1 for X1, parted by
        white space, no header.
    legend : ``.legend``: a header and a row a variant, columns ``rs position X0 X1`` (or ``id
        position a0 a1``); further columns are passed over.
    genetic_map : a header with ``position`` (or ``pos``) and ``cM`` (or ``Genetic_Map(cM)``), and
        ascending rows; further columns, such as the rate, are passed over.
    population, chromosome, build : names given to the panel.

    Raises
    ------
    InputError
        A file is absent or malformed, haplotypes and legend differ in length, a value is neither
        0 nor 1, positions or map do not ascend, or an id stands twice.
    """
    table = _read_legend(Path(legend))
    matrix = _read_haplotypes(Path(haplotypes), len(table), Path(legend))
    return ReferencePanel(
        population=population,
        chromosome=chromosome,
        build=build,
        variants=_make_variants(
            chromosome,
            table["id"].tolist(),
            table["position"].to_numpy(dtype=np.int64),
            table["x1"].to_numpy(),
            table["x0"].to_numpy(),
            read_genetic_map(Path(genetic_map)),
        ),
        haplotypes=matrix,
    )


def _make_variants(
    chromosome: str,
    ids: list[str],
    positions: Int64[np.ndarray, " n_variants"],
    counted: np.ndarray,
    other: np.ndarray,
    genetic_map: GeneticMap,
) -> pd.DataFrame:
    columns = {
        "chromosome": chromosome,
        "id": ids,
        "cm": genetic_map.interpolate(positions),
        "position": positions,
        "counted": counted.astype(object),
        "other": other.astype(object),
    }
    return pd.DataFrame(columns)[VARIANT_COLUMNS].astype({"chromosome": object, "id": object})


def _read_legend(path: Path) -> pd.DataFrame:
    wanted = {"id": ID_NAMES, "position": POSITION_NAMES, "x0": {"x0", "a0"}, "x1": {"x1", "a1"}}
    table = read_columns(path, wanted)
    table["position"] = to_positions(table["position"], path)
    if len(bad := np.flatnonzero(np.diff(table["position"]) < 0)):
        refuse_row(path, bad[0] + 1, "the position is below the one before it", "Sort legend and haplotypes")
    if len(bad := np.flatnonzero(table["id"].duplicated())):
        doubled = table["id"].iloc[bad[0]]
        refuse_row(path, bad[0], f"the id {doubled!r} stands twice", "Give every variant an id of its own")
    if len(bad := np.flatnonzero(table["x0"] == table["x1"])):
        refuse_row(path, bad[0], "the two alleles are the same", "Give the alleles that 0 and 1 stand for")
    return table


def _read_haplotypes(
    path: Path, n_variants: int, legend: Path
) -> UInt8[np.ndarray, "n_haplotypes n_variants"]:
    rows: list[bytes] = []
    for row, line in read_lines(path):
        tokens = line.split()
        joined = b"".join(tokens)
        if len(joined) != len(tokens) or joined.translate(None, b"01"):
            odd = next(token for token in tokens if token not in {b"0", b"1"})
            refuse_row(
                path,
                row - 2,
                f"{odd.decode(errors='replace')!r} is neither 0 nor 1",
                "Give phased, complete haplotypes of a diploid chromosome",
            )
        if rows and len(joined) != len(rows[0]):
            refuse_row(
                path,
                row - 2,
                f"{len(joined)} haplotypes where the rows before have {len(rows[0])}",
                "Give every variant a value for every haplotype",
            )
        rows.append(joined)
    if len(rows) != n_variants:
        raise InputError(
            f"{len(rows)} rows of haplotypes where the legend {legend} has {n_variants} variants",
            remedy="Use the legend that was made with these haplotypes",
            file=path,
        )
    if len(rows[0]) < 2:
        raise InputError("fewer than two haplotypes", remedy="Give a panel of two or more", file=path)
    by_variant = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(n_variants, -1) - ord("0")
    return np.ascontiguousarray(by_variant.T, dtype=np.uint8)
