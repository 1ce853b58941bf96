"""Stand-in GPUs: how they are named, numbered, broken and healed; the library itself is tested by the agent's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from argosy.errors import ArgosyError
from argosy.mock.gpus import Gpus, MockFleet, MockNode, read_fleet

Run = Callable[..., Any]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two nodes: two A100, and one L4 of another size."""
    for number, gpus in enumerate(read_fleet("2xA100,L4:16GiB"), 1):
        MockNode(tmp_path / "mock" / f"mock-{number}").make(gpus)
    return tmp_path


def test_a_fleet_is_named_by_count_model_and_size():
    """A node for each part; the size is the model's unless said."""
    assert read_fleet("8xA100, 4xl4:24GiB") == [
        Gpus("NVIDIA A100-SXM4-80GB", 8, 81_920),
        Gpus("NVIDIA L4", 4, 24_576),
    ]


@pytest.mark.parametrize("text", ["", "8x", "8xQ7", "0xA100", "17xA100", "A100:24", "8xA100,,L4"])
def test_what_is_no_fleet_is_refused_with_the_way_to_say_it(text: str):
    """The error names the field and the fix."""
    with pytest.raises(ArgosyError) as raised:
        read_fleet(text)

    assert raised.value.field == "mock"
    assert raised.value.fix


def test_gpus_are_numbered_over_all_nodes(home: Path):
    """As `argosy mock gpu` takes them."""
    fleet = MockFleet(home / "mock")

    assert [(gpu.number, gpu.node, gpu.idx) for gpu in fleet.gpus()] == [
        (0, "mock-1", 0),
        (1, "mock-1", 1),
        (2, "mock-2", 0),
    ]


def test_a_gpu_is_broken_and_healed_by_command(home: Path, run: Run):
    """Faults add up, are listed, and all go at once."""
    at = ("--home", str(home))
    run("mock", "gpu", "1", "fault", "xid=79", "hang=0.5", *at)
    run("mock", "gpu", "2", "foreign", "3GiB", *at)
    run("mock", "driver", "mock-2", "not-loaded", *at)
    listed = run("mock", "list", "--json", *at).json

    assert [(gpu["faults"], gpu["foreign_mib"]) for gpu in listed] == [
        ([], 0),
        (["nvml=15", "hang=0.5", "action=2", "xid=79"], 0),
        (["driver=9"], 3072),
    ]
    run("mock", "gpu", "1", "heal", *at)
    run("mock", "gpu", "2", "foreign", "0", *at)
    run("mock", "driver", "mock-2", "ok", *at)
    assert [gpu["faults"] for gpu in run("mock", "list", "--json", *at).json] == [[], [], []]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("gpu", "3", "heal"), "0 to 2"),
        (("gpu", "0", "fault", "zap=1"), "xid=NUMBER"),
        (("gpu", "0", "fault", "xid=often"), "no number"),
        (("gpu", "0", "fault"), "what is wrong"),
        (("gpu", "0", "heal", "now"), "no value"),
        (("gpu", "0", "foreign", "much"), "no size"),
        (("driver", "mock-9", "ok"), "mock-1, mock-2"),
    ],
)
def test_a_wrong_command_says_what_would_be_right(home: Path, run: Run, words: tuple[str, ...], names: str):
    """And changes nothing."""
    done = run("mock", *words, "--home", str(home))

    assert done.code == 1
    assert names in done.err
    assert [gpu.faults for gpu in MockFleet(home / "mock").gpus()] == [[], [], []]
