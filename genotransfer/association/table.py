"""Association tables: one row a variant, PLINK's column names, streamed over blocks of variants."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int8, Int64

from genotransfer.association import contingency
from genotransfer.association.logistic import add_logistic, check_covariates
from genotransfer.counts import count_alleles, count_block, find_autosomal, find_major_counted
from genotransfer.errors import StudyError
from genotransfer.exact import fisher_exact
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import MISSING, Genotypes

TESTS = ("allelic", "genotypic", "trend", "fisher", "logistic", "difference")


def associate(
    genotypes: Genotypes,
    labels: Int8[np.ndarray, " n_samples"],
    test: str,
    *,
    covariates: Float64[np.ndarray, "n_rows c"] | None = None,
    firth: bool = True,
    minimum_cell: int = 5,
    block: int = 4096,
) -> pd.DataFrame:
    """Test every autosomal variant for association with a case-control label.

    Parameters
    ----------
    genotypes : of the samples to analyse; all count as founders (PLINK's ``--nonfounders``).
    labels : int8 (n_samples,); 1 case, 0 control.
    test : one of `TESTS`. ``difference`` is the mean allele count in cases less that in controls.
    covariates : float64 (n_samples, c), for ``logistic`` only; a sample with a NaN is left out.
    firth : ``logistic`` only: estimate by Firth's method where the likelihood has no maximum.
    minimum_cell : ``genotypic`` only: NaN where an observed cell holds fewer (PLINK's ``--cell``).
    block : variants read at a time.

    Returns
    -------
    A row for each autosomal variant, in the order of `genotypes`. All have CHR, SNP, BP, A1 (the
    minor allele among the samples analysed; at a tie the counted one) and A2, and

    - allelic: F_A, F_U, CHISQ, P, OR (PLINK 1.9's ``.assoc``);
    - fisher: F_A, F_U, P, OR (``.assoc.fisher``);
    - genotypic, trend: TEST, AFF, UNAFF, CHISQ, DF, P (``.model``, and BP);
    - logistic: TEST, NMISS, BETA, OR, SE (of BETA), L95, U95, STAT, P (``.assoc.logistic``), FIRTH
      (Y or N) and ERRCODE (PLINK 2's ``.glm.logistic.hybrid``; ``.`` where there is a fit);
    - difference: F_A, F_U, DIFF.

    NaN stands where a statistic is not defined. ``attrs["left_out"]`` is the number of variants
    on other chromosomes: they are not tested, and a warning gives their number.

    Raises
    ------
    StudyError
        The test is unknown; labels are of the wrong number, of one class, or not 0 and 1; there
        is no autosomal variant; covariates do not suit.

    Source: PLINK 1.9 and 2.0 (Chang et al. 2015, GigaScience 4:7); Muneeb 2022, SNPs pre-selection.
    """
    _check(genotypes, labels, test, covariates)
    if covariates is not None:
        whole = np.isfinite(covariates).all(axis=1)
        genotypes, labels, covariates = genotypes.select(samples=whole), labels[whole], covariates[whole]
        _check_classes(labels, " among samples with all covariates")
        check_covariates(covariates)
    genotypes, left_out = _take_autosomes(genotypes)
    parts = []
    for where, dosages in genotypes.blocks(block):
        # Cases are group 0: PLINK gives them first.
        counts = count_block(dosages, np.asarray(1 - labels, dtype=np.int8), 2)
        flipped = find_major_counted(counts)
        counts[flipped] = counts[flipped][..., ::-1]
        table = _describe(genotypes.variants.iloc[where], flipped)
        if test == "logistic":
            if covariates is not None:
                dosages = np.where(flipped & (dosages != MISSING), 2 - dosages, dosages)
            parts.append(add_logistic(table, counts, dosages, labels, covariates, firth))
        else:
            parts.append(_add_counts(table, counts, test, minimum_cell))
    result = pd.concat(parts, ignore_index=True)
    result.attrs["left_out"] = left_out
    return result


def write_association(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as tab-separated text (NaN as NA, numbers in full), or Parquet if so named."""
    with replace_together(path) as (target,):
        if target.suffix == ".parquet":
            table.to_parquet(target, index=False)
        else:
            table.to_csv(target, sep="\t", na_rep="NA", index=False)


def read_association(path: str | Path) -> pd.DataFrame:
    """Read what `write_association` wrote."""
    if Path(path).suffix == ".parquet":
        return pd.read_parquet(path)
    text = dict.fromkeys(("CHR", "SNP", "A1", "A2", "TEST", "AFF", "UNAFF", "FIRTH", "ERRCODE"), str)
    return pd.read_csv(path, sep="\t", dtype=text, na_values=["NA"], keep_default_na=False)


def _check(
    genotypes: Genotypes,
    labels: Int8[np.ndarray, " n"],
    test: str,
    covariates: Float64[np.ndarray, "m c"] | None,
) -> None:
    if test not in TESTS:
        raise StudyError(f"There is no association test {test!r}. Choose one of {', '.join(TESTS)}.")
    for what, values in (("labels", labels), ("rows of covariates", covariates)):
        if values is not None and len(values) != genotypes.n_samples:
            raise StudyError(
                f"{len(values)} {what} were given for {genotypes.n_samples} samples of genotypes. "
                "Give one for each sample, in the samples' order."
            )
    strange = labels[(labels != 0) & (labels != 1)]
    if len(strange):
        raise StudyError(
            f"{len(strange)} labels are neither 1 (case) nor 0 (control), the first: {strange[0]}. "
            "Leave samples without a phenotype out."
        )
    _check_classes(labels)
    if covariates is not None and test != "logistic":
        raise StudyError(
            f"The {test} test takes no covariates. Use the logistic test, or give no covariates."
        )


def _check_classes(labels: Int8[np.ndarray, " n"], where: str = "") -> None:
    n_cases = int((labels == 1).sum())
    if n_cases in (0, len(labels)):
        only = "controls" if n_cases == 0 else "cases"
        raise StudyError(
            f"All {len(labels)} labels{where} are {only}; an association test compares cases with controls. "
            "Choose another phenotype or threshold, or larger splits."
        )


def _take_autosomes(genotypes: Genotypes) -> tuple[Genotypes, int]:
    autosomal = find_autosomal(genotypes.variants["chromosome"])
    left_out = int((~autosomal).sum())
    if not autosomal.any():
        raise StudyError(
            f"None of the {len(autosomal)} variants is on an autosome. The tests count two alleles "
            "in everybody: give variants of chromosomes 1 to 22."
        )
    if left_out:
        others = ", ".join(sorted(set(genotypes.variants["chromosome"][~autosomal])))
        warnings.warn(
            f"{left_out} variants are not tested: they are not on autosomes (chromosomes {others})",
            stacklevel=3,
        )
    return genotypes.select(variants=autosomal), left_out


def _describe(variants: pd.DataFrame, flipped: Bool[np.ndarray, " k"]) -> pd.DataFrame:
    counted, other = variants["counted"].to_numpy(), variants["other"].to_numpy()
    return pd.DataFrame(
        {
            "CHR": variants["chromosome"].to_numpy(),
            "SNP": variants["id"].to_numpy(),
            "BP": variants["position"].to_numpy(),
            "A1": np.where(flipped, other, counted),
            "A2": np.where(flipped, counted, other),
        }
    )


def _add_counts(
    table: pd.DataFrame, counts: Int64[np.ndarray, "k 2 3"], test: str, minimum_cell: int
) -> pd.DataFrame:
    place = ["CHR", "SNP", "BP", "A1"]
    if test in ("genotypic", "trend"):
        if test == "genotypic":
            statistic, freedom, p = contingency.compute_genotypic(counts, minimum_cell)
            cells = counts[..., ::-1]
        else:
            statistic, p = contingency.compute_trend(counts)
            freedom = np.where(np.isnan(statistic), np.nan, 1.0)
            cells = count_alleles(counts)
        written = {
            name: ["/".join(map(str, row)) for row in cells[:, group].tolist()]
            for group, name in enumerate(("AFF", "UNAFF"))
        }
        label = {"genotypic": "GENO", "trend": "TREND"}[test]
        return table.assign(TEST=label, **written, CHISQ=statistic, DF=freedom, P=p)
    f_a, f_u = contingency.compute_frequencies(counts)
    table = table.assign(F_A=f_a, F_U=f_u)[[*place, "F_A", "F_U", "A2"]]
    if test == "difference":
        return table.assign(DIFF=2 * (f_a - f_u))
    odds_ratio = contingency.compute_odds_ratio(counts)
    if test == "fisher":
        return table.assign(P=fisher_exact(count_alleles(counts)), OR=odds_ratio)
    statistic, p = contingency.compute_allelic(counts)
    return table.assign(CHISQ=statistic, P=p, OR=odds_ratio)
