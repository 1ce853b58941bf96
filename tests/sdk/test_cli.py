from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from queue_schema.shapes import Artifact
from queue_schema.states import Scope
from tests.api.serving import Agent, Api
from tests.sdk.conftest import Run

Later = Callable[[Callable[[], Any]], None]


def test_submit_list_show_cancel_retry(run: Run, tmp_path: Path) -> None:
    """A job from the shell: its id alone on stdout, found again by the beginning of it."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"a photo")
    words = (
        "-p steps=800 -p prompt=a=b -p flag=true --priority high"
        " --need gpus=1 --need vram_mib=100 --need labels.zone=eu"
    )
    told = run(
        *[
            "job",
            "submit",
            "noop",
            "--name",
            "anna",
            "--tag",
            "customer=42",
            "--timeout-s",
            "60",
            "--retries",
            "2",
        ],
        *words.split(),
        *("-i", f"photo={photo}", "--run-at", "2100-01-01T00:00"),
    )
    job_id = told.out.strip()
    shown = run("job", "show", job_id[:13], "--json").json["job"]

    assert (told.code, told.err) == (0, "")
    assert shown["job_id"] == job_id
    assert shown["params"] == {"steps": 800, "prompt": "a=b", "flag": True}
    assert (shown["priority"], shown["name"], shown["tags"]) == ("high", "anna", {"customer": "42"})
    assert shown["need"]["labels"] == {"zone": "eu"}
    assert list(shown["inputs"]) == ["photo"]
    assert [job["job_id"] for job in run("job", "list", "--state", "waiting", "--json").json] == [job_id]
    assert job_id[:13] in run("job", "list").out
    assert "anna" in run("job", "show", job_id).out
    assert run("job", "cancel", job_id, "--json").json["outcome"] == "cancelled"
    assert run("job", "retry", job_id).out.strip() == f"{job_id} retried"


def test_a_workflow_file_is_submitted_whole(run: Run, tmp_path: Path) -> None:
    """A file of jobs that point at each other, and at a local file beside it."""
    (tmp_path / "photo.png").write_bytes(b"a photo")
    jobs = [
        {"ref": "train", "kind": "noop", "inputs": {"photo": {"path": "photo.png"}}},
        {"kind": "noop", "after": ["train"]},
    ]
    (tmp_path / "jobs.json").write_text(json.dumps({"jobs": jobs}))
    first, second = run("job", "submit", "--file", str(tmp_path / "jobs.json")).out.split()

    assert run("job", "show", second, "--json").json["job"]["after"] == [first]


def test_waiting_and_fetching(api: Api, agent: Agent, run: Run, later: Later, tmp_path: Path) -> None:
    """`--wait --json` gives the ended job alone; download brings the files; logs print the lines."""

    def work() -> None:
        while not (claimed := agent.claim()):
            pass
        [job] = claimed
        agent.report(job, logs=["hello"], step=1, total=2)
        sha256 = hashlib.sha256(b"pixels").hexdigest()
        httpx.put(f"{api.url}/v1/agent/blobs/{sha256}", content=b"pixels", headers=agent.headers(job))
        agent.complete(job, [Artifact("a.png", sha256, 6, "image/png")])

    later(work)
    told = run("job", "submit", "noop", "--wait", "--json")
    job_id = told.json["job_id"]
    events = [json.loads(line) for line in run("job", "watch", job_id, "--json").out.splitlines()]

    assert (told.code, told.json["state"]) == (0, "succeeded")
    assert [event["name"] for event in events if event["name"] != "progress"][-2:] == ["succeeded", "end"]
    assert "succeeded" in run("job", "watch", job_id).out
    assert run("job", "logs", job_id).out == "hello\n"
    assert run("job", "logs", "-f", job_id, "--json").json["text"] == "hello\n"
    assert run("job", "download", job_id, str(tmp_path / "out")).out.strip() == str(
        tmp_path / "out" / "a.png"
    )
    assert (tmp_path / "out" / "a.png").read_bytes() == b"pixels"


def test_exit_codes(api: Api, agent: Agent, run: Run, later: Later) -> None:
    """0 ok, 1 failed, 2 usage, 3 not found, 4 unreachable, 5 refused; each with one line, never a traceback."""
    run("job", "submit", "noop", "--retries", "0")
    agent.fail(agent.one(), "boom")
    failed = run("job", "list", "--json").json[0]["job_id"]
    cases = [
        (run("job", "list"), 0),
        (run("job", "watch", failed), 1),
        (run("job", "submit", "nonsense"), 1),
        (run("job", "submit"), 2),
        (run("job", "submit", "noop", "-p", "x"), 2),
        (run("job", "submit", "noop", "-i", "x=/nowhere"), 2),
        (run("job", "submit", "noop", "--run-at", "soon"), 2),
        (run("job", "frobnicate"), 2),
        (run("job", "show", "0" * 32), 3),
        (run("blob", "get", "0" * 64, "/tmp/nothing"), 3),
        (run("node", "drain", "nowhere"), 3),
        (run("node", "list", ARGOSY_URL="http://127.0.0.1:9"), 4),
        (run("node", "list", ARGOSY_API_KEY="argosy_nonsense"), 5),
        (run("node", "drain", "node-1", ARGOSY_API_KEY=api.key("acme", Scope.READ)), 5),
    ]

    assert [told.code for told, _ in cases] == [code for _, code in cases]
    assert "boom" in cases[1][0].err
    assert cases[2][0].err.startswith("argosy: kind: ")
    for told, code in cases:
        if code not in (0, 2):
            assert len(told.err.strip().splitlines()) == 1, told.err
    assert "Exit codes" in run("--help").out


def test_what_cannot_be_is_one_line(run: Run, tmp_path: Path) -> None:
    """It names the argument, or what was given; a traceback is for mistakes of ours."""
    (tmp_path / "a.txt").write_text("hello")
    sha256 = run("blob", "put", str(tmp_path / "a.txt")).out.split()[0]
    (tmp_path / "params.json").write_text('{"name": "\\ud83d"}')
    cases = [
        (run("blob", "get", sha256, str(tmp_path)), f"path: {tmp_path}: Is a directory"),
        (run("blob", "get", sha256, str(tmp_path / "a.txt" / "b")), "path: "),
        (run("blob", "get", sha256, "/proc/no/such"), "path: /proc/no/such: "),
        (run("job", "submit", "noop", "--idempotency-key", "ключ"), "idempotency_key: "),
        (run("job", "submit", "noop", "--idempotency-key", "a b"), "idempotency_key: "),
        (run("job", "submit", "noop", "--idempotency-key", ""), "Idempotency-Key: "),
        (run("job", "submit", "noop", "-p", "name=\udcff"), "'name=\\udcff' is not UTF-8"),
        (run("job", "submit", "noop", "--params", str(tmp_path / "params.json")), "'\\ud83d' is not UTF-8"),
        (run("job", "show", "\udcff"), "'\\udcff' is not UTF-8"),
        (run("job", "list", "--name", "\udcff"), "'\\udcff' is not UTF-8"),
        (run("key", "list", "--database-url", "foo"), "database_url: "),
        (run("db", "upgrade", "--database-url", "foo"), "database_url: "),
        (run("db", "upgrade", "--database-url", "postgresql://127.0.0.1:1/x"), "cannot reach the database: "),
    ]

    for told, begins in cases:
        assert (told.code, told.out) == (1, ""), told.err
        assert len(told.err.strip().splitlines()) == 1, told.err
        assert told.err.startswith(f"argosy: {begins}")
    assert (told := run("job", "submit", "noop", "--run-at", "0001-01-01T00:00:00")).code == 2, told.err
    assert "--run-at" in told.err
    assert run("job", "list", "--json").json == []


def test_a_mistake_of_ours_shows_where_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that looks like somebody's bad text is turned into a line."""

    def fail(*_: Any, **__: Any) -> None:
        "→".encode("ascii")

    monkeypatch.setattr("argosy.client.Client.nodes", fail)
    with pytest.raises(UnicodeEncodeError):
        run("node", "list")


def test_a_download_says_what_it_left(api: Api, agent: Agent, run: Run, tmp_path: Path) -> None:
    """Exit 1, and the paths of all it could fetch."""
    run("job", "submit", "noop")
    claimed = agent.one()
    sha256 = hashlib.sha256(b"x").hexdigest()
    httpx.put(
        f"{api.url}/v1/agent/blobs/{sha256}", content=b"x", headers=agent.headers(claimed)
    ).raise_for_status()
    agent.complete(claimed, [Artifact(name, sha256, 1, "text/plain") for name in ("a", "n" * 300, "z")])
    told = run("job", "download", str(claimed.job_id), str(tmp_path / "out"))
    as_json = run("job", "download", str(claimed.job_id), str(tmp_path / "out"), "--json")

    paths = [str(tmp_path / "out" / name) for name in ("a", "z")]
    assert (told.code, told.out.split()) == (1, paths)
    assert "File name too long" in told.err
    assert (as_json.code, as_json.json["paths"]) == (1, paths)
    assert json.loads(as_json.err)["error"]["code"] == "outputs_left"


def test_errors_are_json_for_programs(run: Run) -> None:
    """With --json, stdout stays empty and stderr has the code, the field and the fix."""
    told = run("job", "submit", "noop", "--need", "vram=1", "--json")

    assert (told.code, told.out) == (1, "")
    assert json.loads(told.err)["error"]["field"] == "need.vram"


def test_nodes_and_files(agent: Agent, run: Run, tmp_path: Path) -> None:
    """The node table, draining, and a file in and out by its hash."""
    (tmp_path / "a.txt").write_text("hello")
    sha256 = run("blob", "put", str(tmp_path / "a.txt")).out.split()[0]
    run("blob", "get", sha256, str(tmp_path / "b.txt"))

    assert (tmp_path / "b.txt").read_text() == "hello"
    assert "A100" in run("node", "list").out
    assert run("node", "list", "--json").json[0]["node"] == "node-1"
    assert run("node", "drain", "node-1", "--json").json == {
        "node": "node-1",
        "draining": True,
        "changed": True,
    }
    assert run("node", "drain", "node-1", "--off").out.strip() == "node-1 takes work again"


def test_the_command_is_a_process_of_its_own(api: Api, tmp_path: Path) -> None:
    """Exit code, streams and shell completion as a shell sees them, for a stranger to the fleet."""
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'argosy'; from argosy.cli.app import main; main()",
    ]
    environ = {**os.environ, "ARGOSY_URL": api.url, "ARGOSY_HOME": str(tmp_path)}
    environ.pop("ARGOSY_API_KEY", None)

    def told(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], capture_output=True, text=True, check=False, env={**environ, **more}
        )

    refused = told("job", "list")
    completed = told(_ARGOSY_COMPLETE="complete_bash", COMP_WORDS="argosy job su", COMP_CWORD="2")

    assert (refused.returncode, refused.stdout) == (5, "")
    assert refused.stderr.startswith("argosy: api_key: ")
    assert "Traceback" not in refused.stderr
    assert completed.stdout.split() == ["submit"]


def test_a_laptop_without_the_server_is_told_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heavy commands are listed there, too, and say which extra they need."""

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named 'psycopg' (for {name})", name="psycopg")

    monkeypatch.setattr("argosy.cli.app.importlib.import_module", absent)
    told = run("db", "upgrade", "--whatever")

    assert told.code == 1
    assert "pip install 'argosy[server]'" in told.err
    assert "psycopg" in told.err
    assert " db " in run("--help").out


def test_no_key_is_revoked_by_a_variable_that_is_not_set(run: Run, database_url: str) -> None:
    """Each key begins with nothing; the way out is said."""
    told = run("key", "revoke", "", ARGOSY_DATABASE_URL=database_url)
    assert told.code == 1
    assert "argosy key list" in told.err
    assert run("job", "list").code == 0
    assert [
        key["revoked_at"] for key in run("key", "list", "--json", ARGOSY_DATABASE_URL=database_url).json
    ] == [None]


def test_a_cap_of_nothing_is_shown(run: Run, database_url: str) -> None:
    """It is a cap, and the strictest."""
    caps = ("--max-running", "0", "--max-vram-mib", "0")
    shown = run("project", "set", "acme", *caps, ARGOSY_DATABASE_URL=database_url).out
    assert "0 of 0" in shown
    assert "0 MiB of 0 MiB" in shown
    free = ("--max-running", "none", "--max-vram-mib", "none")
    shown = run("project", "set", "acme", *free, ARGOSY_DATABASE_URL=database_url).out
    assert "0 of any number" in shown
    assert "0 MiB of any amount" in shown


def test_labels_leave_the_pools_alone(agent: Agent, run: Run, database_url: str) -> None:
    """What is not named stays: whose data a node may see is not lost by the way."""

    def label(*words: str) -> str:
        told = run("label", "node-1", *words, ARGOSY_DATABASE_URL=database_url)
        assert told.code == 0, told.err
        [node] = run("node", "list", "--json").json
        assert f"pools: {' '.join(node['pools']) or 'none'}" in told.err + told.out
        return " ".join(node["pools"])

    assert label("--pool", "trusted", "--pool", "fast") == "trusted fast"
    assert label("disk=ssd") == "trusted fast"
    assert label("disk=ssd", "--pool", "fast") == "fast"
    assert label("--pool", "none") == ""
    assert run("label", "nobody", "a=b", ARGOSY_DATABASE_URL=database_url).code == 3
