"""A fitted model explained: the importance of each of its variants and bins, by every measure it allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64

from genotransfer.errors import StudyError
from genotransfer.interpretation.activation import map_activations
from genotransfer.interpretation.attributions import expect_gradients, integrate_gradients, sum_bins
from genotransfer.interpretation.inherent import carry_impurity, measure_coefficients, measure_impurity
from genotransfer.interpretation.kinds import KINDS
from genotransfer.interpretation.outputs import Output, take_gradient, take_output
from genotransfer.interpretation.patterns import correlate_output, pursue_output
from genotransfer.interpretation.permutation import REPEATS, permute_bins
from genotransfer.models.predictors import Predictor, ScorePredictor
from genotransfer.models.standardise import Standardiser
from genotransfer.randomness import make_generator

MOST_VARIANTS = 5000


@dataclass(frozen=True)
class People:
    """People by whom a model is explained; FD is never among them.

    Attributes
    ----------
    dosages : int8 (n, n_variants) of the model's variants; -1 missing.
    labels : int8 (n,); 1 case, 0 control.
    held_out : whether each is of a split that models are not fitted to, VD or ED.
    rest : float64 (n,); what variants that were left out add to each person's output, see `narrow_score`.
    """

    dosages: Int8[np.ndarray, "n n_variants"] = field(repr=False)
    labels: Int8[np.ndarray, " n"]
    held_out: Bool[np.ndarray, " n"]
    rest: Float64[np.ndarray, " n"] | None = None

    def take(self, columns: Int64[np.ndarray, " k"]) -> People:
        """Return the same people with some of the variants."""
        return replace(self, dosages=self.dosages[:, columns])


@dataclass(frozen=True)
class Effort:
    """How much is computed.

    Attributes
    ----------
    people : explained at most by gradients and maps, spread evenly over all; patterns take all.
    background : people they are compared with, at most.
    permuted : bins permuted at most, the most important first.
    repeats : permutations of each.
    """

    people: int = 60
    background: int = 30
    permuted: int = 30
    repeats: int = REPEATS


@dataclass(frozen=True)
class Importance:
    """One measure of importance.

    Attributes
    ----------
    kind : one of `kinds.KINDS`.
    values : float64 (n_variants,), 0 or more but for ``permutation_loss``; NaN where not measured. Of the
        measures that permute, a variant's is its bin's.
    bins : float64 (n_bins,), likewise.
    direction : 1 where more copies of the counted allele speak for a case, -1 against, 0 not known.
    """

    kind: str
    values: Float64[np.ndarray, " n_variants"]
    bins: Float64[np.ndarray, " n_bins"]
    direction: Int8[np.ndarray, " n_variants"]


def explain_model(
    predictor: Predictor,
    people: People,
    bins: Int64[np.ndarray, " n_variants"],
    seed: int,
    *,
    kinds: Sequence[str] | None = None,
    effort: Effort | None = None,
) -> dict[str, Importance]:
    """Return each measure of importance that a model allows, the one that ranks its variants first.

    Gradients are summed within a bin person by person, so that variants that say the same add up, and
    those that cancel each other do not count; then the absolute sums are averaged over people. Impurity
    is summed. A pattern is the squared correlation of the dosage with the output, of a bin its largest.
    A polygenic score's coefficients are absolute effects times the dosage's standard deviation, and of a
    bin the standard deviation of what its variants add to the score. What is permuted is a bin as a
    whole.

    Parameters
    ----------
    predictor : the model.
    people : by whom it is explained.
    bins : number of each variant's bin, from `linkage.bin_variants`; numbers need not all be there. The
        bins of the measures are in the order of their numbers.
    seed : of permutations and of the gradients' places.
    kinds : measures asked for; all when None.
    effort : how much is computed.

    Raises
    ------
    StudyError
        There are no people, or the model allows none of the measures.
    """
    if not len(people.labels):
        raise StudyError("There is nobody to explain a model by. Give genotypes of people who learnt.")
    effort = effort or Effort()
    asked = set(KINDS if kinds is None else kinds)
    numbers = np.unique(bins, return_inverse=True)[1].astype(np.int64)
    values = predictor.standardiser.transform(people.dosages)
    explained = spread_people(people, effort.people)
    found = _measure_gradients(predictor, values, explained, numbers, seed, asked, effort)
    found |= _measure_inherent(predictor, values, numbers, asked)
    if "activation" in asked and (maps := map_activations(predictor, values[explained])) is not None:
        found["activation"] = _summarise("activation", maps, values[explained], numbers)
    output = take_output(predictor)
    # What the model itself holds says better than a pattern which bins it reads; but one must say it.
    permutes = bool(asked & {"permutation_change", "permutation_loss"})
    if asked & {"pursuit", "pattern"} or (permutes and not found):
        told = output(values) if people.rest is None else output(values) + people.rest
        # A network may be given a missing genotype as something else than the mean.
        plain = Standardiser.fit(people.dosages).transform(people.dosages)
        found |= _measure_patterns(plain, told, numbers)
    leading = next((found[kind] for kind in (*KINDS[2:], "pattern") if kind in found), None)
    if permutes:
        found |= _permute(output, values, people, numbers, leading, seed, effort)
    chosen = {kind: found[kind] for kind in KINDS if kind in found and kind in asked}
    if not chosen:
        raise StudyError(
            f"A {predictor.kind} model allows none of: {', '.join(sorted(asked))}. "
            f"Ask for others of: {', '.join(KINDS)}."
        )
    return chosen


def spread_people(people: People, most: int) -> Int64[np.ndarray, " n"]:
    """Return at most so many people, evenly spread over all in their order."""
    count = len(people.labels)
    return np.unique(np.linspace(0, count - 1, min(count, most)).round()).astype(np.int64)


def _measure_gradients(
    predictor: Predictor,
    values: Float32[np.ndarray, "n m"],
    explained: Int64[np.ndarray, " e"],
    bins: Int64[np.ndarray, " m"],
    seed: int,
    asked: set[str],
    effort: Effort,
) -> dict[str, Importance]:
    gradient = take_gradient(predictor)
    if gradient is None:
        return {}
    found = {}
    ones = values[explained]
    if "expected_gradients" in asked:
        others = np.unique(np.linspace(0, len(values) - 1, min(len(values), effort.background)).round())
        generator = make_generator(seed, "expected gradients")
        told = expect_gradients(gradient, ones, values[others.astype(np.int64)], generator)
        found["expected_gradients"] = _summarise("expected_gradients", told, ones, bins)
    if "integrated_gradients" in asked:
        told = integrate_gradients(gradient, ones, values.mean(axis=0))
        found["integrated_gradients"] = _summarise("integrated_gradients", told, ones, bins)
    return found


def _measure_patterns(
    values: Float32[np.ndarray, "n m"], output: Float64[np.ndarray, " n"], bins: Int64[np.ndarray, " m"]
) -> dict[str, Importance]:
    correlation = correlate_output(values, output)
    strongest = np.zeros(int(bins.max()) + 1)
    np.maximum.at(strongest, bins, correlation**2)
    shares, signs = pursue_output(values, output)
    return {
        "pattern": Importance("pattern", correlation**2, strongest, np.sign(correlation).astype(np.int8)),
        "pursuit": Importance("pursuit", shares, np.bincount(bins, shares), signs.astype(np.int8)),
    }


def _measure_inherent(
    predictor: Predictor,
    values: Float32[np.ndarray, "n m"],
    bins: Int64[np.ndarray, " m"],
    asked: set[str],
) -> dict[str, Importance]:
    found, unknown = {}, np.zeros(len(bins), dtype=np.int8)
    if "impurity" in asked and (impurity := measure_impurity(predictor)) is not None:
        found["impurity"] = Importance("impurity", impurity, np.bincount(bins, impurity), unknown)
    if "carried_impurity" in asked and (carried := carry_impurity(predictor, values)) is not None:
        found["carried_impurity"] = Importance(
            "carried_impurity", carried, np.bincount(bins, carried), unknown
        )
    if "coefficient" in asked and (effects := measure_coefficients(predictor)) is not None:
        parts = values * effects
        sums = sum_bins(parts, bins).std(axis=0)
        direction = np.sign(effects).astype(np.int8)
        found["coefficient"] = Importance("coefficient", parts.std(axis=0), sums, direction)
    return found


def _summarise(
    kind: str,
    told: Float64[np.ndarray, "e m"],
    values: Float32[np.ndarray, "e m"],
    bins: Int64[np.ndarray, " m"],
) -> Importance:
    slope = (told * (values - values.mean(axis=0))).sum(axis=0)
    return Importance(
        kind,
        np.abs(told).mean(axis=0),
        np.abs(sum_bins(told, bins)).mean(axis=0),
        np.sign(slope).astype(np.int8),
    )


def _permute(
    output: Output,
    values: Float32[np.ndarray, "n m"],
    people: People,
    bins: Int64[np.ndarray, " m"],
    leading: Importance | None,
    seed: int,
    effort: Effort,
) -> dict[str, Importance]:
    """Permute the bins that matter most by another measure; a bin of no importance is not measured."""
    members = list_members(bins)
    merit = np.ones(len(members)) if leading is None else leading.bins
    tried = np.argsort(-merit, kind="stable")[: effort.permuted]
    tried = tried[merit[tried] > 0]
    chosen = people.held_out if people.held_out.any() else np.ones(len(people.labels), dtype=bool)
    made = permute_bins(
        output if people.rest is None else _add_rest(output, people.rest[chosen]),
        values[chosen],
        people.labels[chosen],
        [members[at] for at in tried],
        make_generator(seed, "permutation"),
        effort.repeats,
    )
    found = {}
    unknown = np.zeros(len(bins), dtype=np.int8)
    for kind, told in (("permutation_change", made.change), ("permutation_loss", made.loss)):
        sums = np.full(len(members), np.nan)
        sums[tried] = told
        found[kind] = Importance(kind, sums[bins], sums, unknown)
    return found


def _add_rest(output: Output, rest: Float64[np.ndarray, " n"]) -> Output:
    """Return an output of copies of the same people that counts what was left out."""
    return lambda values: output(values) + np.tile(rest, len(values) // len(rest))


def narrow_score(
    predictor: Predictor, people: People, most: int = MOST_VARIANTS
) -> tuple[Predictor, People, Int64[np.ndarray, " k"]]:
    """Return a model with its variants of largest effect, the people likewise, and where those variants are.

    Polygenic scores that count every variant have tens of thousands, most of next to no effect. What
    they add is kept as a constant of each person. Other models come back as they are.
    """
    every = np.arange(len(predictor.variants))
    if not isinstance(predictor, ScorePredictor):
        return predictor, people, every
    size = np.abs(predictor.effects) * people.dosages.std(axis=0)
    columns = np.sort(np.argsort(-size, kind="stable")[:most])
    columns = columns[predictor.effects[columns] != 0]
    if not len(columns):
        columns = every[:1]
    standardiser = predictor.standardiser
    narrowed = replace(
        predictor,
        variants=predictor.variants.iloc[columns].reset_index(drop=True),
        standardiser=Standardiser(standardiser.mean[columns], standardiser.sd[columns]),
        effects=predictor.effects[columns],
    )
    values = standardiser.transform(people.dosages)
    rest = take_output(predictor)(values) - take_output(narrowed)(values[:, columns])
    return narrowed, replace(people.take(columns), rest=rest), columns


def list_members(bins: Int64[np.ndarray, " n_variants"]) -> list[Int64[np.ndarray, " _"]]:
    """Return the columns of each bin, by its number; numbers are all there."""
    order = np.argsort(bins, kind="stable")
    ends = np.cumsum(np.bincount(bins))
    return [np.sort(one).astype(np.int64) for one in np.split(order, ends[:-1])]
