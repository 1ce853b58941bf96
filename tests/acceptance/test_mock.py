"""`argosy up --mock`: a fleet on stand-in GPUs that can be broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.mock.library import find_compiler
from tests.acceptance.shell import Shell
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)


@pytest.mark.skipif(find_compiler() is None, reason="stand-in GPUs need a C compiler")
def test_a_mock_fleet_works_and_can_be_broken(home: Path):
    """Nodes of stand-in GPUs: a real model runs on one, a fault is seen in the list, and goes."""
    shell = Shell(home)
    with shell.up("--mock", "2xA100,L4:16GiB"):
        eventually(lambda: len(shell.json("node", "list")) == 2, 60)
        nodes = {node["node"]: node for node in shell.json("node", "list")}
        assert [(d["kind"], d["total_mib"]) for d in nodes["mock-1"]["devices"][:2]] == [("gpu", 81_920)] * 2
        assert [(d["name"], d["total_mib"]) for d in nodes["mock-2"]["devices"][:1]] == [
            ("NVIDIA L4", 16_384)
        ]
        done = shell.json(
            "job", "submit", "diffusion.generate", "-p", "prompt=a portrait of a person", "-p", "steps=2",
            "--need", "device=gpu", "--wait",
        )  # fmt: skip
        assert done["state"] == "succeeded"

        assert shell.run("mock", "gpu", "1", "fault", "xid=79").returncode == 0
        eventually(lambda: "XID 79" in shell.run("node", "list").stdout, 60)
        assert shell.run("mock", "gpu", "1", "heal").returncode == 0
        eventually(lambda: "XID 79" not in shell.run("node", "list").stdout, 60)
