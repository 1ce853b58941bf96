"""Which addresses webhooks may go to, and that they go to the one that was looked at."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import httpx
import pytest

from scheduler.outside import NotOutside, Outside
from scheduler.settings import SchedulerSettings


class Wire(httpx.AsyncBaseTransport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Say that it was sent."""
        self.sent.append(request)
        return httpx.Response(204)


def post(url: str, *networks: str) -> list[httpx.Request]:
    """Post to a URL; what went out."""
    wire = Wire()

    async def go() -> None:
        outside = Outside(wire, [ipaddress.ip_network(each) for each in networks])
        async with httpx.AsyncClient(transport=outside) as client:
            await client.post(url, content=b"{}")

    asyncio.run(go())
    return wire.sent


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name has these addresses."""

    def resolve(_: str, port: int, **__: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104  # an address, not a binding
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::]",
        "2130706433",
        "0x7f.1",
        "localhost",
    ],
)
def test_the_inside_is_refused(host: str):
    """However it is spelled."""
    with pytest.raises(NotOutside, match="not an address of the internet"):
        post(f"http://{host}/hook")


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Whichever is tried first."""
    names(monkeypatch, "93.184.215.14", "10.0.0.1")
    with pytest.raises(NotOutside, match=r"hooks\.example is 10\.0\.0\.1"):
        post("https://hooks.example/")


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch):
    """TLS and the receiver hear the name; nobody resolves it a second time."""
    names(monkeypatch, "93.184.215.14")
    [sent] = post("https://hooks.example:8443/in?x=1")
    assert str(sent.url) == "https://93.184.215.14:8443/in?x=1"
    assert sent.headers["host"] == "hooks.example:8443"
    assert sent.extensions["sni_hostname"] == "hooks.example"
    assert asyncio.run(sent.aread()) == b"{}"


def test_a_network_that_was_named_may_be_reached():
    """And only that."""
    assert len(post("http://10.1.2.3/", "10.1.0.0/16")) == 1
    with pytest.raises(NotOutside):
        post("http://10.2.2.3/", "10.1.0.0/16")


def test_networks_are_read_from_the_environment():
    """A list; a slip is said with the name of the variable."""
    found = SchedulerSettings.from_environment(
        {"ARGOSY_SCHEDULER_WEBHOOK_NETWORKS": "10.0.0.0/8, fd00::/8"}, "postgresql:///x"
    )
    assert [str(each) for each in found.webhook_networks] == ["10.0.0.0/8", "fd00::/8"]
    with pytest.raises(ValueError, match="ARGOSY_SCHEDULER_WEBHOOK_NETWORKS must be networks"):
        SchedulerSettings.from_environment(
            {"ARGOSY_SCHEDULER_WEBHOOK_NETWORKS": "10.0.0.1/8"}, "postgresql:///x"
        )
