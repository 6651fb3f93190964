"""MLflow after a run: in the run's own sqlite store, and on a real server."""

import json
import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import pytest

from genotransfer.config import Study, Tracking
from genotransfer.errors import StudyError
from genotransfer.models.store import load_predictor
from genotransfer.tracking import track_study
from tests.integration.servers import serve_mlflow, serve_postgres
from tests.integration.support import METHODS, read_tiny

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow.*")  # its use of SQLAlchemy
PLACES = [f"{phenotype}/{method}" for phenotype in ("3_1", "3_2") for method in METHODS]


@pytest.fixture(autouse=True)
def no_mlflow_of_the_callers(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


def make_study(uri: str) -> Study:
    return read_tiny(tracking=Tracking(uri=uri).model_dump())


def track(finished, uri: str, tracked: Path) -> dict[str, str]:
    """Log the finished run's artifacts once more."""
    folders = [
        finished.find("evaluate_final", "results"),
        finished.find("select_best_model", "selection"),
        finished.find("write_report", "report"),
    ]
    track_study(make_study(uri), *folders, finished.models, tracked)
    return json.loads(tracked.read_text())


def check_runs(client, finished, ids: dict[str, str], folder: Path, status: str = "FINISHED") -> None:
    """Parameters, metrics, curves and models of each run are those of the run's files."""
    assert list(ids) == ["study", *PLACES]
    rows = finished.results
    parent = client.get_run(ids["study"])
    assert parent.info.status == status
    for method, group in rows.groupby("method"):
        for name in ("ed_accuracy", "fd_accuracy", "fd_auc"):
            logged = parent.data.metrics[f"mean_{name}_{method}"]
            assert logged == pytest.approx(group[name].mean(), abs=1e-6)
    files = {one.path for one in client.list_artifacts(ids["study"])}
    assert {"results.csv", "report.html", "leaderboard.parquet", "tables", "figures", "study.json"} <= files
    for name in ("results.csv", "curves.parquet"):
        local = client.download_artifacts(ids["study"], name, str(folder))
        assert Path(local).read_bytes() == (finished.folder / name).read_bytes()

    for row in rows.to_dict("records"):
        place = f"{row['phenotype'].removeprefix('YRI_')}/{row['method']}"
        run = client.get_run(ids[place])
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == ids["study"]
        assert run.info.run_name == f"{row['phenotype']} {row['method']}"
        for name in ("panel", "n_snps", "model", "trainable_layers", "n_tied"):
            assert run.data.params[name] == str(row[name]), (place, name)
        for name in (
            "ed_accuracy",
            "fd_accuracy",
            "fd_low",
            "fd_high",
            "fd_auc",
            "oracle_accuracy",
            "ceiling",
        ):
            assert run.data.metrics[name] == pytest.approx(row[name], abs=1e-6), (place, name)
        losses = client.get_metric_history(ids[place], "val_loss")
        if "chosen" in row["method"]:
            check_chosen(client, finished, row, ids[place], losses, folder / place)
        elif row["method"].startswith("deep"):
            assert [point.step for point in sorted(losses, key=lambda one: one.step)] == [1, 2, 3]
        else:
            assert losses == []
    [row] = rows[(rows["phenotype"] == "YRI_3_2") & (rows["method"] == "deep_finetuned")].to_dict("records")
    model = load_predictor(client.download_artifacts(ids["3_2/deep_finetuned"], "model", str(folder)))
    assert (model.network, len(model.variants)) == (row["model"], row["n_snps"])


def check_chosen(client, finished, row, run: str, losses, folder: Path) -> None:
    """The models behind a phenotype's one model are all there, as they were saved."""
    members = pd.read_parquet(finished.find("select_best_model", "selection") / "members.parquet")
    mine = members[
        (members["method"] == "chosen") & (members["phenotype"] == row["phenotype"].removeprefix("YRI_"))
    ]
    of_networks = mine["part"].iloc[0].startswith("transfer/")
    assert [point.step for point in sorted(losses, key=lambda one: one.step)] == [1, 2, 3] * of_networks
    for one in mine.itertuples():
        place = "model" if len(mine) == 1 else f"model/{one.key}"
        folder.mkdir(parents=True, exist_ok=True)
        local = Path(client.download_artifacts(run, place, str(folder)))
        saved = Path(finished.models[one.part]) / one.key
        assert {path.name: path.read_bytes() for path in local.iterdir()} == {
            path.name: path.read_bytes() for path in saved.iterdir()
        }
    assert {one.path for one in client.list_artifacts(run, "model")} == {
        f"model/{name}"
        for name in ([path.name for path in saved.iterdir()] if len(mine) == 1 else mine["key"])
    }


def find_children(client, parent: str) -> set[str]:
    experiment = client.get_run(parent).info.experiment_id
    found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
    return {run.info.run_id for run in found}


def test_a_run_is_logged_to_sqlite_beside_it(finished, tmp_path):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{finished.folder.parent / 'mlflow.db'}")
    ids = json.loads(finished.find("track_study", "tracked").read_text())
    experiment = client.get_experiment_by_name("genotransfer")
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == set(ids.values())
    assert [run.info.run_id for run in runs if "mlflow.parentRunId" not in run.data.tags] == [ids["study"]]
    assert find_children(client, ids["study"]) == {ids[place] for place in PLACES}
    parent = client.get_run(ids["study"])
    assert parent.data.params["seed"] == "11"
    assert parent.data.params["splits.target.TD"] == "40"
    assert parent.data.params["models.networks"] == "['ann_1', 'gru_1']"
    assert parent.data.tags["study"] == "tiny"
    check_runs(client, finished, ids, tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def server(request, tmp_path):
    """The address of an MLflow server with nothing in it."""
    with ExitStack() as ends:
        backend = ends.enter_context(serve_postgres()) if request.param == "postgresql" else ""
        yield ends.enter_context(serve_mlflow(tmp_path, backend))


def test_a_run_is_logged_to_a_server(finished, tmp_path, monkeypatch, server):
    """By its own, and then under a run that is there already, as KFP's plugin makes one."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=server)
    ids = track(finished, server, tmp_path / "tracked.json")
    check_runs(client, finished, ids, tmp_path)
    assert client.get_run(ids["study"]).info.artifact_uri.startswith("mlflow-artifacts:")

    experiment = client.create_experiment("of-kfp")
    given = client.create_run(experiment, run_name="kfp").info.run_id
    client.log_param(given, "pipeline", "transfer-study")
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    under = track(finished, server, tmp_path / "under.json")
    assert under["study"] == given
    # The plugin's run is the plugin's to end.
    check_runs(client, finished, under, tmp_path, status="RUNNING")
    assert client.get_run(given).data.params == {"pipeline": "transfer-study"}
    assert client.get_run(given).info.run_name == "kfp"
    assert find_children(client, given) == {under[place] for place in PLACES}
    assert len(client.search_runs([experiment])) == 1 + len(PLACES)
    runs = client.search_runs([client.get_experiment_by_name("genotransfer").experiment_id])
    assert {run.info.run_id for run in runs} == set(ids.values())


def test_a_server_that_is_not_there_is_one_clear_error(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with socket.socket() as taken:  # bound but not listening: nobody else can take the port
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(StudyError) as caught:
            track(finished, uri, tmp_path / "tracked.json")
        assert time.monotonic() - began < 30
    assert f"MLflow at {uri} does not answer: [Errno 111] Connection refused. The" in str(caught.value)
    assert "check the server and run again" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_no_store_is_an_error(finished, tmp_path):
    with pytest.raises(StudyError, match=r"Set tracking\.uri or MLFLOW_TRACKING_URI"):
        track(finished, "", tmp_path / "tracked.json")
