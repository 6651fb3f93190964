"""Models of the target without transfer, and SNP transfer: the classical models on panels (Module 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8

from genotransfer.candidates import Candidate
from genotransfer.errors import StudyError
from genotransfer.models.classical import fit_classifier, score_cases
from genotransfer.models.predictors import VARIANT_COLUMNS, ClassicalPredictor, Predictor
from genotransfer.models.standardise import Standardiser
from genotransfer.randomness import derive_seed
from genotransfer.splits import LabelledSamples

POPULATIONS = ("target", "source")


@dataclass(frozen=True)
class PanelData:
    """The dosages of one SNP panel in both populations.

    Attributes
    ----------
    name : of the panel, e.g. ``source_03``.
    variants : one row a variant: id, counted, other; the columns of all dosages.
    source, target : LabelledSamples by split: TD, VD, ED. The source may be empty where a method
        does not read it.
    """

    name: str
    variants: pd.DataFrame
    source: dict[str, LabelledSamples]
    target: dict[str, LabelledSamples]


@dataclass(frozen=True)
class Fitted:
    """A candidate with the means to make its predictor.

    The predictor is made when asked for, so that thousands of candidates can pass by and only the
    best be kept.
    """

    candidate: Candidate
    make_predictor: Callable[[], Predictor] = field(repr=False)
    curve: pd.DataFrame | None = field(default=None, repr=False)

    @property
    def predictor(self) -> Predictor:
        """The predictor, made anew at each call."""
        return self.make_predictor()


@dataclass(frozen=True)
class EvaluationRows:
    """Splits on which every candidate of a panel is judged, as one block of rows."""

    dosages: Int8[np.ndarray, "n_samples n_variants"]
    labels: Int8[np.ndarray, " n_samples"]
    slices: dict[str, slice]

    def measure(self, scores: Float64[np.ndarray, " n_samples"]) -> dict[str, float]:
        """Return the accuracy of scores on each split, by the field of `Candidate`; NaN where empty."""
        right = (scores > 0.5) == (self.labels == 1)
        return {
            name: float(right[at].mean()) if at.stop > at.start else np.nan
            for name, at in self.slices.items()
        }


def gather_rows(panel: PanelData) -> EvaluationRows:
    """Put the target's TD, VD and ED and the source's ED, where there is one, into one block of rows."""
    splits = {
        "td_accuracy": panel.target.get("TD"),
        "vd_accuracy": panel.target.get("VD"),
        "ed_accuracy": panel.target.get("ED"),
        "source_ed_accuracy": panel.source.get("ED"),
    }
    slices, start = {}, 0
    for name, split in splits.items():
        stop = start + (0 if split is None else len(split.labels))
        slices[name], start = slice(start, stop), stop
    given = [split for split in splits.values() if split is not None]
    return EvaluationRows(
        np.concatenate([split.dosages for split in given]),
        np.concatenate([split.labels for split in given]),
        slices,
    )


def fit_without_transfer(
    phenotype: str, panels: Iterable[PanelData], classifiers: Sequence[str], seed: int
) -> Iterator[Fitted]:
    """Fit the classical models to the target's TD on the target's panels.

    Yields
    ------
    One candidate of method ``none`` for each panel and classifier. Its accuracy on the source's
    ED is given where the panel has that split.

    Raises
    ------
    StudyError
        The target's TD holds cases only or controls only, or a classifier is unknown.
    """
    for panel in panels:
        yield from _fit_panel(phenotype, "none", "target", panel, classifiers, seed)


def fit_snp_transfer(
    phenotype: str,
    panels: Iterable[PanelData],
    classifiers: Sequence[str],
    fit_on: Sequence[str],
    seed: int,
) -> Iterator[Fitted]:
    """Fit the classical models on the source's panels.

    Parameters
    ----------
    fit_on : the populations whose TD the models are fitted to, ``target``, ``source`` or both:
        the paper's section on computation says the target, its Methods the source.

    Yields
    ------
    One candidate of method ``snp_transfer`` for each panel, population and classifier.

    Raises
    ------
    StudyError
        A TD holds cases only or controls only, or a classifier or population is unknown.
    """
    for population in fit_on:
        if population not in POPULATIONS:
            raise StudyError(
                f"Models cannot be fitted on {population!r}. Choose from: {', '.join(POPULATIONS)}."
            )
    for panel in panels:
        for population in fit_on:
            yield from _fit_panel(phenotype, "snp_transfer", population, panel, classifiers, seed)


def _fit_panel(
    phenotype: str, method: str, fit_on: str, panel: PanelData, classifiers: Sequence[str], seed: int
) -> Iterator[Fitted]:
    splits = panel.source if fit_on == "source" else panel.target
    if "TD" not in splits:
        raise StudyError(
            f"Panel {panel.name} has no {fit_on} TD to fit the models of {phenotype} to. Give that split."
        )
    train = splits["TD"]
    standardiser = Standardiser.fit(train.dosages)
    values = standardiser.transform(train.dosages)
    rows = gather_rows(panel)
    row_values = standardiser.transform(rows.dosages)
    variants = panel.variants[VARIANT_COLUMNS]
    for name in classifiers:
        # One word more where both populations are fitted; a candidate's key is unique in a study.
        parts = [method, panel.name, fit_on, name] if method == "snp_transfer" else [method, panel.name, name]
        key = ".".join([phenotype, *parts])
        estimator = fit_classifier(name, values, train.labels, derive_seed(seed, "classical", key))
        candidate = Candidate(
            key=key,
            phenotype=phenotype,
            method=method,
            fit_on=fit_on,
            panel=panel.name,
            n_snps=len(variants),
            model=name,
            trainable_layers=0,
            **rows.measure(score_cases(estimator, row_values)),
        )
        yield Fitted(candidate, partial(ClassicalPredictor, variants, standardiser, name, estimator))
