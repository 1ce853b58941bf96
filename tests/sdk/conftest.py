from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import argosy
from argosy.cli.app import main
from tests.api.serving import Agent, Api, serving


@pytest.fixture
def api(database_url: str, conn: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Api]:
    with serving(database_url, conn, tmp_path / "blobs") as running:
        yield running


@pytest.fixture
def client(api: Api) -> Iterator[argosy.Client]:
    with argosy.Client(api.url, api.key(), tries=3) as client:
        yield client


@pytest.fixture
def agent(conn: psycopg.Connection[Any]) -> Agent:
    return Agent(conn)


@pytest.fixture
def later() -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Do something beside the test; its exception, if any, is the test's."""
    threads: list[threading.Thread] = []
    raised: list[BaseException] = []

    def start(work: Callable[[], Any]) -> None:
        def run() -> None:
            try:
                work()
            except BaseException as exc:  # noqa: BLE001  # raised again below
                raised.append(exc)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(20)
    if raised:
        raise raised[0]


class Told:
    """What one run of the command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """Its stdout, which must be JSON and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Told]


@pytest.fixture
def run(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The `argosy` command, as its entry point runs it, with a key for everything."""
    standard = {
        "ARGOSY_URL": api.url,
        "ARGOSY_API_KEY": api.key(),
        "ARGOSY_HOME": str(tmp_path / "home"),
        "COLUMNS": "160",
    }

    def run(*words: str, **environ: str) -> Told:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            for name, value in {**standard, **environ}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["argosy", *words])
            try:
                main()
            except SystemExit as exc:
                code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
            else:
                code = 0
        return Told(code, *capsys.readouterr())

    return run
