"""One way through the parent proxy: to a connected transport, or to a failure that says whose it was."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.errors import ResolveFailed, UpstreamFailed
from eve_proxy.transport.racing import NoOtherWay
from eve_proxy.transport.tunnel_end import TunnelEnd
from tests.transport.parent_bench import NAME, OPEN, PREFIX, ParentBench, says

THERE = parse_authority("api.example.com:443", None)
ADDRESS = ip_address("93.184.216.34")


class Hearing(Protocol):
    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def connectionMade(self) -> None:
        self.heard.append(b"|")

    def dataReceived(self, data: bytes) -> None:
        self.heard.append(data)


class Attempt:
    """Whoever races: remembers what it is told."""

    def __init__(self, build: Any = Hearing) -> None:
        self.build = build
        self.built: list[Any] = []
        self.failures: list[Exception] = []
        self.ended = 0

    def buildProtocol(self, _: Any) -> Any:
        self.built.append(self.build())
        return self.built[-1]

    def clientConnectionFailed(self, _: Any, reason: Any) -> None:
        self.failures.append(reason.value)

    def clientConnectionLost(self, _connector: Any, _reason: Any) -> None:
        self.ended += 1


class Case(ParentBench):
    """A way that is being made."""

    def __init__(self, attempt: Attempt | None = None, timeout: float = 30.0, **more: Any) -> None:
        super().__init__(**more)
        self.attempt = attempt or Attempt()
        self.crossing = self.parent.tunnel(THERE)(ADDRESS, self.attempt, timeout)  # type: ignore[arg-type]

    def there(self) -> Any:
        """Looked up and connected."""
        self.names.answer()
        return self.connect()

    @property
    def failure(self) -> str:
        (failure,) = self.attempt.failures
        assert isinstance(failure, UpstreamFailed)
        assert str(failure).startswith(PREFIX)
        return str(failure).removeprefix(PREFIX)

    @property
    def final(self) -> bool:
        return isinstance(self.attempt.failures[0], NoOtherWay)

    def at_rest(self) -> bool:
        """No timer is left."""
        return not self.reactor.getDelayedCalls()


def test_through() -> None:
    """The connection belongs to whoever asked, and no timer goes on."""
    case = Case()
    transport = case.there()
    says(transport, OPEN[:20])
    assert case.attempt.built == []
    says(transport, OPEN[20:])
    (protocol,) = case.attempt.built
    assert transport.protocol is protocol
    says(transport, b"hello")
    assert protocol.heard == [b"|", b"hello"]
    assert case.at_rest()
    assert case.attempt.failures == []


@pytest.mark.parametrize("status", [200, 204, 299])
def test_any_2xx_opens(status: int) -> None:
    """RFC 9110 section 9.3.6."""
    case = Case()
    says(case.there(), b"HTTP/1.1 %d Fine\r\n\r\n" % status)
    assert len(case.attempt.built) == 1


def test_what_came_along_is_the_tunnels() -> None:
    """Bytes right behind the 200 reach the next protocol, in order, as if they had come a moment later."""
    case = Case()
    transport = case.there()
    says(transport, OPEN + b"220 ")
    says(transport, b"ready")
    assert case.attempt.built[0].heard == [b"|", b"220 ", b"ready"]


def test_what_came_along_before_a_transport_is_given_away() -> None:
    """A tunnel's end hears it first: afterwards the transport is somebody else's."""
    told: list[Any] = []
    case = Case(Attempt(lambda: TunnelEnd(lambda _: told.append("given"), told.append)))
    says(case.there(), OPEN + b"220 ready")
    assert told == [b"220 ready", "given"]


@pytest.mark.parametrize(
    ("data", "says_", "final"),
    [
        (b"HTTP/1.1 403 No\r\n\r\n<page>", "refused CONNECT with status 403", False),
        (b"HTTP/1.1 503 No\r\n\r\n", "refused CONNECT with status 503", False),
        (b"HTTP/1.1 302 Go\r\nLocation: http://evil.example/\r\n\r\n", "refused CONNECT with status 302", False),
        (b"HTTP/1.1 407 No\r\n\r\n", "asks for credentials (status 407)", True),
        (b"SSH-2.0-x\r\n\r\n", "its answer to CONNECT is malformed", True),
    ],
)
def test_a_refusal(data: bytes, says_: str, final: bool) -> None:
    """Its words end here; another address is tried only where that can help, and a password is shown once."""
    case = Case()
    transport = case.there()
    says(transport, data)
    assert case.failure.startswith(says_)
    assert case.final is final
    assert transport.aborting
    assert case.attempt.built == []
    assert case.at_rest()


def test_a_name_that_nobody_knows() -> None:
    """The text says which name, and that no other address would help."""
    case = Case()
    case.names.answers[0].errback(ResolveFailed("proxy.corp.example: no such name"))
    assert (case.failure, case.final) == ("proxy.corp.example: no such name", True)
    assert case.at_rest()


def test_nobody_listens() -> None:
    """Each of its addresses is tried, and then nobody goes around it."""
    case = Case()
    case.names.answer("10.9.9.8", "10.9.9.9")
    case.refuse()
    assert case.attempt.failures == []
    case.refuse()
    assert case.dialled == [("10.9.9.8", 3128), ("10.9.9.9", 3128)]
    assert (case.failure, case.final) == ("connection refused", True)


@pytest.mark.parametrize(
    ("why", "said", "final"),
    [
        (ConnectionDone(), "closed the connection before it answered CONNECT", False),
        (SSL.Error([("", "", "certificate verify failed")]), "TLS certificate not verified", True),
    ],
)
def test_it_closes(why: Exception, said: str, final: bool) -> None:
    """Before its answer is complete, nothing was opened."""
    case = Case()
    transport = case.there()
    says(transport, b"HTTP/1.1 200 Con")
    case.closed(transport, why=why)
    assert (case.failure, case.final) == (said, final)
    assert case.attempt.ended == 0


@pytest.mark.parametrize("stage", ["lookup", "connect", "answer"])
def test_it_hangs(stage: str) -> None:
    """One time for all of it, wherever it hangs; nothing goes on afterwards."""
    case = Case(timeout=29.999991)
    transport = None
    if stage != "lookup":
        case.names.answer()
    if stage == "answer":
        transport = case.connect()
    case.reactor.advance(29.9)
    assert case.attempt.failures == []
    case.reactor.advance(0.1)
    assert case.failure == "timed out after 30 s"
    assert transport is None or transport.aborting
    if stage == "lookup":
        assert case.names.answers[0].called  # cancelled


def test_nobody_wants_it_any_more() -> None:
    """Whoever asked hears nothing, and the connection is reset."""
    for stage in range(3):
        case = Case()
        transport = None
        if stage:
            case.names.answer()
        if stage == 2:
            transport = case.connect()
        case.crossing.disconnect()
        assert transport is None or transport.aborting
        assert case.attempt.failures == []
        assert case.at_rest()


def test_it_is_this_proxy() -> None:
    """A name that leads to one of our own ports is found before a byte is sent."""
    case = Case()
    case.names.answer("10.0.0.1")
    transport = case.connect(here="10.0.0.1")
    assert transport.value() == b""
    assert transport.aborting
    assert (case.failure, case.final) == ("EVE_PROXY_UPSTREAM_PROXY leads to this proxy itself", True)


def test_our_connection_to_it_is_known_as_ours() -> None:
    """From the moment it is made until it has closed, so that one that comes back to us is reset."""
    case = Case()
    transport = case.there()
    ours, theirs = ("10.0.0.1", 40000), ("10.9.9.9", 3128)
    assert case.parent.ends.is_own(ours, theirs)
    says(transport, OPEN)
    assert case.parent.ends.is_own(ours, theirs)
    case.closed(transport)
    assert not case.parent.ends.is_own(ours, theirs)
    assert case.attempt.ended == 1


def test_its_name() -> None:
    """What stands in messages is what stands in evidence."""
    assert Case().parent.name == NAME
