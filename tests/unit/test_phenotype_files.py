"""Phenotype files: cohorts' files read as PLINK reads them, and a study's table there and back."""

import gzip
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genotransfer.errors import InputError, StudyError
from genotransfer.genotypes import Genotypes
from genotransfer.phenotypes import read_phenotype_table, read_phenotypes, write_phenotypes

COHORT = Path(__file__).parents[1] / "data" / "phenotypes" / "afr.pheno.tsv"


@pytest.fixture
def write(tmp_path):
    def write_text(text, name="cohort.txt"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_text


def test_threshold_gives_the_cohorts_own_binary_phenotype():
    cut = read_phenotypes(COHORT, "y", threshold=-1.727)
    binary = read_phenotypes(COHORT, "y.binary")
    np.testing.assert_array_equal(cut.table["phenotype"], binary.table["phenotype"])
    assert (cut.threshold, binary.threshold) == (-1.727, None)
    assert list(cut.table.columns) == ["FID", "IID", "value", "phenotype"]
    assert (len(cut.table), cut.n_missing, cut.n_not_genotyped, cut.n_without_phenotype) == (120, 0, 0, 0)
    assert cut.table["phenotype"].dtype == np.int8


def test_mean_threshold_is_of_the_samples_kept():
    everyone = read_phenotypes(COHORT, "y", threshold="mean")
    some = [f"afr2_{number}" for number in range(10030, 10000, -1)]
    read = read_phenotypes(COHORT, "y", threshold="mean", samples=[*some, "stranger"])
    frame = pd.read_csv(COHORT, sep="\t").set_index("IID").loc[some]
    assert read.threshold == pytest.approx(frame["y"].mean())
    assert read.threshold != everyone.threshold
    assert list(read.table["IID"]) == some
    np.testing.assert_array_equal(read.table["phenotype"] == 1, frame["y"] > frame["y"].mean())
    assert (read.n_not_genotyped, read.n_without_phenotype) == (90, 1)


@pytest.mark.parametrize(
    ("codes", "phenotypes", "n_missing"),
    [
        ("0 1 1 0", [0, 1, 1, 0], 0),
        ("1 2 2 1", [0, 1, 1, 0], 0),
        ("0 1 2 -9", [0, 1], 2),
        ("0 NA 1 -9.0", [0, 1], 2),
    ],
)
def test_binary_codes(write, codes, phenotypes, n_missing):
    rows = "".join(f"f{i} s{i} {code}\n" for i, code in enumerate(codes.split()))
    read = read_phenotypes(write(f"FID IID case\n{rows}"), "case")
    assert list(read.table["phenotype"]) == phenotypes
    assert read.n_missing == n_missing


def test_code_is_the_files_not_the_subsets(write):
    """A subset without cases in a 1/2 file has controls, coded 1, and not cases of a 0/1 file."""
    path = write("IID case\na 1\nb 1\nc 2\n")
    assert list(read_phenotypes(path, "case").table["phenotype"]) == [0, 0, 1]
    with pytest.raises(InputError, match="all 2 samples are controls"):
        read_phenotypes(path, "case", samples=["a", "b"])


@pytest.mark.parametrize("delimiter", ["\t", ",", "  "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_line_ends(tmp_path, delimiter, end):
    rows = [["#IID", "height", "x"], ["a", "1.5", "u"], ["b", "NA", "v"], ["c", "-2e-1", "w"]]
    text = end.join(delimiter.join(row) for row in rows) + end + end
    path = tmp_path / "cohort.txt.gz"
    path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    read = read_phenotypes(path, "height", threshold="zero")
    assert read.table.to_dict("list") == {
        "FID": ["0", "0"],
        "IID": ["a", "c"],
        "value": [1.5, -0.2],
        "phenotype": [1, 0],
    }
    assert read.n_missing == 1


def test_quotes_and_empty_values(write):
    path = write('"eid","bmi","note"\n"1","25.1","a, b"\n"2","","c"\n"3","31",""\n')
    read = read_phenotypes(path, "bmi", iid_column="eid", threshold=30)
    assert list(read.table["IID"]) == ["1", "3"]
    assert list(read.table["phenotype"]) == [0, 1]
    assert read.n_missing == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FID IID z\na a 1\nb b 2\n", r"row 1: there is no column 'y'. Name one of: FID, IID, z"),
        ("FID ID y\na a 1\n", r"row 1: there is no column 'IID'. Name one of: FID, ID, y"),
        ("IID y y\na 1 2\n", r"row 1: 2 columns are named 'y'"),
        ("IID y\na 1\n\nb tall\n", r"row 4: 'tall' in column 'y' is not a number"),
        ("IID y\na 1\nb inf\n", r"row 3: 'inf' in column 'y' is not a number"),
        ("IID y\na 1\nb 1_0\n", r"row 3: '1_0' in column 'y' is not a number"),
        ("IID y\na 1\nb 2\na 2\n", r"row 4: sample 'a' was already in row 2"),
        ("IID\ty\na\t1\n\t2\n", r"row 3: there is no IID"),
        ("IID y\na 1\nb 2 3\n", r"row 3: the row has 3 fields, but the header has 2"),
        ("IID y\na 1\nb 1\n", r"one class only: all 2 samples are cases, above 0.5"),
        ("IID y\na 0.3\nb 1.7\nc 2\n", r"not binary: it has 3 values from 0.3 to 2. Set a threshold"),
        ("IID y\na NA\nb -9\n", r"no sample has a value in column 'y'"),
        ("IID y\n", r"the file has no samples"),
        ("", r"the file is empty"),
    ],
)
def test_what_is_wrong_is_named(write, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_phenotypes(write(text), "y")
    assert "cohort.txt" in str(caught.value)


def test_samples_of_another_cohort():
    message = "none of the 120 samples with a value is among the 2 genotyped ones; .* the genotypes 'NA12878'"
    with pytest.raises(InputError, match=message):
        read_phenotypes(COHORT, "y", threshold="mean", samples=["NA12878", "NA12891"])


def test_unusable_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_phenotypes(tmp_path / "absent.tsv", "y")
    binary = tmp_path / "x.bed"
    binary.write_bytes(b"\x6c\x1b\x01\xff\xfe")
    with pytest.raises(InputError, match="cannot be read as text"):
        read_phenotypes(binary, "y")
    cut = tmp_path / "x.tsv.gz"
    cut.write_bytes(gzip.compress(b"IID y\na 1\n")[:-9])
    with pytest.raises(InputError, match="the gzip file is damaged"):
        read_phenotypes(cut, "y")


def test_unknown_threshold():
    with pytest.raises(StudyError, match="'mean', 'zero' or a number, not 'median'"):
        read_phenotypes(COHORT, "y", threshold="median")


IDS = st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters='"'), min_size=1)


@settings(max_examples=50)
@given(data=st.data(), iids=st.lists(IDS, min_size=1, max_size=12, unique=True))
def test_table_round_trip(tmp_path_factory, data, iids):
    def column(values):
        return data.draw(st.lists(values, min_size=len(iids), max_size=len(iids)))

    table = pd.DataFrame({"FID": column(IDS), "IID": iids})
    table["phenotype"] = np.array(column(st.sampled_from([0, 1])), dtype=np.int8)
    if data.draw(st.booleans()):
        table["split"] = column(st.sampled_from(["TD", "VD", "ED", "FD", ""]))
    if data.draw(st.booleans()):
        table["value"] = column(st.one_of(st.floats(allow_infinity=False), st.just(-9.0)))
    path = tmp_path_factory.mktemp("table") / "phenotypes.tsv"
    write_phenotypes(path, table)
    pd.testing.assert_frame_equal(read_phenotype_table(path), table, check_exact=True)
    assert [one.name for one in path.parent.iterdir()] == ["phenotypes.tsv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phenotype": [0, 2]}, "not 0 .control. or 1 .case."),
        ({"IID": ["a", "a"]}, "doubled"),
        ({"IID": ["a", "b c"]}, "blank"),
        ({"FID": ["", "f"]}, "empty"),
    ],
)
def test_unwritable_tables_leave_the_old_file(tmp_path, change, message):
    table = pd.DataFrame({"FID": ["f", "f"], "IID": ["a", "b"], "phenotype": [0, 1]})
    path = tmp_path / "phenotypes.tsv"
    write_phenotypes(path, table)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message):
        write_phenotypes(path, table.assign(**change))
    with pytest.raises(InputError, match="lacks phenotype"):
        write_phenotypes(path, table[["FID", "IID"]])
    with pytest.raises(InputError, match="no samples"):
        write_phenotypes(path, table.iloc[:0])
    assert path.read_bytes() == before


def test_table_with_another_coding_is_refused(write):
    with pytest.raises(InputError, match="row 3: phenotype '0' is neither 1"):
        read_phenotype_table(write("FID\tIID\tphenotype\nf\ta\t1\nf\tb\t0\n"))
    with pytest.raises(InputError, match="no column 'phenotype'"):
        read_phenotype_table(write("FID\tIID\ty\nf\ta\t1\n"))


@pytest.mark.plink
@pytest.mark.parametrize("program", ["plink1.9", "plink2"])
def test_plink_reads_the_table(tmp_path, program):
    iids = [f"s{number}" for number in range(20)]
    samples = pd.DataFrame(
        {"fid": iids, "iid": iids, "father": "0", "mother": "0", "sex": 1, "phenotype": "-9"}
    )
    variants = pd.DataFrame(
        {
            "chromosome": ["21"],
            "id": ["rs1"],
            "cm": [0.0],
            "position": [100],
            "counted": ["A"],
            "other": ["G"],
        }
    )
    dosages = np.arange(20, dtype=np.int8)[:, None] % 3
    Genotypes.from_dosages(tmp_path / "cohort", dosages, variants, samples)
    labels = (np.arange(20) % 4 == 0).astype(np.int8)
    table = pd.DataFrame({"FID": iids, "IID": iids, "phenotype": labels, "split": "TD"})
    write_phenotypes(tmp_path / "phenotypes.tsv", table)
    options = ["--bfile", "cohort", "--pheno", "phenotypes.tsv", "--pheno-name", "phenotype"]
    command = [program, *options, "--make-just-fam", "--out", "read"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    fam = pd.read_csv(tmp_path / "read.fam", sep=r"\s+", header=None)
    np.testing.assert_array_equal(fam[5], labels + 1)
    read = read_phenotypes(tmp_path / "phenotypes.tsv", "phenotype")
    np.testing.assert_array_equal(read.table["phenotype"], labels)
