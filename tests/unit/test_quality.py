"""Quality control's filters, each on data that break one rule."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import StudyError
from genotransfer.exact import hardy_weinberg_exact
from genotransfer.quality import QualitySettings, compute_maf, control_quality
from tests.unit.test_association import make_genotypes

LOOSE = QualitySettings(
    autosomes_only=False,
    bases_only=False,
    unique_variants=False,
    sample_call_rate=0.0,
    variant_call_rate=0.0,
    maf=0.0,
    hwe_p=0.0,
)


def change(genotypes, **columns):
    """Give some variants other table entries: change(g, chromosome={3: "X"})."""
    variants = genotypes.variants.copy()
    for column, entries in columns.items():
        for at, value in entries.items():
            variants.loc[at, column] = value
    return type(genotypes)(**{**vars(genotypes), "variants": variants})


def look_up(report):
    return dict(zip(report["step"], report["removed"], strict=True))


@pytest.fixture
def clean(tmp_path):
    generator = np.random.default_rng(3)
    return make_genotypes(tmp_path, generator.binomial(2, 0.4, size=(200, 12)))


def test_clean_genotypes_pass_whole(clean):
    kept, report = control_quality(clean)
    pd.testing.assert_frame_equal(kept.variants, clean.variants)
    assert report["removed"].sum() == 0
    assert list(report) == ["step", "unit", "removed", "left"]
    assert report["left"].tolist() == [12, 12, 12, 12, 200, 12, 12, 12, 12]


def test_tables_alone_condemn_variants(clean):
    broken = change(
        clean,
        chromosome={0: "X", 1: "MT"},
        counted={2: "0", 3: "<DEL>", 4: "G", 5: "g", 6: "AT"},
        other={5: "a"},
        position={7: 601, 5: 501, 9: 801, 10: 801},
        id={11: "v2"},
    )
    broken = change(broken, counted={9: "G", 10: "C"}, other={9: "A"})
    kept, report = control_quality(broken)
    removed = look_up(report)
    assert removed["not on an autosome"] == 2
    assert removed["missing or invalid allele"] == 3  # 0, <DEL>, and G against G
    assert removed["duplicate id"] == 0  # v2 has gone for its allele
    # 9 stands where 8 does, its alleles the other way round; 10 there too, but it is another variant.
    assert removed["duplicate variant"] == 1
    assert kept.variants["position"].tolist() == [501, 601, 601, 801, 801, 1101]


def test_doubled_ids_keep_the_first(clean):
    kept, report = control_quality(change(clean, id={4: "v1", 6: "v1"}))
    assert look_up(report)["duplicate id"] == 2
    assert kept.n_variants == 10
    assert kept.variants["id"].is_unique


def test_call_rates_are_of_what_is_left(tmp_path):
    dosages = np.random.default_rng(0).binomial(2, 0.5, size=(100, 40))
    dosages[5, :3] = -1  # 37 of 40: below .95
    dosages[:5, 0] = -1  # 95 of 100, and 94 of the 99 left: below .95 once sample 5 has gone
    dosages[10:15, 1] = -1  # 94 of 99 left likewise
    dosages[10:14, 2] = -1
    kept, report = control_quality(make_genotypes(tmp_path, dosages))
    removed = look_up(report)
    assert removed["sample call rate"] == 1
    assert removed["variant call rate"] == 2
    assert "s5" not in set(kept.samples["iid"])
    assert set(kept.variants["id"]).isdisjoint({"v0", "v1"})


def test_a_rate_at_the_threshold_passes(tmp_path):
    dosages = np.random.default_rng(0).binomial(2, 0.5, size=(100, 40))
    dosages[7, :2] = -1  # 38 of 40 is .95
    dosages[20:25, 9] = -1  # 95 of 100
    dosages[:, 11] = 0
    dosages[:2, 11] = 1  # MAF .01
    _, report = control_quality(make_genotypes(tmp_path, dosages))
    assert report["removed"].sum() == 0


def test_monomorphic_and_rare_variants_go_apart(tmp_path):
    dosages = np.random.default_rng(0).binomial(2, 0.5, size=(200, 6))
    dosages[:, 1], dosages[:, 2], dosages[:, 3] = 0, 2, 2
    dosages[0, 3] = 1
    _, report = control_quality(make_genotypes(tmp_path, dosages))
    assert look_up(report)["monomorphic"] == 2
    assert look_up(report)["minor allele frequency"] == 1


def test_hardy_weinberg_looks_at_controls(tmp_path):
    dosages = np.random.default_rng(0).binomial(2, 0.5, size=(200, 4))
    labels = np.repeat([1, 0], 100).astype(np.int8)
    dosages[:100, 1] = 1  # cases all heterozygous
    dosages[100:, 2] = 1  # controls all heterozygous
    genotypes = make_genotypes(tmp_path, dosages)
    kept, report = control_quality(genotypes, labels)
    assert look_up(report)["Hardy-Weinberg in controls"] == 1
    assert kept.variants["id"].tolist() == ["v0", "v1", "v3"]
    everybody, _ = control_quality(genotypes)
    assert everybody.variants["id"].tolist() == ["v0", "v3"]


def test_loose_settings_remove_variants_of_one_allele_only(tmp_path):
    dosages = np.full((10, 3), -1)
    dosages[:, 1] = 2
    dosages[4, 2] = 1
    kept, report = control_quality(make_genotypes(tmp_path, dosages, ["X", "1", "Y"]), None, LOOSE)
    assert look_up(report) == {
        "duplicate id": 0,
        "sample call rate": 0,
        "variant call rate": 0,
        "monomorphic": 2,
        "minor allele frequency": 0,
    }
    assert kept.variants["id"].tolist() == ["v2"]


def test_a_step_that_leaves_nothing_is_named(tmp_path):
    dosages = np.random.default_rng(0).binomial(2, 0.02, size=(100, 5))
    dosages[0] = 1
    dosages[:, 0] = -1
    genotypes = make_genotypes(tmp_path, dosages)
    settings = QualitySettings(maf=0.3, sample_call_rate=0.0)
    with pytest.raises(
        StudyError,
        match=r"left no variants: the step 'minor allele frequency' removed all 4 there were \(before it, "
        r"variant call rate removed 1 variants\)",
    ):
        control_quality(genotypes, None, settings)
    with pytest.raises(StudyError, match="left no samples: the step 'sample call rate' removed all 100"):
        control_quality(genotypes, None, QualitySettings(sample_call_rate=1.0))


def test_no_controls_are_refused(clean):
    with pytest.raises(StudyError, match="No control is among the 200 samples left"):
        control_quality(clean, np.ones(200, dtype=np.int8))
    with pytest.raises(StudyError, match="7 labels were given for 200 samples"):
        control_quality(clean, np.ones(7, dtype=np.int8))


@pytest.mark.parametrize("settings", [{"maf": 0.6}, {"hwe_p": -1.0}, {"sample_call_rate": 95.0}])
def test_thresholds_out_of_range_are_refused(settings):
    with pytest.raises(StudyError, match=next(iter(settings))):
        QualitySettings(**settings)


def test_maf_is_of_called_alleles():
    counts = np.array([[90, 10, 0], [0, 10, 90], [0, 0, 0], [25, 50, 25]])
    np.testing.assert_allclose(compute_maf(counts), [0.05, 0.05, 0, 0.5])


def test_hardy_weinberg_by_hand():
    # 2 copies among 4 people: 2 heterozygotes (24 ways) or 1 homozygote (4 ways) of 28.
    np.testing.assert_allclose(hardy_weinberg_exact(np.array([[2, 2, 0], [3, 0, 1]])), [1, 4 / 28])
