"""PostgreSQL in a container, for as long as the process lives that started it, however that ends.

testcontainers leaves the tidying to Ryuk, an image of its own, which is not to be had where no registry is. Here a shell
waits at a pipe for the end of the process, and removes the container then; what even that could not remove (the shell was
killed, too) goes when the next tests start.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from psycopg import sql

from agent import processes

OFFICIAL = "postgres:18"
BUILT = "argosy-test-postgres:18"
"""Made by `.ci/postgres-image` where the official one is not to be had: no name that anybody could take for that one."""
_LABEL = "argosy.tests.of"
_ASK_S = 15.0
_PULL_S = 60.0
_TRY_S = 60.0
_DATA = "/var/lib/postgresql"
_REMOVE = 'cat >/dev/null; exec docker rm --force --volumes "$0" >/dev/null 2>&1'


def find() -> tuple[str | None, str]:
    """The image to take, and a word about it; or None, and why there can be no container.

    `ARGOSY_TEST_IMAGE`, else the official one, else that of `.ci/postgres-image`; pulled if none of them is here.
    """
    try:
        return _find()
    except FileNotFoundError:
        return None, "no docker command"
    except subprocess.TimeoutExpired as late:
        return None, f"`{' '.join(late.cmd[:2])}` does not answer within {late.timeout:g} s"


def _find() -> tuple[str | None, str]:
    if _docker("info").returncode != 0:
        return None, "no docker engine answers"
    said = os.environ.get("ARGOSY_TEST_IMAGE")
    wanted = [said] if said else [OFFICIAL, BUILT]
    here = [image for image in wanted if _docker("image", "inspect", image).returncode == 0]
    if not here:
        try:
            pulled = _docker("pull", "--quiet", wanted[0], within_s=_PULL_S).returncode == 0
        except subprocess.TimeoutExpired:
            pulled = False
        if not pulled:
            return None, f"no image {' or '.join(wanted)}, and {wanted[0]} cannot be pulled"
        here = wanted[:1]
    # One that cannot start would cost testcontainers two minutes, and then every test.
    tried = _docker(
        "run", "--rm", "--publish", "127.0.0.1::5432", here[0], "postgres", "--version", within_s=_TRY_S
    )
    if tried.returncode != 0:
        return None, f"a container of {here[0]} does not run: {tried.stderr.strip()[-200:]}"
    _remove_orphans()
    return here[0], "built here by .ci/postgres-image" if here[0] == BUILT else "as it was pulled"


@contextmanager
def running(image: str, settings: Mapping[str, str]) -> Iterator[str]:
    """A server with these settings, its data in memory; yields the address of its `postgres` database, as superuser."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # read at import
    from testcontainers.community.postgres import PostgresContainer

    name, password = f"argosy-test-postgres-{uuid4().hex[:12]}", uuid4().hex
    words = " ".join(f"-c {setting}={value}" for setting, value in settings.items())
    container = (
        PostgresContainer(
            image, username="postgres", password=password, dbname="postgres", driver=None, name=name
        )
        .with_command(f"postgres {words}")
        # Names sort by their bytes, as with the embedded server.
        .with_env("POSTGRES_INITDB_ARGS", "--no-locale --encoding=UTF8")
        .with_kwargs(labels={_LABEL: _owner(os.getpid())}, shm_size="256m")
    )
    container.tmpfs[_DATA] = "rw,mode=1777"
    keeper = subprocess.Popen(["sh", "-c", _REMOVE, name], stdin=subprocess.PIPE, start_new_session=True)
    assert keeper.stdin is not None
    try:
        with container:
            url = container.get_connection_url()
            with psycopg.connect(url, autocommit=True) as conn:
                if conn.info.server_version >= 160_000:
                    # One round of hashing, since tests connect all the time.
                    conn.execute("set scram_iterations = 1")
                    conn.execute(sql.SQL("alter role postgres password {}").format(password))
            yield url
    finally:
        keeper.stdin.close()
        keeper.wait()


def _remove_orphans() -> None:
    """Remove what tests of this machine left behind that could not tidy up any more."""
    listed = _docker(
        "ps", "--all", "--filter", f"label={_LABEL}", "--format", '{{.ID}} {{.Label "' + _LABEL + '"}}'
    )
    for line in listed.stdout.splitlines():
        container, owner = line.split(" ", 1)
        host, pid, _ = owner.split("/")
        if host == socket.gethostname() and owner != _owner(int(pid)):
            _docker("rm", "--force", "--volumes", container)


def _owner(pid: int) -> str:
    """One process, by a name that no later process has; another machine may use the same engine."""
    found = processes.look_up(pid)
    return f"{socket.gethostname()}/{pid}/{'gone' if found is None else found.started}"


def _docker(*words: str, within_s: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *words],
        capture_output=True,
        text=True,
        timeout=within_s or _ASK_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
