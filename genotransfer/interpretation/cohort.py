"""The people of one population by whom models are explained, with its linkage disequilibrium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int8, Int64

from genotransfer.alignment import match_variants
from genotransfer.errors import StudyError
from genotransfer.genotypes import Genotypes
from genotransfer.interpretation.explain import Effort, People, explain_model, narrow_score
from genotransfer.interpretation.tables import combine_tables, tabulate_importance
from genotransfer.linkage import bin_variants
from genotransfer.models.predictors import Predictor
from genotransfer.splits import SPLITS

# Models are explained by people they are not fitted to, where there are as many as this.
ENOUGH = 100
MOST_PEOPLE, MOST_REFERENCE = 400, 500


@dataclass(frozen=True)
class Cohort:
    """People by whom models are explained.

    Attributes
    ----------
    genotypes : of these people.
    labels : int8 (n,); 1 case, 0 control.
    held_out : whether each is of VD or ED, to which no network or classifier is fitted.
    reference : genotypes of people that r2 is taken from, TD's among them.
    """

    genotypes: Genotypes = field(repr=False)
    labels: Int8[np.ndarray, " n"]
    held_out: Bool[np.ndarray, " n"]
    reference: Genotypes = field(repr=False)

    @classmethod
    def gather(cls, genotypes: Genotypes, table: pd.DataFrame) -> Cohort:
        """Choose the people of a population: those of VD and ED, or of all splits where those are few.

        Parameters
        ----------
        genotypes : of the population.
        table : IID, phenotype and split of the people who learn; FD is not among them.

        Raises
        ------
        StudyError
            Nobody is in a split.
        """
        known = table[table["split"].isin(SPLITS)].reset_index(drop=True)
        if known.empty:
            raise StudyError(
                "The population has nobody in TD, VD or ED to explain models by: it is known by its "
                "statistics alone. Explain them by the target's people."
            )
        reference = genotypes.select(samples=genotypes.locate_samples(_spread(known, MOST_REFERENCE)["IID"]))
        held_out = known["split"] != "TD"
        chosen = _spread(known[held_out] if int(held_out.sum()) >= ENOUGH else known, MOST_PEOPLE)
        return cls(
            genotypes.select(samples=genotypes.locate_samples(chosen["IID"])),
            chosen["phenotype"].to_numpy(dtype=np.int8),
            (chosen["split"] != "TD").to_numpy(),
            reference,
        )

    def bin_variants(self, ids: pd.Series) -> pd.Series:
        """Return the number of each variant's bin, by id: see `linkage.bin_variants`."""
        at = np.unique(self.reference.locate_variants(ids))
        view = self.reference.select(variants=at)
        return pd.Series(bin_variants(view.read(), view.variants), index=view.variants["id"].to_numpy())

    def narrow(self, predictor: Predictor) -> tuple[Predictor, People]:
        """Return a model with the people's dosages of its variants: see `explain.narrow_score`."""
        dosages = match_variants(self.genotypes, predictor.variants).read()
        predictor, people, _ = narrow_score(predictor, People(dosages, self.labels, self.held_out))
        return predictor, people

    def explain(
        self,
        predictors: Sequence[Predictor],
        weights: Sequence[float],
        seed: int,
        *,
        kinds: Sequence[str] | None = None,
        effort: Effort | None = None,
        bins: pd.Series | None = None,
    ) -> pd.DataFrame:
        """Return the importance of variants to the mean of some models: see `tables.tabulate_importance`.

        Parameters
        ----------
        predictors : the models.
        weights : of each in the mean of their log odds, adding up to 1.
        seed : of what is random.
        kinds, effort : see `explain.explain_model`.
        bins : from `bin_variants`, of all variants of these models and perhaps of others; of these alone
            when None.
        """
        given = [self.narrow(one) for one in predictors]
        if bins is None:
            bins = self.bin_variants(pd.concat([one.variants["id"] for one, _ in given]))
        tables = []
        for one, people in given:
            numbers: Int64[np.ndarray, " k"] = bins.loc[one.variants["id"]].to_numpy(dtype=np.int64)
            told = explain_model(one, people, numbers, seed, kinds=kinds, effort=effort)
            places = self.genotypes.variants.iloc[self.genotypes.locate_variants(one.variants["id"])]
            variants = places.reset_index(drop=True).assign(
                counted=one.variants["counted"].to_numpy(), other=one.variants["other"].to_numpy()
            )
            tables.append(tabulate_importance(told, variants, numbers))
        return combine_tables(tables, weights)


def _spread(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most so many rows, evenly spread."""
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), most)).round().astype(int))]
