"""Run the playbooks as a person would, and look at the fleet they make."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from argosy import Client, Job, JobSpec
from tests.ansible.hosts import Host

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "ansible"
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass
class Played:
    """What one run of a playbook said, and how long it took."""

    code: int
    output: str
    seconds: float

    @property
    def changed(self) -> dict[str, int]:
        """How many changes it made, by host."""
        return {host: int(changed) for host, changed, _, _ in _RECAP.findall(self.output)}


class Fleet:
    """Machines, an inventory, and a checkout."""

    def __init__(self, folder: Path, key: Path, hosts: dict[str, Host], wheels: Path) -> None:
        self._folder = folder
        self.hosts = hosts
        self.said: list[str] = []
        """All that Ansible ever printed."""
        self.played: dict[str, Played] = {}
        self.traces: dict[str, str] = {}
        """What a rehearsal on empty machines left there, by host."""
        agents = [
            host.inventory_line(
                key, argosy_gpus="none", argosy_agent_settings=f"\"{{'labels': 'host={name}'}}\""
            )
            for name, host in hosts.items()
            if name != "fleet"
        ]
        lines = [
            "[argosy_server]",
            hosts["fleet"].inventory_line(key),
            "[argosy_agents]",
            *agents,
            "[all:vars]",
        ]
        lines += ["argosy_postgresql=true", 'argosy_postgresql_clients=["172.16.0.0/12", "192.168.0.0/16"]']
        lines += [f"argosy_wheels={wheels}", "argosy_watchdog_s=6", "argosy_join_s=60", "argosy_slots=2"]
        lines += [
            "argosy_database_options=connect_timeout=9",
            """argosy_environment={'OTEL_SERVICE_NAME': 'a "fleet"'}""",
        ]
        lines += [
            'argosy_pip_options=["--no-compile"]'
        ]  # most of what installing takes, and each runs but shortly
        (folder / "inventory.ini").write_text("\n".join(lines) + "\n")

    def play(self, book: str, *words: str, fails: bool = False) -> Played:
        """Run a playbook, with everything it can tell."""
        began = time.monotonic()
        running = self.begin(book, *words)
        said, _ = running.communicate()
        found = Played(running.returncode, said, time.monotonic() - began)
        self.said.append(said)
        assert (found.code != 0) is fails, said[-6000:]
        return found

    def begin(self, book: str, *words: str) -> subprocess.Popen[str]:
        """Run a playbook, and do something else meanwhile."""
        program = Path(sys.executable).with_name("ansible-playbook")
        return subprocess.Popen(
            # Who runs the tests in the background may have SIGINT ignored, and what is ignored stays so.
            [
                "env",
                "--default-signal=INT",
                program,
                "-v",
                "-i",
                self._folder / "inventory.ini",
                book,
                *words,
            ],
            cwd=ROOT / "ansible",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def break_off(self, book: str, *words: str, at: str) -> None:
        """Run a playbook, and press Ctrl-C when it begins a task."""
        running = self.begin(book, *words)
        said = read_to(running, f"TASK [agent : {at}]")
        running.send_signal(signal.SIGINT)
        said += read_to(running)
        self.said.append(said)
        assert running.wait() != 0, said[-6000:]

    @cached_property
    def client(self) -> Client:
        """The SDK, with the key that the server's administrator has."""
        kept = json.loads(self.hosts["fleet"].run("cat", "/etc/argosy/client.json"))
        return Client(f"http://{self.hosts['fleet'].address}:8080", kept["api_key"], tries=12)

    def close(self) -> None:
        """Let go of the connections to the API, if there are any."""
        if "client" in self.__dict__:
            self.client.close()

    def submit(self, script: str, *, node: str | None = None, argv: tuple[str, ...] = ("sh", "-c")) -> Job:
        """A job that runs a script, on one node if it is named."""
        need = {"labels": {"host": node}} if node else {}
        [job] = self.client.submit_many(
            [JobSpec(kind="command", params={"argv": [*argv, script]}, need=need)]
        )
        return job

    def sql(self, query: str) -> list[list[str]]:
        """Rows of the fleet's database."""
        said = self.hosts["fleet"].run(
            *(
                "runuser",
                "-u",
                "postgres",
                "--",
                "psql",
                "argosy",
                "--no-psqlrc",
                "--tuples-only",
                "--no-align",
            ),
            *("--field-separator", "\t", "--command", query),
        )
        return [line.split("\t") for line in said.splitlines()]

    def node(self, name: str) -> dict[str, Any]:
        """What the fleet knows of a node."""
        [row] = self.sql(f"select to_jsonb(n) from fleet.v_nodes as n where node = '{name}'")
        return dict(json.loads(row[0]))


def read_to(running: subprocess.Popen[str], begins: str | None = None) -> str:
    """What a playbook says, up to a line that begins with these words; up to its end where there are none."""
    assert running.stdout is not None
    said = ""
    for line in running.stdout:
        said += line
        if begins is not None and line.startswith(begins):
            return said
    running.stdout.close()
    assert begins is None, f"{begins}: it never says so: {said[-6000:]}"
    return said


def requirements() -> Path:
    """A folder with the wheels of everything that is locked for agents and servers; kept until a lock changes."""
    locks = [ROOT / "requirements" / f"{part}.txt" for part in ("agent", "server")]
    name = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:12]
    folder = BUILD / f"requirements-{name}"
    if not (folder / "whole").exists():
        wanted = [word for lock in locks for word in ("--requirement", str(lock))]
        subprocess.run([*PIP, "download", "--only-binary", ":all:", "--dest", folder, *wanted], check=True)
        (folder / "whole").touch()
    return folder


def release(folder: Path, version: str, *, first_words: str = "") -> Path:
    """A wheel of this checkout that calls itself another version; its agent says those words first, if there are any."""
    tree = folder / f"tree-{version}"
    shutil.copytree(
        ROOT,
        tree,
        ignore=lambda where, names: [name for name in names if where == str(ROOT) and name not in _PARTS],
    )
    for path, old in (
        (tree / "pyproject.toml", 'version = "'),
        (tree / "agent" / "__init__.py", '__version__ = "'),
    ):
        text = path.read_text()
        assert old in text
        path.write_text(re.sub(re.escape(old) + r"[^\"]+", old + version, text, count=1))
    with (tree / "agent" / "__init__.py").open("a") as module:
        module.write(first_words)
    subprocess.run(
        [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, tree],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    [wheel] = folder.glob(f"argosy-{version}-*.whl")
    return wheel


_PARTS = {
    *("agent", "api", "argosy", "queue_schema", "scheduler", "workloads", "alembic"),
    *("pyproject.toml", "README.md", "LICENSE"),
}
