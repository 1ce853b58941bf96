"""What every attempt of this agent works with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from agent.checkpoints import Checkpoints
from agent.files.cache import Cache
from agent.files.transfer import Transfer
from agent.isolation import Isolation
from agent.leases import Lease, Leases
from agent.measures import Measures
from agent.reporter import Reporter
from agent.runners.forkserver import Forkserver
from agent.runners.records import Records
from agent.sampling import Sampler
from agent.settings import AgentSettings
from agent.settler import Settler
from agent.warm import Warm


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The parts of the agent that run jobs."""

    settings: AgentSettings
    leases: Leases
    sampler: Sampler
    forkserver: Forkserver
    records: Records
    cache: Cache
    transfer: Transfer
    checkpoints: Checkpoints
    reporter: Reporter
    settler: Settler
    isolation: Isolation
    warm: Warm
    measures: Measures = field(default_factory=Measures)
    starting: threading.Lock
    """One second look and start at a time, so that two do not both see the same free memory."""

    def home(self, lease: Lease) -> Path:
        """Where the runner of an attempt would live, if it gets one of its own."""
        return self.settings.state_dir / "work" / str(lease.token)

    def folder(self, lease: Lease) -> Path:
        """The private folder of one attempt: `job` in it is the job's, the rest was put there by the agent.

        It lies in the home of its runner, behind whose walls there is nothing else.
        """
        return lease.folder or self.home(lease) / str(lease.token)
