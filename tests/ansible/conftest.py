"""One fleet on three machines for all tests here, which are its life in the order of the file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ansible import hosts, playing
from tests.ansible.hosts import Host
from tests.ansible.playing import Fleet

HERE = Path(__file__).resolve().parent
NAMES = ("fleet", "gpu-1", "gpu-2")
SNAPSHOT = (
    "find /etc /opt /usr/local /var/lib /home /root /srv -xdev"
    " -not -path '*/.ansible*' -not -path '/var/lib/apt/*' | sort"
)
DIFFERENCE = f"{SNAPSHOT} | diff /run/before - || true"
WATCH = """
import glob, time
seen = set()
try:
    while not glob.glob("/run/watched"):
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                seen.add(open(path, "rb").read())
            except OSError:
                pass
        time.sleep(0.2)
finally:
    open("/run/seen", "wb").write(b"\\n".join(seen))
"""
"""Writes down every command line that ever was, until it is told to stop."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the order of the file, whatever the others do: a machine is removed once."""
    ours = [at for at, item in enumerate(items) if item.path.parent == HERE]
    inside = sorted((items[at] for at in ours), key=lambda item: item.location[1] or 0)
    for at, item in zip(ours, inside, strict=True):
        items[at] = item


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Short: the sockets of ssh have to fit below it."""
    found = Path(tempfile.mkdtemp(prefix="argosy-hosts-"))
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture(scope="session")
def fleet(folder: Path) -> Iterator[Fleet]:
    """Empty machines, made a fleet by one command; what they were before lies in /run/before."""
    reason = hosts.reason()
    if reason is not None:
        pytest.skip(reason)
    key = hosts.make_key(folder)
    with ExitStack() as stack:
        wheels = playing.requirements()
        with ThreadPoolExecutor() as pool:
            booted = dict(zip(NAMES, pool.map(lambda name: Host(name, key), NAMES), strict=True))
        for host in booted.values():
            stack.callback(host.remove)
            host.sh(f"{SNAPSHOT} >/run/before")
            host.start("python3", "-c", WATCH)
        found = Fleet(folder, key, booted, wheels)
        stack.callback(found.close)
        found.played["check"] = found.play("site.yml", "--check")
        found.traces = {name: host.sh(DIFFERENCE) for name, host in booted.items()}
        found.played["site"] = found.play("site.yml")
        for host in booted.values():
            host.sh("touch /run/watched")
        yield found


@pytest.fixture(scope="session")
def later(folder: Path) -> Path:
    """A wheel of the next release."""
    return playing.release(folder, "99.0.0")


@pytest.fixture(scope="session")
def broken(folder: Path) -> Path:
    """A wheel of a release whose agent does not come up."""
    return playing.release(folder, "99.1.0", first_words='\nraise SystemExit("this release is broken")\n')
