"""The nine neural networks of Muneeb 2022, Tables 4 and 5, as Keras models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genotransfer.errors import StudyError
from genotransfer.randomness import derive_seed

if TYPE_CHECKING:
    import keras

FAMILIES = ("ann", "gru", "lstm", "bilstm")
N_CLASSES = 2
MOST_STEPS = 700


@dataclass(frozen=True)
class NetworkSpec:
    """The shape of one network.

    Attributes
    ----------
    name : key of the network, e.g. ``gru_1``.
    paper_model : the paper's number, 1 to 9.
    family : one of `FAMILIES`.
    recurrent : units of the recurrent layers, bottom to top; empty for an ANN.
    dense : units of the dense hidden layers, bottom to top.
    """

    name: str
    paper_model: int
    family: str
    recurrent: tuple[int, ...]
    dense: tuple[int, ...]


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
    """Return the specification of a network by its key.

    Raises
    ------
    StudyError
        There is no such network.
    """
    if name not in NETWORKS:
        raise StudyError(f"There is no network {name!r}. Choose from: {', '.join(NETWORKS)}.")
    return NETWORKS[name]


def list_family(family: str) -> tuple[str, ...]:
    """Return the keys of the networks of one family, in the paper's order.

    Raises
    ------
    StudyError
        There is no such family.
    """
    if family not in FAMILIES:
        raise StudyError(f"There is no network family {family!r}. Choose from: {', '.join(FAMILIES)}.")
    return tuple(name for name, spec in NETWORKS.items() if spec.family == family)


def count_trainable_depths(name: str) -> int:
    """Return the number of layers with weights: fine-tuning can train 1 to all of them."""
    spec = find_network(name)
    return len(spec.recurrent) + len(spec.dense) + 1


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
    A Keras model from standardised dosages, float32 (n_samples, n_variants), to probabilities,
    float32 (n_samples, 2), of control and case. Its last two layers are ``logits`` (dense, 2
    units) and ``probabilities`` (softmax).

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


def last_hidden_model(model: keras.Model) -> keras.Model:
    """Return a model from the same input to the last hidden layer's output, sharing the weights."""
    import keras

    return keras.Model(model.input, weighted_layers(model)[-2].output, name=f"{model.name}_hidden")


def cut_top(model: keras.Model, depth: int) -> keras.Model:
    """Return the top `depth` weighted layers, ending at the logits, as a model that shares them.

    Its input is what the layer below the cut puts out, or the dosages when `depth` takes in all
    weighted layers.
    """
    import keras

    lowest = weighted_layers(model)[-depth]
    end = model.get_layer("logits")
    if depth == len(weighted_layers(model)):
        return keras.Model(model.input, end.output)
    start = model.layers.index(lowest)
    hidden = cut = keras.Input(lowest.input.shape[1:], dtype="float32")
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
