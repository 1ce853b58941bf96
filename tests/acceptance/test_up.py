"""`argosy up` as people use it: it comes up, stops, resumes, survives being killed, and says what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.shell import Shell, below
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3.11")


def test_it_comes_up_runs_a_job_stops_and_goes_on_where_it_was(home: Path):
    """Ctrl-C leaves no process; the next `up` there has the same key, jobs and files. Agents hear their settings."""
    shell = Shell(home, ARGOSY_AGENT_SLOTS="7")
    with shell.up() as process:
        first = shell.said
        done = shell.json(
            "job", "submit", "command", "-p", 'argv=["sh","-c","echo hi > outputs/a.txt"]', "--wait"
        )
        assert [(node["state"], node["slots"]) for node in shell.json("node", "list")] == [("live", 7)]
    assert process.returncode == 0
    assert below(home) == []
    assert "scheduler.stopped" in (home / "logs" / "scheduler.log").read_text()  # asked, not killed
    assert (home / "client.json").stat().st_mode & 0o077 == 0

    with shell.up("--agents", "0"):
        assert shell.said["api_key"] == first["api_key"]
        assert [job["job_id"] for job in shell.json("job", "list")] == [done["job_id"]]
        target = home.parent / "out"
        assert shell.run("job", "download", done["job_id"], str(target)).returncode == 0
        assert next(target.rglob("a.txt")).read_text() == "hi\n"


def test_killed_with_sigkill_it_leaves_nothing_that_stops_the_next(home: Path):
    """Its children die with it; the database goes on and is found again."""
    shell = Shell(home)
    with shell.up() as process:
        job = shell.json("job", "submit", "noop", "-p", "seconds=2")
        process.kill()
        process.wait()
    with shell.up():
        assert shell.run("job", "watch", job["job_id"]).returncode == 0


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    """A running fleet without agents, for commands that only look or administer."""
    folder = Path(f"/tmp/argosy-shell-{os.getpid()}")
    folder.mkdir()
    one = Shell(folder / "home")
    with one.up("--agents", "0"):
        yield one
    shutil.rmtree(folder, ignore_errors=True)


def test_a_second_one_in_the_same_folder_is_refused(shell: Shell):
    """One line, with what to do."""
    again = shell.run("up", "--port", str(free_port()))

    assert again.returncode == 1
    assert "another `argosy up` runs" in again.stderr
    assert "ARGOSY_HOME" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_port_that_is_taken_is_named(home: Path):
    """And the way out."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = Shell(home).run("up", "--port", str(port))

    assert refused.returncode == 1
    assert str(port) in refused.stderr
    assert "--port" in refused.stderr


def test_keys_are_made_listed_and_revoked(shell: Shell):
    """A revoked key opens nothing; its secret is shown once."""
    made = shell.json("key", "create", "--project", "other", "--scope", "read")
    listed = [key for key in shell.json("key", "list") if key["project"] == "other"]
    assert [key["scopes"] for key in listed] == [["read"]]
    assert made["key"] not in json.dumps(listed)
    rotated = shell.json("key", "rotate", made["key"][:19], "--overlap-hours", "1")
    states = [key["expires_at"] is None for key in shell.json("key", "list") if key["project"] == "other"]
    assert sorted(states) == [False, True]
    assert [act["act"] for act in shell.json("audit", "--limit", "3")] == [
        "create_key",
        "rotate_key",
        "create_key",
    ]
    assert rotated["key"] not in json.dumps(shell.json("audit"))
    other = Shell(shell.home, ARGOSY_URL=shell.said["url"], ARGOSY_API_KEY=made["key"])
    assert other.run("job", "list").returncode == 0
    assert other.run("job", "submit", "noop").returncode == 5

    shell.json("key", "revoke", listed[0]["prefix"])

    for _ in range(200):  # a checked key is believed for a few seconds
        if other.run("job", "list").returncode == 5:
            break
    else:
        pytest.fail("the revoked key still works")
    assert shell.run("key", "revoke", "argosy_00000000").returncode == 3
    nothing = shell.run("key", "revoke", "")
    assert nothing.returncode == 1
    assert "argosy key list" in nothing.stderr


def test_psql_opens_on_the_fleets_database(shell: Shell):
    """Q13: one command to the views."""
    done = shell.run("db", "psql", "-c", "select count(*) from fleet.v_queue")

    assert done.returncode == 0, done.stderr
    assert "count" in done.stdout


def test_it_runs_on_a_database_of_your_own(home: Path, database_url: str):
    """Any server by its address; nothing embedded is started. On any port, and with a network for programs."""
    shell = Shell(home)
    with shell.up("--database-url", database_url, "--port", "0", "--networked", "command"):
        assert shell.run("job", "submit", "noop", "--wait").returncode == 0
        assert not (home / "postgres").exists()
        done = shell.json("job", "submit", "command", "-p", 'argv=["cat", "/proc/net/dev"]', "--wait")
        seen = shell.run("job", "logs", done["job_id"]).stdout
        assert seen.count(":") == Path("/proc/net/dev").read_text().count(":")  # the host's own


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: every other test here runs as somebody else already")
@pytest.mark.skipif(
    not SYSTEM_PYTHON.exists(), reason=f"{SYSTEM_PYTHON} is not there for a user without rights"
)
def test_it_runs_without_being_root(home: Path):
    """A user with no rights at all, on this checkout."""
    os.chown(home.parent, NOBODY, NOBODY)
    drop = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", str(SYSTEM_PYTHON))
    path = f"{ROOT}:{sysconfig.get_paths()['purelib']}"
    shell = Shell(home, drop, PYTHONPATH=path, HOME=str(home.parent), PYTHONDONTWRITEBYTECODE="1")
    with shell.up() as process:
        assert shell.run("job", "submit", "noop", "--wait").returncode == 0
    assert process.returncode == 0
