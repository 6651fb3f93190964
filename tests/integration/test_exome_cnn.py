"""A study of an exome through the command line: its results, its failure, and its resumption."""

import json
import sqlite3
from contextlib import closing

import pandas as pd
import pytest
import yaml

from genotransfer.config import Tracking
from genotransfer.errors import StudyError
from genotransfer.events import read_events
from genotransfer.registry_settings import Registration
from genotransfer.tracking.comparison import promote_version, roll_back
from genotransfer.tracking.exome_registry import register_exome
from genotransfer.tracking.promotion import read_history
from tests.exome_cnn_support import TINY, Laid, make_study
from tests.integration.support import run_cli, share

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),  # its use of SQLAlchemy
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),  # its own
    # As an error it would cost the signature its output.
    pytest.mark.filterwarnings("ignore:.*contains integer column:UserWarning"),
]
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
        # As a task leaves it that is killed while it writes.
        (begun / "artifacts" / "task" / ".writing-abc").mkdir(parents=True)
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
    assert not list(run.rglob(".writing-*"))


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
    assert champion.tags["decided_against"] == "none"
    assert "source" not in champion.tags
    uri = f"sqlite:///{run.parent / 'mlflow.db'}"
    done = run_cli("compare", "tiny-exome-case", "--tracking-uri", uri, cwd=run)
    assert done.returncode == 0, done.stderr
    assert "test people" in done.stdout
    assert "FD" not in done.stdout


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


class Registering:
    """A trained study, registered in a store of its own as often as is asked."""

    def __init__(self, folder):
        from mlflow import MlflowClient

        self.laid = Laid(make_study(protocols=["honest"]), folder / "laid").prepare()
        self.laid.split()
        self.laid.train()
        self.laid.finish()
        self.folder, self.uri = folder, f"sqlite:///{folder / 'mlflow.db'}"
        self.client = MlflowClient(self.uri)
        self.experiment = self.client.create_experiment("test", artifact_location=str(folder / "store"))

    def register(self, run=None, **registry):
        run = run or self.client.create_run(self.experiment).info.run_id
        (self.folder / "tracked.json").write_text(json.dumps({"honest": run}))
        study = self.laid.study.model_copy(
            update={"registry": Registration(**registry), "tracking": Tracking(uri=self.uri)}
        )
        names = ("selection", "results", "genotypes", "phenotypes", "folds")
        made = register_exome(
            study,
            self.folder / "tracked.json",
            **{f"{name}_folder": self.laid.folder / name for name in names},
            models={"dense": str(self.laid.folder / "models")},
            registered=self.folder / "registered.json",
        )
        assert json.loads((self.folder / "registered.json").read_text()) == [vars(one) for one in made]
        return run, [one.version for one in made]

    def find(self, alias):
        return str(self.client.get_model_version_by_alias("tiny-exome-case", alias).version)


def test_a_later_study_stays_challenger_until_a_person_says_otherwise(tmp_path):
    store = Registering(tmp_path)
    run, versions = store.register()
    assert versions == ["1"]
    # As if the task had been killed between the alias and the history: the next try mends it.
    store.client.delete_registered_model_tag("tiny-exome-case", "champion_history")
    assert store.register(run) == (run, ["1"])
    assert [one["version"] for one in read_history(store.client, "tiny-exome-case")] == ["1"]
    assert store.register()[1] == ["2"]
    assert (store.find("champion"), store.find("challenger")) == ("1", "2")
    assert "decision" not in store.client.get_model_version("tiny-exome-case", "2").tags
    arguments = [
        "promote",
        "tiny-exome-case",
        "challenger",
        "--reason",
        "new people",
        "--tracking-uri",
        store.uri,
    ]
    done = run_cli(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the champion is version 2; it was version 1." in done.stdout
    assert store.find("champion") == "2"
    told = store.client.get_model_version("tiny-exome-case", "2")
    assert told.tags["decision_reason"] == "By a person: new people"
    assert told.description.endswith("Decision: promoted. By a person: new people")
    # A third one after that changes nothing either.
    assert store.register()[1] == ["3"]
    assert store.find("champion") == "2"
    assert store.register(enabled=False)[1] == []
    assert store.register(prefix="clinic")[1] == ["1"]
    assert str(store.client.get_model_version_by_alias("clinic-exome-case", "champion").version) == "1"


def test_a_way_back_follows_the_champions_there_were(tmp_path):
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client, name = MlflowClient(uri), "m"
    client.create_registered_model(name, tags={"phenotype": "case"})
    for _ in range(3):
        client.create_model_version(name, source=str(tmp_path))
    assert promote_version(name, "1", "", uri).before == ""
    for version in ("2", "3", "2"):
        promote_version(name, version, "", uri)
    # Back from 2, which does not return though it was champion before 3 as well.
    assert [roll_back(name, "", uri).now for _ in range(2)] == ["3", "1"]
    with pytest.raises(StudyError, match="has had no champion before version 1"):
        roll_back(name, "", uri)
    promote_version(name, "3", "it is the better one", uri)
    assert "rolled_back" not in client.get_model_version(name, "3").tags
    assert roll_back(name, "", uri).now == "1"
