"""Submitting a study, following its run, and what is said when that fails: against the stand-in."""

import socket
from datetime import UTC, datetime, timedelta

import kfp_server_api
import pytest
import yaml

from genotransfer import __version__
from genotransfer.config import Study
from genotransfer.study_files import parse_study
from pipelines import connection as connection_module
from pipelines.compilation import compile_pipeline
from pipelines.connection import ClusterError, connect
from pipelines.following import find_error, list_tasks

START = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = """Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/kfp/dsl/executor_main.py", line 100, in executor_main
ValueError: an earlier one

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/genotransfer/stages/results.py", line 96, in select_best
genotransfer.errors.StudyError: The study 'demo' has no candidate: every panel is empty.
I0101 00:00:00.000000       1 launcher_v2.go:100] publish success.
F0101 00:00:00.000000       1 main.go:49] failed to execute component: exit status 1
"""


def make_node(name, number, state, children=(), **more):
    """Return a task as Kubeflow lists Argo's nodes."""
    return kfp_server_api.V2beta1PipelineTaskDetail(
        task_id=f"task-{number}",
        display_name=name,
        pod_name=f"transfer-study-abcde-{number}",
        state=state,
        create_time=START + timedelta(seconds=number),
        start_time=START + timedelta(seconds=number),
        end_time=START + timedelta(seconds=number + 12),
        child_tasks=[
            kfp_server_api.PipelineTaskDetailChildTask(pod_name=f"transfer-study-abcde-{child}")
            for child in children
        ],
        **more,
    )


def make_nodes(state):
    """Return a run's tasks: the run itself, what starts tasks, one that succeeded, one of the state."""
    return kfp_server_api.V2beta1RunDetails(
        task_details=[
            make_node("transfer-study-abcde", 0, state, [1, 2]),
            make_node("root-driver", 1, "SUCCEEDED"),
            make_node("root", 2, state, [3, 4]),
            make_node("plan-study-driver", 3, "SUCCEEDED"),
            make_node("plan-study", 4, "SUCCEEDED", [5]),
            make_node("executor", 5, "SUCCEEDED", [6, 7]),
            make_node("select-best-model-driver", 6, "SUCCEEDED"),
            make_node("select-best-model", 7, state, [8]),
            make_node("executor", 8, state),
        ]
    )


def script(kubeflow, *states):
    """Let a run be in one state after another, each time it is asked for."""
    waiting = list(states)

    def go_on(run):
        run.state = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        run.run_details = make_nodes(run.state)

    kubeflow.on_get_run = go_on


def only(rows):
    [one] = rows.values()
    return one


def test_submit_uploads_what_compile_writes(kubeflow, call, tmp_path):
    status, said, error = call("submit", "demo")
    assert (status, error) == (0, "")
    assert call("compile", "demo", "--out", tmp_path / "demo.yaml")[0] == 0
    assert kubeflow.uploads == [(tmp_path / "demo.yaml").read_bytes()]
    pipeline, version, experiment, run = (
        only(rows) for rows in (kubeflow.pipelines, kubeflow.versions, kubeflow.experiments, kubeflow.runs)
    )
    assert pipeline.display_name == "transfer-study"
    assert version.display_name.startswith(f"{__version__}-demo-")
    assert experiment.display_name == "genotransfer"
    assert run.display_name.startswith("demo 20")
    assert run.experiment_id == experiment.experiment_id
    assert run.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id
    assert run.service_account is None
    assert said.splitlines() == [
        f"Run {run.run_id} of transfer-study {version.display_name}",
        f"{kubeflow.endpoint}/#/runs/details/{run.run_id}",
    ]


def test_retraining_is_a_pipeline_of_its_own(kubeflow, call):
    status, said, error = call("submit", "demo", "--retraining")
    assert (status, error) == (0, "")
    assert only(kubeflow.pipelines).display_name == "retraining"
    assert " of retraining " in said
    uploaded = yaml.safe_load(kubeflow.uploads[0].split(b"\n---")[0])
    assert "plan-retraining" in uploaded["root"]["dag"]["tasks"]
    status, said, error = call("schedule", "create", "demo", "--cron", "0 3 * * *", "--retraining")
    assert (status, error) == (0, "")
    assert len(kubeflow.uploads) == 1  # the version was there


def test_a_version_is_uploaded_once_for_each_study(kubeflow, call):
    assert call("submit", "demo")[0] == 0
    assert call("submit", "demo", "--experiment", "other", "--run-name", "again")[0] == 0
    assert len(kubeflow.versions) == len(kubeflow.pipelines) == 1
    assert [run.display_name for run in kubeflow.runs.values()][1] == "again"
    assert {one.display_name for one in kubeflow.experiments.values()} == {"genotransfer", "other"}
    for change in ("seed=2", "cluster.gpu.count=1"):
        assert call("submit", "demo", "--set", change, "--set", "cluster.service_account=trainer")[0] == 0
    assert len(kubeflow.versions) == 3
    assert len(kubeflow.runs) == 4
    assert len({one.display_name for one in kubeflow.versions.values()}) == 3
    assert [run.service_account for run in kubeflow.runs.values()] == [None, None, "trainer", "trainer"]


def test_what_the_same_study_compiles_to_has_the_same_name(tmp_path):
    study = Study(name="demo")
    names = [compile_pipeline(study, tmp_path / f"{at}.yaml") for at in range(2)]
    assert names[0] == names[1]
    assert (tmp_path / "0.yaml").read_bytes() == (tmp_path / "1.yaml").read_bytes()


def test_follow_shows_the_tasks_and_not_the_machinery(kubeflow, call):
    script(kubeflow, "PENDING", "RUNNING", "RUNNING", "SUCCEEDED")
    status, said, error = call("submit", "demo", "--follow")
    assert (status, error) == (0, "")
    run = only(kubeflow.runs)
    assert said.splitlines()[2:] == [
        "✓ plan-study 12 s",
        "… select-best-model",
        "✓ select-best-model 12 s",
        f"{run.display_name}: succeeded",
        f"{kubeflow.endpoint}/#/runs/details/{run.run_id}",
    ]


@pytest.mark.parametrize("pod", ["transfer-study-abcde-system-container-impl-8", "transfer-study-abcde-8"])
def test_a_failed_run_ends_with_the_real_error(kubeflow, call, pod):
    script(kubeflow, "RUNNING", "FAILED")
    kubeflow.on_get_run = keep_log(kubeflow, pod, FAILURE)
    status, said, error = call("submit", "demo", "--follow")
    assert status == 1
    assert "✗ select-best-model 12 s" in said
    assert error.splitlines() == [
        "Error The run failed.",
        "select-best-model: The study 'demo' has no candidate: every panel is empty.",
        f"{kubeflow.endpoint}/#/runs/details/{only(kubeflow.runs).run_id}",
    ]


def keep_log(kubeflow, pod, text):
    """Return what happens when a run is asked for: as before, and its pod has a log."""
    before = kubeflow.on_get_run

    def go_on(run):
        before(run)
        kubeflow.logs[run.run_id, pod] = text

    return go_on


def test_without_a_log_kubeflows_own_words_are_shown(kubeflow, call):
    def fail(run):
        run.state = "FAILED"
        error = kfp_server_api.GoogleRpcStatus(code=13, message="OOMKilled")
        run.run_details = kfp_server_api.V2beta1RunDetails(
            task_details=[
                make_node("train-scores", 1, "FAILED", error=error),
                make_node("write-report", 2, "FAILED"),
            ]
        )

    kubeflow.on_get_run = fail
    status, _, error = call("submit", "demo", "--follow")
    assert status == 1
    assert "train-scores: OOMKilled" in error
    assert "write-report: Kubeflow does not say why, and its log cannot be read" in error


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (FAILURE, "The study 'demo' has no candidate: every panel is empty."),
        ("Traceback (most recent call last):\nKeyError: 'a'\n", "KeyError: 'a'"),
        ("x\nbuiltins.MemoryError: no\nmore words\n\nlast", "MemoryError: no\nmore words"),
        ("I0101 x\none\ntwo\nthree\nfour\n", "its log ends with: two / three / four"),
        ("", ""),
    ],
)
def test_the_error_of_a_log(log, error):
    assert find_error(log) == error


def test_a_run_that_was_stopped_fails(kubeflow, call):
    script(kubeflow, "RUNNING", "CANCELED")
    status, _, error = call("submit", "demo", "--follow")
    assert status == 1
    assert error.startswith("Error The run was stopped before its end: http")


def test_following_bears_a_server_that_is_away_for_a_while(kubeflow, call):
    script(kubeflow, "RUNNING", "SUCCEEDED")
    kubeflow.fail("GET", r"/runs/", 503, times=5)
    assert call("submit", "demo", "--follow")[0] == 0
    kubeflow.fail("GET", r"/runs/", 503, times=1000)
    status, _, error = call("submit", "demo", "--follow")
    assert status == 2
    assert "failed (HTTP 503): injected. Try again later" in error
    assert "The run goes on without being followed: genotransfer runs status" in error


def test_following_stops_where_the_user_is_shut_out(kubeflow, call):
    kubeflow.fail("GET", r"/runs/", 401, times=1)
    status, _, error = call("submit", "demo", "--follow")
    assert status == 2
    assert "wants to know who you are (401)" in error
    assert [path for _, path in kubeflow.requests if "/runs/" in path] == [
        f"/apis/v2beta1/runs/{only(kubeflow.runs).run_id}"
    ]


def test_no_endpoint_is_told(alone, call):
    status, _, error = call("submit", "demo")
    assert status == 2
    assert error.strip() == "Error No Kubeflow is named. Set cluster.endpoint in the study, or KFP_ENDPOINT."


def test_an_endpoint_where_nobody_listens_is_told(alone, call):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    status, _, error = call("submit", "demo", "--set", f"cluster.endpoint={address}")
    assert status == 2
    assert error.startswith(f"Error Kubeflow at {address} cannot be reached: ")
    assert "refused. Check the address" in error
    assert len(error.splitlines()) == 1


def test_an_endpoint_that_does_not_answer_is_not_waited_for(alone, call, monkeypatch):
    monkeypatch.setattr(connection_module, "SECONDS", (1.0, 0.2))
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        monkeypatch.setenv("KFP_ENDPOINT", f"http://127.0.0.1:{deaf.getsockname()[1]}")
        status, _, error = call("runs", "list")
    assert status == 2
    assert "cannot be reached: it does not answer in time. Check the address" in error


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "wants to know who you are (401): injected. Set KFP_TOKEN to a token that is valid."),
        (403, "does not allow this (403): injected. Ask its administrator for the right"),
        (503, "failed (HTTP 503): injected. Try again later"),
        (400, "refused (HTTP 400): injected."),
    ],
)
@pytest.mark.parametrize("path", ["healthz", "upload_version", "runs$"])
def test_a_refusal_is_told_in_one_line(kubeflow, call, status, says, path):
    kubeflow.fail("GET" if path == "healthz" else "POST", path, status, times=9)
    ended, said, error = call("submit", "demo")
    assert (ended, said) == (2, "")
    assert error.startswith(f"Error Kubeflow at {kubeflow.endpoint} ")
    assert says in error
    assert len(error.splitlines()) == 1
    assert kubeflow.runs == {}


def test_a_page_to_log_in_is_no_kubeflow(kubeflow, monkeypatch):
    monkeypatch.setattr(kubeflow, "_carry_out", lambda *_: (200, "<html>Log in to your account</html>"))
    with pytest.raises(ClusterError, match="answers, but is no Kubeflow Pipelines: a page to log in"):
        connect()


def test_the_token_is_sent_and_never_shown(kubeflow, call, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", "s3cret-t0ken")
    assert call("submit", "demo")[0] == 0
    assert set(kubeflow.tokens) == {"Bearer s3cret-t0ken"}
    assert not [content for content in kubeflow.uploads if b"s3cret" in content]
    kubeflow.fail("POST", "runs$", 401, message="token s3cret-t0ken of https://me:pass@host has run out")
    status, said, error = call("submit", "demo")
    assert status == 2
    assert "s3cret" not in said + error
    assert "me:pass" not in said + error
    assert "does not accept the token of KFP_TOKEN (401): token *** of https://host has run out" in error


@pytest.mark.parametrize("setting", ["cluster.endpoint", "cluster.mlflow_uri", "tracking.uri"])
def test_an_address_with_a_password_is_refused_before_it_is_sent(kubeflow, call, setting):
    status, _, error = call("submit", "demo", "--set", f"{setting}=https://me:pass@host")
    assert status == 2
    assert "holds a user or password" in error
    assert kubeflow.uploads == []


def test_the_endpoints_variable_may_not_hold_a_password_either(alone, call, monkeypatch):
    monkeypatch.setenv("KFP_ENDPOINT", "https://me:pass@host")
    status, _, error = call("runs", "list")
    assert status == 2
    assert "holds a user or password" in error
    assert "pass@" not in error


def test_several_users_need_a_namespace(kubeflow, call):
    kubeflow.multi_user = True
    status, _, error = call("submit", "demo")
    assert status == 2
    assert "has several users. Set cluster.namespace" in error
    assert call("submit", "demo", "--set", "cluster.namespace=ann")[0] == 0
    assert only(kubeflow.pipelines).namespace == only(kubeflow.experiments).namespace == "ann"


def test_a_pipeline_of_another_user_is_told(kubeflow, call):
    assert call("submit", "demo")[0] == 0
    kubeflow.hidden = {"transfer-study"}
    status, _, error = call("submit", "demo")
    assert status == 2
    assert "has a pipeline 'transfer-study' that you cannot see" in error
    assert "--pipeline" in error
    assert call("submit", "demo", "--pipeline", "mine")[0] == 0
    assert len(kubeflow.pipelines) == 2


def test_a_version_that_another_uploads_in_the_meantime_is_taken(kubeflow, call):
    kubeflow.fail("POST", "upload_version", 409, after=True)
    assert call("submit", "demo")[0] == 0
    assert len(kubeflow.versions) == len(kubeflow.runs) == 1


def test_the_stand_in_refuses_what_is_no_pipeline(kubeflow, connection, tmp_path):
    """Else the tests here would pass with anything."""
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({"pipelineInfo": {"name": "x"}, "nonsense": 1}))
    body = connection.client.api_models.V2beta1Pipeline(display_name="x")
    made = connection.client.pipelines.pipeline_service_create_pipeline(pipeline=body)
    with pytest.raises(kfp_server_api.ApiException, match="no pipeline spec"):
        connection.client.upload_pipeline_version(
            str(tmp_path / "bad.yaml"), "v", pipeline_id=made.pipeline_id
        )
    with pytest.raises(kfp_server_api.ApiException, match="no such version"):
        connection.client.run_pipeline("e", "r", pipeline_id=made.pipeline_id, version_id="v")


def test_runs_are_listed_shown_and_stopped(kubeflow, call):
    for name in ("first", "second"):
        assert call("submit", "demo", "--run-name", name, "--experiment", name)[0] == 0
    status, said, _ = call("runs", "list")
    assert status == 0
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["name", "state"],
        ["second", "pending"],
        ["first", "pending"],
    ]
    assert len(call("runs", "list", "--limit", 1)[1].splitlines()) == 2
    assert len(call("runs", "list", "--experiment", "first")[1].splitlines()) == 2
    assert "There is no experiment 'third'" in call("runs", "list", "--experiment", "third")[2]
    first = next(iter(kubeflow.runs))
    script(kubeflow, "RUNNING")
    status, said, _ = call("runs", "status", first)
    assert status == 0
    assert said.splitlines()[0] == "first: running"
    assert [line.split() for line in said.splitlines()[2:]] == [
        ["plan-study", "succeeded"],
        ["select-best-model", "running"],
    ]
    assert call("runs", "terminate", first)[0] == 0
    assert kubeflow.runs[first].state == "CANCELED"
    script(kubeflow, "FAILED")
    assert call("runs", "status", first)[0] == 1
    assert call("runs", "status", first, "--follow")[0] == 1
    status, _, error = call("runs", "status", "nosuch")
    assert status == 2
    assert "knows no such thing (404): Run nosuch not found. Check the name or id." in error


def test_tasks_of_a_run_without_details_are_none():
    assert list_tasks(kfp_server_api.V2beta1Run()) == []


def test_a_place_to_run_does_not_change_the_study():
    placed = parse_study("name: a\ncluster: {namespace: ann, gpu: {count: 1}}")
    assert placed.to_json(with_cluster=False) == Study(name="a").to_json(with_cluster=False)
    assert "ann" in placed.to_json()
