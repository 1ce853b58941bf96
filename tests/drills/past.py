"""Programs of an earlier release, out of this repository's own history."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from alembic.script import ScriptDirectory

ROOT = Path(__file__).resolve().parents[2]
FIRST = "23d320b"
"""What stands in for the last release until there is a tag: the first commit with an agent of this contract."""
_PARTS = ("agent", "alembic", "api", "argosy", "queue_schema", "scheduler", "workloads")


class NoHistory(Exception):
    """Only a whole clone of the repository has earlier releases in it."""


def last_release() -> str:
    """The last tag `v*` before this commit, else FIRST; ARGOSY_TEST_UPGRADE_FROM says another.

    Raises:
        NoHistory: This is no clone, or a shallow one.
    """
    said = os.environ.get("ARGOSY_TEST_UPGRADE_FROM")
    if said:
        return said
    found = _git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")
    release = found.stdout.decode().strip() if found.returncode == 0 else FIRST
    if _git("cat-file", "-e", f"{release}^{{commit}}").returncode != 0:
        raise NoHistory(f"there is no {release} in the history here")
    return release


def unpack(release: str, folder: Path) -> dict[str, str]:
    """Lay that release's programs down; answers with the environment in which Python finds them before today's."""
    there = [part for part in _PARTS if _git("cat-file", "-e", f"{release}:{part}").returncode == 0]
    packed = _git("archive", release, *there)
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return _environment(folder)


def released() -> bool:
    """Whether there is a release, or what was named as one."""
    return last_release() != FIRST


def with_migration(text: str, folder: Path) -> dict[str, str]:
    """Today's programs with one migration more (`{head}` in its text is the one before); answers as `unpack` does."""
    for part in _PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "alembic" / "versions" / "next.py").write_text(text.format(head=head()))
    return _environment(folder)


def head() -> str:
    """The newest migration of today."""
    found = ScriptDirectory(str(ROOT / "alembic")).get_current_head()
    assert found is not None
    return found


def _environment(folder: Path) -> dict[str, str]:
    """Where Python finds the programs of a folder before today's."""
    # The folder of whoever starts a module would come before both.
    environment = {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    for part in ("agent", "queue_schema", "workloads"):
        assert where(part, environment).is_relative_to(folder)
    return environment


def where(package: str, environment: dict[str, str]) -> Path:
    """The folder from which a program in that environment imports a package."""
    told = subprocess.run(
        [sys.executable, "-c", f"import {package}; print({package}.__path__[0])"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(told.stdout.strip())


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise NoHistory("there is no git here") from None
