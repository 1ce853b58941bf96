"""What every answer says to browsers: this is data, not a page of ours to be shown, framed or guessed at."""

from __future__ import annotations

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_DATA = "default-src 'none'; frame-ancestors 'none'; sandbox"
_DOCUMENTATION = "/schema"
"""Pages that have scripts of their own."""


async def harden(message: Message, scope: Scope) -> None:
    """Add them, errors included, where the route has not said otherwise."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if not scope["path"].startswith(_DOCUMENTATION):
        headers.setdefault("Content-Security-Policy", _DATA)
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
