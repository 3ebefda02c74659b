"""Conversations with a client connection."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from eve_proxy.model.body import Body
from eve_proxy.model.decision import Mode
from eve_proxy.model.errors import BodyInterrupted, BodyTooLarge
from eve_proxy.wire.machine import State
from tests.transport.bench import Bench, OriginTransport, permit_of

GET = b"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST http://a.example/x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
CONNECT = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"


def test_request_reaches_the_site_with_its_body() -> None:
    """A request in one segment is decided with its body already there."""
    bench = Bench()
    bodies: list[Any] = []
    bench.site.script = lambda client, _: Deferred.fromCoroutine(client.body.read()).addCallback(bodies.append)
    bench.receive(POST + b"hello")
    assert len(bench.site.begun) == 1
    assert bodies[0].content == b"hello"


def test_answers_are_not_held_back() -> None:
    """Nagle's algorithm is off: the last small piece of an answer does not wait for the client's acknowledgement."""
    assert Bench().transport.nodelay is True


def test_nothing_is_dialled_before_the_site_says_so() -> None:
    """Bytes from a client alone never reach an upstream (law 1)."""
    bench = Bench()
    bench.receive(POST + b"hello")
    bench.receive(GET)
    assert bench.dialler.sent == []
    assert bench.client.machine.state is State.JUDGING


def test_forward_sends_our_serialisation() -> None:
    """Upstream gets origin-form from our values, with the body in one go."""
    bench = Bench()
    bench.receive(POST + b"hello")
    bench.forward()
    ((_, head, body),) = bench.dialler.sent
    assert head.startswith(b"POST /x HTTP/1.1\r\nHost: a.example\r\n")
    assert b"Content-Length: 5\r\n" in head
    assert body == b"hello"
    assert bench.client.machine.state is State.DIALING


def test_head_in_pieces_and_slow() -> None:
    """A client that does not finish its head is told so after ten seconds."""
    bench = Bench()
    bench.receive(GET[:10])
    bench.clock.advance(9)
    bench.receive(GET[10:12])
    bench.clock.advance(0.5)
    assert bench.written == b""
    bench.clock.advance(0.5)
    assert bench.written == b"malformed 408 slow-head"
    assert bench.transport.events == ["half-close"]


def test_silent_connection_is_closed() -> None:
    """A connection on which nothing is ever sent does not stay."""
    bench = Bench()
    bench.clock.advance(10)
    assert bench.transport.events == ["close"]


@pytest.mark.parametrize("gap", [True, False])
def test_slow_body(gap: bool) -> None:
    """A body may pause 30 s at most, and dribble two minutes at most."""
    bench = Bench()
    results: list[Any] = []
    bench.site.script = lambda client, _: Deferred.fromCoroutine(client.body.read()).addErrback(results.append)
    bench.receive(POST.replace(b"5", b"900"))
    if gap:
        bench.clock.advance(30)
    else:
        for _ in range(12):
            assert bench.written == b""
            bench.clock.advance(10.01)
            bench.receive(b"x")
    assert bench.written == b"malformed 408 slow-body"
    assert len(results) == 1
    assert bench.account.held == 0


def test_no_timer_runs_against_the_judge() -> None:
    """While the governor thinks, the connection waits for the pipeline's own deadline."""
    bench = Bench()
    bench.receive(GET)
    bench.clock.advance(600)
    assert bench.transport.events == []


def test_malformed_severs_without_destroying_the_answer() -> None:
    """A 400 is written, our side closed, input discarded, and the rest closed after the linger."""
    bench = Bench()
    bench.receive(b"GET / HTTP/1.1\nHost: a\n\n")
    bench.receive(b"more garbage\r\n\r\n" * 100)
    assert bench.written.startswith(b"malformed 400")
    assert bench.transport.events == ["half-close"]
    bench.clock.advance(5)
    assert bench.transport.events == ["half-close", "close"]
    assert bench.site.begun == []


def test_severed_connection_closes_when_the_peer_does() -> None:
    """A client that closes after the 451 ends the connection at once."""
    bench = Bench()
    bench.receive(GET)
    bench.client.answer(b"451", keep=False)
    assert bench.transport.events == ["half-close"]
    bench.client.readConnectionLost()
    assert bench.transport.events == ["half-close", "close"]


def test_pipelined_requests_are_decided_one_at_a_time() -> None:
    """The second of two requests in one segment waits for the first one's answer."""
    bench = Bench()
    bench.receive(GET + GET.replace(b"/x", b"/y"))
    assert [head.request.target for head in bench.site.begun] == [b"/x"]
    bench.client.answer(b"one", keep=True)
    assert [head.request.target for head in bench.site.begun] == [b"/x", b"/y"]
    bench.client.answer(b"two", keep=True)
    assert bench.written == b"onetwo"
    assert bench.client.machine.state is State.IDLE


def test_blocked_pipelined_request_ends_the_connection() -> None:
    """What follows a veto on the same connection is never looked at."""
    bench = Bench()
    bench.receive(GET + GET)
    bench.client.answer(b"451", keep=False)
    bench.receive(GET)
    assert len(bench.site.begun) == 1
    assert bench.transport.events == ["half-close"]


def test_client_that_sends_far_ahead_is_no_longer_read() -> None:
    """Pipelined bytes beyond 64 KiB wait in the client's kernel, and are read again later."""
    bench = Bench()
    bench.receive(GET)
    bench.receive(b"GET http://a.example/" + b"z" * 70_000)
    assert bench.transport.producerState == "paused"
    bench.client.answer(b"ok", keep=True)
    assert bench.transport.producerState == "producing"


def test_idle_connection_is_closed_after_a_minute() -> None:
    """Keep-alive does not mean for ever."""
    bench = Bench()
    bench.receive(GET)
    bench.client.answer(b"ok", keep=True)
    bench.clock.advance(59)
    assert bench.transport.events == []
    bench.clock.advance(1)
    assert bench.transport.events == ["close"]


def test_connection_close_is_honoured() -> None:
    """A client that asked for close gets it after its answer."""
    bench = Bench()
    bench.receive(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    bench.client.answer(b"ok", keep=True)
    assert bench.transport.events == ["half-close"]


def test_expectation_is_met_when_the_judge_asks() -> None:
    """100 Continue is sent only once the body is wanted."""
    bench = Bench()
    bench.receive(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert bench.written == b""
    Deferred.fromCoroutine(bench.client.body.read())
    assert bench.written == b"HTTP/1.1 100 Continue\r\n\r\n"


def test_declared_body_over_the_limit_is_refused_unread() -> None:
    """A huge Content-Length is not invited."""
    bench = Bench()
    failures: list[Any] = []
    bench.receive(POST.replace(b"5", b"1001").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    Deferred.fromCoroutine(bench.client.body.read()).addErrback(failures.append)
    assert failures[0].check(BodyTooLarge)
    assert bench.written == b""


def test_client_that_leaves_mid_body_is_told_to_the_judge() -> None:
    """Half a body is never judged, let alone sent."""
    bench = Bench()
    failures: list[Any] = []
    bench.site.script = lambda client, _: Deferred.fromCoroutine(client.body.read()).addErrback(failures.append)
    bench.receive(POST + b"he")
    bench.client.connectionLost()
    assert failures[0].check(BodyInterrupted)
    assert bench.account.held == 0


def test_half_close_after_a_request_still_gets_its_answer() -> None:
    """`printf ... | nc` works: the client has finished sending, not reading."""
    bench = Bench()
    bench.receive(GET)
    bench.client.readConnectionLost()
    assert bench.transport.events == []
    bench.client.answer(b"ok", keep=True)
    assert bench.written == b"ok"
    assert bench.transport.events == ["close"]


@pytest.mark.parametrize("what", ["forward", "tunnel"])
def test_permit_for_a_client_that_left_is_not_used(what: str) -> None:
    """Nobody is dialled for a client that is gone."""
    bench = Bench()
    bench.receive(GET if what == "forward" else CONNECT)
    head = bench.site.begun[0]
    bench.client.connectionLost()
    if what == "forward":
        bench.client.forward(permit_of(Mode.FORWARD), head.request, (), [], bench.outcome)
    else:
        bench.tunnel()
    assert bench.dialler.sent == []
    assert bench.dialler.tunnels == []
    assert bench.outcome.heard[0][0] == "abandoned"


def test_client_that_leaves_stops_upstream() -> None:
    """The upstream exchange is aborted when nobody waits for it."""
    bench = Bench()
    bench.receive(GET)
    bench.forward()
    bench.client.connectionLost()
    assert bench.dialler.handles[0].events == ["abort"]
    assert bench.outcome.heard[0][0] == "abandoned"


def test_too_many_connections() -> None:
    """One connection too many is told so and closed; when one leaves there is room again."""
    bench = Bench(max_connections=1)
    client, transport = bench.connect()
    assert transport.value() == b"overloaded"
    assert transport.events == ["half-close"]
    client.connectionLost()
    bench.client.connectionLost()
    _, again = bench.connect()
    assert again.value() == b""


def test_loop_is_cut() -> None:
    """A connection that comes from ourselves is reset before it is read."""
    bench = Bench()
    bench.dialler.own.add(("192.168.1.1", 54321))
    _, transport = bench.connect()
    assert transport.events == ["abort"]


def test_loop_is_cut_when_we_learn_of_it_late() -> None:
    """A connection of ours that was accepted before its other end knew: reset at its first byte, nothing is decided."""
    bench = Bench()
    client, transport = bench.connect()
    bench.dialler.own.add(("192.168.1.1", 54321))
    client.dataReceived(GET)
    assert transport.events == ["abort"]
    assert bench.site.begun == []


def test_failed_tunnel_is_answered() -> None:
    """A tunnel that cannot be opened is a 502 with the reason."""
    bench = Bench()
    bench.receive(CONNECT)
    bench.tunnel()
    bench.dialler.tunnels[0][1].errback(Exception("connection refused"))
    assert bench.written == b"upstream error: connection refused"
    assert bench.transport.events == ["half-close"]


def test_drain_lets_the_running_exchange_finish() -> None:
    """At shutdown an idle connection goes, a busy one gets its answer first."""
    bench = Bench()
    _, idle = bench.connect()
    bench.receive(GET)
    emptied: list[Any] = []
    bench.factory.drain().addCallback(emptied.append)
    assert idle.events == ["close"]
    assert bench.transport.events == []
    bench.client.answer(b"ok", keep=True)
    assert bench.transport.events == ["half-close"]


def test_body_memory_is_given_back_after_the_exchange() -> None:
    """The account of buffered bodies returns to zero."""
    bench = Bench()
    bench.receive(POST + b"hello")
    assert bench.account.held == 5
    bench.client.answer(b"ok", keep=True)
    assert bench.account.held == 0


def test_body_value() -> None:
    """The site gets one frozen body."""
    bench = Bench()
    bench.receive(POST + b"hello")
    bodies: list[Body] = []
    Deferred.fromCoroutine(bench.client.body.read()).addCallback(bodies.append)
    assert bodies[0].chunks == (b"hello",)


def test_a_pipeline_of_health_checks_does_not_exhaust_the_stack() -> None:
    """Thousands of requests that are answered at once, in one segment, get an answer each."""
    bench = Bench()
    bench.site.script = lambda client, _: client.answer(b"ok.", keep=True)
    bench.receive(GET * 3000)
    assert bench.written == b"ok." * 3000
    assert bench.client.machine.state is State.IDLE


def test_answers_do_not_pile_up_for_a_client_that_does_not_read() -> None:
    """Its next request is decided when the answer before has left; until then it is not read either."""
    bench = Bench()
    client, transport = bench.connect(slow=True)
    bench.site.script = lambda client, _: client.answer(b"ok.", keep=True)
    client.dataReceived(GET * 50)
    assert len(bench.site.begun) == 1
    assert transport.producerState == "paused"
    for _ in range(49):
        transport.drain()
    assert transport.value() == b"ok." * 49
    transport.drain()
    assert len(bench.site.begun) == 50
    assert transport.producerState == "producing"
    assert client.machine.state is State.IDLE


def test_a_client_that_never_reads_its_answer_is_given_up() -> None:
    """It does not hold its connection for ever, and a request that it sent ahead is not decided."""
    bench = Bench()
    client, transport = bench.connect(slow=True)
    bench.site.script = lambda client, _: client.answer(b"ok.", keep=True)
    client.dataReceived(GET * 2)
    bench.clock.advance(900)
    assert transport.events == ["abort"]
    client.connectionLost()
    assert len(bench.site.begun) == 1


def test_an_answered_request_whose_body_was_not_read_ends_the_connection() -> None:
    """The rest of a body is never taken for the next request, however large it says it is."""
    bench = Bench()
    bench.site.script = lambda client, _: client.answer(b"ok.", keep=True)
    bench.receive(POST.replace(b"5", b"99999999"))
    assert bench.transport.events == ["half-close"]
    bench.receive(GET)
    assert len(bench.site.begun) == 1


def test_a_long_pipeline_stays_within_the_read_ahead() -> None:
    """A client that pipelines without pause is slowed down, not refused."""
    bench = Bench()
    bench.receive(GET * 1400)
    assert bench.transport.producerState == "paused"
    bench.client.answer(b"ok", keep=True)
    assert bench.transport.producerState == "paused"
    for _ in range(200):
        bench.client.answer(b"ok", keep=True)
    assert bench.transport.producerState == "producing"


def test_a_refusal_in_the_middle_of_a_batch_still_lingers_for_a_bounded_time() -> None:
    """A body whose end comes with the byte that was too much does not leave a connection without a timer."""
    bench = Bench(max_body=3)
    chunked = GET.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")

    def script(client: Any, _: Any) -> None:
        Deferred.fromCoroutine(client.body.read()).addErrback(lambda _: client.answer(b"413", keep=False))

    bench.site.script = script
    bench.receive(chunked)
    bench.receive(b"5\r\nhello\r\n0\r\n\r\n")
    assert bench.written == b"413"
    bench.clock.advance(5)
    assert bench.transport.events == ["half-close", "close"]


def test_client_that_leaves_stops_the_dialling_of_its_tunnel() -> None:
    """Nobody is connected to on behalf of a client that is gone."""
    bench = Bench()
    bench.receive(CONNECT)
    bench.tunnel()
    bench.client.connectionLost()
    assert bench.outcome.heard == [("abandoned", "the client went away before the tunnel was open")]
    assert bench.dialler.tunnels[0][1].called


def test_the_time_for_a_body_begins_with_its_head() -> None:
    """A client may send its body slowly, whenever the process was started."""
    bench = Bench()
    bench.clock.advance(1000)
    client, transport = bench.connect()
    client.dataReceived(POST + b"he")
    bench.clock.advance(29)
    client.dataReceived(b"ll")
    bench.clock.advance(29)
    assert transport.value() == b""
    bench.clock.advance(1)
    assert transport.value().startswith(b"malformed 408")


def test_a_long_decision_is_not_the_clients_fault() -> None:
    """Once a body is complete its timer accuses nobody."""
    bench = Bench()
    bench.receive(POST + b"he")
    bench.receive(b"llo")
    bench.clock.advance(1000)
    assert bench.written == b""
    assert bench.client.machine.state is State.JUDGING


def test_body_of_a_client_that_left_counts_until_it_is_judged() -> None:
    """Clients that send much and vanish cannot make the process hold more than EVE_PROXY_MAX_BUFFERED."""
    bench = Bench()
    bench.receive(POST + b"hello")
    bench.client.connectionLost()
    assert bench.account.held == 5
    bench.client.body.release()
    assert bench.account.held == 0


def test_a_tunnel_is_there_while_it_is_open() -> None:
    """An operator sees the tunnels that are open, and how many there were; also when the client ends one."""
    bench = Bench()
    bench.receive(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
    bench.tunnel()
    assert (len(bench.factory.relays), bench.factory.relayed) == (0, 0)
    upstream = OriginTransport()
    bench.dialler.tunnels[0][1].callback(upstream)
    (relay,) = bench.factory.relays
    upstream.protocol.dataReceived(b"12345")
    assert (relay.to_downstream, bench.factory.relayed) == (5, 1)
    bench.transport.protocol.connectionLost(Failure(ConnectionDone()))
    upstream.protocol.connectionLost(Failure(ConnectionDone()))
    assert (len(bench.factory.relays), bench.factory.relayed) == (0, 1)
    assert bench.outcome.ends == [("closed", "downstream", 5, 0)]


def test_a_tunnel_that_is_over_at_once_is_not_left_open() -> None:
    """Both sides had closed before the relay began: it is counted, and not among the open ones for ever."""
    bench = Bench()
    bench.receive(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
    bench.tunnel()
    upstream = OriginTransport()
    upstream.disconnected = bench.transport.disconnected = True  # type: ignore[attr-defined]
    bench.dialler.tunnels[0][1].callback(upstream)
    assert len(bench.outcome.ends) == 1
    assert (len(bench.factory.relays), bench.factory.relayed) == (0, 1)
