"""The SQL of the contract, in files: tables, functions (one verb each), views, the stage of rehearsals, grants."""

from __future__ import annotations

from importlib.resources import files


def statements() -> list[tuple[str, str]]:
    """Every file in the order of installation, as (name, text).

    Functions come before views because views call them, and PostgreSQL checks the bodies of SQL-language
    functions when they are made; the installer turns that check off, so that their order does not matter.
    """
    root = files(__package__)
    found = []
    # The rehearsal is made from the functions before it: its first file copies them.
    for folder in ("tables", "functions", "views", "rehearsal"):
        names = sorted(entry.name for entry in (root / folder).iterdir() if entry.name.endswith(".sql"))
        # A file that makes a type others name in their signatures begins with an underscore, and those sort first.
        found += [(f"{folder}/{name}", (root / folder / name).read_text("utf-8")) for name in names]
    found.append(("grants.sql", (root / "grants.sql").read_text("utf-8")))
    return found
