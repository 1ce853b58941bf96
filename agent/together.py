"""Attempts that are to be one piece of work: they prepare side by side, and begin together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from agent.leases import Lease
from queue_schema.shapes import Claimed

Member = TypeVar("Member")
Piece = TypeVar("Piece")

PATIENCE_S = 2.0
"""How long those who are ready wait for the others; who is later works alone."""


class Together(Generic[Member, Piece]):
    """So many attempts, of which some may never be ready."""

    def __init__(self, size: int, make: Callable[[Sequence[Member]], Piece]) -> None:
        """Nobody is ready yet.

        Args:
            size: How many they are.
            make: The piece of work of those who are ready.
        """
        self._left = size
        self._make = make
        self._ready: dict[int, Member] = {}
        self._piece: Piece | None = None
        self._changed = threading.Condition()

    def join(self, place: int, member: Member) -> Piece:
        """Wait for the others; all who are ready get the same piece of work, a late one its own."""
        with self._changed:
            if self._piece is not None:
                return self._make([member])
            self._ready[place] = member
            self._left -= 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._piece is not None or self._left <= 0, PATIENCE_S)
            if self._piece is None:
                self._piece = self._make([self._ready[at] for at in sorted(self._ready)])
                self._changed.notify_all()
            return self._piece

    def leave(self) -> None:
        """One will not be ready: it ended before."""
        with self._changed:
            self._left -= 1
            self._changed.notify_all()


def sorted_out(leases: Iterable[Lease], kinds: Sequence[str], most: int) -> list[list[Lease]]:
    """Which leases of one claim may be one piece of work: of one project, kind and model, on the same devices.

    Only first attempts: whatever comes again works alone, so that one bad job cannot take others with it twice. Nor
    those that must die by the clock, or may be asked to give way.
    """
    alike: dict[Hashable, list[Lease]] = {}
    for lease in leases:
        claimed = lease.claimed
        key: Hashable = lease.token
        if claimed is not None and claimed.kind in kinds and claimed.attempt == 1:
            key = key if claimed.exclusive or claimed.preemptible else _key(claimed)
        alike.setdefault(key, []).append(lease)
    return [some[at : at + most] for some in alike.values() for at in range(0, len(some), most)]


def _key(claimed: Claimed) -> Hashable:
    return claimed.project_id, claimed.kind, claimed.model, tuple(claimed.grant.devices)
