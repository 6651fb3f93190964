"""Null studies: how often the study's tests reject where no SNP has any effect.

Many small studies of heritability 0 go through the library's own functions: panels are selected on
TD, classical models fitted, the best chosen by the selection rule on ED, and judged on FD. On FD a
chosen model is then right for each person with probability 1/2, whatever it learnt, so an honest study
rejects "its accuracy is 1/2" and "transfer and no transfer are equally right" as often as the tests'
level says. The same studies with a planted leak, the best chosen on FD, must fail that check, or the
check is worth nothing.

The people are copied from the reference panel once. Each study draws their roles and their labels
anew; as labels owe nothing to genotypes, the studies are independent all the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int8

from genotransfer.association import associate
from genotransfer.baselines import Fitted, PanelData, fit_snp_transfer, fit_without_transfer
from genotransfer.candidates import tabulate
from genotransfer.evaluation import predict_cases
from genotransfer.genotypes import SAMPLE_COLUMNS, Genotypes
from genotransfer.panels import select_panels
from genotransfer.randomness import make_generator
from genotransfer.selection import select_among
from genotransfer.simulation.haplotypes import simulate_genotypes
from genotransfer.simulation.panel import load_shipped_panel
from genotransfer.simulation.phenotypes import null_model, simulate_phenotype
from genotransfer.splits import SPLITS, LabelledSamples, assign_splits

POPULATIONS = {"source": "CEU", "target": "YRI"}
METHODS = ("none", "snp_transfer")
COUNT_COLUMNS = ["replicate", "chosen_on", "test", "method", "n", "successes"]


@dataclass(frozen=True)
class NullDesign:
    """Sizes of one small study without any effect.

    Attributes
    ----------
    n_variants : variants of the shipped panel that are used, evenly spaced.
    source, target : samples of the splits TD, VD and ED of each population.
    n_final : samples of FD.
    thresholds : p-values of the SNP panels of both populations.
    classifiers : classical models fitted on each panel.
    fit_on : what SNP transfer fits them on.
    """

    n_variants: int = 2000
    source: tuple[int, int, int] = (200, 20, 30)
    target: tuple[int, int, int] = (70, 10, 20)
    n_final: int = 500
    thresholds: tuple[float, ...] = (0.002, 0.01, 0.05, 0.2)
    classifiers: tuple[str, ...] = ("svm", "cart", "bagging")
    fit_on: tuple[str, ...] = ("target", "source")


@dataclass(frozen=True)
class Cohort:
    """The people of one population, and how many of them each split takes."""

    genotypes: Genotypes
    dosages: Int8[np.ndarray, "n_samples n_variants"]
    sizes: dict[str, int]


def run_null_studies(design: NullDesign, n_replicates: int, seed: int) -> Iterator[pd.DataFrame]:
    """Run studies of heritability 0 one after another.

    Yields
    ------
    For each replicate the counts of its tests, each "`successes` of `n` against one half":
    ``accuracy``, the people of FD for whom the chosen model of ``method`` is right, of all; and
    ``difference``, those for whom SNP transfer is right, of those for whom it and no transfer
    disagree (McNemar). ``chosen_on`` is ``ED``, as the rule has it, or ``FD``, the planted leak: every
    model then is the best on FD, but for ``difference``, where the leak is in SNP transfer alone.

    Raises
    ------
    StudyError
        A setting of the design does not suit.
    """
    with tempfile.TemporaryDirectory() as folder:
        cohorts = {role: _draw_cohort(design, role, seed, Path(folder)) for role in POPULATIONS}
        for replicate in range(n_replicates):
            yield _run_study(design, cohorts, seed, replicate)


def _draw_cohort(design: NullDesign, role: str, seed: int, folder: Path) -> Cohort:
    panel = load_shipped_panel(POPULATIONS[role])
    spaced = np.linspace(0, panel.n_variants - 1, design.n_variants).round().astype(np.int64)
    panel = panel.select_variants(np.unique(spaced))
    sizes = dict(zip(SPLITS, design.source if role == "source" else design.target, strict=True))
    n_samples = sum(sizes.values()) + (design.n_final if role == "target" else 0)
    generator = make_generator(seed, "null genotypes", role)
    dosages = simulate_genotypes(panel, n_samples, generator=generator).dosages
    genotypes = Genotypes.from_dosages(folder / role, dosages, panel.variants, _name_samples(n_samples))
    return Cohort(genotypes, dosages, sizes)


def _run_study(design: NullDesign, cohorts: dict[str, Cohort], seed: int, replicate: int) -> pd.DataFrame:
    phenotype = f"null_{replicate}"
    roles = {role: _draw_labels(cohort, role, seed, replicate) for role, cohort in cohorts.items()}
    splits = {role: _split(cohorts[role], *roles[role]) for role in cohorts}
    panels = {
        role: _list_panels(design, cohort, role, *roles[role], splits) for role, cohort in cohorts.items()
    }
    # Models without transfer see nothing of the source, as in a study.
    alone = [PanelData(one.name, one.variants, {}, one.target) for one in panels["target"]]
    fitted = [
        *fit_without_transfer(phenotype, alone, design.classifiers, seed),
        *fit_snp_transfer(phenotype, panels["source"], design.classifiers, design.fit_on, seed),
    ]
    # FD is read for all candidates, so that the leak can be planted; the honest choice does not see it.
    final, known = splits["target"][""], pd.Index(cohorts["target"].genotypes.variants["id"])
    right = {one.candidate.key: _judge(one, final, known) for one in fitted}
    honest = tabulate([one.candidate for one in fitted])
    leaked = honest.assign(ed_accuracy=[right[key].mean() for key in honest["key"]])
    chosen = {name: _choose(board, right) for name, board in (("ED", honest), ("FD", leaked))}
    rows = [
        (replicate, name, "accuracy", method, len(correct), int(correct.sum()))
        for name, by_method in chosen.items()
        for method, correct in by_method.items()
    ]
    for name, by_method in chosen.items():
        without, transferred = chosen["ED"]["none"], by_method["snp_transfer"]
        differ = without != transferred
        rows.append(
            (replicate, name, "difference", "snp_transfer", int(differ.sum()), int(transferred[differ].sum()))
        )
    return pd.DataFrame(rows, columns=COUNT_COLUMNS)


def _draw_labels(
    cohort: Cohort, role: str, seed: int, replicate: int
) -> tuple[Int8[np.ndarray, " n_samples"], np.ndarray]:
    """Return labels that owe nothing to genotypes, and who is in which split; FD is the split ``""``."""
    generator = make_generator(seed, "null phenotype", role, replicate)
    n_samples = cohort.genotypes.n_samples
    # FD and the target's other samples are one population, cut at one mean, as in a study.
    no_risk = np.zeros((n_samples, 0), dtype=np.int8)
    labels = simulate_phenotype(no_risk, null_model(), np.zeros(0), None, generator).labels
    learning = generator.permutation(n_samples)[: sum(cohort.sizes.values())]
    split = np.full(n_samples, "", dtype=object)
    split[learning] = assign_splits(labels[learning], cohort.sizes, generator)
    return labels, split


def _split(
    cohort: Cohort, labels: Int8[np.ndarray, " n_samples"], split: np.ndarray
) -> dict[str, LabelledSamples]:
    return {
        str(name): LabelledSamples(cohort.dosages[split == name], labels[split == name])
        for name in np.unique(split)
    }


def _list_panels(
    design: NullDesign,
    cohort: Cohort,
    role: str,
    labels: Int8[np.ndarray, " n_samples"],
    split: np.ndarray,
    splits: dict[str, dict[str, LabelledSamples]],
) -> list[PanelData]:
    """Return the SNP panels of one population, selected on its TD."""
    training = np.flatnonzero(split == "TD")
    association = associate(cohort.genotypes.select(samples=training), labels[training], "allelic")
    variants = cohort.genotypes.variants
    selected = select_panels(association, "p", design.thresholds, role, variants)
    known = pd.Index(variants["id"])
    panels = []
    for name, group in selected.groupby("panel", sort=True):
        at = known.get_indexer(pd.Index(group["id"]))
        dosages = {
            population: {
                one: LabelledSamples(samples.dosages[:, at], samples.labels)
                for one, samples in given.items()
                if one
            }
            for population, given in splits.items()
        }
        own = group[["id", "counted", "other"]].reset_index(drop=True)
        panels.append(PanelData(str(name), own, dosages["source"], dosages["target"]))
    return panels


def _choose(
    board: pd.DataFrame, right: dict[str, Bool[np.ndarray, " n_final"]]
) -> dict[str, Bool[np.ndarray, " n_final"]]:
    """Return for whom of FD the best candidate of each method is right."""
    return {method: right[select_among(board, [method])["key"].iloc[0]] for method in METHODS}


def _judge(one: Fitted, final: LabelledSamples, known: pd.Index) -> Bool[np.ndarray, " n_final"]:
    """Say for whom of FD a candidate is right."""
    predictor = one.predictor
    at = known.get_indexer(pd.Index(predictor.variants["id"]))
    return np.asarray(predict_cases(predictor.score(final.dosages[:, at])) == (final.labels == 1))


def _name_samples(n_samples: int) -> pd.DataFrame:
    names = [f"S{number}" for number in range(1, n_samples + 1)]
    table = {"fid": names, "iid": names, "father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
    return pd.DataFrame(table)[SAMPLE_COLUMNS]
