"""A study of an exome through the command line: its results, its failure, and its resumption."""

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
import yaml

from genotransfer.events import read_events
from tests.exome_cnn_support import TINY
from tests.integration.support import run_cli, share

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")  # its use of SQLAlchemy
CHANGES = {"exome": TINY["exome"] | {"n_variants": 1500}, "sweep": {"forms": ["dense", "2d"], "filters": [4]}}
SMALL = {"sweep": CHANGES["sweep"] | {"batch_sizes": [64], "layers": [[8]]}, "training": {"epochs": 3}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that failed once, for want of an MLflow server, and was then resumed."""

    def make(folder):
        study = {"pipeline": "exome-cnn"} | TINY | CHANGES | SMALL | {"protocols": ["honest", "published"]}
        (folder / "study.yaml").write_text(yaml.safe_dump(study))
        nowhere = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        done = run_cli("exome-cnn", "study.yaml", cwd=folder, **nowhere)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("Error track exome: MLflow at http://127.0.0.1:9 does not answer")
        [begun] = folder.glob("runs/tiny-*")
        assert (begun / "report.html").is_file()  # though MLflow was not there
        resumed = run_cli("resume", begun, cwd=folder)
        assert resumed.returncode == 0, resumed.stderr
        (folder / "said.txt").write_text(resumed.stdout)

    folder = share(tmp_path_factory, "exome-cnn", make)
    return (folder / "runs" / "latest").resolve()


def test_results_lie_at_the_top_of_the_run(run):
    results = pd.read_csv(run / "results.csv", dtype={"fold": str})
    assert results.groupby("protocol", sort=False)["fold"].agg(list).to_dict() == {
        "honest": ["1", "2", "all"],
        "published": ["1", "2", "all"],
    }
    whole = results[results["fold"] == "all"]
    assert (whole["n"] == 300).all()
    configurations = pd.read_csv(run / "configurations.csv")
    assert set(configurations["form"]) == {"dense", "2d"}
    assert len(configurations) == 2 * 2 * 2
    for name in (
        "report.html",
        "optimism.csv",
        "curves.parquet",
        "predictions.parquet",
        "tables/table_2.csv",
    ):
        assert (run / name).is_file(), name
    said = (run.parents[1] / "said.txt").read_text()
    assert f"honest {whole['accuracy'].iloc[0]:.3f}" in " ".join(said.split())
    assert "Everybody the commoner class" in said


def test_the_resumed_run_does_nothing_again(run):
    events, _ = read_events(run / "events.jsonl")
    ended = [(one["task"], one["item"]) for one in events if one["event"] == "ended"]
    assert sorted(ended) == [
        ("choose_exome_network", ""),
        ("evaluate_exome", ""),
        ("plan_exome_study", ""),
        ("prepare_exome", ""),
        ("register_exome", ""),
        ("split_exome", ""),
        ("track_exome", ""),
        ("train_exome_networks", "2d"),
        ("train_exome_networks", "dense"),
        ("write_exome_report", ""),
    ]
    assert (run / "pipeline").read_text() == "exome-cnn"


def test_mlflow_has_the_study_and_each_protocol(run):
    with closing(sqlite3.connect(run.parent / "mlflow.db")) as store:
        names = {name for (name,) in store.execute("SELECT name FROM runs")}
        statuses = {status for (status,) in store.execute("SELECT status FROM runs")}
        [accuracy] = store.execute(
            "SELECT value FROM latest_metrics JOIN runs USING (run_uuid) "
            "WHERE name = 'tiny' AND key = 'honest_accuracy'"
        ).fetchone()
    assert names == {"tiny", "honest", "published"}
    assert statuses == {"FINISHED"}
    results = pd.read_csv(run / "results.csv")
    honest = results[(results["protocol"] == "honest") & (results["fold"] == "all")].iloc[0]
    assert accuracy == pytest.approx(honest["accuracy"], abs=1e-5)


def test_artifacts_say_what_they_are_and_hide_the_test(run):
    facts = {}
    for written in run.glob("artifacts/**/executor_output.json"):
        for name, artifacts in json.loads(written.read_text())["artifacts"].items():
            facts[written.parent.name, name] = artifacts["artifacts"][0]["metadata"]
    assert facts["prepare-exome", "genotypes"]["display_name"] == "Exome of 300 people"
    assert facts["train-exome-networks", "networks"]["kind"] == "exome networks"
    [folds] = run.glob("artifacts/*/split-exome/folds")
    people = pd.read_parquet(folds / "honest" / "1" / "people.parquet")
    assert set(people.loc[people["role"] == "test", "phenotype"]) == {-1}


def test_the_networks_of_the_folds_are_the_registrys_first_champion(run):
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run.parent / 'mlflow.db'}")
    champion = client.get_model_version_by_alias("tiny-exome-case", "champion")
    challenger = client.get_model_version_by_alias("tiny-exome-case", "challenger")
    assert str(champion.version) == str(challenger.version) == "1"
    whole = pd.read_csv(run / "results.csv").query("protocol == 'honest' and fold == 'all'").iloc[0]
    assert float(champion.tags["fd_accuracy"]) == pytest.approx(whole["accuracy"], abs=1e-5)
    assert champion.tags["decision"] == "promoted"
    assert "source" not in champion.tags


def test_the_model_is_carried_away_and_predicts(run, tmp_path):
    done = run_cli("export", run, "case", tmp_path / "exome.bundle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [fileset] = run.glob("artifacts/*/prepare-exome/genotypes/genotypes.bed")
    answers = []
    for model in (tmp_path / "exome.bundle", "models:/tiny-exome-case@champion"):
        uri = f"sqlite:///{run.parent / 'mlflow.db'}"
        done = run_cli(
            "predict", model, fileset, "--out", "predicted.tsv", "--tracking-uri", uri, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        said = " ".join(done.stdout.split())
        assert "Whether the people are like those of tiny, from whom the model learnt, is not checked" in said
        assert "on the test people" in said
        assert "FD" not in said
        answers.append((tmp_path / "predicted.tsv").read_bytes())
    assert answers[0] == answers[1]
    table = pd.read_csv(tmp_path / "predicted.tsv", sep="\t")
    assert len(table) == 300
    assert table["probability"].between(0, 1).all()
    assert table["probability"].nunique() > 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["height"], "has no phenotype 'height'. Name 'case'."),
        (["case", "--method", "published"], "not kept"),
    ],
)
def test_what_was_not_kept_is_not_exported(run, tmp_path, arguments, says):
    phenotype, *more = arguments
    done = run_cli("export", run, phenotype, tmp_path / "x.bundle", *more, cwd=tmp_path)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert not (tmp_path / "x.bundle").exists()
