"""Servers the tests start for themselves, on this machine and ended with the test: MLflow, PostgreSQL."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

USER = "genotransfer"


def find_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def serve_mlflow(folder: Path, backend: str = "", port: int = 0):
    """Yield the address of an MLflow server of its own, and end it.

    Its database is sqlite in the folder unless `backend` names another, its artifacts are in ``store``.
    """
    port = port or find_port()
    uri = f"http://127.0.0.1:{port}"
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    arguments += ["--backend-store-uri", backend or f"sqlite:///{folder / 'server.db'}"]
    arguments += ["--artifacts-destination", str(folder / "store")]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *arguments],
            cwd=folder,
            env=inherited
            | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until_healthy(uri, process, folder / "server.log")
            yield uri
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the server and the workers it started
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_until_healthy(uri: str, process: subprocess.Popen, log: Path) -> None:
    """Wait until a server answers; fail with its log where it ends before."""
    for _ in range(1500):  # a busy machine takes minutes
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(log.read_text())


@contextmanager
def serve_postgres():
    """Yield the address of a database of its own on Debian's PostgreSQL, and end it.

    PostgreSQL refuses to run as root: there it runs as the user its package makes, who cannot enter
    pytest's folders.
    """
    binaries = find_postgres()
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(binaries / program), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    with tempfile.TemporaryDirectory(prefix="genotransfer-postgres-") as folder:
        data, port = f"{folder}/data", find_port()
        if as_user:
            shutil.chown(folder, "postgres")
        run("initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        run("pg_ctl", "-D", data, "-l", f"{folder}/log", "-w", "-o", options, "start")
        try:
            run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, "mlflow")
            yield f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/mlflow"
        finally:
            run("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")


def find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs, the newest where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[4]))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed: run tools/install_services.sh")
    return found[-1].parent
