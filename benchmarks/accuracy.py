"""How accurate a study's models are: `python -m benchmarks.accuracy`, or `make bench-accuracy`.

Expected: see docs/reference/benchmarks.md, which also defines every figure.

    python -m benchmarks.accuracy                      # 40 replicates; over an hour on 2 cores
    python -m benchmarks.accuracy --replicates 4       # some of them
    python -m benchmarks.accuracy --peer ~/PRScsx      # PRS-CSx beside it, from its checkout

A replicate has new genotypes, and for each heritability a phenotype of 5 and one of 10 risk SNPs.
Replicates that were run before with the same options are not run again. The deep methods and the
peer take minutes a phenotype and run in the last few replicates only, at a heritability of .5.
All rows go to runs/bench-accuracy/, the main figures to the last line.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from benchmarks.accuracy_replicate import Extent, run_replicate
from benchmarks.accuracy_summary import describe, summarise
from benchmarks.machine import describe_machine
from genotransfer.candidates import METHODS

OUT = Path("runs/bench-accuracy")
HERITABILITIES = (0.5, 0.3, 0.8, 0.0)
FIRST_SEED = 41000


def main() -> None:
    """Run the replicates that are missing, and print the table and one line of JSON."""
    options = _read_options()
    # One thread a process: two replicates run side by side.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    jobs = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for number in range(options.replicates):
            left = options.replicates - number
            peer = options.peer if left <= options.peers else None
            jobs.append(pool.submit(_run, number, left <= options.deep, peer, out))
        for number, job in enumerate(jobs):
            job.result()
            print(f"replicate {number + 1} of {options.replicates}", flush=True)
    rows = pd.concat(
        [pd.read_parquet(out / f"{FIRST_SEED + number}.parquet") for number in range(options.replicates)],
        ignore_index=True,
    )
    figures = summarise(rows)
    print(describe(rows))
    (out / "accuracy.json").write_text(json.dumps({**figures, **describe_machine()}, indent=1))
    print(json.dumps(figures))


def _run(number: int, deep: bool, peer: str | None, out: Path) -> None:
    seed = FIRST_SEED + number
    path = out / f"{seed}.parquet"
    if not path.exists():
        extents = [
            Extent(
                heritability=heritability,
                methods=_choose_methods(heritability, deep),
                # Without an effect the number of risk SNPs says nothing.
                risk_snps=(5, 10) if heritability else (5,),
            )
            for heritability in HERITABILITIES
        ]
        rows = run_replicate(seed, extents, out / f"work-{seed}", peer)
        rows.to_parquet(path)


def _choose_methods(heritability: float, deep: bool) -> tuple[str, ...]:
    if heritability != 0.5:
        return ("score_transfer",)
    return METHODS if deep else ("none", "score_transfer")


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument(
        "--deep", type=int, default=5, help="replicates with all methods of the default study"
    )
    parser.add_argument("--peer", help="checkout of PRS-CSx, run beside it")
    parser.add_argument("--peers", type=int, default=5, help="replicates with the peer")
    parser.add_argument("--jobs", type=int, default=2, help="replicates side by side")
    parser.add_argument("--out", default=str(OUT))
    return parser.parse_args()


if __name__ == "__main__":
    main()
