"""Configurations: the networks of a study's sweep, as the rows of Henriques et al. 2025, Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from genotransfer.exome_cnn.settings import Sweep

DENSE_NETWORK, DENSE_FORM, DENSE_LAYERS = "ann_1", "dense", (30, 10)
# What tells one trained network from another.
KEYS = ["protocol", "fold", "configuration"]


@dataclass(frozen=True)
class Configuration:
    """One network and how many people a step of its training takes.

    Attributes
    ----------
    form : ``1d``, ``2d``, ``3d``, or ``dense`` for a network without convolutions.
    filters : of each convolution; 0 where there is none.
    batch_size : people a step.
    layers : units of the dense layers, bottom to top.
    """

    form: str
    filters: int
    batch_size: int
    layers: tuple[int, ...]

    @property
    def name(self) -> str:
        """Key of the configuration, e.g. ``2d_f64_b32_d1000``."""
        filters = f"_f{self.filters}" if self.filters else ""
        return f"{self.form}{filters}_b{self.batch_size}_d{self.written_layers}"

    @property
    def written_layers(self) -> str:
        """The units of the dense layers, e.g. ``500x100``."""
        return "x".join(map(str, self.layers))

    @property
    def network(self) -> str:
        """Key of the network, as trainers take it."""
        if self.form == DENSE_FORM:
            return DENSE_NETWORK
        from genotransfer.models.cnn import name_cnn

        return str(name_cnn(self.form, self.filters, self.layers))


def list_configurations(sweep: Sweep, form: str) -> list[Configuration]:
    """Return the configurations of one form, without doubles, in the order of the study's lists."""
    return list(dict.fromkeys(_combine(sweep, form)))


def _combine(sweep: Sweep, form: str) -> Iterator[Configuration]:
    if form == DENSE_FORM:
        yield from (Configuration(form, 0, size, DENSE_LAYERS) for size in sweep.batch_sizes)
        return
    first, *others = [tuple(one) for one in sweep.layers]
    for filters, size in product(sweep.filters, sweep.batch_sizes):
        yield Configuration(form, filters, size, first)
        if sweep.every:
            yield from (Configuration(form, filters, size, layers) for layers in others)
    if not sweep.every:
        size = sweep.batch_sizes[0]
        yield from (Configuration(form, sweep.filters[0], size, layers) for layers in others)
