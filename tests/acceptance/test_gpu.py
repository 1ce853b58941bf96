"""One GPU shared by different work, on a stand-in of it: training beside inference, and one that takes too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.demo import workflow
from argosy.mock.gpus import read_fleet
from argosy.mock.library import find_compiler
from tests.acceptance.conftest import Fleet

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(find_compiler() is None, reason="stand-in GPUs need a C compiler"),
]
ON_GPU = {"device": "gpu"}


def test_four_kinds_share_a_card_and_one_that_outgrows_its_booking_harms_nobody(fleet: Fleet, tmp_path: Path):
    """All four run at once; the greedy one ends `out_of_memory` and is tried again with more, the others finish."""
    fleet.local.add_mock_agents(read_fleet("A100"), ram_mib=8192, slots=8)
    workflow.draw_photos(3, tmp_path)
    photos = {path.name: path for path in sorted(tmp_path.glob("photo-*.png"))}
    train = fleet.client.submit(
        "diffusion.train_lora",
        {"captions": dict.fromkeys(photos, "a portrait of a sks person"), "steps": 40, "prior_batch": 0},
        inputs=photos,
        need=ON_GPU,
    )
    fleet.until(lambda: train.refresh().state == "running")
    generate = fleet.client.submit(
        "diffusion.generate", {"prompts": ["a portrait of a person"] * 8, "steps": 25}, need=ON_GPU
    )
    program = fleet.client.submit(
        "command", {"argv": ["sleep", "20"]}, need={"gpus": 1, "vram_mib": 4096, **ON_GPU}
    )
    greedy = fleet.client.submit(
        "selftest.allocate", {"mib": 12_000, "hold_s": 5}, need={"gpus": 1, "vram_mib": 8192, **ON_GPU}
    )
    every = [train, generate, program, greedy]
    fleet.until(
        lambda: fleet.conn.execute("select count(*) = 4 from fleet.leases where devices = '{0}'").fetchone()[
            0
        ]
    )
    fleet.until(fleet.all_ended, timeout_s=180)

    attempts: dict[str, list[tuple[str, str | None]]] = {job.id: [] for job in every}
    for job_id, outcome, cause in fleet.conn.execute(
        "select job_id::text, outcome, cause::text from fleet.attempts order by job_id, attempt"
    ):
        attempts[job_id].append((outcome, cause))
    assert attempts.pop(greedy.id) == [("failed", "out_of_memory"), ("succeeded", None)]
    assert list(attempts.values()) == [[("succeeded", None)]] * 3
