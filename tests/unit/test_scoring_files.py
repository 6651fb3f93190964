"""Polygenic scores on file: they come back as they were, and a file that is not right is named."""

import json

import numpy as np
import pandas as pd
import pytest

from genotransfer.errors import InputError
from genotransfer.models.archives import hash_file
from genotransfer.models.predictors import ScorePredictor
from genotransfer.models.standardise import Standardiser
from genotransfer.models.store import load_predictor, save_predictor

VARIANTS = pd.DataFrame(
    {"id": [f"rs{at}" for at in range(6)], "counted": list("ACGTAC"), "other": list("CGTACG")}
)


def make_score(constant=0.25):
    rng = np.random.default_rng(4)
    centre = Standardiser(rng.uniform(0, 2, 6), np.ones(6))
    return ScorePredictor(VARIANTS, centre, "susie", rng.standard_normal(6) / 3, constant)


@pytest.fixture
def saved(tmp_path):
    save_predictor(tmp_path / "best", make_score())
    return tmp_path / "best"


@pytest.mark.parametrize("constant", [0.25, -1e-17, np.float64(1 / 3)])
def test_a_round_trip_gives_the_same_score_to_the_last_bit(tmp_path, constant):
    score = make_score(constant)
    save_predictor(tmp_path / "best", score)
    loaded = load_predictor(tmp_path / "best")
    assert isinstance(loaded, ScorePredictor)
    assert np.array_equal(loaded.effects, score.effects)
    assert (loaded.constant, loaded.score_name) == (constant, "susie")
    pd.testing.assert_frame_equal(loaded.variants, VARIANTS)
    dosages = np.random.default_rng(5).integers(-1, 3, (50, 6)).astype(np.int8)
    assert np.array_equal(loaded.score(dosages), score.score(dosages))
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == ["predictor.json", "score.txt"]


def test_log_odds_are_a_sum_over_centred_dosages():
    score = make_score()
    dosages = np.random.default_rng(6).integers(-1, 3, (40, 6)).astype(np.int8)
    probability = score.score(dosages)
    for person, found in zip(dosages, probability, strict=True):
        log_odds = score.constant
        for at, copies in enumerate(person):
            if copies >= 0:
                log_odds += (copies - score.standardiser.mean[at]) * score.effects[at]
        assert np.log(found / (1 - found)) == pytest.approx(log_odds, abs=1e-5)


def test_the_file_is_the_catalogs_layout(saved):
    """A header of # lines, then tab-separated columns of the PGS Catalog's names."""
    text = (saved / "score.txt").read_text()
    assert text.startswith("###PGS CATALOG SCORING FILE\n#format_version=2.0\n")
    table = pd.read_csv(saved / "score.txt", sep="\t", comment="#")
    assert list(table) == ["rsID", "effect_allele", "other_allele", "effect_weight"]
    assert (
        table[["rsID", "effect_allele", "other_allele"]].to_numpy().tolist() == VARIANTS.to_numpy().tolist()
    )
    assert table["effect_weight"].to_numpy() == pytest.approx(make_score().effects, rel=1e-14)


def sign(folder):
    """Write the changed file's hash into the manifest, so that its content is what is judged."""
    manifest = json.loads((folder / "predictor.json").read_text())
    manifest["sha256"]["score.txt"] = hash_file(folder / "score.txt")
    (folder / "predictor.json").write_text(json.dumps(manifest))


def edit(old, new):
    return lambda text: text.replace(old, new)


def edit_row(number, change):
    """Change the fields of a row, counted from the end."""

    def changed(text):
        lines = text.splitlines()
        lines[-number] = "\t".join(change(lines[-number].split("\t")))
        return "\n".join(lines) + "\n"

    return changed


FAULTS = {
    "a weight that is no number": (edit_row(2, lambda row: [*row[:3], "strong"]), "no scoring file"),
    "a weight that is missing": (edit_row(2, lambda row: row[:3]), "each row must have"),
    "an empty weight": (edit_row(2, lambda row: [*row[:3], ""]), "no scoring file"),
    "an infinite weight": (edit_row(2, lambda row: [*row[:3], "inf"]), "not a finite number"),
    "a weight that is NaN": (edit_row(2, lambda row: [*row[:3], "nan"]), "not a finite number"),
    "one column more": (edit_row(2, lambda row: [*row, "1"]), "each row must have"),
    "columns of other names": (edit("effect_weight", "beta"), "each row must have"),
    "a column twice": (edit("other_allele\t", "effect_weight\t"), "each row must have"),
    "another constant": (edit("mean_dosages=0.25", "mean_dosages=half"), "no scoring file"),
    "an infinite constant": (edit("mean_dosages=0.25", "mean_dosages=-inf"), "not a finite number"),
    "no constant": (edit("#log_odds_at_mean_dosages=0.25\n", ""), "log_odds_at_mean_dosages"),
    "no name": (edit("#pgs_name=susie\n", ""), "pgs_name"),
    "no table": (lambda text: text[: text.index("rsID")], "each row must have"),
    "nothing": (lambda _: "", "each row must have"),
    "cut short": (lambda text: text[: text.rindex("rs5")], "other variants"),
    "another variant": (edit("rs3\t", "rs33\t"), "other variants"),
    "another allele": (edit_row(1, lambda row: [row[0], row[2], row[1], row[3]]), "other variants"),
    "rows in another order": (
        lambda text: "\n".join([*text.splitlines()[:-2], *text.splitlines()[:-3:-1]]) + "\n",
        "other variants",
    ),
    "bytes that are no text": (lambda text: text.encode() + b"\xff\xfe", "no scoring file"),
}


@pytest.mark.parametrize(("change", "says"), FAULTS.values(), ids=FAULTS)
def test_a_file_that_is_not_right_is_named(saved, change, says):
    path = saved / "score.txt"
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_bytes(after if isinstance(after, bytes) else after.encode())
    with pytest.raises(InputError, match="sha256") as caught:
        load_predictor(saved)
    assert caught.value.file == path
    sign(saved)
    with pytest.raises(InputError, match=says) as caught:
        load_predictor(saved)
    assert caught.value.file == path
    assert str(path) in str(caught.value)
    assert caught.value.remedy


def test_an_absent_file_is_named(saved):
    (saved / "score.txt").unlink()
    with pytest.raises(InputError, match="absent") as caught:
        load_predictor(saved)
    assert caught.value.file == saved / "score.txt"


def test_a_manifest_of_other_variants_is_told(saved):
    path = saved / "predictor.json"
    manifest = json.loads(path.read_text())
    for name in ("variants", "mean", "sd"):
        manifest[name] = manifest[name][:-1]
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="other variants than its manifest") as caught:
        load_predictor(saved)
    assert caught.value.file == saved / "score.txt"
