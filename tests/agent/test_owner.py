"""The owner of the machine comes first: hours, and "give me my GPU now"."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.owner import FILE, Hours, Owner, Wish, main, tell_gpus, write
from agent.settings import SettingsError
from argosy.mock.gpus import MockNode
from queue_schema.shapes import Need
from tests.agent.daemons import Fleet
from tests.agent.test_faults import ON_A_GPU, QUICK, running, shown
from tests.support.waiting import eventually

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of one week; day 0 is its Monday."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("text", "open_at", "shut_at"),
    [
        ("", [at(2, 12)], []),
        ("19:00-08:00", [at(2, 19), at(3, 7, 59), at(0, 0)], [at(2, 8), at(2, 18, 59)]),
        (
            "mon-fri 19:00-08:00, sat, sun",
            [at(5, 12), at(6, 12), at(4, 23), at(0, 20)],
            [at(0, 12), at(0, 8)],
        ),
        ("fri-mon 09:00-10:00", [at(4, 9), at(6, 9, 30), at(0, 9)], [at(1, 9), at(4, 10)]),
        ("sun 22:00-02:00", [at(6, 23), at(0, 1)], [at(0, 2), at(6, 21)]),
        ("00:00-24:00", [at(3, 0), at(3, 23, 59)], []),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, open_at: list[datetime], shut_at: list[datetime]):
    """Days, spans, spans over midnight and over the end of the week."""
    hours = Hours(text)

    assert [moment for moment in open_at if not hours.open_at(moment)] == []
    assert [moment for moment in shut_at if hours.open_at(moment)] == []


@pytest.mark.parametrize(
    "text", ["monday", "mon 9-17", "mon 09:00-25:00", "mon 09:61-10:00", "mon,,tue", "mon x y"]
)
def test_hours_that_cannot_be_read_are_refused(text: str):
    """The error shows what is meant."""
    with pytest.raises(SettingsError, match="hours must be like"):
        Hours(text)


def test_a_wish_holds_until_its_time_or_until_it_is_taken_back(tmp_path: Path):
    """For some GPUs or the whole machine."""
    owner = Owner(tmp_path, "")
    assert owner.keeps([-1, 0, 1]) == {}

    write(tmp_path / FILE, Wish([1]))
    assert owner.keeps([-1, 0, 1]) == {1: "its owner has it"}
    write(tmp_path / FILE, Wish(None, until=0.0))
    assert owner.keeps([-1, 0, 1]) == {}
    write(tmp_path / FILE, Wish(None))
    assert owner.keeps([-1, 0]) == {-1: "its owner has it", 0: "its owner has it"}
    write(tmp_path / FILE, None)
    assert owner.keeps([-1, 0]) == {}


def test_a_wish_nobody_can_read_gives_nothing_away(tmp_path: Path):
    """All devices are kept, and say why."""
    (tmp_path / FILE).write_text("[")

    assert "cannot be read" in Owner(tmp_path, "").keeps([0])[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gpu", "99"], "the agent of this folder has no such GPU; it has 0, 1"),
        (["--gpu", "0", "--gpu", "-1"], "has no such GPU"),
        (["--for", "-5"], "no number of minutes"),
        (["--for", "0"], "no number of minutes"),
        (["--for", "nan"], "no number of minutes"),
        (["--for", "inf"], "no number of minutes"),
        (["--for", "1e300"], "no number of minutes"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(tmp_path: Path, capsys, words: list[str], said: str):
    """It says why, and what held before holds on."""
    tell_gpus(tmp_path, [0, 1])
    write(tmp_path / FILE, Wish([1]))
    try:
        code = main("keep-off", ["--state-dir", str(tmp_path), *words])
    except SystemExit as exc:  # argparse
        code = exc.code

    assert code == 2
    assert said in capsys.readouterr().err
    assert Owner(tmp_path, "").keeps([0, 1]) == {1: "its owner has it"}


def test_what_holds_now_is_said(tmp_path: Path, capsys):
    """A second wish takes the place of the first: whoever says it sees that."""
    folder = ["--state-dir", str(tmp_path)]
    assert (
        main("keep-off", [*folder, "--gpu", "1", "--gpu", "0"]) == 0
    )  # no agent has said yet which there are
    assert capsys.readouterr().out == "Kept off GPU 0, 1, until let-in.\n"
    assert main("keep-off", [*folder, "--for", "90"]) == 0
    assert re.fullmatch(
        r"Kept off the whole machine, until \d{4}-\d\d-\d\d \d\d:\d\d\.\n", capsys.readouterr().out
    )
    assert main("let-in", folder) == 0
    assert capsys.readouterr().out == "Jobs may use the whole machine, in its hours.\n"
    assert Owner(tmp_path, "").keeps([0]) == {}


@pytest.mark.parametrize("folder", ["/proc", "/nowhere"])
def test_a_folder_that_takes_no_wish_is_said_in_a_line(capsys, folder: str):
    """Not even root may write to the first."""
    assert main("keep-off", ["--state-dir", folder]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("agent: ")
    assert folder in line


def say(fleet: Fleet, *words: str) -> None:
    """As the owner, in a shell on the machine."""
    command = [
        sys.executable,
        "-m",
        "agent",
        words[0],
        "--state-dir",
        str(fleet.folder / "state"),
        *words[1:],
    ]
    subprocess.run(command, check=True)


def test_give_me_my_gpu_now(fleet: Fleet, mock: MockNode):
    """The job there is handed back without blame and goes on elsewhere; nothing is claimed for it until it is let in."""
    fleet.agent(*QUICK, "--stop-s", "1", environment=mock.environment)
    job, idx = running(fleet, ON_A_GPU)
    with pytest.raises(subprocess.CalledProcessError):
        say(fleet, "keep-off", "--gpu", "99")
    say(fleet, "keep-off", "--gpu", str(idx))

    eventually(lambda: shown(fleet, idx) == "its owner has it")
    eventually(
        lambda: (
            fleet.one("select not %s = any(devices) from fleet.leases where job_id = %s", idx, job) is True
        )
    )
    ended = fleet.conn.execute(
        "select outcome, message from fleet.attempts where job_id = %s", (job,)
    ).fetchall()
    assert ended == [("released", "its owner has it")]
    assert fleet.one("select retries_used + infra_used from fleet.jobs where job_id = %s", job) == 0
    say(fleet, "let-in")
    eventually(lambda: shown(fleet, idx) is None)


def test_outside_its_hours_a_machine_takes_nothing(fleet: Fleet, mock: MockNode):
    """Not even what needs no GPU; the node says so."""
    today = datetime.now().astimezone()
    other = (today + timedelta(days=3)).strftime("%a")
    fleet.agent(*QUICK, "--hours", f"{other} 00:00-24:00", environment=mock.environment)
    job = fleet.submit("noop", {}, need=Need(gpus=0, ram_mib=64))

    eventually(lambda: [shown(fleet, idx) for idx in (-1, 0, 1)] == ["its owner's hours"] * 3)
    assert fleet.state(job) == "ready"
