"""Requests that a stranger, or a broken client, might send: answered below 500, and no traceback in the log.

200 examples of each kind; `ARGOSY_FUZZ_EXAMPLES=5000` for more, `ARGOSY_FUZZ_COUNTS=FILE` counts answers by status
(`make bench PARTS=fuzz` does both).
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from requests.exceptions import InvalidHeader
from schemathesis import GenerationMode

from queue_schema.shapes import Submission
from tests.api.serving import Api

EXAMPLES = int(os.environ.get("ARGOSY_FUZZ_EXAMPLES", "200"))
pytestmark = pytest.mark.timeout(240 + EXAMPLES)
_BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    derandomize=False,
)
FILE = bytes(range(100))


class Answers:
    """Answers by status."""

    def __init__(self) -> None:
        self.counted: Counter[int] = Counter()

    def take(self, answer: Any, said: object = "") -> None:
        """One more; none may be ours to be sorry for."""
        self.counted[answer.status_code] += 1
        assert answer.status_code < 500, f"{said} {answer.url}: {answer.text}"


@pytest.fixture
def answers(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[Answers]:
    """Counts them; when the test is over nothing that the API logged may have a traceback in it."""
    found = Answers()
    yield found
    told = [record.getMessage() for record in caplog.get_records("call") if record.exc_info]
    told += [text for text in (r.getMessage() for r in caplog.get_records("call")) if "Traceback" in text]
    assert told == []
    if path := os.environ.get("ARGOSY_FUZZ_COUNTS"):
        with Path(path).open("a") as file:
            file.write(json.dumps({"test": request.node.name, "answers": dict(found.counted)}) + "\n")


def test_no_request_of_the_schema_makes_a_5xx(api: Api, answers: Answers) -> None:
    """Requests made from our own OpenAPI document, right and wrong ones, about what there is and what there is not."""
    config = schemathesis.Config.from_dict({"generation": {"mode": "all"}})
    schema = schemathesis.openapi.from_url(f"{api.url}/schema/openapi.json", config=config)
    headers = {"Authorization": f"Bearer {api.key()}"}
    # A job that has ended: its streams end at once, too.
    client = api.client()
    ended = client.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    client.post(f"/v1/jobs/{ended}/cancel")
    there = {"job_id": ended, "kind": "noop", "cause": "user_error", "name": "nightly"}
    schedule = {"name": "nightly", "cron": "0 3 * * *", "jobs": [{"kind": "noop"}]}
    there["sha256"] = client.post("/v1/blobs", content=FILE).json()["sha256"]

    @_BOUNDED
    @given(
        case=schema.as_strategy(generation_mode=GenerationMode.NEGATIVE) | schema.as_strategy(),
        real=st.booleans(),
    )
    def run(case: Any, real: bool) -> None:  # noqa: FBT001
        for name in set(there) & set(case.path_parameters or {}) if real else ():
            case.path_parameters[name] = there[name]
            if name == "job_id" and case.method == "GET":  # a request before this one may have retried it
                client.post(f"/v1/jobs/{ended}/cancel")
            elif name == "name":
                client.post("/v1/schedules", json=schedule)
            elif name == "sha256":
                client.post("/v1/blobs", content=FILE)
        try:
            answer = case.call(headers=headers, timeout=10)
        except InvalidHeader:
            return  # the client library would not send it
        answers.take(answer, case.method)

    run()
    assert len(answers.counted) > 2


_NUMBER = st.integers(0, 300).map(str) | st.sampled_from(["", "-1", "0x10", "1" * 40, "9" * 5000, "٣", " 5"])
_RANGES = (
    st.builds("bytes={}-{}".format, _NUMBER, _NUMBER)
    | st.lists(st.builds("{}-{}".format, _NUMBER, _NUMBER), max_size=5).map(
        lambda parts: "bytes=" + ", ".join(parts)
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
)


def test_no_range_makes_a_5xx(api: Api, answers: Answers) -> None:
    """Whatever part of a file is asked for: that part, all of it, or a refusal."""
    client = api.client()
    path = f"/v1/blobs/{client.post('/v1/blobs', content=FILE).json()['sha256']}"

    @_BOUNDED
    @example(wanted="bytes=0-1", known=None)
    @example(wanted=f"bytes={len(FILE)}-", known=None)
    @example(wanted="bytes", known=None)
    @given(wanted=_RANGES, known=st.none() | _RANGES)
    def run(wanted: str, known: str | None) -> None:
        headers = {
            "Range": wanted.encode("utf-8"),
            **({} if known is None else {"If-None-Match": known.encode("utf-8")}),
        }
        try:
            answer = client.get(path, headers=headers)
        except (httpx.LocalProtocolError, ValueError):
            return  # the client library would not send it
        answers.take(answer, wanted)
        if answer.status_code == 206:
            first, last = answer.headers["content-range"].removeprefix("bytes ").split("/")[0].split("-")
            assert answer.content == FILE[int(first) : int(last) + 1]
        elif answer.status_code == 200:
            assert answer.content == FILE

    run()
    assert {200, 206, 416} <= set(answers.counted)


def test_no_key_makes_a_5xx(api: Api, answers: Answers) -> None:
    """Who has no key of ours gets nothing, whatever he says instead."""
    stranger = api.stranger()
    words = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300)

    @_BOUNDED
    @given(
        said=words | words.map("Bearer {}".format) | words.map("Bearer argosy_{}".format),
        path=st.sampled_from(["/v1/jobs", "/metrics", "/v1/dead", "/v1/schedules", f"/v1/blobs/{'0' * 64}"]),
    )
    def run(said: str, path: str) -> None:
        try:
            answer = stranger.get(path, headers={"Authorization": said.encode("utf-8")})
        except (httpx.LocalProtocolError, ValueError):
            return  # the client library would not send it
        answers.take(answer, said)
        assert answer.status_code in (400, 401), answer.text

    run()


_NOW = datetime.now(UTC).replace(tzinfo=None)
_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["\x00", "a\x00b", "%s", "'; --", "{}", "job0", "noop"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
# Python's years 1 to 9999, and those in which people live.
_TIMES = st.datetimes() | st.datetimes(_NOW, _NOW.replace(year=2100))
_FIELDS = st.dictionaries(st.sampled_from(Submission.__struct_fields__), _JSON, max_size=4)
_NEARLY = st.fixed_dictionaries(
    {"kind": st.just("noop")},
    optional={
        "params": st.dictionaries(_TEXT, _JSON, max_size=3),
        "name": _TEXT,
        "ref": _TEXT,
        "priority": st.sampled_from(["low", "urgent"]),
        "need": st.dictionaries(
            st.sampled_from(["gpus", "vram_mib", "cpu_milli", "ram_mib", "disk_mib"]),
            st.integers(),
            max_size=3,
        )
        | st.fixed_dictionaries({"labels": st.dictionaries(_TEXT, _TEXT, max_size=2)}),
        "inputs": st.dictionaries(
            _TEXT,
            st.dictionaries(st.sampled_from(["sha256", "job", "output"]), _TEXT, max_size=3),
            max_size=2,
        ),
        "after": st.lists(_TEXT | st.uuids().map(str), max_size=3),
        "run_at": _TIMES.map(lambda at: f"{at.isoformat()}Z"),
        "start_by": _TIMES.map(lambda at: f"{at.isoformat()}-11:30"),
        "timeout_s": st.integers(),
        "retries": st.integers(),
        "webhook": _TEXT | _TEXT.map(lambda text: f"https://{text}"),
        "tags": st.dictionaries(_TEXT, _TEXT, max_size=3),
    },
)


def test_no_submission_makes_a_5xx_and_what_was_taken_can_be_read(
    shared: httpx.Client, answers: Answers
) -> None:
    """Nearly right jobs, the kind people really send: refused with a field, or taken and readable for ever."""

    @_BOUNDED
    @given(job=_NEARLY | st.builds(lambda fields: {"kind": "noop", **fields}, _FIELDS))
    def run(job: dict[str, Any]) -> None:
        try:
            answer = shared.post("/v1/jobs", json=job)
        except (UnicodeEncodeError, ValueError):
            return  # the client library would not send it
        answers.take(answer, job)
        if answer.status_code == 201:
            assert shared.get(f"/v1/jobs/{answer.json()['job_id']}").status_code == 200
            assert shared.post(f"/v1/jobs/{answer.json()['job_id']}/cancel").status_code == 200
        else:
            assert answer.json()["field"] or "JSON" in answer.json()["detail"], (job, answer.text)

    run()
    assert shared.get("/v1/jobs", params={"limit": 500}).status_code == 200


_CRONS = st.lists(
    st.sampled_from(
        ["*", "*/5", "0", "59", "60", "1-5", "5-1", "L", "mon", "31", "2", "?", "*/0", ",", "\x00"]
    ),
    min_size=4,
    max_size=7,
).map(" ".join)
_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Mars/Olympus", "", "../../etc/passwd", "\x00"]) | _TEXT


def test_no_schedule_makes_a_5xx_and_what_was_taken_can_be_read(api: Api, answers: Answers) -> None:
    """Nearly right schedules: refused with a reason, or taken, listed and deleted again."""
    client = api.client()

    @_BOUNDED
    @example(schedule={"name": "one", "cron": "0 3 * * *", "jobs": [{"kind": "noop"}]})
    @given(
        schedule=st.fixed_dictionaries(
            {
                "name": st.just("one") | _TEXT,
                "cron": _CRONS | st.sampled_from(["@hourly", "0 3 * * *", "0 0 30 2 *"]) | _TEXT,
                "jobs": st.lists(_NEARLY, max_size=3) | st.just([{"kind": "noop"}]),
            },
            optional={
                "timezone": _ZONES,
                "missed": st.sampled_from(["skip", "run_once", "no"]),
                "enabled": st.booleans(),
            },
        )
    )
    def run(schedule: dict[str, Any]) -> None:
        try:
            answer = client.post("/v1/schedules", json=schedule)
        except (UnicodeEncodeError, ValueError):
            return  # the client library would not send it
        answers.take(answer, schedule)
        if answer.status_code in (200, 201):
            listed = client.get("/v1/schedules")
            assert schedule["name"] in listed.text
            assert client.delete(f"/v1/schedules/{schedule['name']}").status_code == 204

    run()
    assert 201 in answers.counted


_FILTERS = st.dictionaries(
    st.sampled_from(
        ["kind", "cause", "since", "until", "limit", "cursor", "after", "project", "state", "dry_run"]
    ),
    _TEXT | st.integers().map(str) | _TIMES.map(lambda at: f"{at.isoformat()}Z"),
    max_size=4,
)


def test_no_filter_makes_a_5xx(shared: httpx.Client, answers: Answers) -> None:
    """Dead letters, jobs, needs and nodes, filtered by nonsense."""

    @_BOUNDED
    @given(
        path=st.sampled_from(
            ["/v1/dead", "/v1/jobs", "/v1/needs", "/v1/nodes", "/v1/schedules", "/v1/policies", "/metrics"]
        ),
        filters=_FILTERS,
    )
    def run(path: str, filters: dict[str, str]) -> None:
        try:
            answer = shared.get(path, params=filters)
        except (UnicodeEncodeError, ValueError):
            return  # the client library would not send it
        answers.take(answer, filters)

    run()
