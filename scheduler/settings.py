"""How one scheduler behaves. Read from ARGOSY_SCHEDULER_* once, in `__main__`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.outside import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How one scheduler behaves."""

    database_url: str = field(repr=False)
    keep_days: int = 90
    """History and ended jobs older than this are dropped."""
    webhook_timeout_s: float = 10.0
    """For one delivery, from the look-up of the name to the head of the answer."""
    webhook_networks: tuple[Network, ...] = ()
    """Not of the internet, and yet webhooks may go there."""

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], database_url: str | None = None
    ) -> SchedulerSettings:
        """Settings from ARGOSY_SCHEDULER_*; an argument wins.

        Raises:
            ValueError: One is missing or not usable; the text names it.
        """
        url = (
            database_url or environ.get("ARGOSY_SCHEDULER_DATABASE_URL") or environ.get("ARGOSY_DATABASE_URL")
        )
        if not url:
            raise ValueError("no database: give --database-url or set ARGOSY_DATABASE_URL")
        keep = environ.get("ARGOSY_SCHEDULER_KEEP_DAYS", "90")
        if not keep.isdecimal() or int(keep) < 1:
            raise ValueError(
                f"ARGOSY_SCHEDULER_KEEP_DAYS must be a whole number of days from 1 on, got {keep!r}"
            )
        return cls(
            database_url=url,
            keep_days=int(keep),
            webhook_networks=_networks(environ.get("ARGOSY_SCHEDULER_WEBHOOK_NETWORKS", "")),
        )


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as exc:
        raise ValueError(
            f"ARGOSY_SCHEDULER_WEBHOOK_NETWORKS must be networks as 10.0.0.0/8, separated by commas: {exc}"
        ) from exc
