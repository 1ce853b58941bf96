"""When a cron expression comes next, over the changes of a clock (Q9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_schema import cron
from queue_schema.errors import BadRequest

BERLIN = ZoneInfo("Europe/Berlin")


def ticks(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next ones, in UTC."""
    found, at = [], datetime.fromisoformat(after)
    for _ in range(count):
        at = cron.following(expression, zone, at)
        assert at.tzinfo is UTC
        found.append(f"{at:%m-%d %H:%M}")
    return found


def test_a_daily_tick_keeps_its_time_on_the_wall():
    """03:00 in Berlin is 02:00 UTC in winter and 01:00 in summer."""
    spring = ticks("0 3 * * *", "Europe/Berlin", "2026-03-27T12:00Z", 3)
    autumn = ticks("0 3 * * *", "Europe/Berlin", "2026-10-23T12:00Z", 3)

    assert spring == ["03-28 02:00", "03-29 01:00", "03-30 01:00"]
    assert autumn == ["10-24 01:00", "10-25 02:00", "10-26 02:00"]


def test_a_time_that_clocks_skip_comes_at_the_end_of_the_gap():
    """02:30 does not exist on the 29th of March 2026: the clock goes from 02:00 to 03:00, which is 01:00 UTC."""
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 2) == ["03-29 01:00", "03-30 00:30"]


def test_a_time_that_clocks_repeat_comes_once():
    """02:30 comes twice on the 25th of October 2026; a nightly job runs at the first."""
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2) == ["10-25 00:30", "10-26 01:30"]


def test_every_hour_means_every_hour_that_passes():
    """Through both changes, `*` skips none and repeats none on the only clock there is, UTC."""
    for start in ("2026-03-28T20:15Z", "2026-10-24T20:15Z"):
        at, found = datetime.fromisoformat(start), []
        for _ in range(12):
            at = cron.following("0 * * * *", "Europe/Berlin", at)
            found.append(at)
        assert {b - a for a, b in pairwise(found)} == {timedelta(hours=1)}


def test_a_zone_that_changes_by_half_an_hour():
    """Lord Howe Island goes back from 02:00 to 01:30: 01:45 comes twice and is meant once."""
    assert ticks("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", 2) == [
        "04-04 14:45",
        "04-05 15:15",
    ]


def test_names_and_days():
    """As people write them."""
    assert ticks("@daily", "UTC", "2026-01-01T00:00Z", 1) == ["01-02 00:00"]
    assert ticks("15 9-10 * * mon-fri", "UTC", "2026-01-02T10:15Z", 2) == ["01-05 09:15", "01-05 10:15"]
    assert ticks("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", 1) == ["02-29 00:00"]


@given(
    st.integers(0, 15 * 366 * 86400),
    st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 0 1 * *", "15 1-3 * * sun", "0 12 * * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_it_always_moves_on_and_leaves_none_out(seconds: int, expression: str, zone: str):
    """Later than asked, a whole minute, and the same when asked from any moment between."""
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    tick = cron.following(expression, zone, at)
    just_before = cron.following(expression, zone, tick - timedelta(microseconds=1))

    assert tick > at
    assert just_before == tick
    assert tick.second == tick.microsecond == 0


@pytest.mark.parametrize(
    ("expression", "zone", "field"),
    [
        ("", "UTC", "cron"),
        ("* * * *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("R * * * *", "UTC", "cron"),
        ("H/15 * * * *", "UTC", "cron"),
        ("0 0 30 2 *", "UTC", "cron"),
        ("@reboot", "UTC", "cron"),
        ("0 0 * * *\x00", "UTC", "cron"),
        ("1" * 300, "UTC", "cron"),
        ("0 0 * * *", "Mars/Olympus", "timezone"),
        ("0 0 * * *", "../../etc/passwd", "timezone"),
        ("0 0 * * *", "", "timezone"),
    ],
)
def test_what_means_nothing_is_refused_by_field(expression: str, zone: str, field: str):
    """With the fix in the error."""
    with pytest.raises(BadRequest) as caught:
        cron.following(expression, zone, datetime(2026, 1, 1, tzinfo=UTC))
    assert caught.value.field == field
    assert caught.value.fix
