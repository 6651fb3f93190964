"""Does interpretation rank a true risk SNP first? `python -m benchmarks.interpretation`.

Or `make bench-interpretation`. Expected: see docs/explanation/interpretation.md. Each replicate has new
genotypes and a phenotype of 5 risk SNPs that explain half of the variance; models of every family learn
from 700 people of the source. A hit is a true risk SNP, or a variant with r2 of .8 or more with one in the
source. Beside the models stands the association itself: the variant of the smallest p.

    python -m benchmarks.interpretation                        # 40 replicates, 100 s of CPU each
    python -m benchmarks.interpretation --replicates 4         # some of them
    python -m benchmarks.interpretation --networks cnn_2d cnn_3d --out runs/bench-cnn --only-networks

Replicates that were run before are not run again. Rows go to --out, a file a replicate and all of them in
interpretation.csv; the shares are printed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

OUT = Path("runs/bench-interpretation")
NETWORKS = ("ann_1", "gru_1", "lstm_1", "bilstm_1", "cnn_1d")
FIRST_SEED = 52000
BY = ["family", "panel", "people", "kind", "ranked"]


def main() -> int:
    """Run the replicates that are missing, and print the share of hits of each family."""
    options = _read_options()
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.interpretation_replicate import run_replicate
    from genotransfer.formats.files import replace_together
    from genotransfer.training.api import get_trainer

    options.out.mkdir(parents=True, exist_ok=True)
    trainer = get_trainer()
    parts = []
    for seed in range(FIRST_SEED + options.first, FIRST_SEED + options.replicates):
        path = options.out / f"{seed}.csv"
        if not path.exists():
            rows = run_replicate(
                seed, options.networks, trainer, options.out / f"work-{seed}", not options.only_networks
            )
            with replace_together(path) as [temporary]:
                rows.to_csv(temporary, index=False, lineterminator="\n")
        parts.append(pd.read_csv(path))
        with replace_together(options.out / "interpretation.csv") as [temporary]:
            pd.concat(parts, ignore_index=True).to_csv(temporary, index=False, lineterminator="\n")
    shares = summarise(pd.concat(parts, ignore_index=True))
    sys.stdout.write(shares.to_string(index=False, float_format=lambda value: f"{value:.2f}") + "\n")
    return 0


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each family, panel, measure and ranking the share of replicates whose first is a hit.

    Returns
    -------
    family, panel, people, kind, ranked; n (replicates and models of the family that were run, those in which
    the measure ranks nothing among them: they are misses), hits, share, low and high (Wilson's 95 % interval),
    precision_5 and found_10 (means), n_snps (median), chance_panel (mean).
    """
    from genotransfer.intervals import wilson_interval

    made = []
    rows = rows.fillna({"people": "TD"})
    run = rows[["family", "people", "seed", "model"]].drop_duplicates().groupby(["family", "people"]).size()
    for names, group in rows.groupby(BY, sort=False):
        hits, n = int((group["first_rank"] == 1).sum()), int(run[names[0], names[2]])
        low, high = wilson_interval(hits, n)
        made.append(
            dict(zip(BY, names, strict=True))
            | {"n": n, "hits": hits, "share": hits / n, "low": low, "high": high}
            | {name: group[name].sum() / n for name in ("precision_5", "found_10")}
            | {"n_snps": group["n_snps"].median(), "chance_panel": group["chance_panel"].mean()}
        )
    return pd.DataFrame(made)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="replicate to begin with")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--only-networks", action="store_true", help="no classical models and scores")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
