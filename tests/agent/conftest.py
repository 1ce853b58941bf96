from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from agent.attempt import Attempt
from agent.checkpoints import Checkpoints
from agent.devices.health import Fault
from agent.devices.host import HostMemory
from agent.files.cache import Cache
from agent.files.transfer import Transfer
from agent.isolation import Isolation, Means
from agent.leases import Lease, Leases
from agent.line import Line
from agent.membership import Membership
from agent.reporter import Reporter
from agent.runners.forkserver import Forkserver
from agent.runners.records import Records
from agent.sampling import Sampler
from agent.settings import AgentSettings
from agent.spool import Settlement
from agent.together import Together
from agent.warm import Warm
from agent.watchdog import Watchdog
from agent.work import Work
from agent.workshop import Workshop
from argosy.errors import ArgosyError
from argosy.mock import library
from argosy.mock.gpus import MockNode, read_fleet
from queue_schema.shapes import Claimed, Grant, Join, Joined, Session
from tests.agent.daemons import LIGHT, Fleet
from tests.agent.proxy import Proxy
from tests.support.waiting import eventually

NOWHERE = "postgresql://127.0.0.1:1/none"


class Blobs(ThreadingHTTPServer):
    """A blob store over HTTP, as the API's, but in memory and with faults on demand."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.gets: list[str] = []
        self.puts: list[tuple[str, str | None]] = []
        self.headers: list[dict[str, str]] = []
        self.fail_next = 0
        self.most: int | None = None
        """Bytes of a file that is taken; larger ones are refused."""
        self.damage_next = 0
        self.hold = threading.Event()
        self.hold.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, data: bytes) -> str:
        """Store a file; answers with its hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = data
        return sha256


class _Handler(BaseHTTPRequestHandler):
    server: Blobs

    def do_GET(self) -> None:
        sha256 = self.path.rpartition("/")[2]
        self.server.gets.append(sha256)
        self.server.headers.append(dict(self.headers))
        self.server.hold.wait(10)
        if self.server.fail_next:
            self.server.fail_next -= 1
            self._answer(503, b"not now")
        elif sha256 not in self.server.files:
            self._answer(404, b"no such file")
        elif self.server.damage_next:
            self.server.damage_next -= 1
            self._answer(200, b"X" + self.server.files[sha256][1:])
        else:
            self._answer(200, self.server.files[sha256])

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        sha256 = self.path.rpartition("/")[2]
        self.server.puts.append((sha256, self.headers["Content-Type"]))
        self.server.hold.wait(10)
        if self.server.fail_next:
            self.server.fail_next -= 1
            self._answer(503, b"not now")
        elif self.server.most is not None and len(data) > self.server.most:
            self._answer(413, b"too large")
        elif hashlib.sha256(data).hexdigest() != sha256:
            self._answer(422, b"wrong hash")
        else:
            self.server.files[sha256] = data
            self._answer(200, b"{}")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def blobs() -> Iterator[Blobs]:
    server = Blobs()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def forkserver() -> Iterator[Forkserver]:
    server = Forkserver(preload=LIGHT, entry="workloads.entry:start")
    server.warm()
    yield server
    server.close()


@pytest.fixture
def membership() -> Membership:
    """A session that nobody joined, for parts that only carry its name."""
    leases = Leases()
    member = Membership(Join("n", "i", "b", "0", [], [], 1000, 1000, 4), leases)
    member._joined = Joined(uuid4(), "secret", 30.0, 10.0, draining=False, held=[])
    member._session = Session(member._joined.session_id, "secret")
    return member


@pytest.fixture
def transfer(blobs: Blobs, membership: Membership) -> Iterator[Transfer]:
    found = Transfer(blobs.url, membership, patience_s=5.0)
    yield found
    found.close()


class Settled:
    """Where attempts tell their outcome, in the settler's place."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.all: dict[UUID, Settlement] = {}

    def settle(self, settlement: Settlement) -> None:
        """Keep the outcome, and let go of the lease."""
        self.all[settlement.token] = settlement
        self.leases.remove(settlement.token)


class Bench:
    """Everything that runs jobs on a node, without a database."""

    def __init__(self, shop: Workshop, settled: Settled, faults: dict[int, Fault]) -> None:
        self.shop = shop
        self.settled = settled
        self.faults = faults
        """Devices that take no work."""

    def claimed(self, kind: str, params: dict[str, Any], **facts: Any) -> Claimed:
        """A claim's answer, as the database would give it."""
        grant = facts.pop("grant", Grant(devices=[-1], vram_mib=64, ram_mib=0, cpu_milli=1000, disk_mib=0))
        values: dict[str, Any] = {
            "job_id": uuid4(),
            "token": uuid4(),
            "attempt": 1,
            "project_id": UUID(int=7),
            "kind": kind,
            "params": params,
            "inputs": [],
            "grant": grant,
            "timeout_s": 60,
            "exclusive": False,
        }
        return Claimed(**values | facts)

    def start(self, kind: str, params: dict[str, Any], **facts: Any) -> Lease:
        """Begin a job as if it had just been claimed."""
        claimed = self.claimed(kind, params, **facts)
        lease = Lease(claimed.job_id, claimed.token, claimed, time.monotonic())
        self.begin(lease)
        return lease

    def begin(self, *leases: Lease) -> list[Attempt]:
        """Begin jobs that were claimed, as one piece of work."""
        self.shop.leases.add(*leases)
        together = Together(len(leases), partial(Work, self.shop))
        attempts = [Attempt(self.shop, lease, together, place) for place, lease in enumerate(leases)]
        for attempt in attempts:
            attempt.start()
        return attempts

    def running(self, lease: Lease) -> int:
        """Wait until its runner runs and leads its session; answers with the pid."""
        runner = eventually(lambda: lease.runner)
        eventually(lambda: os.getsid(runner.pid) == runner.pid)
        return runner.pid

    def outcome(self, lease: Lease, within_s: float = 15.0) -> Settlement | None:
        """Wait for the end; None when it was dropped."""
        eventually(lambda: self.shop.leases.get(lease.token) is None, within_s)
        return self.settled.all.get(lease.token)


@pytest.fixture
def settings(tmp_path: Path, blobs: Blobs) -> AgentSettings:
    return AgentSettings(
        database_url=NOWHERE,
        api_url=blobs.url,
        state_dir=tmp_path / "state",
        node="bench",
        ram_mib=2048,
        grace_s=1.0,
        stop_s=2.0,
        ram_allowance_mib=64,
        preload=LIGHT,
        poll_s=0.2,
        report_s=0.05,
        transfer_s=5.0,
    )


@pytest.fixture
def bench(
    settings: AgentSettings, forkserver: Forkserver, membership: Membership, transfer: Transfer
) -> Iterator[Bench]:
    leases = membership._leases
    line = Line(NOWHERE, "nowhere")
    settings.state_dir.mkdir()
    settled = Settled(leases)
    faults: dict[int, Fault] = {}
    warm = Warm(leases, most=settings.warm_most, rest_s=settings.warm_s, faults=lambda: faults)
    shop = Workshop(
        settings=settings,
        leases=leases,
        sampler=Sampler(
            [HostMemory(budget_mib=2048, takes_vram=True)], leases, forkserver, warm, disk=settings.state_dir
        ),
        forkserver=forkserver,
        records=Records(settings.state_dir / "runners"),
        cache=Cache(settings.state_dir / "cache", budget_mib=64),
        transfer=transfer,
        checkpoints=Checkpoints(line, membership, transfer),
        reporter=Reporter(line, membership, every_s=0.1, lost=lambda _: None),
        settler=settled,  # type: ignore[arg-type]
        isolation=Isolation(settings, Means(False, False, False), str(uuid4())),
        warm=warm,
        starting=threading.Lock(),
    )
    watchdog = Watchdog(settings, leases, forkserver, lease_s=lambda: 30.0)
    watchdog.start()
    yield Bench(shop, settled, faults)
    warm.stop()
    for lease in leases.all():
        if lease.runner is not None:
            lease.runner.kill()
    leases.wait_until_empty(5.0)
    watchdog.stop()
    watchdog.join()


@pytest.fixture
def fleet(database_url: str, blobs: Blobs, tmp_path: Path) -> Iterator[Fleet]:
    found = Fleet(database_url, blobs.url, tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in driver library, built, and loaded into this process for nvidia-ml-py to find."""
    try:
        path = library.build(tmp_path_factory.mktemp("driver") / "lib")
    except ArgosyError as exc:
        if exc.code != "no_compiler":
            raise
        pytest.skip(str(exc))
    ctypes.CDLL(str(path))
    return path


@pytest.fixture
def mock(driver: Path, request: pytest.FixtureRequest) -> Iterator[MockNode]:
    """A node with two A100; `fleet.agent(environment=mock.environment)` has them."""
    node = MockNode(driver.parents[1] / f"mock-{uuid4()}")
    [two] = read_fleet("2xA100")
    node.make(two)
    yield node
    if "fleet" in request.fixturenames:
        request.getfixturevalue("fleet").close()  # whose agents and jobs write there as long as they live
    shutil.rmtree(node.folder)


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    found = Proxy(database_url)
    yield found
    found.close()


def python(code: str) -> dict[str, object]:
    """Parameters of a command that is a piece of Python."""
    return {"argv": [sys.executable, "-c", textwrap.dedent(code)]}
