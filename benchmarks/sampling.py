"""Scale a sample of measured trainings to all trainings of a study, with a standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from genotransfer.models.networks import count_trainable_depths, find_network
from genotransfer.training.widths import choose_width

# Upper ends of the classes of panel widths, in SNPs.
CLASSES = {"narrow": 1000, "middle": 5000, "wide": np.inf}
CELL = ["kind", "width_class", "network"]
STRATUM = ["kind", "width_class", "family"]


@dataclass(frozen=True)
class Unit:
    """What is measured together: a base training, and a fine-tuning that starts from it."""

    network: str
    panel: str
    depth: int


@dataclass(frozen=True)
class Scaled:
    """Seconds of all trainings, and their standard error; NaN where a stratum has one measurement."""

    seconds: float
    standard_error: float


def classify_width(n_variants: int) -> str:
    """Return the class of a panel's width."""
    return next(name for name, end in CLASSES.items() if n_variants < end)


def draw_sample(
    widths: dict[str, int], networks: list[str], per_cell: int, generator: np.random.Generator
) -> list[Unit]:
    """Draw panels and depths at random: `per_cell` of each network in each class of widths.

    Parameters
    ----------
    widths : SNPs of each panel, by name.
    networks : keys of networks.
    """
    members: dict[str, list[str]] = {}
    for panel, width in widths.items():
        members.setdefault(classify_width(width), []).append(panel)
    drawn = [
        Unit(network, str(panel), int(generator.integers(1, count_trainable_depths(network) + 1)))
        for panels in members.values()
        for network in networks
        for panel in generator.choice(panels, min(per_cell, len(panels)), replace=False)
    ]
    return [drawn[at] for at in generator.permutation(len(drawn))]


def label_cells(trainings: pd.DataFrame) -> pd.DataFrame:
    """Add the class of the width and the network's family to a table of trainings."""
    return trainings.assign(
        width_class=[classify_width(width) for width in trainings["n_variants"]],
        family=[find_network(network).family for network in trainings["network"]],
    )


def scale_sample(measured: pd.DataFrame, trainings: pd.DataFrame, clock: str = "seconds") -> Scaled:
    """Scale measured trainings to all trainings of a study by counts of trainings and of epochs.

    A training costs its setup (everything but the epochs after the first) and so much for each
    further epoch. A cell is a kind, base or fine-tuned, of a network in a class of widths. The cell's
    means of both costs are multiplied with its number of trainings and of further epochs.

    The standard error takes a measurement's variance from the spread within its stratum, the cells
    of the same kind and class in a family of networks, so real differences between the networks of
    a family count as error: it is too large rather than too small.

    Parameters
    ----------
    measured : a row a measured training: kind, network, n_variants, <clock>_setup, <clock>_per_epoch.
    trainings : a row a training of the study: kind, network, n_variants, epochs.
    clock : ``seconds`` of the wall, or ``cpu``.

    Raises
    ------
    ValueError
        A cell of the study was not measured.
    """
    measured, trainings = label_cells(measured), label_cells(trainings)
    cells = trainings.groupby([*CELL, "family"], as_index=False).agg(
        n=("epochs", "size"), further=("epochs", lambda epochs: (epochs - 1).sum())
    )
    joined = cells.merge(
        measured[[*CELL, f"{clock}_setup", f"{clock}_per_epoch"]], on=CELL, how="left", validate="1:m"
    )
    absent = joined[joined[f"{clock}_setup"].isna()]
    if len(absent):
        raise ValueError(f"not measured: {absent[CELL].agg(' '.join, axis=1).tolist()}")
    # What one training of the cell costs, as this measurement tells.
    joined["each"] = joined[f"{clock}_setup"] + joined[f"{clock}_per_epoch"] * joined["further"] / joined["n"]
    joined["variance"] = joined.groupby(STRATUM)["each"].transform("var")
    by_cell = joined.groupby(CELL).agg(
        n=("n", "first"), each=("each", "mean"), variance=("variance", "first"), measured=("each", "size")
    )
    variance = (by_cell["n"] ** 2 * by_cell["variance"] / by_cell["measured"]).sum(skipna=False)
    return Scaled(float((by_cell["n"] * by_cell["each"]).sum()), float(np.sqrt(variance)))


def scale_reused(measured: pd.DataFrame, trainings: pd.DataFrame, clock: str = "seconds") -> Scaled:
    """Scale as `scale_sample` does, for a loop that compiles one model for each shape.

    A shape is a network, the bucket its width is padded to, and the number of trained layers. The
    first training of a shape costs what it costs the plain loop, the others ``<clock>_setup_again``.
    The wider steps of padded panels are not counted, which is to this loop's advantage.
    """
    shapes = [trainings["network"], [choose_width(n) for n in trainings["n_variants"]], trainings["depth"]]
    first = ~pd.concat([pd.Series(np.asarray(one)) for one in shapes], axis=1).duplicated().to_numpy()
    again = measured.assign(**{f"{clock}_setup": measured[f"{clock}_setup_again"]})
    parts = [scale_sample(measured, trainings[first], clock)]
    if not first.all():
        parts.append(scale_sample(again, trainings[~first], clock))
    # The per-epoch costs are the same measurements in both parts: errors add up at worst.
    return Scaled(sum(part.seconds for part in parts), sum(part.standard_error for part in parts))
