"""Association tests against closed forms and second implementations."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from genotransfer.association import TESTS, associate, read_association, write_association
from genotransfer.errors import StudyError
from genotransfer.genotypes import Genotypes


def make_genotypes(folder, dosages, chromosomes=None):
    dosages = np.asarray(dosages, dtype=np.int8)
    n, k = dosages.shape
    variants = pd.DataFrame(
        {
            "chromosome": chromosomes or ["21"] * k,
            "id": [f"v{at}" for at in range(k)],
            "cm": 0.0,
            "position": np.arange(k) * 100 + 1,
            "counted": "A",
            "other": "G",
        }
    )
    names = [f"s{at}" for at in range(n)]
    samples = pd.DataFrame(
        {"fid": names, "iid": names, "father": "0", "mother": "0", "sex": 0, "phenotype": "-9"}
    )
    return Genotypes.from_dosages(folder / "made", dosages, variants, samples)


def expand(cases, controls):
    """Turn counts of 0, 1, 2 copies into one column of dosages and the labels."""
    dosages = np.repeat([0, 1, 2, 0, 1, 2], [*cases, *controls])
    return dosages[:, None], np.repeat([1, 0], [sum(cases), sum(controls)]).astype(np.int8)


@pytest.fixture
def drawn(tmp_path):
    generator = np.random.default_rng(8)
    dosages = generator.binomial(2, generator.uniform(0.1, 0.9, 30), size=(150, 30))
    dosages[generator.random(dosages.shape) < 0.05] = -1
    labels = (dosages[:, 3] + generator.normal(size=150) > 1).astype(np.int8)
    return make_genotypes(tmp_path, dosages), labels


def test_allelic_equals_scipy_on_the_table_of_alleles(drawn):
    genotypes, labels = drawn
    ours, dosages = associate(genotypes, labels, "allelic"), genotypes.read()
    for at, row in ours.iterrows():
        table = []
        for label in (1, 0):
            called = dosages[(labels == label), at]
            called = called[called >= 0]
            table.append([called.sum(), 2 * len(called) - called.sum()])
        table = np.array(table) if row["A1"] == "A" else np.array(table)[:, ::-1]
        expected = stats.chi2_contingency(table, correction=False)
        assert row["CHISQ"] == pytest.approx(expected.statistic, rel=1e-12)
        assert row["P"] == pytest.approx(expected.pvalue, rel=1e-9)
        assert row["F_A"] == pytest.approx(table[0, 0] / table[0].sum())
        assert (row["F_A"] + row["F_U"]) / 2 < 0.6


def test_genotypic_equals_scipy(drawn):
    genotypes, labels = drawn
    ours, dosages = associate(genotypes, labels, "genotypic", minimum_cell=1), genotypes.read()
    assert ours["P"].notna().sum() > 15
    for at in np.flatnonzero(ours["P"].notna()):
        table = [
            [((dosages[:, at] == copies) & (labels == one)).sum() for copies in range(3)] for one in (1, 0)
        ]
        expected = stats.chi2_contingency(table, correction=False)
        assert ours["CHISQ"][at] == pytest.approx(expected.statistic, rel=1e-12)
        assert ours["P"][at] == pytest.approx(expected.pvalue, rel=1e-9)


def test_trend_is_n_times_the_squared_correlation(drawn):
    genotypes, labels = drawn
    ours, dosages = associate(genotypes, labels, "trend"), genotypes.read()
    for at in range(genotypes.n_variants):
        called = dosages[:, at] >= 0
        r = np.corrcoef(dosages[called, at], labels[called])[0, 1]
        assert ours["CHISQ"][at] == pytest.approx(called.sum() * r**2, rel=1e-10)


def test_fisher_equals_scipy(drawn):
    genotypes, labels = drawn
    ours, dosages = associate(genotypes, labels, "fisher"), genotypes.read()
    for at in range(genotypes.n_variants):
        groups = [dosages[(labels == one) & (dosages[:, at] >= 0), at] for one in (1, 0)]
        table = [[group.sum(), 2 * len(group) - group.sum()] for group in groups]
        assert ours["P"][at] == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)


def test_tails_keep_full_precision(tmp_path):
    dosages, labels = expand((0, 0, 500), (500, 0, 0))
    ours = associate(make_genotypes(tmp_path, dosages), labels, "trend")
    assert ours["P"][0] == pytest.approx(stats.chi2.sf(1000, 1), rel=1e-12)
    assert 0 < ours["P"][0] < 1e-200


def test_logistic_of_two_genotypes_has_a_closed_form(tmp_path):
    # 34 and 5 cases, 25 and 5 controls: the odds ratio is ad / bc, the error the root of 1/n's sum.
    dosages, labels = expand((34, 5, 0), (25, 5, 0))
    row = associate(make_genotypes(tmp_path, dosages), labels, "logistic").iloc[0]
    assert row["OR"] == pytest.approx(5 * 25 / (34 * 5), rel=1e-12)
    assert row["SE"] == pytest.approx(np.sqrt(1 / 34 + 1 / 5 + 1 / 25 + 1 / 5), rel=1e-9)
    assert pd.Series([row["L95"], row["U95"]]).tolist() == pytest.approx(
        np.exp(row["BETA"] + np.array([-1, 1]) * stats.norm.isf(0.025) * row["SE"]).tolist()
    )


def test_firth_of_a_two_by_two_table_adds_half_to_each_cell(tmp_path):
    dosages, labels = expand((38, 1, 0), (31, 0, 0))
    genotypes = make_genotypes(tmp_path, dosages)
    row = associate(genotypes, labels, "logistic").iloc[0]
    assert row["OR"] == pytest.approx((1.5 * 31.5) / (38.5 * 0.5), rel=1e-7)
    assert (row["FIRTH"], row["ERRCODE"]) == ("Y", ".")
    bare = associate(genotypes, labels, "logistic", firth=False).iloc[0]
    assert np.isnan(bare["P"])
    assert (bare["FIRTH"], bare["ERRCODE"]) == ("N", "SEPARATION")


def test_logistic_with_covariates_is_the_maximum_scipy_finds(drawn):
    genotypes, labels = drawn
    covariates = np.random.default_rng(2).normal(size=(150, 2)) * [1, 100] + [0, 3000]
    covariates[7, 0] = np.nan
    ours, dosages = associate(genotypes, labels, "logistic", covariates=covariates), genotypes.read()
    for at in (0, 3, 11):
        used = (dosages[:, at] >= 0) & ~np.isnan(covariates[:, 0])
        copies = dosages[used, at] if ours["A1"][at] == "A" else 2 - dosages[used, at]
        scaled = stats.zscore(covariates[used])
        design = np.column_stack([np.ones(used.sum()), scaled, copies])
        sign = 2.0 * labels[used] - 1

        def loss(beta, design=design, sign=sign):
            return np.logaddexp(0, -sign * (design @ beta)).sum()

        found = optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
        assert ours["BETA"][at] == pytest.approx(found.x[-1], abs=1e-5)
        fitted = 1 / (1 + np.exp(-design @ found.x))
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        assert ours["SE"][at] == pytest.approx(np.sqrt(np.linalg.inv(information)[-1, -1]), rel=1e-4)
        assert ours["NMISS"][at] == used.sum()


def test_logistic_with_a_useless_covariate_is_near_the_one_without(drawn):
    genotypes, labels = drawn
    useless = np.random.default_rng(4).normal(size=(150, 1))
    plain, adjusted = (associate(genotypes, labels, "logistic", covariates=one) for one in (None, useless))
    assert np.abs(plain["BETA"] - adjusted["BETA"]).max() < 0.2


def test_errcodes_say_why_there_is_no_fit(tmp_path):
    dosages = np.full((12, 5), 1)
    dosages[:, 1] = -1
    dosages[:, 2] = [0, 1, 2] * 2 + [-1] * 6
    dosages[:, 3] = [0, 1, 2, 1, 0, 2] * 2
    dosages[:, 4] = [0] * 6 + [2] * 6
    labels = np.repeat([1, 0], 6).astype(np.int8)
    genotypes = make_genotypes(tmp_path, dosages)
    ours = associate(genotypes, labels, "logistic", firth=False)
    assert ours["ERRCODE"].tolist() == [
        "CONST_OMITTED_ALLELE",
        "SAMPLE_CT<=PREDICTOR_CT",
        "CONST_PHENOTYPE",
        ".",
        "SEPARATION",
    ]
    assert ours["P"].notna().tolist() == [False, False, False, True, False]


def test_separation_by_covariates_falls_back_to_firth(tmp_path):
    generator = np.random.default_rng(6)
    labels = np.repeat([1, 0], 20).astype(np.int8)
    genotypes = make_genotypes(tmp_path, generator.binomial(2, 0.4, size=(40, 4)))
    parting = (labels + generator.uniform(0, 0.5, 40))[:, None]
    bare = associate(genotypes, labels, "logistic", covariates=parting, firth=False)
    assert set(bare["ERRCODE"]) == {"LOGISTIC_CONVERGE_FAIL"}
    assert bare["BETA"].isna().all()
    helped = associate(genotypes, labels, "logistic", covariates=parting)
    assert set(helped["FIRTH"]) == {"Y"}
    assert np.isfinite(helped["BETA"]).all()


def test_other_chromosomes_are_counted_and_left_out(tmp_path):
    chromosomes = ["1", "chr22", "X", "23", "MT", "0", "Y"]
    generator = np.random.default_rng(1)
    genotypes = make_genotypes(tmp_path, generator.integers(0, 3, size=(20, 7)), chromosomes)
    labels = (np.arange(20) % 2).astype(np.int8)
    with pytest.warns(UserWarning, match=r"4 variants are not tested.*23, MT, X, Y"):
        ours = associate(genotypes, labels, "allelic")
    assert ours["SNP"].tolist() == ["v0", "v1", "v5"]
    assert ours.attrs["left_out"] == 4
    with pytest.raises(StudyError, match="None of the 1 variants is on an autosome"):
        associate(genotypes.select(variants=np.array([2])), labels, "allelic")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(150), "All 150 labels are controls"),
        (np.ones(150), "All 150 labels are cases"),
        (np.ones(149), "149 labels were given for 150 samples"),
        (np.r_[np.ones(149), 2], r"1 labels are neither 1 \(case\) nor 0 \(control\), the first: 2"),
    ],
)
def test_labels_that_do_not_suit_are_refused(drawn, labels, message):
    with pytest.raises(StudyError, match=message):
        associate(drawn[0], labels.astype(np.int8), "allelic")


def test_covariates_that_do_not_suit_are_refused(drawn):
    genotypes, labels = drawn
    generator = np.random.default_rng(0)
    with pytest.raises(StudyError, match="3 rows of covariates were given for 150 samples"):
        associate(genotypes, labels, "logistic", covariates=generator.normal(size=(3, 1)))
    with pytest.raises(StudyError, match="takes no covariates"):
        associate(genotypes, labels, "trend", covariates=generator.normal(size=(150, 1)))
    with pytest.raises(StudyError, match="rank 1"):
        associate(genotypes, labels, "logistic", covariates=np.full((150, 1), 0.1))
    only_cases = np.where(labels == 1, 0.5, np.nan)[:, None]
    with pytest.raises(StudyError, match="among samples with all covariates are cases"):
        associate(genotypes, labels, "logistic", covariates=only_cases)
    with pytest.raises(StudyError, match="no association test 'wald'"):
        associate(genotypes, labels, "wald")


@pytest.mark.parametrize("suffix", [".tsv", ".parquet"])
@pytest.mark.parametrize("test", TESTS)
def test_tables_are_read_as_they_were_written(drawn, tmp_path, test, suffix):
    genotypes, labels = drawn
    table = associate(genotypes, labels, test)
    path = tmp_path / "deep" / f"table{suffix}"
    write_association(path, table)
    read = read_association(path)
    pd.testing.assert_frame_equal(read, table, check_dtype=False, rtol=0, atol=0)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    if suffix == ".tsv" and test == "genotypic":
        assert "\tNA" in path.read_text()
