"""An exome's quality control beside bcftools: `python -m benchmarks.exome`, or `make bench-exome`.

Expected on 2 cores: see docs/reference/benchmarks.md. Needs bcftools and bgzip, and 6 GiB of disk.

A VCF of 5,000 samples x 100,000 records is made (the same bytes each time), plain, packed with bgzip
and as BCF. Then the filters of Henriques et al. 2025 run on each, by turns as a pipe of bcftools and
by `control_exome` in a fresh process. Both must keep the same sites. With `--cores 1` both run on one
core. Each run is a session of its own, to which Linux gives one share of a busy machine however many
processes it has. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.machine import describe_machine
from genotransfer.exome.vcf_output import CONTIGS
from genotransfer.formats.plink import read_bim
from genotransfer.randomness import make_generator

SEED = 20250616
FORMATS = ("vcf", "vcf.gz", "bcf")
EXCLUDED_SHARE = 0.09  # 1,166 of 12,380 in the paper
GIB = 2**30
OURS = (
    "import sys; from genotransfer.exome.control import control_exome; "
    "from genotransfer.exome.settings import ExomeSettings; "
    "control_exome(sys.argv[1], sys.argv[2], ExomeSettings(excluded_samples=tuple(open(sys.argv[3]).read().split())))"
)
# -I keeps bcftools from writing AC, which the split would not renew. Splitting with missing genotypes
# for the other alternatives is what norm --atomize does; all records of several alternatives are SNPs.
# What makes it faster, and changes no site: BCF that is not packed, to the end (`-Ou -o x.bcf` would
# pack), X and Y left out first, and a thread that unpacks.
PIPE = """set -eo pipefail
bcftools view --threads 1 -I -i 'QUAL>30' -t ^X,Y -S ^"$2" -c 1:nref -Ou "$1" |
bcftools view -I -i 'SUM(FMT/DP)>=8*'"$4"' && F_MISSING<=0.1' -Ou |
bcftools norm -a --atom-overlaps . -Ou 2>/dev/null |
bcftools +setGT -Ou -- -t ./x -n . 2>/dev/null |
bcftools view -I -c 1:nref -v snps -i 'SUM(FMT/DP)>=8*'"$4"' && F_MISSING<=0.1' -Ou > "$3"
"""


def write_vcf(path: Path, n_samples: int, n_records: int) -> None:
    """Write a VCF with GT and DP, packed with bgzip: most sites rare, some of each kind the filters remove."""
    digits = np.array(
        [
            f"{genotype}:{depth}\t".encode()
            for genotype in ("0/0", "0/1", "1/1", "./.", "0/2", "1/2", "2/2")
            for depth in range(256)
        ],
        dtype=object,
    )
    header = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *(f"##contig=<ID={name}>" for name in CONTIGS),
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Read depth">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"])
        + "".join(f"\tS{number}" for number in range(n_samples)),
    ]
    temporary = path.with_suffix(".writing")
    with temporary.open("wb") as file:
        packer = subprocess.Popen(["bgzip", "-c", "-@", "2"], stdin=subprocess.PIPE, stdout=file)
        assert packer.stdin is not None
        packer.stdin.write("".join(f"{line}\n" for line in header).encode())
        for record in range(n_records):
            packer.stdin.write(_make_record(record, n_records, n_samples, digits))
        packer.stdin.close()
        assert packer.wait() == 0, "bgzip failed"
    temporary.replace(path)


def _make_record(record: int, n_records: int, n_samples: int, texts: np.ndarray) -> bytes:
    generator = make_generator(SEED, "exome", record)
    kind = generator.random(7)
    chromosome = CONTIGS[record * 23 // n_records]  # 1 to 22, X
    frequency = min(0.5, 10 ** -generator.uniform(0.3, 4.5))
    genotypes = generator.binomial(2, frequency, n_samples)
    reference, alternatives = "A", "C"
    if kind[0] < 0.05:  # a third allele, always a SNP's
        alternatives = "C,G"
        third = generator.random(n_samples) < frequency / 2
        genotypes = np.where(third, np.array([4, 5, 6])[genotypes], genotypes)
    elif kind[1] < 0.05:
        reference, alternatives = ("AT", "A") if kind[2] < 0.5 else ("A", "ATT")
    genotypes[generator.random(n_samples) < (0.2 if kind[3] < 0.05 else 0.02)] = 3
    depths = np.minimum(generator.poisson(5 if kind[4] < 0.05 else 30, n_samples), 255)
    quality = 20 if kind[5] < 0.1 else 1000
    start = f"{chromosome}\t{1000 + 50 * record}\t.\t{reference}\t{alternatives}\t{quality}\tPASS\t.\tGT:DP\t"
    return start.encode() + b"".join(texts[genotypes * 256 + depths].tolist())[:-1] + b"\n"


def measure(command: list[str]) -> dict[str, float]:
    """Run a command; return its seconds, CPU seconds and the resident GiB of its largest process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, start_new_session=True)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{command[:3]} ended with status {process.returncode}")
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_gib": usage.ru_maxrss * 1024 / GIB,
    }


def read_sites(path: Path) -> pd.DataFrame:
    """Return chromosome, position, other, counted of a BCF file or a .bim, sorted."""
    columns = ["chromosome", "position", "other", "counted"]
    if path.suffix == ".bim":
        table = read_bim(path)[columns]
    else:
        query = ["bcftools", "query", "-f", "%CHROM\t%POS\t%REF\t%ALT\n", str(path)]
        lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
        table = pd.DataFrame([line.split("\t") for line in lines], columns=columns)
        table["position"] = table["position"].astype(np.int64)
    return table.sort_values(columns, ignore_index=True).astype(dict.fromkeys(columns, str))


def compare(path: Path, excluded: Path, n_kept: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Run both by turns on one file; return the medians, and the ratio of theirs to ours."""
    theirs_out, ours_out = folder / "theirs.bcf", folder / "ours"
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "bcftools": []}
    pipe = ["bash", "-c", PIPE, "pipe", str(path), str(excluded), str(theirs_out), str(n_kept)]
    ours = [sys.executable, "-c", OURS, str(path), str(ours_out), str(excluded)]
    for _ in range(repeats):
        runs["ours"].append(measure(ours))
        runs["bcftools"].append(measure(pipe))
    sites = read_sites(Path(f"{ours_out}.bim"))
    pd.testing.assert_frame_equal(sites, read_sites(theirs_out))
    found: dict[str, Any] = {"n_kept_sites": len(sites), "gib": path.stat().st_size / GIB}
    for name, measured in runs.items():
        for figure in measured[0]:
            found[f"{name}_{figure}"] = round(median(run[figure] for run in measured), 3)
        found[f"{name}_all_seconds"] = [round(run["seconds"], 2) for run in measured]
    for figure in ("seconds", "cpu_seconds"):
        found[f"ratio_of_{figure}"] = round(found[f"bcftools_{figure}"] / found[f"ours_{figure}"], 3)
    return found


def main() -> None:
    """Make the files where they are absent, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", type=int, help="run on the first so many cores; all when left out")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--folder", type=Path, default=Path("runs/benchmarks/exome"))
    asked = parser.parse_args()
    for program in ("bcftools", "bgzip"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not on the PATH: apt-get install bcftools tabix")
    if asked.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    folder = asked.folder / f"{asked.samples}x{asked.records}"
    folder.mkdir(parents=True, exist_ok=True)
    packed, excluded = folder / "made.vcf.gz", folder / "excluded.txt"
    if not packed.exists():
        write_vcf(packed, asked.samples, asked.records)
    for name, command in (
        ("made.vcf", ["bgzip", "-dc", packed]),
        ("made.bcf", ["bcftools", "view", "-Ob", packed]),
    ):
        if not (folder / name).exists():
            with (folder / "made.writing").open("wb") as file:
                subprocess.run(command, stdout=file, check=True)
            (folder / "made.writing").replace(folder / name)
    n_excluded = int(asked.samples * EXCLUDED_SHARE)
    excluded.write_text("".join(f"S{number * 11}\n" for number in range(n_excluded)))
    result: dict[str, Any] = describe_machine() | {"samples": asked.samples, "records": asked.records}
    result["cores_used"] = len(os.sched_getaffinity(0))
    for name in asked.formats:
        result[name] = compare(
            folder / f"made.{name}", excluded, asked.samples - n_excluded, asked.repeats, folder
        )
        for key, value in result[name].items():
            print(f"{name:7s} {key:24s} {value}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
