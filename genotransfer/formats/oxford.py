"""Oxford .gen and .sample files: the format of HAPGEN2, IMPUTE and SNPTEST.

A .gen row is a variant: ``SNPID rsID position A B`` (or the chromosome first, then these), then
three probabilities a sample, of A A, A B and B B. HAPGEN2 writes five columns, ``snp_0``,
``snp_1``, ... as SNPID, no chromosome, and probabilities of 0 and 1 only.

Source: https://www.cog-genomics.org/plink/2.0/formats#gen and #sample, Spencer et al. 2009,
PLoS Genet 5:e1000477.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int8

from genotransfer.errors import InputError
from genotransfer.formats import plink
from genotransfer.formats.chromosomes import AUTOSOMES_AND_SEX, UNKNOWN, name_chromosome
from genotransfer.formats.files import decode_text, is_position, read_lines, replace_together
from genotransfer.formats.oxford_samples import read_sample_file, write_sample_file
from genotransfer.genotypes import MISSING, VARIANT_COLUMNS, Genotypes, VariantFilter

# Probabilities are printed with few digits, so their sum may miss 1 by this much.
SUM_TOLERANCE = 0.02
BLOCK_GENOTYPES = 1 << 23
# The text of a genotype with no, one and two copies of B, and of a missing one, by dosage + 1.
GENOTYPE_TEXT = np.frombuffer(b" 0 0 0 1 0 0 0 1 0 0 0 1", dtype=np.uint8).reshape(4, 6)


def read_oxford(
    gen: str | Path,
    sample: str | Path,
    *,
    prefix_out: str | Path,
    chromosome: str | None = None,
    hard_call_threshold: float = 0.9,
    keep: VariantFilter | None = None,
) -> Genotypes:
    """Turn a .gen and a .sample file into a PLINK fileset and open it.

    Rows are read in blocks, so memory does not grow with the number of variants. Dosages count
    copies of B, the second allele. A genotype is called when its largest probability is at least
    `hard_call_threshold`; otherwise it is missing, and counted under ``uncertain genotypes`` in
    `Genotypes.counts` (0 0 0 under ``genotypes without probabilities``).

    Parameters
    ----------
    gen : path of the .gen file, gzipped or not.
    sample : path of the .sample file.
    prefix_out : path of the fileset to write, without ``.bed``.
    chromosome : the chromosome of all variants of a .gen with five leading columns. When None,
        the first column is taken if it names a chromosome; otherwise the chromosome is 0, unknown.
    hard_call_threshold : probability, above .5 and up to 1.
    keep : which variants to keep, by chromosome, id and position; all when None. Probabilities of the
        others are not looked at.

    Raises
    ------
    InputError
        A file is missing or malformed: a row has too few or too many columns, a probability is
        no number from 0 to 1, three of them do not sum to 1 (within .02; 0 0 0 is missing), a
        position is no number, an id stands twice. Nothing is written then.
    """
    if not 0.5 < hard_call_threshold <= 1:
        raise InputError(
            f"a hard-call threshold of {hard_call_threshold}", remedy="Give a probability above .5, up to 1"
        )
    samples = read_sample_file(sample)
    reader = _GenReader(Path(gen), samples, Path(sample), chromosome, hard_call_threshold, keep)
    plink.write_blocks(prefix_out, samples, reader.blocks())
    return replace(Genotypes.open(prefix_out), counts=reader.counts)


def write_oxford(
    genotypes: Genotypes,
    gen_path: str | Path,
    sample_path: str | Path,
    phenotype: Int8[np.ndarray, " n_samples"] | None = None,
) -> None:
    """Write genotypes as a .gen of five leading columns and a .sample.

    A is the other allele and B the counted one, so reading the files again gives the same
    dosages. The first column is the chromosome, the second the variant's id. Called genotypes
    have probabilities 0 and 1; missing ones are ``0 0 0``.

    Parameters
    ----------
    gen_path : path of the .gen file; gzipped when it ends in ``.gz``.
    sample_path : path of the .sample file.
    phenotype : 1 case, 0 control, -1 missing, one a sample; that of the genotypes when None.

    Raises
    ------
    InputError
        There are not as many phenotypes as samples.
    """
    if phenotype is not None and len(phenotype) != genotypes.n_samples:
        raise InputError(
            f"{len(phenotype)} phenotypes for {genotypes.n_samples} samples",
            remedy="Give one phenotype a sample, -1 where it is missing",
            file=sample_path,
        )
    n_missing = np.zeros(genotypes.n_samples, dtype=np.int64)
    size = max(1, BLOCK_GENOTYPES // max(genotypes.n_samples, 1))
    with replace_together(gen_path, sample_path) as (gen, sample):
        # A fixed time in the gzip header: the same genotypes give the same bytes.
        with gen.open("wb") as raw:
            file = gzip.GzipFile("", "wb", 6, raw, mtime=0) if gen.suffix == ".gz" else raw
            for where, dosages in genotypes.blocks(min(size, 4096)):
                n_missing += (dosages == MISSING).sum(axis=1)
                table = genotypes.variants.iloc[where]
                columns = (table[name] for name in ("chromosome", "id", "position", "other", "counted"))
                for leading, row in zip(zip(*columns, strict=True), dosages.T, strict=True):
                    file.write(" ".join(map(str, leading)).encode())
                    file.write(GENOTYPE_TEXT[row + 1].tobytes())
                    file.write(b"\n")
            if file is not raw:
                file.close()
        share = n_missing / max(genotypes.n_variants, 1)
        write_sample_file(sample, genotypes.samples, share, phenotype)


@dataclass
class _GenReader:
    """The rows of one .gen file, in blocks, with a count of the genotypes set to missing."""

    path: Path
    samples: pd.DataFrame
    sample_path: Path
    chromosome: str | None
    threshold: float
    keep: VariantFilter | None = None
    counts: dict[str, int] = field(
        default_factory=lambda: {"uncertain genotypes": 0, "genotypes without probabilities": 0}
    )
    leading: int = 0
    rows_of_ids: dict[str, int] = field(default_factory=dict)

    def blocks(self) -> Iterator[tuple[pd.DataFrame, Int8[np.ndarray, "n_samples k"]]]:
        """Yield (variants, dosages of B)."""
        size = min(4096, max(1, BLOCK_GENOTYPES // len(self.samples)))
        variants: list[tuple[str, str, float, int, str, str]] = []
        dosages: list[Int8[np.ndarray, " n_samples"]] = []
        for number, line in read_lines(self.path):
            if not line.strip():
                continue
            if not self.leading:
                self.leading = self._count_leading(line)
            *leading, rest = line.split(None, self.leading)
            if len(leading) < self.leading:
                raise self._make_error(
                    f"{len(line.split())} columns where {self.leading + 3 * len(self.samples)} are due",
                    number,
                )
            variant = self._read_variant([decode_text(one, self.path, number) for one in leading], number)
            if self.keep is not None and not self.keep(variant[0], variant[1], variant[3]):
                continue
            variants.append(variant)
            dosages.append(self._call(rest, number))
            if len(variants) == size:
                yield pd.DataFrame(variants, columns=VARIANT_COLUMNS), np.stack(dosages, axis=1)
                variants, dosages = [], []
        if variants:
            yield pd.DataFrame(variants, columns=VARIANT_COLUMNS), np.stack(dosages, axis=1)

    def _count_leading(self, line: bytes) -> int:
        n_columns, n_samples = len(line.split()), len(self.samples)
        leading = n_columns - 3 * n_samples
        if leading not in (5, 6):
            raise self._make_error(
                f"{n_columns} columns, but the {n_samples} samples of {self.sample_path} need "
                f"{5 + 3 * n_samples} (or {6 + 3 * n_samples} with the chromosome first)",
                1,
                remedy="Give the .sample file that belongs to the .gen, and three probabilities a sample",
            )
        return leading

    def _read_variant(self, fields: list[str], number: int) -> tuple[str, str, float, int, str, str]:
        *first, snp_id, rs_id, position, a, b = fields
        if first:
            chromosome = name_chromosome(first[0])
        elif self.chromosome is not None:
            chromosome = name_chromosome(self.chromosome)
        else:
            named = name_chromosome(snp_id)
            chromosome = named if named in AUTOSOMES_AND_SEX else UNKNOWN
        if not is_position(position):
            raise self._make_error(
                f"{position!r} is no position", number, remedy="Give the position in bp, a whole number"
            )
        if a == b:
            raise self._make_error(
                f"both alleles are {a!r}",
                number,
                remedy="Name two different alleles, or leave the variant out",
            )
        variant_id = snp_id if rs_id == "." else rs_id
        before = self.rows_of_ids.setdefault(variant_id, number)
        if before != number:
            raise self._make_error(
                f"the variant id {variant_id!r} stands already in row {before}",
                number,
                remedy="Give every variant an id of its own, for instance chromosome:position:alleles",
            )
        return chromosome, variant_id, 0.0, int(position), b, a

    def _call(self, text: bytes, number: int) -> Int8[np.ndarray, " n_samples"]:
        probabilities = _read_digits(text, len(self.samples))
        if probabilities is None:
            probabilities = self._read_numbers(text, number)
        total = probabilities.sum(axis=1)
        without = total == 0
        wrong = (
            (abs(total - 1) > SUM_TOLERANCE) & ~without
            | (probabilities < 0).any(axis=1)
            | ~np.isfinite(total)
        )
        if wrong.any():
            raise self._describe_wrong(probabilities, int(np.argmax(wrong)), number)
        uncertain = ~without & (probabilities.max(axis=1) < self.threshold)
        self.counts["uncertain genotypes"] += int(uncertain.sum())
        self.counts["genotypes without probabilities"] += int(without.sum())
        dosages = np.asarray(probabilities.argmax(axis=1), dtype=np.int8)
        dosages[uncertain | without] = MISSING
        return dosages

    def _read_numbers(self, text: bytes, number: int) -> Float[np.ndarray, "n_samples 3"]:
        words, due = text.split(), 3 * len(self.samples)
        if len(words) != due:
            raise self._make_error(
                f"{len(words)} probabilities where {len(self.samples)} samples need {due}",
                number,
                remedy="Give three probabilities a sample, 0 0 0 where the genotype is missing",
            )
        try:
            return np.asarray(words, dtype=np.float64).reshape(-1, 3)
        except ValueError:
            at = next(at for at, word in enumerate(words) if not _is_number(word))
            name = self.samples["iid"].iloc[at // 3]
            raise self._make_error(
                f"{words[at].decode(errors='replace')!r} is no probability, of sample {name}",
                number,
                remedy="Give numbers from 0 to 1, 0 0 0 where the genotype is missing",
            ) from None

    def _describe_wrong(
        self, probabilities: Float[np.ndarray, "n_samples 3"], at: int, number: int
    ) -> InputError:
        three = " ".join(f"{float(one):g}" for one in probabilities[at])
        problem = "are not numbers from 0 to 1" if not (probabilities[at] >= 0).all() else "do not sum to 1"
        return self._make_error(
            f"the probabilities {three} of sample {self.samples['iid'].iloc[at]} {problem}",
            number,
            remedy=f"Give three that sum to 1 within {SUM_TOLERANCE}, or 0 0 0 where the genotype is missing",
        )

    def _make_error(
        self, problem: str, number: int, *, remedy: str = "Write the row again, or make the file again"
    ) -> InputError:
        return InputError(problem, file=self.path, row=number, remedy=remedy)


def _read_digits(text: bytes, n_samples: int) -> np.ndarray | None:
    """Return probabilities that are all single digits 0 and 1, as HAPGEN2 writes them; else None.

    Ten times as fast as reading numbers.
    """
    characters = np.frombuffer(text.rstrip(), dtype=np.uint8)
    if len(characters) != 6 * n_samples - 1 or (characters[1::2] != ord(" ")).any():
        return None
    digits = characters[::2] - np.uint8(ord("0"))
    return np.asarray(digits.reshape(-1, 3), dtype=np.float32) if digits.max() <= 1 else None


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
