"""Polygenic scores of two populations by PRS-CSx, run beside genotransfer's as a peer.

    python -m benchmarks.peer_prscsx data.npz variants.tsv --checkout PRScsx

``data.npz`` holds source, target, test (int8 dosages) and source_labels, target_labels, test_labels
(0 or 1); ``variants.tsv`` the columns chromosome, position, counted, other. It prints the accuracy
on the test people of each way to use the posterior effects.

PRS-CSx (Ruan et al. 2022, Nat Genet 54:573-580) is not part of this project; get its code with
``git clone https://github.com/getian107/PRScsx.git``. It reads summary statistics and LD, so both are
computed from the training people. Two things differ from its authors' use, both for time:

- Variants are thinned, without the labels, to 6,000 (``--kept``): LD pruning, then even density. On
  chr21 that is about half the density of HapMap 3, which its reference panels have. Each iteration
  draws one number per variant in plain Python and factors each LD block, at a cost cubic in the
  block's size; preparing takes time quadratic in the number of variants.
- 1,000 iterations, half of them burn-in, in place of 2,000 (``--iterations``).

Thinning limits what can be found. Where the true risk SNPs are not among the 6,000, even their true
effects on the best tags in the source predict much less in the target than the SNPs themselves.

Expect, with 1,000 CEU and 100 YRI of the shipped panel's chr21, heritability .5, 5 or 10 risk SNPs, phi
1e-4 and 500 iterations: META right for .65 of 1,000 others (mean of 8 runs), where the true effects
on the best tags of 6,000 variants are right for .65, and the risk SNPs themselves for .75. EUR and
AFR together reach .57 if no one is held out for the weights.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int8, Int64
from sklearn.linear_model import LogisticRegression

from benchmarks.peer_environment import CACHE, find_checkout, make_environment, run_quietly
from benchmarks.peer_files import (
    Cohort,
    divide_blocks,
    locate_chromosomes,
    read_effects,
    summarise,
    thin_variants,
    write_ld,
    write_tables,
)

SOURCE, TARGET, META = "EUR", "AFR", "META"


@dataclass(frozen=True)
class Settings:
    """How PRS-CSx is run.

    Attributes
    ----------
    checkout : folder of its code; None: what the environment variable PRSCSX says.
    cache : folder for its environment.
    phis : global shrinkage, each tried and the best on the target's training people taken; None
        lets it be learnt.
    n_kept : variants after thinning.
    n_iterations, n_burn_in : of the chain.
    timeout : seconds for each phi.
    seed : of its random numbers.
    """

    checkout: Path | None = None
    cache: Path = CACHE
    phis: tuple[float | None, ...] = (1e-4, 1e-2)
    n_kept: int = 6000
    n_iterations: int = 1000
    n_burn_in: int = 500
    timeout: float = 1800
    seed: int = 1


@dataclass(frozen=True)
class Posterior:
    """What PRS-CSx made of one phi.

    Attributes
    ----------
    phi : as it was set.
    effects : for EUR (the source), AFR (the target) and META: float64 (n_variants,), of each counted
        allele, 0 for the variants that were thinned out.
    seconds : its run took.
    """

    phi: float | None
    effects: dict[str, Float64[np.ndarray, " n_variants"]]
    seconds: float


def write_inputs(folder: Path, variants: pd.DataFrame, cohorts: dict[str, Cohort]) -> dict[str, int]:
    """Write all that PRS-CSx reads and return the number of people in each population.

    The LD blocks are divided where the first population's LD is low, and are the same in all.
    """
    write_tables(folder, variants, {name: summarise(one) for name, one in cohorts.items()})
    dividing = next(iter(cohorts.values())).dosages
    for chromosome, part in locate_chromosomes(variants).items():
        blocks = divide_blocks(dividing[:, part])
        for name, one in cohorts.items():
            place = folder / "ld" / f"ldblk_1kg_{name.lower()}"
            place.mkdir(exist_ok=True)
            write_ld(place / f"ldblk_1kg_chr{chromosome}.hdf5", one.dosages, part, blocks)
    return {name: len(one.labels) for name, one in cohorts.items()}


def run_prscsx(
    source: Cohort,
    target: Cohort,
    variants: pd.DataFrame,
    settings: Settings,
    kept: Int64[np.ndarray, " k"] | None = None,
) -> list[Posterior]:
    """Return the posterior effects for each phi.

    Parameters
    ----------
    source, target : training people with the same variants, sorted by chromosome and position.
    variants : chromosome, position, counted, other; one row for each column of the dosages.
    kept : positions of the variants to use, ascending; when None they are thinned without the labels.

    Raises
    ------
    StudyError
        The code is absent, a run fails or takes too long, or the data cannot be used.
    """
    script = find_checkout(settings.checkout) / "PRScsx.py"
    python = make_environment(settings.cache)
    if kept is None:
        kept = thin_variants(source.dosages, target.dosages, variants, n_kept=settings.n_kept)
    few = variants.iloc[kept].reset_index(drop=True)
    both = {SOURCE: source, TARGET: target}
    cohorts = {name: Cohort(one.dosages[:, kept], one.labels) for name, one in both.items()}
    posteriors = []
    with tempfile.TemporaryDirectory(prefix="prscsx-") as made:
        folder = Path(made)
        sizes = write_inputs(folder, few, cohorts)
        for number, phi in enumerate(settings.phis):
            out = folder / f"out{number}"
            out.mkdir()
            options = {
                "ref_dir": "ld",
                "bim_prefix": "target",
                "sst_file": ",".join(f"{name}.txt" for name in sizes),
                "n_gwas": ",".join(map(str, sizes.values())),
                "pop": ",".join(sizes),
                "chrom": ",".join(map(str, locate_chromosomes(few))),
                "n_iter": settings.n_iterations,
                "n_burnin": settings.n_burn_in,
                # All draws after the burn-in count, as there are few.
                "thin": 1,
                "meta": True,
                "seed": settings.seed,
                "out_dir": out.name,
                "out_name": "run",
            } | ({} if phi is None else {"phi": phi})
            began = time.perf_counter()
            command = [str(python), str(script), *(f"--{name}={value}" for name, value in options.items())]
            run_quietly(command, folder, settings.timeout)
            seconds = time.perf_counter() - began
            effects = {}
            for name in (*sizes, META):
                effects[name] = np.zeros(len(variants))
                effects[name][kept] = read_effects(sorted(out.glob(f"run_{name}_pst_eff_*.txt")), few)
            posteriors.append(Posterior(phi, effects, seconds))
    return posteriors


def choose_phi(posteriors: Sequence[Posterior], fitting: Cohort) -> Posterior:
    """Return the posterior whose source score alone has the least log loss on people of the target.

    The target's own score cannot choose where the same people gave its summary statistics: it all but
    repeats their labels, the more the less it is shrunk.
    """

    def compute_loss(one: Posterior) -> float:
        case = combine(one, [SOURCE], fitting, fitting.dosages)
        return float(-np.log(np.where(fitting.labels == 1, case, 1 - case)).mean())

    return min(posteriors, key=compute_loss)


def combine(
    posterior: Posterior, names: Sequence[str], fitting: Cohort, test: Int8[np.ndarray, "n_test n_variants"]
) -> Float64[np.ndarray, " n_test"]:
    """Return the probability of being a case; the class changes at 1/2.

    The scores of the named effects, standardised by their mean and spread in the people they are fitted
    on, are combined by logistic regression, as the authors advise. The weights of more than one
    score mean something only for people who gave no summary statistics.
    """
    effects = np.column_stack([posterior.effects[name] for name in names])
    scores = fitting.dosages @ effects
    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    spread[spread == 0] = 1
    # A weak penalty keeps scores that part the few cases from the controls finite.
    model = LogisticRegression(C=100.0).fit((scores - mean) / spread, fitting.labels)
    return np.asarray(model.predict_proba((test @ effects - mean) / spread)[:, 1], dtype=np.float64)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run on one data set and print the accuracies."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("variants", type=Path)
    parser.add_argument("--checkout", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--kept", type=int, default=Settings.n_kept)
    parser.add_argument("--iterations", type=int, default=Settings.n_iterations)
    parser.add_argument("--held", type=int, default=0, help="last people of the target, for the weights only")
    given = parser.parse_args(arguments)
    data, variants = np.load(given.data), pd.read_csv(given.variants, sep="\t")
    source, target = (Cohort(data[name], data[f"{name}_labels"]) for name in ("source", "target"))
    n = len(target.labels) - given.held
    if not 0 < n <= len(target.labels):
        parser.error(f"--held must be at least 0 and below the target's {len(target.labels)} people")
    tested, fitting = Cohort(target.dosages[:n], target.labels[:n]), target
    if given.held:
        fitting = Cohort(target.dosages[n:], target.labels[n:])
    settings = Settings(
        checkout=given.checkout,
        cache=given.cache,
        n_kept=given.kept,
        n_iterations=given.iterations,
        n_burn_in=given.iterations // 2,
    )
    posteriors = run_prscsx(source, tested, variants, settings)
    chosen = choose_phi(posteriors, target)
    print("phi", chosen.phi or "learnt", "seconds of each:", *(f"{one.seconds:.0f}" for one in posteriors))
    for names in ((SOURCE, TARGET), (META,), (SOURCE,)):
        # One score has no weights to learn, only where its classes part: all of the target can say that.
        case = combine(chosen, names, fitting if len(names) > 1 else target, data["test"])
        accuracy = np.mean((case > 0.5) == data["test_labels"])
        print(f"{' and '.join(names)}: accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
