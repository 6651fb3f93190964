"""A bundle opened: its facts and tables, and scores from dosages. Nothing that trains is imported."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Float64, Int8, Int64
from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

from genotransfer.choice import average_scores
from genotransfer.errors import AlignmentError, InputError
from genotransfer.models.archives import check_hash
from genotransfer.models.predictors import Predictor, ScorePredictor
from genotransfer.models.store import MANIFEST as PREDICTOR
from genotransfer.models.store import load_predictor
from genotransfer.prediction.calibration import CALIBRATION_COLUMNS
from genotransfer.prediction.facts import (
    ANCESTRY,
    CALIBRATION,
    MANIFEST,
    REMEDY,
    VARIANTS,
    BundleFacts,
    read_bundle_table,
    read_facts,
)

VARIANT_COLUMNS = ["chromosome", "position", "id", "counted", "other", "frequency", "source_frequency"]
TEXT_COLUMNS = {"chromosome", "id", "counted", "other"}
COLUMNS_OF = {VARIANTS: VARIANT_COLUMNS, CALIBRATION: CALIBRATION_COLUMNS, ANCESTRY: VARIANT_COLUMNS}


@dataclass(frozen=True, eq=False)
class Member:
    """One model of a bundle, and where its variants stand among the bundle's.

    Attributes
    ----------
    predictor : the model.
    weight : in the average of log odds.
    columns : int64; the bundle's variant behind each of the model's.
    swapped : whether the model counts the other allele of it.
    """

    predictor: Predictor
    weight: float
    columns: Int64[np.ndarray, " k"]
    swapped: Bool[np.ndarray, " k"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A phenotype's model with all that is needed to apply it elsewhere.

    Attributes
    ----------
    folder : where it was read.
    facts : what it says of itself.
    variants : one row a variant of the model, in genome order: chromosome, position (bp), id,
        counted, other, frequency (of counted, among the target's people that learnt) and
        source_frequency (NaN where the source has no people).
    calibration : one row a bin of probability: low, high, n, n_cases, mean_probability, observed
        (share of cases on FD), observed_low and observed_high (Wilson's 95 % interval); no rows
        without FD.
    ancestry : variants that tell the populations apart, in the columns of `variants`.
    members : the models.
    """

    folder: Path
    facts: BundleFacts
    variants: pd.DataFrame = field(repr=False)
    calibration: pd.DataFrame = field(repr=False)
    ancestry: pd.DataFrame = field(repr=False)
    members: list[Member] = field(repr=False)

    @property
    def n_variants(self) -> int:
        """Number of variants the model reads."""
        return len(self.variants)

    def score(
        self,
        dosages: Int8[np.ndarray, "n_samples n_variants"] | Float32[np.ndarray, "n_samples n_variants"],
        absent: Bool[np.ndarray, " n_variants"] | None = None,
    ) -> Float64[np.ndarray, " n_samples"]:
        """Return each person's probability of being a case.

        Parameters
        ----------
        dosages : copies of the counted allele of `variants`, in their order, 0 to 2; a missing one is
            -1 or NaN, and counts as the model's mean.
        absent : variants that nobody has been typed at. A network that reads genotypes knows of a missing
            one that it is none of the three; of these it is given the most common one.

        Raises
        ------
        AlignmentError
            The number of variants is not the model's.
        """
        if dosages.shape[1] != self.n_variants:
            raise AlignmentError(
                f"The dosages have {dosages.shape[1]} variants, the bundle {self.n_variants}. "
                "Give one column for each row of variants.parquet, in its order."
            )
        scores = []
        for member in self.members:
            mine = dosages[:, member.columns]
            if absent is not None and member.predictor.standardiser.counts_copies:
                gone = absent[member.columns]
                mine[:, gone] = self._find_common()[member.columns[gone]].astype(mine.dtype)
            swap = member.swapped & (mine >= 0)
            mine = np.where(swap, 2 - mine, mine).astype(dosages.dtype)
            scores.append(member.predictor.score(mine))
        return average_scores(scores, [member.weight for member in self.members])

    def _find_common(self) -> Float64[np.ndarray, " n_variants"]:
        """Return each variant's most common genotype under Hardy-Weinberg equilibrium, in copies."""
        q = np.nan_to_num(self.variants["frequency"].to_numpy(dtype=np.float64))
        shares = np.stack([(1 - q) ** 2, 2 * q * (1 - q), q**2])
        return np.asarray(shares.argmax(axis=0), dtype=np.float64)

    @property
    def effects(self) -> Float64[np.ndarray, " n_variants"] | None:
        """Change of the log odds with each copy of a counted allele; None unless all members are scores."""
        total = np.zeros(self.n_variants)
        for member in self.members:
            if not isinstance(member.predictor, ScorePredictor):
                return None
            sign = np.where(member.swapped, -1.0, 1.0)
            np.add.at(total, member.columns, member.weight * sign * member.predictor.effects)
        return total

    @property
    def importance(self) -> Float64[np.ndarray, " n_variants"] | None:
        """Share of each variant in the score: |effect| times the dosage's deviation, summing to 1."""
        effects = self.effects
        if effects is None:
            return None
        frequency = self.variants["frequency"].to_numpy(dtype=np.float64)
        size = np.abs(effects) * np.sqrt(2 * frequency * (1 - frequency))
        size = np.nan_to_num(size)
        return size / size.sum() if size.sum() > 0 else None


def open_model(model: str, scratch: str | Path, tracking_uri: str = "") -> Bundle:
    """Open a model by its place: a bundle's folder, or an address in MLflow's registry.

    Parameters
    ----------
    model : a folder; or ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
    scratch : folder the bundle is fetched into from a registry; it must live as long as the bundle is used.
    tracking_uri : of the registry; MLFLOW_TRACKING_URI when empty.

    Raises
    ------
    InputError
        It is no bundle, or no registry is named.
    StudyError
        The registry cannot be reached, or has no such model.
    """
    if not model.startswith("models:"):
        return load_bundle(model)
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise InputError(
            f"no registry is named for {model}", remedy="Set MLFLOW_TRACKING_URI, or give --tracking-uri"
        )
    # Only here: MLflow takes seconds to import, and a folder needs none of it.
    tracking = import_module("genotransfer.tracking")
    return load_bundle(tracking.fetch_bundle(model, uri, Path(scratch) / "bundle"))


def load_bundle(folder: str | Path) -> Bundle:
    """Open a bundle, having checked every file against the hash its manifest names.

    Raises
    ------
    InputError
        It is no bundle, a file is absent, changed or malformed, or a model holds types that are not
        trusted.
    """
    folder = Path(folder)
    facts = read_facts(folder)
    if linked := next((one for one in sorted(folder.rglob("*")) if one.is_symlink()), None):
        raise InputError("a bundle holds no links, which lead elsewhere", file=linked, remedy=REMEDY)
    for name, expected in sorted(facts.sha256.items()):
        check_hash(folder / name, expected)
    tables = {name: _read_table(folder / name, facts) for name in (VARIANTS, CALIBRATION, ANCESTRY)}
    members = [_open_member(folder, one.folder, one.weight, facts, tables[VARIANTS]) for one in facts.members]
    return Bundle(folder, facts, tables[VARIANTS], tables[CALIBRATION], tables[ANCESTRY], members)


def _read_table(path: Path, facts: BundleFacts) -> pd.DataFrame:
    if path.name not in facts.sha256:
        raise InputError(
            f"the manifest does not name {path.name}", file=path.parent / MANIFEST, remedy=REMEDY
        )
    table = read_bundle_table(path)
    wanted = COLUMNS_OF[path.name]
    if list(table.columns) != wanted:
        raise InputError(
            f"the columns are {', '.join(table.columns)}; due are {', '.join(wanted)}",
            file=path,
            remedy=REMEDY,
        )
    for name in wanted:
        texts = name in TEXT_COLUMNS
        sound = (
            table[name].map(lambda one: isinstance(one, str)).all()
            if texts
            else is_numeric_dtype(table[name])
        )
        if (
            not sound
            or is_bool_dtype(table[name])
            or (name == "position" and not is_integer_dtype(table[name]))
        ):
            raise InputError(f"the column {name} holds values of another kind", file=path, remedy=REMEDY)
    if "id" in wanted and table["id"].duplicated().any():
        raise InputError("an id stands twice", file=path, remedy=REMEDY)
    return table


def _open_member(
    bundle: Path, name: str, weight: float, facts: BundleFacts, variants: pd.DataFrame
) -> Member:
    # Its hash covers those of the model's other files, which the predictor's own manifest names.
    if f"{name}/{PREDICTOR}" not in facts.sha256:
        raise InputError(
            f"the manifest names no {PREDICTOR} of the model {name!r}", file=bundle / MANIFEST, remedy=REMEDY
        )
    predictor = load_predictor(bundle / name)
    wanted = predictor.variants
    columns = pd.Index(variants["id"]).get_indexer(pd.Index(wanted["id"]))
    have = variants.iloc[columns]
    pairs = [
        (have[one].to_numpy(dtype=object), wanted[one].to_numpy(dtype=object)) for one in ("counted", "other")
    ]
    (a, c), (b, d) = pairs
    swapped = (a == d) & (b == c)
    if (columns < 0).any() or not (((a == c) & (b == d)) | swapped).all():
        raise InputError(
            f"the model {name} reads variants or alleles that {VARIANTS} does not hold",
            file=bundle / VARIANTS,
            remedy=REMEDY,
        )
    return Member(predictor, weight, columns.astype(np.int64), np.asarray(swapped, dtype=bool))
