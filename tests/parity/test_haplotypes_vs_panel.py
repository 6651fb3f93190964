"""Resampled genotypes against the shipped panel they come from: frequencies, LD, Fst, disease."""

import numpy as np
import pytest

from genotransfer.simulation.haplotypes import (
    DEFAULT_NE,
    DiseaseLocus,
    compute_default_theta,
    copy_haplotypes,
    simulate_genotypes,
)
from genotransfer.simulation.panel import load_shipped_panel

N = 120
FLIP = compute_default_theta(N) / (2 * (N + compute_default_theta(N)))


@pytest.fixture(scope="module")
def shipped():
    return {population: load_shipped_panel(population) for population in DEFAULT_NE}


@pytest.fixture(scope="module")
def regions(shipped):
    """4 Mb of each population, and 2,000 copied haplotypes of it."""
    made = {}
    for population, panel in shipped.items():
        part = panel.select_variants(panel.variants["position"].between(25_000_000, 29_000_000).to_numpy())
        copies = copy_haplotypes(
            part, 2_000, ne=DEFAULT_NE[population], theta=None, generator=np.random.default_rng(21)
        )
        made[population] = part, copies
    return made


def compute_fst(first, second):
    """Hudson's Fst, ratio of averages (Bhatia et al. 2013, Genome Res 23:1514), from dosages."""
    n1, n2 = 2 * len(first), 2 * len(second)
    p1, p2 = first.mean(axis=0) / 2, second.mean(axis=0) / 2
    between = (p1 - p2) ** 2 - p1 * (1 - p1) / (n1 - 1) - p2 * (1 - p2) / (n2 - 1)
    return between.sum() / (p1 * (1 - p2) + p2 * (1 - p1)).sum()


def is_common(dosages):
    frequencies = dosages.mean(axis=0) / 2
    return np.minimum(frequencies, 1 - frequencies) >= 0.01


def draw_pairs(panel, n_pairs, furthest, generator, min_maf=0.05):
    """Return pairs of common variants up to `furthest` bp apart, and their distances."""
    frequencies = panel.frequencies
    common = np.flatnonzero(np.minimum(frequencies, 1 - frequencies) >= min_maf)
    positions = panel.variants["position"].to_numpy()
    left = generator.choice(common, size=n_pairs)
    due = positions[left] + generator.uniform(0, furthest, size=n_pairs)
    right = common[np.minimum(np.searchsorted(positions[common], due), len(common) - 1)]
    kept = right > left
    left, right = left[kept], right[kept]
    return left, right, positions[right] - positions[left]


def compute_covariance(haplotypes, left, right):
    means = haplotypes.mean(axis=0)
    n = len(haplotypes)
    joint = np.array([np.dot(haplotypes[:, i], haplotypes[:, j]) for i, j in zip(left, right, strict=True)])
    return joint / n - means[left] * means[right], means


@pytest.mark.parametrize("population", ["CEU", "YRI"])
def test_allele_frequencies_are_the_panels(regions, population):
    """2,000 haplotypes; at 200 the correlation is .996."""
    panel, copies = regions[population]
    expected = panel.frequencies * (1 - 2 * FLIP) + FLIP
    observed = copies.mean(axis=0)
    assert np.corrcoef(expected, observed)[0, 1] > 0.999
    z = (observed - expected) / np.sqrt(expected * (1 - expected) / len(copies))
    assert abs(z.mean()) < 0.5  # neighbours are correlated, so z has few degrees of freedom
    assert 0.8 < z.std() < 1.2


@pytest.mark.parametrize("population", ["CEU", "YRI"])
def test_ld_decays_as_the_model_says(regions, population):
    """Covariance between sites in copies is the panel's times exp(-4 Ne r / n) (1 - 2 flip)^2, exactly."""
    panel, copies = regions[population]
    left, right, distances = draw_pairs(panel, 6_000, 200_000, np.random.default_rng(22))
    cm = panel.variants["cm"].to_numpy()
    stay = np.exp(-4 * DEFAULT_NE[population] * (cm[right] - cm[left]) / 100 / N)
    in_panel, means = compute_covariance(panel.haplotypes.astype(np.float32), left, right)
    in_copies, copied_means = compute_covariance(copies.astype(np.float32), left, right)
    predicted = in_panel * stay * (1 - 2 * FLIP) ** 2

    for low, high in ((0, 10_000), (10_000, 50_000), (50_000, 200_000)):
        inside = (distances >= low) & (distances < high)
        slope = (predicted[inside] @ in_copies[inside]) / (predicted[inside] @ predicted[inside])
        assert slope == pytest.approx(1, abs=0.05), (low, high)

    r2_panel = in_panel**2 / (means * (1 - means))[left] / (means * (1 - means))[right]
    spread = copied_means * (1 - copied_means)
    r2_copies = in_copies**2 / spread[left] / spread[right]
    for low, high in ((0, 5_000), (5_000, 10_000), (10_000, 20_000), (20_000, 50_000), (50_000, 200_000)):
        inside = (distances >= low) & (distances < high)
        assert r2_copies[inside].mean() == pytest.approx(r2_panel[inside].mean(), abs=0.035), (low, high)


def test_populations_differ_as_in_the_panel(shipped):
    """Hudson's Fst over common variants is near .15, as between the real CEU and YRI (.159 in HapMap).

    Every tenth variant: 1,000 CEU and 100 YRI, the paper's sizes.
    """
    thinned = {
        name: panel.select_variants(np.arange(0, panel.n_variants, 10)) for name, panel in shipped.items()
    }
    drawn = {
        name: simulate_genotypes(panel, n, generator=np.random.default_rng(23)).dosages
        for (name, panel), n in zip(thinned.items(), (1_000, 100), strict=True)
    }
    common = is_common(drawn["CEU"]) & is_common(drawn["YRI"])
    assert common.sum() == pytest.approx(6_160, rel=0.03)  # a tenth of the whole: paper 62,283
    assert is_common(drawn["CEU"]).sum() == pytest.approx(8_500, rel=0.03)
    assert is_common(drawn["YRI"]).sum() == pytest.approx(13_650, rel=0.03)
    observed = compute_fst(drawn["CEU"][:, common], drawn["YRI"][:, common])
    assert observed == pytest.approx(0.15, abs=0.015)
    panels = [thinned[name].haplotypes.reshape(60, 2, -1).sum(axis=1)[:, common] for name in drawn]
    assert observed == pytest.approx(compute_fst(*panels), abs=0.015)


def test_cases_carry_the_risk_alleles_neighbours_as_ld_says(regions):
    """Mean dosage of cases at each variant against its closed form, and back to the panel's far away.

    The locus' state is drawn in proportion to the mean risk of its copies; a variant at switch
    distance d copies the same state with probability exp(-d), else any.
    """
    panel, _ = regions["CEU"]
    n_cases, het, hom = 1_500, 3.0, 9.0
    frequencies = panel.frequencies
    positions = panel.variants["position"].to_numpy()
    locus = int(np.argmin(abs(frequencies - 0.25) + abs(positions - 27_000_000) / 1e6))
    cases = simulate_genotypes(
        panel,
        n_cases,
        generator=np.random.default_rng(24),
        disease=[DiseaseLocus(int(positions[locus]), 1, het, hom)],
        n_cases=n_cases,
    ).dosages

    carries = panel.haplotypes[:, locus]
    p_risk = np.where(carries == 1, 1 - FLIP, FLIP)
    mean_risk = p_risk.mean()
    # risk of a copy of each state when its partner is any haplotype
    risk = (1 - p_risk) * (1 - mean_risk + mean_risk * het) + p_risk * (
        (1 - mean_risk) * het + mean_risk * hom
    )
    chosen = risk / risk.sum()
    cm = panel.variants["cm"].to_numpy()
    stay = np.exp(-4 * DEFAULT_NE["CEU"] * abs(cm - cm[locus]) / 100 / N)
    copied = stay * (chosen @ panel.haplotypes) + (1 - stay) * frequencies
    expected = 2 * (copied * (1 - 2 * FLIP) + FLIP)
    odds = p_risk.mean()
    genotype = np.array([(1 - odds) ** 2, 2 * odds * (1 - odds) * het, odds**2 * hom])
    expected[locus] = genotype @ [0, 1, 2] / genotype.sum()

    errors = (cases.mean(axis=0) - expected) / np.sqrt(
        np.maximum(expected * (1 - expected / 2), 1e-3) / n_cases
    )
    usual = np.minimum(frequencies, 1 - frequencies) >= 0.02
    assert abs(errors[locus]) < 3.5
    assert errors[usual].std() < 1.3
    assert np.mean(abs(errors[usual]) < 2) > 0.9
    near = usual & (abs(positions - positions[locus]) < 20_000)
    far = usual & (stay < 0.01)
    shift = abs(cases.mean(axis=0) - 2 * frequencies)
    assert shift[near].mean() > 4 * shift[far].mean()
