"""Is the study honest where there is nothing to find? `python -m benchmarks.null_calibration`.

Or `make null-calibration`. 200 studies of heritability 0 run through the library's own functions: how
often is the accuracy of a chosen model, or the difference of SNP transfer to no transfer, called
significant at .05? Expected: within the printed intervals (about .02 to .07) where the best was chosen
on ED, far above them where a leak was planted and the best chosen on FD. It ends with status 1 when
either is not so. All counts go to the file named by --out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from rich.progress import track

from genotransfer.formats.files import replace_together
from genotransfer.replication.null_studies import NullDesign, run_null_studies
from genotransfer.replication.rejections import tabulate_rejections

SEED = 20221115


def main() -> int:
    """Run the null studies, print the rates; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/null.csv"))
    settings = parser.parse_args()
    studies = run_null_studies(NullDesign(), settings.replicates, settings.seed)
    counts = pd.concat(track(studies, "null studies", settings.replicates), ignore_index=True)
    with replace_together(settings.out) as [path]:
        counts.to_csv(path, index=False, lineterminator="\n")
    rates = tabulate_rejections(counts)
    sys.stdout.write(rates.to_string(index=False, float_format=lambda value: f"{value:.3f}") + "\n")
    honest = rates["chosen_on"] == "ED"
    # SNP transfer is what leaks in both tests; no transfer has a third of its candidates.
    caught = ~rates["calibrated"][~honest & (rates["method"] == "snp_transfer")]
    passed = bool(rates["calibrated"][honest].all() and caught.all())
    sys.stdout.write("Honest studies pass, the leak is caught.\n" if passed else "The check has FAILED.\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
