"""Stand-ins of Cloud Storage as processes of their own, and a wire to them that can break.

Two stand-ins: gcp-storage-emulator, which is installed with the tests and knows no preconditions, and
Google's storage-testbench, which knows them and injects faults, from a checkout that the variable
GENOTRANSFER_TESTBENCH names; GENOTRANSFER_TESTBENCH_PYTHON names the Python that has its dependencies,
the checkout's ``.venv`` where unset. `make test-storage TESTBENCH=folder` sees to both.
"""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest


def find_testbench() -> tuple[str, Path]:
    """Return the Python that runs the testbench and the folder of its checkout, or skip the test."""
    checkout = os.environ.get("GENOTRANSFER_TESTBENCH")
    if not checkout:
        pytest.skip("needs Google's storage-testbench: make test-storage TESTBENCH=folder of a checkout")
    return os.environ.get("GENOTRANSFER_TESTBENCH_PYTHON") or f"{checkout}/.venv/bin/python", Path(checkout)


@contextmanager
def serve(name: str, log: Path) -> Iterator[int]:
    """Run a stand-in until the block ends; yield its port."""
    port = find_port()
    if name == "testbench":
        python, checkout = find_testbench()
        # One worker: its memory is the bucket.
        arguments = ["-m", "gunicorn", "--worker-class=gthread", "--threads=16", "--workers=1"]
        command = [python, *arguments, f"--bind=127.0.0.1:{port}", "testbench:run()"]
    else:
        checkout = log.parent
        start = "import sys; from gcp_storage_emulator.__main__ import main; main(sys.argv[1:])"
        arguments = ["start", "--host", "127.0.0.1", "--port", str(port), "--in-memory"]
        command = [sys.executable, "-c", start, *arguments]
    with log.open("wb") as written:
        process = subprocess.Popen(command, cwd=checkout, stdout=written, stderr=written)
    try:
        for _ in range(300):
            if process.poll() is not None:
                raise RuntimeError(f"{name} does not run:\n{log.read_text()[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def find_port() -> int:
    """Return a port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Fault:
    """What happens once on the wire, when a request that holds `request` comes by.

    After `after` bytes ``up``, of the request, or ``down``, of its answer, the wire is ``cut``, one
    byte is ``flip``ped, or it stands still until the test lets it go on (``hold``).
    """

    request: bytes
    way: str
    after: int
    what: str


@dataclass
class Wire:
    """A TCP connection to a stand-in, through which all bytes go and some do not arrive."""

    target: int
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    happened: list[Fault] = field(default_factory=list)
    down: int = 0
    requests: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        """Listen."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Listen no more, and let go what stands still."""
        self.closed.set()
        self.released.set()
        self.listener.close()

    def _listen(self) -> None:
        while not self.closed.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self.target))
        active: Fault | None = None
        passed = {"up": 0, "down": 0}
        try:
            while not self.closed.is_set():
                ready, _, _ = select.select([client, server], [], [], 0.5)
                for one in ready:
                    data = one.recv(1 << 16)
                    if not data:
                        return
                    way = "up" if one is client else "down"
                    if way == "up":
                        self._note(data)
                        found = next((fault for fault in self.faults if fault.request in data), None)
                        if found is not None and active is None:
                            active, passed = found, {"up": 0, "down": 0}
                            self.faults.remove(found)
                    else:
                        self.down += len(data)
                    passed[way] += len(data)
                    if active is not None and active.way == way and passed[way] > active.after:
                        fault, active = active, None
                        self.happened.append(fault)
                        if fault.what == "cut":
                            reset(client)
                            return
                        if fault.what == "flip":
                            data = data[:-1] + bytes([data[-1] ^ 1])
                        if fault.what == "hold":
                            self.released.wait(60)
                    (server if way == "up" else client).sendall(data)
        except OSError:
            return
        finally:
            client.close()
            server.close()

    def _note(self, data: bytes) -> None:
        first = data.split(b"\r\n", 1)[0]
        if first.endswith(b"HTTP/1.1"):
            self.requests.append(first.decode())


def reset(connection: socket.socket) -> None:
    """Close a connection so that the other side sees it reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@dataclass
class Stand:
    """A stand-in with an empty bucket, its wire, and a folder for copies."""

    name: str
    wire: Wire
    bucket: str
    cache: Path

    @property
    def environment(self) -> dict[str, str]:
        """What leads a process to it."""
        return {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.wire.port}",
            "GENOTRANSFER_CACHE": str(self.cache),
        }

    def at(self, name: str) -> str:
        """Return the address of a name in the bucket."""
        return f"gs://{self.bucket}/{name}"

    def call(self, path: str, body: dict | None = None) -> dict:
        """Call the stand-in past the client library."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.wire.target}{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"{}")

    @contextmanager
    def failing(self, **instructions: list[str]) -> Iterator[Callable[[], bool]]:
        """Let the testbench fail calls of this process's client: ``objects_get=["return-503"]``.

        Yields a function that says whether all of the failures have happened.
        """
        from genotransfer.storage.client import get_client

        asked = {f"storage.{name.replace('_', '.')}": faults for name, faults in instructions.items()}
        made = self.call("/retry_test", {"instructions": asked, "transport": "HTTP"})
        client, headers = get_client(), {"x-retry-test-id": made["id"]}
        before = client._extra_headers
        client._extra_headers = client._connection.extra_headers = headers
        try:
            yield lambda: self.call(f"/retry_test/{made['id']}")["completed"]
        finally:
            client._extra_headers = client._connection.extra_headers = before
