"""Secrets of the surroundings are in nothing a study writes, whether it fails or succeeds."""

import json

import pytest

from tests.integration.servers import serve_mlflow
from tests.integration.support import make_cohorts, run_cli
from tests.secrets_support import find_secret

PASSWORD, TOKEN, KEY = "pl4nted-Passw0rd", "pl4nted-t0ken-of-kubeflow", "pl4nted-private-key"
SECRETS = (PASSWORD, TOKEN, KEY)


@pytest.mark.integration
def test_a_study_that_fails_and_then_succeeds_writes_no_secret(tmp_path):
    """First MLflow cannot be reached; then a server takes the results, under an address with a password."""
    work, server = tmp_path / "work", tmp_path / "server"
    work.mkdir()
    server.mkdir()
    study = make_cohorts(work)
    (tmp_path / "key.json").write_text(json.dumps({"type": "service_account", "private_key": KEY}))
    planted = {
        "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        "MLFLOW_TRACKING_USERNAME": "me",
        "KFP_TOKEN": TOKEN,
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    }
    failed = run_cli(
        "run", study, cwd=work, MLFLOW_TRACKING_URI=f"http://me:{PASSWORD}@127.0.0.1:9", **planted
    )
    assert failed.returncode == 2, failed.stderr
    assert "127.0.0.1:9" in failed.stderr
    (work / "failed.txt").write_text(failed.stdout + failed.stderr)
    [run] = (one for one in (work / "runs").iterdir() if one.name.startswith("cohorts"))
    assert find_secret(work, SECRETS) == []
    with serve_mlflow(server) as uri:
        address = uri.replace("http://", f"http://me:{PASSWORD}@")
        done = run_cli("resume", run, cwd=work, MLFLOW_TRACKING_URI=address, **planted)
        assert done.returncode == 0, done.stderr
    (work / "done.txt").write_text(done.stdout + done.stderr)
    assert (run / "report.html").is_file()
    assert any((server / "store").rglob("*")), "the server took nothing"
    assert find_secret(work, SECRETS) == []
    assert find_secret(server, SECRETS) == []
