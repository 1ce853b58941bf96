"""`argosy mock ...`: see the stand-in GPUs of `argosy up --mock`, break them, and heal them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from argosy import config
from argosy.cli import output
from argosy.cli.output import AsJson, emit, say
from argosy.errors import ArgosyError
from argosy.mock import gpus
from argosy.mock.gpus import MockFleet, MockNode

app = typer.Typer(help="Stand-in GPUs: `argosy up --mock 8xA100,4xL4`.", no_args_is_help=True)

Home = Annotated[
    Path | None, typer.Option(help="The folder of `argosy up`. [default: ARGOSY_HOME, else the usual one]")
]
_GIB = "GiB"
_MIB = "MiB"


class What(StrEnum):
    """What may happen to a stand-in GPU."""

    FAULT = "fault"
    FOREIGN = "foreign"
    HEAL = "heal"


class Driver(StrEnum):
    """How the driver of a node may be."""

    OK = "ok"
    NOT_LOADED = "not-loaded"
    OTHER_VERSION = "other-version"


_CODES = {Driver.OK: 0, Driver.NOT_LOADED: 9, Driver.OTHER_VERSION: 18}


@app.command("list")
def list_gpus(*, home: Home = None, as_json: AsJson = False) -> None:
    """List the stand-in GPUs, by the number that `gpu` takes."""
    found = _fleet(home).gpus()
    if as_json:
        emit(found)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("GPU", "NODE", "IDX", "NAME", "TOTAL MiB", "FOREIGN MiB", "FAULTS"):
        table.add_column(column, justify="right" if "MiB" in column else "left")
    for each in found:
        numbers = [str(each.total_mib), str(each.foreign_mib)]
        table.add_row(
            str(each.number), each.node, str(each.idx), escape(each.name), *numbers, ", ".join(each.faults)
        )
    output.console().print(table)


@app.command("gpu")
def change_gpu(
    number: Annotated[int, typer.Argument(help="As `argosy mock list` numbers them.")],
    what: Annotated[What, typer.Argument(help="A fault, memory of somebody else, or all well again.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[VALUE]...",
            help="fault: xid=79 (off the bus), xid=31 (an application's), xid=48 (hardware), hang=60 (seconds a call"
            " takes), nvml=15 (each call answers this). foreign: 20GiB, or 0 to give it back.",
        ),
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Break a stand-in GPU while jobs run on it, or heal it."""
    node, idx = _fleet(home).gpu(number)
    said = values or []
    if what is What.HEAL:
        _none(said, "heal")
        gpus.heal(node, idx)
    elif what is What.FOREIGN:
        if len(said) != 1:
            raise _bad("`foreign` takes one size", "For example 20GiB, 512MiB, or 0.")
        gpus.occupy(node, idx, _mib(said[0]))
    else:
        if not said:
            raise _bad("`fault` takes what is wrong", "For example xid=79, hang=60 or nvml=15.")
        for pair in said:
            _fault(node, idx, pair)
    say(f"GPU {number} ({node.name}, index {idx}): {what} {' '.join(said)}".rstrip())


@app.command("driver")
def change_driver(
    node: Annotated[str, typer.Argument(help="A mock node, for example mock-1.")],
    how: Annotated[Driver, typer.Argument(help="What its driver answers.")],
    *,
    home: Home = None,
) -> None:
    """Let the driver of a node answer nothing and not initialise, or do so again."""
    gpus.break_driver(_fleet(home).node(node), _CODES[how])
    say(f"driver of {node}: {how}")


def _fleet(home: Path | None) -> MockFleet:
    return MockFleet((home or config.home()).expanduser().resolve() / "mock")


def _fault(node: MockNode, idx: int, pair: str) -> None:
    key, _, value = pair.partition("=")
    try:
        if key == "xid":
            gpus.raise_xid(node, idx, int(value))
        elif key == "hang":
            gpus.hang(node, idx, float(value))
        elif key == "nvml":
            gpus.fail(node, idx, int(value))
        else:
            raise _bad(f"no fault {key!r}", "One of xid=NUMBER, hang=SECONDS, nvml=CODE.")
    except ValueError as exc:
        raise _bad(f"{pair!r}: {value!r} is no number", "For example xid=79, hang=60 or nvml=15.") from exc


def _mib(text: str) -> int:
    for unit, size in ((_GIB, 1024), (_MIB, 1), ("", 1)):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.isdigit():
            return int(number) * size
    raise _bad(f"{text!r} is no size", "For example 20GiB, 512MiB, or 0.")


def _none(values: Sequence[str], what: str) -> None:
    if values:
        raise _bad(f"`{what}` takes no value", f"Leave out {' '.join(values)}.")


def _bad(message: str, fix: str) -> ArgosyError:
    return ArgosyError(message, code="bad_mock", field="value", fix=fix)
