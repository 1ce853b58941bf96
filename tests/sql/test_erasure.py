"""P8: what a project wants gone is found, hidden, wiped and removed everywhere; the receipt says only what is true."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest

from queue_schema.calls import agents, chores, clients, erasures, schedules
from queue_schema.calls.erasures import Dropped, Wanted
from queue_schema.errors import BadRequest, Conflict, NotFound
from queue_schema.shapes import Input, LogChunk, Need, Released, Report, Submission
from tests.support.clock import Clock
from tests.support.shop import BASE, MODEL, PHOTO, PICTURE, Shop
from tests.support.verbs import Agent, Conn, Project
from tests.support.waiting import eventually


@pytest.fixture
def shop(conn: Conn, project: Project, agent: Agent) -> Shop:
    found = Shop(conn, project, agent)
    found.upload(PHOTO)
    found.upload(BASE)
    return found


def test_a_photo_goes_with_all_that_was_made_of_it(shop: Shop):
    """The model that was trained on it, and the pictures of the model, however the next job named its input."""
    train = shop.submit(PHOTO, BASE)
    shop.project.submit(
        inputs={"model": Input(job=train, output="out")}, name="for Ada", params={"prompt": "Ada"}
    )
    shop.run(MODEL)
    shop.run(PICTURE)

    erasure = shop.erase(files=[PHOTO])

    assert shop.seen() == {BASE}, "hidden at once"
    found = shop.finish(erasure)
    assert (found.jobs, found.cancelled, found.files, found.bytes) == (2, 0, 3, 120)
    assert found.digest == hashlib.sha256("\n".join(sorted([PHOTO, MODEL, PICTURE])).encode()).hexdigest()
    assert found.asked.files == 1, "a done one has no hashes any more"
    assert found.wiped_at <= found.stored_at <= found.done_at  # type: ignore[operator]


def test_tags_mean_a_customer(shop: Shop):
    """What only her jobs read goes too; what others read, or made as well, stays."""
    other = "55" * 32
    for customer, output in (("ada", MODEL), ("bob", other)):
        shop.submit(*([PHOTO, BASE] if customer == "ada" else [BASE]), tags={"customer": customer})
        shop.run(output)
    same = "66" * 32
    for customer in ("ada", "bob"):
        shop.submit(tags={"customer": customer})
        shop.run(same)

    found = shop.finish(shop.erase(tags={"customer": "ada"}))

    assert shop.seen() == {BASE, other, same}
    assert (found.jobs, found.files, found.shared) == (2, 2, 1)


def test_everything_means_what_there_is_now(shop: Shop):
    """What comes later stays; other projects are not touched: neither their files nor their jobs, words and schedules."""
    other = Project(shop.conn, "other")
    clients.put_blob(shop.conn, other.id, sha256=PHOTO, size=100, media_type="image/png")
    nightly = schedules.Schedule("nightly", "@hourly", [Submission(kind="noop")])
    schedules.create(shop.conn, other.id, nightly, next_tick=datetime.now(UTC))
    before = shop.submit(PHOTO)
    shop.run(MODEL)
    theirs = other.submit(name="Bob", need=Need(vram_mib=1, gpus=1), tags={"of": "bob"})
    erasure = shop.erase(everything=True)
    after = shop.submit()
    later = "77" * 32
    shop.upload(later)

    found = shop.finish(erasure)

    assert (found.jobs, found.files) == (1, 3)
    assert shop.seen() == {later, PHOTO}
    left = shop.conn.execute("select project_id from fleet.v_blobs where sha256 = %s", (PHOTO,)).fetchall()
    assert left == [(other.id,)]
    row = other.row(theirs)
    assert (row["state"], row["name"], row["tags"]) == ("ready", "Bob", {"of": "bob"})
    assert shop.conn.execute("select name from fleet.v_schedules").fetchall() == [("nightly",)]
    assert shop.project.state(before) == "succeeded"
    assert shop.project.state(after) == "ready"


def test_jobs_that_would_use_it_are_ended_first(shop: Shop):
    """Nothing is removed under a running job; and what it stored until its end is found."""
    running = shop.submit(PHOTO)
    claimed = shop.agent.claim_one()
    waiting = shop.submit(PHOTO)
    shop.store(claimed, MODEL)
    erasure = shop.erase(files=[PHOTO])
    for _ in range(5):
        erasures.erase_on(shop.conn)

    assert shop.project.state(waiting) == "cancelled"
    assert shop.receipt(erasure).state == "ending"
    assert erasures.remove_blobs(shop.conn) == []
    assert [each.command for each in shop.agent.beat(claimed.token).commands] == ["cancel"]
    shop.store(claimed, PICTURE)
    agents.release(shop.conn, shop.agent.session, [Released(running, claimed.token, "cancelled")])

    found = shop.finish(erasure)

    assert shop.project.state(running) == "cancelled"
    assert (found.jobs, found.cancelled, found.files) == (2, 2, 3)
    assert shop.seen() == {BASE}


def test_a_submission_that_was_under_way_is_found(shop: Shop, database_url: str):
    """It saw the file before it was hidden, and commits when all else has ended."""
    with psycopg.connect(database_url) as slow:
        [late] = clients.submit(
            slow, shop.project.id, [Submission(kind="noop", inputs={"photo": Input(sha256=PHOTO)})]
        )
        erasure = shop.erase(files=[PHOTO])
        shop.bring_on(erasure, "removing")
        slow.commit()
    shop.confirm()
    shop.remove()

    erasures.erase_on(shop.conn)

    assert shop.receipt(erasure).state == "finding"
    assert shop.finish(erasure).jobs == 1
    assert shop.project.state(late.job_id) == "cancelled"


def test_words_go_and_the_facts_stay(shop: Shop):
    """Whoever looks at the job sees that it ran, and for how long; not what anybody wrote."""
    job = shop.submit(
        PHOTO,
        name="Zoe-Marlene",
        params={"prompt": "Zoe-Marlene"},
        tags={"who": "zoe-marlene"},
        webhook="http://x/hook",
        retries=1,
    )
    claimed = shop.agent.claim_one()
    agents.report(
        shop.conn,
        shop.agent.session,
        [
            Report(
                job,
                claimed.token,
                step=1,
                message="Zoe-Marlene",
                logs=[LogChunk("stdout", "Zoe-Marlene is here\n")],
            ),
        ],
    )
    shop.agent.fail(claimed, message="Zoe-Marlene has no face")
    shop.conn.execute("update fleet.waiting set run_at = '-infinity'")
    chores.promote(shop.conn)
    shop.run(MODEL)

    shop.finish(shop.erase(files=[PHOTO]))

    with shop.conn.cursor() as cursor:
        tables = [
            row[0]
            for row in cursor.execute(
                "select c.oid::regclass::text from pg_class as c where c.relnamespace = 'fleet'::regnamespace"
                " and c.relkind in ('r', 'p') and not c.relispartition"
            ).fetchall()
        ]
        for table in tables:
            rows = cursor.execute(f"select t::text from {table} as t").fetchall()
            assert not [row for row in rows if "zoe-marlene" in row[0].lower()], table
    row = shop.project.row(job)
    assert (row["state"], row["attempts"], row["params"], row["inputs"]) == ("succeeded", 2, {}, {})
    with pytest.raises(Conflict, match="was erased"):
        clients.retry(shop.conn, shop.project.id, [job])


def test_schedules_that_name_it_go(shop: Shop):
    """Else the next tick would want the file again."""
    kept = schedules.Schedule("kept", "@hourly", [Submission(kind="noop", inputs={"x": Input(sha256=BASE)})])
    gone = schedules.Schedule("gone", "@hourly", [Submission(kind="noop", inputs={"x": Input(sha256=PHOTO)})])
    for each in (kept, gone):
        schedules.create(shop.conn, shop.project.id, each, next_tick=datetime.now(UTC))

    found = shop.finish(shop.erase(files=[PHOTO]))

    assert found.schedules == 1
    assert shop.conn.execute("select name from fleet.v_schedules").fetchall() == [("kept",)]


def test_what_is_stored_again_meanwhile_stays(shop: Shop):
    """A new upload is a new wish: it is neither removed with the old one nor counted."""
    erasure = shop.erase(files=[PHOTO])
    assert clients.reserve_blob(shop.conn, shop.project.id, sha256=PHOTO, size=100, media_type="image/png")
    assert clients.put_blob(shop.conn, shop.project.id, sha256=PHOTO, size=100, media_type="image/png")

    found = shop.finish(erasure)

    assert found.files == 0
    assert PHOTO in shop.seen()


def test_nobody_stores_what_is_being_removed(shop: Shop):
    """Who takes the file out of the store would take the new one."""
    erasure = shop.erase(files=[PHOTO])
    shop.bring_on(erasure, "removing")
    shop.conn.execute("update fleet.blobs set leaving_at = now() where leaving_at is not null")
    taken = erasures.remove_blobs(shop.conn)
    facts = {"sha256": PHOTO, "size": 100, "media_type": "image/png"}

    assert erasures.remove_blobs(shop.conn) == []
    assert not clients.reserve_blob(shop.conn, shop.project.id, **facts)  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        clients.put_blob(shop.conn, shop.project.id, **facts)  # type: ignore[arg-type]
    assert erasures.blobs_removed(shop.conn, taken) == 1
    assert clients.reserve_blob(shop.conn, shop.project.id, **facts)  # type: ignore[arg-type]
    assert PHOTO not in shop.seen()
    assert clients.put_blob(shop.conn, shop.project.id, **facts)  # type: ignore[arg-type]


def test_it_is_done_when_every_node_has_said_so(shop: Shop, clock: Clock):
    """Nodes that are away are waited for, until somebody says what became of them."""
    away = Agent(shop.conn, "away")
    agents.leave(shop.conn, away.session)
    erasure = shop.erase(files=[PHOTO])
    assert not shop.agent.beat().erasing
    shop.bring_on(erasure, "removing")
    assert shop.agent.beat().erasing
    [told] = erasures.erasures(shop.conn, shop.agent.session)
    assert (told.project_id, told.everything, told.files) == (shop.project.id, False, [PHOTO])
    erasures.erased(shop.conn, shop.agent.session, erasure, Dropped(1, 0, 2))
    assert not shop.agent.beat().erasing
    shop.remove()
    erasures.erase_on(shop.conn)

    found = shop.receipt(erasure)
    assert found.state == "removing"
    assert found.stored_at is not None
    assert [(node.node, node.dropped) for node in found.nodes] == [
        ("away", None),
        ("node-1", Dropped(1, 0, 2)),
    ]

    with pytest.raises(BadRequest) as bad:
        erasures.waive(shop.conn, erasure, "away", reason="")
    assert bad.value.field == "reason"
    with pytest.raises(NotFound):
        erasures.waive(shop.conn, erasure, "nobody", reason="gone")
    with pytest.raises(Conflict):
        erasures.waive(shop.conn, erasure, "node-1", reason="gone")
    erasures.waive(shop.conn, erasure, "away", reason="its disk was shredded")

    done = shop.bring_on(erasure, "done")
    assert {node.node: node.waived for node in done.nodes} == {
        "away": "its disk was shredded",
        "node-1": None,
    }


def test_a_node_that_comes_back_is_told(shop: Shop):
    """The next session of a node that was away when the files went."""
    agents.leave(shop.conn, shop.agent.session)
    shop.bring_on(shop.erase(files=[PHOTO]), "removing")

    shop.agent.join()

    assert shop.agent.beat().erasing
    assert len(erasures.erasures(shop.conn, shop.agent.session)) == 1


@pytest.mark.parametrize(
    ("wanted", "error", "field"),
    [
        ({}, BadRequest, None),
        ({"files": [PHOTO], "everything": True}, BadRequest, None),
        ({"files": []}, BadRequest, "files"),
        ({"files": [MODEL]}, NotFound, "files"),
        ({"tags": {}}, BadRequest, "tags"),
        ({"tags": {"customer": "nobody"}}, NotFound, "tags"),
        ({"everything": False}, BadRequest, "everything"),
    ],
)
def test_bad_requests_are_refused(
    shop: Shop, wanted: dict[str, object], error: type[Exception], field: str | None
):
    """And change nothing."""
    with pytest.raises(error) as refused:
        shop.erase(**wanted)

    assert getattr(refused.value, "field", None) == field
    assert shop.seen() == {PHOTO, BASE}


def test_asked_again_it_is_the_same(shop: Shop):
    """A client that did not hear the answer asks again."""
    assert shop.erase(files=[PHOTO]) == shop.erase(files=[PHOTO])


def test_a_shared_upload_that_a_job_passes_through_stays(shop: Shop):
    """And with it all that others made of it."""
    shop.submit(BASE, tags={"customer": "bob"})
    picture = "55" * 32
    shop.run(picture)
    shop.submit(BASE, tags={"customer": "ada"})
    shop.run(BASE)

    found = shop.finish(shop.erase(tags={"customer": "ada"}))

    assert (found.jobs, found.files) == (1, 0)
    assert shop.seen() == {PHOTO, BASE, picture}


def test_a_job_on_a_file_that_came_again_is_not_meant(shop: Shop):
    """The new upload is a new wish, and so is the job."""
    erasure = shop.erase(files=[PHOTO])
    clients.reserve_blob(shop.conn, shop.project.id, sha256=PHOTO, size=100, media_type="image/png")
    clients.put_blob(shop.conn, shop.project.id, sha256=PHOTO, size=100, media_type="image/png")
    again = shop.submit(PHOTO)

    assert shop.finish(erasure).jobs == 0
    assert shop.project.state(again) == "ready"


def test_an_upload_that_a_schedule_reads_too_stays(shop: Shop):
    """It has had no tick yet."""
    nightly = schedules.Schedule(
        "nightly", "@hourly", [Submission(kind="noop", inputs={"x": Input(sha256=BASE)})]
    )
    schedules.create(shop.conn, shop.project.id, nightly, next_tick=datetime.now(UTC))
    shop.submit(PHOTO, BASE, tags={"customer": "ada"})
    shop.run(MODEL)

    found = shop.finish(shop.erase(tags={"customer": "ada"}))

    assert (found.files, found.shared, found.schedules) == (2, 1, 0)
    assert shop.seen() == {BASE}


def test_the_same_request_twice_at_once_is_one(shop: Shop, database_url: str):
    """The second waits for the first, and gets its answer."""
    waits = "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%erase_v1%'"
    with psycopg.connect(database_url) as first, psycopg.connect(database_url, autocommit=True) as looking:
        erasure = erasures.erase(first, shop.project.id, Wanted(files=[PHOTO])).erasure_id
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(shop.erase, files=[PHOTO])
            eventually(lambda: looking.execute(waits).fetchone() is not None)
            first.commit()
            assert second.result() == erasure
