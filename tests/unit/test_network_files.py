"""Files of networks written and read without a Keras model: Keras's own files, and nothing else's."""

import io
import json
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from genotransfer.errors import InputError, StudyError
from genotransfer.models.archives import CONFIG, WEIGHTS, write_keras, write_members
from genotransfer.models.network_files import NetworkFiles
from genotransfer.models.networks import NETWORKS, build_network
from genotransfer.training.jobs import restore_model

FILES = NetworkFiles()
RECURRENT = [name for name, spec in NETWORKS.items() if spec.recurrent]


def draw_weights(network, n_variants, window=None):
    rng = np.random.default_rng(3)
    shapes = [one.shape for one in build_network(network, n_variants, window=window, seed=1).get_weights()]
    return [rng.normal(size=shape).astype(np.float32) for shape in shapes]


# Steps that fit the variants, that are filled up, and a single one wider than the variants.
@pytest.mark.parametrize(
    ("network", "n_variants", "window"),
    [(name, width, None) for name in NETWORKS for width in (1, 300)]
    + [(name, width, 4) for name in RECURRENT for width in (3, 10)]
    + [("gru_1", 8, 4), ("ann_2", 10, 4)],
)
def test_files_are_those_of_keras(network, n_variants, window, tmp_path):
    weights = draw_weights(network, n_variants, window)
    write_keras(restore_model(network, n_variants, window, weights), tmp_path / "keras.keras")
    FILES.write(tmp_path / "ours.keras", network, n_variants, window, weights)
    assert (tmp_path / "ours.keras").read_bytes() == (tmp_path / "keras.keras").read_bytes()
    loaded = keras.models.load_model(tmp_path / "keras.keras", compile=False, safe_mode=True).get_weights()
    read = FILES.read(tmp_path / "ours.keras", network, n_variants, window)
    for one, other, given in zip(read, loaded, weights, strict=True):
        assert one.dtype == other.dtype == np.float32
        assert np.array_equal(one, other)
        assert np.array_equal(one, given)


def test_a_clean_process_loads_the_file_and_predicts_the_same(tmp_path):
    weights = draw_weights("bilstm_2", 23)
    FILES.write(tmp_path / "a.keras", "bilstm_2", 23, None, weights)
    values = np.random.default_rng(4).normal(size=(5, 23)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    program = (
        "import sys, keras, numpy as np\n"
        "model = keras.models.load_model(sys.argv[1] + '/a.keras', safe_mode=True)\n"
        "np.save(sys.argv[1] + '/out.npy', model(np.load(sys.argv[1] + '/values.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True)
    expected = np.asarray(restore_model("bilstm_2", 23, None, weights)(values))
    assert np.allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


def test_weights_of_other_shapes_are_not_written(tmp_path):
    weights = draw_weights("gru_1", 9)
    for network, n_variants, window in (("gru_1", 8, None), ("lstm_1", 9, None), ("gru_1", 9, 4)):
        with pytest.raises(StudyError, match="are not those of"):
            FILES.write(tmp_path / "a.keras", network, n_variants, window, weights)
    with pytest.raises(StudyError, match="no network 'mlp'"):
        FILES.write(tmp_path / "a.keras", "mlp", 9, None, weights)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "a.keras"
    FILES.write(path, "gru_1", 9, None, draw_weights("gru_1", 9))
    return path


def change_file(path, **members):
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    kept |= {{"config": CONFIG, "weights": WEIGHTS}[name]: content for name, content in members.items()}
    write_members(path, {name: content for name, content in kept.items() if content is not None})


@pytest.mark.parametrize(
    ("network", "n_variants", "message"),
    [
        ("gru_2", 9, "no file of gru_2"),
        ("lstm_1", 9, "no file of lstm_1"),
        ("gru_1", 8, r"/0 has shape \(9, 150\)"),
    ],
)
def test_another_network_is_refused(written, network, n_variants, message):
    with pytest.raises(InputError, match=message):
        FILES.read(written, network, n_variants, None)


def test_what_the_file_says_of_itself_must_be_the_network(written):
    with zipfile.ZipFile(written) as archive:
        text = archive.read(CONFIG).decode()
    for before, after in (
        ('"name": "gru_1", "trainable": true, "layers"', '"name": "gru_2", "trainable": true, "layers"'),
        ('"batch_shape": [null, 9]', '"batch_shape": [null, 8]'),
        ('"class_name": "Reshape"', '"class_name": "Lambda"'),
        ('"class_name": "Dense"', '"class_name": "SimpleRNN"'),
    ):
        assert text.count(before) == 1
        change_file(written, config=text.replace(before, after).encode())
        with pytest.raises(InputError, match="its manifest names gru_1 of 9"):
            FILES.read(written, "gru_1", 9, None)
    change_file(written, config=text.encode())
    assert len(FILES.read(written, "gru_1", 9, None)) == 8


@pytest.mark.parametrize(
    "members",
    [{"config": None}, {"config": b"{"}, {"config": b"[]"}, {"weights": None}, {"weights": b"\x89HDF"}],
)
def test_a_malformed_file_is_refused(written, members):
    change_file(written, **members)
    with pytest.raises(InputError, match="no file of gru_1"):
        FILES.read(written, "gru_1", 9, None)


def test_a_file_cut_short_is_refused(written):
    written.write_bytes(written.read_bytes()[:-100])
    with pytest.raises(InputError, match="no file of gru_1"):
        FILES.read(written, "gru_1", 9, None)


def plant(written, tmp_path, way):
    """Put another array in the place of a bias: from outside the file, too big, or of another type."""
    with zipfile.ZipFile(written) as archive:
        packed = io.BytesIO(archive.read(WEIGHTS))
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["vars/0"] = np.ones((20, 2), dtype=np.float32)
        other["vars/1"] = np.ones(2, dtype=np.float32)
    at = "layers/dense" if way == "group" else "layers/dense/vars/1"
    with h5py.File(packed, "r+") as file:
        del file[at]
        if way in ("link", "group"):
            file[at] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/" if way == "group" else "vars/1")
        elif way == "external":
            (tmp_path / "secret").write_bytes(bytes(8))
            file.create_dataset(at, (2,), "f4", external=[(str(tmp_path / "secret"), 0, 8)])
        elif way == "bomb":
            file.create_dataset(at, (1 << 45,), "f4", chunks=(1 << 20,), compression="gzip")
        else:
            file[at] = np.ones(2, dtype=np.float64)
    change_file(written, weights=packed.getvalue())


@pytest.mark.parametrize("way", ["link", "group", "external", "bomb", "type"])
def test_planted_arrays_are_refused(written, tmp_path, way):
    plant(written, tmp_path, way)
    with pytest.raises(InputError, match="has shape" if way in ("bomb", "type") else "lies outside the file"):
        FILES.read(written, "gru_1", 9, None)


def test_a_study_of_another_keras_reads_on(written):
    """A key more in the configuration, as a later Keras may write, does not make another network."""
    with zipfile.ZipFile(written) as archive:
        config = json.loads(archive.read(CONFIG))
    config["config"]["layers"][-1]["config"]["quantized"] = False
    change_file(written, config=json.dumps(config).encode())
    assert len(FILES.read(written, "gru_1", 9, None)) == 8
