"""Who asks: the API key on whose behalf this task calls verbs; what operators do is written down with it."""

from __future__ import annotations

from contextvars import ContextVar
from uuid import UUID

asking_key: ContextVar[UUID | None] = ContextVar("asking_key", default=None)
"""Set by the API for each request; None on a command line, where the login says who it is."""
