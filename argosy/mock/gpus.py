"""What stand-in GPUs there are and what is wrong with them: one folder per node, read by the library at every call."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from argosy.errors import ArgosyError
from argosy.mock import library

MIB = 2**20
STATE = "gpus"
VARIABLE = "NVIDIA_MOCK_GPUS"
"""Where the library, and a runner that takes memory of a stand-in GPU, look."""
OFF_THE_BUS = 79
MODELS: Mapping[str, tuple[str, int]] = {
    "A10": ("NVIDIA A10", 23_028),
    "A100": ("NVIDIA A100-SXM4-80GB", 81_920),
    "A100-40": ("NVIDIA A100-SXM4-40GB", 40_960),
    "B200": ("NVIDIA B200", 183_359),
    "H100": ("NVIDIA H100 80GB HBM3", 81_559),
    "H200": ("NVIDIA H200", 143_771),
    "L4": ("NVIDIA L4", 23_034),
    "L40S": ("NVIDIA L40S", 46_068),
    "RTX4090": ("NVIDIA GeForce RTX 4090", 24_564),
    "T4": ("Tesla T4", 15_360),
    "V100": ("Tesla V100-SXM2-16GB", 16_384),
}
"""Name and MiB as nvidia-smi shows them."""
_GROUP = re.compile(r"(?:(\d+)x)?([A-Za-z][A-Za-z0-9-]*)(?::(\d+)GiB)?")
_MOST = 16
_LOST, _NODE_REBOOT, _GPU_RESET = 15, 2, 1
HARMLESS_XIDS = frozenset({13, 31, 43, 45, 63, 68, 69, 94, 109, 154})
"""After which no driver asks for a recovery action: an application's, and mere news."""


@dataclass(frozen=True)
class Gpus:
    """The GPUs of one node."""

    name: str
    count: int
    total_mib: int


@dataclass(frozen=True)
class Gpu:
    """One GPU of the mock fleet."""

    number: int
    """Over all nodes, from 0."""
    node: str
    idx: int
    """As its node's NVML counts."""
    name: str
    uuid: str
    total_mib: int
    foreign_mib: int
    faults: Sequence[str]


def read_fleet(text: str) -> list[Gpus]:
    """Nodes from `8xA100,4xL4:24GiB`: a node for each part, with a size where it is not the usual one.

    Raises:
        ArgosyError: A part is not COUNTxMODEL[:SIZEGiB], or of a model nobody knows.
    """
    return [_read_group(part.strip()) for part in text.split(",")]


def _read_group(part: str) -> Gpus:
    found = _GROUP.fullmatch(part)
    models = ", ".join(sorted(MODELS))
    if found is None:
        raise _bad(f"{part!r} is not COUNTxMODEL[:SIZEGiB]", "For example 8xA100,4xL4:24GiB.")
    count, model, gib = int(found[1] or 1), found[2].upper(), found[3]
    if model not in MODELS:
        raise _bad(
            f"no stand-in is known as {found[2]!r}", f"One of {models}; with :SIZEGiB for another size."
        )
    if not 1 <= count <= _MOST:
        raise _bad(f"{part!r}: a node has 1 to {_MOST} GPUs", "Name more nodes: 8xA100,8xA100.")
    name, total_mib = MODELS[model]
    return Gpus(name, count, int(gib) * 1024 if gib else total_mib)


def _bad(message: str, fix: str) -> ArgosyError:
    return ArgosyError(message, code="bad_mock", field="mock", fix=fix)


class MockNode:
    """The folder of one node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    @property
    def environment(self) -> dict[str, str]:
        """What an agent must be started with to have these GPUs."""
        return {VARIABLE: str(self.folder / STATE), "LD_LIBRARY_PATH": str(self.folder.parent / "lib")}

    def make(self, gpus: Gpus) -> None:
        """All of them, in good health."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        lines = ["driver init=0"]
        for idx in range(gpus.count):
            uuid = f"GPU-{uuid5(NAMESPACE_URL, f'argosy-mock:{self.name}:{idx}')}"
            # A job may run as another user than the one that started the fleet.
            (self.folder / "procs" / uuid).mkdir(parents=True)
            (self.folder / "procs" / uuid).chmod(0o1777)
            lines.append(f"gpu uuid={uuid} name={gpus.name.replace(' ', '_')} total={gpus.total_mib * MIB}")
        self._write(lines)

    def lines(self) -> list[str]:
        """Its state, as the library reads it."""
        return (self.folder / STATE).read_text().splitlines()

    def change(self, kind: str, at: int, values: Mapping[str, Callable[[str], object]]) -> None:
        """Set values of the nth line of a kind, each made of what it was (empty: not said)."""
        with self._alone():
            lines = self.lines()
            places = [place for place, line in enumerate(lines) if line.split(" ", 1)[0] == kind]
            fields = dict(pair.split("=", 1) for pair in lines[places[at]].split()[1:])
            for key, made in values.items():
                fields[key] = str(made(fields.get(key, "")))
            lines[places[at]] = " ".join([kind, *(f"{key}={value}" for key, value in fields.items())])
            self._write(lines)

    def _write(self, lines: Sequence[str]) -> None:
        part = self.folder / "gpus.part"
        part.write_text("\n".join(lines) + "\n")
        part.replace(self.folder / STATE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class MockFleet:
    """All mock nodes of one `argosy up`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, fleet: Sequence[Gpus]) -> list[MockNode]:
        """New nodes in place of those of last time."""
        shutil.rmtree(self.folder, ignore_errors=True)
        library.build(self.folder / "lib")
        nodes = [MockNode(self.folder / f"mock-{number}") for number in range(1, len(fleet) + 1)]
        for node, gpus in zip(nodes, fleet, strict=True):
            node.make(gpus)
        return nodes

    def nodes(self) -> list[MockNode]:
        """In the order they were named in.

        Raises:
            ArgosyError: There is none.
        """
        folders = [path.parent for path in self.folder.glob(f"*/{STATE}")]
        if not folders:
            raise ArgosyError(
                f"no stand-in GPUs in {self.folder.parent}",
                code="no_mock",
                fix="Start them: argosy up --mock 8xA100,4xL4.",
            )
        return [MockNode(folder) for folder in sorted(folders, key=lambda path: (len(path.name), path.name))]

    def node(self, name: str) -> MockNode:
        """By name.

        Raises:
            ArgosyError: There is none of this name.
        """
        found = {node.name: node for node in self.nodes()}
        if name not in found:
            raise ArgosyError(
                f"no mock node {name!r}", code="no_mock", field="node", fix=f"One of {', '.join(found)}."
            )
        return found[name]

    def gpus(self) -> list[Gpu]:
        """All of them, numbered over all nodes."""
        found: list[Gpu] = []
        for node in self.nodes():
            broken = ""
            idx = 0
            for line in node.lines():
                kind, _, rest = line.partition(" ")
                values = dict(pair.split("=", 1) for pair in rest.split())
                if kind == "driver" and int(values.get("init", 0)):
                    broken = f"driver={values['init']}"
                if kind == "gpu":
                    gpu = _gpu(node.name, idx, values)
                    faults = [broken, *gpu.faults] if broken else gpu.faults
                    found.append(replace(gpu, number=len(found), faults=faults))
                    idx += 1
        return found

    def gpu(self, number: int) -> tuple[MockNode, int]:
        """The node of a GPU, and its index there.

        Raises:
            ArgosyError: There is none of this number.
        """
        gpus = self.gpus()
        if not 0 <= number < len(gpus):
            raise ArgosyError(
                f"no stand-in GPU {number}", code="no_mock", field="number", fix=f"0 to {len(gpus) - 1}."
            )
        return self.node(gpus[number].node), gpus[number].idx


def _gpu(node: str, idx: int, values: Mapping[str, str]) -> Gpu:
    faults = []
    if int(values.get("fail", 0)):
        faults.append(f"nvml={values['fail']}")
    if int(values.get("hang_ms", 0)):
        faults.append(f"hang={int(values['hang_ms']) / 1000:g}")
    if int(values.get("action", 0)):
        faults.append(f"action={values['action']}")
    if int(values.get("xid", 0)):
        faults.append(f"xid={values['xid']}")
    return Gpu(
        number=0,
        node=node,
        idx=idx,
        name=values["name"].replace("_", " "),
        uuid=values["uuid"],
        total_mib=int(values["total"]) // MIB,
        foreign_mib=int(values.get("foreign", 0)) // MIB,
        faults=faults,
    )


def raise_xid(node: MockNode, idx: int, xid: int) -> None:
    """An XID event. One of the hardware's asks for a recovery action; with 79 the GPU is off the bus, too."""
    values: dict[str, Callable[[str], object]] = {
        "xid": lambda _: xid,
        "xids": lambda was: int(was or 0) + 1,
    }
    if xid not in HARMLESS_XIDS:
        values["action"] = lambda _: _NODE_REBOOT if xid == OFF_THE_BUS else _GPU_RESET
    if xid == OFF_THE_BUS:
        values["fail"] = lambda _: _LOST
    node.change("gpu", idx, values)


def fail(node: MockNode, idx: int, code: int) -> None:
    """Let every NVML call on the GPU answer this code (15: the GPU is lost)."""
    node.change("gpu", idx, {"fail": lambda _: code})


def hang(node: MockNode, idx: int, seconds: float) -> None:
    """Let every NVML call on the GPU take so long, or until it is well again."""
    node.change("gpu", idx, {"hang_ms": lambda _: round(seconds * 1000)})


def occupy(node: MockNode, idx: int, mib: int) -> None:
    """Memory of a process that is none of ours; 0 gives it back."""
    node.change("gpu", idx, {"foreign": lambda _: mib * MIB})


def heal(node: MockNode, idx: int) -> None:
    """As if it had been reset: no fault, no foreign memory."""
    node.change("gpu", idx, {key: lambda _: 0 for key in ("fail", "hang_ms", "action", "xid", "foreign")})


def break_driver(node: MockNode, code: int) -> None:
    """Let the driver not initialise (9: not loaded, 18: another version than the library); 0: it does again."""
    node.change("driver", 0, {"init": lambda _: code})
