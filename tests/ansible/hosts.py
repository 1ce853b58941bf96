"""Machines for Ansible: containers with systemd as PID 1, reached over ssh."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "build-host-image"
IMAGE = f"argosy-test-host:{hashlib.sha256(SCRIPT.read_bytes()).hexdigest()[:12]}"
CGROUPS = Path("/sys/fs/cgroup")
_UP_S = 60.0
_NEEDED = ("docker", "ssh", "ssh-keygen")


def reason() -> str | None:
    """Why there can be no such machine here; None when there can. Builds the image when it is not there."""
    for program in _NEEDED:
        if shutil.which(program) is None:
            return f"there is no {program}"
    if _run("docker", "info", check=False).returncode != 0:
        return "no Docker engine answers"
    if _run("docker", "image", "inspect", IMAGE, check=False).returncode == 0:
        return None
    if shutil.which("mmdebstrap") is None:
        return "there is no mmdebstrap to build the image of a host with"
    built = _run(str(SCRIPT), IMAGE, check=False)
    return None if built.returncode == 0 else f"the image of a host cannot be built: {built.stderr[-300:]}"


class Host:
    """One machine; it lives until `remove`."""

    def __init__(self, name: str, key: Path) -> None:
        """Boot it, and wait until systemd says that it runs."""
        self.name = name
        self.container = f"argosy-test-{os.getpid()}-{name}"
        _run(
            *("docker", "run", "--detach", "--name", self.container, "--hostname", name),
            *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"),
            *("--stop-signal", "SIGRTMIN+3", *_cgroup_flags(), IMAGE),
        )
        until = time.monotonic() + _UP_S
        while (state := self.run("systemctl", "is-system-running", check=False)) != "running":
            assert time.monotonic() < until, (
                f"{name} is {state}: {self.run('systemctl', '--failed', check=False)}"
            )
            time.sleep(0.2)
        self.run("install", "-d", "-m", "700", "/root/.ssh")
        self.write("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_text())
        found = json.loads(_run("docker", "inspect", self.container).stdout)
        self.address = next(iter(found[0]["NetworkSettings"]["Networks"].values()))["IPAddress"]

    def run(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        """What a command says there."""
        done = _run("docker", "exec", "-i", self.container, *words, check=check, stdin=stdin)
        return done.stdout.strip()

    def start(self, *words: str) -> None:
        """A command there that goes on."""
        _run("docker", "exec", "--detach", self.container, *words)

    def sh(self, script: str, *, check: bool = True) -> str:
        """What a line of shell says there."""
        return self.run("sh", "-c", script, check=check)

    def write(self, path: str, text: str) -> None:
        """A file there."""
        self.run("sh", "-c", 'cat >"$1"', "sh", path, stdin=text)

    def inventory_line(self, key: Path, **variables: str) -> str:
        """One line, as a person would write it."""
        said = {
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "'-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'",
            **variables,
        }
        return " ".join([self.name, *(f"{name}={value}" for name, value in said.items())])

    def remove(self) -> None:
        """Pull its plug."""
        _run("docker", "rm", "--force", "--volumes", self.container)


def make_key(folder: Path) -> Path:
    """A key to log in with."""
    key = folder / "key"
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    return key


def _cgroup_flags() -> list[str]:
    """What lets systemd in a container have cgroups."""
    if (CGROUPS / "cgroup.controllers").exists():
        return ["--privileged", "--cgroupns=private"]  # one hierarchy: a view of its own, as kind does it
    # Version 1: a private tmpfs, and each hierarchy bound into it by itself. Were /sys/fs/cgroup bound whole, systemd
    # in the container would remount that of this machine read-only.
    flags = ["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"]
    flags += [
        "--cgroupns=host",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "apparmor=unconfined",
    ]
    flags += ["--tmpfs", str(CGROUPS)]
    for path in sorted(CGROUPS.iterdir()):
        if (path / "cgroup.procs").exists():
            flags += ["--volume", f"{path}:{path}:rw"]
    return flags


def _run(*words: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, (
        f"{' '.join(words[:6])}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    )
    return done
