"""What is written as statistics or as a score is read back, whatever the numbers and the order."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genotransfer.genotypes import Genotypes
from genotransfer.models.predictors import ScorePredictor
from genotransfer.models.scoring_files import write_scoring_file
from genotransfer.models.standardise import Standardiser
from genotransfer.summary import COLUMNS, align_statistics, detect_format, read_statistics
from genotransfer.summary.statistics import clean_statistics
from tests.genotype_support import make_samples, make_variants, unambiguous_alleles
from tests.summary_support import describe

effects = st.floats(-5, 5, allow_subnormal=False)
rows = st.lists(
    st.tuples(effects, st.floats(1e-6, 10), st.floats(0, 1), unambiguous_alleles), min_size=1, max_size=12
)


def tabulate(drawn):
    table = describe(len(drawn))
    table["beta"], table["se"], table["frequency"] = (
        np.array(part) for part in list(zip(*drawn, strict=True))[:3]
    )
    table["counted"] = [pair[0] for *_, pair in drawn]
    table["other"] = [pair[1] for *_, pair in drawn]
    return table


@settings(max_examples=25, deadline=None)
@given(rows, st.sampled_from("\t, "), st.randoms(use_true_random=False))
def test_a_table_is_read_as_it_was_written(drawn, separator, random):
    statistics = clean_statistics(tabulate(drawn), scale="linear")
    order = list(COLUMNS)
    random.shuffle(order)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        statistics.variants[order].to_csv(path, sep=separator, index=False, na_rep="NA")
        assert detect_format(path) == "table"
        read = read_statistics(path, scale="linear")
    for column in COLUMNS:
        ours, theirs = statistics.variants[column], read.variants[column]
        if ours.dtype == np.float64:
            np.testing.assert_array_equal(theirs, ours)
        else:
            assert theirs.tolist() == ours.tolist()


@settings(max_examples=25, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_our_own_scoring_file_gives_its_score_in_any_fileset(drawn, random):
    table = tabulate(drawn)
    centre = Standardiser(np.zeros(len(table)), np.ones(len(table)))
    predictor = ScorePredictor(table, centre, "x", table["beta"].to_numpy(), 0.5)
    m = len(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "score.txt"
        write_scoring_file(path, predictor)
        assert detect_format(path) == "pgs-catalog"
        read = read_statistics(path)
        swapped = [random.random() < 0.5 for _ in range(m)]
        order = random.sample(range(m), m)
        pairs = [
            (b + a if swap else a + b)
            for a, b, swap in zip(table["counted"], table["other"], swapped, strict=True)
        ]
        variants = make_variants(m, pairs).iloc[order].reset_index(drop=True)
        dosages = np.random.default_rng(m).integers(0, 3, (5, m)).astype(np.int8)
        genotypes = Genotypes.from_dosages(Path(folder) / "g", dosages[:, order], variants, make_samples(5))
        aligned = align_statistics(read, genotypes, match_by="id")
        score = aligned.genotypes.read() @ aligned.statistics.variants["beta"].to_numpy()
    assert read.ready
    copies = np.where(swapped, 2 - dosages, dosages)
    np.testing.assert_allclose(score - score[0], (copies - copies[0]) @ table["beta"], atol=1e-9)
