"""Probabilities for the people of a file, with what is to be known of them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from genotransfer.errors import InputError
from genotransfer.evaluation import predict_cases
from genotransfer.formats.files import replace_together
from genotransfer.prediction.ancestry import score_people
from genotransfer.prediction.calibration import locate_bins
from genotransfer.prediction.cautions import (
    compare_ancestry,
    describe_model,
    judge_model,
    judge_people,
    judge_positions,
)
from genotransfer.prediction.cohorts import Cohort, open_cohorts, read_matched
from genotransfer.prediction.facts import BundleFacts
from genotransfer.prediction.match import VariantMatch, match_model
from genotransfer.prediction.match_rates import measure_match, refuse_poor
from genotransfer.prediction.opened import Bundle, open_model

# Genotypes of a block of people held at a time.
BLOCK_GENOTYPES = 1 << 27
ROWS_AT_ONCE = 2048
COLUMNS = [
    "iid",
    "probability",
    "predicted",
    "call_rate",
    "observed",
    "observed_low",
    "observed_high",
    "ancestry",
    "ancestry_z",
]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was predicted for the people of a file.

    Attributes
    ----------
    table : one row a person, in the file's order: iid; probability of being a case; predicted (1 case, 0
        control); call_rate, the share of the model's variants that are called; observed, the share of
        cases on FD among people of like probability, with its 95 % interval observed_low and
        observed_high; ancestry, the statistic of `genotransfer.prediction.ancestry`, and ancestry_z,
        its distance from the mean of the target's people, in their deviations. What is not known is NaN.
    match_rate : share of the model's variants that the file holds; a mean over files.
    effect_match_rate : the same, each variant weighted with what it adds to the score; None where the
        model is no sum over variants.
    counts : variants by what became of them, see `VariantMatch.count`; summed
        over files.
    warnings : reasons to mistrust the probabilities.
    notes : how to read them.
    facts : of the model.
    """

    table: pd.DataFrame
    match_rate: float
    effect_match_rate: float | None
    counts: dict[str, int]
    warnings: list[str]
    notes: list[str]
    facts: BundleFacts = field(repr=False)

    def write(self, path: str | Path) -> None:
        """Write the table, tab-separated; what is not known is ``NA``."""
        with replace_together(path) as [temporary]:
            self.table.to_csv(temporary, sep="\t", index=False, na_rep="NA", float_format="%.10g")

    def measure(self) -> dict[str, float]:
        """Return the numbers of the whole by name; what is not known is left out."""
        values = {
            "n_people": float(len(self.table)),
            "n_predicted_cases": float(self.table["predicted"].sum()),
            "mean_probability": float(self.table["probability"].mean()),
            "mean_call_rate": float(self.table["call_rate"].mean()),
            "mean_ancestry_z": float(self.table["ancestry_z"].mean()),
            "match_rate": self.match_rate,
            "n_warnings": float(len(self.warnings)),
        }
        if self.effect_match_rate is not None:
            values["effect_match_rate"] = self.effect_match_rate
        return {name: value for name, value in values.items() if np.isfinite(value)}


def predict_file(
    bundle: Bundle,
    input: str | Path,
    *,
    from_format: str | None = None,
    sample: str | Path | None = None,
    chromosome: str | None = None,
    least_match_rate: float = 0.9,
    ambiguous: str = "strand",
) -> Prediction:
    """Predict for the people of a genotype file.

    Variants are found by id and position, on either strand, see `genotransfer.prediction.match`. A
    genotype that is missing, or whose variant is not in the file, counts as the model's mean. People are
    read in blocks, and of the file only the variants that are needed.

    Parameters
    ----------
    bundle : the model.
    input : a PLINK prefix or .bed; a .gen; a .vcf or .bcf; a 23andMe .txt or a folder of them.
    from_format, sample, chromosome : see `genotransfer.formats.convert.open_genotypes`.
    least_match_rate : 0 to 1; least share of the model's variants, and of its effects where they are
        known, that the file must hold, and that must be called in its people on average.
    ambiguous : ``strand``, ``keep`` or ``drop`` A/T and C/G variants, see `match_model`.

    Raises
    ------
    InputError
        The file holds too few of the model's variants, or cannot be read.
    """
    if not 0 <= least_match_rate <= 1:
        raise InputError(f"a least match rate of {least_match_rate}", remedy="Give a share from 0 to 1")
    wanted = _list_wanted(bundle)
    parts: list[_Part] = []
    with tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch:
        for cohort in open_cohorts(
            input, scratch, wanted, from_format=from_format, sample=sample, chromosome=chromosome
        ):
            match = match_model(wanted, cohort.variants, ambiguous=ambiguous)
            rates = measure_match(bundle, match)
            refuse_poor(bundle, cohort, match, rates, input, least_match_rate)
            parts.append(_Part(match, rates, _predict_cohort(bundle, cohort, match)))
    table = pd.concat([one.table for one in parts], ignore_index=True)
    called = float(table["call_rate"].mean())
    if called < least_match_rate:
        raise InputError(
            f"on average {called:.1%} of the model's variants are called in the file's people, below "
            f"{least_match_rate:.1%}: the file names them, but their genotypes are missing",
            file=input,
            remedy="Give genotypes that are called or imputed, or a lower --least-match-rate",
        )
    compared = compare_ancestry(bundle, table["ancestry"].to_numpy(), table["_typed"].to_numpy())
    table["ancestry_z"] = compared.target_z
    effect_rates = [one.rates[1] for one in parts]
    counted = [one.match.count(bundle.n_variants) for one in parts]
    counts = {name: sum(one[name] for one in counted) for name in counted[0]}
    known = [rate for rate in effect_rates if rate is not None]
    return Prediction(
        table=table[COLUMNS],
        match_rate=float(np.mean([one.rates[0] for one in parts])),
        effect_match_rate=float(np.mean(known)) if known else None,
        counts=counts,
        warnings=[
            *judge_positions(bundle, [one.match for one in parts]),
            *judge_people(bundle, table, compared, least_match_rate),
            *judge_model(bundle.facts),
        ],
        notes=describe_model(bundle.facts),
        facts=bundle.facts,
    )


def predict_with_model(model: str, input: str | Path, *, tracking_uri: str = "", **how: Any) -> Prediction:
    """Predict with a model by its place, see `open_model`; everything else is that of `predict_file`."""
    with tempfile.TemporaryDirectory(prefix="genotransfer-") as scratch:
        return predict_file(open_model(model, scratch, tracking_uri), input, **how)


@dataclass(frozen=True, eq=False)
class _Part:
    match: VariantMatch
    rates: tuple[float, float | None]
    table: pd.DataFrame


def _list_wanted(bundle: Bundle) -> pd.DataFrame:
    """Return the model's variants, and after them those of ancestry that are not among them."""
    more = bundle.ancestry[~bundle.ancestry["id"].isin(bundle.variants["id"])]
    return pd.concat([bundle.variants, more], ignore_index=True) if len(more) else bundle.variants


def _predict_cohort(bundle: Bundle, cohort: Cohort, match: VariantMatch) -> pd.DataFrame:
    """Return the table of one cohort, with ``_typed``: how many variants the ancestry is the mean of."""
    n, size = len(cohort.iids), max(ROWS_AT_ONCE, BLOCK_GENOTYPES // max(len(match.rows), 1))
    ancestry = _find_ancestry(bundle, _list_wanted(bundle))
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ("probability", "call_rate", "ancestry", "_typed")
    }
    for start in range(0, n, size):
        dosages = read_matched(cohort, match, slice(start, min(start + size, n)))
        mine = dosages[:, : bundle.n_variants]
        absent = ~match.found[: bundle.n_variants]
        columns["probability"].append(bundle.score(np.ascontiguousarray(mine), absent))
        columns["call_rate"].append((mine >= 0).mean(axis=1))
        for first in range(0, len(dosages), ROWS_AT_ONCE):
            some = dosages[first : first + ROWS_AT_ONCE]
            statistic, typed = score_people(some[:, ancestry], bundle.ancestry)
            columns["ancestry"].append(statistic)
            columns["_typed"].append(typed)
    table = pd.DataFrame({name: np.concatenate(values) for name, values in columns.items()})
    scores = table["probability"].to_numpy(dtype=np.float64)
    observed = _look_up(bundle, scores)
    return table.assign(
        iid=cohort.iids,
        predicted=predict_cases(scores).astype(np.int8),
        **{str(name): observed[name].to_numpy() for name in observed},
    )


def _find_ancestry(bundle: Bundle, wanted: pd.DataFrame) -> Int64[np.ndarray, " k"]:
    at = pd.Index(wanted["id"]).get_indexer(pd.Index(bundle.ancestry["id"]))
    return np.asarray(at, dtype=np.int64)


def _look_up(bundle: Bundle, scores: Float64[np.ndarray, " n"]) -> pd.DataFrame:
    """Return what FD showed at each probability; NaN without FD."""
    names = ["observed", "observed_low", "observed_high"]
    if not len(bundle.calibration):
        return pd.DataFrame(np.nan, index=range(len(scores)), columns=names)
    at = locate_bins(bundle.calibration["low"].to_numpy(dtype=np.float64), scores)
    return bundle.calibration[names].iloc[at]
