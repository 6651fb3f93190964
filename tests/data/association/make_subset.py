"""Make this folder's filesets: python make_subset.py <folder of BridgePRS's example filesets>."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from genotransfer.genotypes import MISSING, Genotypes

N_SAMPLES, N_VARIANTS = 400, 1500
HERE = Path(__file__).parent


def main(source: Path) -> None:
    """Write eur and afr beside this file."""
    for population in ("eur", "afr"):
        generator = np.random.default_rng([20220101, len(population), ord(population[0])])
        whole = Genotypes.open(source / population)
        chromosome = whole.variants["chromosome"].to_numpy()
        kept = np.flatnonzero(np.isin(chromosome, ["20", "21", "22"]))
        kept = np.concatenate([np.arange(N_VARIANTS - len(kept)), kept])
        part = whole.select(variants=kept, samples=np.arange(N_SAMPLES))
        dosages = part.read()
        dosages[generator.random(dosages.shape) < 0.01] = MISSING
        for column in generator.choice(N_VARIANTS, 40, replace=False):
            dosages[generator.random(N_SAMPLES) < generator.uniform(0.02, 0.4), column] = MISSING
        for row in generator.choice(N_SAMPLES, 12, replace=False):
            dosages[row, generator.random(N_VARIANTS) < generator.uniform(0.02, 0.3)] = MISSING
        dosages[:, 5] = MISSING  # nobody called
        dosages[:, 6] = 0  # monomorphic
        dosages[:, 7] = np.where(dosages[:, 7] == MISSING, MISSING, 2)  # monomorphic, missing calls
        dosages[:, 8] = np.arange(N_SAMPLES) % 3  # nearly tied alleles ...
        dosages[-1, 8] = 2
        dosages[:, 9] = np.arange(N_SAMPLES) % 2 * 2  # ... and tied ones, without heterozygotes
        dosages[:, 10] = 1  # everyone heterozygous
        measured = pd.read_csv(source / f"{population}.pheno.tsv", sep="\t").set_index("IID")["y"]
        y = measured.loc[part.samples["iid"]]
        case = np.where(y > y.median(), "2", "1")
        samples = part.samples.assign(sex=np.arange(N_SAMPLES) % 2 + 1, phenotype=case)
        Genotypes.from_dosages(HERE / population, dosages, part.variants, samples)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
