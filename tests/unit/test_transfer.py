"""SNP transfer and deep transfer on a signal that both populations share."""

import hashlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from genotransfer.baselines import PanelData, fit_snp_transfer, fit_without_transfer
from genotransfer.candidates import tabulate
from genotransfer.errors import InputError, StudyError
from genotransfer.models.classical import CLASSICAL
from genotransfer.models.networks import NETWORKS, count_trainable_depths
from genotransfer.models.source_models import hash_variants, load_source_models, save_source_models
from genotransfer.splits import LabelledSamples
from genotransfer.training.api import get_trainer
from genotransfer.training.jobs import TrainingSettings
from genotransfer.transfer import train_source_networks, transfer_networks

SIZES = {"source": {"TD": 300, "VD": 60, "ED": 100}, "target": {"TD": 40, "VD": 12, "ED": 200}}
SETTINGS = TrainingSettings(epochs=25, patience=6, learning_rate=3e-3)
EFFECTS = np.array([1.2, -1.0, 0.9, 0, 0, 0, 0, 0])
FIELDS = {"td_accuracy": ("target", "TD"), "vd_accuracy": ("target", "VD"), "ed_accuracy": ("target", "ED")}
FIELDS |= {"source_ed_accuracy": ("source", "ED")}


def draw(n, frequency, rng):
    dosages = rng.binomial(2, frequency, size=(n, len(EFFECTS))).astype(np.int8)
    liability = dosages @ EFFECTS + 0.4 * rng.normal(size=n)
    labels = (liability > np.median(liability)).astype(np.int8)
    dosages[rng.random(dosages.shape) < 0.02] = -1
    return LabelledSamples(dosages, labels)


def make_panel(name, seed):
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.25, 0.75, len(EFFECTS))
    splits = {
        population: {split: draw(n, frequency, rng) for split, n in sizes.items()}
        for population, sizes in SIZES.items()
    }
    variants = pd.DataFrame({"id": [f"rs{i}" for i in range(8)], "counted": "A", "other": "G"})
    return PanelData(name, variants, splits["source"], splits["target"])


PANELS = [make_panel("source_01", 1), make_panel("source_02", 2)]
CHOSEN = ["ann_1", "lstm_2"]


@pytest.fixture(scope="module")
def trainer():
    return get_trainer()


@pytest.fixture(scope="module")
def sources(trainer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "models"
    return save_source_models(folder, train_source_networks("5_1", PANELS, CHOSEN, trainer, SETTINGS, 7))


@pytest.fixture(scope="module")
def deep(trainer, sources):
    return list(transfer_networks("5_1", PANELS, sources, CHOSEN, trainer, SETTINGS, 7))


@pytest.fixture(scope="module")
def classical():
    return [
        *fit_without_transfer("5_1", PANELS, CLASSICAL, 7),
        *fit_snp_transfer("5_1", PANELS, CLASSICAL, ["target", "source"], 7),
    ]


def test_every_candidate_is_there_once(deep, classical):
    table = tabulate([one.candidate for one in [*deep, *classical]])
    assert table["key"].is_unique
    depths = sum(count_trainable_depths(name) for name in CHOSEN)
    assert Counter(table["method"]) == {
        "none": 2 * 5,
        "snp_transfer": 2 * 2 * 5,
        "deep_simple": 2 * 2,
        "deep_pretrained": 2 * 2 * 5,
        "deep_finetuned": 2 * depths,
    }
    assert {"5_1.deep_finetuned.source_02.lstm_2.5", "5_1.deep_pretrained.source_01.ann_1+svm"} <= set(
        table["key"]
    )
    assert set(table[table["method"] == "deep_simple"]["fit_on"]) == {"source"}
    assert (table["n_snps"] == 8).all()


def test_accuracies_are_those_of_the_predictors(deep, classical):
    panels = {panel.name: panel for panel in PANELS}
    for one in [*deep, *classical]:
        panel = panels[one.candidate.panel]
        predictor = one.predictor
        for field, (population, name) in FIELDS.items():
            split = getattr(panel, population)[name]
            accuracy = ((predictor.score(split.dosages) > 0.5) == split.labels).mean()
            assert getattr(one.candidate, field) == pytest.approx(accuracy, abs=1e-12), one.candidate.key


def test_knowledge_is_transferred(deep, classical):
    table = tabulate([one.candidate for one in [*deep, *classical]])
    mean = table.groupby(["method", "fit_on"])["ed_accuracy"].mean()
    assert table[table["method"] == "deep_finetuned"]["ed_accuracy"].max() > 0.8
    assert mean["deep_simple", "source"] > 0.7
    assert mean["deep_finetuned", "target"] > 0.7
    assert mean["snp_transfer", "source"] > mean["snp_transfer", "target"]
    assert table[table["method"] == "deep_simple"]["source_ed_accuracy"].min() > 0.75


def test_transfer_repeats(deep, sources, trainer):
    again = transfer_networks("5_1", PANELS, sources, CHOSEN, get_trainer(), SETTINGS, 7)
    assert [one.candidate for one in again] == [one.candidate for one in deep]


def test_fine_tuning_starts_from_the_source_and_frozen_layers_keep_it(deep, sources):
    weights = sources.read_weights("5_1", "source_01", "ann_1", PANELS[0].variants)
    kept = {
        one.candidate.key: one.predictor.model.get_weights()
        for one in deep
        if "source_01.ann_1." in one.candidate.key
    }
    for depth in (1, 2, 3):
        tuned = kept[f"5_1.deep_finetuned.source_01.ann_1.{depth}"]
        same = [np.array_equal(a, b) for a, b in zip(weights, tuned, strict=True)]
        assert same[: 6 - 2 * depth] == [True] * (6 - 2 * depth)
        assert not any(same[6 - 2 * depth :])


def test_source_models_are_kept_with_their_curves(sources):
    assert (sources.folder / "5_1" / "source_01" / "ann_1.keras").is_file()
    assert len(sources.table) == 4
    curves = sources.curves
    for row in sources.table.itertuples():
        one = curves[(curves["panel"] == row.panel) & (curves["network"] == row.network)]
        assert one["epoch"].tolist() == list(range(1, row.stopped_epoch + 1))
        assert one.set_index("epoch")["val_loss"].idxmin() == row.best_epoch
    again = load_source_models(sources.folder)
    assert again.table.equals(sources.table)


def test_a_panels_hash_is_of_its_lines():
    variants = pd.DataFrame({"id": ["rs1", "rs2"], "counted": ["A", "T"], "other": ["G", "C"], "cm": 0.0})
    due = hashlib.sha256(b"rs1\tA\tG\nrs2\tT\tC").hexdigest()
    assert hash_variants(variants) == hash_variants(variants.astype({"id": object})) == due
    assert hash_variants(variants[::-1]) != due


def test_source_models_train_from_their_own_seeds(trainer):
    both = list(train_source_networks("5_1", PANELS, ["ann_1"], trainer, SETTINGS, 7))
    [second] = train_source_networks("5_1", PANELS[1:], ["ann_1"], trainer, SETTINGS, 7)
    assert all(
        np.array_equal(a, b) for a, b in zip(both[1].trained.weights, second.trained.weights, strict=True)
    )


def test_windows_go_through(trainer, tmp_path):
    sources = save_source_models(
        tmp_path / "models",
        train_source_networks("5_1", PANELS[:1], ["gru_1"], trainer, SETTINGS, 7, window=3),
    )
    assert sources.find("5_1", "source_01", "gru_1")["window"] == 3
    fitted = list(
        transfer_networks("5_1", PANELS[:1], sources, ["gru_1"], trainer, SETTINGS, 7, classifiers=["svm"])
    )
    assert len(fitted) == 1 + 1 + 3
    for one in fitted:
        split = PANELS[0].target["ED"]
        accuracy = ((one.predictor.score(split.dosages) > 0.5) == split.labels).mean()
        assert one.candidate.ed_accuracy == pytest.approx(accuracy)


def test_methods_and_splits_can_be_left_out(sources, trainer):
    panel = PanelData("source_01", PANELS[0].variants, {"TD": PANELS[0].source["TD"]}, PANELS[0].target)
    [one] = transfer_networks(
        "5_1", [panel], sources, ["ann_1"], trainer, SETTINGS, 7, methods=["deep_simple"]
    )
    assert np.isnan(one.candidate.source_ed_accuracy)
    alone = PanelData("target_01", panel.variants, {}, panel.target)
    assert np.isnan(next(fit_without_transfer("5_1", [alone], ["svm"], 1)).candidate.source_ed_accuracy)


def test_changed_panels_and_files_are_refused(sources, trainer, tmp_path):
    swapped = PANELS[0].variants.assign(counted="G", other="A")
    with pytest.raises(InputError, match="other variants"):
        sources.read_weights("5_1", "source_01", "ann_1", swapped)
    with pytest.raises(InputError, match="no source model"):
        sources.read_weights("10_4", "source_01", "ann_1", swapped)
    one = save_source_models(
        tmp_path / "m", train_source_networks("5_1", PANELS[:1], ["ann_1"], trainer, SETTINGS, 7)
    )
    path = tmp_path / "m" / "5_1" / "source_01" / "ann_1.keras"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="sha256"):
        one.read_weights("5_1", "source_01", "ann_1", PANELS[0].variants)


def test_a_failed_training_leaves_no_folder(trainer, tmp_path):
    models = list(train_source_networks("5_1", PANELS[:1], ["ann_1"], trainer, SETTINGS, 7))
    with pytest.raises(InputError, match="Two source models"):
        save_source_models(tmp_path / "m", [*models, *models])
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_done_is_refused(sources, trainer):
    panel = PANELS[0]
    no_vd = PanelData(panel.name, panel.variants, panel.source, {k: panel.target[k] for k in ("TD", "ED")})
    with pytest.raises(StudyError, match="no target VD"):
        list(transfer_networks("5_1", [no_vd], sources, CHOSEN, trainer, SETTINGS, 7))
    with pytest.raises(StudyError, match="no form of deep transfer"):
        list(transfer_networks("5_1", PANELS, sources, CHOSEN, trainer, SETTINGS, 7, methods=["magic"]))
    with pytest.raises(StudyError, match="'elsewhere'"):
        list(fit_snp_transfer("5_1", PANELS, CLASSICAL, ["elsewhere"], 7))
    no_source = PanelData(panel.name, panel.variants, {}, panel.target)
    with pytest.raises(StudyError, match="no source TD"):
        list(train_source_networks("5_1", [no_source], CHOSEN, trainer, SETTINGS, 7))
    with pytest.raises(StudyError, match="no source TD"):
        list(fit_snp_transfer("5_1", [no_source], CLASSICAL, ["source"], 7))
    assert set(NETWORKS) >= set(CHOSEN)
