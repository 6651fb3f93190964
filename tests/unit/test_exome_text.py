"""Records of a VCF in text, read many at once: the same as sample by sample, whatever they hold."""

import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genotransfer.errors import InputError
from genotransfer.exome.calls import ANY
from genotransfer.exome.reading import open_variants
from genotransfer.exome.streams import run_ahead
from genotransfer.exome.text_chunks import cut_lines, locate
from genotransfer.exome.text_fields import read_block

FORMS = ["GT", "GT:DP", "GT:DP:GQ", "GT:AD:DP", "GT:AD:DP:GQ", "AD:DP", "DP"]
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
usual_depths = st.one_of(st.integers(0, 120), st.integers(0, 9999)).map(str)
odd_depths = st.sampled_from(
    ["", ".", "007", "999", "1000", "12345", "x", "1x", "12x", "123x", "1234x", "1.5", "-1"]
)
usual_genotypes = st.sampled_from(["0/0", "0/1", "1/1", "./.", "0|1", "2/1", "9|0"])
odd_genotypes = st.sampled_from(["0", ".", "1", "./1", "0|.", "10/0", "0/12", "12", "|1", "/0/1"])


@st.composite
def draw_lines(draw):
    """Draw lines of one file: a FORMAT and texts of the samples each, usual ones and odd ones."""
    n_samples = draw(st.integers(1, 5))
    odd = draw(st.booleans())
    genotypes = st.one_of(usual_genotypes, odd_genotypes) if odd else usual_genotypes
    depths = st.one_of(usual_depths, odd_depths) if odd else usual_depths
    one_form = draw(st.sampled_from(FORMS))
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        form = draw(st.sampled_from(FORMS)) if odd else one_form
        samples = []
        for _ in range(n_samples):
            values = {"GT": draw(genotypes), "DP": draw(depths), "AD": "3,4", "GQ": draw(usual_depths)}
            fields = [values[name] for name in form.split(":")]
            n_given = draw(st.integers(1, len(fields))) if odd else len(fields)
            samples.append(":".join(fields[:n_given]))
        # A line without one tab more than columns has no samples.
        lines.append((form, samples if any(samples) or n_samples > 1 else ["."]))
    return lines


def read_slowly(form, samples):
    """Return the copies of any alternative, of 1, 2 and 10, and the depths; sample by sample."""
    names, copies, depths = form.split(":"), [], []
    for sample in samples:
        fields = dict(zip(names, sample.split(":"), strict=False))
        alleles = re.split("[/|]", fields.get("GT", ".").lstrip("/|"))
        alleles = alleles * (3 - len(alleles))
        copies.append([count(alleles, number) for number in (ANY, 1, 2, 10)])
        depth = fields.get("DP", ".")
        depths.append(int(depth) if depth.isdigit() else -1)
    return np.array(copies).T.tolist(), depths if "DP" in names else None


def count(alleles, number):
    others = set(alleles) - {"0", str(number)}
    if "." in alleles or (number != ANY and others):
        return -1
    return sum(allele != "0" if number == ANY else allele == str(number) for allele in alleles)


def write(path, lines, n_samples, end="\n", last="\n"):
    head = COLUMNS + "".join(f"\ts{at}" for at in range(n_samples))
    rows = [
        f"2\t{at + 1}\t.\tA\tC,G\t50\t.\tA=1:2;DP={at}\t{form}\t" + "\t".join(samples)
        for at, (form, samples) in enumerate(lines)
    ]
    path.write_bytes(f"##fileformat=VCFv4.2\n{head}\n{end.join(rows)}{last}".encode())
    return path


@given(
    lines=draw_lines(),
    chunk=st.sampled_from([1, 60, 300, 1 << 20]),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    last=st.sampled_from(["", "\n", "\r\n"]),
    with_depths=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_many_at_once_is_one_by_one(tmp_path_factory, lines, chunk, end, last, with_depths):
    path = write(tmp_path_factory.getbasetemp() / "drawn.vcf", lines, len(lines[0][1]), end, last)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genotransfer.exome.text_chunks.CHUNK", chunk)
        file = open_variants(path, with_depths=with_depths)
        found = []
        for site in file.sites():
            calls, depths = site.read_calls(), site.read_depths()
            copies = [calls.count(number).tolist() for number in (ANY, 1, 2, 10)]
            found.append((copies, None if depths is None else depths.tolist()))
            assert site.read_info_depth() == site.position - 1
            assert site.row == (1 + 2 * site.position if end == "\n\n" else 2 + site.position)
        file.close()
    assert found == [read_slowly(form, samples) for form, samples in lines]


@pytest.mark.parametrize(
    ("form", "sample", "dtype"),
    [
        ("GT", "0|1", None),
        ("GT:DP", "0/1:7", np.int8),
        ("GT:DP", "./.:.", np.int8),
        ("GT:DP", "1:31", np.int8),
        ("GT:DP:GQ", "0/1:31", np.int8),
        ("GT:AD:DP", "./.", np.int8),
        ("GT:DP:GQ", "0/1:123:9", np.int16),
        ("GT:DP", "0|1:9999", np.int16),
        ("GT:AD:DP:GQ", "0/1:3,4:7:9", np.int8),
    ],
)
def test_usual_lines_are_read_at_once(form, sample, dtype):
    """Else the slow way could stand in for the fast one unseen."""
    line = f"2\t5\t.\tA\tC\t9\t.\tA=1:2\t{form}\t{sample}\t{sample}\n".encode()
    chunk, row = locate(line * 3, 7)
    assert (row, [line.row for line in chunk.lines]) == (10, [7, 8, 9])
    block = read_block(chunk, 2, with_depths=True)
    assert block.usual_calls == [True] * 3
    assert block.copies.tolist() == [[read_slowly(form, [sample])[0][1][0]] * 2] * 3
    if dtype is None:
        assert block.depths is None
    else:
        assert block.depths.dtype == dtype
        assert block.usual_depths == [True] * 3
    assert read_block(chunk, 2, with_depths=False).depths is None
    assert read_block(chunk, 3, with_depths=True) is None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (["0/1:9", "q:9"], r"row 5: 'q' is no number"),
        (["0/1:9", "1-1:9"], r"row 5: '1-1' is no number"),
        (["0/1:9", ":9"], r"row 5: '' is no number"),
        (["0/1:9", "0/1/1:9"], r"row 5: a genotype of 3 alleles, of sample 2"),
        (["0/1:9"], r"row 5: 1 samples where the header has 2"),
        (["0/1:9"] * 3, r"row 5: 3 samples where the header has 2"),
        ([""], r"row 5: 0 samples where the header has 2"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_error_names_the_row_among_good_ones(tmp_path, monkeypatch, bad, message, chunk):
    monkeypatch.setattr("genotransfer.exome.text_chunks.CHUNK", chunk)
    good = ("GT:DP", ["0/1:9", "0/0:9"])
    file = open_variants(write(tmp_path / "x.vcf", [good, good, ("GT:DP", bad), good], 2))
    sites = file.sites()
    for _ in range(2):
        assert next(sites).read_calls().count(1).tolist() == [1, 0]
    site = next(sites)
    with pytest.raises(InputError, match=message):
        site.read_calls()
    assert next(sites).read_calls().count(1).tolist() == [1, 0]
    file.close()


def test_lines_are_cut_anywhere():
    text = b"a\tb\r\n\n" + b"c" * 50 + b"\nd"
    for size in (1, 3, 7, 100):
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        cut = list(cut_lines(pieces))
        assert b"".join(cut) == b"a\tb\n\n" + b"c" * 50 + b"\nd\n"
        assert all(lines.endswith(b"\n") for lines in cut)


def test_running_ahead_keeps_order_errors_and_ends():
    before = threading.active_count()
    closed = []

    def make(n_good):
        try:
            yield from range(1, n_good + 1)
            raise InputError("bad", file="x", remedy="none")
        finally:
            closed.append(n_good)

    ahead = run_ahead(make(5), 2)
    assert [next(ahead) for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="bad"):
        next(ahead)
    stopped = run_ahead(make(1000), 3)
    assert next(stopped) == 1
    stopped.close()
    assert closed == [5, 1000]
    assert threading.active_count() == before
    assert list(run_ahead((one for one in ()), 2)) == []
