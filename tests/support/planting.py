"""Break a function of the contract on purpose, and put it back: a test that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

Change = tuple[str, str]
"""A text that is in the function once, and what remains of it."""


@contextmanager
def planting(url: str) -> Iterator[Callable[..., None]]:
    """Yields `change(function, *changes)`; what was changed is as it was when the block ends."""
    kept: list[str] = []

    def change(function: str, *changes: Change) -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            row = conn.execute(
                "select pg_get_functiondef(p.oid) from pg_proc p"
                " where p.pronamespace = 'fleet'::regnamespace and p.proname = %s",
                (function,),
            ).fetchone()
            assert row is not None, f"there is no function {function}"
            text = row[0]
            for old, new in changes:
                assert text.count(old) == 1, f"{function} has {old!r} {text.count(old)} times"
                text = text.replace(old, new)
            kept.append(row[0])
            conn.execute(text)

    yield change
    with psycopg.connect(url, autocommit=True) as conn:
        for definition in kept:
            conn.execute(definition)
