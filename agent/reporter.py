"""News of running attempts, gathered and sent every half second; bounded, since it may have to wait.

Of progress and metrics only the newest is told, as only the newest is kept. Of log lines the newest so many;
how many were dropped is said in the log itself. Nothing here decides anything, so nothing here is kept on disk.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Literal
from uuid import UUID

import structlog

from agent.backoff import Backoff
from agent.line import DatabaseAway, Line
from agent.membership import Membership
from queue_schema.calls import agents
from queue_schema.errors import FleetError, SessionLost
from queue_schema.shapes import LogChunk, Report
from workloads.protocol import Metrics, Progress

log = structlog.get_logger(__name__)

MAX_BYTES = 2**20
"""Log text kept per attempt while it cannot be sent."""
_CHUNK_BYTES = 60_000
_BATCH_BYTES = 512_000

Stream = Literal["stdout", "stderr", "agent"]


class News:
    """What is to be told of one attempt."""

    def __init__(self, job_id: UUID, token: UUID, max_bytes: int = MAX_BYTES) -> None:
        self.job_id = job_id
        self.token = token
        self._max_bytes = max_bytes
        self._progress: Progress | None = None
        self._metrics: dict[str, float] = {}
        self._metrics_step = 0
        self._lines: deque[tuple[Stream, str]] = deque()
        self._bytes = 0
        self._dropped = 0

    def add(self, message: Progress | Metrics) -> None:
        """Keep the newest progress, and the newest value of each metric."""
        if isinstance(message, Progress):
            self._progress = message
        else:
            self._metrics |= message.values
            self._metrics_step = message.step

    def add_lines(self, stream: Stream, lines: list[str]) -> None:
        """Keep lines, and drop the oldest when there are too many."""
        for line in lines:
            self._lines.append((stream, line))
            self._bytes += len(line.encode()) + 1
        while self._bytes > self._max_bytes and len(self._lines) > 1:
            _, line = self._lines.popleft()
            self._bytes -= len(line.encode()) + 1
            self._dropped += 1

    def take(self) -> Report | None:
        """The next report, of some hundred KB at most; None when there is nothing to tell."""
        chunks = self._take_chunks()
        progress, self._progress = self._progress, None
        metrics, self._metrics = self._metrics, {}
        if not chunks and progress is None and not metrics:
            return None
        return Report(
            self.job_id,
            self.token,
            step=progress.step if progress else None,
            total=progress.total if progress else None,
            message=progress.message if progress else None,
            metrics=metrics or None,
            metrics_step=self._metrics_step if metrics else None,
            logs=chunks,
        )

    def _take_chunks(self) -> list[LogChunk]:
        chunks: list[LogChunk] = []
        if self._dropped:
            chunks.append(LogChunk("agent", f"[{self._dropped} lines were dropped here]\n"))
            self._dropped = 0
        stream: Stream = "stdout"
        text: list[str] = []
        size = taken = 0
        while self._lines and taken < _BATCH_BYTES:
            next_stream, line = self._lines.popleft()
            length = len(line.encode()) + 1
            self._bytes -= length
            taken += length
            if text and (next_stream != stream or size + length > _CHUNK_BYTES):
                chunks.append(_chunk(stream, text))
                text, size = [], 0
            stream = next_stream
            text.append(line)
            size += length
        if text:
            chunks.append(_chunk(stream, text))
        return chunks


def _chunk(stream: Stream, lines: list[str]) -> LogChunk:
    return LogChunk(stream, "".join(line + "\n" for line in lines))


class Reporter(threading.Thread):
    """Takes news from any thread without waiting, and sends it from its own."""

    def __init__(
        self, line: Line, membership: Membership, *, every_s: float, lost: Callable[[list[UUID]], None]
    ) -> None:
        """Build it; `start` after the first join.

        Args:
            line: Shared with the settler, for both are about outcomes.
            membership: Who reports.
            every_s: Between two batches.
            lost: Told of tokens that are not ours any more.
        """
        super().__init__(name="reporter", daemon=True)
        self._line = line
        self._membership = membership
        self._every_s = every_s
        self._lost = lost
        self._news: dict[UUID, News] = {}
        self._pending: list[Report] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread; what is not sent yet is dropped."""
        self._stopping.set()

    def tell(self, job_id: UUID, token: UUID, message: Progress | Metrics) -> None:
        """Keep a message for the next batch."""
        with self._lock:
            self._of(job_id, token).add(message)

    def tell_lines(self, job_id: UUID, token: UUID, stream: Stream, lines: list[str]) -> None:
        """Keep log lines for the next batch."""
        with self._lock:
            self._of(job_id, token).add_lines(stream, lines)

    def forget(self, tokens: Iterable[UUID]) -> None:
        """The attempts are settled, or lost: nobody wants their news."""
        with self._lock:
            for token in tokens:
                self._news.pop(token, None)

    def flush(self, tokens: Sequence[UUID]) -> None:
        """Send what there is of some attempts now, before they are settled and the database takes no more.

        Raises:
            DatabaseAway: It stays for later.
            SessionLost: As before.
        """
        while self._round(tokens):
            pass

    def run(self) -> None:
        """Send a batch every so often until stopped."""
        backoff = Backoff(self._every_s, 5.0)
        wait_s = self._every_s
        while not self._stopping.wait(wait_s):
            try:
                self._round(None)
                wait_s = self._every_s
                backoff.reset()
            except DatabaseAway:
                wait_s = backoff.next_s()
            except SessionLost:
                self._membership.mark_lost(self._membership.session)
                wait_s = backoff.next_s()
            except FleetError as exc:
                log.error("report.refused", code=exc.code, error=str(exc))  # noqa: TRY400  # expected: the text says it all
            except Exception:
                log.exception("reporter.failed")

    def _round(self, tokens: Sequence[UUID] | None) -> bool:
        """Send what could not be sent before, then one batch of news; says whether there was any."""
        with self._sending:
            if self._pending:
                self._deliver()
            with self._lock:
                wanted = list(self._news) if tokens is None else tokens
                news = [self._news[token] for token in wanted if token in self._news]
                self._pending = [report for each in news if (report := each.take()) is not None]
            if not self._pending:
                return False
            self._deliver()
            return True

    def _deliver(self) -> None:
        # The batch under way is kept whole, and nothing more is taken until it is through, so that memory
        # stays bounded and lines stay in order.
        try:
            lost = self._line.do(lambda conn: agents.report(conn, self._membership.session, self._pending))
        except (DatabaseAway, SessionLost):
            raise
        except BaseException:
            self._pending = []
            raise
        self._pending = []
        if lost:
            self._lost(lost)

    def _of(self, job_id: UUID, token: UUID) -> News:
        found = self._news.get(token)
        if found is None:
            found = self._news[token] = News(job_id, token)
        return found
