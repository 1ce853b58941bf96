"""`python -m agent`: read the settings, cut what is secret from the environment, and run the node."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """The composition root; the exit code is 0 after a drain and 2 when something must be changed first."""
    # Imported here, so that a runner that imports the main module of its agent gets nothing.
    import structlog

    from agent import boot, hiding, isolation, journal, owner, settings
    from agent.node import Node
    from agent.shutdown import Signals
    from agent.systemd import Systemd
    from queue_schema.errors import BadRequest

    if sys.argv[1:2] in (["keep-off"], ["let-in"]):
        return owner.main(sys.argv[1], sys.argv[2:])
    try:
        said = settings.read(sys.argv[1:], os.environ)
    except settings.SettingsError as exc:
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
        Node(said, signals, means, boot.find_devices(said), manager).run()
    except (settings.SettingsError, BadRequest) as exc:
        log.error("agent.unusable", error=str(exc), fix=getattr(exc, "fix", None))  # noqa: TRY400  # expected: the text says it all
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
