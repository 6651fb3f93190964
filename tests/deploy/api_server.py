"""An API server of Kubernetes for a test, on this machine and ended with it: etcd and kube-apiserver, no nodes."""

import os
import secrets
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.servers import find_port


@dataclass(frozen=True)
class Cluster:
    """The server: its address, and a token that may do all."""

    port: int
    token: str

    def try_kubectl(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl against the server."""
        # A certificate of the server's own making, on this machine.
        where = ["--server", f"https://127.0.0.1:{self.port}", "--insecure-skip-tls-verify"]
        return subprocess.run(
            ["kubectl", *where, "--token", self.token, *arguments],
            input=given,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=False,
        )

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Run kubectl, and return what it said; fail where it fails or warns."""
        done = self.try_kubectl(*arguments, given=given)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        assert "Warning" not in done.stderr, f"{arguments}: {done.stderr}"
        return done.stdout


def find_programs() -> tuple[str, str]:
    """Return the paths of etcd and of kube-apiserver, GENOTRANSFER_KUBE_APISERVER or on the PATH; empty if absent."""
    server = os.environ.get("GENOTRANSFER_KUBE_APISERVER") or shutil.which("kube-apiserver") or ""
    return shutil.which("etcd") or "", server


@contextmanager
def serve_kubernetes(folder: Path):
    """Yield a cluster without nodes and controllers, and end it."""
    etcd, server = find_programs()
    clients, peers, port, token = find_port(), find_port(), find_port(), secrets.token_hex()
    (folder / "tokens.csv").write_text(f'{token},admin,1,"system:masters"\n')
    key, public = folder / "account.key", folder / "account.pub"
    for order in (
        ["openssl", "genrsa", "-out", key, "2048"],
        ["openssl", "rsa", "-in", key, "-pubout", "-out", public],
    ):
        subprocess.run(order, check=True, capture_output=True)
    store = [f"--{kind}-client-urls=http://127.0.0.1:{clients}" for kind in ("listen", "advertise")]
    store += [f"--{kind}-urls=http://127.0.0.1:{peers}" for kind in ("listen-peer", "initial-advertise-peer")]
    commands = [
        [
            etcd,
            f"--data-dir={folder / 'data'}",
            *store,
            f"--initial-cluster=default=http://127.0.0.1:{peers}",
        ],
        [
            server,
            f"--etcd-servers=http://127.0.0.1:{clients}",
            f"--cert-dir={folder / 'certificates'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
        ],
    ]
    started = []
    try:
        for at, command in enumerate(commands):
            with (folder / f"{at}.log").open("w") as log:
                started.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
        cluster = Cluster(port, token)
        _wait(cluster, started, folder)
        yield cluster
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(cluster: Cluster, started: list[subprocess.Popen], folder: Path) -> None:
    for _ in range(240):
        logs = [(folder / f"{at}.log").read_text()[-3000:] for at in range(len(started))]
        assert all(process.poll() is None for process in started), logs
        if cluster.try_kubectl("get", "--raw", "/readyz").returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError(logs)
