"""Folds: who trains, who validates and who is tested, and the variants each fold's networks read.

`split_exome` writes them to two folders. One is for training, and has no label of a test person but where
a protocol is of the kind that looks at them; the other has the labels of the test people alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int8, Int64

from genotransfer.errors import StudyError
from genotransfer.exome.preselection import compare_genotypes, preselect
from genotransfer.exome_cnn.protocols import PROTOCOLS, ROLES, TEST, TRAINING, VALIDATION, Protocol
from genotransfer.exome_cnn.settings import ExomeCnnStudy, People
from genotransfer.formats.files import replace_together
from genotransfer.genotypes import Genotypes
from genotransfer.randomness import make_generator
from genotransfer.splits import assign_splits

PEOPLE, VARIANTS, COUNTS, LABELS = "people.parquet", "variants.parquet", "counts.parquet", "labels.parquet"
UNKNOWN = -1


@dataclass(frozen=True)
class Fold:
    """One fold of one protocol, as training is handed it.

    Attributes
    ----------
    protocol : its protocol.
    name : of the fold, from ``1``.
    people : iid (str), role (one of `ROLES`), phenotype (int8; 1 case, 0 control, -1 not told).
    variants : id, chisq, p, in the order of the genome.
    """

    protocol: Protocol
    name: str
    people: pd.DataFrame
    variants: pd.DataFrame

    def take_people(self, *roles: str) -> pd.DataFrame:
        """Return the people of some roles, in the order of the genotypes."""
        return self.people[self.people["role"].isin(roles)]


def draw_folds(labels: Int8[np.ndarray, " n"], settings: People, seed: int) -> list[np.ndarray]:
    """Return each fold's roles: object arrays (n,) of `ROLES`, stratified by case and control.

    Parameters
    ----------
    labels : 1 case, 0 control.
    settings : one split, or folds in which everybody is tested once.
    seed : the study's.

    Raises
    ------
    StudyError
        A role of a fold is left without cases or without controls.
    """
    n = len(labels)
    if settings.folds is None:
        sizes = {"1": round(n * settings.test)}
    else:
        sizes = {str(at + 1): n // settings.folds + (at < n % settings.folds) for at in range(settings.folds)}
    tested = assign_splits(labels, sizes, make_generator(seed, "exome", "folds"))
    folds = []
    for name in sizes:
        roles = np.full(n, TEST, dtype=object)
        others = np.flatnonzero(tested != name)
        sizes_within = {VALIDATION: round(len(others) * settings.validation)}
        within = assign_splits(
            labels[others], sizes_within, make_generator(seed, "exome", "validation", name)
        )
        roles[others] = np.where(within == VALIDATION, VALIDATION, TRAINING)
        _check_roles(labels, roles, name)
        folds.append(roles)
    return folds


def split_exome(
    study: ExomeCnnStudy,
    genotypes: Genotypes,
    labels: Int8[np.ndarray, " n"],
    folds_folder: str | Path,
    tests_folder: str | Path,
) -> pd.DataFrame:
    """Part the people, choose each fold's variants, and write both folders.

    Parameters
    ----------
    study : the study.
    genotypes : of all people.
    labels : 1 case, 0 control, in the order of the genotypes' samples.
    folds_folder : gets ``<protocol>/<fold>/people.parquet`` and ``variants.parquet``, and
        ``counts.parquet``. The phenotype of a test person is -1 unless the protocol watches the test.
    tests_folder : gets ``labels.parquet``: fold, iid, phenotype of the test people, and majority, the
        commoner class among the others (0 or 1).

    Returns
    -------
    A row a protocol and fold: protocol, fold, n_training, n_validation, n_test (people), n_tested,
    n_kept (variants), and n_expected: tested variants with p at or below the threshold if none
    were associated, NaN where there is no threshold.

    Raises
    ------
    StudyError
        A role has one class only, or no variant is kept.
    """
    folds = draw_folds(labels, study.people, study.seed)
    everybody = compare_genotypes(genotypes, labels) if _selects_on_all(study) else None
    rows = []
    with replace_together(folds_folder, tests_folder) as (learning, testing):
        for number, roles in enumerate(folds, 1):
            training = np.flatnonzero(roles == TRAINING)
            own = compare_genotypes(genotypes.select(samples=training), labels[training])
            for name in study.protocols:
                protocol = PROTOCOLS[name]
                table = everybody if protocol.selects_on_all and everybody is not None else own
                folder = learning / name / str(number)
                folder.mkdir(parents=True)
                kept = _choose(study, table)
                kept.to_parquet(folder / VARIANTS, index=False)
                known = labels if protocol.knows_test_labels else np.where(roles == TEST, UNKNOWN, labels)
                people = pd.DataFrame({"iid": genotypes.samples["iid"], "role": roles})
                people.assign(phenotype=known.astype(np.int8)).to_parquet(folder / PEOPLE, index=False)
                rows.append(_count(study, name, number, roles, table, kept))
        counts = pd.DataFrame(rows)
        counts.to_parquet(learning / COUNTS, index=False)
        testing.mkdir()
        _list_tests(genotypes, labels, folds).to_parquet(testing / LABELS, index=False)
    return counts


def read_folds(folds_folder: str | Path, protocols: Sequence[str]) -> Iterator[Fold]:
    """Yield the folds of each protocol, as `split_exome` wrote them."""
    for name in protocols:
        for folder in sorted((Path(folds_folder) / name).iterdir(), key=lambda path: int(path.name)):
            yield Fold(
                PROTOCOLS[name],
                folder.name,
                pd.read_parquet(folder / PEOPLE),
                pd.read_parquet(folder / VARIANTS),
            )


def _selects_on_all(study: ExomeCnnStudy) -> bool:
    return any(PROTOCOLS[name].selects_on_all for name in study.protocols)


def _choose(study: ExomeCnnStudy, table: pd.DataFrame) -> pd.DataFrame:
    rows: Int64[np.ndarray, " k"] = preselect(
        table, n_variants=study.preselection.n_variants, p=study.preselection.p
    )
    kept = table.iloc[rows][["SNP", "CHISQ", "P"]].reset_index(drop=True)
    return kept.set_axis(["id", "chisq", "p"], axis=1)


def _count(
    study: ExomeCnnStudy, protocol: str, fold: int, roles: np.ndarray, table: pd.DataFrame, kept: pd.DataFrame
) -> dict[str, object]:
    n_tested, p = int(table["P"].notna().sum()), study.preselection.p
    people = {f"n_{role}": int((roles == role).sum()) for role in ROLES}
    expected = float("nan") if p is None else p * n_tested
    variants = {"n_tested": n_tested, "n_kept": len(kept), "n_expected": expected}
    return {"protocol": protocol, "fold": str(fold), **people, **variants}


def _list_tests(
    genotypes: Genotypes, labels: Int8[np.ndarray, " n"], folds: list[np.ndarray]
) -> pd.DataFrame:
    parts = []
    for number, roles in enumerate(folds, 1):
        tested = roles == TEST
        majority = np.int8(labels[~tested].mean() > 0.5)
        part = pd.DataFrame({"iid": genotypes.samples["iid"][tested], "phenotype": labels[tested]})
        parts.append(part.assign(fold=str(number), majority=majority))
    return pd.concat(parts, ignore_index=True)[["fold", "iid", "phenotype", "majority"]]


def _check_roles(labels: Int8[np.ndarray, " n"], roles: np.ndarray, fold: str) -> None:
    for role in ROLES:
        found = labels[roles == role]
        if not (found == 0).any() or not (found == 1).any():
            raise StudyError(
                f"The {role} people of fold {fold} would be {int((found == 1).sum())} cases and "
                f"{int((found == 0).sum())} controls of {int(labels.sum())} and {int((labels == 0).sum())} in all. "
                "Give more people, fewer folds, or larger shares."
            )
