"""The listener that has nothing but /metrics."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from eve_proxy.metrics.port import LIFE, MOST, MetricsPort
from tests.integration.sidecar import head_of
from tests.transport.bench import ClientTransport, SlowTransport

KIND = b"text/plain; version=0.0.4; charset=utf-8"


class PortBench:
    """A port whose page repeats what the scraper accepts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.port = MetricsPort(lambda accept: (KIND, b"page for " + accept), clock=self.clock)

    def connect(self, transport: ClientTransport | None = None) -> ClientTransport:
        made = self.port.buildProtocol(None)
        assert made is not None
        transport = transport or ClientTransport()
        transport.protocol = made
        made.makeConnection(transport)
        return transport

    def ask(self, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
        transport = self.connect()
        for piece in pieces:
            transport.protocol.dataReceived(piece)
        assert transport.events == ["half-close"]
        return head_of(transport.value())


def test_a_scrape() -> None:
    """A page, in the format that was asked for, and the end of the connection."""
    status, fields, body = PortBench().ask(b"GET /metrics HTTP/1.1\r\nHost: pod\r\nAccept: text/plain\r\n\r\n")
    assert (status, body) == (200, b"page for text/plain")
    assert (fields["content-type"], fields["connection"]) == (KIND.decode(), "close")


def test_a_scrape_in_pieces_with_a_query() -> None:
    """However it arrives, and whatever a scrape configuration's `params` add."""
    request = b"GET /metrics?x=1 HTTP/1.1\r\nHost: pod\r\n\r\n"
    assert PortBench().ask(*[request[i : i + 1] for i in range(len(request))])[0] == 200


def test_head() -> None:
    """HEAD is answered without a body, with its length."""
    status, fields, body = PortBench().ask(b"HEAD /metrics HTTP/1.1\r\nHost: pod\r\n\r\n")
    assert (status, fields["content-length"], body) == (200, "9", b"")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n", 404),
        (b"GET /readyz HTTP/1.1\r\nHost: pod\r\n\r\n", 404),
        (b"GET /certificates?last=1 HTTP/1.1\r\nHost: pod\r\n\r\n", 404),
        (b"GET http://pod/metrics HTTP/1.1\r\nHost: pod\r\n\r\n", 404),
        (b"CONNECT pod:443 HTTP/1.1\r\nHost: pod\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nHost: pod\r\nContent-Length: 2\r\n\r\n{}", 405),
        (b"\x16\x03\x01garbage\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n", 414),
        (b"GET /metrics HTTP/1.1\r\nHost: pod\r\nX: " + b"x" * 70_000, 431),
    ],
)
def test_nothing_else_is_here(request_: bytes, status: int) -> None:
    """It is no proxy, has no certificates, and bounds what it reads."""
    assert PortBench().ask(request_)[0] == status


def test_one_request_per_connection() -> None:
    """What follows the first request is not looked at."""
    request = b"GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n"
    bench = PortBench()
    transport = bench.connect()
    transport.protocol.dataReceived(request * 2)
    transport.protocol.dataReceived(request)
    assert transport.value().count(b"HTTP/1.1 200") == 1
    garbled = bench.connect()
    garbled.protocol.dataReceived(b"garbage\r\n\r\n")
    garbled.protocol.dataReceived(b"garbage\r\n\r\n")
    assert garbled.value().count(b"HTTP/1.1 400") == 1


def test_a_scraper_that_dawdles_is_cut_off() -> None:
    """Neither one that sends its request slowly, nor one that does not read the page, stays longer than ten seconds."""
    bench = PortBench()
    silent, deaf = bench.connect(), SlowTransport()
    bench.connect(deaf)
    deaf.protocol.dataReceived(b"GET /metrics HTTP/1.1\r\nHost: pod\r\n\r\n")
    bench.clock.advance(LIFE - 1)
    silent.protocol.dataReceived(b"GET /me")
    assert "abort" not in silent.events + deaf.events
    bench.clock.advance(1)
    assert silent.events[-1:] == deaf.events[-1:] == ["abort"]


def test_connections_are_bounded() -> None:
    """A crowd on the port is turned away, and those that leave make room."""
    bench = PortBench()
    crowd = [bench.connect() for _ in range(MOST)]
    assert bench.port.buildProtocol(None) is None
    crowd[0].protocol.connectionLost()
    assert bench.port.buildProtocol(None) is not None
    bench.clock.advance(LIFE)
    assert [transport.events for transport in crowd] == [[], *[["abort"]] * (MOST - 1)]


def test_close() -> None:
    """When the daemon ends nobody is waited for."""
    bench = PortBench()
    transport = bench.connect()
    bench.port.close()
    assert transport.events == ["abort"]
