"""A whole study through the embedded runner: what it writes, and that its numbers are true."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genotransfer.events import read_events
from genotransfer.models.archives import TRUSTED_TYPES
from genotransfer.study_files import parse_study
from tests.integration.support import METHODS, read_bed, read_tiny, score_again, tell_where
from tests.parity.plink_tools import assert_printed, read_report, run_plink

HEADER = (
    "phenotype,method,panel,n_snps,model,trainable_layers,ed_accuracy,fd_accuracy,fd_low,fd_high,fd_auc,"
    "n_tied,oracle_accuracy,ceiling"
)
PHENOTYPES = ["3_1", "3_2"]
LAYERS = {"ann_1": 3, "gru_1": 3}  # Muneeb 2022, Tables 4 and 5: 30-10-2 and 50-20-2
TASKS = {
    "plan_study": 1,
    "prepare_genotypes": 1,
    "prepare_phenotypes": 2,
    "control_quality": 2,
    "test_association": 2,
    "draw_figures": 2,
    "select_panels": 2,
    "train_baselines": 2,
    "train_scores": 2,
    "gather_cohorts": 1,
    "train_source_models": 2,
    "transfer_models": 2,
    "select_best_model": 1,
    "evaluate_final": 1,
    "interpret_models": 1,
    "show_performance": 2,
    "write_report": 1,
    "track_study": 1,
    "register_models": 1,
    "promote_models": 1,
}


def predict_again(folder, prefix):
    """Return who is called a case on FD, by the saved model's own library."""
    import keras
    import skops.io

    manifest = json.loads((folder / "predictor.json").read_text())
    variants = np.array(manifest["variants"])
    dosages, first, second = read_bed(prefix, variants[:, 0])
    assert (np.stack([first, second], axis=1) == variants[:, 1:]).all()
    values = (dosages - np.array(manifest["mean"])) / np.array(manifest["sd"])
    if manifest["kind"] == "score":
        return score_again(folder, prefix) > 0
    if manifest["kind"] != "classical":
        network = keras.saving.load_model(folder / "network.keras", compile=False)
        if manifest["kind"] == "network":
            return network.predict(values, verbose=0).argmax(axis=1)
        values = keras.Model(network.input, network.layers[-3].output).predict(values, verbose=0)
    estimator = skops.io.load(folder / "classifier.skops", trusted=list(TRUSTED_TYPES))
    return estimator.predict(values)


def test_results_have_a_row_for_each_phenotype_and_method(finished):
    assert (finished.folder / "results.csv").read_text().splitlines()[0] == HEADER
    rows = finished.results
    pairs = [(f"YRI_{phenotype}", method) for phenotype in PHENOTYPES for method in METHODS]
    assert list(zip(rows["phenotype"], rows["method"], strict=True)) == pairs
    assert (rows["fd_low"] < rows["fd_accuracy"]).all()
    assert (rows["fd_accuracy"] < rows["fd_high"]).all()
    assert rows["ceiling"].to_numpy() == pytest.approx(0.5 + np.arcsin(np.sqrt(0.8)) / np.pi, abs=1e-6)
    assert (rows.groupby("phenotype")["oracle_accuracy"].nunique() == 1).all()
    one = rows[rows["method"] != "chosen"]  # which may be of any method
    assert (one["trainable_layers"] > 0).equals(one["method"] == "deep_finetuned")
    assert one["panel"].str.startswith("target").equals(one["method"] == "none")
    assert (one["panel"] == "all").equals(one["method"] == "score_transfer")


def test_latest_points_to_the_finished_run(finished):
    latest = finished.folder.parent / "latest"
    assert latest.is_symlink()
    assert latest.resolve() == finished.folder
    assert parse_study((finished.folder / "study.yaml").read_text()) == read_tiny()
    assert not list(finished.folder.parent.glob(".latest*"))


def test_every_task_said_that_it_began_and_ended(finished):
    events, _ = read_events(finished.folder / "events.jsonl")
    for kind in ("began", "ended"):
        told = pd.Series([event["task"] for event in events if event["event"] == kind])
        assert told.value_counts().to_dict() == TASKS
    assert not [event for event in events if event["event"] == "failed"]
    progress = (finished.folder.parents[1] / "progress.txt").read_text()
    assert progress.count("✓") == sum(TASKS.values())


def test_the_tables_repeat_the_results(finished):
    tables = {path.stem: pd.read_csv(path) for path in (finished.folder / "tables").glob("*.csv")}
    assert set(tables) == {*(f"table_{n}" for n in (1, 2, 3, 6, 7, 8)), "tests", "metrics"}
    rows = finished.results
    for table, method in (("table_3", "none"), ("table_6", "snp_transfer")):
        chosen = rows[rows["method"] == method]
        assert tables[table]["n_snps"].tolist() == chosen["n_snps"].tolist()
        assert tables[table]["fd_accuracy"].to_numpy() == pytest.approx(
            100 * chosen["fd_accuracy"].to_numpy()
        )
    for table, role in (("table_1", "target"), ("table_2", "source")):
        for phenotype, *sizes in tables[table].itertuples(index=False):
            panels = finished.find("select_panels", "panels", phenotype=phenotype.split("_", 1)[1])
            counted = pd.read_parquet(panels / "sizes.parquet")
            assert sizes == counted.loc[counted["population"] == role, "n_snps"].tolist()
    best = rows[rows["method"].str.startswith("deep")].groupby("phenotype")["ed_accuracy"].max()
    assert tables["table_7"]["ed_accuracy"].tolist() == pytest.approx((100 * best).tolist())
    gains = tables["table_8"].set_index("row")
    without, transferred = (
        rows[rows["method"] == method].set_index("phenotype")["fd_accuracy"] for method in METHODS[:2]
    )
    for phenotype in PHENOTYPES:
        gain = gains.loc["Improvement with snps transfer learning", phenotype]
        assert gain == pytest.approx(100 * (transferred - without)[f"YRI_{phenotype}"])


def test_the_report_is_one_page_with_ceiling_oracle_and_figures(finished):
    page = (finished.folder / "report.html").read_text()
    assert page == finished.find("write_report", "page").read_text()
    text = html.unescape(page)
    assert "Ceiling" in text
    assert "oracle" in text
    figures = sorted((finished.folder / "figures").glob("*.png"))
    # Phenotypes, populations, kinds; what each phenotype's models rest on; and four of the whole.
    assert len(figures) == 2 * 2 * 3 + 2 + 4
    assert page.count("data:image/png;base64,") == len(figures)
    assert not re.findall(r'(?:src|href)="(?!data:|#|https://doi\.org)', page)
    for phenotype in PHENOTYPES:
        assert f"YRI_{phenotype}" in text


def test_plink_reads_the_filesets(finished, tmp_path):
    sizes = {"source": 200, "target": 70, "final": 40}
    for role, size in sizes.items():
        [(folder, facts)] = finished.list("prepare_genotypes", f"{role}_genotypes")
        said = run_plink("plink1.9", "--bfile", folder / "genotypes", "--freq", "--out", tmp_path / role)
        assert "1500 variants loaded" in said
        assert f"{size} people" in said
        assert (facts["n_samples"], facts["n_variants"], facts["role"]) == (size, 1500, role)
        report = read_report(tmp_path / f"{role}.frq")
        dosages, *_ = read_bed(folder / "genotypes", report["SNP"])
        frequency = dosages.mean(axis=0) / 2
        minor = np.minimum(frequency, 1 - frequency)
        assert_printed(pd.Series(minor, name="MAF"), report["MAF"], digits=4)
    ids = [
        set(
            pd.read_csv(
                finished.find("prepare_genotypes", f"{role}_genotypes") / "genotypes.fam",
                sep="\t",
                header=None,
            )[1]
        )
        for role in ("target", "final")
    ]
    assert not ids[0] & ids[1]


def test_accuracy_on_fd_is_that_of_the_saved_models(finished):
    fileset = finished.find("prepare_genotypes", "final_genotypes") / "genotypes"
    fam = pd.read_csv(f"{fileset}.fam", sep="\t", header=None, dtype=str)
    members = pd.read_parquet(finished.find("select_best_model", "selection") / "members.parquet")
    alone = members[members["weight"] == 1]
    assert set(alone["method"]) | {"chosen"} == set(METHODS)
    rows = finished.results.set_index(["phenotype", "method"])
    for one in alone.itertuples():
        labels = pd.read_csv(
            finished.find("prepare_phenotypes", "final_phenotypes", phenotype=one.phenotype) / "final.tsv",
            sep="\t",
        )
        assert labels["IID"].tolist() == fam[1].tolist()
        assert (labels["split"] == "FD").all()
        folder = Path(finished.models[one.part]) / one.key
        called = predict_again(folder, fileset)
        accuracy = float(np.mean(called == labels["phenotype"] - 1))
        assert rows.loc[f"YRI_{one.phenotype}", one.method]["fd_accuracy"] == pytest.approx(accuracy), one.key


def test_the_leaderboard_holds_what_the_grid_says(finished):
    board = pd.read_parquet(finished.folder / "leaderboard.parquet")
    rows = finished.results
    for phenotype in PHENOTYPES:
        panels = finished.find("select_panels", "panels", phenotype=phenotype)
        sizes = pd.read_parquet(panels / "sizes.parquet")
        kept = sizes[sizes["note"] == ""]["population"].value_counts()
        classical = 2
        due = {
            "none": kept["target"] * classical,
            "snp_transfer": kept["source"] * classical * 2,  # fitted on the target and on the source
            "deep_simple": kept["source"] * len(LAYERS),
            "deep_pretrained": kept["source"] * len(LAYERS) * classical,
            "deep_finetuned": kept["source"] * sum(LAYERS.values()),
            "score_transfer": 3,  # two and their stack
        }
        mine = board[board["phenotype"] == phenotype]
        assert mine["method"].value_counts().to_dict() == due
        for method, group in mine.groupby("method"):
            [row] = rows[(rows["phenotype"] == f"YRI_{phenotype}") & (rows["method"] == method)].to_dict(
                "records"
            )
            best = group["ed_accuracy"].max()
            assert row["ed_accuracy"] == pytest.approx(best, abs=1e-6)
            assert row["n_tied"] == (group["ed_accuracy"] == best).sum()
            tied = group[group["ed_accuracy"] == best]
            assert ((tied["panel"] == row["panel"]) & (tied["model"] == row["model"])).any()
    assert board["key"].is_unique


def test_every_network_has_its_curve_on_file(finished):
    board = pd.read_parquet(finished.folder / "leaderboard.parquet")
    curves = pd.read_parquet(finished.folder / "curves.parquet")
    deep = board["method"].str.startswith("deep")
    assert board.loc[~deep, ["curve", "source_curve"]].isna().all(axis=None)
    assert set(curves["key"]) == set(board.loc[deep, "curve"]) | set(board.loc[deep, "source_curve"])
    tuned = board["method"] == "deep_finetuned"
    assert (board.loc[tuned, "curve"] == board.loc[tuned, "key"]).all()
    assert (board.loc[deep & ~tuned, "curve"] == board.loc[deep & ~tuned, "source_curve"]).all()
    trained = sum(facts["n_models"] for _, facts in finished.list("train_source_models", "models"))
    assert curves["key"].nunique() == trained + tuned.sum()
    assert (curves.groupby("key", observed=True)["epoch"].agg(["min", "max", "size"]) == [1, 3, 3]).all(
        axis=None
    )


def test_progress_tells_the_loss_of_the_last_network(finished):
    events, _ = read_events(finished.folder / "events.jsonl")
    folders = {part: folder for part, folder in finished.models.items() if part.startswith("transfer/")}
    for part, folder in folders.items():
        mine = [one for one in events if one["event"] == "progressed" and f"transfer/{one['item']}" == part]
        by_task = {task: [one for one in mine if one["task"] == task] for task in TASKS}
        curves = pd.read_parquet(f"{folder}/curves.parquet")
        last = curves[curves["key"] == curves["key"].iloc[-1]]["val_loss"].min()
        end = by_task["transfer_models"][-1]
        assert end["done"] == end["total"]
        assert end["note"] == f"models, loss {last:.3f}"
        assert re.fullmatch(r"networks, loss \d\.\d{3}", by_task["train_source_models"][-1]["note"])
    assert {one["note"] for one in events if one["task"] == "train_baselines" and "note" in one} == {"models"}


def test_risk_variants_are_shared_and_their_ceiling_is_the_studys(finished):
    """The simulated liability is what the risk SNPs and effects on file make of the genotypes."""
    for phenotype in PHENOTYPES:
        truth = finished.find("prepare_phenotypes", "truth", phenotype=phenotype)
        risk = pd.read_csv(truth / "risk_variants.tsv", sep="\t")
        assert len(risk) == 3
        for role in ("source", "target"):
            fileset = finished.find("prepare_genotypes", f"{role}_genotypes") / "genotypes"
            dosages, *_ = read_bed(fileset, risk["id"])
            genetic = dosages @ risk[f"{role}_effect"].to_numpy()
            drawn = pd.read_csv(truth / f"{role}_liability.tsv", sep="\t")
            assert np.corrcoef(genetic, drawn["genetic"])[0, 1] == pytest.approx(1, abs=1e-5)
            labels = finished.find("prepare_phenotypes", "phenotypes", phenotype=phenotype) / f"{role}.tsv"
            cases = pd.read_csv(labels, sep="\t")["phenotype"] == 2
            assert (cases == (drawn["liability"] > 0)).all()


def test_the_splits_are_of_the_sizes_asked_for(finished):
    due = {"source": {"TD": 120, "VD": 30, "ED": 50}, "target": {"TD": 40, "VD": 10, "ED": 20}}
    for phenotype in PHENOTYPES:
        folder = finished.find("prepare_phenotypes", "phenotypes", phenotype=phenotype)
        for role, sizes in due.items():
            assert pd.read_csv(folder / f"{role}.tsv", sep="\t")["split"].value_counts().to_dict() == sizes


def test_the_same_study_and_seed_give_the_same_bytes(finished, again):
    """Once by the embedded runner called from here, once through the command line."""
    run, _ = again
    names = ["results.csv", "leaderboard.parquet", "curves.parquet", "study.yaml"]
    names += [f"tables/{path.name}" for path in (finished.folder / "tables").iterdir()]
    for name in names:
        assert (finished.folder / name).read_bytes() == (run.folder / name).read_bytes(), name
    first, second = (
        [
            one.list("prepare_genotypes", f"{role}_genotypes")[0][1]["sha256"]
            for role in ("source", "target", "final")
        ]
        for one in (finished, run)
    )
    assert first == second


def test_a_run_whose_tracking_failed_keeps_its_report(again):
    run, said = again
    assert said.startswith("Error track study: MLflow at http://127.0.0.1:9 does not answer: ")
    assert said.rstrip().endswith(tell_where(run.folder))
    assert "Traceback" not in said
    report = run.find("write_report", "report")
    for path in report.rglob("*"):
        if path.is_file():
            assert (run.folder / path.relative_to(report)).read_bytes() == path.read_bytes()


def test_another_seed_gives_another_study(finished, staged):
    """And a study without deep transfer and scores gives the same classical rows as one with them."""
    classical = {
        "transfer": {"methods": METHODS[:2], "fit_on": ["target", "source"]},
        "outputs": {"figures": False, "formats": []},
    }
    rows = finished.results
    due = rows[rows["method"].isin(METHODS[:2])].reset_index(drop=True)
    same, other = (
        pd.read_csv(staged(name, read_tiny(**classical, **changes)) / "report" / "results.csv")
        for name, changes in (("classical", {}), ("reseeded", {"seed": 12}))
    )
    for table in (same, other):
        assert table["method"].tolist() == [*METHODS[:2], "chosen"] * 2
    same, other = (table[table["method"] != "chosen"].reset_index(drop=True) for table in (same, other))
    pd.testing.assert_frame_equal(same, due)
    names = ["panel", "n_snps", "model", "ed_accuracy", "fd_accuracy", "fd_auc", "oracle_accuracy"]
    assert other[["phenotype", "method", "ceiling"]].equals(due[["phenotype", "method", "ceiling"]])
    assert not other[names].equals(due[names])
