"""The runs the tests of the whole look at: each made once, whichever workers ask for it."""

import pytest
from rich.console import Console

from pipelines.local import run_study
from tests.integration.stages import run_stages
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
def again(tmp_path_factory) -> Run:
    """The tiny study once more, through the command line."""

    def make(folder):
        (folder / "study.yaml").write_text(TINY)
        done = run_cli("run", "study.yaml", cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / "stdout.txt").write_text(done.stdout)

    return Run((share(tmp_path_factory, "again", make) / "runs" / "latest").resolve())


@pytest.fixture(scope="session")
def staged(tmp_path_factory):
    """Return a function that runs the stages of a study, once for each name."""

    def run(name, study, change=None):
        return share(tmp_path_factory, name, lambda folder: run_stages(study, folder, change))

    return run
