"""`python -m agent`: read the settings, cut what is secret from the environment, and run the node."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue_schema.signals import Signals


def main() -> int:
    """The composition root; the exit code is 0 after a drain and 2 when something must be changed first."""
    # Imported here, so that a runner that imports the main module of its agent gets nothing.
    import structlog

    from agent import boot, hiding, isolation, journal, owner, settings, tracing
    from agent.node import Node
    from agent.shutdown import Signals
    from agent.systemd import Systemd
    from queue_schema.errors import BadRequest
    from queue_schema.signals import SignalsError, prepare

    if sys.argv[1:2] in (["keep-off"], ["let-in"]):
        return owner.main(sys.argv[1], sys.argv[2:])
    try:
        said = settings.read(sys.argv[1:], os.environ)
        listened = said.metrics_port is not None
        prepared = prepare("agent", said.node, os.environ, prometheus=listened, ids=tracing.Ids())
    except (settings.SettingsError, SignalsError) as exc:
        sys.stderr.write(f"agent: {exc}\n")
        return 2
    # Jobs are other users, and pass through our folders; what is nobody's business says so itself.
    os.umask(0o022)
    manager = Systemd.of(os.environ)
    hiding.scrub(os.environ)
    hiding.hide_arguments()
    hiding.hide_memory()
    journal.configure(said.log_level, node=said.node)
    log = structlog.get_logger("agent")
    signals = Signals()
    signals.listen()
    try:
        means = isolation.find_means(said)  # by forks, and so before there is any thread
        told = prepared.open()
        try:
            if said.metrics_port is not None:
                _serve(told, said.metrics_host, said.metrics_port)
            Node(said, signals, means, boot.find_devices(said), told=told, manager=manager).run()
        finally:
            told.close()
    except (settings.SettingsError, BadRequest) as exc:
        log.error("agent.unusable", error=str(exc), fix=getattr(exc, "fix", None))  # noqa: TRY400  # expected: the text says it all
        return 2
    return 0


def _serve(told: Signals, host: str, port: int) -> None:
    import structlog

    from agent.settings import SettingsError

    try:
        bound = told.serve(host, port)
    except OSError as exc:
        raise SettingsError(f"metrics_port {port} on {host} cannot be had: {exc}") from exc
    structlog.get_logger("agent").info("metrics.served", url=f"http://{host}:{bound}/metrics")


if __name__ == "__main__":
    sys.exit(main())
