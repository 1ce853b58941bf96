from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import argosy
from argosy import config
from argosy import job as job_module
from argosy.job import Job
from argosy.spec import JobSpec
from queue_schema.errors import BadRequest
from queue_schema.shapes import Artifact
from queue_schema.states import Scope
from tests.api.serving import Agent, Api

Later = Callable[[Callable[[], Any]], None]


def _store(api: Api, agent: Agent, job: Any, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    httpx.put(
        f"{api.url}/v1/agent/blobs/{sha256}", content=data, headers=agent.headers(job)
    ).raise_for_status()
    return sha256


def test_a_job_goes_through(
    api: Api, client: argosy.Client, agent: Agent, later: Later, tmp_path: Path
) -> None:
    """Submit with a file, wait, download: what the README promises (W1)."""
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"a photo")
    job = client.submit(
        "noop", {"steps": 3}, inputs={"photo": photo, "note": b"hello"}, name="anna", tags={"a": "b"}
    )

    def work() -> None:
        claimed = agent.one()
        assert {each.name for each in claimed.inputs} == {"photo", "note"}
        agent.report(claimed, step=1, total=3)
        sha256 = _store(api, agent, claimed, b"a picture")
        agent.complete(claimed, [Artifact("out/a.png", sha256, 9, "image/png")], loss=0.5)

    later(work)
    job.wait(timeout=15)
    [path] = job.download(tmp_path / "out")

    assert job.state == "succeeded"
    assert (job.info.name, job.info.params, job.info.tags) == ("anna", {"steps": 3}, {"a": "b"})
    assert job.result == {"loss": 0.5}
    assert (path.relative_to(tmp_path), path.read_bytes()) == (Path("out/out/a.png"), b"a picture")
    assert client.get(job.outputs["out/a.png"].sha256, tmp_path / "copy").read_bytes() == b"a picture"
    assert [attempt.outcome for attempt in job.attempts()] == ["succeeded"]


def test_a_workflow_is_one_submission(client: argosy.Client, agent: Agent) -> None:
    """Specs point at each other before either has an id (Q9)."""
    train = argosy.JobSpec(kind="noop", name="train")
    paint = argosy.JobSpec(kind="noop", inputs={"lora": train.output("lora.safetensors")}, after=[train])
    first, second = client.submit_many([train, paint])
    third = client.submit("noop", after=[second], inputs={"x": second.output("y")})

    assert second.info.after == [first.id]
    assert second.info.inputs["lora"] == {"job": first.id, "output": "lora.safetensors"}
    assert third.info.waits_for == 1
    with pytest.raises(argosy.BadRequest, match="not in this submission"):
        client.submit_many([paint])


def test_what_is_there_is_not_uploaded_again(client: argosy.Client, tmp_path: Path) -> None:
    """The second put of the same bytes asks and sends nothing (W6)."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    sent: list[str] = []
    client.http._http.event_hooks["request"].append(lambda request: sent.append(request.method))
    first = client.put(tmp_path / "a")
    second = client.put(b"x" * 3_000_000)

    assert first == second
    assert sent == ["HEAD", "PUT", "HEAD"]
    with pytest.raises(argosy.BadRequest, match="No such file"):
        client.put(tmp_path / "nothing")


def test_a_failed_job_raises_with_its_traceback(client: argosy.Client, agent: Agent, later: Later) -> None:
    """The user's own bug arrives as an exception that has what they need (Q8)."""
    job = client.submit("noop", retries=0)
    later(lambda: agent.fail(agent.one(), "ZeroDivisionError: division by zero"))
    with pytest.raises(argosy.JobFailed, match="division by zero") as caught:
        job.wait(timeout=15)

    assert (caught.value.cause, caught.value.traceback) == ("user_error", "Traceback: boom")
    assert job.wait(check=False).state == "failed"


def test_waiting_has_an_end(client: argosy.Client) -> None:
    """The time given is kept, although the stream stays silent; the job goes on."""
    job = client.submit("noop")
    began = time.monotonic()
    with pytest.raises(argosy.WaitTimeout):
        job.wait(timeout=0.7)

    assert 0.6 < time.monotonic() - began < 3
    assert job.refresh().state == "ready"
    assert issubclass(argosy.WaitTimeout, TimeoutError)


def test_events_and_logs_are_followed_to_the_end(client: argosy.Client, agent: Agent, later: Later) -> None:
    """Both iterators end by themselves when the job has ended, and leave nothing out."""
    job = client.submit("noop")

    def work() -> None:
        claimed = agent.one()
        agent.report(claimed, logs=["one"])
        time.sleep(0.3)
        agent.report(claimed, logs=["two"], step=1, total=2)
        time.sleep(0.3)
        agent.complete(claimed)

    later(work)
    lines = [chunk.text for chunk in job.logs(follow=True)]
    names = [event.name for event in job.events()]

    assert lines == ["one\n", "two\n"]
    assert [name for name in names if name != "progress"] == ["submitted", "claimed", "succeeded", "end"]
    assert "".join(chunk.text for chunk in job.logs()) == "one\ntwo\n"


def test_jobs_are_listed_page_by_page(client: argosy.Client) -> None:
    """The iterator fetches on as it is read, and stops at the limit."""
    ids = [
        job.id for job in client.submit_many([argosy.JobSpec(kind="noop", name=str(n)) for n in range(120)])
    ]

    assert [job.id for job in client.jobs()] == ids[::-1]
    assert [job.info.name for job in client.jobs(limit=3)] == ["119", "118", "117"]
    assert [job.info.name for job in client.jobs(name="7", state=["ready", "running"])] == ["7"]
    assert client.job(ids[0]).info.name == "0"


def test_errors_have_a_class_a_field_and_a_fix(api: Api, client: argosy.Client) -> None:
    """One class for each decision, with what the API said."""
    with pytest.raises(argosy.BadRequest) as bad:
        client.submit("noop", need={"vram": 1})
    with pytest.raises(argosy.NotFound):
        client.job("0" * 32)
    with pytest.raises(argosy.NotAuthenticated), argosy.Client(api.url, "argosy_nonsense") as stranger:
        stranger.nodes()
    with pytest.raises(argosy.NotAllowed), argosy.Client(api.url, api.key("acme", Scope.READ)) as reader:
        reader.submit("noop")
    with (
        pytest.raises(argosy.Unreachable),
        argosy.Client("http://127.0.0.1:9", "argosy_x", tries=1) as nobody,
    ):
        nobody.nodes()

    assert (bad.value.code, bad.value.field) == ("bad_request", "need.vram")
    assert bad.value.fix
    assert str(bad.value).startswith("need.vram: ")


def test_cancel_retry_drain_pause(client: argosy.Client, agent: Agent) -> None:
    """The verbs of an operator answer with what they did (Q12)."""
    job = client.submit("noop")

    assert job.cancel() == "cancelled"
    assert job.retry() == "retried"
    assert job.state == "ready"
    assert client.drain("node-1") is True
    assert [node.state for node in client.nodes()] == ["draining"]
    assert client.drain("node-1", on=False) is True
    assert client.pause() == 1


def test_a_hostile_output_name_stays_in_its_folder(
    api: Api, client: argosy.Client, agent: Agent, tmp_path: Path
) -> None:
    """A job names its outputs as it likes; a download writes only below the folder it was given."""
    for name in ("../evil", "/etc/evil", "a/../../evil", ".."):
        job = client.submit("noop")
        claimed = agent.one()
        sha256 = _store(api, agent, claimed, b"x")
        try:
            agent.complete(claimed, [Artifact(name, sha256, 1, "text/plain")])
        except BadRequest:
            agent.fail(claimed)  # the database refused the name before us, which is as good
            continue
        with pytest.raises(argosy.BadRequest):
            job.download(tmp_path / "in" / "here")

    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize("name", ["c:d", "a\\b"])
def test_what_leads_elsewhere_on_windows_is_a_name_elsewhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drive or a folder there, a file here."""
    assert str(job_module._inside(name)) == name
    monkeypatch.setattr(job_module, "os", SimpleNamespace(name="nt"))
    with pytest.raises(argosy.BadRequest):
        job_module._inside(name)


def test_an_output_that_cannot_be_a_file_keeps_none_back(
    api: Api, client: argosy.Client, agent: Agent, tmp_path: Path
) -> None:
    """The others are fetched; then it is said which were left, and why."""
    job = client.submit("noop")
    claimed = agent.one()
    sha256 = _store(api, agent, claimed, b"x")
    names = ["a.txt", "c:d", "in/the/way", "n" * 300, "z.txt"]
    agent.complete(claimed, [Artifact(name, sha256, 1, "text/plain") for name in names])
    (tmp_path / "in").write_text("a file")
    with pytest.raises(argosy.OutputsLeft, match=r"not fetched: .*/in/the/way: Not a directory; ") as caught:
        job.download(tmp_path)

    assert set(caught.value.left) == {"in/the/way", "n" * 300}
    assert {path.name for path in caught.value.paths} == {"a.txt", "c:d", "z.txt"}
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "c:d", "z.txt", "in", "blobs"}


def test_a_submission_is_repeated_without_being_doubled(
    client: argosy.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the answer is lost on the way, the same Idempotency-Key is sent again, and there is one job."""
    real = client.http._http.request
    lost: list[httpx.Response] = []

    def flaky(*args: Any, **kwargs: Any) -> httpx.Response:
        answer = real(*args, **kwargs)
        if not lost:
            lost.append(answer)
            raise httpx.ReadError("the line broke")
        return answer

    monkeypatch.setattr(client.http._http, "request", flaky)
    job = client.submit("noop")

    assert job.created is False
    assert [each.id for each in client.jobs()] == [job.id]


def test_zeros_are_said(api: Api, client: argosy.Client) -> None:
    """A job that must not be repeated is not, whatever its kind's default; a limit of 0 s is refused."""
    api.conn.execute("update fleet.kinds set retries = 3 where kind = 'noop'")
    once, many = client.submit("noop", retries=0), client.submit_many([JobSpec(kind="noop", retries=0)])[0]
    [kept] = client.schedules.create("nightly", "0 3 * * *", [JobSpec(kind="noop", retries=0)]).jobs

    assert _retries(api, once) == _retries(api, many) == kept["retries"] == 0
    assert _retries(api, client.submit("noop")) == 3
    with pytest.raises(argosy.BadRequest) as caught:
        client.submit("noop", timeout_s=0)
    assert caught.value.field == "timeout_s"


def _retries(api: Api, job: Job) -> int:
    row = api.conn.execute("select retries from fleet.jobs where job_id = %s", (job.id,)).fetchone()
    assert row is not None
    return int(row[0])


def test_an_empty_idempotency_key_is_no_key(client: argosy.Client) -> None:
    """It is somebody's unset variable: a key of our own instead would submit twice what should be done once."""
    with pytest.raises(argosy.BadRequest) as caught:
        client.submit("noop", idempotency_key="")

    assert (caught.value.field, caught.value.fix) == (
        "Idempotency-Key",
        "Use 1 to 200 visible ASCII characters, no blanks.",
    )
    assert list(client.jobs()) == []


def test_a_broken_download_is_taken_up_where_it_broke(
    client: argosy.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second request asks for the rest only, and the file is whole (W6)."""
    data = bytes(range(256)) * 20_000
    blob = client.put(data)
    real, asked = httpx.Response.iter_raw, []

    def breaking(self: httpx.Response, size: int | None = None) -> Any:
        asked.append(self.request.headers.get("range"))
        for count, chunk in enumerate(real(self, size)):
            if len(asked) == 1 and count == 1:
                raise httpx.ReadError("the line broke")
            yield chunk

    monkeypatch.setattr(httpx.Response, "iter_raw", breaking)
    path = client.get(blob.sha256, tmp_path / "copy")

    assert path.read_bytes() == data
    assert asked == [None, f"bytes={1024 * 1024}-"]
    assert [each.name for each in tmp_path.glob(".*")] == []


def test_where_the_fleet_is(tmp_path: Path) -> None:
    """Arguments before environment before file; the file's key goes to the file's address only."""
    (tmp_path / "client.json").write_text('{"url": "http://file:1/", "api_key": "key-of-file"}')
    environ = {"ARGOSY_HOME": str(tmp_path)}

    assert config.find(environ=environ) == config.Target("http://file:1", "key-of-file")
    assert config.find(environ={**environ, "ARGOSY_API_KEY": "k"}).api_key == "k"
    assert config.find("http://x", "k", environ={**environ, "ARGOSY_URL": "http://y"}).url == "http://x"
    assert "key-of-file" not in repr(config.find(environ=environ))
    with pytest.raises(argosy.NotConfigured, match="no API key"):
        config.find("http://elsewhere", environ=environ)
    with pytest.raises(argosy.NotConfigured, match="argosy up"):
        config.find(environ={"ARGOSY_HOME": str(tmp_path / "nothing")})
    with pytest.raises(argosy.NotConfigured, match="no address"):
        config.find("elsewhere", "k", environ={})


def test_the_sdk_imports_nothing_of_the_server() -> None:
    """A laptop has httpx, msgspec, rich and typer; `import argosy` and the CLI must not want more."""
    heavy = [
        "queue_schema",
        "api",
        "agent",
        "scheduler",
        "workloads",
        "psycopg",
        "sqlalchemy",
        "litestar",
        "obstore",
    ]
    code = (
        "import sys, argosy, argosy.cli.app; argosy.cli.app.build(['job']);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
