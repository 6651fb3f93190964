"""Save and load predictors: a folder of a JSON manifest and a ``.keras``, a skops or a scoring file."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genotransfer.errors import InputError
from genotransfer.formats.files import replace_together
from genotransfer.models import archives
from genotransfer.models.predictors import (
    VARIANT_COLUMNS,
    ClassicalPredictor,
    FeaturePredictor,
    NetworkPredictor,
    Predictor,
    ScorePredictor,
)
from genotransfer.models.scoring_files import read_scoring_file, write_scoring_file
from genotransfer.models.standardise import COPIES_MEAN, Standardiser

__all__ = [
    "ClassicalPredictor",
    "FeaturePredictor",
    "NetworkPredictor",
    "Predictor",
    "ScorePredictor",
    "load_predictor",
    "save_predictor",
]

FORMAT_VERSION = 1
# A deviation can be divided by the weight of a gene.
LEAST_SD, MOST_SD = 1e-6, 1e6
MANIFEST = "predictor.json"
NETWORK_FILE = "network.keras"
CLASSIFIER_FILE = "classifier.skops"
SCORE_FILE = "score.txt"
FILES_OF_KIND = {
    "classical": (CLASSIFIER_FILE,),
    "network": (NETWORK_FILE,),
    "feature": (NETWORK_FILE, CLASSIFIER_FILE),
    "score": (SCORE_FILE,),
}
WRITTEN_WITH = {
    NETWORK_FILE: ("keras",),
    CLASSIFIER_FILE: ("scikit-learn", "imbalanced-learn", "skops"),
    SCORE_FILE: ("scikit-learn",),
}


def save_predictor(folder: str | Path, predictor: Predictor) -> None:
    """Write a predictor as a folder, whole or not at all.

    A predictor that is already there is replaced.

    Raises
    ------
    InputError
        The folder holds something else.
    """
    folder = Path(folder)
    check_replaceable(folder, MANIFEST)
    with replace_together(folder, replace_folders=True) as [temporary]:
        temporary.mkdir()
        if isinstance(predictor, NetworkPredictor | FeaturePredictor):
            archives.write_keras(predictor.model, temporary / NETWORK_FILE)
        if isinstance(predictor, ClassicalPredictor | FeaturePredictor):
            archives.write_skops(predictor.estimator, temporary / CLASSIFIER_FILE)
        if isinstance(predictor, ScorePredictor):
            write_scoring_file(temporary / SCORE_FILE, predictor)
        manifest = _describe(predictor)
        manifest["sha256"] = {
            name: archives.hash_file(temporary / name) for name in FILES_OF_KIND[predictor.kind]
        }
        archives.write_json(temporary / MANIFEST, manifest)


def load_predictor(folder: str | Path) -> Predictor:
    """Read a predictor that `save_predictor` wrote.

    Raises
    ------
    InputError
        A file is absent, changed, malformed, or holds types that are not trusted.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    manifest = archives.read_manifest(path, FORMAT_VERSION)
    kind = manifest.get("kind")
    if not isinstance(kind, str) or kind not in FILES_OF_KIND:
        raise InputError(f"{kind!r} is no kind of predictor", remedy=archives.REMAKE, file=path)
    try:
        variants = pd.DataFrame(manifest["variants"], columns=VARIANT_COLUMNS, dtype=str)
        mean, sd = (np.array(manifest[name], dtype=np.float64) for name in ("mean", "sd"))
        hashes = {name: manifest["sha256"][name] for name in FILES_OF_KIND[kind]}
        named = {name: manifest[name] for name in ("network", "window", "classifier")}
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(
            f"The manifest lacks or garbles {error}", remedy=archives.REMAKE, file=path
        ) from error
    n_variants = len(variants)
    if not n_variants or mean.shape != (n_variants,) or sd.shape != (n_variants,):
        raise InputError(
            f"The manifest names {n_variants} variants, {mean.size} means and {sd.size} deviations",
            remedy=archives.REMAKE,
            file=path,
        )
    # Of numbers of copies; NaN is none of these either.
    counts = (mean == COPIES_MEAN).all() and (sd == 1).all()
    if not counts and not (((mean >= 0) & (mean <= 2)).all() and ((sd >= LEAST_SD) & (sd <= MOST_SD)).all()):
        raise InputError(
            "The manifest's means and deviations are not those of copies of an allele",
            remedy=archives.REMAKE,
            file=path,
        )
    standardiser = Standardiser(mean, sd)
    for name, expected in hashes.items():
        archives.check_hash(folder / name, expected)
    estimator = archives.read_skops(folder / CLASSIFIER_FILE) if CLASSIFIER_FILE in hashes else None
    model = archives.read_keras(folder / NETWORK_FILE, n_variants) if NETWORK_FILE in hashes else None
    if kind == "score":
        effects, constant, name = read_scoring_file(folder / SCORE_FILE, variants)
        return ScorePredictor(variants, standardiser, name, effects, constant)
    if kind == "classical":
        return ClassicalPredictor(variants, standardiser, named["classifier"], estimator)
    if kind == "network":
        return NetworkPredictor(variants, standardiser, named["network"], named["window"], model)
    return FeaturePredictor(
        variants, standardiser, named["network"], named["window"], model, named["classifier"], estimator
    )


def check_replaceable(folder: Path, manifest: str) -> None:
    """Check that a folder is absent, empty, or one that was written with such a manifest.

    Raises
    ------
    InputError
        It holds something else, which would be lost.
    """
    if folder.exists() and not (
        folder.is_dir() and (not any(folder.iterdir()) or (folder / manifest).is_file())
    ):
        raise InputError(
            f"It holds something other than what {manifest} belongs to",
            remedy="Name a folder that is absent or empty",
            file=folder,
        )


def _describe(predictor: Predictor) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "kind": predictor.kind,
        "network": getattr(predictor, "network", None),
        "window": getattr(predictor, "window", None),
        "classifier": getattr(predictor, "classifier", None),
        "variants": predictor.variants[VARIANT_COLUMNS].to_numpy(dtype=object).tolist(),
        "mean": predictor.standardiser.mean.tolist(),
        "sd": predictor.standardiser.sd.tolist(),
        # Of what this predictor is made of only: an image for classical models may lack Keras.
        "written_with": {
            name: version(name) for file in FILES_OF_KIND[predictor.kind] for name in WRITTEN_WITH[file]
        },
    }
