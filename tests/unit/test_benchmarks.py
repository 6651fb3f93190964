"""What the benchmarks compute from what they measure: operations, scaled samples, shares of time."""

import time

import numpy as np
import pandas as pd
import pytest

from benchmarks.arithmetic import count_flops, count_multiplications
from benchmarks.clocks import TimedTrainer
from benchmarks.endtoend import divide_time, find_intervals
from benchmarks.processes import find_best_order, find_makespan
from benchmarks.sampling import draw_sample, scale_reused, scale_sample
from benchmarks.scale import draw_cohort
from genotransfer.models.networks import NETWORKS, build_network, count_trainable_depths
from genotransfer.models.standardise import Standardiser
from genotransfer.splits import LabelledSamples
from genotransfer.training.api import get_trainer
from genotransfer.training.jobs import TrainingJob, TrainingSettings


@pytest.mark.parametrize("network", NETWORKS)
def test_multiplications_are_the_entries_of_the_kernels(network):
    """Each entry of a kernel is multiplied once for a sample; states of zero and biases are not."""
    model = build_network(network, 13, seed=0)
    by_layer = {}
    for layer in model.layers:
        for weight in layer.weights:
            if weight.path.endswith("/kernel"):
                by_layer[layer.name] = by_layer.get(layer.name, 0) + int(np.prod(weight.shape))
    assert count_multiplications(network, 13) == list(by_layer.values())


def test_flops_of_one_training_by_hand():
    # ann_1 on 5 SNPs: 5 x 30, 30 x 10 and 10 x 2 multiply-adds a sample.
    assert count_multiplications("ann_1", 5) == [150, 300, 20]
    # All layers: forward 470; back 470 for the weights and 320 for the inputs of the upper two.
    assert count_flops("ann_1", 5, 3, n_train=7, n_validation=2, epochs=4) == 2 * 4 * (7 * 1260 + 2 * 470)
    # The top two: forward 320, back 320 and 20; 9 samples once through the frozen one.
    assert count_flops("ann_1", 5, 2, n_train=7, n_validation=2, epochs=4) == 2 * (
        4 * (7 * 660 + 2 * 320) + 9 * 150
    )
    with pytest.raises(ValueError, match="no 4 layers"):
        count_flops("ann_1", 5, 4, 7, 2, 4)


def measure(*rows):
    names = ["kind", "network", "n_variants", "seconds_setup", "seconds_per_epoch", "seconds_setup_again"]
    return pd.DataFrame(rows, columns=names)


def train(*rows):
    return pd.DataFrame(rows, columns=["kind", "network", "n_variants", "depth", "epochs"])


def test_a_sample_is_scaled_by_trainings_and_epochs():
    measured = measure(
        ("base", "gru_1", 400, 2.0, 0.1, 0.5),
        ("base", "gru_1", 700, 4.0, 0.3, 0.7),
        ("base", "gru_2", 10, 5.0, 0.2, 1.0),
        ("base", "gru_1", 6000, 9.0, 1.0, 1.0),
        ("base", "gru_2", 6000, 9.0, 1.0, 1.0),
    )
    trainings = train(
        ("base", "gru_1", 90, 3, 11),
        ("base", "gru_1", 999, 3, 21),
        ("base", "gru_2", 500, 5, 31),
        ("base", "gru_1", 5000, 3, 2),
    )
    scaled = scale_sample(measured, trainings)
    # gru_1 below 1,000: 2 trainings of 15 further epochs on average, 2 + 1.5 = 3.5 and 4 + 4.5 = 8.5;
    # gru_2: 5 + 6 = 11; gru_1 from 5,000 on: 9 + 1.
    assert scaled.seconds == pytest.approx(2 * (3.5 + 8.5) / 2 + 11 + 10)
    # 3.5, 8.5 and 11 are one stratum of variance 175/12; the wide stratum tells one number only.
    assert np.isnan(scaled.standard_error)
    narrow = scale_sample(measured, trainings[:3])
    assert narrow.standard_error == pytest.approx(np.sqrt(175 / 12 * (2**2 / 2 + 1**2 / 1)))


def test_a_cell_that_was_not_measured_is_an_error():
    measured = measure(("base", "gru_1", 400, 2.0, 0.1, 0.5))
    with pytest.raises(ValueError, match="fine narrow gru_1"):
        scale_sample(measured, train(("fine", "gru_1", 400, 1, 5)))


def test_a_reused_model_is_set_up_once_for_each_shape():
    measured = measure(("base", "ann_1", 400, 2.0, 0.1, 0.5), ("fine", "ann_1", 400, 1.0, 0.1, 0.2))
    trainings = train(
        ("base", "ann_1", 10, 3, 1),
        ("base", "ann_1", 200, 3, 11),  # padded to the width of the first: compiled already
        ("base", "ann_1", 900, 3, 1),
        ("fine", "ann_1", 900, 3, 1),  # the whole network again
        ("fine", "ann_1", 900, 1, 1),
    )
    assert scale_reused(measured, trainings).seconds == pytest.approx(2 + (0.5 + 1.0) + 2 + 0.2 + 1)


def test_a_sample_has_every_network_in_every_class():
    widths = {"a": 3, "b": 900, "c": 1000, "d": 6000, "e": 40}
    units = draw_sample(widths, ["ann_1", "lstm_2"], 2, np.random.default_rng(3))
    narrow = {"a", "b", "e"}
    for network in ("ann_1", "lstm_2"):
        panels = [unit.panel for unit in units if unit.network == network]
        assert len(panels) == len(set(panels)) == 4
        assert len(narrow & set(panels)) == 2
        assert {"c", "d"} <= set(panels)
    assert all(1 <= unit.depth <= count_trainable_depths(unit.network) for unit in units)


def test_chains_are_taken_up_in_order():
    seconds = {"ann": 4.0, "gru": 1.0, "lstm": 2.0, "bilstm": 5.0}
    # ann beside gru, lstm (to 3), then bilstm (to 8); the best is bilstm and gru beside ann and lstm.
    assert find_makespan(seconds, ["ann", "gru", "lstm", "bilstm"]) == 8
    assert find_makespan(seconds, find_best_order(seconds)) == 6
    assert find_makespan(seconds, list(seconds), slots=1) == 12


def test_time_of_a_run_is_divided():
    def tell(task, item, began, ended):
        return [
            {"task": task, "item": item, "event": "began", "time": began},
            {"task": task, "item": item, "event": "progressed", "time": began, "done": 1, "total": 2},
            {"task": task, "item": item, "event": "ended", "time": ended},
        ]

    events = [
        *tell("plan_study", "", 102, 103),
        *tell("train_source_models", "ann", 105, 110),
        *tell("train_source_models", "gru", 106, 108),
        *tell("transfer_models", "ann", 109, 112),
    ]
    events.sort(key=lambda event: event["time"])
    found = divide_time(find_intervals(events), wall=20)
    assert found.by_task == {"plan_study": 1, "train_source_models": 7, "transfer_models": 3}
    assert found.training_share == pytest.approx(7 / 20)  # from 105 to 112
    assert found.none_share == pytest.approx(1 - 8 / 20)
    assert found.overhead_share == pytest.approx(1 - 11 / 40)


def test_only_the_trainers_own_time_is_counted():
    rng = np.random.default_rng(0)
    train, validation = (
        LabelledSamples(rng.integers(0, 3, (n, 5)).astype(np.int8), rng.integers(0, 2, n).astype(np.int8))
        for n in (40, 8)
    )
    standardiser = Standardiser.fit(train.dosages)
    slow = 0.2

    def make_jobs():
        for key in ("first", "second"):
            time.sleep(slow)
            yield TrainingJob(key, "ann_1", train, validation, standardiser, seed=1)

    timed = TimedTrainer(get_trainer("keras"))
    began = time.perf_counter()
    for _ in timed.train_networks(make_jobs(), TrainingSettings(epochs=2)):
        time.sleep(slow)
    took = time.perf_counter() - began
    assert 0 < timed.watch.seconds <= took - 4 * slow
    assert timed.watch.cpu_seconds > 0
    fact = {"kind": "base", "network": "ann_1", "n_variants": 5, "depth": 3}
    assert timed.trainings == 2 * [fact | {"n_train": 40, "n_validation": 8, "epochs": 2}]


def test_a_large_cohort_is_drawn_block_by_block_with_a_signal():
    large, small = draw_cohort(4100, 30), draw_cohort(2000, 30)
    assert np.array_equal(large.dosages[:2000], small.dosages)
    assert set(np.unique(large.dosages)) == {0, 1, 2}
    assert 0.4 < large.labels.mean() < 0.6
    # The labels follow the planted SNPs: half the variance of the liability.
    split = [large.dosages[large.labels == label].mean(axis=0) for label in (0, 1)]
    assert (split[1] - split[0] > 0.1).sum() >= 10
