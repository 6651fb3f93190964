"""The accuracy of a study's models on BridgePRS's example cohorts: `python -m benchmarks.accuracy_bridgeprs`.

Expected: see docs/reference/benchmarks.md.

    python -m benchmarks.accuracy_bridgeprs DATA                  # the individual EUR people as the source
    python -m benchmarks.accuracy_bridgeprs DATA --statistics S   # and the authors' EUR statistics, n 80,000

DATA holds eur and afr (PLINK filesets, *.pheno.tsv); S the files EUR.chr*.glm.linear.gz of the
repository clivehoggart/BridgePRS (MIT). A case has y above the mean. AFR people that do not learn
are FD. R2 is the squared correlation of a model's log odds with y, or 0 where it is negative.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.accuracy_replicate import run_study
from genotransfer.config import Study
from genotransfer.stages import genotypes
from genotransfer.study_files import parse_study

SIZES = {70: (10, 20), 200: (29, 57), 1000: (143, 286)}
OUT = Path("runs/bench-bridgeprs")
INDIVIDUALS, STATISTICS = "1,000 people", "statistics of 80,000"


def make_study(data: Path, n_train: int, statistics: list[str]) -> Study:
    """Return a study of the two cohorts in which `n_train` people of AFR train."""
    source: dict[str, Any] = {"genotypes": "eur", "phenotypes": "eur.pheno.tsv"}
    methods = ["none", "snp_transfer", "score_transfer"]
    if statistics:
        source = {"statistics": statistics, "reference": "eur"}
    raw = {
        "name": "bridgeprs",
        "source": "EUR",
        "target": "AFR",
        "genotypes": {
            "kind": "files",
            "folder": str(data),
            "source": source,
            "target": {"genotypes": "afr", "phenotypes": "afr.pheno.tsv"},
        },
        "phenotypes": {"kind": "files", "columns": [{"name": "y", "column": "y", "threshold": "mean"}]},
        "splits": {
            "target": {"TD": n_train, "VD": SIZES[n_train][0], "ED": SIZES[n_train][1]},
            "final": None,
        },
        "transfer": {"methods": methods} | ({"fit_on": ["target"]} if statistics else {}),
        "outputs": {"figures": False},
    }
    return parse_study(json.dumps(raw))


def main() -> None:
    """Run the studies and print a table, and one line of JSON."""
    options = _read_options()
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    data = Path(options.data).resolve()
    outcome = pd.read_csv(data / "afr.pheno.tsv", sep="\t", dtype={"IID": str}).set_index("IID")["y"]
    sources: dict[str, list[str]] = {INDIVIDUALS: []}
    if options.statistics:
        found = sorted(Path(options.statistics).resolve().glob("EUR.chr*.glm.linear.gz"))
        sources[STATISTICS] = [str(path) for path in found]
    tables = []
    for name, files in sources.items():
        for n_train in SIZES:
            folder = OUT / f"work-{n_train}"
            study = make_study(data, n_train, files)
            filesets = {role: str(folder / role) for role in ("source", "target", "final")}
            genotypes.prepare_genotypes(study, filesets, folder / "alignment")
            rows = pd.DataFrame(run_study(study, filesets, folder / "study", outcome=outcome))
            tables.append(rows.assign(source=name, n_train=n_train))
    rows = pd.concat(tables, ignore_index=True)
    OUT.mkdir(parents=True, exist_ok=True)
    rows.to_csv(OUT / "bridgeprs.csv", index=False)
    shown = rows[rows["auc"].notna()]
    for (source, n_train), group in shown.groupby(["source", "n_train"], sort=False):
        n = int(group["n"].iloc[0])
        print(f"\nsource: {source}; {n_train} AFR people train; FD {n}")
        for _, row in group.sort_values("auc", ascending=False).iterrows():
            low, high = _bound(row["r"], n)
            print(
                f"  {row['name']:24s} AUC {row['auc']:.3f} ({row['auc_low']:.3f}-{row['auc_high']:.3f})  "
                f"R2 {max(row['r'], 0) ** 2:.4f} ({low:.4f}-{high:.4f})  accuracy {row['accuracy']:.3f}"
            )
    chosen = shown[shown["name"] == "chosen"]
    print(json.dumps({f"auc {row['source']} {row['n_train']}": row["auc"] for _, row in chosen.iterrows()}))


def _bound(r: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of R2 by Fisher's transformation; a negative correlation counts as 0."""
    if math.isnan(r):
        return math.nan, math.nan
    centre, half = math.atanh(r), 1.96 / math.sqrt(n - 3)
    return max(math.tanh(centre - half), 0.0) ** 2, max(math.tanh(centre + half), 0.0) ** 2


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("--statistics")
    return parser.parse_args()


if __name__ == "__main__":
    main()
