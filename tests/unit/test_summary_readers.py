"""Text formats of summary statistics: what is read, left out and refused, with the row and a remedy."""

import gzip
import io

import numpy as np
import pytest

from genotransfer.errors import InputError
from genotransfer.summary import detect_format, read_statistics
from genotransfer.summary.statistics import clean_statistics
from tests.summary_support import describe

PLINK = """#CHROM POS ID REF ALT A1 OMITTED A1_FREQ TEST OBS_CT OR LOG(OR)_SE P ERRCODE
1 100 rs1 A G G A 0.25 ADD 900 2 0.125 0.001 .
1 100 rs1 A G G A 0.25 AGE 900 1.5 0.1 0.001 .
1 200 rs2 c t c t 0.5 ADD 901 0.5 0.25 NA .
X 300 rs3 A C C A 0 ADD 900 NA NA NA CONST_OMITTED_ALLELE
1 400 rs4 A C C A 0.1 ADD 900 1.1 0 0.5 .
1 500 rs5 A C C A 0.1 ADD 900 1.1 0.1 0.5 .
1 510 rs5 A C C A 0.1 ADD 900 1.2 0.1 0.5 .
1 600 . A C C A 0.1 ADD 900 0 0.1 0.5 .
1 700 . A C C A 0.1 ADD 900 1 0.1 1 .
"""
SCORE = """###PGS CATALOG SCORING FILE
#pgs_id=PGS000001
#weight_type=beta
rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\tis_interaction\thm_chr\thm_pos
rs1\t1\t100\tA\tG\t0.5\tFalse\t1\t150
rs2\t1\t200\tT\t\t-0.25\tFalse\t\t
rs3\t1\t300\tT\tC\t1\tTrue\t1\t300
\t1\t400\tT\tC\t0\tFalse\tchr2\t450
"""
SSF_COLUMNS = (
    "chromosome base_pair_location effect_allele other_allele beta standard_error "
    "effect_allele_frequency p_value rsid n"
)
SSF = (
    SSF_COLUMNS.replace(" ", "\t")
    + """
1\t100\tA\tG\t0.5\t0.25\t0.3\t0.0455\trs1\t1000
2\t200\tT\tC\t-0.5\t0.125\t#NA\t0.001\trs2\t1000
"""
)


def write(folder, text, name="x.txt"):
    path = folder / name
    path.write_text(text)
    return path


def test_plink_report_and_every_reason_to_leave_a_row_out(tmp_path):
    path = write(tmp_path, PLINK)
    assert detect_format(path) == "plink2"
    read = read_statistics(path)
    assert read.counts == {
        "rows": 9,
        "no additive test": 1,
        "error in PLINK": 1,
        "no effect": 1,
        "standard error not above zero": 1,
        "alleles equal each other": 0,
        "id more than once": 2,
        "kept": 3,
    }
    assert read.scale == "log odds"
    table = read.variants
    assert table["id"].tolist() == ["rs1", "rs2", "1:700:A:C"]
    assert table[["counted", "other"]].to_numpy().tolist() == [["G", "A"], ["C", "T"], ["C", "A"]]
    np.testing.assert_allclose(table["beta"], [np.log(2), -np.log(2), 0])
    assert table["n"].tolist() == [900, 901, 900]
    # p of row 2 is NA: twice the tail of a normal at its z, -2.77.
    assert table["p"][1] == pytest.approx(0.005559, rel=1e-3)


def test_plink_reports_without_omitted_take_the_other_of_ref_and_alt(tmp_path):
    rows = "#CHROM\tPOS\tID\tREF\tALT\tA1\tBETA\tSE\tP\n" + "".join(
        f"1\t{at}00\trs{at}\tA\t{alt}\t{a1}\t0.1\t0.1\t0.3\n"
        for at, alt, a1 in ((1, "G", "G"), (2, "G", "A"), (3, "G,T", "T"))
    )
    read = read_statistics(write(tmp_path, rows), n=50)
    assert read.variants["other"].tolist() == ["A", "G"]
    assert read.counts["several alternative alleles"] == 1
    assert read.scale == "linear"
    assert read.variants["n"].tolist() == [50, 50]


def test_scoring_file_of_the_pgs_catalog(tmp_path):
    path = write(tmp_path, SCORE)
    packed = tmp_path / "x.txt.gz"
    packed.write_bytes(gzip.compress(SCORE.encode()))
    assert detect_format(path) == detect_format(packed) == "pgs-catalog"
    read = read_statistics(packed)
    assert read.ready
    table = read.variants
    assert table["id"].tolist() == ["rs1", "rs2", "2:450:C:T"]
    assert table["chromosome"].tolist() == ["1", "1", "2"]
    assert table["position"].tolist() == [150, 200, 450]  # harmonised where it is there
    assert table["other"].tolist() == ["G", "0", "C"]
    assert table["beta"].tolist() == [0.5, -0.25, 0]
    assert table["se"].isna().all()
    assert read.counts["not additive"] == 1


def test_tables_under_the_standards_names_and_the_users(tmp_path):
    path = write(tmp_path, SSF)
    assert detect_format(path) == "table"
    standard = read_statistics(path, scale="linear")
    text = SSF.replace("beta", "eff").replace("standard_error", "err").replace("\t", ",")
    for old, new in (("rsid", "SNP"), ("effect_allele,", "A,"), ("other_allele", "B"), ("p_value", "PVAL")):
        text = text.replace(old, new, 1)
    columns = {"id": "SNP", "counted": "A", "other": "B", "beta": "eff", "se": "err", "p": "PVAL"}
    users = read_statistics(write(tmp_path, text, "y.csv"), columns=columns, scale="linear")
    assert users.variants.equals(standard.variants)
    # Without se, it is what gives the p: z of p = .0455 is 2.
    columns.pop("se")
    without = read_statistics(write(tmp_path, text.replace("err", "unused"), "y.csv"), columns=columns)
    np.testing.assert_allclose(without.variants["se"], [0.25, 0.5 / 3.2905], rtol=1e-3)


def test_files_of_one_study_are_joined_and_ids_of_two_files_found(tmp_path):
    first, second = PLINK.splitlines()[:2], PLINK.splitlines()[0:1] + PLINK.splitlines()[3:4]
    paths = [
        write(tmp_path, "\n".join(rows) + "\n", f"{at}") for at, rows in enumerate((first, second, first))
    ]
    read = read_statistics(paths[:2])
    assert read.variants["id"].tolist() == ["rs1", "rs2"]
    assert read.counts["rows"] == 2
    again = read_statistics(paths)
    assert again.variants["id"].tolist() == ["rs2"]
    assert again.counts["id more than once"] == 2
    assert again.counts["rows"] == 3


BAD = {
    "is no number": (PLINK.replace("0.125", "much"), 2, {}),
    "is not within 0 and 1": (PLINK.replace("0.5 ADD 901", "1.5 ADD 901"), 4, {}),
    "13 columns where the header has 14": (PLINK.replace("rs2 c t", "rs2 c"), 4, {}),
    "15 columns where the header has 14": (PLINK.replace("rs2 c t", "rs2 c t t"), 4, {}),
    "is no allele": (PLINK.replace("rs4 A C C", "rs4 A C ."), 6, {}),
    "there is no column OMITTED2|no column SE": (PLINK.replace("LOG(OR)_SE", "ERROR"), None, {}),
    "stands twice": (PLINK.replace("TEST", "REF"), None, {}),
    "has a header and no rows": (PLINK.splitlines()[0] + "\n", None, {}),
    "no column is known for counted, other, beta or odds_ratio, se or p": ("id\tx\nrs1\t2\n", None, {}),
    "there is no column BETA": (SSF, None, {"columns": {"beta": "BETA"}}),
    "neither an rsID nor a position": (SCORE.replace("\t1\t400", "\t\t").replace("chr2\t450", "\t"), 8, {}),
    "weight for each genotype": (SCORE.replace("effect_weight", "dosage_1_weight"), None, {}),
    "there is no format": (SSF, None, {"form": "excel"}),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_files_are_refused_with_file_row_and_remedy(tmp_path, problem):
    text, row, arguments = BAD[problem]
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=problem) as caught:
        read_statistics(path, **arguments)
    assert caught.value.row == row
    assert caught.value.remedy
    assert caught.value.file == path or "format" in problem


def test_a_damaged_or_absent_file_and_one_of_which_nothing_is_left(tmp_path):
    packed = tmp_path / "x.gz"
    with gzip.GzipFile(fileobj=(raw := io.BytesIO()), mode="wb") as file:
        file.write(PLINK.encode() * 3)
    packed.write_bytes(raw.getvalue()[:-12])
    for path in (packed, tmp_path / "absent"):
        with pytest.raises(InputError):
            read_statistics(path, form="plink2")
    with pytest.raises(InputError, match="no variant is left: 3 rows, 3 standard error"):
        clean_statistics(describe(3).assign(se=0.0), scale="linear")


def test_correlations_need_the_number_of_people():
    table = describe(3).assign(n=np.nan)
    with pytest.raises(InputError, match="3 of 3 variants do not say"):
        clean_statistics(table, scale="linear").correlations  # noqa: B018
