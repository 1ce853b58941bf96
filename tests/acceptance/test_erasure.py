"""P8, with all programs: a customer asks to be forgotten."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from argosy import JobSpec, NotFound, OutputOf
from tests.acceptance.conftest import Fleet

pytestmark = pytest.mark.timeout(180)
FACE = b"the face of Ada, which nobody else has"


def holding(home: Path) -> list[Path]:
    """Files of the whole fleet, of its store and of its nodes, in which she is still to be seen; the logs too."""
    found = []
    for folder, _, names in os.walk(home):
        paths = [Path(folder, name) for name in names]
        found += [
            path for path in paths if path.is_file() and not path.is_symlink() and FACE in path.read_bytes()
        ]
    return found


def test_a_customer_is_forgotten_everywhere(fleet: Fleet):
    """Photo in, picture out, another job under way: gone from store, nodes and database; what is of others stays."""
    fleet.agent("node-1")
    client = fleet.client
    frame = client.put(b"a frame that all customers get")
    shown = ["sh", "-c", "cat inputs/face inputs/frame > outputs/picture; echo I saw Ada"]
    first = client.submit(
        "command",
        {"argv": shown},
        inputs={"face": FACE, "frame": frame},
        tags={"customer": "4711"},
        name="a portrait of Ada",
    )
    other = client.submit(
        "command", {"argv": ["cat", "inputs/frame"]}, inputs={"frame": frame}, tags={"customer": "8"}
    )
    fleet.until(fleet.all_ended)
    again = client.submit(
        "command",
        {"argv": ["sleep", "600"]},
        inputs={"picture": OutputOf(first, "picture")},
        tags={"customer": "4711"},
    )
    fleet.until(lambda: fleet.running(again.id))
    assert len(holding(fleet.local.home)) >= 3
    fleet.conn.execute("update fleet.blobs set created_at = created_at - interval '1 hour'")

    asked = client.erasures.tags({"customer": "4711"})

    picture = hashlib.sha256(FACE + b"a frame that all customers get").hexdigest()
    with pytest.raises(NotFound):
        client.get(picture, fleet.local.home / "picture")
    fleet.until(lambda: client.erasures.get(asked.erasure_id).state == "done")
    receipt = client.erasures.get(asked.erasure_id)
    assert (receipt.jobs, receipt.cancelled, receipt.files, receipt.shared) == (2, 1, 2, 1)
    assert [(node.node, node.dropped.files if node.dropped else None) for node in receipt.nodes] == [
        ("node-1", 2)
    ]
    hashes = sorted([hashlib.sha256(FACE).hexdigest(), picture])
    assert receipt.digest == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    assert holding(fleet.local.home) == []
    assert first.refresh().state == "succeeded"
    assert again.refresh().state == "cancelled"
    assert list(first.logs()) == []
    assert other.refresh().tags == {"customer": "8"}
    assert client.submit_many([JobSpec(kind="command", params={"argv": ["true"]}, inputs={"frame": frame})])
    fleet.until(fleet.all_ended)
