"""The bench at its tiniest: that every part still runs against today's contract, never how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report
from bench.registry import PARTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(240)
def test_every_part_runs_and_its_page_is_written(tmp_path: Path):
    """A part that cannot run any more is found here, not in an hour of measuring."""
    parts = [name for name in PARTS if name != "model"]  # that is tests/model again
    command = [sys.executable, "-m", "bench", "--tiny", "--results", str(tmp_path), *parts]

    subprocess.run(command, cwd=ROOT, check=True, timeout=220)

    ratios = json.loads((tmp_path / "latest.json").read_text())
    assert set(json.loads((tmp_path / "details.json").read_text())) == set(parts)
    assert set(ratios) <= {ratio.name for ratio in report.RATIOS}
    assert all(
        f"`{name}` | {value} |" in (tmp_path / "README.md").read_text() for name, value in ratios.items()
    )
