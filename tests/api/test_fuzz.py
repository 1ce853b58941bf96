from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests.exceptions import InvalidHeader
from schemathesis import GenerationMode

from queue_schema.shapes import Submission
from tests.api.serving import Api

_BOUNDED = settings(
    max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=False
)


@pytest.mark.timeout(240)
def test_no_request_of_the_schema_makes_a_5xx(api: Api) -> None:
    """Requests made from our own OpenAPI document, right and wrong ones, are all answered below 500."""
    config = schemathesis.Config.from_dict({"generation": {"mode": "all"}})
    schema = schemathesis.openapi.from_url(f"{api.url}/schema/openapi.json", config=config)
    headers = {"Authorization": f"Bearer {api.key()}"}
    # A job that has ended: its streams end at once, too.
    client = api.client()
    ended = client.post("/v1/jobs", json={"kind": "noop"}).json()["job_id"]
    client.post(f"/v1/jobs/{ended}/cancel")
    seen: set[int] = set()

    @_BOUNDED
    @given(
        case=schema.as_strategy(generation_mode=GenerationMode.NEGATIVE) | schema.as_strategy(),
        real=st.booleans(),
    )
    def run(case: Any, real: bool) -> None:  # noqa: FBT001
        if real and "job_id" in (case.path_parameters or {}):
            case.path_parameters["job_id"] = ended
            if case.method == "GET":  # a request before this one may have retried it
                client.post(f"/v1/jobs/{ended}/cancel")
        try:
            answer = case.call(headers=headers, timeout=10)
        except InvalidHeader:
            return  # the client library would not send it
        seen.add(answer.status_code)

        assert answer.status_code < 500, f"{case.method} {answer.url}: {answer.text}"

    run()
    assert len(seen) > 2


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


@pytest.mark.timeout(240)
def test_no_submission_makes_a_5xx_and_what_was_taken_can_be_read(shared: httpx.Client) -> None:
    """Nearly right jobs, the kind people really send: refused with a field, or taken and readable for ever."""

    @_BOUNDED
    @given(job=_NEARLY | st.builds(lambda fields: {"kind": "noop", **fields}, _FIELDS))
    def run(job: dict[str, Any]) -> None:
        try:
            answer = shared.post("/v1/jobs", json=job)
        except (UnicodeEncodeError, ValueError):
            return  # the client library would not send it
        assert answer.status_code < 500, answer.text
        if answer.status_code == 201:
            assert shared.get(f"/v1/jobs/{answer.json()['job_id']}").status_code == 200
            assert shared.post(f"/v1/jobs/{answer.json()['job_id']}/cancel").status_code == 200
        else:
            assert answer.json()["field"] or "JSON" in answer.json()["detail"], (job, answer.text)

    run()
    assert shared.get("/v1/jobs", params={"limit": 500}).status_code == 200
