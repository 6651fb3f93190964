"""The registry with real parts: a finished study's models in fresh stores, and on a server.

The same tests run on sqlite (`make test`) and on MLflow's server with PostgreSQL (`make test-integration`).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from genotransfer.alignment import match_variants
from genotransfer.errors import InputError, StudyError
from genotransfer.final_data import SHORT
from genotransfer.paired import compare_models
from genotransfer.phenotypes import read_phenotype_table
from genotransfer.prediction.bundle import load_bundle
from genotransfer.randomness import make_generator
from genotransfer.stages.genotypes import open_population
from genotransfer.tracking.comparison import (
    compare_versions,
    draw_comparison,
    list_models,
    promote_version,
    roll_back,
)
from genotransfer.tracking.locks import SUFFIX, lock_model
from genotransfer.tracking.promotion import move_champion, read_history
from genotransfer.tracking.registry import fetch_bundle
from tests.integration.registry_support import PHENOTYPE, Inputs, Store
from tests.integration.support import read_tiny, run_cli, share

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*"),  # its use of SQLAlchemy
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),  # its own
    # As an error it would cost the signature its output.
    pytest.mark.filterwarnings("ignore:.*contains integer column:UserWarning"),
]


@pytest.fixture(scope="session")
def bundles(finished, tmp_path_factory):
    """Return a function that gives the folder of a method's bundle, made once."""

    def find(method):
        def make(folder):
            Inputs(finished).export(folder / "bundle", method)

        return share(tmp_path_factory, f"bundle-{method}", make) / "bundle"

    return find


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A store without anything in it: its tables take seconds to make."""
    from mlflow import MlflowClient

    def make(folder):
        MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}").search_experiments()

    return share(tmp_path_factory, "empty_store", make) / "mlflow.db"


@pytest.fixture(params=["sqlite", pytest.param("server", marks=pytest.mark.integration)])
def store(request, finished, bundles, tmp_path, monkeypatch):
    """A store of the test's own; nothing may be left where the test runs."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    prefix = f"t{uuid.uuid4().hex[:10]}"
    if request.param == "server":
        uri, artifacts = request.getfixturevalue("mlflow_server")
        place = None
    else:
        shutil.copy(request.getfixturevalue("empty_store"), tmp_path / "mlflow.db")
        uri, artifacts = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlflow-artifacts"
        place = artifacts.as_uri()
    store = Store(uri, prefix, artifacts, Inputs(finished), bundles, tmp_path)
    store.client.create_experiment(prefix, artifact_location=place)
    yield store
    assert list(here.iterdir()) == []


def start(what: str, **arguments: object) -> subprocess.Popen:
    """Start an act in a process of its own; it says when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.act", what, json.dumps(arguments)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline().strip() in ("ready", "held")
    return process


def finish(process: subprocess.Popen) -> None:
    process.communicate(timeout=300)
    assert process.returncode == 0


# ---- what a study registered -------------------------------------------------------------------------------


@pytest.mark.parametrize("phenotype", ["3_1", "3_2"])
def test_a_study_leaves_a_champion_that_says_what_it_is(finished, phenotype, tmp_path):
    from mlflow import MlflowClient

    inputs = Inputs(finished)
    client = MlflowClient(tracking_uri=f"sqlite:///{finished.folder.parent / 'mlflow.db'}")
    name = f"tiny-YRI-{phenotype}"
    [version] = client.search_model_versions(f"name = '{name}'")
    model = client.get_registered_model(name)
    number = str(version.version)
    aliases = {key: str(value) for key, value in model.aliases.items()}
    assert aliases == {"champion": number, "challenger": number}
    assert model.tags | {"target": "YRI", "source": "CEU", "phenotype": phenotype} == model.tags
    sha256 = inputs.final_sha256(phenotype)
    assert model.tags[f"final.{sha256[:SHORT]}"] == number
    assert [one["version"] for one in read_history(client, name)] == [number]

    row = inputs.row(phenotype, "chosen")
    for measure in ("n", "accuracy", "low", "high", "auc", "auc_low", "auc_high", "brier"):
        assert float(version.tags[f"fd_{measure}"]) == pytest.approx(row[f"fd_{measure}"], rel=1e-5), measure
    due = {
        "study": "tiny",
        "phenotype": phenotype,
        "model": row["model"],
        "final_sha256": sha256,
        "decision": "promoted",
        "decided_against": "none",
        "decided_on_final": sha256,
        "n_target": "70",
        "n_source": "200",
    }
    assert {key: version.tags[key] for key in due} == due
    assert f"accuracy {row['fd_accuracy']:.3f} ({row['fd_low']:.3f} to {row['fd_high']:.3f})" in (
        version.description
    )
    assert version.description.endswith(
        "Decision: promoted. The first model: there was no champion to compare it with."
    )
    tracked = json.loads(finished.find("track_study", "tracked").read_text())
    assert version.run_id == tracked[f"{phenotype}/chosen"]
    # What the registry holds scores FD as the study did.
    people = inputs.people(phenotype, "chosen")
    uri = f"sqlite:///{finished.folder.parent / 'mlflow.db'}"
    bundle = load_bundle(fetch_bundle(f"models:/{name}@champion", uri, tmp_path / "fetched"))
    scores = bundle.score(match_variants(open_population(inputs.final), bundle.variants).read())
    assert scores == pytest.approx(people["score"].to_numpy(), abs=1e-12)


def test_the_command_line_shows_a_studys_models(finished, tmp_path):
    folder = finished.folder.parents[1]
    said = run_cli("models", cwd=folder)
    assert said.returncode == 0, said.stderr
    rows = [line.split() for line in said.stdout.splitlines()]
    assert rows[0] == ["name", "phenotype", "target", "versions", "champion", "challenger"]
    assert rows[1:] == [
        [f"tiny-YRI-{phenotype}", phenotype, "YRI", "1", "1", "1"] for phenotype in ("3_1", "3_2")
    ]
    said = run_cli("compare", "tiny-YRI-3_2", "--out", tmp_path / "drawn.png", cwd=folder)
    assert said.returncode == 0, said.stderr
    row = Inputs(finished).row("3_2", "chosen")
    assert f"{row['fd_accuracy']:.3f} ({row['fd_low']:.3f}-{row['fd_high']:.3f})" in said.stdout
    assert (tmp_path / "drawn.png").stat().st_size > 10_000
    for arguments, says in (
        (("compare", "strange"), "there is no registered model 'strange'"),
        (("compare", "tiny-YRI-3_2", "7"), "has no version or alias '7'"),
        (("rollback", "tiny-YRI-3_2"), "has had no champion before version 1"),
    ):
        said = run_cli(*arguments, cwd=folder)
        assert said.returncode == 2
        assert says in said.stderr
        assert "Traceback" not in said.stderr


# ---- registration ------------------------------------------------------------------------------------------


def test_a_run_that_is_registered_is_not_registered_twice(store):
    tracked = store.track()
    first = store.register_all(tracked)
    assert [(one.phenotype, one.version) for one in first] == [("3_1", "1"), ("3_2", "1")]
    assert store.register_all(tracked) == first
    assert len(store.client.search_model_versions(f"name = '{store.name}'")) == 1
    experiment = store.client.get_experiment_by_name(store.prefix).experiment_id
    assert len(store.client.search_logged_models([experiment])) == 2
    # Another run of the same study is another version, and the challenger.
    second = store.register_all(store.track("other.json"))
    assert [one.version for one in second] == ["2", "2"]
    assert store.find("challenger") == "2"
    assert store.find("champion") == ""


def find_pending(store: Store) -> list:
    experiment = store.client.get_experiment_by_name(store.prefix).experiment_id
    return [
        one for one in store.client.search_logged_models([experiment]) if str(one.status).endswith("PENDING")
    ]


@pytest.mark.parametrize("at", ["first", "second"])
def test_a_registration_killed_in_the_middle_leaves_whole_models(store, at):
    """At the end of the upload of the first phenotype's model; of the second's, the first being registered."""
    before = {one.phenotype: one for one in store.register_all(store.track())}
    for one in before.values():
        move_champion(store.client, one.name, one.version, "the first")
    tracked = store.track("next.json")
    given = store.inputs.given() | {
        "study": store.study().to_json(),
        "halt": {"first": 1, "second": 2}[at],
        "tracked": str(tracked),
        "registered": str(store.folder / "killed.json"),
    }
    phenotype = {"first": "3_1", "second": "3_2"}[at]
    run = json.loads(tracked.read_text())[f"{phenotype}/chosen"]
    process = start("register", **given)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    pending = find_pending(store)
    assert [one.source_run_id for one in pending] == [run]  # it was in the middle
    assert any(store.artifacts.glob(f"**/{pending[0].model_id}/**/bundle"))

    assert not (store.folder / "killed.json").exists()
    done = {"3_1": "2"} if at == "second" else {}
    for one in before.values():
        versions = store.client.search_model_versions(f"name = '{one.name}'")
        due = done.get(one.phenotype, "1")
        assert sorted(str(version.version) for version in versions) == [str(k + 1) for k in range(int(due))]
        aliases = store.client.get_registered_model(one.name).aliases
        assert {key: str(value) for key, value in aliases.items()} == {"champion": "1", "challenger": due}
        for alias in aliases:
            fetched = fetch_bundle(f"models:/{one.name}@{alias}", store.uri, store.folder / "fetched")
            assert load_bundle(fetched).facts.phenotype == one.phenotype

    again = store.register_all(tracked)
    assert [(one.phenotype, one.version) for one in again] == [("3_1", "2"), ("3_2", "2")]
    assert [one.run for one in again] == [
        json.loads(tracked.read_text())[f"{phenotype}/chosen"] for phenotype in ("3_1", "3_2")
    ]
    assert find_pending(store) == []


# ---- promotion ---------------------------------------------------------------------------------------------


def test_a_worse_champion_gives_way_and_a_better_one_stays(store):
    first = store.register("none")
    decision = store.promote(first)
    assert (decision.outcome, decision.champion) == ("promoted", "")
    # A second try of the same promotion tells the same, and changes nothing.
    tags = store.client.get_model_version(store.name, "1").tags
    again = store.promote(first)
    assert (again.outcome, again.reason) == ("promoted", decision.reason)
    assert store.client.get_model_version(store.name, "1").tags == tags
    assert len(read_history(store.client, store.name)) == 1
    sha256 = store.inputs.final_sha256(PHENOTYPE)
    assert decision.final_sha256 == sha256

    # The same people do not decide twice...
    better = store.register("chosen")
    assert (store.find("champion"), store.find("challenger")) == ("1", "2")
    decision = store.promote(better)
    assert decision.outcome == "refused"
    assert f"({sha256[:SHORT]}) decided version 1 of {store.name} before" in decision.reason
    assert store.find("champion") == "1"
    assert store.client.get_model_version(store.name, "2").tags["decision"] == "refused"
    # ...unless they are allowed to by name.
    decision = store.promote(better, reuse_final=[sha256[:SHORT]])
    assert decision.outcome == "promoted", decision.reason
    assert store.find("champion") == "2"
    scores = [store.inputs.people(PHENOTYPE, method) for method in ("none", "chosen")]
    due = compare_models(
        scores[1]["label"].to_numpy(np.int8),
        *(one["score"].to_numpy() for one in scores),
        make_generator(read_tiny().seed, "promotion", store.name),
    )
    for name, value in vars(due).items():
        assert getattr(decision.comparison, name) == pytest.approx(value, abs=1e-6), name
    tags = store.client.get_model_version(store.name, "2").tags
    assert tags["decided_against"] == "1"
    assert float(tags["compared_auc_difference"]) == pytest.approx(due.auc_difference, abs=1e-5)

    # The worse one comes again: the champion stays.
    worse = store.register("none")
    decision = store.promote(worse, reuse_final=[sha256])
    assert (decision.outcome, decision.champion) == ("kept", "2")
    assert "The champion stays, the challenger is not better: AUC -" in decision.reason
    assert (store.find("champion"), store.find("challenger")) == ("2", "3")
    history = read_history(store.client, store.name)
    assert [one["version"] for one in history] == ["1", "2"]
    # A better one below the least gain stays a challenger as well.
    third = store.register("chosen")
    move_champion(store.client, store.name, "3", "by hand")
    decision = store.promote(third, reuse_final=[sha256], least_gain=0.9)
    assert decision.outcome == "kept"
    assert "below the least gain of 0.9" in decision.reason
    assert store.promote(third, promote=False).outcome == "off"

    check_comparison(store)


def check_comparison(store):
    """Versions side by side, and the way back, after the promotions above."""
    table = compare_versions(store.name, tracking_uri=store.uri)
    assert table["version"].tolist() == ["1", "2", "3", "4"]
    assert table["aliases"].tolist() == ["", "", "champion", "challenger"]
    rows = [store.inputs.row(PHENOTYPE, method) for method in ("none", "chosen", "none", "chosen")]
    for name in ("fd_accuracy", "fd_auc", "fd_low", "fd_auc_high", "fd_n"):
        assert table[name].to_numpy() == pytest.approx([row[name] for row in rows], rel=1e-5), name
    assert table["method"].tolist() == ["none", "score_transfer", "none", "score_transfer"]
    assert table["decision"].tolist() == ["promoted", "promoted", "kept", "off"]
    some = compare_versions(store.name, ["challenger", "1", "4"], store.uri)
    assert some["version"].tolist() == ["1", "4"]

    check_picture(draw_comparison(store.folder / "drawn.png", store.name, table))
    models = list_models(store.uri).set_index("name")
    assert models.loc[store.name].tolist() == [PHENOTYPE, "YRI", 4, "3", "4"]

    # Each step goes one back; what a rollback took back does not return by another.
    for due in ("2", "1"):
        done = roll_back(store.name, "", store.uri)
        assert done.now == due
        assert store.find("champion") == due
        assert store.client.get_model_version(store.name, done.before).tags["rolled_back"] == "true"
    with pytest.raises(StudyError, match="has had no champion before version 1"):
        roll_back(store.name, "", store.uri)
    assert roll_back(store.name, "2", store.uri).now == "2"
    assert "rolled_back" not in store.client.get_model_version(store.name, "2").tags
    with pytest.raises(StudyError, match=r"Version 2 of .* is the champion already"):
        roll_back(store.name, "2", store.uri)
    # Forwards, by a person's word.
    done = promote_version(store.name, "challenger", "the clinic's own people", store.uri)
    assert (done.before, done.now, store.find("champion")) == ("2", "4", "4")
    tags = store.client.get_model_version(store.name, "4").tags
    assert (tags["decision"], tags["decided_against"]) == ("promoted", "2")
    assert tags["decision_reason"] == "By a person: the clinic's own people"
    assert "rolled_back" not in store.client.get_model_version(store.name, "2").tags
    with pytest.raises(StudyError, match=r"Version 4 of .* is the champion already"):
        promote_version(store.name, "4", "", store.uri)
    with pytest.raises(InputError, match="has no version or alias '9'"):
        promote_version(store.name, "9", "", store.uri)
    assert roll_back(store.name, "", store.uri).now == "2"
    with pytest.raises(InputError, match="has no version or alias '9'"):
        roll_back(store.name, "9", store.uri)


def check_picture(path: Path) -> None:
    """The picture has its marks: both measures' points, intervals and the champion's ring."""
    from matplotlib import colors, image

    from genotransfer.plots.canvas import COLOURS, RISK_COLOUR

    pixels = image.imread(path)[..., :3]
    assert pixels.shape[1] > 1000
    for colour in (COLOURS[0], COLOURS[1], RISK_COLOUR):
        near = np.abs(pixels - np.array(colors.to_rgb(colour))).max(axis=2) < 0.02
        halves = np.array_split(near, 2, axis=1)
        assert all(half.sum() > 20 for half in halves), colour


def test_people_the_champion_learnt_from_do_not_decide(store):
    """FD made of the target's learning people, with their own labels."""
    champion = store.register("none")
    move_champion(store.client, champion.name, champion.version, "the first")
    kept = store.inputs.given()["phenotypes"][PHENOTYPE]
    table = read_phenotype_table(Path(kept) / "target.tsv")
    learnt = table[table["split"] != ""].head(25)
    predictions = pd.DataFrame(
        {
            "phenotype": PHENOTYPE,
            "method": "chosen",
            "FID": learnt["FID"],
            "IID": learnt["IID"],
            "label": learnt["phenotype"],
            "score": 0.5,
        }
    )
    predictions.to_parquet(store.folder / "predictions.parquet")
    target = Path(store.inputs.given()["genotypes"]["target"])
    decision = store.promote(store.register("chosen"), store.folder, target)
    assert decision.outcome == "refused"
    assert "25 of FD's 25 people taught version 1" in decision.reason
    assert store.find("champion") == "1"


@pytest.mark.parametrize("held", [True, False])
def test_of_two_promotions_at_once_one_promotes(store, held):
    """Two challengers on the same FD: whoever comes second finds it used. With a champion, and without."""
    if held:
        champion = store.register("none")
        move_champion(store.client, champion.name, champion.version, "the first")
    rivals = [store.register("chosen"), store.register("chosen")]
    gate = store.folder / "gate"
    processes = [
        start(
            "promote",
            study=store.study().to_json(),
            gate=str(gate),
            registered=str(store.write_registered(one)),
            results_folder=str(store.inputs.results),
            final_genotypes=str(store.inputs.final),
            decisions=str(store.folder / f"decided-{one.version}.json"),
        )
        for one in rivals
    ]
    gate.touch()
    for process in processes:
        finish(process)
    outcomes = {}
    for one in rivals:
        [decision] = json.loads((store.folder / f"decided-{one.version}.json").read_text())
        outcomes[decision["outcome"]] = decision["version"]
    assert set(outcomes) == {"promoted", "refused"}
    assert store.find("champion") == outcomes["promoted"]
    history = [one["version"] for one in read_history(store.client, store.name)]
    assert history == ["1"] * held + [outcomes["promoted"]]
    assert not store.client.search_registered_models(f"name = '{store.name + SUFFIX}'")


# ---- locks -------------------------------------------------------------------------------------------------


def test_a_lock_of_the_dead_is_taken_over(store):
    holder = start("hold", uri=store.uri, name=store.name, seconds=600)
    os.killpg(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    lock = store.name + SUFFIX
    assert f":{holder.pid}:" in store.client.get_registered_model(lock).tags["owner"]
    assert store.name not in set(list_models(store.uri)["name"])
    with lock_model(store.client, store.name, wait=60.0, stale=0.5) as check:
        check()
        assert f":{os.getpid()}:" in store.client.get_registered_model(lock).tags["owner"]
    assert not store.client.search_registered_models(f"name LIKE '{store.name}%'")


def test_a_live_lock_is_waited_for_and_then_told(store):
    holder = start("hold", uri=store.uri, name=store.name, seconds=4)
    with (
        pytest.raises(StudyError, match=rf":{holder.pid}:.* holds '{store.name}{SUFFIX}'.*within 0 s"),
        lock_model(store.client, store.name, wait=0.0),
    ):
        pass
    with lock_model(store.client, store.name, wait=120.0):
        assert f":{os.getpid()}:" in store.client.get_registered_model(store.name + SUFFIX).tags["owner"]
    finish(holder)  # it let go by itself


def test_whoever_lost_a_lock_does_not_promote(store):
    with lock_model(store.client, store.name) as check:
        check()
        time.sleep(0.2)
        with lock_model(store.client, store.name, wait=60.0, stale=0.1) as other:
            other()
            with pytest.raises(
                StudyError, match=r"was taken over by another promotion.*Nothing was promoted"
            ):
                check()
        with pytest.raises(StudyError, match="was taken over"):
            check()
    assert not store.client.search_registered_models(f"name LIKE '{store.name}%'")


# ---- what is in the store ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bundle/models/0/predictor.json", "bundle/bundle.json", "bundle"])
def test_a_file_that_is_gone_from_the_store_is_told(store, name):
    version = store.register("chosen")
    address = f"models:/{version.name}/{version.version}"
    fetch_bundle(address, store.uri, store.folder / "whole")
    gone = find_stored(store, version.run) / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises((InputError, StudyError)) as caught:
        fetch_bundle(address, store.uri, store.folder / "fetched")
    assert address in str(caught.value)
    assert not (store.folder / "fetched").exists()


def find_stored(store: Store, run: str) -> Path:
    """Return the folder in which the store keeps what came with a run's model."""
    for path in store.artifacts.rglob("MLmodel"):
        if yaml.safe_load(path.read_text())["run_id"] == run:
            return path.parent / "artifacts"
    raise AssertionError(run)


def test_a_changed_file_in_the_store_is_told(store):
    version = store.register("chosen")
    path = find_stored(store, version.run) / "bundle" / "variants.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    address = f"models:/{version.name}/{version.version}"
    with pytest.raises(InputError, match=r"variants\.parquet.*sha256") as caught:
        fetch_bundle(address, store.uri, store.folder / "fetched")
    assert address in str(caught.value)
    assert not (store.folder / "fetched").exists()


PREDICT = """
import sys
import mlflow
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
model.predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
print(model.metadata.signature.outputs.input_names(), len(model.metadata.signature.inputs.inputs))
print(sorted({name.partition(".")[0] for name in sys.modules} & {"tensorflow", "kfp", "components"}))
"""


@pytest.mark.parametrize("method", ["chosen", pytest.param("deep_finetuned", marks=pytest.mark.integration)])
def test_a_process_that_knows_mlflow_alone_predicts_as_the_study_did(store, method):
    version = store.register(method)
    people = store.inputs.people(PHENOTYPE, method)
    variants = load_bundle(store.bundles(method)).variants
    matched = match_variants(open_population(store.inputs.final), variants)
    dosages = pd.DataFrame(matched.read().astype(float), columns=list(variants["id"]))
    dosages.to_parquet(store.folder / "dosages.parquet")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, f"models:/{version.name}@challenger"]
        + [str(store.folder / name) for name in ("dosages.parquet", "predicted.parquet")],
        cwd=store.folder,
        env=os.environ | threads | {"MLFLOW_TRACKING_URI": store.uri},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    predicted = pd.read_parquet(store.folder / "predicted.parquet")
    assert predicted["probability"].to_numpy() == pytest.approx(people["score"].to_numpy(), abs=1e-6)
    assert (predicted["predicted"] == (people["score"].to_numpy() > 0.5)).all()
    signature, imported = done.stdout.strip().splitlines()
    assert signature == f"['probability', 'predicted'] {len(variants)}"
    assert imported == str(["tensorflow"] if method != "chosen" else [])
