"""Calibration: how often the study's tests reject where no SNP has any effect.

Many small studies of heritability 0 go through the library's own functions: genotypes are copied
from the reference panel, panels selected on TD, classical models fitted, the best chosen by the
selection rule on ED, and judged on FD. On FD a chosen model is then right for each person with
probability 1/2, whatever it learnt, so an honest study rejects "its accuracy is 1/2" and "transfer
and no transfer are equally right" as often as the tests' level says. The same studies with a planted
leak, the best chosen on FD, must fail that check, or the check is worth nothing.
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
from genotransfer.selection import select_best
from genotransfer.simulation.haplotypes import simulate_genotypes
from genotransfer.simulation.panel import ReferencePanel, load_shipped_panel
from genotransfer.simulation.phenotypes import null_model, simulate_phenotype
from genotransfer.splits import LabelledSamples, assign_splits

SOURCE, TARGET = "CEU", "YRI"
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
    panels = {name: _thin(load_shipped_panel(name), design.n_variants) for name in (SOURCE, TARGET)}
    for replicate in range(n_replicates):
        yield run_null_study(design, panels, seed, replicate)


def run_null_study(
    design: NullDesign, panels: dict[str, ReferencePanel], seed: int, replicate: int
) -> pd.DataFrame:
    """Run one study of heritability 0; returns `COUNT_COLUMNS`, see `run_null_studies`."""
    splits, final = _simulate(design, panels, seed, replicate)
    fitted = list(_fit(design, panels[TARGET].variants, splits, seed, replicate))
    right = {
        one.candidate.key: _judge(one, final, panels[TARGET].variants) for one in fitted
    }  # FD is read here, for all candidates, so that the leak can be planted
    honest = tabulate([one.candidate for one in fitted])
    leaked = honest.assign(ed_accuracy=[right[key].mean() for key in honest["key"]])
    chosen = {
        name: {row["method"]: right[row["key"]] for row in select_best(board).to_dict("records")}
        for name, board in (("ED", honest), ("FD", leaked))
    }
    rows = [
        (replicate, name, "accuracy", method, design.n_final, int(correct.sum()))
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


def _thin(panel: ReferencePanel, n_variants: int) -> ReferencePanel:
    at = np.unique(np.linspace(0, panel.n_variants - 1, n_variants).round().astype(np.int64))
    return panel.select_variants(at)


def _simulate(
    design: NullDesign, panels: dict[str, ReferencePanel], seed: int, replicate: int
) -> tuple[dict[str, dict[str, LabelledSamples]], LabelledSamples]:
    """Return the splits of both populations, and FD."""
    sizes = {SOURCE: sum(design.source), TARGET: sum(design.target) + design.n_final}
    drawn, labels = {}, {}
    for name, size in sizes.items():
        generator = make_generator(seed, "null genotypes", name, replicate)
        drawn[name] = simulate_genotypes(panels[name], size, generator=generator).dosages
        generator = make_generator(seed, "null phenotype", name, replicate)
        no_risk = np.zeros((size, 0), dtype=np.int8)
        # FD and the target's other samples are one population, cut at one mean, as in a study.
        labels[name] = simulate_phenotype(no_risk, null_model(), np.zeros(0), None, generator).labels
    n_learning = sum(design.target)
    final = LabelledSamples(drawn[TARGET][n_learning:], labels[TARGET][n_learning:])
    splits = {}
    for role, name, wanted in (("source", SOURCE, design.source), ("target", TARGET, design.target)):
        own = slice(0, sum(wanted))
        generator = make_generator(seed, "null splits", name, replicate)
        named = dict(zip(("TD", "VD", "ED"), wanted, strict=True))
        assigned = assign_splits(labels[name][own], named, generator)
        splits[role] = {
            split: LabelledSamples(drawn[name][own][assigned == split], labels[name][own][assigned == split])
            for split in named
        }
    return splits, final


def _fit(
    design: NullDesign,
    variants: pd.DataFrame,
    splits: dict[str, dict[str, LabelledSamples]],
    seed: int,
    replicate: int,
) -> Iterator[Fitted]:
    """Fit every candidate, both without transfer and with SNP transfer."""
    phenotype = f"null_{replicate}"
    panels = {role: _list_panels(design, role, variants, splits) for role in ("source", "target")}
    alone = [PanelData(one.name, one.variants, {}, one.target) for one in panels["target"]]
    yield from fit_without_transfer(phenotype, alone, design.classifiers, seed)
    yield from fit_snp_transfer(phenotype, panels["source"], design.classifiers, design.fit_on, seed)


def _list_panels(
    design: NullDesign,
    role: str,
    variants: pd.DataFrame,
    splits: dict[str, dict[str, LabelledSamples]],
) -> list[PanelData]:
    """Return the SNP panels of one population, selected on its TD."""
    training = splits[role]["TD"]
    with tempfile.TemporaryDirectory() as folder:
        samples = _name_samples(len(training.labels))
        fileset = Genotypes.from_dosages(Path(folder) / "td", training.dosages, variants, samples)
        association = associate(fileset, training.labels, "allelic")
    selected = select_panels(association, "p", design.thresholds, role, variants)
    known = pd.Index(variants["id"])
    return [
        PanelData(
            str(name),
            group[["id", "counted", "other"]].reset_index(drop=True),
            *(
                {
                    split: LabelledSamples(
                        one.dosages[:, known.get_indexer(pd.Index(group["id"]))], one.labels
                    )
                    for split, one in splits[population].items()
                }
                for population in ("source", "target")
            ),
        )
        for name, group in selected.groupby("panel", sort=True)
    ]


def _judge(one: Fitted, final: LabelledSamples, variants: pd.DataFrame) -> Bool[np.ndarray, " n_final"]:
    """Say for whom of FD a candidate is right."""
    predictor = one.predictor
    at = pd.Index(variants["id"]).get_indexer(pd.Index(predictor.variants["id"]))
    dosages: Int8[np.ndarray, "n k"] = final.dosages[:, at]
    return np.asarray(predict_cases(predictor.score(dosages)) == (final.labels == 1))


def _name_samples(n_samples: int) -> pd.DataFrame:
    names = [f"S{number}" for number in range(1, n_samples + 1)]
    table = {"fid": names, "iid": names, "father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
    return pd.DataFrame(table)[SAMPLE_COLUMNS]
