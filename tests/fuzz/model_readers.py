"""Readers of models and bundles: valid folders of each, their hashes made right again after the damage."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from genotransfer.models.archives import hash_file
from genotransfer.models.classical import fit_classifier
from genotransfer.models.network_files import NetworkFiles
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import ClassicalPredictor, load_predictor, save_predictor
from genotransfer.prediction.opened import load_bundle
from genotransfer.prediction.predict import predict_file
from tests.fuzz.readers import Files, Reader, read_folder
from tests.prediction_support import draw_people, make_bundle, make_table, write_people

DOSAGES = np.random.default_rng(1).integers(0, 3, size=(40, 9)).astype(np.int8)
LABELS = (DOSAGES[:, 0] > 0).astype(np.int8)
VARIANTS = pd.DataFrame(
    {"id": [f"rs{i}" for i in range(9)], "counted": list("ACGTACGTA"), "other": list("CGTACGTAC")}
)
NETWORKS = NetworkFiles()


def make_classical() -> list[Files]:
    standardiser = Standardiser.fit(DOSAGES)
    values, seeds = standardiser.transform(DOSAGES), []
    for name in ("svm", "cart"):
        with TemporaryDirectory() as folder:
            estimator = fit_classifier(name, values, LABELS, 3)
            save_predictor(Path(folder) / "x", ClassicalPredictor(VARIANTS, standardiser, name, estimator))
            seeds.append(read_folder(Path(folder) / "x"))
    return seeds


def make_network() -> list[Files]:
    from genotransfer.models.networks import build_network
    from genotransfer.models.store import NetworkPredictor

    seeds = []
    for name, window in (("ann_1", None), ("gru_1", None)):
        with TemporaryDirectory() as folder:
            model = build_network(name, 9, window=window, seed=2)
            made = NetworkPredictor(VARIANTS, Standardiser.fit(DOSAGES), name, window, model)
            save_predictor(Path(folder) / "x", made)
            seeds.append(read_folder(Path(folder) / "x"))
    return seeds


def make_weights() -> list[Files]:
    with TemporaryDirectory() as folder:
        shapes = [(9, 150), (50, 150), (2, 150), (50, 60), (20, 60), (2, 60), (20, 2), (2,)]
        NETWORKS.write(
            Path(folder) / "x.keras", "gru_1", 9, None, [np.zeros(one, np.float32) for one in shapes]
        )
        return [read_folder(Path(folder))]


def make_bundles() -> list[Files]:
    with TemporaryDirectory() as folder:
        make_bundle(Path(folder) / "bundle")
        return [read_folder(Path(folder) / "bundle")]


def sign(folder: Path) -> None:
    """Write the hashes of what is there into the manifests, as whoever changed the files would."""
    for manifest in (*sorted(folder.rglob("predictor.json")), folder / "bundle.json"):
        try:
            facts = json.loads(manifest.read_bytes())
            for name in facts["sha256"]:
                if (manifest.parent / name).is_file():
                    facts["sha256"][name] = hash_file(manifest.parent / name)
            manifest.write_text(json.dumps(facts))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue


def read_predictor(folder: Path) -> None:
    check_scores(load_predictor(folder).score(DOSAGES[:3]), 3)


def read_weights(folder: Path) -> None:
    weights = NETWORKS.read(folder / "x.keras", "gru_1", 9, None)
    assert [one.dtype for one in weights] == [np.float32] * 8


def read_bundle(folder: Path) -> None:
    bundle = load_bundle(folder)
    table = make_table()
    with TemporaryDirectory() as aside:
        write_people(Path(aside) / "people", table, draw_people(table, 3))
        check_scores(predict_file(bundle, Path(aside) / "people").table["probability"].to_numpy(), 3)


def check_scores(scores: np.ndarray, n: int) -> None:
    assert scores.shape == (n,)
    assert ((scores >= 0) & (scores <= 1)).all()


MODEL_READERS: dict[str, Reader] = {
    "classical": Reader(make_classical, read_predictor, sign, heavy=True),
    "network": Reader(make_network, read_predictor, sign, heavy=True),
    "weights": Reader(make_weights, read_weights, heavy=True),
    "bundle": Reader(make_bundles, read_bundle, sign, heavy=True),
}
