"""The runs the tests of the whole look at: each made once, whichever workers ask for it."""

import pytest
from rich.console import Console

from pipelines.local import run_study
from tests.integration.servers import serve_mlflow, serve_postgres
from tests.integration.stages import run_stages
from tests.integration.storage_fixtures import emulator, emulator_port, stand, testbench, testbench_port  # noqa: F401
from tests.integration.support import TINY, Run, read_tiny, run_cli, share


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Run:
    """The tiny study through the embedded runner."""

    def make(folder):
        with pytest.MonkeyPatch.context() as patch, (folder / "progress.txt").open("w") as progress:
            for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
                patch.delenv(name, raising=False)
            run_study(read_tiny(), folder / "runs", Console(file=progress))

    runs = share(tmp_path_factory, "finished", make) / "runs"
    return Run((runs / "latest").resolve())


@pytest.fixture(scope="session")
def again(tmp_path_factory) -> tuple[Run, str]:
    """The tiny study once more, through the command line, with no MLflow server to be reached.

    Returns the run and what was said on standard error. A test may have gone on with it since.
    """

    def make(folder):
        (folder / "study.yaml").write_text(TINY)
        nowhere = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        done = run_cli("run", "study.yaml", cwd=folder, **nowhere)
        assert done.returncode == 2, done.stderr
        assert not (folder / "runs" / "latest").is_symlink()
        (folder / "stderr.txt").write_text(done.stderr)

    folder = share(tmp_path_factory, "again", make)
    [run] = folder.glob("runs/tiny-*")
    return Run(run), (folder / "stderr.txt").read_text()


@pytest.fixture(scope="session")
def staged(tmp_path_factory):
    """Return a function that runs the stages of a study, once for each name."""

    def run(name, study, change=None):
        return share(tmp_path_factory, name, lambda folder: run_stages(study, folder, change))

    return run


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory):
    """MLflow's server on PostgreSQL: its address, and the folder of its artifacts."""
    folder = tmp_path_factory.mktemp("server")
    with serve_postgres() as database, serve_mlflow(folder, database) as uri:
        yield uri, folder / "store"
