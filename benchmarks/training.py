"""The networks' training against the plain Keras loop: `python -m benchmarks.training`, or `make bench-training`.

Expected on 2 cores: see docs/reference/benchmarks.md, which also defines every figure.

    python -m benchmarks.training                              # everything
    python -m benchmarks.training --part slice --part rates    # some of it
    python -m benchmarks.training --quick                      # that it runs: figures mean nothing

Parts: rates (of matrix multiplication), slice (one phenotype, all networks), paper (all phenotypes),
end-to-end (`genotransfer run` of demo and paper). Data are made on the first run, under
runs/benchmarks/. All figures go to runs/benchmarks/training.json, the main ones to the last line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.data import QUICK, RUNS, StudyData, prepare_data
from benchmarks.endtoend import run_command
from benchmarks.machine import describe_machine
from benchmarks.ours import train_study
from benchmarks.peers import Peers, compare, measure_peers
from benchmarks.rates import read_rates
from benchmarks.sampling import CLASSES

PARTS = ("rates", "slice", "paper", "end-to-end")
HEADLINES = (
    "slice_ratio",
    "slice_ratio_warm",
    "paper_ratio",
    "paper_minutes",
    "peak_gib",
    "gemm_share",
    "end_to_end_minutes",
    "overhead_share",
    "demo_seconds",
)
GIB = 2**30
Figures = dict[str, Any]


def main() -> None:
    """Measure the parts asked for; print one line of JSON last."""
    options = _read_options()
    machine = describe_machine()
    parts = options.part or list(PARTS)
    headlines: Figures = dict.fromkeys(HEADLINES)
    details: Figures = {}
    if {"rates", "paper"} & set(parts):
        details["rates"] = read_rates()
        _show("rates of multiplication, GF/s a core", details["rates"])
    if {"slice", "paper"} & set(parts):
        data = prepare_data(options.quick, options.data, options.trainer)
        phenotype = options.phenotype or data.study.phenotype_names[0]
        headlines["trainer"] = data.study.training.trainer
        headlines["sample"] = (
            f"{options.sample} panel(s) of {phenotype} for each network in each class of widths, "
            "a base training and a fine-tuning of random depth each"
        )
        print(f"\nmeasuring the plain loop on a sample of {phenotype}: some minutes", flush=True)
        peers = measure_peers(data, phenotype, options.sample)
        print(peers.describe(), flush=True)
        details["plain"] = peers.tabulate()
        if "slice" in parts:
            headlines |= measure_slice(data, phenotype, peers, details)
        if "paper" in parts:
            headlines |= measure_paper(data, peers, details)
    if "end-to-end" in parts:
        headlines |= measure_end_to_end(options.quick, options.trainer, details)
    result = {**headlines, "parts": parts, "quick": options.quick, **machine}
    RUNS.mkdir(parents=True, exist_ok=True)
    (RUNS / "training.json").write_text(json.dumps({**result, "details": details}, indent=1))
    print(json.dumps(result))


def measure_slice(data: StudyData, phenotype: str, peers: Peers, details: Figures) -> Figures:
    """Measure one phenotype's training, compiling included, and its narrow panels once more without."""
    cold = details["slice"] = compare(train_study(data, [phenotype]), peers)
    _show(f"slice: all networks of {phenotype}", cold)
    again = train_study(data, [phenotype], twice=True, below=int(CLASSES["narrow"]))
    warm = details["slice_warm"] = compare(again, peers)
    _show("slice, panels below 1,000 SNPs, a second time in the same processes", warm)
    return {
        "slice_ratio": round(cold["ratio"], 1),
        "slice_ratio_standard_error": _round(cold["ratio_standard_error"], 1),
        "slice_ratio_warm": round(warm["ratio"], 1),
        "slice_ratio_of_cpu": round(cold["ratio_of_cpu"], 1),
        "slice_ratio_to_side_by_side": round(cold["ratio_to_side_by_side"], 1),
        "slice_ratio_to_reused": round(cold["ratio_to_reused"], 1),
        "slice_seconds": round(cold["seconds"], 1),
    }


def measure_paper(data: StudyData, peers: Peers, details: Figures) -> Figures:
    """Measure the training of all phenotypes."""
    found = details["paper"] = compare(train_study(data, data.study.phenotype_names), peers)
    core = details["rates"]["square"] * 1e9
    found["gemm_share"] = found["flops"] / (found["seconds"] * details["rates"]["cores"]) / core
    found["gemm_share_of_cpu"] = found["flops"] / found["cpu_seconds"] / core
    _show("paper: all networks of all phenotypes", found)
    return {
        "paper_ratio": round(found["ratio"], 1),
        "paper_ratio_standard_error": _round(found["ratio_standard_error"], 1),
        "paper_ratio_of_cpu": round(found["ratio_of_cpu"], 1),
        "paper_ratio_to_side_by_side": round(found["ratio_to_side_by_side"], 1),
        "paper_minutes": round(found["seconds"] / 60, 2),
        "peak_gib": None if found["peak_bytes"] is None else round(found["peak_bytes"] / GIB, 2),
        "gemm_share": round(found["gemm_share"], 3),
        "gemm_share_of_cpu": round(found["gemm_share_of_cpu"], 3),
    }


def measure_end_to_end(quick: bool, trainer: str | None, details: Figures) -> Figures:
    """Measure whole studies through the command line."""
    overrides = [*(QUICK if quick else []), *([f"training.trainer={trainer}"] if trainer else [])]
    runs = {}
    for study in ("demo", "paper"):
        runs[study] = run_command(study, overrides, RUNS / "end-to-end")
        details[study] = asdict(runs[study])
        _show(f"genotransfer run {study}", details[study])
    return {
        "end_to_end_minutes": round(runs["paper"].wall_seconds / 60, 2),
        "overhead_share": round(runs["paper"].overhead_share, 3),
        "not_training_share": round(1 - runs["paper"].training_share, 3),
        "demo_seconds": round(runs["demo"].wall_seconds, 1),
        "demo_overhead_share": round(runs["demo"].overhead_share, 3),
    }


def _show(title: str, figures: Figures) -> None:
    print(f"\n{title}")
    for name, value in figures.items():
        print(f"  {name}: {_shorten(value)}", flush=True)


def _shorten(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shorten(one) for name, one in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _read_options(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="may be given often; all by default")
    parser.add_argument("--quick", action="store_true", help="a small study, to check that everything runs")
    parser.add_argument("--trainer", help="replaces the study's own")
    parser.add_argument("--phenotype", help="of the slice and the sample; the study's first by default")
    parser.add_argument("--sample", type=int, default=1, help="panels of each network and class to measure")
    parser.add_argument("--data", type=Path, help="a finished run of the paper study, to take its data from")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
