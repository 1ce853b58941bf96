"""Keys come, overlap and go; and whatever operators do is written down with whoever asked."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from queue_schema import desk
from queue_schema.calls import admin, clients, oncall
from queue_schema.calls.asking import asking_key
from queue_schema.calls.oncall import PolicyChange, Selection
from queue_schema.errors import BadRequest, Conflict, NotFound
from queue_schema.states import Cause, Priority, Scope
from tests.support.clock import Clock
from tests.support.verbs import Agent, Project

DAY_S = 86_400.0


def prefix(key: str) -> str:
    """Its public part."""
    return key[:19]


def test_a_rotated_key_works_until_the_new_one_is_everywhere(conn: psycopg.Connection[Any], clock: Clock):
    """Both at first; then the new one alone, which is like the old one."""
    old = admin.create_key(conn, "acme", name="web", scopes=[Scope.SUBMIT], ceiling=Priority.LOW)
    new = admin.rotate_key(conn, prefix(old.key), overlap_s=3600)
    first, second = clients.authenticate(conn, old.key), clients.authenticate(conn, new.key)
    assert first is not None
    assert second is not None
    assert (first.project, first.scopes) == (second.project, second.scopes)
    listed = {one.prefix: one for one in admin.list_keys(conn, "acme")}
    assert listed[prefix(new.key)].ceiling == Priority.LOW
    assert listed[prefix(new.key)].expires_at is None

    clock.advance(3601)
    assert clients.authenticate(conn, old.key) is None
    assert clients.authenticate(conn, new.key) is not None


def test_a_rotation_never_lengthens_a_key(conn: psycopg.Connection[Any], clock: Clock):
    """It ends at its own end, if that comes first; one that has ended cannot be rotated."""
    old = admin.create_key(conn, "acme", name="web", scopes=[Scope.READ], for_s=60)
    admin.rotate_key(conn, prefix(old.key), overlap_s=DAY_S)
    clock.advance(61)
    assert clients.authenticate(conn, old.key) is None
    with pytest.raises(Conflict, match="not in force"):
        admin.rotate_key(conn, prefix(old.key), overlap_s=0)
    with pytest.raises(NotFound):
        admin.rotate_key(conn, "argosy_00000000", overlap_s=0)


def test_a_revoked_key_is_not_brought_back_by_a_rotation(conn: psycopg.Connection[Any]):
    """It opens nothing, and no new one comes of it."""
    old = admin.create_key(conn, "acme", name="web", scopes=[Scope.READ])
    admin.revoke_key(conn, prefix(old.key))

    assert clients.authenticate(conn, old.key) is None
    with pytest.raises(Conflict, match="not in force"):
        admin.rotate_key(conn, prefix(old.key), overlap_s=DAY_S)
    assert len(admin.list_keys(conn, "acme")) == 1


def test_a_rotated_key_lives_as_long_as_the_old_one_was_to(conn: psycopg.Connection[Any], clock: Clock):
    """From now on: a key with an end is not made one without."""
    old = admin.create_key(conn, "acme", name="web", scopes=[Scope.READ], for_s=60)
    clock.advance(50)
    new = admin.rotate_key(conn, prefix(old.key), overlap_s=0)

    clock.advance(55)
    assert clients.authenticate(conn, new.key) is not None
    clock.advance(10)
    assert clients.authenticate(conn, new.key) is None


def test_the_public_part_of_a_key_opens_nothing(conn: psycopg.Connection[Any]):
    """It is in lists and logs."""
    made = admin.create_key(conn, "acme", name="web", scopes=[Scope.READ])
    for guess in (prefix(made.key), prefix(made.key) + "_" + "0" * 64, made.key[:-1], made.key + "0"):
        assert clients.authenticate(conn, guess) is None
    assert clients.authenticate(conn, made.key) is not None


@pytest.mark.parametrize("seconds", [0.0, -1.0, 11 * 365 * DAY_S])
def test_a_time_that_cannot_be_is_refused(conn: psycopg.Connection[Any], seconds: float):
    """With the field, and nothing is made."""
    with pytest.raises(BadRequest) as refused:
        admin.create_key(conn, "acme", name="web", scopes=[Scope.READ], for_s=seconds)
    assert refused.value.field == "for_s"
    assert admin.list_keys(conn) == []


@pytest.mark.parametrize("said", ["", "argosy_", "argosy_0", "argosy_%", "web", "argosy_0123456789ab_secret"])
def test_what_begins_no_key_is_refused(conn: psycopg.Connection[Any], said: str):
    """Every key begins with nothing: a variable that is not set must not revoke the only one."""
    admin.create_key(conn, "acme", name="web", scopes=[Scope.READ])
    for verb in (partial(admin.revoke_key, conn, said), partial(admin.rotate_key, conn, said, overlap_s=0)):
        with pytest.raises(BadRequest) as refused:
            verb()
        assert (refused.value.field, bool(refused.value.fix)) == ("prefix", True)
        assert "secret" not in str(refused.value)
    assert [one.revoked_at for one in admin.list_keys(conn)] == [None]


def test_the_audit_says_which_key_it_was(conn: psycopg.Connection[Any]):
    """However few of its digits were typed."""
    made = admin.create_key(conn, "acme", name="web", scopes=[Scope.READ])
    admin.rotate_key(conn, made.key[:11], overlap_s=60)
    admin.revoke_key(conn, made.key[:11])

    said = {one.act: one.said.get("prefix") for one in desk.audit(conn, limit=10)}
    assert (said["rotate_key"], said["revoke_key"]) == (prefix(made.key),) * 2


def test_what_operators_do_is_written_down(conn: psycopg.Connection[Any], project: Project, agent: Agent):
    """Each act once, with its arguments, and never a secret; a dry run and a look are no acts."""
    before = {one.audit_id for one in desk.audit(conn, limit=1000)}
    made = admin.create_key(conn, "other", name="k", scopes=[Scope.READ])
    rotated = admin.rotate_key(conn, prefix(made.key), overlap_s=60)
    admin.revoke_key(conn, prefix(made.key))
    admin.set_project(conn, "acme", weight=2.0)
    admin.set_project(conn, "acme")
    admin.label_node(conn, agent.node, labels={"a": "b"}, pools=["p"])
    admin.configure(conn, raise_s=3600.0)
    oncall.halt(conn, on=True, reason="a test")
    oncall.quarantine(conn, "noop", on=True)
    oncall.policy(conn, Cause.LOST, PolicyChange(base_s=1.0))
    clients.drain(conn, agent.node, on=True)
    clients.pause(conn, project.id, paused=True)
    where = Selection(states=["ready"])
    oncall.bulk(conn, "cancel", project.id, where, dry_run=True)
    oncall.bulk(conn, "cancel", project.id, where)

    acts = [one for one in reversed(desk.audit(conn, limit=1000)) if one.audit_id not in before]
    assert [one.act for one in acts] == [
        *("create_key", "rotate_key", "create_key", "revoke_key", "project", "label_node", "configure"),
        *("halt", "quarantine", "policy", "drain", "pause", "bulk"),
    ]
    assert acts[7].said == {"on": True, "reason": "a test"}
    assert {one.login for one in acts} == {conn.info.user}
    assert made.key not in str(acts)
    assert rotated.key not in str(acts)


def test_an_act_that_fails_is_not_written_down(conn: psycopg.Connection[Any]):
    """It was not done."""
    before = desk.audit(conn, limit=1000)
    with pytest.raises(NotFound):
        oncall.quarantine(conn, "no.such", on=True)
    assert desk.audit(conn, limit=1000) == before


def test_the_key_that_asked_is_written_down_and_forgotten(conn: psycopg.Connection[Any], project: Project):
    """For that one call: a connection of a pool is somebody else's in a moment."""
    asked = asking_key.set(project.key.key_id)
    try:
        oncall.halt(conn, on=True)
    finally:
        asking_key.reset(asked)
    oncall.halt(conn, on=False)
    later, first = desk.audit(conn, limit=2)
    assert (first.key, first.project, later.key) == (prefix(project.key.key), "acme", None)


def test_time_is_the_databases(conn: psycopg.Connection[Any], clock: Clock):
    """I4: a key ends by the fleet's clock."""
    made = admin.create_key(conn, "acme", name="web", scopes=[Scope.READ], for_s=DAY_S)
    [listed] = admin.list_keys(conn)
    assert listed.expires_at is not None
    assert abs(listed.expires_at - desk.now(conn) - timedelta(days=1)) < timedelta(seconds=5)
    clock.advance(DAY_S + 5)
    assert clients.authenticate(conn, made.key) is None
