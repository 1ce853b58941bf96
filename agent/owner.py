"""The owner of the machine comes first: hours in which jobs may use it, and "give me my GPU now".

What the owner keeps takes no work; what runs there is asked for a checkpoint and handed back, and nobody is blamed.
`python -m agent keep-off` and `let-in` write what the owner wants into a file of the agent's folder: no login to the
fleet is needed, and it holds over restarts and outages.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from agent.devices.health import Fault, Then
from agent.settings import SettingsError

FILE = "owner.json"
GPUS = "gpus.json"
"""Those that the agent of this folder has, for whoever keeps one off: there may be no driver to ask just then."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"(\d\d?):(\d\d)-(\d\d?):(\d\d)")
_WEEK_MIN = 7 * 24 * 60
_YEAR_MIN = 366 * 24 * 60


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the owner wants for itself."""

    gpus: list[int] | None
    """Indexes; None: the whole machine."""
    until: float | None = None
    """UNIX time; None: until it is let in again."""


class Hours:
    """When jobs may use this machine, by its own clock, week by week."""

    def __init__(self, text: str) -> None:
        """Read `mon-fri 19:00-08:00, sat, sun`; empty is always.

        A span that ends before it begins goes on into the next day.

        Raises:
            SettingsError: A part is not days, hours, or both.
        """
        self._always = not text.strip()
        self._spans = [] if self._always else [span for part in text.split(",") for span in _spans(part)]

    def open_at(self, moment: datetime) -> bool:
        """Whether jobs may run then."""
        if self._always:
            return True
        minute = (moment.weekday() * 24 + moment.hour) * 60 + moment.minute
        return any((minute - start) % _WEEK_MIN < length for start, length in self._spans)


def _spans(part: str) -> list[tuple[int, int]]:
    """Start in minutes of the week, and length, of each day's span."""
    wrong = SettingsError(f"hours must be like 'mon-fri 19:00-08:00, sat', got {part.strip()!r}")
    words = part.lower().split()
    days: Sequence[int] = range(7)
    if words and words[0][:1].isalpha():
        first, _, last = words.pop(0).partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise wrong
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        days = [day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)]
    start, length = 0, 24 * 60
    if words:
        found = _SPAN.fullmatch(words.pop(0))
        if found is None:
            raise wrong
        numbers = [int(text) for text in found.groups()]
        start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if max(start, end) > 24 * 60 or max(numbers[1], numbers[3]) > 59:
            raise wrong
        length = (end - start) % (24 * 60) or 24 * 60
    if words or not part.strip():
        raise wrong
    return [(day * 24 * 60 + start, length) for day in days]


class Owner:
    """Asked before every look what is the owner's now."""

    def __init__(self, state_dir: Path, hours: str) -> None:
        self._path = state_dir / FILE
        self._hours = Hours(hours)

    def faults(self, devices: Sequence[int]) -> dict[int, Fault]:
        """The same, as a fault: what runs there is handed back."""
        return {idx: Fault(why, Then.HANDED_BACK) for idx, why in self.keeps(devices).items()}

    def keeps(self, devices: Sequence[int]) -> dict[int, str]:
        """Which of these devices take no work now, and why."""
        now = datetime.now().astimezone()
        if not self._hours.open_at(now):
            return dict.fromkeys(devices, "its owner's hours")
        try:
            wish = read(self._path)
        except SettingsError as exc:
            return dict.fromkeys(devices, str(exc))
        if wish is None or (wish.until is not None and wish.until <= now.timestamp()):
            return {}
        return {idx: "its owner has it" for idx in devices if wish.gpus is None or idx in wish.gpus}


def read(path: Path) -> Wish | None:
    """What the owner wants; None: nothing.

    Raises:
        SettingsError: The file is not one of ours. Then nobody knows what is the owner's, and nothing is given away.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Wish)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as exc:
        raise SettingsError(f"{path} cannot be read: {exc}. Write it anew: python -m agent let-in") from exc


def write(path: Path, wish: Wish | None) -> None:
    """Keep what the owner wants; None: nothing."""
    if wish is None:
        path.unlink(missing_ok=True)
        return
    _replace(path, msgspec.json.encode(wish))


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.chmod(0o644)  # the owner's shell and the agent may be different users
    part.replace(path)


def tell_gpus(state_dir: Path, gpus: Sequence[int]) -> None:
    """Let owners know which GPUs this agent has; written only when that is news."""
    if _gpus(state_dir) != list(gpus):
        _replace(state_dir / GPUS, msgspec.json.encode(list(gpus)))


def _gpus(state_dir: Path) -> list[int] | None:
    """None: no agent has said it here yet."""
    try:
        return msgspec.json.decode((state_dir / GPUS).read_bytes(), type=list[int])
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def main(verb: str, argv: Sequence[str]) -> int:
    """`keep-off` and `let-in`, on the machine itself."""
    parser = argparse.ArgumentParser(prog=f"python -m agent {verb}", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="of the agent whose machine this is")
    if verb == "keep-off":
        parser.add_argument(
            "--gpu",
            type=int,
            action="append",
            help="index, as nvidia-smi counts; again for more; all without",
        )
        parser.add_argument("--for", dest="minutes", type=_minutes, help="minutes; until let-in without")
    said = parser.parse_args(argv)
    try:
        _must_be_folder(said.state_dir)
        wish = _wish(said.state_dir, said.gpu, said.minutes) if verb == "keep-off" else None
        write(said.state_dir / FILE, wish)
    except SettingsError as exc:
        sys.stderr.write(f"agent: {exc}\n")
        return 2
    except OSError as exc:
        sys.stderr.write(f"agent: {exc}; say it as root, or as the user of the agent\n")
        return 2
    sys.stdout.write(_holds(wish) + "\n")
    return 0


def _must_be_folder(state_dir: Path) -> None:
    if not state_dir.is_dir():
        raise SettingsError(f"--state-dir {state_dir} is no folder of an agent")


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes <= _YEAR_MIN:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of minutes, more than 0 and a year ({_YEAR_MIN}) at most"
        )
    return minutes


def _wish(state_dir: Path, gpus: list[int] | None, minutes: float | None) -> Wish:
    known = _gpus(state_dir)
    for idx in gpus or []:
        if idx < 0 or (known is not None and idx not in known):
            has = ", ".join(str(each) for each in known or []) or "none that is known"
            raise SettingsError(f"--gpu {idx}: the agent of this folder has no such GPU; it has {has}")
    return Wish(sorted(set(gpus)) if gpus else None, None if minutes is None else time.time() + 60 * minutes)


def _holds(wish: Wish | None) -> str:
    if wish is None:
        return "Jobs may use the whole machine, in its hours."
    what = "the whole machine" if wish.gpus is None else f"GPU {', '.join(str(idx) for idx in wish.gpus)}"
    if wish.until is None:
        return f"Kept off {what}, until let-in."
    return f"Kept off {what}, until {datetime.fromtimestamp(wish.until).astimezone():%Y-%m-%d %H:%M}."
