"""Recovery: whether what an explanation ranks first are the true risk SNPs, or stand for them.

A variant is a hit when its r2 with a true risk SNP is .8 or more in the population asked. The bins of
variants in LD are ranked, each by its most important variant: a bin counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genotransfer.genotypes import Genotypes
from genotransfer.interpretation.tables import list_leads
from genotransfer.linkage import BIN_R2, BIN_REACH, compute_cross_r2

PROXY_COLUMNS = ["id", "risk_id", "risk_r2"]
DEPTHS = (1, 5, 10)


@dataclass(frozen=True)
class Recovery:
    """How an explanation's ranking lies to the true risk SNPs.

    Attributes
    ----------
    n_ranked : bins that have any importance.
    first_rank : rank of the first hit, from 1; NaN where none is ranked.
    precision : by k of `DEPTHS`: hits among the first k bins, as a share of those there are.
    found : by k: true risk SNPs with a hit among the first k bins, as a share of all of them.
    """

    n_ranked: int
    first_rank: float
    precision: dict[int, float]
    found: dict[int, float]

    def to_row(self) -> dict[str, int | float]:
        """Return the numbers by name: n_ranked, first_rank, precision_1, found_1, and so on."""
        row: dict[str, int | float] = {"n_ranked": self.n_ranked, "first_rank": self.first_rank}
        for k in self.precision:
            row |= {f"precision_{k}": self.precision[k], f"found_{k}": self.found[k]}
        return row


def find_proxies(genotypes: Genotypes, risk_ids: list[str], reach: int = BIN_REACH) -> pd.DataFrame:
    """Return the variants near true risk SNPs, with the one each is in strongest LD with.

    Parameters
    ----------
    genotypes : of the people r2 is taken from.
    risk_ids : ids of the risk SNPs, which must be among the variants.
    reach : largest distance in bp.

    Returns
    -------
    id, risk_id and risk_r2 (0 to 1); variants further from all of them are left out.

    Raises
    ------
    InputError
        A risk SNP is not among the variants.
    """
    at = genotypes.locate_variants(risk_ids)
    chromosome = genotypes.variants["chromosome"].to_numpy()
    position = genotypes.variants["position"].to_numpy()
    risk = genotypes.read(at)
    parts = [pd.DataFrame({name: [] for name in PROXY_COLUMNS}).astype({"id": object, "risk_id": object})]
    for number, place in enumerate(at):
        same = chromosome == chromosome[place]
        near = np.flatnonzero(same & (np.abs(position - position[place]) <= reach))
        r2 = compute_cross_r2(risk[:, [number]], genotypes.read(near))[0]
        parts.append(
            pd.DataFrame(
                {
                    "id": genotypes.variants["id"].to_numpy()[near],
                    "risk_id": risk_ids[number],
                    "risk_r2": np.nan_to_num(r2),
                }
            )
        )
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    table = table.sort_values(["risk_r2", "id"], ascending=[False, True], kind="stable")
    return table.drop_duplicates("id").reset_index(drop=True)[PROXY_COLUMNS]


def measure_recovery(ranked: pd.DataFrame, n_risk: int, *, least: float = BIN_R2) -> Recovery:
    """Return where the true risk SNPs are in a ranking.

    Parameters
    ----------
    ranked : one row a bin, the most important first, with risk_id and risk_r2 of its most important
        variant (r2 is NaN or 0 where it is near no risk SNP).
    n_risk : number of true risk SNPs.
    least : r2 from which on a variant stands for a risk SNP.
    """
    hit = ranked["risk_r2"].fillna(0).to_numpy(dtype=float) >= least
    risk = ranked["risk_id"].to_numpy(dtype=object)
    first = np.flatnonzero(hit)
    precision, found = {}, {}
    for k in DEPTHS:
        precision[k] = float(hit[:k].mean()) if len(hit) else 0.0
        found[k] = len(set(risk[:k][hit[:k]])) / n_risk if n_risk else float("nan")
    return Recovery(len(ranked), float(first[0] + 1) if len(first) else float("nan"), precision, found)


def measure_chance(ids: pd.Series, proxies: pd.DataFrame, *, least: float = BIN_R2) -> float:
    """Return the chance that a variant drawn from these at random is a hit, 0 to 1."""
    hits = set(proxies.loc[proxies["risk_r2"] >= least, "id"])
    return float(ids.isin(hits).mean()) if len(ids) else float("nan")


def mark_proxies(table: pd.DataFrame, proxies: pd.DataFrame) -> pd.DataFrame:
    """Add risk_id and risk_r2 to a table of variants by id; None and 0 where none is near."""
    known = proxies.set_index("id")
    ids = table["id"]
    return table.assign(
        risk_id=ids.map(known["risk_id"]).astype(object),
        risk_r2=ids.map(known["risk_r2"]).astype(float).fillna(0.0),
    )


def assess_importance(
    table: pd.DataFrame, proxies: pd.DataFrame, n_risk: int, kinds: Sequence[str]
) -> pd.DataFrame:
    """Return how each measure of a model recovers the true risk SNPs, by bins and by single variants.

    A measure that ranks no variant, as of a model whose output does not vary, recovers none: it has its rows.

    Parameters
    ----------
    table : from `tables.tabulate_importance`.
    proxies : from `find_proxies`.
    n_risk : number of true risk SNPs.
    kinds : measures asked for that the model allows, see `kinds.list_kinds`.

    Returns
    -------
    kind, ranked (``bins`` or ``variants``), first_id (None where nothing is ranked), and the columns of
    `Recovery.to_row`.
    """
    rows = []
    marked = mark_proxies(table, proxies)
    for kind in kinds:
        part = marked[marked["kind"] == kind]
        orders = {"bins": list_leads(part), "variants": part.sort_values("rank", kind="stable")}
        for ranked, ordered in orders.items():
            first = ordered["id"].iloc[0] if len(ordered) else None
            rows.append(
                {"kind": kind, "ranked": ranked, "first_id": first}
                | measure_recovery(ordered, n_risk).to_row()
            )
    named = ["kind", "ranked", "first_id"]
    return pd.DataFrame(rows, columns=None if rows else named).astype({"first_id": object})


def assess_association(association: pd.DataFrame, proxies: pd.DataFrame, n_risk: int) -> Recovery:
    """Return how the p-values of an association recover the true risk SNPs, variant by variant.

    Parameters
    ----------
    association : SNP and P, in PLINK's columns.
    proxies : from `find_proxies`.
    n_risk : number of true risk SNPs.
    """
    tested = association[association["P"].notna()].sort_values("P", kind="stable")
    return measure_recovery(mark_proxies(tested.rename(columns={"SNP": "id"}), proxies), n_risk)
