"""Write and read the ``.keras`` files of networks, mostly without a Keras model for each of them.

A study holds a source model of every network, panel and phenotype, and nearly every one has a width
of its own. Building, saving and loading a Keras model of each costs more than its numbers are worth:
files of one network differ only in the width, wherever it is named, and in the arrays. So Keras
writes each network at two widths, once, and the two files show where the width stands, which array
is which, and in what order Keras lays them down. What is written here is byte for byte Keras's file.
Where more of a network changes with its width, Keras writes it.
"""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genotransfer.errors import InputError, StudyError
from genotransfer.models import archives
from genotransfer.models.cnn import list_shapes
from genotransfer.models.networks import CNN, build_network, find_network
from genotransfer.training.jobs import Weights, restore_model

# Any two widths would do.
WIDTHS = (11, 17)
# Layers without weights, which only bring values into shape.
SHAPING = (
    *("Activation", "Concatenate", "Dropout", "Flatten", "InputLayer", "MaxPooling1D", "MaxPooling2D"),
    *("ReLU", "Rescaling", "Reshape", "Subtract", "ZeroPadding1D"),
)

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class _Entry:
    """A group or array of the weights' HDF5 file; `weight` is an array's place in ``get_weights``."""

    path: str
    attributes: dict[str, Any]
    weight: int | None


@dataclass(frozen=True)
class _Form:
    """What is common to all files of one network.

    Attributes
    ----------
    members : the archive's files by name, of a network of width ``WIDTHS[0]``.
    places : where the width stands in its config.json, if the network has no window.
    entries : of the HDF5 file, in the order in which Keras makes them.
    shapes : of the weights; None in the place of the width, or of the window.
    layers : class and name of the layers that hold weights.
    """

    members: dict[str, bytes]
    places: list[Place]
    entries: list[_Entry]
    shapes: list[tuple[int | None, ...]]
    layers: list[tuple[str, str]]


class NetworkFiles:
    """Writes and reads networks; it keeps the form of each network's files from one call to the next."""

    def __init__(self) -> None:
        self._forms: dict[str, _Form] = {}

    def write(self, path: Path, network: str, n_variants: int, window: int | None, weights: Weights) -> None:
        """Write a network as a ``.keras`` file; the same weights give the same bytes.

        Parameters
        ----------
        path : of the file; its folder must be there.
        network, n_variants, window : as `build_network` takes them.
        weights : float32, in the order of Keras's ``get_weights``.

        Raises
        ------
        StudyError
            The network is unknown, or the weights are not of its shapes.
        """
        form = self._find_form(network)
        window = window if find_network(network).recurrent else None
        shapes = [one.shape for one in weights]
        if shapes != _list_shapes(network, form, n_variants, window):
            raise StudyError(
                f"Weights of shapes {shapes} are not those of {network} with {n_variants} variants "
                f"and a window of {window}."
            )
        if window is not None or find_network(network).family == CNN:
            # The number of time steps, or of positions, changes the layers, not only a number in them.
            archives.write_keras(restore_model(network, n_variants, window, weights), path)
            return
        config = json.loads(form.members[archives.CONFIG])
        for place in form.places:
            *above, last = place
            node = config
            for key in above:
                node = node[key]
            node[last] = n_variants
        members = {
            archives.CONFIG: json.dumps(config).encode(),
            archives.WEIGHTS: _pack_weights(form.entries, weights),
        }
        archives.write_members(path, {**form.members, **members})

    def read(self, path: Path, network: str, n_variants: int, window: int | None) -> Weights:
        """Return the weights in a network's ``.keras`` file, in the order of Keras's ``get_weights``.

        Numbers are read and nothing else: no layer is made from what the file says.

        Raises
        ------
        InputError
            It is no such file, or holds another network.
        StudyError
            The network is unknown.
        """
        form = self._find_form(network)
        window = window if find_network(network).recurrent else None
        try:
            archives.check_members(path)
            with zipfile.ZipFile(path) as archive:
                config = json.loads(archive.read(archives.CONFIG))
                packed = archive.read(archives.WEIGHTS)
            found = _describe(config)
            weights = _unpack_weights(form, packed, _list_shapes(network, form, n_variants, window))
        except Exception as error:  # zipfile, json and h5py raise a kind for each way of being broken
            raise InputError(
                f"It is no file of {network} ({error})", remedy=archives.REMAKE, file=path
            ) from error
        if found != (network, [None, n_variants], form.layers):
            raise InputError(
                f"The network {found[0]!r} reads {found[1][-1]} variants through {found[2]}, its manifest "
                f"names {network} of {n_variants}",
                remedy=archives.REMAKE,
                file=path,
            )
        return weights

    def _find_form(self, network: str) -> _Form:
        if network not in self._forms:
            self._forms[network] = _learn_form(network)
        return self._forms[network]


def _learn_form(network: str) -> _Form:
    """Let Keras write the network at both widths, each weight filled with its place, and compare.

    Of a convolutional network more than the width differs; what is learnt is where its weights lie.
    """
    written, shapes = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        for width in WIDTHS:
            model = build_network(network, width, seed=0)
            shapes.append([one.shape for one in model.get_weights()])
            model.set_weights([np.full(shape, at, dtype=np.float32) for at, shape in enumerate(shapes[-1])])
            archives.write_keras(model, path)
            with zipfile.ZipFile(path) as archive:
                written.append({name: archive.read(name) for name in archive.namelist()})
    first, second = (json.loads(members[archives.CONFIG]) for members in written)
    layers = [layer["name"] for layer in first["config"]["layers"]]
    convolutional = find_network(network).family == CNN
    return _Form(
        written[0],
        [] if convolutional else list(_find_places(first, second, ())),
        _list_entries(written[0][archives.WEIGHTS], layers),
        [
            tuple(size if size == other else None for size, other in zip(*pair, strict=True))
            for pair in zip(*shapes, strict=True)
        ],
        _describe(first)[2],
    )


def _find_places(first: Any, second: Any, place: Place) -> Iterator[Place]:
    """Yield where two configurations differ, which must be in their widths only."""
    if isinstance(first, dict) and isinstance(second, dict) and list(first) == list(second):
        for key in first:
            yield from _find_places(first[key], second[key], (*place, key))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for at, pair in enumerate(zip(first, second, strict=True)):
            yield from _find_places(*pair, (*place, at))
    elif first != second:
        assert (first, second) == WIDTHS, f"{place} of config.json is {first} and {second}, not the width"
        yield place


def _describe(config: dict[str, Any]) -> tuple[str, list[Any], list[tuple[str, str]]]:
    """Return a network's name, its input's shape, and class and name of its layers with weights."""
    layers = config["config"]["layers"]
    weighted = [
        (layer["class_name"], layer["name"]) for layer in layers if layer["class_name"] not in SHAPING
    ]
    return config["config"]["name"], layers[0]["config"]["batch_shape"], weighted


def _list_shapes(network: str, form: _Form, n_variants: int, window: int | None) -> list[tuple[int, ...]]:
    spec = find_network(network)
    if spec.family == CNN:
        return list_shapes(spec, n_variants)
    width = n_variants if window is None else window
    return [tuple(width if size is None else size for size in shape) for shape in form.shapes]


def _list_entries(packed: bytes, layers: list[str]) -> list[_Entry]:
    import h5py

    entries: list[_Entry] = []
    with h5py.File(io.BytesIO(packed), "r") as file:

        def add(path: str, node: Any) -> None:
            weight = int(node[()].flat[0]) if isinstance(node, h5py.Dataset) else None
            entries.append(_Entry(path, dict(node.attrs), weight))

        file.visititems(add)
        order = {path: layers.index(file[f"layers/{path}/vars"].attrs["name"]) for path in file["layers"]}

    def key(entry: _Entry) -> list[tuple[int, str]]:
        # Layers in the model's order; within each its own variables, then its parts by name.
        return [
            (order.get(part, len(order)) if part != "vars" else -1, part) for part in entry.path.split("/")
        ]

    return sorted(entries, key=key)


def _pack_weights(entries: list[_Entry], weights: Weights) -> bytes:
    import h5py

    packed = io.BytesIO()
    with h5py.File(packed, "w") as file:
        for entry in entries:
            if entry.weight is None:
                file.create_group(entry.path).attrs.update(entry.attributes)
            else:
                file[entry.path] = np.asarray(weights[entry.weight], dtype=np.float32)
    return packed.getvalue()


def _unpack_weights(form: _Form, packed: bytes, shapes: list[tuple[int, ...]]) -> Weights:
    import h5py

    arrays: dict[int, np.ndarray] = {}
    paths = {entry.weight: entry.path for entry in form.entries if entry.weight is not None}
    with h5py.File(io.BytesIO(packed), "r") as file:
        _check_links(file, paths.values())
        for weight, path in paths.items():
            array = file[path]
            if array.external or array.is_virtual:
                raise ValueError(f"{path} lies outside the file")
            # Before it is read: a size that nothing is stored for would fill the memory.
            if array.shape != shapes[weight] or array.dtype != np.float32:
                raise ValueError(f"{path} has shape {array.shape} and type {array.dtype}")
            arrays[weight] = array[()]
    return [arrays[at] for at in range(len(arrays))]


def _check_links(file: Any, paths: Iterable[str]) -> None:
    """Refuse paths that do not lie in the file itself, as a link to another file's would not."""
    from h5py import h5l

    parts = [path.split("/") for path in paths]
    places = {"/".join(one[:length]) for one in parts for length in range(1, len(one) + 1)}
    for place in sorted(places):  # what is above comes first
        if file.id.links.get_info(place.encode()).type != h5l.TYPE_HARD:
            raise ValueError(f"{place} lies outside the file")
