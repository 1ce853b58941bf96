"""Where the fleet is and which key to use: arguments, then the environment, then the file `argosy up` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from argosy.errors import NotConfigured


@dataclass(frozen=True, slots=True)
class Target:
    """A fleet and a key for it."""

    url: str
    api_key: str = field(repr=False)


def home(environ: Mapping[str, str] | None = None) -> Path:
    """The folder for what this user keeps: ARGOSY_HOME, or ~/.argosy; /var/lib/argosy for root.

    PostgreSQL never runs as root, and its own user could not enter root's home unless that were opened to all.
    """
    said = (os.environ if environ is None else environ).get("ARGOSY_HOME")
    if said:
        return Path(said).expanduser()
    return Path("/var/lib/argosy") if os.geteuid() == 0 else Path.home() / ".argosy"


def find(
    url: str | None = None, api_key: str | None = None, *, environ: Mapping[str, str] | None = None
) -> Target:
    """The fleet to talk to.

    A key from the file goes only to the address in the same file: it must not be sent to a stranger.

    Raises:
        NotConfigured: The address or the key is nowhere to be found.
    """
    environ = os.environ if environ is None else environ
    path = home(environ) / "client.json"
    kept = _read(path)
    found_url = url or environ.get("ARGOSY_URL") or kept.get("url")
    if not found_url:
        raise NotConfigured(
            "no fleet to talk to",
            code="not_configured",
            field="url",
            fix="Set ARGOSY_URL and ARGOSY_API_KEY, or start a fleet on this machine with `argosy up`.",
        )
    if not found_url.startswith(("http://", "https://")):
        raise NotConfigured(
            f"{found_url!r} is no address", code="not_configured", field="url", fix="Write https://host."
        )
    found_url = found_url.rstrip("/")
    found_key = api_key or environ.get("ARGOSY_API_KEY")
    if not found_key and found_url == kept.get("url", "").rstrip("/"):
        found_key = kept.get("api_key")
    if not found_key:
        raise NotConfigured(
            f"no API key for {found_url}",
            code="not_configured",
            field="api_key",
            fix="Set ARGOSY_API_KEY; `argosy key create` on the server makes one.",
        )
    if not found_key.isascii() or not found_key.isprintable():
        raise NotConfigured(
            "the API key has characters no key has",
            code="not_configured",
            field="api_key",
            fix="Copy it again.",
        )
    return Target(found_url, found_key)


def _read(path: Path) -> dict[str, str]:
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise NotConfigured(
            f"{path} cannot be read: {exc}", code="not_configured", fix="Correct it, or remove it."
        ) from exc
    return kept if isinstance(kept, dict) else {}
