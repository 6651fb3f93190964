import base64
import html.parser
import io
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from genotransfer.candidates import ADAPTED, CHOSEN, METHODS, RESULT_METHODS, SCORES_METHOD
from genotransfer.errors import InputError, StudyError
from genotransfer.report import published
from genotransfer.report.drawing import COLOURS, MARKERS
from genotransfer.report.figures import draw_accuracies, draw_figures
from genotransfer.report.findings import METHOD_NAMES, find, tabulate_chance
from genotransfer.report.gain_sections import lay_out_all_tests, lay_out_gains
from genotransfer.report.gains import choose_deep, compare_gains, group_phenotypes, tabulate_gains
from genotransfer.report.html import render_report, write_report
from genotransfer.report.tables import (
    RESULT_COLUMNS,
    describe_missing,
    format_cell,
    write_results,
    write_tables,
)
from genotransfer.selection import rank_candidates
from tests.unit.reporting import (
    PHENOTYPES,
    STUDY,
    make_leaderboard,
    make_learning,
    make_panel_sizes,
    make_quality,
    make_results,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

PRINTED = (published.TABLE_8, published.TABLE_9)


@pytest.fixture(scope="module")
def leaderboard():
    return make_leaderboard()


@pytest.fixture(scope="module")
def results(leaderboard):
    return make_results(leaderboard)


def render(results, leaderboard, **changes):
    values = {
        "study": STUDY,
        "panel_sizes": make_panel_sizes(),
        "quality": make_quality(),
        "alignment": {"common": 62283},
        "figures": [],
    }
    return render_report(results=results, leaderboard=leaderboard, **(values | changes))


class Page(html.parser.HTMLParser):
    """Collects tags and text, and holds that every element is closed in order."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.addresses, self.text = [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_results_csv_is_the_same_bytes_for_any_order(tmp_path, results):
    first = write_results(tmp_path / "a.csv", results).read_bytes()
    second = write_results(tmp_path / "b.csv", results.sample(frac=1, random_state=3)).read_bytes()
    assert first == second
    assert b"\r" not in first
    lines = first.decode().splitlines()
    assert lines[0] == ",".join(RESULT_COLUMNS)
    assert len(lines) == 1 + len(PHENOTYPES) * len(RESULT_METHODS)
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table["phenotype"].drop_duplicates()) == list(PHENOTYPES)
    assert list(table["method"][: len(RESULT_METHODS)]) == list(RESULT_METHODS)
    assert re.fullmatch(r"0\.\d{6}", lines[1].split(",")[7])
    np.testing.assert_allclose(table["fd_accuracy"][0], 0.56)


def test_undefined_values_are_empty(tmp_path, results):
    write_results(tmp_path / "a.csv", results.assign(oracle_accuracy=np.nan, ceiling=np.nan))
    assert (tmp_path / "a.csv").read_text().splitlines()[1].endswith(",,")
    assert format_cell(-0.0) == format_cell(-1e-12) == "0.00"
    assert format_cell(None) == format_cell(float("nan")) == format_cell(pd.NA) == ""
    assert format_cell(np.int64(7)) == "7"


def test_results_that_are_not_whole_are_refused(tmp_path, results):
    with pytest.raises(StudyError, match="no results"):
        write_results(tmp_path / "a.csv", results.iloc[:0])
    with pytest.raises(StudyError, match="lack the column fd_low"):
        write_results(tmp_path / "a.csv", results.drop(columns="fd_low"))
    with pytest.raises(StudyError, match="5_1 has two results for the method none"):
        write_results(tmp_path / "a.csv", pd.concat([results, results.iloc[:1]]))
    assert not (tmp_path / "a.csv").exists()


def test_tables_of_the_papers_numbers_are_the_papers_tables(tmp_path, results, leaderboard):
    paths = write_tables(tmp_path, results, leaderboard, make_panel_sizes(), STUDY)
    assert [path.stem for path in paths] == [
        "table_1",
        "table_2",
        "table_3",
        "table_6",
        "table_7",
        "table_8",
        "table_9",
        "tests",
        "metrics",
    ]
    for number, prefix, printed in ((1, "YRI", published.TABLE_1), (2, "CEU", published.TABLE_2)):
        lines = (tmp_path / f"table_{number}.csv").read_text().splitlines()[1:]
        rows = {line.split(",")[0]: [int(n) for n in line.split(",")[1:] if n] for line in lines}
        assert rows == {f"{prefix}_{name}": list(sizes) for name, sizes in printed.items()}
    for printed in (published.TABLE_8, published.TABLE_9):
        table = pd.read_csv(tmp_path / f"table_{printed.number}.csv", index_col="row")
        assert {name: tuple(row) for name, row in table.iterrows()} == printed.rows
        assert tuple(table.columns) == printed.phenotypes
    tests = pd.read_csv(tmp_path / "tests.csv").set_index(["table", "comparison"])
    for printed in (published.TABLE_8, published.TABLE_9):
        row = tests.loc[(f"table_{printed.number}", "deep")]
        assert (round(row["t"], 4), row["df"], round(row["p"], 4)) == (printed.t, printed.df, printed.p)
        assert row["bootstrap_low"] < row["difference"] < row["bootstrap_high"]
    eight = tests.loc[("all", "deep")]
    gains = [
        a - b
        for one in PRINTED
        for a, b in zip(one.rows[published.WITH_DEEP], one.rows[published.WITHOUT], strict=True)
    ]
    interval = stats.ttest_1samp(gains, 0).confidence_interval()
    assert (eight["n_phenotypes"], eight["difference"]) == (8, np.mean(gains))
    np.testing.assert_allclose((eight["paired_low"], eight["paired_high"]), (interval.low, interval.high))
    for row in pd.read_csv(tmp_path / "table_3.csv").to_dict("records"):
        wilson = stats.binomtest(round(row["fd_accuracy"] / 2), 50).proportion_ci(method="wilson")
        np.testing.assert_allclose(
            (row["fd_low"], row["fd_high"]), (100 * wilson.low, 100 * wilson.high), atol=0.006
        )


def test_below_the_gains_stand_means_and_limits(results, leaderboard):
    for group, printed in zip(group_phenotypes(results), PRINTED, strict=True):
        table, _ = lay_out_gains(results, leaderboard, group, STUDY)
        rows = {row[0].text: row[1:] for row in table.rows}
        for name, values in printed.rows.items():
            mean = rows[name][-1]
            assert mean.text == mean.paper == f"{np.mean(values):g}".replace("-", "\N{MINUS SIGN}")
        own = results[results["phenotype"].isin(group.phenotypes)].drop_duplicates("phenotype")
        for name, column in (("True risk SNPs (oracle)", "oracle_accuracy"), ("Ceiling", "ceiling")):
            shown = [float(cell.text) for cell in rows[name]]
            expected = 100 * own.set_index("phenotype").loc[list(group.phenotypes), column]
            np.testing.assert_allclose(shown, [*expected, expected.mean()], atol=0.051)
    unknown = results.assign(oracle_accuracy=np.nan, ceiling=np.nan)
    table, _ = lay_out_gains(unknown, leaderboard, group_phenotypes(unknown)[0], STUDY)
    assert [row[0].text for row in table.rows] == list(published.GAIN_ROWS)
    assert lay_out_all_tests(results, leaderboard, STUDY).title == "Tests of all 8 phenotypes"
    one = results[results["n_risk_snps"] == 5]
    assert lay_out_all_tests(one, leaderboard[leaderboard["phenotype"].isin(one["phenotype"])], STUDY) is None


def test_tables_are_the_same_bytes_again(tmp_path, results, leaderboard):
    shuffled = leaderboard.sample(frac=1, random_state=1), make_panel_sizes().sample(frac=1, random_state=1)
    first = write_tables(tmp_path / "a", results, leaderboard, make_panel_sizes(), STUDY)
    second = write_tables(tmp_path / "b", results, *shuffled, STUDY)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_table_7_lists_every_tie(tmp_path, results, leaderboard):
    write_tables(tmp_path, results, leaderboard, make_panel_sizes(), STUDY)
    table = pd.read_csv(tmp_path / "table_7.csv", dtype=str)
    deep = leaderboard[leaderboard["method"].str.startswith("deep")]
    for row in table.to_dict("records"):
        own = deep[deep["phenotype"] == row["phenotype"].removeprefix("CEU_")]
        tied = own[np.isclose(own["ed_accuracy"], own["ed_accuracy"].max())]
        assert int(row["n_tied"]) == len(tied)
        assert sorted(row["best_model"].split(", ")) == sorted(tied["model"])
        assert row["best_model"].split(", ")[0] == rank_candidates(own)["model"].iloc[0]


def test_deep_is_chosen_by_ed_and_not_by_fd(results, leaderboard):
    """Better FD accuracies of the methods not chosen change no row of Table 8 but the maximum."""
    group = group_phenotypes(results)[0]
    chosen = choose_deep(results, leaderboard).set_index("phenotype")["method"]
    other = results["method"].str.startswith("deep") & (results["method"] != results["phenotype"].map(chosen))
    raised = results.assign(fd_accuracy=results["fd_accuracy"].where(~other, 1.0))
    pd.testing.assert_frame_equal(
        tabulate_gains(raised, leaderboard, group), tabulate_gains(results, leaderboard, group)
    )
    with pytest.raises(StudyError, match="best deep candidate of phenotype 5_1"):
        choose_deep(results[results["method"] == "none"], leaderboard)


def test_scores_and_the_chosen_model_are_told_beside_the_papers_methods(results, leaderboard):
    """Their numbers are in the summary and on the page, and change none of the paper's tables."""
    summaries = {one.method: one for one in find(results, leaderboard, STUDY).summaries}
    page = Page(render(results, leaderboard))
    for method in (SCORES_METHOD, CHOSEN):
        rows = results[results["method"] == method]
        assert summaries[method].accuracy == pytest.approx(rows["fd_accuracy"].mean())
        assert METHOD_NAMES[method] in page.text
    group = group_phenotypes(results)[0]
    papers = ~results["method"].isin([SCORES_METHOD, ADAPTED, CHOSEN])
    pd.testing.assert_frame_equal(
        tabulate_gains(results[papers], leaderboard, group), tabulate_gains(results, leaderboard, group)
    )


def test_every_method_of_the_results_has_a_name_a_colour_and_a_shape_of_its_own():
    for told in (METHOD_NAMES, COLOURS, MARKERS):
        assert set(RESULT_METHODS) <= set(told)
        assert len(set(told.values())) == len(told)


def test_groups_of_phenotypes(results):
    named = [(group.table, group.n_risk_snps) for group in group_phenotypes(results)]
    assert named == [("table_8", 5), ("table_9", 10)]
    many = results.assign(
        n_risk_snps=results["phenotype"].map(
            dict(zip(PHENOTYPES, [1, 1, 5, 5, 9, 9, 20, np.nan], strict=True))
        )
    )
    assert [(group.table, group.n_risk_snps, len(group.phenotypes)) for group in group_phenotypes(many)] == [
        ("table_8", 1, 2),
        ("table_9", 5, 2),
        ("table_8_9", 9, 2),
        ("table_8_20", 20, 1),
        ("table_8_unknown", None, 1),
    ]
    assert group_phenotypes(results.drop(columns="n_risk_snps"))[0].table == "table_8_unknown"


def test_one_phenotype_leaves_the_tests_empty(tmp_path, results, leaderboard):
    one, board = results[results["phenotype"] == "5_1"], leaderboard[leaderboard["phenotype"] == "5_1"]
    tests = compare_gains(one, board, group_phenotypes(one)[0], seed=1)
    assert list(tests["n_phenotypes"]) == [1, 1]
    assert tests[["t", "p", "paired_p", "wilcoxon_p", "bootstrap_low"]].isna().all(axis=None)
    assert "cannot say" in find(one, board, STUDY).answer
    with_people = one.assign(fd_gain=0.2, fd_gain_low=0.05, fd_gain_high=0.35)
    assert find(with_people, board, STUDY).answer == "Deep transfer helped."
    write_tables(tmp_path, one, board, make_panel_sizes(), STUDY)
    Page(render(with_people, board))


@pytest.mark.parametrize(
    ("deep", "answer"),
    [
        ([0.9, 0.88, 0.91, 0.9], "Deep transfer helped."),
        ([0.1, 0.12, 0.1, 0.13], "Deep transfer did harm."),
        ([0.3, 0.7, 0.4, 0.6], "No clear effect of deep transfer: the data allow both a gain and a loss."),
    ],
)
def test_the_headline_follows_the_interval(results, leaderboard, deep, answer):
    board = leaderboard[leaderboard["phenotype"].str.startswith("5")]
    some = results[results["phenotype"].str.startswith("5")]
    values = some["phenotype"].map(dict(zip(PHENOTYPES[:4], deep, strict=True)))
    is_deep = some["method"].str.startswith("deep")
    findings = find(some.assign(fd_accuracy=some["fd_accuracy"].where(~is_deep, values)), board, STUDY)
    assert findings.answer == answer
    assert "48.5" in findings.explanation
    assert round(100 * findings.half_width) == 14


def test_a_study_without_transfer_says_so(results, leaderboard):
    only = results[results["method"] == "none"]
    board = leaderboard[leaderboard["method"] == "none"]
    assert find(only, board, STUDY).answer == "This study cannot say whether transfer helped."
    page = Page(render(only, board))
    assert "Phenotype 5_1 has no candidate of: SNP transfer; Deep, not retrained" in page.text
    assert describe_missing(only, METHODS)["5_1"] == list(METHODS[1:])


def test_chance_counts_candidates(leaderboard):
    table = tabulate_chance(leaderboard, 20).set_index(["phenotype", "method"])
    assert table.loc[("5_1", "none"), "n_candidates"] == 13 * 5
    assert table.loc[("5_3", "none"), "n_candidates"] == 12 * 5  # its first panel is empty
    # These candidates do guess: over all cells the best scores are those of guessing.
    assert table["best_ed"].mean() == pytest.approx(table["by_chance"].mean(), abs=0.015)


def test_report_is_one_whole_file(tmp_path, results, leaderboard):
    figures = draw_figures(tmp_path, results, make_learning(leaderboard))
    path = write_report(
        tmp_path / "out",
        STUDY,
        results,
        leaderboard,
        make_panel_sizes(),
        make_quality(),
        {"common": 62283},
        figures,
        ["Two panels were empty."],
    )
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert page.tags.count("img") == 4
    for said in ("±14 points", "3,617 candidates", "Two panels were empty.", "62,283", "Table 9.", "0.0306"):
        assert said in page.text
    for (_, drawn), address in zip(figures, page.addresses, strict=True):
        assert base64.b64decode(address.split(",", 1)[1]) == drawn.read_bytes()
    again = write_report(
        tmp_path / "again",
        STUDY,
        results.sample(frac=1, random_state=2),
        leaderboard.sample(frac=1, random_state=2),
        make_panel_sizes(),
        make_quality(),
        {"common": 62283},
        draw_figures(tmp_path / "again", results, make_learning(leaderboard)),
        ["Two panels were empty."],
    )
    assert again.read_bytes() == path.read_bytes()


def test_everything_from_outside_is_escaped(tmp_path, results, leaderboard):
    evil = '<script>alert("x")</script>'
    figure = tmp_path / "a.png"
    figure.write_bytes(PNG)
    text = render(
        results.assign(model=evil),
        leaderboard.assign(model=evil),
        study=STUDY | {"name": evil, "preset": evil, "target": evil},
        quality=make_quality().assign(step=evil),
        alignment={evil: 1},
        figures=[(evil, figure)],
        warnings=[evil],
    )
    assert "<script" not in text
    assert Page(text).text.count(evil) > 10


def test_papers_numbers_stand_beside_phenotypes_of_its_names_only(results, leaderboard):
    assert "Numbers in blue" in Page(render(results, leaderboard)).text
    names = {name: f"T2D_{name}" for name in PHENOTYPES}
    renamed = [table.assign(phenotype=table["phenotype"].map(names)) for table in (results, leaderboard)]
    text = render(*renamed, study=STUDY | {"heritability": None})
    page = Page(text)
    assert "blue" not in page.text
    assert 'class="paper"' not in text
    assert "The heritability is not known" in page.text


def test_a_figure_that_is_none_is_named(tmp_path, results, leaderboard):
    with pytest.raises(InputError, match=r"absent\.png"):
        render(results, leaderboard, figures=[("A", tmp_path / "absent.png")])
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(InputError, match="no PNG"):
        render(results, leaderboard, figures=[("A", tmp_path / "text.png")])


def test_figures_show_their_data(tmp_path, results):
    """An interval moved to the left adds ink there: the picture follows the numbers."""
    from matplotlib.image import imread

    drawn = imread(io.BytesIO(draw_accuracies(tmp_path / "a.png", results).read_bytes()))
    moved = results.assign(oracle_accuracy=np.nan, ceiling=np.nan)
    without = imread(io.BytesIO(draw_accuracies(tmp_path / "b.png", moved).read_bytes()))
    red = [
        np.all(np.abs(image[..., :3] - (0.8, 0.2, 0.067)) < 0.02, axis=-1).sum() for image in (drawn, without)
    ]
    assert red[0] > 1000
    assert red[1] == 0


def test_one_phenotype_has_the_interval_of_its_people(results, leaderboard):
    one, board = results[results["phenotype"] == "5_1"], leaderboard[leaderboard["phenotype"] == "5_1"]
    rows = one.set_index("method")
    for summary in find(one, board, STUDY).summaries:
        if summary.method in rows.index:
            assert (summary.low, summary.high) == tuple(rows.loc[summary.method, ["fd_low", "fd_high"]])
