"""A saved polygenic score against `plink2 --score`, which reads the file as it was written."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from genotransfer.alignment import match_variants
from genotransfer.genotypes import Genotypes
from genotransfer.models.predictors import ScorePredictor
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import load_predictor, save_predictor
from tests.parity.plink_tools import DATA, run_plink


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Folder of a score on 300 variants of the African cohort, in which some dosages are missing."""
    folder = tmp_path_factory.mktemp("scored")
    given = Genotypes.open(DATA / "afr")
    rng = np.random.default_rng(8)
    dosages = given.read()
    dosages[rng.random(dosages.shape) < 0.02] = -1
    Genotypes.from_dosages(folder / "afr", dosages, given.variants, given.samples)
    kept = np.sort(rng.choice(given.n_variants, 300, replace=False))
    variants = given.variants.iloc[kept][["id", "counted", "other"]].reset_index(drop=True)
    # Half of the effects are of the allele that the fileset does not count.
    turned = np.arange(300) % 2 == 1
    names = ["counted", "other"]
    variants.loc[turned, names] = variants.loc[turned, names[::-1]].to_numpy()
    centre = Standardiser(rng.uniform(0.2, 1.8, 300), np.ones(300))
    effects = rng.standard_normal(300) / 10
    save_predictor(folder / "model", ScorePredictor(variants, centre, "susie", effects, -0.4))
    return folder


def write_frequencies(folder):
    """Write the means the score is centred on as the frequencies plink2 is to use."""
    manifest = json.loads((folder / "model" / "predictor.json").read_text())
    means = {
        one[0]: (one[1], mean / 2) for one, mean in zip(manifest["variants"], manifest["mean"], strict=True)
    }
    bim = pd.read_csv(folder / "afr.bim", sep=r"\s+", header=None, dtype=str)
    rows = []
    for chromosome, name, _, _, alternate, reference in bim.itertuples(index=False):
        counted, frequency = means.get(name, (alternate, 0.5))
        of_alternate = frequency if counted == alternate else 1 - frequency
        rows.append(f"{chromosome}\t{name}\t{reference}\t{alternate}\t{of_alternate!r}\t1000")
    header = "#CHROM\tID\tREF\tALT\tALT_FREQS\tOBS_CT"
    (folder / "means.afreq").write_text("\n".join([header, *rows]) + "\n")
    return folder / "means.afreq"


def test_log_odds_are_plinks_score(scored):
    """PLINK puts the target's frequency for a missing dosage; what it does not do is to centre."""
    run_plink(
        "plink2", "--bfile", scored / "afr", "--read-freq", write_frequencies(scored),
        "--score", scored / "model" / "score.txt", "1", "2", "4", "cols=+scoresums",
        "--out", scored / "plink",
    )  # fmt: skip
    theirs = pd.read_csv(scored / "plink.sscore", sep="\t")
    header = dict(
        line[1:].split("=")
        for line in (scored / "model" / "score.txt").read_text().splitlines()
        if line.startswith("#") and "=" in line
    )
    predictor = load_predictor(scored / "model")
    genotypes = Genotypes.open(scored / "afr")
    assert theirs["IID"].astype(str).tolist() == genotypes.samples["iid"].tolist()
    ours = predictor.score(match_variants(genotypes, predictor.variants).read())
    centre = float(header["log_odds_at_mean_dosages"]) - predictor.standardiser.mean @ predictor.effects
    expected = theirs["SCORE1_SUM"].to_numpy() + centre
    assert np.ptp(expected) > 1
    assert logit(ours) == pytest.approx(expected, abs=2e-5)
