"""Parts of the fast trainer: first weights, opened networks, widths, stacks and memory."""

import itertools

import numpy as np
import pytest

from genotransfer.models.initial_weights import draw_weights
from genotransfer.models.networks import NETWORKS, build_network, weighted_layers
from genotransfer.training import devices
from genotransfer.training.forward import ForwardRunner
from genotransfer.training.stacks import split_group
from genotransfer.training.widths import MULTIPLE, PROGRAM_COLUMNS, choose_buckets, choose_width


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(("n_variants", "window"), [(37, None), (37, 5), (40, 5), (3, 50)])
def test_drawn_weights_are_those_of_the_built_network(network, n_variants, window):
    built = build_network(network, n_variants, window=window, seed=9).get_weights()
    drawn = draw_weights(network, n_variants, window=window, seed=9)
    for one, other in zip(built, drawn, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)


@pytest.mark.parametrize("network", NETWORKS)
def test_an_opened_network_puts_out_what_the_whole_one_does(network):
    import keras

    runner = ForwardRunner()
    for n_variants in (1, 30):  # one traced function serves both
        model = build_network(network, n_variants, seed=4)
        x = np.random.default_rng(2).normal(size=(5, n_variants)).astype(np.float32)
        expected = keras.Model(model.input, [layer.output for layer in weighted_layers(model)])(x)
        found = runner.run_layers(network, model.get_weights(), x)
        for one, other in zip(found, expected, strict=True):
            assert np.allclose(one, other, atol=1e-6)
        top = runner.run_top(network, model.get_weights(), found[0], n_variants=n_variants)
        assert np.allclose(top, expected[-1], atol=1e-6)


def cost(widths, buckets):
    return sum(choose_width(width, buckets=buckets) for width in widths) + PROGRAM_COLUMNS * len(buckets)


@pytest.mark.parametrize("seed", range(5))
def test_buckets_cost_least_of_all_choices(seed):
    widths = np.random.default_rng(seed).integers(1, 7000, size=7).tolist()
    widths += widths[:2]
    chosen = choose_buckets(widths)
    tops = sorted({-(-width // MULTIPLE) * MULTIPLE for width in widths})
    choices = (
        choice
        for n in range(1, len(tops) + 1)
        for choice in itertools.combinations(tops, n)
        if choice[-1] == tops[-1]
    )
    assert cost(widths, chosen) == min(cost(widths, choice) for choice in choices)
    assert choose_buckets([]) == ()


def test_groups_are_cut_evenly():
    assert [len(part) for part in split_group(list(range(10)), 4)] == [4, 3, 3]
    assert list(split_group([3, 1, 2], 0)) == [[3], [1], [2]]
    assert list(split_group([3, 1, 2], 9)) == [[3, 1, 2]]


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    machine = devices.measure_memory()
    assert 2**28 < machine < 2**50
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(devices, "CGROUP_LIMITS", (limit,))
    limit.write_text("max\n")
    assert devices.measure_memory() >= machine
    limit.write_text("1048576\n")
    assert devices.measure_memory() == 2**20
    assert devices.choose_memory_budget(0.5) == 2**29
    assert devices.choose_memory_budget() == int(2**20 * devices.SHARE_OF_MACHINE)
