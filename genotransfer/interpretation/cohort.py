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
from genotransfer.interpretation.explain import Effort, People, explain_model, list_members, narrow_score
from genotransfer.interpretation.local import MOST_BINS, LocalExplanation, explain_person
from genotransfer.interpretation.outputs import take_output
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

    def explain_person(
        self, predictor: Predictor, person: Int8[np.ndarray, " n_variants"], generator: np.random.Generator
    ) -> tuple[pd.DataFrame, LocalExplanation]:
        """Explain one person's output by the bins that matter most to the model, see `local.explain_person`.

        Parameters
        ----------
        predictor : the model.
        person : dosages of its variants.
        generator : of what is switched off.

        Returns
        -------
        id, chromosome and position of each bin's most important variant, n_variants of the bin, and
        contribution, the largest first; and what it was taken from.
        """
        narrowed, people = self.narrow(predictor)
        where = pd.Index(predictor.variants["id"]).get_indexer(pd.Index(narrowed.variants["id"]))
        whole, part = take_output(predictor), take_output(narrowed)
        values = narrowed.standardiser.transform(person[None, where])
        shift = whole(predictor.standardiser.transform(person[None])) - part(values)
        bins = self.bin_variants(narrowed.variants["id"]).loc[narrowed.variants["id"]].to_numpy()
        numbers = np.unique(bins, return_inverse=True)[1].astype(np.int64)
        pattern = explain_model(narrowed, people, numbers, 0, kinds=("pattern",))["pattern"]
        members = list_members(numbers)
        local = explain_person(
            lambda copies: part(copies) + shift,
            values[0],
            narrowed.standardiser.transform(people.dosages).mean(axis=0),
            members,
            generator,
            among=np.argsort(-pattern.bins, kind="stable")[:MOST_BINS].astype(np.int64),
        )
        leads = [int(members[one][np.argmax(pattern.values[members[one]])]) for one in local.bins]
        ids = narrowed.variants["id"].iloc[leads]
        places = self.genotypes.variants.iloc[self.genotypes.locate_variants(ids)]
        table = places[["id", "chromosome", "position"]].assign(
            n_variants=[len(members[one]) for one in local.bins], contribution=local.contributions
        )
        order = np.argsort(-np.abs(local.contributions), kind="stable")
        return table.iloc[order].reset_index(drop=True), local


def _spread(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return at most so many rows, evenly spread."""
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), most)).round().astype(int))]
