from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx

from tests.api.serving import Agent, Api


def _frames(
    http: httpx.Client, path: str, until: str = "end", **headers: str
) -> list[tuple[str, int | None, Any]]:
    """(event, id, data) of each frame, up to the one named *until*."""
    frames: list[tuple[str, int | None, Any]] = []
    name, event_id, data = "", None, None
    with http.stream("GET", path, headers=headers, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.read()
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("id: "):
                event_id = int(line[4:])
            elif line.startswith("data: "):
                data = json.loads(line[6:])
            elif not line and name:
                frames.append((name, event_id, data))
                if name == until:
                    break
                name, event_id, data = "", None, None
    return frames


def test_a_jobs_life_is_streamed_and_ends(http: httpx.Client, agent: Agent) -> None:
    """All steps in order, each with its id, progress as it is reported, and `end` last (Q15)."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    frames: list[tuple[str, int | None, Any]] = []
    watcher = threading.Thread(target=lambda: frames.extend(_frames(http, f"/v1/jobs/{job_id}/events")))
    watcher.start()
    job = agent.one()
    agent.report(job, step=1, total=4, message="a quarter", metrics={"loss": 0.5})
    time.sleep(0.3)  # several looks of the poller
    agent.complete(job)
    watcher.join(10)
    names = [name for name, _, _ in frames]
    ids = [event_id for _, event_id, _ in frames if event_id is not None]

    assert not watcher.is_alive()
    assert [name for name in names if name != "progress"] == ["submitted", "claimed", "succeeded", "end"]
    assert ids == sorted(ids)
    [news] = [data for name, _, data in frames if name == "progress"]
    assert (news["step"], news["total"], news["message"], news["metrics"]) == (
        1,
        4,
        "a quarter",
        {"loss": 0.5},
    )
    assert frames[-1] == ("end", None, {"state": "succeeded"})


def test_a_watcher_goes_on_where_it_was(http: httpx.Client, agent: Agent) -> None:
    """Last-Event-ID gives what came after, no event twice and none left out; also long after the end."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    path = f"/v1/jobs/{job_id}/events"
    first = _frames(http, path, until="submitted")
    agent.complete(agent.one())
    rest = _frames(http, path, **{"Last-Event-ID": str(first[-1][1])})
    nothing = _frames(http, path, **{"Last-Event-ID": str(rest[-2][1])})

    assert [name for name, _, _ in first] == ["submitted"]
    assert [name for name, _, _ in rest] == ["claimed", "succeeded", "end"]
    assert [name for name, _, _ in nothing] == ["end"]
    for odd in ("x", "-1", "1e9", "9" * 30, "9223372036854775808"):
        assert http.get(path, headers={"Last-Event-ID": odd}).json()["field"] == "Last-Event-ID"


def test_a_silent_stream_says_that_it_lives(http: httpx.Client) -> None:
    """A comment now and then, so that proxies and clients know."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    with http.stream("GET", f"/v1/jobs/{job_id}/events", timeout=5) as answer:
        alive = next(line for line in answer.iter_lines() if line == ": alive")

    assert alive


def test_many_watchers_cost_one_poller(api: Api, http: httpx.Client, agent: Agent) -> None:
    """Thirty watchers of two jobs all see the end; the poller's task is one."""
    jobs = [http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"] for _ in range(2)]
    ends: list[Any] = []
    watchers = [
        threading.Thread(target=lambda job=job: ends.append(_frames(http, f"/v1/jobs/{job}/events")[-1]))
        for job in jobs * 15
    ]
    for watcher in watchers:
        watcher.start()
    feed = api.server.app.state.services.feed
    while len(feed._watchers) < 30:
        time.sleep(0.01)
    for job in agent.claim(2):
        agent.complete(job)
    for watcher in watchers:
        watcher.join(10)

    assert ends == [("end", None, {"state": "succeeded"})] * 30
    # The client has its last line a moment before the server's generator is closed.
    end = time.monotonic() + 10
    while feed._watchers and time.monotonic() < end:
        time.sleep(0.01)
    assert feed._watchers == set()


def test_logs_are_read_and_followed(http: httpx.Client, agent: Agent) -> None:
    """Pages by id; following gives what is there, then each line as it comes, and ends with the job."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    path = f"/v1/jobs/{job_id}/logs"
    job = agent.one()
    agent.report(job, logs=["one", "two"])
    page = http.get(path, params={"limit": 1}).json()
    rest = http.get(path, params={"after": page["next"]}).json()
    followed: list[str] = []

    def follow() -> None:
        with http.stream("GET", path, params={"follow": "true"}, timeout=10) as answer:
            followed.extend(json.loads(line)["text"] for line in answer.iter_lines() if line)

    watcher = threading.Thread(target=follow)
    watcher.start()
    time.sleep(0.3)
    agent.report(job, logs=["three"])
    agent.complete(job)
    watcher.join(10)

    assert not watcher.is_alive()
    assert [chunk["text"] for chunk in page["chunks"]] == ["one\n"]
    assert [chunk["text"] for chunk in rest["chunks"]] == ["two\n"]
    assert rest["next"] is None
    assert followed == ["one\n", "two\n", "three\n"]


def test_a_stopping_api_ends_its_streams(api: Api, http: httpx.Client) -> None:
    """Told to stop, it does not wait for watchers to go: they come back to the next process."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    with http.stream("GET", f"/v1/jobs/{job_id}/events", timeout=10) as answer:
        lines = answer.iter_lines()
        next(line for line in lines if line == "event: submitted")
        api.server.should_exit = True
        rest = list(lines)

    assert "event: end" not in rest


def test_streams_outlive_the_connections_of_the_database(api: Api, http: httpx.Client, agent: Agent) -> None:
    """A watcher whose database connections are cut hears of the end all the same (Q14)."""
    job_id = http.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    names: list[str] = []
    watcher = threading.Thread(
        target=lambda: names.extend(name for name, _, _ in _frames(http, f"/v1/jobs/{job_id}/events"))
    )
    watcher.start()
    time.sleep(0.2)
    for _ in range(3):
        api.conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'argosy-api'"
        )
        time.sleep(0.05)
    agent.complete(agent.one())
    watcher.join(10)

    assert names == ["submitted", "claimed", "succeeded", "end"]
