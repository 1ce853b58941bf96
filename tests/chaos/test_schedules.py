"""Seeded schedules of faults, on leases of a second; and the checker catches what is broken on purpose.

`make bench PARTS=chaos` plays two hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from bench.chaos.schedule import NODES, NotAtRest, names, play
from tests.support.planting import Change, planting
from tests.support.reset import Pristine

pytestmark = pytest.mark.timeout(180)
SEEDS = range(10)
PATIENCE = 12
"""Schedules in which a planted bug must show."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_schedule_of_faults_violates_nothing(database_url: str, seed: int):
    """Nothing lost, settled twice or overbooked, no stale write, no output before its time, nobody declared dead."""
    assert play(database_url, seed) == []
    if len(set(names(seed))) < NODES:
        assert _handed_on(database_url) >= 2


def _handed_on(url: str) -> int:
    """How often a name went from one machine to another."""
    with psycopg.connect(url) as conn:
        row = conn.execute(
            """
            select count(*) from (
              select s.instance, lag(s.instance) over (partition by s.node_id order by s.joined_at) as before
                from fleet.sessions as s) as x
             where x.instance <> x.before
            """
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def plant(migrated: tuple[str, Pristine]) -> Iterator[Callable[..., None]]:
    """Change functions; they are put back after the test."""
    with planting(migrated[0]) as change:
        yield change


_TOKEN = ("and l.token = i.token\n", "\n")
_SESSION = ("and (p_session is null or l.session_id = p_session)", "")
_AGAIN = "s.ended_at is null\n                       and b.beat_at"
_DATED = "v_event := fleet.event_id();"
BUGS: dict[str, list[tuple[str, list[Change]]]] = {
    "no fence": [("_succeed", [_TOKEN, _SESSION]), ("_settle", [_TOKEN, _SESSION])],
    # It waits, as for a lock that somebody has, and does not look again.
    "a reap without a second look": [
        (
            "reap_v1",
            [
                (
                    f"any(v_silent)\n                       and {_AGAIN} < v_now - v_lease",
                    f"any(v_silent) and {_AGAIN} is not null",
                ),
                ("v_silent := v_silent[:p_limit];", "v_silent := v_silent[:p_limit]; perform pg_sleep(0.7);"),
            ],
        )
    ],
    "a name given to a second live machine": [
        ("join_v1", [("if v_beat > v_now - make_interval(secs => v_set.lease_s) then", "if false then")])
    ],
    # By the job alone: whoever has it now, the late result is taken for his.
    "a blind settle after an outage": [("_succeed", [_SESSION, ("and l.token = i.token\n", "\n")])],
    "bookings outside the transaction": [
        (
            "_measure",
            [
                ("x.free_mib - b.mib + coalesce(v_real[array_position(v_idx, d.idx)], 0)", "x.free_mib"),
                ("d.total_mib - b.mib)", "d.total_mib)"),
            ],
        )
    ],
    "outputs before the completion": [
        (
            "_publish",
            [("where i.job_id = any(p_succeeded)\n       and i.token = any(p_tokens)", "where true")],
        ),
        ("_succeed", [(_DATED, _DATED + " perform fleet._publish('{}', '{}', p_items);")]),
    ],
}


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_caught(migrated: tuple[str, Pristine], plant: Callable[..., None], bug: str):
    """A checker that cannot fail proves nothing."""
    url, pristine = migrated
    for function, changes in BUGS[bug]:
        plant(function, *changes)
    for seed in range(PATIENCE):
        pristine.restore()
        try:
            found = play(url, seed)
        except NotAtRest as exc:
            found = [str(exc)]
        if found:
            return
    pytest.fail(f"{PATIENCE} schedules did not come to it")
