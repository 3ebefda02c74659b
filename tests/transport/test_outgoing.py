"""One exchange on its way out: what it passes on, when it tries again, and that it is over when it is over."""

from __future__ import annotations

from typing import Any

import pytest

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.outgoing import OutgoingExchange
from eve_proxy.transport.upstream import Unanswered

DEAD = Unanswered("closed before an answer")
BODY = (b"one", b"two")


class Receiver:
    """Whoever wants the answer."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def informational(self, head: Any) -> None:
        self.told.append(("informational", head))

    def responseStarted(self, head: Any) -> None:
        self.told.append(("started", head))

    def responseWhole(self, head: Any, data: bytes) -> None:
        self.told.append(("whole", head, data))

    def responseData(self, data: bytes) -> None:
        self.told.append(("data", data))

    def flush(self) -> None:
        self.told.append("flush")

    def responseEnded(self, trailers: Any) -> None:
        self.told.append(("ended", trailers))

    def upgraded(self, head: Any, transport: Any, rest: bytes) -> None:
        self.told.append(("upgraded", head, transport, rest))

    def responseFailed(self, error: UpstreamFailed, started: bool) -> None:
        self.told.append(("failed", str(error), started))


class Connection:
    """A connection that writes down what it is asked."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.events: list[str] = []

    def send(self, head: bytes, body: Any, *, method: str, websocket: bool, receiver: Any) -> None:
        self.sent.append((head, tuple(body), method, websocket, receiver))

    def pause(self) -> None:
        self.events.append("pause")

    def resume(self) -> None:
        self.events.append("resume")

    def abort(self) -> None:
        self.events.append("abort")


class Case:
    """An exchange, its receiver, and how often it asked for a fresh connection."""

    def __init__(self, *, retriable: bool = True) -> None:
        self.receiver = Receiver()
        self.redials: list[OutgoingExchange] = []
        self.exchange = OutgoingExchange(
            b"head",
            BODY,
            method="GET",
            websocket=False,
            receiver=self.receiver,
            redial=self.redials.append,
            retriable=retriable,
        )
        self.connection: Any = Connection()

    def on_its_way(self, *, fresh: bool = False) -> Case:
        (self.exchange.connected if fresh else self.exchange.use)(self.connection)
        return self


def test_it_sends_what_it_was_given() -> None:
    """Head, body and method go out unchanged, and the exchange listens itself."""
    case = Case().on_its_way()
    assert case.connection.sent == [(b"head", BODY, "GET", False, case.exchange)]
    assert not case.exchange.over


def test_the_answer_is_passed_on() -> None:
    """The client's side hears everything in order, once."""
    case = Case().on_its_way()
    case.exchange.informational("103")
    case.exchange.responseStarted("200")
    case.exchange.responseData(b"x")
    case.exchange.flush()
    case.exchange.responseEnded(Headers())
    assert case.receiver.told == [
        ("informational", "103"), ("started", "200"), ("data", b"x"), "flush", ("ended", Headers()),
    ]  # fmt: skip
    assert case.exchange.over


def test_a_whole_answer_is_passed_on_and_ends_it() -> None:
    """An answer in one read is told in one call, and the handle is of no more use."""
    case = Case().on_its_way()
    case.exchange.responseWhole("200", b"x")
    assert case.receiver.told == [("whole", "200", b"x")]
    assert case.exchange.over
    case.exchange.responseWhole("200", b"x")
    case.exchange.abort()
    case.exchange.pauseProducing()
    assert (len(case.receiver.told), case.connection.events) == (1, [])


@pytest.mark.parametrize("fresh", [True, False])
def test_a_dead_connection_from_the_pool_is_replaced_once(fresh: bool) -> None:
    """The client does not notice that an idle connection was closed; a second failure is told, whatever it was on."""
    case = Case().on_its_way()
    case.exchange.responseFailed(DEAD, False)
    assert case.redials == [case.exchange]
    assert case.receiver.told == []
    case.on_its_way(fresh=fresh)
    assert case.connection.sent[1] == case.connection.sent[0]
    case.exchange.responseFailed(DEAD, False)
    assert len(case.redials) == 1
    assert case.receiver.told == [("failed", str(DEAD), False)]


def test_a_fresh_connection_is_not_replaced() -> None:
    """An origin that closes at once is not asked a second time."""
    case = Case().on_its_way(fresh=True)
    case.exchange.responseFailed(DEAD, False)
    assert case.redials == []
    assert case.receiver.told == [("failed", str(DEAD), False)]


def test_what_must_not_be_sent_twice_is_not() -> None:
    """A POST on a dead connection is a 502: it may have been carried out."""
    case = Case(retriable=False).on_its_way()
    case.exchange.responseFailed(DEAD, False)
    assert case.redials == []
    assert case.receiver.told == [("failed", str(DEAD), False)]


def test_an_answer_that_broke_off_is_not_repeated() -> None:
    """Once the origin has said something, the client hears of the failure and whether the head had arrived."""
    case = Case().on_its_way()
    case.exchange.responseFailed(UpstreamFailed("reset"), True)
    assert case.redials == []
    assert case.receiver.told == [("failed", "reset", True)]


def test_there_is_no_connection_to_be_had() -> None:
    """A refused connection is a failure before any answer."""
    case = Case()
    case.exchange.fail(UpstreamFailed("connection refused"))
    assert case.receiver.told == [("failed", "connection refused", False)]
    assert case.exchange.over


def test_abort_while_connecting() -> None:
    """A client that leaves stops the dialling; nothing more is heard."""
    case = Case()
    cancelled: list[str] = []
    case.exchange.connecting(lambda: cancelled.append("cancelled"))
    case.exchange.abort()
    case.exchange.abort()
    assert cancelled == ["cancelled"]
    case.exchange.fail(UpstreamFailed("cancelled"))
    assert case.receiver.told == []


@pytest.mark.parametrize("how", ["abort", "stopProducing"])
def test_abort_during_the_answer(how: str) -> None:
    """The connection is reset, and what still arrives goes nowhere."""
    case = Case().on_its_way()
    getattr(case.exchange, how)()
    assert case.connection.events == ["abort"]
    case.exchange.responseStarted("200")
    case.exchange.responseData(b"x")
    case.exchange.informational("103")
    case.exchange.flush()
    case.exchange.responseEnded(Headers())
    case.exchange.responseFailed(UpstreamFailed("reset"), True)
    case.exchange.upgraded("101", "transport", b"")
    assert case.receiver.told == []


def test_a_connection_is_not_reset_after_a_cancelled_dial() -> None:
    """Once connected there is nothing left to cancel."""
    case = Case()
    cancelled: list[str] = []
    case.exchange.connecting(lambda: cancelled.append("cancelled"))
    case.on_its_way(fresh=True)
    case.exchange.abort()
    assert (cancelled, case.connection.events) == ([], ["abort"])


@pytest.mark.parametrize("end", ["ended", "upgraded"])
def test_late_calls_do_not_touch_the_connections_next_user(end: str) -> None:
    """After its end the handle does nothing: the connection serves somebody else by then."""
    case = Case().on_its_way()
    if end == "ended":
        case.exchange.responseEnded(Headers())
    else:
        case.exchange.upgraded("101", "transport", b"rest")
        assert case.receiver.told == [("upgraded", "101", "transport", b"rest")]
    case.exchange.pauseProducing()
    case.exchange.resumeProducing()
    case.exchange.abort()
    assert case.connection.events == []


def test_a_client_that_does_not_read() -> None:
    """Upstream is not read while the client is not, also when the pause comes before the connection."""
    case = Case()
    case.exchange.pauseProducing()
    case.on_its_way(fresh=True)
    assert case.connection.events == ["pause"]
    case.exchange.resumeProducing()
    case.exchange.pauseProducing()
    assert case.connection.events == ["pause", "resume", "pause"]


def test_a_client_that_reads_again_in_time() -> None:
    """A pause that is over before there is a connection does not stop it."""
    case = Case()
    case.exchange.pauseProducing()
    case.exchange.resumeProducing()
    case.on_its_way(fresh=True)
    assert case.connection.events == []
