"""r2 and bins of variants in LD, against numpy and by what each bin promises."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.linkage import bin_variants, compute_cross_r2, compute_r2


def draw(n=80, m=40, seed=0):
    """Neighbours repeat each other nine times in ten; a few genotypes are missing."""
    rng = np.random.default_rng(seed)
    dosages = rng.integers(0, 3, (n, m)).astype(np.int8)
    for at in range(1, m):
        same = rng.random(n) < 0.97
        dosages[same, at] = dosages[same, at - 1]
    dosages[rng.random((n, m)) < 0.01] = -1
    variants = pd.DataFrame({"chromosome": "21", "position": 1000 + 5000 * np.arange(m)})
    return dosages, variants


def test_r2_is_that_of_the_people_called_at_both():
    dosages, _ = draw()
    found = compute_cross_r2(dosages[:, :5], dosages[:, 10:20])
    for left in range(5):
        for right in range(10):
            x, y = dosages[:, left].astype(float), dosages[:, 10 + right].astype(float)
            both = (x >= 0) & (y >= 0)
            assert found[left, right] == pytest.approx(np.corrcoef(x[both], y[both])[0, 1] ** 2)
    assert compute_r2(dosages) == pytest.approx(compute_cross_r2(dosages, dosages))


def test_each_bin_has_a_variant_in_ld_with_all_its_others():
    dosages, variants = draw()
    bins = bin_variants(dosages, variants)
    r2 = compute_r2(dosages)
    assert 1 < bins.max() + 1 < len(bins)
    for number in range(bins.max() + 1):
        members = np.flatnonzero(bins == number)
        assert (r2[np.ix_(members, members)] >= 0.8).all(axis=1).any()
    # The largest is as large as can be: no variant has more partners.
    assert np.bincount(bins).max() == (r2 >= 0.8).sum(axis=1).max()


def test_bins_do_not_hang_on_the_order_of_variants_nor_reach_beyond_a_chromosome():
    dosages, variants = draw()
    order = np.random.default_rng(3).permutation(len(variants))
    bins = bin_variants(dosages, variants)
    shuffled = bin_variants(dosages[:, order], variants.iloc[order].reset_index(drop=True))
    pairs = pd.DataFrame({"one": bins[order], "other": shuffled}).drop_duplicates()
    assert pairs["one"].is_unique
    assert pairs["other"].is_unique
    twice = np.concatenate([dosages, dosages], axis=1)
    places = pd.concat([variants, variants.assign(chromosome="22")], ignore_index=True)
    both = bin_variants(twice, places)
    assert not set(both[:40]) & set(both[40:])
    far = variants.assign(position=variants["position"] * 1000)
    assert len(set(bin_variants(dosages, far))) == 40
