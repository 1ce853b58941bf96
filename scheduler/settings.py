"""How one scheduler behaves. Read from ARGOSY_SCHEDULER_* once, in `__main__`."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.outside import Network

_KEEP_DAYS, _WEBHOOK_TIMEOUT_S = 90, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How one scheduler behaves."""

    database_url: str = field(repr=False)
    """PostgreSQL, as a member of fleet_scheduler; else that of ARGOSY_DATABASE_URL."""
    keep_days: int = _KEEP_DAYS
    """Ended jobs, their files and their history older than this are dropped, and so are files that no job names."""
    webhook_timeout_s: float = _WEBHOOK_TIMEOUT_S
    """For one delivery, from the look-up of the name to the head of the answer."""
    webhook_networks: tuple[Network, ...] = ()
    """Not of the internet, and yet webhooks may go there, as in 10.0.0.0/8,fd00::/8."""

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
        return cls(
            database_url=url,
            keep_days=_whole(environ, "ARGOSY_SCHEDULER_KEEP_DAYS", _KEEP_DAYS, "days"),
            webhook_timeout_s=_whole(
                environ, "ARGOSY_SCHEDULER_WEBHOOK_TIMEOUT_S", _WEBHOOK_TIMEOUT_S, "seconds"
            ),
            webhook_networks=_networks(environ.get("ARGOSY_SCHEDULER_WEBHOOK_NETWORKS", "")),
        )


def _whole(environ: Mapping[str, str], name: str, usual: int, unit: str) -> int:
    said = environ.get(name, str(usual))
    if not said.isdecimal() or int(said) < 1:
        raise ValueError(f"{name} must be a whole number of {unit} from 1 on, got {said!r}")
    return int(said)


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())
    except ValueError as exc:
        raise ValueError(
            f"ARGOSY_SCHEDULER_WEBHOOK_NETWORKS must be networks as 10.0.0.0/8, separated by commas: {exc}"
        ) from exc
