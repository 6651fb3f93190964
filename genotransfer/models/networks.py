"""Neural networks as Keras models: the nine of Muneeb 2022, Tables 4 and 5, and convolutional ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genotransfer.errors import StudyError
from genotransfer.models.cnn import FORMS, N_BLOCKS, build_cnn, name_cnn, parse_cnn
from genotransfer.randomness import derive_seed

if TYPE_CHECKING:
    import keras

CNN = "cnn"
FAMILIES = ("ann", "gru", "lstm", "bilstm", CNN)
N_CLASSES = 2
MOST_STEPS = 700


@dataclass(frozen=True)
class NetworkSpec:
    """The shape of one network.

    Attributes
    ----------
    name : key of the network, e.g. ``gru_1``.
    paper_model : the number of Muneeb 2022, 1 to 9; None of a convolutional network.
    family : one of `FAMILIES`.
    recurrent : units of the recurrent layers, bottom to top; empty for other families.
    dense : units of the dense hidden layers, bottom to top.
    form : of a convolutional network, one of `cnn.FORMS`; else empty.
    filters : of each of its convolutions; else 0.
    """

    name: str
    paper_model: int | None
    family: str
    recurrent: tuple[int, ...]
    dense: tuple[int, ...]
    form: str = ""
    filters: int = 0


# Source: Muneeb 2022, Tables 4 and 5; the last layer, of two units, is common to all.
NETWORKS: dict[str, NetworkSpec] = {
    spec.name: spec
    for spec in (
        NetworkSpec("ann_1", 1, "ann", (), (30, 10)),
        NetworkSpec("ann_2", 2, "ann", (), (80, 70, 40, 10)),
        NetworkSpec("ann_3", 3, "ann", (), (80, 70, 50, 20, 10)),
        NetworkSpec("gru_1", 4, "gru", (50, 20), ()),
        NetworkSpec("lstm_1", 5, "lstm", (50, 20), ()),
        NetworkSpec("bilstm_1", 6, "bilstm", (50, 20), ()),
        NetworkSpec("gru_2", 7, "gru", (50, 20), (10, 5)),
        NetworkSpec("lstm_2", 8, "lstm", (50, 20), (10, 5)),
        NetworkSpec("bilstm_2", 9, "bilstm", (50, 20), (10, 5)),
    )
}


def find_network(name: str) -> NetworkSpec:
    """Return the specification of a network by its key: of `NETWORKS`, or as `name_cnn` makes it.

    Raises
    ------
    StudyError
        There is no such network.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    parsed = parse_cnn(name)
    if parsed is None:
        known = ", ".join((*NETWORKS, *list_family(CNN)))
        raise StudyError(f"There is no network {name!r}. Choose from: {known}.")
    form, filters, dense = parsed
    return NetworkSpec(name, None, CNN, (), dense, form, filters)


def list_family(family: str) -> tuple[str, ...]:
    """Return the keys of the networks of one family, in the paper's order; CNNs of the default sizes.

    Raises
    ------
    StudyError
        There is no such family.
    """
    if family not in FAMILIES:
        raise StudyError(f"There is no network family {family!r}. Choose from: {', '.join(FAMILIES)}.")
    if family == CNN:
        return tuple(name_cnn(form) for form in FORMS)
    return tuple(name for name, spec in NETWORKS.items() if spec.family == family)


def count_trainable_depths(name: str) -> int:
    """Return the number of trainable layers: fine-tuning can train 1 to all of them.

    A convolution and its batch normalisation are one.
    """
    spec = find_network(name)
    return len(spec.recurrent) + (N_BLOCKS if spec.family == CNN else 0) + len(spec.dense) + 1


def reads_genotypes(name: str) -> bool:
    """Return whether a network tells genotypes apart, on the scale of `Standardiser.count_copies`."""
    return find_network(name).form == "3d"


def check_adaptable(names: Iterable[str]) -> None:
    """Check that networks can learn by minimax entropy, method ``deep_adapted``.

    Raises
    ------
    StudyError
        One is convolutional: statistics of batches of two populations would enter each other.
    """
    found = [name for name in names if find_network(name).family == CNN]
    if found:
        raise StudyError(
            f"deep_adapted is not for convolutional networks, as {found[0]} is. Leave the method or the network out."
        )


def keeps_width(name: str, window: int | None) -> bool:
    """Return whether what a network puts out depends on columns of zeros added to its input."""
    return window is not None or find_network(name).family == CNN


def count_steps(n_variants: int, window: int | None) -> int:
    """Return the number of time steps a recurrent network reads: 1, or ceil(n_variants / window)."""
    return 1 if window is None else math.ceil(n_variants / window)


def build_network(
    name: str,
    n_variants: int,
    *,
    window: int | None = None,
    seed: int,
    allow_many_steps: bool = False,
) -> keras.Model:
    """Build a network with fresh weights.

    Parameters
    ----------
    name : one of `NETWORKS`.
    n_variants : width of the input.
    window : variants a time step of a recurrent network reads, neighbours in the panel's order;
        the last step is filled up with zeros. None gives one step that reads all variants. An
        ANN has no time steps and takes no notice of it.
    seed : the weights depend on it and on the name and shape only, not on any global state.
    allow_many_steps : build even when there are more than 700 time steps.

    Returns
    -------
    A Keras model from standardised dosages, as of `fit_standardiser`, float32 (n_samples,
    n_variants), to probabilities, float32 (n_samples, 2), of control and case. Its last two layers
    are ``logits`` (dense, 2 units) and ``probabilities`` (softmax).

    Notes
    -----
    The paper gives the layers' units only. Here dense hidden layers are rectified linear, and
    recurrent layers keep Keras's tanh and sigmoid; a bidirectional layer of 50 units has 50 in
    each direction, joined to 100.

    Raises
    ------
    StudyError
        The name is unknown, a size is below 1, or there are too many time steps.
    """
    import keras

    spec = find_network(name)
    _check_sizes(spec, n_variants, window, allow_many_steps)
    if spec.family == CNN:
        return build_cnn(spec, n_variants, seed)
    dosages = keras.Input((n_variants,), dtype="float32", name="dosages")
    hidden = dosages
    if spec.recurrent:
        hidden = _fold_into_steps(dosages, n_variants, window)
    for position, units in enumerate(spec.recurrent, start=1):
        layer = _make_recurrent(
            spec,
            position,
            units,
            return_sequences=position < len(spec.recurrent),
            # One step needs no loop, and without the loop a step costs a fifth.
            unroll=count_steps(n_variants, window) == 1,
            seed=seed,
        )
        hidden = layer(hidden)
    for position, units in enumerate(spec.dense, start=1):
        hidden = keras.layers.Dense(
            units, activation="relu", name=f"dense_{position}", **_seed_dense(spec, f"dense_{position}", seed)
        )(hidden)
    logits = keras.layers.Dense(N_CLASSES, name="logits", **_seed_dense(spec, "logits", seed))(hidden)
    probabilities = keras.layers.Activation("softmax", name="probabilities")(logits)
    return keras.Model(dosages, probabilities, name=name)


def weighted_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers that have weights, bottom to top."""
    return [layer for layer in model.layers if layer.weights]


@dataclass(frozen=True, eq=False)
class TrainableLayer:
    """Layers that are trained or frozen together.

    Attributes
    ----------
    weighted : those that have weights: one, or a convolution and its batch normalisation.
    last : the one whose output goes on to the layers above.
    """

    weighted: list[Any]
    last: Any

    @property
    def weights(self) -> list[Any]:
        """Their variables, in the order of ``get_weights``."""
        return [variable for layer in self.weighted for variable in layer.weights]


def list_trainable(model: keras.Model) -> list[TrainableLayer]:
    """Return the layers that can be trained or frozen one by one, bottom to top.

    What lies between two of them goes with the lower one up to a dropout layer: frozen layers are run
    once, and drop nothing.
    """
    found: list[TrainableLayer] = []
    open_end = False
    for layer in model.layers:
        kind = type(layer).__name__
        if layer.weights and (not found or kind != "BatchNormalization"):
            found.append(TrainableLayer([layer], layer))
            open_end = True
        elif kind == "Dropout":
            open_end = False
        elif open_end and layer.name != "probabilities":
            one = found[-1]
            found[-1] = TrainableLayer([*one.weighted, *([layer] if layer.weights else [])], layer)
    return found


def last_hidden_model(model: keras.Model) -> keras.Model:
    """Return a model from the same input to the last hidden layer's output, sharing the weights."""
    import keras

    return keras.Model(model.input, list_trainable(model)[-2].last.output, name=f"{model.name}_hidden")


def cut_top(model: keras.Model, depth: int) -> keras.Model:
    """Return the top `depth` trainable layers, ending at the logits, as a model that shares them.

    Its input is what the layer below the cut puts out, or the dosages when `depth` takes in all
    trainable layers.
    """
    import keras

    layers = list_trainable(model)
    end = model.get_layer("logits")
    if depth == len(layers):
        return keras.Model(model.input, end.output)
    below = layers[-depth - 1].last
    start = model.layers.index(below) + 1
    hidden = cut = keras.Input(below.output.shape[1:], dtype="float32")
    for layer in model.layers[start : model.layers.index(end) + 1]:
        hidden = layer(hidden)
    return keras.Model(cut, hidden)


def _check_sizes(spec: NetworkSpec, n_variants: int, window: int | None, allow_many_steps: bool) -> None:
    if n_variants < 1 or (window is not None and window < 1):
        raise StudyError(
            f"Network {spec.name} was asked for {n_variants} variants and a window of {window}. "
            "Both must be 1 or more."
        )
    steps = count_steps(n_variants, window)
    if spec.recurrent and steps > MOST_STEPS and not allow_many_steps:
        raise StudyError(
            f"Network {spec.name} would read {n_variants} variants in {steps} time steps of {window}; "
            f"above {MOST_STEPS} steps one training takes many minutes. "
            "Make the window wider, or set allow_many_steps."
        )


def _fold_into_steps(dosages: Any, n_variants: int, window: int | None) -> Any:
    import keras

    steps = count_steps(n_variants, window)
    width = n_variants if window is None else window
    if steps * width == n_variants:
        return keras.layers.Reshape((steps, width), name="steps")(dosages)
    column = keras.layers.Reshape((n_variants, 1), name="column")(dosages)
    filled = keras.layers.ZeroPadding1D((0, steps * width - n_variants), name="filled")(column)
    return keras.layers.Reshape((steps, width), name="steps")(filled)


def _make_recurrent(
    spec: NetworkSpec, position: int, units: int, *, return_sequences: bool, unroll: bool, seed: int
) -> keras.layers.Layer:
    import keras

    kind = keras.layers.GRU if spec.family == "gru" else keras.layers.LSTM
    label = f"{spec.family}_{position}"

    def make(name: str, **more: Any) -> keras.layers.Layer:
        return kind(
            units,
            return_sequences=return_sequences,
            unroll=unroll,
            name=name,
            kernel_initializer=keras.initializers.GlorotUniform(derive_seed(seed, spec.name, name, "kernel")),
            recurrent_initializer=keras.initializers.Orthogonal(
                seed=derive_seed(seed, spec.name, name, "recurrent")
            ),
            **more,
        )

    if spec.family != "bilstm":
        return make(label)
    # Keras would copy the forward layer with its seeds, and both directions would start alike.
    forward, backward = make(f"{label}_forward"), make(f"{label}_backward", go_backwards=True)
    return keras.layers.Bidirectional(forward, backward_layer=backward, name=label)


def _seed_dense(spec: NetworkSpec, layer: str, seed: int) -> dict[str, Any]:
    import keras

    return {
        "kernel_initializer": keras.initializers.GlorotUniform(derive_seed(seed, spec.name, layer, "kernel"))
    }
