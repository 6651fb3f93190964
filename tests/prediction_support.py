"""A bundle made by hand, of two scores, and filesets its model can be applied to."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.genotypes import Genotypes
from genotransfer.models.archives import hash_file
from genotransfer.models.predictors import Predictor, ScorePredictor
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import save_predictor
from genotransfer.prediction.ancestry import describe_people
from genotransfer.prediction.calibration import measure_calibration, tabulate_calibration
from genotransfer.prediction.facts import BundleFacts, BundleMember, FinalEvaluation
from genotransfer.prediction.opened import VARIANT_COLUMNS, Bundle, load_bundle
from tests.genotype_support import make_samples

N_VARIANTS, N_ANCESTRY = 60, 400
PAIRS = ("AC", "AG", "TC", "TG", "AT", "GC")


def make_table(n: int = N_ANCESTRY, *, ambiguous: bool = True) -> pd.DataFrame:
    """Return variants of chromosome 21 with frequencies in both populations, far apart."""
    generator = np.random.default_rng(1)
    pairs = [PAIRS[at % (6 if ambiguous else 4)] for at in range(n)]
    table = pd.DataFrame(
        {
            "chromosome": "21",
            "position": 10_000 + 137 * np.arange(n),
            "id": [f"rs{at}" for at in range(n)],
            "counted": [pair[0] for pair in pairs],
            "other": [pair[1] for pair in pairs],
            "frequency": generator.uniform(0.1, 0.9, n),
            "source_frequency": generator.uniform(0.1, 0.9, n),
        }
    )
    return table[VARIANT_COLUMNS]


def draw_people(table: pd.DataFrame, n: int, column: str = "frequency", seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.binomial(2, table[column].to_numpy(), (n, len(table))).astype(np.int8)


def make_score(table: pd.DataFrame, seed: int, swap: bool) -> ScorePredictor:
    """Return a score of the first variants; with `swap` it counts every third one's other allele."""
    chosen = table.iloc[:N_VARIANTS].sample(frac=1, random_state=seed).reset_index(drop=True)
    variants = chosen[["id", "counted", "other"]].copy()
    mean = 2 * chosen["frequency"].to_numpy()
    at = np.arange(len(chosen)) % 3 == 0
    if swap:
        variants.loc[at, ["counted", "other"]] = chosen.loc[at, ["other", "counted"]].to_numpy()
        mean = np.where(at, 2 - mean, mean)
    effects = np.random.default_rng(seed).normal(0, 0.3, len(chosen))
    return ScorePredictor(variants, Standardiser(mean, np.ones(len(mean))), "susie", effects, -0.2)


def make_bundle(
    folder: Path,
    *,
    ambiguous: bool = True,
    n_final: int = 200,
    predictors: Sequence[Predictor] = (),
    **facts: object,
) -> Bundle:
    """Write a bundle, by default of two scores, the second of which counts other alleles, and open it."""
    table = make_table(ambiguous=ambiguous)
    folder.mkdir(parents=True)
    members = []
    for at, one in enumerate(
        predictors or [make_score(table, at, swap) for at, swap in enumerate((False, True))]
    ):
        save_predictor(folder / f"models/{at}", one)
        members.append(
            BundleMember(
                folder=f"models/{at}", key=f"k{at}", method="score_transfer", model="susie", weight=0.5
            )
        )
    table.iloc[:N_VARIANTS].to_parquet(folder / "variants.parquet", index=False)
    table.to_parquet(folder / "ancestry.parquet", index=False)
    generator = np.random.default_rng(2)
    scores = generator.uniform(0, 1, n_final)
    labels = (generator.uniform(0, 1, n_final) < scores).astype(np.int8)
    tabulate_calibration(labels, scores).to_parquet(folder / "calibration.parquet", index=False)
    known = {
        "library_version": "0",
        "study": "made",
        "phenotype": "height",
        "source": "SRC",
        "target": "TGT",
        "method": "chosen",
        "build": "GRCh38",
        "n_source": 300,
        "n_target": 150,
        "n_target_cases": 60,
        "imputation": "target mean",
        "members": members,
        "final": FinalEvaluation(
            n=n_final,
            n_cases=int(labels.sum()),
            sha256="0" * 64,
            accuracy=0.75,
            accuracy_low=0.69,
            accuracy_high=0.8,
            auc=0.8,
            auc_low=0.7,
            auc_high=0.9,
        ),
        "calibration": measure_calibration(labels, scores),
        "ancestry": describe_people(
            table,
            draw_people(table, 150, seed=8),
            draw_people(table, 300, "source_frequency", seed=9),
            (150, 300),
        ),
        "sha256": {
            path.relative_to(folder).as_posix(): hash_file(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    (folder / "bundle.json").write_text(BundleFacts(**(known | facts)).model_dump_json(indent=1))
    return load_bundle(folder)


def write_people(prefix: Path, table: pd.DataFrame, dosages: np.ndarray) -> Genotypes:
    variants = table.assign(cm=0.0)[["chromosome", "id", "cm", "position", "counted", "other"]]
    return Genotypes.from_dosages(prefix, dosages, variants, make_samples(len(dosages)))
