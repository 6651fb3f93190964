"""What the published protocol of Henriques et al. 2025 is worth: `python -m benchmarks.exome_protocols`.

Also `make bench-exome-cnn`. Expected: docs/explanation/exome-cnn.md. Synthetic exomes of several
heritabilities, 0 among them, are drawn anew for each seed; the same networks are trained on the same
people by every protocol. At heritability 0 an honest accuracy is that of calling everybody the commoner
class, give or take chance; whatever a protocol says above it is made by the protocol.

Writes a row a heritability, seed and protocol to --out; the last line printed is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.machine import describe_machine
from genotransfer.exome_cnn.choice import choose_networks
from genotransfer.exome_cnn.evaluation import CONFIGURATIONS, average_folds, evaluate_networks
from genotransfer.exome_cnn.folds import split_exome
from genotransfer.exome_cnn.preparing import (
    find_annotation,
    open_exome,
    prepare_exome,
    read_labels,
    read_truth,
)
from genotransfer.exome_cnn.settings import ExomeCnnStudy
from genotransfer.exome_cnn.training import train_form

PROTOCOLS = ["honest", "preselected", "published"]
KEPT = [
    "protocol",
    "n",
    "accuracy",
    "low",
    "high",
    "auc",
    "best_epoch_accuracy",
    "majority",
    "ceiling",
    "oracle",
]


def make_study(asked: argparse.Namespace, heritability: float, seed: int) -> ExomeCnnStudy:
    """Return the study of one heritability and seed."""
    exome = {
        "n_samples": asked.samples,
        "n_cases": round(asked.samples * 4969 / 11214),
        "n_variants": asked.variants,
        "n_genes": min(9160, asked.variants // 2),
        "n_causal": asked.causal,
        "heritability": heritability,
        "singleton_share": asked.singletons,
    }
    sweep = {"forms": asked.forms, "filters": asked.filters, "batch_sizes": asked.batches, "layers": [[100]]}
    return ExomeCnnStudy.model_validate(
        {
            "name": "protocols",
            "seed": seed,
            "exome": exome,
            "people": {"folds": asked.folds or None},
            "preselection": {"p": None, "n_variants": asked.kept},
            "sweep": sweep,
            "training": {"epochs": asked.epochs, "patience": 5},
            "protocols": PROTOCOLS,
        }
    )


def run_study(study: ExomeCnnStudy, folder: Path) -> pd.DataFrame:
    """Run a study's stages; return its results on the people of all folds, and the mean over configurations."""
    genotypes, phenotypes = folder / "genotypes", folder / "phenotypes"
    prepare_exome(study, genotypes, phenotypes)
    exome = open_exome(genotypes)
    split_exome(study, exome, read_labels(phenotypes), folder / "folds", folder / "tests")
    for form in study.sweep.forms:
        places = [folder / one for one in ("folds", f"{form} networks", f"{form} scores", f"{form} models")]
        train_form(study, form, exome, find_annotation(genotypes), *places)
    choose_networks([folder / f"{form} networks" for form in study.sweep.forms], folder / "selection")
    results = evaluate_networks(
        folder / "selection",
        [folder / f"{form} scores" for form in study.sweep.forms],
        folder / "tests",
        read_truth(genotypes),
        study.seed,
        folder / "results",
    )
    every = pd.read_parquet(folder / "results" / CONFIGURATIONS)
    means = every.groupby("protocol")["test_accuracy"].mean().rename("mean_of_configurations")
    return results.loc[results["fold"] == "all", KEPT].merge(means.reset_index(), on="protocol")


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds with 95 % t intervals, a row a heritability and protocol."""
    found = []
    for (heritability, protocol), group in rows.groupby(["heritability", "protocol"], sort=False):
        mean, low, high = average_folds(group["accuracy"].to_numpy(dtype=np.float64))
        shown = {
            name: group[name].mean() for name in ("auc", "mean_of_configurations", "majority", "ceiling")
        }
        row = {"heritability": heritability, "protocol": protocol, "seeds": len(group), "accuracy": mean}
        found.append(row | {"low": low, "high": high} | shown)
    return pd.DataFrame(found)


def main() -> None:
    """Run every heritability and seed, and print what each protocol says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heritabilities", type=float, nargs="+", default=[0.0, 0.2, 0.5, 0.8])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--variants", type=int, default=30_000)
    parser.add_argument("--kept", type=int, default=1500, help="variants that preselection keeps")
    parser.add_argument("--causal", type=int, default=100)
    parser.add_argument("--singletons", type=float, default=0.54, help="share of variants seen once")
    parser.add_argument("--folds", type=int, default=2, help="0: one split of 85 to 15")
    parser.add_argument("--forms", nargs="+", default=["2d", "dense"])
    parser.add_argument("--filters", type=int, nargs="+", default=[16])
    parser.add_argument("--batches", type=int, nargs="+", default=[64])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/exome_protocols.csv"))
    asked = parser.parse_args()
    began, cpu = time.perf_counter(), time.process_time()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for seed in range(1, asked.seeds + 1):
        for heritability in asked.heritabilities:
            with tempfile.TemporaryDirectory() as folder:
                done = run_study(make_study(asked, heritability, seed), Path(folder))
            parts.append(done.assign(heritability=heritability, seed=seed))
            # What is there is kept, should somebody stop it.
            pd.concat(parts).to_csv(asked.out, index=False, float_format="%.6g")
            told = ", ".join(f"{row.protocol} {row.accuracy:.3f}" for row in done.itertuples())
            print(f"seed {seed}, heritability {heritability:g}: {told}", flush=True)
    summary = summarise(pd.concat(parts).sort_values("heritability", kind="stable"))
    print(summary.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    settings = {name: value for name, value in vars(asked).items() if name != "out"}
    spent = {"seconds": round(time.perf_counter() - began), "cpu_seconds": round(time.process_time() - cpu)}
    print(
        json.dumps(describe_machine() | settings | spent | {"summary": summary.round(4).to_dict("records")})
    )


if __name__ == "__main__":
    main()
