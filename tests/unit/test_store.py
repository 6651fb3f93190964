"""Saving and loading predictors: the same scores, no pickles, nothing half-written or changed unseen."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.neighbors import KNeighborsClassifier

from genotransfer.errors import AlignmentError, InputError
from genotransfer.models.archives import TRUSTED_TYPES, hash_file, write_keras
from genotransfer.models.classical import CLASSICAL, fit_classifier
from genotransfer.models.networks import NETWORKS, build_network, last_hidden_model
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import (
    ClassicalPredictor,
    FeaturePredictor,
    NetworkPredictor,
    load_predictor,
    save_predictor,
)

RNG = np.random.default_rng(1)
DOSAGES = RNG.integers(-1, 3, size=(70, 9)).astype(np.int8)
LABELS = (DOSAGES[:, 0] + RNG.normal(size=70) > 0.5).astype(np.int8)
STANDARDISER = Standardiser.fit(DOSAGES)
VALUES = STANDARDISER.transform(DOSAGES)
VARIANTS = pd.DataFrame(
    {"id": [f"rs{i}" for i in range(9)], "counted": list("ACGTACGTA"), "other": list("CGTACGTAC")}
)


def make_classical(name="svm"):
    return ClassicalPredictor(VARIANTS, STANDARDISER, name, fit_classifier(name, VALUES, LABELS, 3))


def make_network(name="ann_1", window=None):
    return NetworkPredictor(
        VARIANTS, STANDARDISER, name, window, build_network(name, 9, window=window, seed=2)
    )


def make_feature(name="svm", network="gru_1"):
    model = build_network(network, 9, seed=2)
    features = np.asarray(last_hidden_model(model)(VALUES))
    return FeaturePredictor(
        VARIANTS, STANDARDISER, network, None, model, name, fit_classifier(name, features, LABELS, 3)
    )


ALL = [
    *[(f"classical-{name}", lambda name=name: make_classical(name)) for name in CLASSICAL],
    *[(f"network-{name}", lambda name=name: make_network(name)) for name in NETWORKS],
    ("network-window", lambda: make_network("bilstm_1", window=4)),
    *[(f"feature-{name}", lambda name=name: make_feature(name)) for name in CLASSICAL],
]


@pytest.mark.parametrize("make", [make for _, make in ALL], ids=[name for name, _ in ALL])
def test_a_round_trip_gives_the_same_predictor(make, tmp_path):
    saved = make()
    save_predictor(tmp_path / "best", saved)
    loaded = load_predictor(tmp_path / "best")
    assert type(loaded) is type(saved)
    assert np.array_equal(loaded.score(DOSAGES), saved.score(DOSAGES))
    assert loaded.score(DOSAGES).dtype == np.float64
    assert loaded.score(DOSAGES[:0]).shape == (0,)
    assert loaded.variants.equals(VARIANTS)
    assert np.array_equal(loaded.standardiser.mean, STANDARDISER.mean)
    assert np.array_equal(loaded.standardiser.sd, STANDARDISER.sd)
    for name in ("network", "window", "classifier"):
        assert getattr(loaded, name, None) == getattr(saved, name, None)
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    with pytest.raises(AlignmentError):
        loaded.score(DOSAGES[:, :5])


def test_a_network_scores_its_own_probabilities():
    predictor = make_network("lstm_2")
    assert np.allclose(predictor.score(DOSAGES), np.asarray(predictor.model(VALUES))[:, 1], atol=1e-6)


def test_many_samples_are_scored_in_parts_alike():
    predictor = make_classical()
    many = np.tile(DOSAGES, (40, 1))
    assert np.array_equal(predictor.score(many), np.tile(predictor.score(DOSAGES), 40))


def test_a_clean_process_predicts_the_same(tmp_path):
    made = {
        "classical": make_classical("rus"),
        "network": make_network("bilstm_2"),
        "feature": make_feature("forest"),
    }
    for name, predictor in made.items():
        save_predictor(tmp_path / name, predictor)
    np.save(tmp_path / "dosages.npy", DOSAGES)
    program = (
        "import sys, numpy as np\n"
        "from genotransfer.models.store import load_predictor\n"
        "d = np.load(sys.argv[1] + '/dosages.npy')\n"
        "s = {k: load_predictor(f'{sys.argv[1]}/{k}').score(d) for k in sys.argv[2:]}\n"
        "np.savez(sys.argv[1] + '/scores.npz', **s)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), *made], check=True, capture_output=True)
    scores = np.load(tmp_path / "scores.npz")
    for name, predictor in made.items():
        assert np.allclose(scores[name], predictor.score(DOSAGES), atol=1e-6)


def test_saving_again_replaces_and_foreign_folders_are_left_alone(tmp_path):
    save_predictor(tmp_path / "best", make_feature())
    save_predictor(tmp_path / "best", make_classical())
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "classifier.skops",
        "predictor.json",
    ]
    (tmp_path / "empty").mkdir()
    save_predictor(tmp_path / "empty", make_classical())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="something other"):
        save_predictor(tmp_path / "mine", make_classical())
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_failed_save_leaves_the_old_predictor(tmp_path):
    save_predictor(tmp_path / "best", make_classical())
    before = hash_file(tmp_path / "best" / "predictor.json")
    stranger = KNeighborsClassifier().fit(VALUES, LABELS)
    stranger.extra_ = io.StringIO  # a type nobody trusts
    with pytest.raises(InputError, match="not trusted"):
        save_predictor(tmp_path / "best", ClassicalPredictor(VARIANTS, STANDARDISER, "svm", stranger))
    assert hash_file(tmp_path / "best" / "predictor.json") == before
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


@pytest.mark.parametrize("file", ["network.keras", "classifier.skops"])
def test_a_changed_or_absent_file_is_refused(file, tmp_path):
    save_predictor(tmp_path / "best", make_feature())
    path = tmp_path / "best" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="sha256"):
        load_predictor(tmp_path / "best")
    path.unlink()
    with pytest.raises(InputError, match="absent"):
        load_predictor(tmp_path / "best")


def sign(folder, file):
    """Write the hash of a planted file into the manifest, as an attacker would."""
    manifest = json.loads((folder / "predictor.json").read_text())
    manifest["sha256"][file] = hash_file(folder / file)
    (folder / "predictor.json").write_text(json.dumps(manifest))


def test_planted_types_are_refused_even_with_the_right_hash(tmp_path):
    folder = tmp_path / "best"
    save_predictor(folder, make_classical())
    skops.io.dump({"run": subprocess.Popen}, folder / "classifier.skops")
    sign(folder, "classifier.skops")
    with pytest.raises(InputError, match=r"not trusted: subprocess\.Popen"):
        load_predictor(folder)
    (folder / "classifier.skops").write_bytes(b"\x80\x04not a zip")
    sign(folder, "classifier.skops")
    with pytest.raises(InputError, match="skops cannot read"):
        load_predictor(folder)


def test_planted_code_in_a_keras_file_is_refused(tmp_path):
    import keras

    folder = tmp_path / "best"
    save_predictor(folder, make_network())
    dosages = keras.Input((9,))
    logits = keras.layers.Dense(2, name="logits")(keras.layers.Lambda(lambda x: x * 2)(dosages))
    write_keras(keras.Model(dosages, logits), folder / "network.keras")
    sign(folder, "network.keras")
    with pytest.raises(InputError, match="Keras cannot read"):
        load_predictor(folder)
    write_keras(build_network("ann_1", 8, seed=1), folder / "network.keras")
    sign(folder, "network.keras")
    with pytest.raises(InputError, match="reads 8 variants"):
        load_predictor(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "format_version is 99"),
        ({"kind": "oracle"}, "'oracle' is no kind"),
        ({"mean": [1.0]}, "1 means"),
        ({"variants": []}, "0 variants"),
        ({"variants": None}, "variants"),
        ({"sd": "wide"}, "lacks or garbles"),
        ({"sha256": {}}, "lacks or garbles"),
    ],
)
def test_a_wrong_manifest_is_refused(change, message, tmp_path):
    save_predictor(tmp_path / "best", make_classical())
    path = tmp_path / "best" / "predictor.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match=message):
        load_predictor(tmp_path / "best")


def test_an_absent_or_broken_manifest_is_refused(tmp_path):
    with pytest.raises(InputError, match="no manifest"):
        load_predictor(tmp_path)
    (tmp_path / "predictor.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        load_predictor(tmp_path)
    (tmp_path / "predictor.json").write_text("[1]")
    with pytest.raises(InputError, match="format_version"):
        load_predictor(tmp_path)


def test_equal_networks_are_equal_files(tmp_path):
    for name in ("one.keras", "two.keras"):
        write_keras(build_network("gru_1", 9, seed=2), tmp_path / name)
    assert hash_file(tmp_path / "one.keras") == hash_file(tmp_path / "two.keras")
    assert {info.date_time[0] for info in zipfile.ZipFile(tmp_path / "one.keras").infolist()} == {1980}


def test_every_trusted_type_is_needed(tmp_path):
    needed = set()
    for name in CLASSICAL:
        skops.io.dump(make_classical(name).estimator, tmp_path / "one.skops")
        needed |= set(skops.io.get_untrusted_types(file=tmp_path / "one.skops"))
    assert needed == set(TRUSTED_TYPES)


def test_a_classical_predictor_names_no_library_of_networks(tmp_path):
    """Its manifest can then be written where Keras is not installed."""
    save_predictor(tmp_path / "best", make_classical())
    manifest = json.loads((tmp_path / "best" / "predictor.json").read_text())
    assert sorted(manifest["written_with"]) == ["imbalanced-learn", "scikit-learn", "skops"]
