"""A tunnel whose first bytes are looked at: nothing of it goes upstream before the site says so."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from eve_proxy.transport.tunnel_watch import ENDED, SERVER_ENDED, SERVER_SPOKE, SILENT, WatchedOpening
from eve_proxy.wire.client_hello import ClientHello, NotTls
from eve_proxy.wire.machine import State
from tests.fakes.client_hello import client_hello, message, records
from tests.transport.bench import Bench, OriginTransport

CONNECT = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"
HELLO = client_hello()


class Watch:
    """A tunnel that was permitted; ``open`` connects its upstream."""

    def __init__(self, early: bytes = b"", *, lenient: bool = False) -> None:
        self.bench = Bench()
        self.origin = OriginTransport()
        self.seen: list[Any] = []
        self.bench.receive(CONNECT + early)
        self.opening: WatchedOpening = self.bench.watch(lenient=lenient)
        self.opening.seen.addCallback(self.seen.append)

    def open(self) -> Watch:
        self.bench.dialler.tunnels[0][1].callback(self.origin)
        return self

    @property
    def state(self) -> State:
        return self.bench.client.machine.state

    @property
    def sent(self) -> bytes:
        """What the origin got."""
        return self.origin.value()


def opened(early: bytes = b"", *, lenient: bool = False) -> Watch:
    return Watch(early, lenient=lenient).open()


def test_the_client_is_told_and_its_bytes_are_held() -> None:
    """The 200 goes out so that the client speaks; the origin gets nothing, however much the client has said."""
    watch = opened()
    assert watch.bench.written == b"200"
    assert watch.state is State.OPENING
    watch.bench.receive(HELLO[:-1])
    assert (watch.seen, watch.sent) == ([], b"")
    watch.bench.receive(HELLO[-1:])
    assert isinstance(watch.seen[0], ClientHello)
    assert (watch.opening.held, watch.sent) == (HELLO, b"")
    assert not watch.origin.reading


def test_what_was_held_goes_first() -> None:
    """After ``carry_on`` the origin gets every byte in order, unchanged, and the client what the origin says."""
    watch = opened()
    for start in range(0, len(HELLO), 50):
        watch.bench.receive(HELLO[start : start + 50])
    watch.opening.carry_on()
    assert watch.state is State.TUNNEL
    assert watch.sent == HELLO
    watch.bench.transport.protocol.dataReceived(b"more")
    assert watch.sent == HELLO + b"more"
    watch.origin.protocol.dataReceived(b"ServerHello")  # type: ignore[attr-defined]
    assert watch.bench.written == b"200ServerHello"
    watch.opening.carry_on()
    watch.opening.sever(b"")
    assert watch.sent == HELLO + b"more"
    assert watch.origin.events == []
    assert watch.bench.outcome.ends == []
    for transport in (watch.bench.transport, watch.origin):
        transport.protocol.connectionLost(Failure(ConnectionDone()))  # type: ignore[attr-defined]
    assert watch.bench.outcome.ends == [("closed", "downstream", len(b"ServerHello"), len(HELLO + b"more"))]


def test_bytes_sent_with_the_connect_are_looked_at_too() -> None:
    """Speaking before the 200 is no way around."""
    watch = opened(HELLO)
    assert isinstance(watch.seen[0], ClientHello)
    assert watch.sent == b""
    watch = opened(b"GET / HTTP/1.1\r\n\r\n")
    assert isinstance(watch.seen[0], NotTls)
    assert watch.sent == b""


def test_more_early_bytes_than_are_read_ahead() -> None:
    """A client that was held up while the tunnel was dialled is read again, to see the rest of its hello."""
    data = records(message(key_share=65_300), 1100)
    watch = Watch(data[:65_700])
    assert watch.bench.transport.producerState == "paused"
    watch.open()
    assert watch.seen == []
    assert watch.bench.transport.producerState == "producing"
    watch.bench.receive(data[65_700:])
    assert isinstance(watch.seen[0], ClientHello)


def test_a_site_that_says_yes_at_once() -> None:
    """The relay may begin while the client's bytes are still being handed over."""
    watch = Watch(HELLO)
    watch.opening.seen.addCallback(lambda _: watch.opening.carry_on())
    watch.open()
    assert watch.sent == HELLO
    assert watch.bench.transport.producerState == "producing"


def test_severed() -> None:
    """Both connections end; the origin has got nothing, the client reads the last word and is not reset."""
    watch = opened()
    watch.bench.receive(HELLO)
    assert watch.bench.transport.producerState == "paused"
    watch.opening.sever(b"alert")
    assert watch.state is State.SEVERING
    assert (watch.sent, watch.origin.events) == (b"", ["abort"])
    assert watch.bench.written == b"200alert"
    assert watch.bench.transport.events == ["half-close"]
    assert watch.bench.transport.producerState == "producing"
    watch.opening.carry_on()
    assert watch.sent == b""
    watch.bench.receive(HELLO)
    assert len(watch.seen) == 1
    assert watch.bench.outcome.ends == [("severed", "proxy", 0, 0)]


def test_nothing_ends_before_the_site_has_spoken() -> None:
    """While the refusal is being written down both connections stay, whatever else the client does meanwhile."""
    watch = opened()
    watch.bench.receive(b"SSH-2.0-x\r\n")
    watch.bench.clock.advance(1000)
    watch.bench.receive(b"more")
    watch.bench.client.readConnectionLost()
    assert len(watch.seen) == 1
    assert (watch.origin.events, watch.bench.transport.events) == ([], [])
    assert watch.state is State.OPENING


@pytest.mark.parametrize("lenient", [False, True])
def test_a_silent_client(lenient: bool) -> None:
    """It has as long as a request head may take, however it trickles."""
    watch = opened(lenient=lenient)
    watch.bench.clock.advance(6)
    watch.bench.receive(HELLO[:50])
    watch.bench.clock.advance(3.9)
    assert watch.seen == []
    watch.bench.clock.advance(0.1)
    assert watch.seen == [SILENT]


@pytest.mark.parametrize("lenient", [False, True])
def test_a_client_that_ends_in_the_middle(lenient: bool) -> None:
    """Half a hello and an end is not a hello."""
    watch = opened(lenient=lenient)
    watch.bench.receive(HELLO[:50])
    watch.bench.client.readConnectionLost()
    assert watch.seen == [ENDED]
    watch.opening.sever(b"alert")
    assert watch.bench.transport.events == ["close"]


def test_a_client_that_ends_after_its_hello() -> None:
    """The end is passed on with the hello."""
    watch = opened()
    watch.opening.seen.addCallback(lambda _: watch.opening.carry_on())
    watch.bench.receive(HELLO)
    watch.bench.transport.protocol.readConnectionLost()
    # Between plain sockets it is a half-close (tests/conformance/test_relays.py).
    assert (watch.sent, watch.origin.events) == (HELLO, ["close"])


@pytest.mark.parametrize("before", [False, True])
def test_a_tunnel_that_is_not_used(before: bool) -> None:
    """A client that opens a tunnel ahead of need and closes it has asked for nothing: nothing is refused."""
    watch = Watch()
    if before:
        watch.bench.client.readConnectionLost()
        watch.open()
    else:
        watch.open()
        watch.bench.client.readConnectionLost()
    assert watch.seen == [None]
    assert watch.bench.outcome.heard == [200]
    assert watch.bench.outcome.ends == [("abandoned", "downstream", 0, 0)]
    assert watch.origin.events == ["abort"]
    assert watch.bench.transport.events == ["close"]
    assert watch.state is State.SEVERING


def test_early_bytes_and_an_end_before_the_tunnel_is_open() -> None:
    """What was sent ahead is looked at even when the client has ended by then."""
    watch = Watch(HELLO[:50])
    watch.bench.client.readConnectionLost()
    watch.open()
    assert watch.seen == [ENDED]


def test_a_client_that_goes_away() -> None:
    """Nobody is there to sever: the origin is let go, and the log has its line."""
    watch = opened()
    watch.bench.receive(HELLO[:50])
    watch.bench.client.connectionLost()
    assert watch.seen == [None]
    assert watch.bench.outcome.heard == [200]
    assert (watch.origin.events, watch.sent) == (["abort"], b"")


def test_a_client_that_goes_away_while_its_refusal_is_written_down() -> None:
    """The origin is let go at once; what the site says later finds nothing to do."""
    watch = opened()
    watch.bench.receive(b"SSH-2.0-x\r\n")
    watch.bench.client.connectionLost()
    assert watch.origin.events == ["abort"]
    watch.opening.sever(b"")
    watch.opening.carry_on()
    assert watch.origin.events == ["abort"]
    assert len(watch.seen) == 1
    assert watch.bench.outcome.heard == []
    assert watch.bench.outcome.ends == [("abandoned", "downstream", 0, 0)]


def test_a_client_that_goes_away_before_there_is_a_tunnel() -> None:
    """Dialling stops, and nobody waits for something to see."""
    watch = Watch()
    watch.bench.client.connectionLost()
    assert watch.seen == [None]
    assert watch.bench.outcome.heard == [("abandoned", "the client went away before the tunnel was open")]
    assert watch.bench.dialler.tunnels[0][1].called


def test_a_client_that_went_away_before_the_decision() -> None:
    """Nobody is dialled."""
    bench = Bench()
    bench.receive(CONNECT)
    bench.client.connectionLost()
    seen: list[Any] = []
    bench.watch().seen.addCallback(seen.append)
    assert seen == [None]
    assert bench.dialler.tunnels == []
    assert bench.outcome.heard == [("abandoned", "the client went away before the decision")]


def test_an_upstream_that_cannot_be_reached() -> None:
    """The 502 is the answer; there is nothing to look at."""
    watch = Watch()
    watch.bench.dialler.tunnels[0][1].errback(Exception("connection refused"))
    assert watch.seen == [None]
    assert watch.bench.written == b"upstream error: connection refused"


def test_a_defect_of_ours_resets_both() -> None:
    """A site that breaks while it judges what was seen leaves no connection behind."""
    watch = opened()
    watch.bench.receive(HELLO)
    watch.bench.client.broken(b"503")
    watch.bench.client.connectionLost()
    assert watch.bench.transport.events == ["abort"]
    assert (watch.origin.events, watch.sent) == (["abort"], b"")
    assert watch.bench.written == b"200"


def test_shutdown_resets_what_is_being_looked_at() -> None:
    """Nothing hangs on a client that says nothing."""
    watch = opened()
    watch.bench.factory.drain()
    assert watch.bench.transport.events == []
    watch.bench.factory.abort_all()
    assert watch.bench.transport.events == ["abort"]


def test_strictly_the_server_is_not_heard() -> None:
    """Before the client has shown what it wants, nothing is read from the origin."""
    assert not opened().origin.reading


def test_leniently_the_server_may_speak_first() -> None:
    """A protocol in which the server begins is not held up; what it said reaches the client first."""
    watch = opened(lenient=True)
    assert watch.origin.reading
    watch.origin.protocol.dataReceived(b"220 ready")  # type: ignore[attr-defined]
    assert watch.seen == [SERVER_SPOKE]
    assert not watch.origin.reading
    watch.opening.carry_on()
    assert watch.bench.written == b"200220 ready"
    watch.bench.transport.protocol.dataReceived(b"EHLO me")
    assert watch.sent == b"EHLO me"


@pytest.mark.parametrize("how", ["readConnectionLost", "connectionLost"])
def test_leniently_the_server_may_end_first(how: str) -> None:
    """Its end is not found out only when the client's time is over."""
    watch = opened(lenient=True)
    getattr(watch.origin.protocol, how)()
    assert watch.seen == [SERVER_ENDED]


def test_leniently_a_client_may_have_nothing_to_say() -> None:
    """A client that ends at once and waits for the server gets what the server says."""
    watch = opened(lenient=True)
    watch.bench.client.readConnectionLost()
    assert watch.seen == [ENDED]
    watch.opening.carry_on()
    assert watch.state is State.TUNNEL
    assert watch.origin.reading


def test_a_server_that_spoke_before_it_was_read() -> None:
    """A parent proxy brings its first words along: kept for a client that begins with its hello, and after it."""
    watch = Watch()
    watch.bench.dialler.heard(b"220 ")
    watch.open()
    watch.bench.dialler.heard(b"ready")
    assert watch.seen == []
    watch.opening.seen.addCallback(lambda _: watch.opening.carry_on())
    watch.bench.receive(HELLO)
    assert watch.bench.written == b"200220 ready"
    assert watch.sent == HELLO


def test_a_server_that_spoke_before_it_was_read_is_not_waited_for() -> None:
    """Where everything is relayed, the relay begins with its words."""
    watch = Watch(lenient=True)
    watch.bench.dialler.heard(b"220 ready")
    watch.opening.seen.addCallback(lambda _: watch.opening.carry_on())
    watch.open()
    assert watch.bench.written == b"200220 ready"
