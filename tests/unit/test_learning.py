"""Figures of learning: what is drawn is what the tables say."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.report import learning as figures
from genotransfer.report.drawing import COLOURS
from genotransfer.report.learning import Learning, draw_epochs, draw_learning, draw_learning_curves
from tests.unit.reporting import make_leaderboard, make_learning


@pytest.fixture(scope="module")
def learning():
    return make_learning(make_leaderboard())


@pytest.fixture
def drawn(monkeypatch):
    """The figures as they are saved, to be asked for their lines and words; they are saved all the same."""
    kept = []
    save = figures.save_figure
    monkeypatch.setattr(
        figures, "save_figure", lambda figure, path: (kept.append(figure), save(figure, path))[1]
    )
    return kept


def list_words(figure):
    return [text.get_text() for axes in figure.axes for text in [axes.title, axes._left_title, *axes.texts]]


def test_a_row_a_phenotype_and_the_target_beside_its_source(learning, drawn, tmp_path):
    draw_learning_curves(tmp_path / "c.png", learning.curves, ["5_1", "10_4"])
    [figure] = drawn
    assert len(figure.axes) == 2 * 4
    assert [axes.get_ylabel() for axes in figure.axes[::4]] == ["5_1", "10_4"]
    curves = learning.curves[learning.curves["phenotype"] == "10_4"]
    places = [("deep_simple", "source"), ("deep_pretrained", "source")]
    places += [("deep_finetuned", "source"), ("deep_finetuned", "target")]
    for axes, (method, trained_on) in zip(figure.axes[4:], places, strict=True):
        rows = curves[(curves["method"] == method) & (curves["trained_on"] == trained_on)]
        _, td, vd, best = axes.get_lines()
        assert td.get_ydata() == pytest.approx(rows["td_loss"])
        assert vd.get_ydata() == pytest.approx(rows["vd_loss"])
        assert vd.get_xdata() == pytest.approx(rows["epoch"])
        assert vd.get_color() == best.get_color() == COLOURS[method]
        lowest = rows.loc[rows["vd_loss"] == rows["vd_loss"].min()]
        assert best.get_xydata() == pytest.approx(lowest[["epoch", "vd_loss"]].to_numpy())
        words = axes._left_title.get_text()
        layers = int(rows["trainable_layers"].iloc[0])
        said = "SNP" if trained_on == "source" else ("top layer", "top 2 layers")[layers - 1]
        assert words.startswith(rows["model"].iloc[0])
        assert said in words


def test_many_phenotypes_go_on_pages(learning, drawn, tmp_path):
    names = [f"7_{at}" for at in range(1, 24)]
    one = learning.curves[learning.curves["phenotype"] == "5_1"]
    many = pd.concat([one.assign(phenotype=name) for name in reversed(names)])
    made = draw_learning(tmp_path, Learning(many, learning.networks, 30, 10))
    assert [path.name for _, path in made] == [
        "learning.png",
        "learning_2.png",
        "learning_3.png",
        "epochs.png",
    ]
    assert "(2 of 3)" in made[1][0]
    shown = [axes.get_ylabel() for figure in drawn[:3] for axes in figure.axes[::4]]
    assert shown == names


def test_a_phenotype_without_a_method_says_so(learning, drawn, tmp_path):
    curves = learning.curves
    lacking = curves[(curves["phenotype"] != "5_2") | (curves["method"] != "deep_pretrained")]
    draw_learning_curves(tmp_path / "c.png", lacking, ["5_1", "5_2"])
    assert list_words(drawn[0]).count("no candidate") == 1
    draw_learning_curves(tmp_path / "c.png", curves[curves["method"] == "deep_simple"], ["5_1"])
    assert len(drawn[1].axes) == 1


def test_a_loss_that_is_no_number_has_no_mark(learning, drawn, tmp_path):
    lost = learning.curves[learning.curves["method"] == "deep_simple"].assign(vd_loss=np.nan)
    draw_learning_curves(tmp_path / "c.png", lost, ["5_1"])
    *_, best = drawn[0].axes[0].get_lines()
    assert not len(best.get_xdata())


def test_epochs_are_shares_of_networks(drawn, tmp_path):
    rows = [("ann", "source", 1, 11), ("ann", "source", 3, 13), ("ann", "source", 20, 20)]
    rows += [("ann", "source", 20, 20), ("ann", "target", 4, 14)]
    networks = pd.DataFrame(rows, columns=["family", "trained_on", "best_epoch", "stopped_epoch"])
    draw_epochs(tmp_path / "e.png", networks, 20)
    source, target = drawn[0].axes
    stopped, best = (patch.get_data().values for patch in source.patches)
    assert best[[0, 1, 2, 18, 19]] == pytest.approx([25, 25, 50, 50, 100])
    assert stopped[[9, 10, 12, 18, 19]] == pytest.approx([0, 25, 50, 50, 100])
    assert source._left_title.get_text() == "4 networks, median best 11.5, 50 % ran all 20"
    assert target._left_title.get_text() == "1 network, median best 4, 0 % ran all 20"
