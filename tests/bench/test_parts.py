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
    # The one is tests/model again; the other has five agents import torch, and what it measures is tested elsewhere.
    parts = [name for name in PARTS if name not in ("model", "warm")]
    halves = {tmp_path / "one": parts[::2], tmp_path / "other": parts[1::2]}
    running = [
        subprocess.Popen([sys.executable, "-m", "bench", "--tiny", "--results", str(folder), *half], cwd=ROOT)
        for folder, half in halves.items()
    ]
    assert [process.wait(220) for process in running] == [0, 0]

    for folder, half in halves.items():
        ratios = json.loads((folder / "latest.json").read_text())
        assert set(json.loads((folder / "details.json").read_text())) == set(half)
        assert set(ratios) <= {ratio.name for ratio in report.RATIOS}
        page = (folder / "README.md").read_text()
        assert all(f"`{name}` | {value} |" in page for name, value in ratios.items())
