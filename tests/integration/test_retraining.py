"""A study, and then cohorts that land: two retrainings at once, and one with nothing new."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from genotransfer.prediction.prints import find_learners
from genotransfer.retraining.state import read_state
from genotransfer.stages.genotypes import open_population
from pipelines.run_folder import RunFolder
from tests.integration.support import Run, make_cohorts, run_cli, share
from tests.unit.test_retraining import land_cohort

RETRAINING = "retraining: {cohorts: landing, least_people: 20}\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A study that was run, a cohort that landed, and two retrainings that began at once."""

    def make(folder):
        study = make_cohorts(folder)
        text = study.read_text().replace("threshold: mean", "threshold: 174")
        text = text.replace("classical: [svm]", "scores: [lasso, susie_joint]")
        text = text.replace("[none, snp_transfer]", "[score_transfer]")
        study.write_text(text + RETRAINING)
        done = run_cli("run", "study.yaml", cwd=folder)
        assert done.returncode == 0, done.stderr
        land_cohort(folder / "landing" / "a", "new", 60, 3)
        command = [sys.executable, "-m", "pipelines.cli", "retrain", "study.yaml"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        both = [
            subprocess.Popen(
                command,
                cwd=folder,
                env=inherited,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        for number, one in enumerate(both):
            told, _ = one.communicate(timeout=1200)
            (folder / f"told-{number}.txt").write_text(told)
            assert one.returncode == 0, told
        last = run_cli("retrain", "study.yaml", cwd=folder)
        assert last.returncode == 0, last.stderr
        (folder / "told-last.txt").write_text(last.stdout)

    return share(tmp_path_factory, "retrained", make)


def find_runs(place):
    """Return the folders of retrainings by what they found."""
    found = {}
    for folder in sorted(place.glob("runs/cohorts-*/retraining")):
        run = Run(folder.parent)
        landing = json.loads(run.find("plan_retraining", "landing").read_text())
        found.setdefault(landing["outcome"], []).append(run)
    return found


def test_of_two_at_once_one_goes_on(place):
    found = find_runs(place)
    assert {outcome: len(runs) for outcome, runs in found.items()} == {"new": 1, "busy": 1, "nothing": 1}
    told = [(place / f"told-{number}.txt").read_text() for number in (0, 1)]
    assert sum("Another retraining" in one for one in told) == 1
    assert "Nothing new" in (place / "told-last.txt").read_text()
    # What ended early trained nothing, and `latest` is still the one with results.
    assert (place / "runs/latest/report.html").is_file()
    for outcome in ("busy", "nothing"):
        assert not list(found[outcome][0].folder.glob("artifacts/**/prepare-genotypes"))


def test_the_record_says_what_was_used(place):
    [run] = read_state(str(place / "landing")).runs
    assert (run.study, list(run.cohorts), run.n_new, run.n_final) == ("cohorts", ["a"], 60, 18)
    assert not (place / "landing/.genotransfer/running.json").exists()


def test_fd_are_new_people_who_taught_nothing(place):
    [run] = find_runs(place)["new"]
    final = open_population(run.find("prepare_genotypes", "final_genotypes"))
    learning = open_population(run.find("prepare_genotypes", "target_genotypes"))
    assert final.n_samples == 18
    assert final.samples["iid"].str.startswith("new").all()
    assert not set(final.samples["iid"]) & set(learning.samples["iid"])
    assert learning.n_samples == 70 + 60 - 18


def test_the_challenger_was_judged_against_the_champion(place):
    [run] = find_runs(place)["new"]
    [decision] = json.loads(run.find("promote_models", "decisions").read_text())
    assert decision["outcome"] in ("promoted", "kept")
    assert (decision["champion"], decision["version"]) == ("1", "2")
    assert decision["comparison"]["n"] == 18
    results = run.results
    assert (
        results.loc[results["method"] == "chosen", "fd_n" if "fd_n" in results else "fd_accuracy"]
        .notna()
        .all()
    )
    table = run_cli("compare", "cohorts-TGT-height", cwd=place).stdout
    assert "decision" in table
    assert f"2: {decision['reason']}" in table


def test_drift_was_measured_without_fd(place):
    [run] = find_runs(place)["new"]
    numbers = json.loads((run.find("measure_drift", "drift") / "drift.json").read_text())
    assert numbers["height_n_new"] == 60 - 18
    assert numbers["height_n_before"] == 70
    assert abs(numbers["frequency_fst"]) < 0.01
    # Before anybody learnt from the new people.
    events = [json.loads(one) for one in (run.folder / "events.jsonl").read_text().splitlines()]
    order = [one["task"] for one in events if one["event"] == "ended"]
    assert order.index("measure_drift") < order.index("prepare_genotypes")
    variants = pd.read_parquet(run.find("measure_drift", "drift") / "variants.parquet")
    assert len(variants) == 60


def test_the_champion_knows_whom_it_has_learnt_from(place):
    done = RunFolder(
        next(path for path in sorted(place.glob("runs/cohorts-*")) if not (path / "retraining").exists())
    )
    exported = run_cli("export", done.path, "height", "bundle", cwd=place)
    assert exported.returncode == 0, exported.stderr
    from genotransfer.prediction.opened import load_bundle

    bundle = load_bundle(place / "bundle")
    learnt = open_population(done.find("prepare_genotypes", "target_genotypes"))
    final = open_population(done.find("prepare_genotypes", "final_genotypes"))
    if len(bundle.ancestry) >= 50:
        assert find_learners(bundle, learnt) == bundle.facts.n_target
    assert find_learners(bundle, final) == 0


def test_fine_tuning_goes_on_from_the_champion(place, tmp_path):
    # In a copy: other tests, beside this one, count what there is.
    place = shutil.copytree(place, tmp_path / "copy", symlinks=True)
    land_cohort(place / "landing" / "b", "more", 80, 8)
    done = run_cli("retrain", "study.yaml", "--set", "retraining.mode=fine-tune", cwd=place)
    assert done.returncode == 0, done.stderr
    run = next(
        one
        for one in find_runs(place)["new"]
        if "models:/cohorts-TGT-height/" in (one.find("plan_retraining", "planned")).read_text()
    )
    board = pd.read_parquet(run.find("select_best_model", "selection") / "leaderboard.parquet")
    assert list(board["model"]) == ["champion"]
    # People it had learnt from had no part in it.
    target = open_population(run.find("prepare_genotypes", "target_genotypes"))
    assert target.samples["iid"].str.startswith("more").all()
    assert [sorted(one.cohorts) for one in read_state(str(place / "landing")).runs] == [["a"], ["b"]]
