"""Model files without pickles: ``.keras`` archives in safe mode, and skops with named types only."""

from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genotransfer.errors import InputError
from genotransfer.models.checked_classifiers import check_classifier

if TYPE_CHECKING:
    import keras

# What the five classifiers hold beyond skops's own list. Nothing else is ever loaded.
TRUSTED_TYPES = (
    "imblearn.ensemble._bagging.BalancedBaggingClassifier",
    "imblearn.pipeline.Pipeline",
    "imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler",
    "sklearn.tree._tree.Tree",
)
# What a skops file as a whole may be: the five classifiers, none of which runs a function it is given.
CLASSIFIERS = (
    "imblearn.ensemble._bagging.BalancedBaggingClassifier",
    "sklearn.ensemble._bagging.BaggingClassifier",
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.svm._classes.SVC",
    "sklearn.tree._classes.DecisionTreeClassifier",
)
# What the config.json of a ``.keras`` archive may name: Keras would make anything of its own from one.
KERAS_CLASSES = {
    "keras": {"DTypePolicy", "Functional"},
    "keras.initializers": {"GlorotUniform", "Ones", "Orthogonal", "Zeros"},
    "keras.layers": {
        *("Activation", "BatchNormalization", "Bidirectional", "Concatenate", "Conv1D", "Conv2D", "Dense"),
        *("Dropout", "Flatten", "GRU", "InputLayer", "LSTM", "MaxPooling1D", "MaxPooling2D", "ReLU"),
        *("Rescaling", "Reshape", "Subtract", "UnitNormalization", "ZeroPadding1D"),
    },
    "keras.src.models.functional": {"Functional"},
}
SKOPS_SCHEMA = "schema.json"
# The files within a ``.keras`` archive.
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
# A zip archive may unpack to so many bytes, or to so many times its own size.
MOST_MEMBERS, MOST_RATIO = 1 << 28, 100
MOST_UNITS = 1000  # of a layer
MOST_KERNEL = 16  # variants a convolution or pooling reads, along an axis
# Layers, their weights' first values, regularisers and policies; a convolutional network has about 80.
MOST_CLASSES = 200
REMAKE = "Take the file again from where it was made, or train the model again"


def hash_file(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_hash(path: Path, expected: object) -> None:
    """Check a file against the sha256 its manifest names.

    Raises
    ------
    InputError
        The file is absent or is not the one the manifest was written with.
    """
    if not path.is_file():
        raise InputError("The file is named by its manifest, but absent", remedy=REMAKE, file=path)
    if hash_file(path) != expected:
        raise InputError(
            "The file's sha256 is not the one in its manifest: it was changed or cut short",
            remedy=REMAKE,
            file=path,
        )


def read_manifest(path: Path, version: int) -> dict[str, Any]:
    """Return a JSON manifest of the given format version.

    Raises
    ------
    InputError
        The file is absent, is not JSON, or is of another version.
    """
    if not path.is_file():
        raise InputError("There is no manifest", remedy="Give the folder a model was saved in", file=path)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    # A ValueError is also a number of thousands of digits; a RecursionError, lists within lists.
    except (ValueError, RecursionError) as error:
        raise InputError(f"The manifest is not JSON ({error})", remedy=REMAKE, file=path) from error
    found = manifest.get("format_version") if isinstance(manifest, dict) else None
    if found != version:
        raise InputError(
            f"The manifest's format_version is {found!r}, this release reads {version}",
            remedy="Use the release of genotransfer that wrote it, or train the model again",
            file=path,
        )
    return dict(manifest)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with sorted keys."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write_keras(model: keras.Model, path: Path) -> None:
    """Write a ``.keras`` archive; the same weights give the same bytes."""
    written = path.with_name(f"dated-{path.name}")
    with warnings.catch_warnings():
        # Keras 3.15 reads its variables in a way NumPy 2 deprecates; nothing here can change that.
        warnings.filterwarnings(
            "ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning
        )
        model.save(written)
    # Keras writes the date and memory addresses; without them equal models have equal hashes.
    with zipfile.ZipFile(written) as dated:
        members = {name: dated.read(name) for name in dated.namelist()}
    members[METADATA] = json.dumps({**json.loads(members[METADATA]), "date_saved": ""}).encode()
    members[CONFIG] = json.dumps(_renumber_objects(json.loads(members[CONFIG]), {})).encode()
    write_members(path, members)
    written.unlink()


def write_members(path: Path, members: dict[str, bytes]) -> None:
    """Write a zip archive of files by name, without the time; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name), members[name])


def _renumber_objects(node: Any, seen: dict[int, int]) -> Any:
    """Replace each ``shared_object_id`` by the order in which it first occurs."""
    if isinstance(node, list):
        return [_renumber_objects(one, seen) for one in node]
    if isinstance(node, dict):
        return {
            key: seen.setdefault(value, len(seen))
            if key == "shared_object_id"
            else _renumber_objects(value, seen)
            for key, value in node.items()
        }
    return node


def check_members(path: Path) -> None:
    """Check that a zip archive does not unpack to far more than it is, and names no file twice.

    Raises
    ------
    ValueError
        It does.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # No more is unpacked than is named here: zipfile stops at it.
        size, most = (
            sum(one.file_size for one in members),
            max(MOST_MEMBERS, MOST_RATIO * path.stat().st_size),
        )
        if size > most:
            raise ValueError(f"it unpacks to {size:,} bytes, more than {most:,}")
        if len({one.filename for one in members}) < len(members):
            raise ValueError("it names a file twice")


def check_layers(path: Path, n_variants: int) -> None:
    """Check that a ``.keras`` archive is made of the networks' layers only, before Keras makes any.

    Raises
    ------
    ValueError
        It names another class of Keras, or code from elsewhere, or layers too large for any network here.
    """
    check_members(path)
    with zipfile.ZipFile(path) as archive:
        if set(archive.namelist()) != {CONFIG, METADATA, WEIGHTS}:
            raise ValueError(f"it holds {', '.join(sorted(archive.namelist()))}")
        config = json.loads(archive.read(CONFIG))
    _check_classes(config, max(MOST_UNITS, 2 * n_variants))
    if (n_layers := _count_classes(config)) > MOST_CLASSES:
        raise ValueError(f"it is made of {n_layers:,} objects, more than any network here")


def _check_classes(node: Any, most: int) -> None:
    if isinstance(node, list):
        for one in node:
            _check_classes(one, most)
    elif isinstance(node, dict):
        name, module = str(node.get("class_name")), str(node.get("module"))
        known = name in KERAS_CLASSES.get(module, ()) and node.get("registered_name") in (None, name)
        if "class_name" in node and name != "__keras_tensor__" and not known:
            raise ValueError(f"it names {module}.{name}, which no network here is made of")
        for key, value in node.items():
            limit = {
                **dict.fromkeys(("units", "filters"), MOST_UNITS),
                **dict.fromkeys(("kernel_size", "pool_size", "strides", "dilation_rate"), MOST_KERNEL),
                **dict.fromkeys(("batch_shape", "target_shape", "padding"), most),
            }.get(key)
            if limit is not None and not all(number <= limit for number in _list_numbers(value)):
                raise ValueError(f"its {key} is {value}, beyond {limit}")
            _check_classes(value, most)


def _count_classes(node: Any) -> int:
    if isinstance(node, dict):
        return ("class_name" in node) + sum(map(_count_classes, node.values()))
    return sum(map(_count_classes, node)) if isinstance(node, list) else 0


def _list_numbers(value: Any) -> list[int | float]:
    if isinstance(value, list):
        return [number for one in value for number in _list_numbers(one)]
    return [value] if isinstance(value, int | float) else []


def read_keras(path: Path, n_variants: int) -> keras.Model:
    """Read a ``.keras`` archive in safe mode and check that it is a network of `n_variants` inputs.

    Raises
    ------
    InputError
        Keras cannot read it, or it is another network.
    """
    import keras

    try:
        check_layers(path, n_variants)
        model = keras.models.load_model(path, compile=False, safe_mode=True)
        width = model.inputs[0].shape[1]
        names = {layer.name for layer in model.layers}
    except Exception as error:  # Keras raises a different kind for each way of being broken
        raise InputError(f"Keras cannot read the file ({error})", remedy=REMAKE, file=path) from error
    if width != n_variants or "logits" not in names:
        raise InputError(
            f"The network reads {width} variants, its manifest names {n_variants}", remedy=REMAKE, file=path
        )
    return model


def write_skops(estimator: Any, path: Path) -> None:
    """Write a fitted scikit-learn classifier as a skops file; the same classifier gives the same bytes.

    Raises
    ------
    InputError
        It holds a type that could not be loaded again.
    """
    import skops.io

    written = path.with_name(f"dated-{path.name}")
    skops.io.dump(estimator, written)
    # skops names objects and arrays by their place in memory, and zip keeps the time.
    with zipfile.ZipFile(written) as dated, zipfile.ZipFile(path, "w") as plain:
        files: dict[str, str] = {}
        schema = _renumber_places(json.loads(dated.read(SKOPS_SCHEMA)), {}, files)
        plain.writestr(zipfile.ZipInfo(SKOPS_SCHEMA), json.dumps(schema))
        for name, renamed in files.items():
            plain.writestr(zipfile.ZipInfo(renamed), dated.read(name))
    written.unlink()
    _check_types(path)


def _renumber_places(node: Any, seen: dict[int, int], files: dict[str, str]) -> Any:
    """Name objects and files of a skops schema by the order in which they first occur."""
    if isinstance(node, list):
        return [_renumber_places(one, seen, files) for one in node]
    if not isinstance(node, dict):
        return node
    renumbered: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            renumbered[key] = seen.setdefault(value, len(seen))
        elif key == "file" and isinstance(value, str):
            renumbered[key] = files.setdefault(value, f"{len(files)}{Path(value).suffix}")
        else:
            renumbered[key] = _renumber_places(value, seen, files)
    return renumbered


def read_skops(path: Path) -> Any:
    """Read a skops file that holds types of skops's own list and of `TRUSTED_TYPES` only.

    Raises
    ------
    InputError
        It holds another type, or skops cannot read it.
    """
    import skops.io

    _check_types(path)
    try:
        estimator = skops.io.load(path, trusted=list(TRUSTED_TYPES))
    except Exception as error:
        raise InputError(f"skops cannot read the file ({error})", remedy=REMAKE, file=path) from error
    found = f"{type(estimator).__module__}.{type(estimator).__name__}"
    if found not in CLASSIFIERS:
        raise InputError(f"the file holds {found}, no classifier", remedy=REMAKE, file=path)
    try:
        check_classifier(estimator)
    except Exception as error:  # what a garbled estimator lacks may show in any way
        raise InputError(
            f"the classifier does not hold together ({error})", remedy=REMAKE, file=path
        ) from error
    return estimator


def _check_types(path: Path) -> None:
    import skops.io

    try:
        check_members(path)
        found = set(skops.io.get_untrusted_types(file=path))
    except Exception as error:
        raise InputError(f"skops cannot read the file ({error})", remedy=REMAKE, file=path) from error
    strange = sorted(found - set(TRUSTED_TYPES))
    if strange:
        raise InputError(
            f"The file holds types that are not trusted: {', '.join(strange)}",
            remedy="Save one of the five classifiers of genotransfer",
            file=path,
        )
