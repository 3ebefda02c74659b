"""The parent proxy: found like the governance host, asked for what was judged."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from twisted.internet.protocol import ClientFactory, Protocol

from eve_proxy.model.authority import parse_authority
from eve_proxy.policy.parent_address import parse_parent_url
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.parent import Parent
from tests.transport.parent_bench import ParentBench

THERE = parse_authority("api.example.com:443", None)


def factory() -> Any:
    return ClientFactory.forProtocol(Protocol)


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (ip_address("93.184.216.34"), b"CONNECT 93.184.216.34:443 HTTP/1.1"),
        (ip_address("2001:db8::1"), b"CONNECT [2001:db8::1]:443 HTTP/1.1"),
        (None, b"CONNECT api.example.com:443 HTTP/1.1"),
    ],
)
def test_what_is_asked_for(target: Any, line: bytes) -> None:
    """By address the name is in none of the bytes; only where there is no address it is told."""
    bench = ParentBench(authorization=b"Basic eA==")
    bench.parent.tunnel(THERE)(target, factory(), 30.0)
    bench.names.answer()
    sent = bench.connect().value()
    assert sent.split(b"\r\n")[0] == line
    assert b"\r\nProxy-Authorization: Basic eA==\r\n" in sent
    assert (b"api.example.com" in sent) is (target is None)


def test_its_own_name_is_looked_up_when_it_is_dialled() -> None:
    """As the operator wrote it, each time; an address needs no lookup."""
    bench = ParentBench()
    assert bench.names.asked == []
    bench.parent.tunnel(THERE)(None, factory(), 30.0)
    assert bench.names.asked == ["proxy.corp.example"]
    assert bench.dialled == []
    bench.names.answer("10.9.9.9")
    assert bench.dialled == [("10.9.9.9", 3128)]
    literal = ParentBench("http://10.9.9.8:8080")
    literal.parent.tunnel(THERE)(None, factory(), 30.0)
    assert (literal.names.asked, literal.dialled) == ([], [("10.9.9.8", 8080)])


def test_to_the_proxy_itself() -> None:
    """For a request that it carries out, nothing is sent ahead."""
    bench = ParentBench("http://10.9.9.8:8080", authorization=b"Basic eA==")
    made: list[Any] = []

    class Made(Protocol):
        def connectionMade(self) -> None:
            made.append(self)

    bench.parent.relay()(None, ClientFactory.forProtocol(Made), 30.0)
    assert bench.connect().value() == b""
    assert len(made) == 1


def test_tls_belongs_to_https() -> None:
    """An https proxy without TLS settings cannot be made, nor an http one with them."""
    for url, tls in (("https://p:1", None), ("http://p:1", object())):
        with pytest.raises(ValueError, match="TLS settings"):
            Parent(
                parse_parent_url(url), variable="X", reactor=None, clock=None, resolver=None, tls=tls,  # type: ignore[arg-type]
                ends=OwnEnds(()),
            )  # fmt: skip


def test_what_to_do_about_a_407() -> None:
    """The words name the file, and differ in whether there is one."""
    assert ParentBench().parent.refusal_of_credentials() == (
        "asks for credentials (status 407); put user:password into EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE"
    )
    shown = ParentBench(authorization=b"Basic eA==").parent.refusal_of_credentials()
    assert shown == "does not accept the credentials in EVE_PROXY_UPSTREAM_PROXY_CREDENTIALS_FILE (status 407)"
