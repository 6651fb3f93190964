"""The shipped reference panel, and panels in HAPGEN2's files."""

import gzip
import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from genotransfer.errors import InputError, StudyError
from genotransfer.genotypes import VARIANT_COLUMNS
from genotransfer.simulation.genetic_map import read_genetic_map
from genotransfer.simulation.make_panel import MIN_MAF, SEED, draw_alleles, write_panel
from genotransfer.simulation.panel import SHIPPED_MAP, SHIPPED_PANEL, load_shipped_panel, read_hapgen_panel

PANELS = files("genotransfer.simulation") / "panels"
LEGEND = Path(__file__).parents[1] / "data" / "haplotypes" / "hapgen2.legend"


@pytest.fixture(scope="module")
def shipped():
    return {population: load_shipped_panel(population) for population in ("CEU", "YRI")}


def test_shipped_panel_has_the_counts_its_maker_states(shipped):
    common = {}
    for population, panel in shipped.items():
        assert panel.haplotypes.shape == (120, 162_861)
        assert panel.haplotypes.dtype == np.uint8
        assert panel.haplotypes.max() == 1
        common[population] = np.minimum(panel.frequencies, 1 - panel.frequencies) >= MIN_MAF
    assert common["CEU"].sum() == 82_408
    assert common["YRI"].sum() == 137_984
    assert (common["CEU"] & common["YRI"]).sum() == 57_531
    assert (common["CEU"] | common["YRI"]).all()


def test_shipped_variants_are_shared_ascending_and_named_after_position_and_alleles(shipped):
    variants = shipped["CEU"].variants
    pd.testing.assert_frame_equal(variants, shipped["YRI"].variants)
    assert list(variants.columns) == VARIANT_COLUMNS
    assert (np.diff(variants["position"]) > 0).all()
    assert variants["position"].between(13_000_000, 46_700_000).all()
    assert variants["id"].is_unique
    named = (
        variants["chromosome"]
        + ":"
        + variants["position"].astype(str)
        + ":"
        + variants["other"]
        + ":"
        + variants["counted"]
    )
    assert (named == variants["id"]).all()


def test_shipped_cm_is_the_map_interpolated_by_hand(shipped):
    with gzip.open(PANELS / SHIPPED_MAP, "rt") as file:
        rows = [line.split() for line in file][1:]
    points = [(int(position), float(cm)) for position, _, cm in rows]
    variants = shipped["CEU"].variants
    for at in (5, 40_000, 100_000, 162_000):
        position = int(variants["position"].iloc[at])
        right = next(i for i, (where, _) in enumerate(points) if where >= position)
        (x0, y0), (x1, y1) = points[right - 1], points[right]
        expected = y0 + (y1 - y0) * (position - x0) / (x1 - x0)
        assert variants["cm"].iloc[at] == pytest.approx(expected, abs=1e-12)
    assert (np.diff(variants["cm"]) >= 0).all()


def test_two_thirds_of_shipped_variants_are_transitions(shipped):
    pairs = shipped["CEU"].variants["other"] + shipped["CEU"].variants["counted"]
    transitions = pairs.isin(["AG", "GA", "CT", "TC"])
    assert (pairs.str[0] != pairs.str[1]).all()
    assert binomtest(int(transitions.sum()), len(pairs), 2 / 3).pvalue > 1e-3


def test_shipped_file_is_small_unpickled_and_says_its_origin():
    path = PANELS / SHIPPED_PANEL
    assert len(path.read_bytes()) < 5.5e6
    with np.load(path, allow_pickle=False) as stored:
        origin = json.loads(str(stored["origin"]))
    assert (origin["demography"], origin["seed"]) == ("OutOfAfrica_3G09", SEED)


def test_other_populations_are_refused_by_name():
    with pytest.raises(StudyError, match=r"'CHB'.*CEU and YRI"):
        load_shipped_panel("CHB")


def test_a_panel_written_by_its_maker_unpacks_to_what_went_in(tmp_path):
    generator = np.random.default_rng(1)
    positions = np.sort(generator.choice(10**6, size=37, replace=False))
    haplotypes = {name: generator.integers(2, size=(8, 37), dtype=np.uint8) for name in ("CEU", "YRI")}
    alleles = draw_alleles(37, seed=2)
    write_panel(tmp_path / "panel.npz", positions, alleles, haplotypes, {"seed": 1})
    with np.load(tmp_path / "panel.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(np.cumsum(stored["position_steps"]), positions)
        np.testing.assert_array_equal(stored["alleles"], alleles)
        for name, matrix in haplotypes.items():
            np.testing.assert_array_equal(np.unpackbits(stored[name], axis=1, count=37), matrix)


def write_hapgen_files(folder, panel, suffix=""):
    """Write a panel in HAPGEN2's three files, each variant's map point exact."""
    variants = panel.variants
    texts = {
        "hap": "\n".join(" ".join(map(str, row)) for row in panel.haplotypes.T) + "\n",
        "legend": "rs position X0 X1\n"
        + "".join(
            f"{i} {p} {x0} {x1}\n"
            for i, p, x0, x1 in zip(
                variants["id"], variants["position"], variants["other"], variants["counted"], strict=True
            )
        ),
        "map": "position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n"
        + "".join(f"{p} 1.0 {cm!r}\n" for p, cm in variants[["position", "cm"]].itertuples(index=False)),
    }
    paths = []
    for name, text in texts.items():
        path = folder / f"panel.{name}{suffix}"
        path.write_bytes(gzip.compress(text.encode()) if suffix else text.encode())
        paths.append(path)
    return paths


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_hapgen_files_round_trip(tmp_path, shipped, suffix):
    panel = shipped["YRI"].select_variants(np.arange(50_000, 50_400))
    paths = write_hapgen_files(tmp_path, panel, suffix)
    read = read_hapgen_panel(*paths, population="YRI", chromosome="21", build="GRCh38")
    pd.testing.assert_frame_equal(read.variants, panel.variants)
    np.testing.assert_array_equal(read.haplotypes, panel.haplotypes)
    assert (read.population, read.chromosome, read.build) == ("YRI", "21", "GRCh38")


def test_a_genuine_hapgen2_legend_is_read(tmp_path):
    matrix = np.random.default_rng(4).integers(2, size=(1000, 6))
    hap, genetic_map = tmp_path / "a.hap", tmp_path / "a.map"
    np.savetxt(hap, matrix, fmt="%d")
    genetic_map.write_text("position rate cM\n40000 1 0\n100000 1 0.06\n")
    panel = read_hapgen_panel(hap, LEGEND, genetic_map, population="CEU", chromosome="22")
    first = panel.variants.iloc[0]
    assert (first["id"], first["position"], first["other"], first["counted"]) == (
        "rs10399749",
        45162,
        "C",
        "T",
    )
    assert first["cm"] == pytest.approx(0.06 * 5162 / 60000)
    np.testing.assert_array_equal(panel.haplotypes, matrix.T)


def test_the_shipped_map_is_read_by_its_three_columns():
    with gzip.open(PANELS / SHIPPED_MAP, "rt") as file:
        n_rows = sum(1 for _ in file) - 1
    genetic_map = read_genetic_map(Path(str(PANELS / SHIPPED_MAP)))
    assert len(genetic_map.positions) == n_rows
    assert (genetic_map.cm[0], genetic_map.cm[-1]) == (0.584144, 62.786478)
    np.testing.assert_array_equal(genetic_map.interpolate(np.array([1, 10**9])), [0.584144, 62.786478])


GOOD = {
    "hap": "0 1 1 0\n1 1 0 0\n0 0 0 1\n",
    "legend": "rs position X0 X1\na 10 A C\nb 20 G T\nc 30 A G\n",
    "map": "position rate cM\n5 1 0.0\n15 1 0.1\n40 1 0.4\n",
}


@pytest.mark.parametrize(
    ("name", "old", "new", "problem", "row"),
    [
        ("hap", "1 1 0 0\n", "", "2 rows of haplotypes where the legend .* has 3", None),
        ("hap", "1 1 0 0", "1 2 0 0", "'2' is neither 0 nor 1", 2),
        ("hap", "1 1 0 0", "1 10 0", "'10' is neither 0 nor 1", 2),
        ("hap", "1 1 0 0", "1 -1 0 0", "'-1' is neither", 2),
        ("hap", "0 0 0 1", "0 0 0", "3 haplotypes where the rows before have 4", 3),
        ("legend", "b 20 G T", "b 5 G T", "below the one before", 3),
        ("legend", "b 20 G T", "a 20 G T", "'a' stands twice", 3),
        ("legend", "b 20 G T", "b x G T", "'x' is no number", 3),
        ("legend", "b 20 G T", "b 20.5 G T", "'20.5' is no position", 3),
        ("legend", "b 20 G T", "b 20 G", "3 columns where the header has 4", 3),
        ("legend", "b 20 G T", "b 20 G G", "alleles are the same", 3),
        ("legend", "X0 X1", "one two", "no column for x0, x1", 1),
        ("legend", "\na 10 A C\nb 20 G T\nc 30 A G", "", "no row below the header", None),
        ("map", "15 1 0.1", "15 1 0.5", "goes down, from 0.5 to 0.4", 4),
        ("map", "15 1 0.1", "5 1 0.1", "does not exceed", 3),
        ("map", "15 1 0.1", "15 1 nan", "'nan' is no number", 3),
        ("map", "rate cM", "rate distance", "no column for cm", 1),
    ],
)
def test_a_bad_file_is_refused_with_its_row(tmp_path, name, old, new, problem, row):
    texts = GOOD | {name: GOOD[name].replace(old, new)}
    assert texts != GOOD
    paths = {}
    for which, text in texts.items():
        paths[which] = tmp_path / f"panel.{which}"
        paths[which].write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        read_hapgen_panel(paths["hap"], paths["legend"], paths["map"], population="A", chromosome="1")
    assert caught.value.file == paths[name]
    assert caught.value.row == row
    assert re.search(r"\. [A-Z].*\.$", str(caught.value))


@pytest.mark.parametrize("damage", ["absent", "truncated", "not gzip"])
def test_an_unreadable_file_is_refused(tmp_path, damage):
    path = tmp_path / "panel.map.gz"
    whole = gzip.compress(GOOD["map"].encode() * 100)
    if damage != "absent":
        path.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"position rate cM\n")
    says = {"absent": "there is no such file", "truncated": "is damaged", "not gzip": "is damaged or is none"}
    with pytest.raises(InputError, match=says[damage]):
        read_genetic_map(path)
