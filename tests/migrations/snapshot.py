"""The schema as a file: `schema.sql` shows every pull request what it changes in the database.

`python -m tests.migrations.snapshot --check` fails when the file is not what the migrations make;
`--write` makes it anew. Always on the embedded server, so that it does not change with the machine.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from argosy.embedded import BIN, EmbeddedServer
from queue_schema import migrate

FILE = Path(__file__).with_name("schema.sql")
HEADER = "-- Written by `make schema`: all that the migrations make, in one file; its diff is what a change does.\n"


def dump(url: str) -> str:
    """Schema `fleet` as pg_dump sees it, less daily partitions (dates in their names), versions and function bodies."""
    told = subprocess.run(
        [
            str(BIN / "pg_dump"),
            "--schema-only",
            "--schema=fleet",
            "--exclude-table=fleet.*_2*",
            "--no-owner",
            url,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [
        line
        for line in told.splitlines()
        if not line.startswith(
            ("-- Dumped", "SET ", "SELECT pg_catalog.set_config", "\\restrict", "\\unrestrict")
        )
    ]
    told = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
    return re.sub(r"AS (\$\w*\$|').*?\1;", _fingerprint, told, flags=re.DOTALL)


def _fingerprint(body: re.Match[str]) -> str:
    """A function's text stands in queue_schema/sql already; here a change of it is one line."""
    return f"AS <{hashlib.md5(body[0].encode(), usedforsecurity=False).hexdigest()}>;"


def current() -> str:
    """What the migrations make, on a server started for it."""
    with tempfile.TemporaryDirectory(prefix="argosy-snapshot-") as folder:
        server = EmbeddedServer(Path(folder) / "pg", {"fsync": "off"})
        server.start()
        try:
            server.ensure_database("snapshot")
            migrate.upgrade(server.url("snapshot"))
            return HEADER + dump(server.url("snapshot"))
        finally:
            server.stop()


def main() -> int:
    """Compare or write."""
    made = current()
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(made)
        return 0
    kept = FILE.read_text() if FILE.exists() else ""
    if kept == made:
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(kept.splitlines(True), made.splitlines(True), "schema.sql", "migrations")
    )
    sys.stderr.write("tests/migrations/schema.sql is not what the migrations make: run `make schema`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
