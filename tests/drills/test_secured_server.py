"""A server as a company runs it: TLS with verified certificates, SCRAM, no superuser in sight, a pooler before it.

Needs the PostgreSQL of a distribution: the one in a wheel is built without TLS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from queue_schema import migrate
from tests.agent.daemons import Fleet
from tests.support.ports import free_port
from tests.support.waiting import eventually

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
PASSWORD = "only-in-tests"
NOWHERE = "http://127.0.0.1:1"
"""These jobs have no files."""

pytestmark = [
    pytest.mark.skipif(
        BIN is None or shutil.which("openssl") is None,
        reason="needs PostgreSQL of Debian (apt-get install postgresql) and openssl",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a server as its own user"),
]


@dataclass(frozen=True)
class Secured:
    """The server, and who may talk to it."""

    folder: Path
    port: int

    def url(self, login: str, *, port: int | None = None, **options: str) -> str:
        """Its address for a login, with its certificate verified unless said otherwise."""
        said = {"sslmode": "verify-full", "sslrootcert": str(self.folder / "ca.crt"), **options}
        query = "&".join(f"{name}={value}" for name, value in said.items())
        return f"postgresql://{login}:{PASSWORD}@localhost:{port or self.port}/argosy?{query}"


def run(*words: str | Path, user: str | None = None, cwd: Path | None = None) -> None:
    """Run a program to its end; a failure shows what it said."""
    done = subprocess.run(words, user=user, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


def certify(folder: Path, name: str, *, host: str) -> None:
    """A certificate authority, and a certificate of it for a host."""
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}",
        "-keyout", f"{name}.key", "-out", f"{name}.crt", cwd=folder)  # fmt: skip
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", f"{host}.key",
        "-out", f"{host}.csr", cwd=folder)  # fmt: skip
    (folder / "names").write_text(f"subjectAltName=DNS:{host}")
    run("openssl", "x509", "-req", "-in", f"{host}.csr", "-CA", f"{name}.crt", "-CAkey", f"{name}.key", "-CAcreateserial",
        "-days", "1", "-extfile", "names", "-out", f"{host}.crt", cwd=folder)  # fmt: skip


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    """Migrated by a login that owns its database and may make roles, and nothing more."""
    assert BIN is not None
    folder = Path(f"/tmp/argosy-secured-{os.getpid()}")
    folder.mkdir(mode=0o755)
    certify(folder, "ca", host="localhost")
    data = folder / "data"
    data.mkdir(mode=0o700)
    shutil.chown(data, "postgres")
    for name in ("localhost.key", "localhost.crt"):
        shutil.chown(folder / name, "postgres")
    run(BIN / "initdb", "-D", data, "-A", "peer", user="postgres")
    (data / "pg_hba.conf").write_text(
        "local all postgres peer\nlocal all all reject\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
    )
    found = Secured(folder, free_port())
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(found.port),
        "unix_socket_directories": str(data),
        "ssl": "on",
        "ssl_cert_file": str(folder / "localhost.crt"),
        "ssl_key_file": str(folder / "localhost.key"),
        "password_encryption": "scram-sha-256",
    }
    said = " ".join(f"-c {name}={value}" for name, value in options.items())
    run(BIN / "pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", said, "start", user="postgres")
    try:
        psql = (BIN / "psql", "-h", data, "-p", str(found.port), "-v", "ON_ERROR_STOP=1", "-c")
        run(*psql, f"create role migrator login createrole password '{PASSWORD}'", user="postgres")
        run(*psql, "create database argosy owner migrator", user="postgres")
        migrate.upgrade(found.url("migrator"))
        with psycopg.connect(found.url("migrator"), autocommit=True) as conn:
            conn.execute(
                sql.SQL(
                    "create role gpu_host login password {} connection limit 8 in role fleet_agent"
                ).format(PASSWORD)
            )
        yield found
    finally:
        run(BIN / "pg_ctl", "-D", data, "-m", "immediate", "stop", user="postgres")
        shutil.rmtree(folder)


@pytest.fixture
def fleet(secured: Secured, tmp_path: Path) -> Iterator[Fleet]:
    """A project of the owner's, and agents with a login of their own."""
    found = Fleet(secured.url("migrator"), NOWHERE, tmp_path)
    yield found
    found.close()


def as_host(url: str) -> dict[str, str]:
    """The environment of an agent with this address."""
    return {"ARGOSY_AGENT_DATABASE_URL": url}


def test_an_agent_works_over_verified_tls(secured: Secured, fleet: Fleet):
    """With a password that is bound to the channel, and no other way in."""
    fleet.agent("--node", "verified", environment=as_host(secured.url("gpu_host", channel_binding="require")))
    fleet.ends(fleet.submit("noop", {}), "succeeded")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sslmode": "disable"}, "no pg_hba.conf entry"),
        ({"sslrootcert": "system"}, "certificate verify failed"),
        ({"host": "127.0.0.1"}, "does not match host name"),
    ],
)
def test_what_is_not_verified_is_not_talked_to(
    secured: Secured, fleet: Fleet, options: dict[str, str], why: str
):
    """In the clear, with a certificate of somebody else, or of another host: the agent waits, and says why."""
    daemon = fleet.agent(
        "--node", "apart", ready=False, environment=as_host(secured.url("gpu_host", **options))
    )
    assert why in daemon.wait("join.waits")["error"]


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="needs pgbouncer (apt-get install pgbouncer)")
def test_an_agent_works_behind_a_pooler(secured: Secured, fleet: Fleet, pooled: int):
    """In transaction mode no connection is the agent's own: nothing it says may rest on one."""
    daemon = fleet.agent(
        "--node", "pooled", environment=as_host(secured.url("gpu_host", port=pooled, sslmode="disable"))
    )
    jobs = [fleet.submit("noop", {"seconds": 0.2}) for _ in range(8)]
    for job in jobs:
        fleet.ends(job, "succeeded")
    long = fleet.submit("noop", {"seconds": 60})
    daemon.wait("runner.resumed", times=1)
    eventually(lambda: fleet.state(long) == "running")
    fleet.conn.execute("select fleet.cancel_v1(%s, array[%s]::uuid[])", (fleet.project, long))
    fleet.ends(long, "cancelled")
    assert not daemon.seen("database.unexpected")


@pytest.fixture
def pooled(secured: Secured) -> Iterator[int]:
    """A pooler of few connections in transaction mode; its port."""
    port = free_port()
    (secured.folder / "users").write_text(f'"gpu_host" "{PASSWORD}"\n')
    (secured.folder / "pgbouncer.ini").write_text(
        f"""
[databases]
argosy = host=localhost port={secured.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = 2
auth_type = scram-sha-256
auth_file = {secured.folder}/users
server_tls_sslmode = verify-full
server_tls_ca_file = {secured.folder}/ca.crt
"""
    )
    for name in ("users", "pgbouncer.ini"):
        shutil.chown(secured.folder / name, "postgres")
    process = subprocess.Popen(
        ["pgbouncer", secured.folder / "pgbouncer.ini"], user="postgres", stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "process up" in line:
                break
        yield port
    finally:
        process.kill()
        process.stderr.close()
        process.wait()
