"""Figures: the numbers in them, the same bytes twice, and errors when there is nothing to draw."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genotransfer.association import associate
from genotransfer.errors import InputError, StudyError
from genotransfer.plots import (
    Track,
    compute_lambda_gc,
    compute_r2,
    draw_importance,
    draw_ld,
    draw_manhattan,
    draw_qq,
)
from genotransfer.plots.association import order_along_genome
from genotransfer.plots.canvas import to_heights
from genotransfer.plots.ld import take_neighbours
from tests.unit.test_association import make_genotypes

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def study(tmp_path):
    generator = np.random.default_rng(5)
    dosages = generator.binomial(2, 0.4, size=(80, 60))
    dosages[generator.random(dosages.shape) < 0.03] = -1
    genotypes = make_genotypes(tmp_path, dosages, ["2"] * 20 + ["10"] * 20 + ["1"] * 20)
    labels = (generator.random(80) < 0.5).astype(np.int8)
    table = associate(genotypes, labels, "allelic")
    table.loc[3, "P"] = 0.0
    table.loc[4, "P"] = np.nan
    return genotypes, table


def test_figures_are_the_same_bytes_twice(study, tmp_path):
    genotypes, table = study
    for name, draw in {
        "manhattan": lambda path: draw_manhattan(
            table, path, title="CEU_5_1", risk_ids=["v3", "v30", "gone"]
        ),
        "single": lambda path: draw_manhattan(table[:20], path, thresholds=[0.01]),
        "qq": lambda path: draw_qq(table, path, title="CEU_5_1"),
        "ld": lambda path: draw_ld(genotypes, path, table=table, risk_ids=["v3"], title="CEU_5_1"),
        "bare": lambda path: draw_ld(genotypes, path, centre="v45", n_variants=8),
    }.items():
        first, second = (draw(tmp_path / f"{name}_{turn}.png").read_bytes() for turn in (1, 2))
        assert first.startswith(PNG), name
        assert first == second, name
        assert len(first) > 5000, name


def test_figures_differ_with_the_data(study, tmp_path):
    _, table = study
    one = draw_qq(table, tmp_path / "one.png").read_bytes()
    assert one != draw_qq(table.assign(P=table["P"] / 2), tmp_path / "two.png").read_bytes()


def test_drawing_leaves_pyplot_alone(study, tmp_path):
    import subprocess
    import sys

    study[1].to_parquet(tmp_path / "table.parquet")
    code = (
        "import sys, pandas as pd\n"
        "import genotransfer.plots as plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        f"plots.draw_qq(pd.read_parquet({str(tmp_path / 'table.parquet')!r}), {str(tmp_path / 'qq.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "qq.png").read_bytes().startswith(PNG)


def test_nothing_to_draw_is_said(study, tmp_path):
    genotypes, table = study
    blank = table.assign(P=np.nan)
    for draw in (draw_manhattan, draw_qq):
        with pytest.raises(StudyError, match="none of 60 variants has one"):
            draw(blank, tmp_path / "none.png")
    with pytest.raises(StudyError, match="none of 60 variants has one"):
        draw_ld(genotypes, tmp_path / "none.png", table=blank)
    with pytest.raises(StudyError, match="about v0 has 1 variant"):
        draw_ld(genotypes.select(variants=np.array([0, 30])), tmp_path / "none.png")
    with pytest.raises(InputError, match="elsewhere"):
        draw_ld(genotypes, tmp_path / "none.png", centre="elsewhere")
    assert not list(tmp_path.glob("none.png"))


def test_chromosomes_follow_their_numbers(study):
    ordered = order_along_genome(study[1])
    assert list(dict.fromkeys(ordered["CHR"])) == ["1", "2", "10"]
    assert ordered.groupby("CHR", sort=False)["BP"].agg(lambda bp: bp.is_monotonic_increasing).all()


def test_zero_p_values_stand_above_the_others():
    height, clipped = to_heights(np.array([1e-30, 0.0, 1.0]))
    np.testing.assert_allclose(height, [30, 33, 0])
    assert clipped.tolist() == [False, True, False]


def test_lambda_is_one_for_the_null_and_grows_with_the_statistic():
    uniform = (np.arange(10_001) + 0.5) / 10_001
    assert compute_lambda_gc(uniform) == pytest.approx(1)
    inflated = stats.chi2.sf(1.3 * stats.chi2.isf(uniform, 1), 1)
    assert compute_lambda_gc(inflated) == pytest.approx(1.3)


def test_r2_is_of_samples_called_at_both():
    dosages = np.random.default_rng(1).integers(-1, 3, size=(50, 6)).astype(np.int8)
    dosages[:, 5] = 1
    r2 = compute_r2(dosages)
    for i in range(5):
        for j in range(5):
            both = (dosages[:, i] >= 0) & (dosages[:, j] >= 0)
            expected = np.corrcoef(dosages[both, i], dosages[both, j])[0, 1] ** 2
            assert r2[i, j] == pytest.approx(expected, rel=1e-12)
    assert np.isnan(r2[5]).all()


def test_neighbours_stay_on_the_chromosome(study):
    genotypes, _ = study
    assert take_neighbours(genotypes, 30, 8).tolist() == list(range(26, 34))
    assert take_neighbours(genotypes, 21, 8).tolist() == list(range(20, 28))
    assert take_neighbours(genotypes, 39, 8).tolist() == list(range(32, 40))
    assert take_neighbours(genotypes, 5, 200).tolist() == list(range(20))


def test_table_without_the_column_ids_is_as_good(study, tmp_path):
    genotypes, table = study
    shuffled = pd.DataFrame({"SNP": table["SNP"], "P": table["P"]}).sample(frac=1, random_state=1)
    one = draw_ld(genotypes, tmp_path / "one.png", table=table).read_bytes()
    assert one == draw_ld(genotypes, tmp_path / "two.png", table=shuffled).read_bytes()


def test_importance_is_drawn_on_the_axis_of_the_association(study, tmp_path):
    _, table = study
    told = pd.DataFrame({"id": ["v3", "v30", "gone"], "share": [0.7, 0.3, 0.0]})
    tracks = [Track("one", told), Track("another", told[:0])]
    first, second, other = (
        draw_importance(table, given, tmp_path / f"{name}.png", risk_ids=["v3"]).read_bytes()
        for name, given in (("first", tracks), ("second", tracks), ("other", tracks[:1]))
    )
    assert first.startswith(PNG)
    assert first == second != other
    with pytest.raises(StudyError, match="no p-value"):
        draw_importance(table.assign(P=np.nan), tracks, tmp_path / "none.png")
