"""Learning curves on file: every network's, once, and the way from a candidate to them."""

import numpy as np
import pandas as pd
import pytest

from genotransfer.baselines import PanelData, fit_without_transfer
from genotransfer.errors import InputError
from genotransfer.models.networks import count_trainable_depths
from genotransfer.models.source_models import save_source_models
from genotransfer.splits import LabelledSamples
from genotransfer.stages.curves import CURVES, KEYS, CurveBook, Curves, read_curves
from genotransfer.stages.models import keep_best
from genotransfer.training.api import get_trainer
from genotransfer.training.jobs import CURVE_COLUMNS, TrainingSettings
from genotransfer.transfer import train_source_networks, transfer_networks

SETTINGS = TrainingSettings(epochs=12, patience=3, learning_rate=0.02)
NETWORKS = ["ann_1", "gru_1"]
CLASSIFIERS = ["svm", "cart"]


def draw(n, rng):
    dosages = rng.integers(-1, 3, size=(n, 6)).astype(np.int8)
    return LabelledSamples(dosages, (dosages[:, 0] + rng.normal(size=n) > 0.6).astype(np.int8))


def make_panel(name, seed):
    rng = np.random.default_rng(seed)
    variants = pd.DataFrame({"id": [f"rs{at}" for at in range(6)], "counted": "A", "other": "G"})
    source, target = ({"TD": draw(n, rng), "VD": draw(20, rng), "ED": draw(20, rng)} for n in (120, 40))
    return PanelData(name, variants, source, target)


PANELS = [make_panel("source_01", 1), make_panel("source_02", 2)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of models with the sources, the fitted candidates and the networks as they were trained."""
    trainer, trained, heard = get_trainer(), [], []
    folder = tmp_path_factory.mktemp("curves")
    networks = train_source_networks("5_1", PANELS, NETWORKS, trainer, SETTINGS, 7, progress=trained.append)
    sources = save_source_models(folder / "sources", networks)
    fitted = list(
        transfer_networks(
            "5_1",
            PANELS,
            sources,
            NETWORKS,
            trainer,
            SETTINGS,
            7,
            classifiers=CLASSIFIERS,
            progress=trained.append,
        )
    )
    keep_best(fitted, folder / "board.parquet", folder / "models", heard.append, CurveBook(sources.curves))
    assert heard == fitted
    return folder / "models", sources, fitted, trained


def test_each_network_has_its_curve_once(made):
    folder, sources, fitted, trained = made
    tuned = [one for one in fitted if one.curve is not None]
    assert len(tuned) == 2 * sum(count_trainable_depths(name) for name in NETWORKS)
    points = pd.read_parquet(folder / CURVES)
    assert list(points) == ["key", *CURVE_COLUMNS]
    assert points["key"].dtype == "category"
    assert [str(points[name].dtype) for name in CURVE_COLUMNS] == ["int32", *["float32"] * 4]
    assert not points.duplicated(["key", "epoch"]).any()
    due = {f"5_1.source.{row.panel}.{row.network}" for row in sources.table.itertuples()}
    assert set(points["key"]) == due | {one.candidate.key for one in tuned}
    assert len(points) == sum(len(one.curve) for one in trained)
    for one in tuned:  # single precision loses nothing: the trainer's numbers are single
        mine = points[points["key"] == one.candidate.key]
        assert np.array_equal(mine[CURVE_COLUMNS].to_numpy(), one.curve.to_numpy())


def test_a_candidate_leads_to_its_curve_and_its_sources(made):
    folder, sources, fitted, _ = made
    curves = read_curves([folder, folder.parent / "sources"])
    assert pd.read_parquet(folder / KEYS)["key"].tolist() == [one.candidate.key for one in fitted]
    for one in fitted:
        of = one.candidate
        theirs = sources.curves[
            (sources.curves["panel"] == of.panel) & (sources.curves["network"] == of.model.split("+")[0])
        ]
        keys = pd.Series([of.key])
        before = curves.take(keys, "source_curve")
        assert np.array_equal(before[CURVE_COLUMNS].to_numpy(), theirs[CURVE_COLUMNS].to_numpy())
        mine = theirs if one.curve is None else one.curve
        assert np.array_equal(curves.take(keys)[CURVE_COLUMNS].to_numpy(), mine[CURVE_COLUMNS].to_numpy())
        assert set(before["key"]) == {of.key}
    both = curves.take(pd.Series([one.candidate.key for one in fitted[:2]]))
    assert list(both) == ["key", *CURVE_COLUMNS]
    assert both["key"].nunique() == 2


def test_epochs_are_those_of_training(made):
    folder, _, _, trained = made
    found = read_curves([folder]).measure_epochs().set_index("key")
    assert len(found) == len(trained)
    for one in trained:
        phenotype, panel, *rest = one.key.split(".")
        method = "deep_finetuned" if len(rest) == 2 else "source"
        row = found.loc[".".join([phenotype, method, panel, *rest])]
        assert tuple(row) == (one.best_epoch, one.stopped_epoch)


def test_a_first_epoch_counts_though_its_loss_is_no_number():
    points = pd.DataFrame(
        {"key": list("aaabb"), "epoch": [3, 1, 2, 1, 2], "val_loss": [0.5, np.nan, 0.5, *[np.nan] * 2]}
    )
    found = Curves(points, pd.DataFrame()).measure_epochs()
    assert found.to_dict("list") == {"key": ["a", "b"], "best_epoch": [2, 1], "stopped_epoch": [3, 2]}


def test_models_without_networks_have_no_curves(tmp_path):
    fitted = list(fit_without_transfer("5_1", PANELS, ["cart"], 1))
    keep_best(fitted, tmp_path / "board.parquet", tmp_path / "models", lambda _: None)
    assert not (tmp_path / "models" / CURVES).exists()
    curves = read_curves([tmp_path / "models"])
    assert curves.take(pd.Series([fitted[0].candidate.key])).empty
    assert curves.measure_epochs().empty


def test_a_source_network_without_a_curve_is_named(made, tmp_path):
    _, sources, fitted, _ = made
    book = CurveBook(sources.curves.query("panel != 'source_02' or network != 'gru_1'"))
    for one in fitted:
        book.add(one)
    with pytest.raises(InputError, match=r"no learning curve of 5_1\.source\.source_02\.gru_1"):
        book.write(tmp_path)
    assert not list(tmp_path.iterdir())
