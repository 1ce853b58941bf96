"""Where webhooks may go: to the internet, and to networks that somebody named; never, by a clever name, to the inside.

A name is resolved once, every address it has is looked at, and the connection goes to the address that was looked at: a
name that answers differently a moment later (DNS rebinding) gains nothing. TLS still speaks to the name.
"""

from __future__ import annotations

import ipaddress
import math
import socket
from collections.abc import Sequence
from functools import partial

import anyio
import anyio.to_thread
import httpx

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""An IPv4 address is inside (RFC 6052)."""


class NotOutside(httpx.TransportError):
    """The host is, or may be, inside."""


class Outside(httpx.AsyncBaseTransport):
    """Passes on requests to where they may go, and refuses the others; a redirect that is followed comes by here, too."""

    def __init__(self, inner: httpx.AsyncBaseTransport, allowed: Sequence[Network]) -> None:
        """Build it.

        Args:
            inner: Makes the connection.
            allowed: Networks that are not the internet, and may be reached all the same.
        """
        self._inner = inner
        self._allowed = list(allowed)
        # Names that take long must not keep other look-ups waiting; there is one at most for each request.
        self._look_ups = anyio.CapacityLimiter(math.inf)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it to an address that was looked at.

        Raises:
            NotOutside: One of its addresses is inside.
            httpx.ConnectError: The name has none.
        """
        url = request.url
        address = await self._checked(url.host, url.port or {"https": 443}.get(url.scheme, 80))
        pinned = httpx.Request(
            request.method,
            url.copy_with(host=str(address)),
            headers=request.headers,  # with the Host that was meant
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": url.host},
        )
        return await self._inner.handle_async_request(pinned)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _checked(self, host: str, port: int) -> Address:
        try:
            # A thread of anyio's: asyncio would take one of those in which chores run.
            found = await anyio.to_thread.run_sync(
                partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM),
                abandon_on_cancel=True,
                limiter=self._look_ups,
            )
        except (OSError, UnicodeError) as exc:
            raise httpx.ConnectError(f"{host}: {exc}") from exc
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        for address in addresses:
            if not self._may(address):
                raise NotOutside(
                    f"{host} is {address}, which is not an address of the internet; "
                    "ARGOSY_SCHEDULER_WEBHOOK_NETWORKS names networks that may be reached all the same"
                )
        return addresses[0]

    def _may(self, address: Address) -> bool:
        meant = _meant(address)
        return any(meant in network for network in self._allowed) or (
            meant.is_global and not meant.is_multicast
        )


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
