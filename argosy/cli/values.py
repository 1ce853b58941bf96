"""Read what people type: `key=value`, `name=path`, times, files of jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from argosy.client import Client
from argosy.models import Blob
from argosy.spec import After, InputValue, OutputOf


def pair(text: str, option: str) -> tuple[str, str]:
    """`key=value`, cut at the first `=`."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise typer.BadParameter(f"{text!r} is not of the form key=value", param_hint=option)
    return key, value


def value(text: str) -> Any:
    """JSON if it is JSON (`800`, `true`, `[1,2]`, `"800"`), else the text itself."""
    try:
        return json.loads(text, parse_constant=lambda word: word)
    except (ValueError, RecursionError):
        return text


def read_json(path: Path, option: str) -> Any:
    """The JSON in a file; `-` is stdin."""
    try:
        text = typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text("utf-8")
        return json.loads(text)
    except (OSError, ValueError, RecursionError) as exc:
        raise typer.BadParameter(f"{path}: {exc}", param_hint=option) from exc


def params(pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """Parameters from a file, with single ones laid over them."""
    found = {} if file is None else read_json(file, "--params")
    if not isinstance(found, dict):
        raise typer.BadParameter("the file must hold one JSON object", param_hint="--params")
    return {**found, **{key: value(text) for key, text in (pair(each, "-p") for each in pairs)}}


def need(pairs: Sequence[str]) -> dict[str, Any] | None:
    """`vram_mib=8000`, `gpus=2`, `labels.zone=eu`."""
    found: dict[str, Any] = {}
    for key, text in (pair(each, "--need") for each in pairs):
        if key.startswith("labels."):
            found.setdefault("labels", {})[key.removeprefix("labels.")] = text
        else:
            found[key] = value(text)
    return found or None


def inputs(pairs: Sequence[str], client: Client) -> dict[str, InputValue]:
    """`name=path`, `name=sha256:<hash>`, or `name=job:<id>/<output>`."""
    found: dict[str, InputValue] = {}
    for name, text in (pair(each, "--input") for each in pairs):
        if re.fullmatch(r"sha256:[0-9a-f]{64}", text):
            found[name] = Blob(text.removeprefix("sha256:"), -1)
        elif match := re.fullmatch(r"job:([0-9a-fA-F-]{8,36})/(.+)", text):
            found[name] = OutputOf(client.job(match.group(1)), match.group(2))
        else:
            path = Path(text).expanduser()
            if not path.is_file():
                raise typer.BadParameter(f"{path} is no file", param_hint="--input")
            found[name] = path
    return found


def edge(text: str, client: Client) -> After:
    """`id`, `id:failed` or `id:ended`."""
    job_id, separator, when = text.partition(":")
    if separator and when not in ("succeeded", "failed", "ended"):
        raise typer.BadParameter(f"{when!r} is not succeeded, failed or ended", param_hint="--after")
    return After(client.job(job_id), when or "succeeded")


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_s(text: str | None, option: str) -> float | None:
    """`90s`, `15m`, `2h` or `3d`, in seconds."""
    if text is None:
        return None
    if match := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return float(match.group(1)) * _UNITS_S[match.group(2)]
    raise typer.BadParameter(f"{text!r} is no time span like 90s, 15m, 2h or 3d", param_hint=option)


def moment(text: str | None, option: str) -> datetime | None:
    """An ISO time; without a zone it is meant as this machine's."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.astimezone()
    except (ValueError, OverflowError) as exc:  # the first and the last year have zones where it is another
        raise typer.BadParameter(f"{text!r} is no time like 2030-12-31T18:00", param_hint=option) from exc


def jobs(path: Path) -> list[dict[str, Any]]:
    """Jobs from a file: a list, an object with `jobs`, or one job."""
    found = read_json(path, "--file")
    if isinstance(found, dict) and set(found) == {"jobs"}:
        found = found["jobs"]
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise typer.BadParameter("the file must hold a list of jobs", param_hint="--file")
    return found


def batch(path: Path, upload: Callable[[Path], Blob]) -> list[dict[str, Any]]:
    """Jobs from a file, to be submitted: `{"path": "x"}` as an input is uploaded."""
    found = jobs(path)
    for job in found:
        listed = job.get("inputs")
        if not isinstance(listed, dict):
            continue
        for name, given in listed.items():
            if isinstance(given, dict) and isinstance(given.get("path"), str):
                # Relative to the file, so that a workflow can be run from anywhere.
                local = (Path() if str(path) == "-" else path.parent) / Path(given["path"]).expanduser()
                listed[name] = {"sha256": upload(local).sha256}
    return found
