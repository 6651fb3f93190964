"""What is written for PRS-CSx and read from it, against scipy, numpy and readers of the files' own.

PRS-CSx itself is not part of the project, and is not run here.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from benchmarks.peer_environment import find_checkout, make_environment, run_quietly
from benchmarks.peer_files import (
    Cohort,
    divide_blocks,
    locate_chromosomes,
    read_effects,
    summarise,
    thin_variants,
    write_ld,
)
from benchmarks.peer_prscsx import Posterior, choose_phi, combine, write_inputs
from genotransfer.errors import StudyError


def draw_dosages(rng, n, m, copied=0.85):
    """Draw dosages in LD: each haplotype's allele repeats its neighbour's with the given probability."""
    alleles = rng.random((2 * n, m)) < rng.uniform(0.2, 0.8, m)
    for at in range(1, m):
        same = rng.random(2 * n) < copied
        alleles[same, at] = alleles[same, at - 1]
    return (alleles[:n] + alleles[n:].astype(np.int8)).astype(np.int8)


def make_variants(m, chromosomes=("21",)):
    rng = np.random.default_rng(5)
    pairs = [rng.permutation(list("ACGT"))[:2] for _ in range(m)]
    return pd.DataFrame(
        {
            "chromosome": np.repeat(chromosomes, -(-m // len(chromosomes)))[:m],
            "position": np.arange(1, m + 1) * 100,
            "counted": [pair[0] for pair in pairs],
            "other": [pair[1] for pair in pairs],
        }
    )


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_summary_statistics_are_those_of_scipy(rng):
    dosages = draw_dosages(rng, 80, 30)
    dosages[:, 4] = 2
    labels = rng.integers(0, 2, 80).astype(np.int8)
    made = summarise(Cohort(dosages, labels))
    assert made.n == 80
    assert np.isnan(made.effects[4])
    assert np.isnan(made.errors[4])
    assert made.frequencies[4] == 0
    for at in set(range(30)) - {4}:
        line = stats.linregress(dosages[:, at], labels)
        assert made.effects[at] == pytest.approx(line.slope, rel=1e-4, abs=1e-7)
        assert made.errors[at] == pytest.approx(line.stderr, rel=1e-4)
        assert made.frequencies[at] == pytest.approx(dosages[:, at].mean() / 2)


def test_missing_genotypes_are_refused(rng):
    dosages = draw_dosages(rng, 10, 4)
    dosages[3, 2] = -1
    with pytest.raises(StudyError, match="missing genotypes"):
        summarise(Cohort(dosages, np.array([0, 1] * 5)))


def test_thinning_by_brute_force(rng):
    source, target = draw_dosages(rng, 60, 150, 0.95), draw_dosages(rng, 30, 150, 0.95)
    target[:, 40] = 0
    source[:, 70] = target[:, 70] = 1
    variants = make_variants(150, ("20", "21"))
    variants.loc[100, "other"] = "AT"
    kept = thin_variants(source, target, variants, n_kept=150, r2=0.6, window=25)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_population = [np.corrcoef(dosages.T) ** 2 for dosages in (source, target)]
    # Nobody differs at 40 in the target, so the source alone decides.
    by_population[1][:, 40] = by_population[1][40] = 1
    twins = (by_population[0] > 0.6) & (by_population[1] > 0.6)
    expected = []
    for at in range(150):
        near = [
            k for k in expected if at - k <= 25 and variants["chromosome"][k] == variants["chromosome"][at]
        ]
        if at not in (70, 100) and not twins[at, near].any():
            expected.append(at)
    assert kept.tolist() == expected
    assert 20 < len(kept) < 130


def test_what_is_left_is_thinned_evenly(rng):
    source, target = draw_dosages(rng, 60, 200, 0.3), draw_dosages(rng, 30, 200, 0.3)
    variants = make_variants(200)
    every = thin_variants(source, target, variants, n_kept=200)
    few = thin_variants(source, target, variants, n_kept=40)
    ranks = np.searchsorted(every, few)
    assert np.array_equal(every[ranks], few)
    assert len(few) == 40
    assert np.ptp(np.diff(ranks)) <= 1


def test_blocks_part_what_is_independent(rng):
    parts = [draw_dosages(rng, 300, m, 0.97) for m in (90, 130, 110, 60)]
    blocks = divide_blocks(np.hstack(parts), size=100, reach=10)
    assert [block.start for block in blocks] == [0, 90, 220, 330]
    assert blocks[-1].stop == 390
    sizes = [block.stop - block.start for block in divide_blocks(draw_dosages(rng, 50, 777), size=60)]
    assert sum(sizes) == 777
    assert max(sizes) <= 90
    assert min(sizes) >= 30


def test_ld_files_hold_correlations_of_what_varies(rng, tmp_path):
    dosages = draw_dosages(rng, 50, 40)
    dosages[:, [12, 15]] = 1
    dosages[:, 20:26] = 0
    blocks = [slice(0, 10), slice(10, 16), slice(16, 30)]
    write_ld(tmp_path / "ld.hdf5", dosages, slice(10, 40), blocks)
    expected = [
        [v for v in range(10, 20) if v not in (12, 15)],
        # Nobody differs at any variant of the second block, so it is not there.
        list(range(26, 40)),
    ]
    with h5py.File(tmp_path / "ld.hdf5") as file:
        assert set(file) == {"blk_1", "blk_2"}
        for number, at in enumerate(expected, 1):
            names = [name.decode("UTF-8") for name in file[f"blk_{number}/snplist"]]
            assert names == [f"v{v}" for v in at]
            matrix = np.array(file[f"blk_{number}/ldblk"])
            np.testing.assert_allclose(matrix, np.corrcoef(dosages[:, at].T), atol=1e-5)


def test_files_agree_on_alleles_and_names(rng, tmp_path):
    m = 600
    variants = make_variants(m, ("20", "21"))
    cohorts = {
        "EUR": Cohort(draw_dosages(rng, 60, m), rng.integers(0, 2, 60)),
        "AFR": Cohort(draw_dosages(rng, 30, m), rng.integers(0, 2, 30)),
    }
    cohorts["AFR"].dosages[:, 7] = 2
    assert write_inputs(tmp_path, variants, cohorts) == {"EUR": 60, "AFR": 30}

    rows = [line.split() for line in (tmp_path / "ld" / "snpinfo_mult_1kg_hm3").read_text().splitlines()]
    order = ["AFR", "AMR", "EAS", "EUR", "SAS"]
    assert rows[0] == [
        "CHR",
        "SNP",
        "BP",
        "A1",
        "A2",
        *(f"FRQ_{p}" for p in order),
        *(f"FLP_{p}" for p in order),
    ]
    reference = {row[1]: row for row in rows[1:]}
    assert list(reference) == [f"v{v}" for v in range(m)]
    bim = [line.split() for line in (tmp_path / "target.bim").read_text().splitlines()]
    for v, row in enumerate(bim):
        counted, other = variants["counted"][v], variants["other"][v]
        assert row == [variants["chromosome"][v], f"v{v}", "0", str(variants["position"][v]), counted, other]
        held = reference[f"v{v}"]
        assert held[:5] == [row[0], row[1], row[3], counted, other]
        assert float(held[8]) == pytest.approx(cohorts["EUR"].dosages[:, v].mean() / 2)
        assert [float(held[at]) for at in (6, 7, 9)] == [0, 0, 0]
        assert held[10:] == ["1", "0", "0", "1", "0"]
    assert float(reference["v7"][5]) == 0

    for name, one in cohorts.items():
        lines = [line.split() for line in (tmp_path / f"{name}.txt").read_text().splitlines()]
        assert lines[0] == ["SNP", "A1", "A2", "BETA", "SE"]
        tested = [line[0] for line in lines[1:]]
        assert ("v7" in tested) == (name == "EUR")
        for line in lines[1:]:
            assert line[1:3] == reference[line[0]][3:5]
            line_of_scipy = stats.linregress(one.dosages[:, int(line[0][1:])], one.labels)
            assert float(line[3]) == pytest.approx(line_of_scipy.slope, rel=1e-3, abs=1e-6)
        in_ld = []
        for chromosome in (20, 21):
            path = tmp_path / "ld" / f"ldblk_1kg_{name.lower()}" / f"ldblk_1kg_chr{chromosome}.hdf5"
            with h5py.File(path) as file:
                # PRS-CSx counts the groups and asks for blk_1 to blk_n.
                for number in range(1, len(file) + 1):
                    in_ld += [text.decode() for text in file[f"blk_{number}/snplist"]]
        assert in_ld == tested


def test_effects_are_of_the_counted_allele(tmp_path):
    variants = pd.DataFrame({"counted": list("ACGT"), "other": list("GTAC")})
    (tmp_path / "a").write_text("20\tv0\t5\tA\tG\t1.5e-01\n20\tv2\t9\tA\tG\t2.0e-01\n")
    (tmp_path / "b").write_text("21\tv3\t5\tT\tC\t-3.0e-01\n")
    assert read_effects([tmp_path / "a", tmp_path / "b"], variants).tolist() == [0.15, 0, -0.2, -0.3]
    (tmp_path / "a").write_text("20\tv0\t5\tA\tG\tnan\n")
    with pytest.raises(StudyError, match="row 1 of a"):
        read_effects([tmp_path / "a"], variants)
    (tmp_path / "a").write_text("20\tv0\t5\tA\tG\t1\n20\tv1\t5\tC\tG\t1\n")
    with pytest.raises(StudyError, match="row 2 of a"):
        read_effects([tmp_path / "a"], variants)


def test_combination_is_the_penalised_maximum(rng):
    dosages, test = draw_dosages(rng, 120, 20, 0.2), draw_dosages(rng, 50, 20, 0.2)
    effects = {name: rng.normal(size=20) for name in ("EUR", "AFR")}
    labels = (
        rng.random(120) < special.expit(dosages @ effects["EUR"] - np.mean(dosages @ effects["EUR"]))
    ).astype(int)
    good = Posterior(1e-4, effects, 0.0)
    poor = Posterior(1e-2, {name: rng.normal(size=20) for name in effects}, 0.0)
    assert choose_phi([poor, good], Cohort(dosages, labels)) is good
    made = combine(good, ("EUR", "AFR"), Cohort(dosages, labels), test)

    weights = np.column_stack(list(effects.values()))
    z = stats.zscore(dosages @ weights, axis=0)

    def loss(b):
        logits = b[0] + z @ b[1:]
        return np.sum(np.logaddexp(0, logits) - labels * logits) + b[1:] @ b[1:] / 200

    b = optimize.minimize(loss, np.zeros(3), tol=1e-10).x
    new = (test @ weights - (dosages @ weights).mean(0)) / (dosages @ weights).std(0)
    np.testing.assert_allclose(made, special.expit(b[0] + new @ b[1:]), atol=1e-3)


@pytest.mark.parametrize(
    ("chromosomes", "positions"), [(["X", "X"], [1, 2]), (["2", "1"], [1, 2]), (["1", "1"], [2, 1])]
)
def test_variants_it_cannot_take_are_refused(chromosomes, positions):
    with pytest.raises(StudyError, match=r"chromosomes 1 to 22|not in order"):
        locate_chromosomes(pd.DataFrame({"chromosome": chromosomes, "position": positions}))


def test_absent_code_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("PRSCSX", raising=False)
    with pytest.raises(StudyError, match="git clone https"):
        find_checkout(None)
    monkeypatch.setenv("PRSCSX", str(tmp_path))
    with pytest.raises(StudyError, match=r"holds no PRScsx\.py.*git clone https"):
        find_checkout(None)
    (tmp_path / "PRScsx.py").touch()
    assert find_checkout(None) == tmp_path.resolve()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StudyError, match="uv is not on the PATH"):
        make_environment(tmp_path / "cache")


def test_a_failed_or_slow_run_is_told(tmp_path):
    script = tmp_path / "run.py"
    script.write_text("import os, sys; print(os.environ['OMP_NUM_THREADS'], 'thread'); sys.exit(3)")
    with pytest.raises(StudyError, match=r"(?s)run\.py failed with status 3: 1 thread"):
        run_quietly([sys.executable, str(script)], tmp_path, 30)
    script.write_text("import time; time.sleep(60)")
    with pytest.raises(StudyError, match="more than 1 s"):
        run_quietly([sys.executable, str(script)], tmp_path, 1)
    script.write_text("from pathlib import Path; Path('made').touch()")
    run_quietly([sys.executable, str(script)], tmp_path, 30)
    assert Path(tmp_path, "made").exists()
