"""Why a model could not be had from its hub: is the hub away, or is there no such model?"""

from __future__ import annotations

import socket

from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from workloads.failures import chain

_TOO_MANY, _ITS_OWN_FAULT = 429, 500


def is_away(exc: BaseException) -> bool:
    """Whether it may answer the next time: there was no line to it, or it said that it could not."""
    return any(_says_away(link) for link in chain(exc))


def has_network() -> bool:
    """Whether this job was given any beside a loopback of its own."""
    return any(name != "lo" for _, name in socket.if_nameindex())


def _says_away(exc: BaseException) -> bool:
    if isinstance(exc, HfHubHTTPError):
        return exc.response.status_code == _TOO_MANY or exc.response.status_code >= _ITS_OWN_FAULT
    if isinstance(exc, OfflineModeIsEnabled):  # by who runs this host
        return False
    # By name: the hub's library changed from requests over httpx to httpx2, and wraps nothing of it.
    return any(
        base.__name__ in ("TransportError", "ConnectionError", "Timeout") for base in type(exc).__mro__
    )
