"""The permit says which way, and no way is taken for another."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from typing import Any

import pytest

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.decision import Mode, Permit, Ticket
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.transport.dialler import Dialler, WrongWay
from eve_proxy.transport.diallers import PARENT_STAGGER, Diallers
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.pool import Pool
from tests.transport.parent_bench import NAME, OPEN, PREFIX, ParentBench, says
from tests.transport.test_dialler import HEAD, OK, Receiver
from tests.transport.test_dialler import permit as direct

ABSOLUTE = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"
PARENT = ("10.9.9.9", 3128)


def permit(*addresses: str, host: str = "a.example", mode: Mode = Mode.FORWARD) -> Permit:
    return Permit(
        authority=parse_authority(host, 80),
        addresses=tuple(map(ip_address, addresses)),
        mode=mode,
        certificate_id="cert_0",
        ticket=Ticket(),
        via=NAME,
    )


class Case(ParentBench):
    """All three, on a reactor in memory."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        make = partial(Dialler, reactor=self.reactor, clock=self.reactor, timeout=30.0, ends=self.parent.ends)
        self.diallers = Diallers(self.parent, lambda **way: make(pool=Pool(), **way))

    def exchange(self, given: Permit, head: bytes = HEAD, method: str = "GET") -> Receiver:
        receiver = Receiver()
        self.diallers.exchange(given, head, (), method=method, receiver=receiver)
        return receiver

    def through(self, given: Permit) -> tuple[Receiver, Any]:
        receiver = self.exchange(given)
        self.names.answer()
        transport = self.connect()
        transport.clear()
        says(transport, OPEN)
        return receiver, transport


def test_directly() -> None:
    """What the permit does not send through the parent goes to its address, and nobody looks the parent up."""
    case = Case()
    case.exchange(direct())
    assert case.dialled == [("192.0.2.1", 80)]
    assert case.names.asked == []
    assert case.connect().value() == HEAD


def test_through_the_parent() -> None:
    """The judged address is asked for; what was serialised goes inside, and the answer comes back."""
    case = Case()
    given = permit("192.0.2.1")
    receiver = case.exchange(given)
    case.names.answer()
    assert case.dialled == [PARENT]
    transport = case.connect()
    assert transport.value() == b"CONNECT 192.0.2.1:80 HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n"
    transport.clear()
    says(transport, OPEN)
    assert transport.value() == HEAD
    says(transport, OK)
    assert receiver.told == [("started", 200), ("ended",)]
    assert (case.diallers.counts.dialled, case.diallers.counts.reused) == (1, 0)
    assert given.ticket.dialled == ip_address("192.0.2.1")


def test_a_connection_is_used_again_only_for_what_it_leads_to() -> None:
    """Same authority and address: the open tunnel. Another one of either, or another way: a new connection."""
    case = Case()
    _, transport = case.through(permit("192.0.2.1"))
    says(transport, OK)
    transport.clear()
    case.exchange(permit("192.0.2.1"))
    assert transport.value() == HEAD
    says(transport, OK)
    transport.clear()
    for other in (
        permit("192.0.2.2"),
        permit("192.0.2.1", host="b.example"),
        permit("192.0.2.1", host="a.example:8080"),
        permit(),
        permit(mode=Mode.RELAYED),
        direct("a.example", "192.0.2.1"),
    ):
        case.exchange(other)
    assert transport.value() == b""


def test_by_name_in_a_tunnel_and_by_absolute_form_do_not_mix() -> None:
    """A tunnel by name and a connection to the proxy itself lead to the same name; credentials stand on one only."""
    case = Case(authorization=b"Basic eA==")
    _, tunnel = case.through(permit(mode=Mode.UPGRADE))
    says(tunnel, OK)  # no upgrade after all: an idle tunnel to the origin
    tunnel.clear()
    case.exchange(permit(mode=Mode.RELAYED), ABSOLUTE)
    assert tunnel.value() == b""
    case.names.answer()
    relayed = case.connect()
    assert relayed.value() == ABSOLUTE[:-2] + b"Proxy-Authorization: Basic eA==\r\n\r\n"
    says(relayed, OK)
    relayed.clear()
    case.exchange(permit(mode=Mode.UPGRADE))
    assert relayed.value() == b""
    assert b"roxy-" not in tunnel.value()


def test_addresses_in_order_within_one_time() -> None:
    """A refusal goes on to the next address at once; silence after a second; the last failure is told."""
    case = Case()
    receiver = case.exchange(permit("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    case.names.answer()
    first = case.connect()
    says(first, b"HTTP/1.1 503 No\r\n\r\n")
    case.names.answer()
    second = case.connect()
    assert second.value().startswith(b"CONNECT 192.0.2.2:80 ")
    case.reactor.advance(PARENT_STAGGER)
    case.names.answer()
    third = case.connect()
    assert third.value().startswith(b"CONNECT 192.0.2.3:80 ")
    says(second, b"HTTP/1.1 403 No\r\n\r\n")
    assert receiver.told == []
    case.reactor.advance(30)
    assert receiver.told[0][0] == "failed"
    assert "timed out" in receiver.told[0][1]
    assert third.aborting
    assert case.dialled == [PARENT] * 3


def test_no_other_address_when_the_parent_itself_fails() -> None:
    """It is down, or does not know us: asking it again would be knocking at a closed door."""
    for fail in (lambda case: case.refuse(), lambda case: says(case.connect(), b"HTTP/1.1 407 No\r\n\r\n")):
        case = Case()
        receiver = case.exchange(permit("192.0.2.1", "192.0.2.2"))
        case.names.answer()
        fail(case)
        ((kind, text, _),) = receiver.told
        assert kind == "failed"
        assert text.startswith(PREFIX)
        assert len(case.names.asked) == 1
        assert case.dialled == [PARENT]  # never the destination


def test_a_dead_connection_is_dialled_again_once() -> None:
    """A tunnel that died while idle costs no idempotent request."""
    case = Case()
    _, transport = case.through(permit("192.0.2.1"))
    says(transport, OK)
    receiver = case.exchange(permit("192.0.2.1"))
    case.closed(transport)
    case.names.answer()
    again = case.connect()
    says(again, OPEN)
    says(again, OK)
    assert receiver.told == [("started", 200), ("ended",)]


def test_a_tunnel() -> None:
    """Its transport is given away, not reading, with what came along."""
    case = Case()
    heard: list[bytes] = []
    result = case.diallers.tunnel(permit("192.0.2.1", mode=Mode.TUNNEL), heard.append)
    case.names.answer()
    transport = case.connect()
    says(transport, OPEN + b"220 ready")
    got: list[Any] = []
    result.addCallback(got.append)
    assert got == [transport]
    assert heard == [b"220 ready"]
    assert transport.producerState == "paused"


def test_a_tunnel_that_is_cancelled() -> None:
    """Nobody waits: the connection to the parent is reset."""
    case = Case()
    result = case.diallers.tunnel(permit("192.0.2.1", mode=Mode.TUNNEL), bytes)
    result.addErrback(lambda _: None)
    case.names.answer()
    transport = case.connect()
    result.cancel()
    assert transport.aborting


def test_our_own_connections() -> None:
    """Whichever way they go."""
    case = Case()
    case.exchange(direct())
    case.connect(port=40001)
    case.through(permit("192.0.2.1"))
    assert case.diallers.is_own(("10.0.0.1", 40001), ("192.0.2.1", 80))
    assert case.diallers.is_own(("10.0.0.1", 40000), PARENT)
    assert not case.diallers.is_own(("10.0.0.1", 40002), PARENT)


def test_stopping() -> None:
    """What is under way fails, and what is asked for later."""
    case = Case()
    waiting = [case.exchange(permit("192.0.2.1")), case.exchange(direct()), case.exchange(permit(mode=Mode.RELAYED))]
    case.diallers.close()
    waiting.append(case.exchange(permit("192.0.2.1")))
    assert all("shutting down" in receiver.told[0][1] for receiver in waiting)


@pytest.mark.parametrize("via", [NAME, "other.example:1"])
def test_a_permit_for_another_way_dials_nothing(via: str) -> None:
    """A dialler that went around the parent, or through another one, would be a defect; it stops here."""
    case = Case()
    plain = Dialler(reactor=case.reactor, pool=Pool(), clock=case.reactor, timeout=30.0, ends=OwnEnds(()))
    with pytest.raises(WrongWay):
        plain.exchange(replace(permit("192.0.2.1"), via=via), HEAD, (), method="GET", receiver=Receiver())
    with pytest.raises(WrongWay):
        plain.exchange(replace(permit(), via=None), HEAD, (), method="GET", receiver=Receiver())
    with pytest.raises(WrongWay):
        case.exchange(replace(permit("192.0.2.1"), via="other.example:1"))
    assert case.dialled == []


def test_failures_are_upstream_failures() -> None:
    """A tunnel's errback carries what becomes the 502."""
    case = Case()
    failures: list[Any] = []
    case.diallers.tunnel(permit("192.0.2.1", mode=Mode.TUNNEL), bytes).addErrback(failures.append)
    case.names.answer()
    case.refuse()
    failures[0].trap(UpstreamFailed)
    assert failures[0].getErrorMessage() == PREFIX + "connection refused"
