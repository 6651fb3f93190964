"""Clumps are those of ``plink1.9 --clump``."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.genotypes import Genotypes
from genotransfer.scores.clumping import clump
from tests.parity.plink_tools import run_plink
from tests.score_support import draw_dosages

N_SAMPLES, N_VARIANTS, STEP = 200, 300, 1000


@pytest.mark.plink
@pytest.mark.parametrize(("r2", "distance"), [(0.1, 40), (0.3, 10), (0.6, 100)])
def test_clumps(tmp_path, r2, distance):
    """In inbred people: PLINK clumps by r2 of haplotypes, which it estimates; here both are one."""
    rng = np.random.default_rng(8)
    dosages = 2 * (draw_dosages(N_SAMPLES, rng.uniform(0.1, 0.9, N_VARIANTS), 0.93, rng) > 0.5)
    names = np.array([f"rs{at}" for at in range(N_VARIANTS)])
    variants = pd.DataFrame(
        {
            "chromosome": "21",
            "id": names,
            "cm": 0.0,
            "position": 5_000 + STEP * np.arange(N_VARIANTS),
            "counted": "A",
            "other": "C",
        }
    )
    people = [f"p{at}" for at in range(N_SAMPLES)]
    samples = pd.DataFrame(
        {"fid": people, "iid": people, "father": "0", "mother": "0", "sex": 1, "phenotype": "-9"}
    )
    Genotypes.from_dosages(tmp_path / "g", dosages.astype(np.int8), variants, samples)
    p_values = 10.0 ** rng.uniform(-8, 0, N_VARIANTS)
    pd.DataFrame({"SNP": names, "P": p_values}).to_csv(tmp_path / "p.txt", sep="\t", index=False)
    run_plink(
        "plink1.9", "--bfile", tmp_path / "g", "--clump", tmp_path / "p.txt", "--clump-p1", "1",
        "--clump-p2", "1", "--clump-r2", str(r2), "--clump-kb", str(distance * STEP / 1000),
        "--out", tmp_path / "c",
    )  # fmt: skip
    theirs = pd.read_csv(tmp_path / "c.clumped", sep=r"\s+")
    centred = np.asfortranarray(dosages - dosages.mean(axis=0), dtype=np.float32)
    index, owner = clump(centred, -np.log(p_values), np.arange(N_VARIANTS), r2, distance)
    assert names[index].tolist() == theirs["SNP"].tolist()
    members = theirs.set_index("SNP")["SP2"].replace("NONE", np.nan).fillna("")
    for at in index:
        ours = set(names[(owner == at) & (np.arange(N_VARIANTS) != at)])
        assert ours == {one.partition("(")[0] for one in members[names[at]].split(",") if one}


def test_stops_after_as_many_as_asked():
    rng = np.random.default_rng(1)
    dosages = rng.standard_normal((50, 20)).astype(np.float32)
    strengths = rng.random(20)
    index, owner = clump(dosages - dosages.mean(axis=0), strengths, np.arange(20), 0.9, 5, most=3)
    assert index.tolist() == np.argsort(-strengths)[:3].tolist()
    assert (owner >= 0).sum() == 3
