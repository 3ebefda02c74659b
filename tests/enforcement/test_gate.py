"""What forward and CONNECT share: the circumstances of a request, the answers to a refusal, the line in the log."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import BodyInterrupted, JournalUnavailable, Malformed, Overloaded, ResolveFailed
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.verdict import Outcome, Verdict
from tests.enforcement.bench import GateBench
from tests.fakes.ports import FakeBody, FakeGovernor, drive, exchange_of, request_of
from tests.integration.sidecar import head_of

VETO = Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128", vector="706", governor="fake.governor")


class Client:
    """Stands where the connection does; writes down what it is told."""

    def __init__(self, *, gone: bool = False, peer: str = "127.0.0.1") -> None:
        self.gone = gone
        self.peer = peer
        self.peer_port = 50000
        self.late = False
        self.answers: list[tuple[bytes, bool]] = []
        self.told: list[Any] = []

    def answer(self, data: bytes, *, keep: bool) -> None:
        self.answers.append((data, keep))

    def malformed(self, error: Malformed) -> None:
        self.told.append(error)

    def abort(self) -> None:
        self.told.append("abort")

    @property
    def status(self) -> int:
        ((data, _),) = self.answers
        return head_of(data)[0]


def rule(bench: GateBench, client: Client, source: Any = None, **changes: Any) -> Decision | None:
    """Decide one exchange of ``client``."""
    exchange = bench.gate.exchange(client, request_of(**changes), Route.FORWARD, Coverage.FULL)
    return drive(bench.gate.rule(client, exchange, source or FakeBody(b"hello")))


def line(bench: GateBench) -> dict[str, Any]:
    """The only line of the log."""
    (written,) = bench.lines
    return json.loads(written)


def test_the_circumstances() -> None:
    """Peer, tenant, caller, time and a fresh id are in every exchange."""
    bench = GateBench()
    client, request = Client(peer="127.0.0.9"), request_of()
    first = bench.gate.exchange(client, request, Route.CONNECT, Coverage.DESTINATION)
    second = bench.gate.exchange(client, request, Route.CONNECT, Coverage.DESTINATION)
    assert first.id.startswith("cert_")
    assert len(first.id) == len("cert_") + 16
    assert first.id != second.id
    assert (first.peer, first.peer_port, first.org_id) == ("127.0.0.9", 50000, "bank_tier1_a")
    assert first.caller == "sidecar.forward_proxy.egress"
    assert first.received_at == bench.clock.wall()
    assert (first.route, first.coverage, first.request) == (Route.CONNECT, Coverage.DESTINATION, request)


def test_a_permit_is_handed_on_in_silence() -> None:
    """An allow is the entry point's to use: nothing is answered or logged yet."""
    bench, client = GateBench(), Client()
    decision = rule(bench, client)
    assert decision is not None
    assert decision.permit is not None
    assert (client.answers, client.told, bench.lines) == ([], [], [])


def test_a_veto_is_answered_and_severed() -> None:
    """451 with the certificate, the connection ends, one line in the log."""
    bench, client = GateBench(governor=FakeGovernor(VETO)), Client()
    assert rule(bench, client) is None
    ((data, keep),) = client.answers
    status, fields, _ = head_of(data)
    assert (status, keep) == (451, False)
    assert json.loads(fields["x-eve-decision-cert"]) == bench.sink.certificates[0].to_dict()
    logged = line(bench)
    assert (logged["status"], logged["verdict"], logged["pillar"], logged["peer"]) == (451, "block", "128", "127.0.0.1")


def test_a_client_that_is_not_listed_is_refused_unread() -> None:
    """403 before its body is asked for and before anybody judges."""
    bench, client, body = GateBench(), Client(peer="10.1.2.3"), FakeBody(b"hello")
    assert rule(bench, client, body) is None
    assert client.status == 403
    assert body.reads == 0
    assert bench.governor.asked == []


def test_who_came_during_the_stop_is_refused_unread() -> None:
    """503 with a certificate of its own rule; a client that is not listed hears that first."""
    bench, client, body = GateBench(), Client(), FakeBody(b"hello")
    client.late = True
    assert rule(bench, client, body) is None
    ((data, keep),) = client.answers
    status, fields, text = head_of(data)
    assert (status, keep, text) == (503, False, b"the proxy is shutting down; try again later\n")
    assert fields["retry-after"] == "1"
    assert json.loads(fields["x-eve-decision-cert"])["matched_vector"] == "draining"
    assert (body.reads, bench.governor.asked, bench.reached_the_network) == (0, [], False)
    stranger = Client(peer="10.1.2.3")
    stranger.late = True
    assert rule(bench, stranger) is None
    assert stranger.status == 403


def test_a_refusal_nobody_waits_for() -> None:
    """The log does not claim that a client that left was answered."""
    bench, client = GateBench(governor=FakeGovernor(VETO)), Client(gone=True)
    assert rule(bench, client) is None
    assert line(bench)["status"] is None
    assert line(bench)["verdict"] == "block"


def test_a_name_that_does_not_resolve() -> None:
    """502 with the allow's certificate, and the connection is closed as its head says."""
    bench, client = GateBench(), Client()
    bench.resolver.answer = ResolveFailed("api.example.com has no address")
    assert rule(bench, client) is None
    ((data, keep),) = client.answers
    status, fields, body = head_of(data)
    assert (status, body, keep) == (502, b"upstream error: api.example.com has no address", False)
    assert json.loads(fields["x-eve-decision-cert"])["verdict"] == "allow"
    assert (line(bench)["status"], line(bench)["detail"]) == (502, "api.example.com has no address")


@pytest.mark.parametrize(("method", "body"), [("GET", b"upstream error: gone"), ("HEAD", b"")])
def test_head_gets_no_body(method: str, body: bytes) -> None:
    """A HEAD's 502 announces a body and sends none, so that the connection stays in step."""
    bench, client = GateBench(), Client()
    bench.resolver.answer = ResolveFailed("gone")
    rule(bench, client, method=method)
    _, fields, sent = head_of(client.answers[0][0])
    assert (sent, fields["content-length"]) == (body, "20")


def test_a_head_that_is_refused_gets_no_body_either() -> None:
    """451 in the status line and the fields, nothing after them."""
    bench, client = GateBench(governor=FakeGovernor(VETO)), Client()
    rule(bench, client, method="HEAD")
    status, fields, body = head_of(client.answers[0][0])
    assert (status, body) == (451, b"")
    assert int(fields["content-length"]) > 0


def test_a_body_whose_framing_breaks() -> None:
    """It was no request after all: the connection is told, nothing is certified."""
    bench, client, error = GateBench(), Client(), Malformed("chunk-size", "bad chunk")
    assert rule(bench, client, FakeBody(failure=error)) is None
    assert client.told == [error]
    assert (client.answers, bench.sink.certificates, bench.lines) == ([], [], [])


def test_a_client_that_leaves_in_mid_body() -> None:
    """Nobody is left to answer: reset, nothing certified."""
    bench, client = GateBench(), Client()
    assert rule(bench, client, FakeBody(failure=BodyInterrupted("left"))) is None
    assert client.told == ["abort"]
    assert (client.answers, bench.sink.certificates) == ([], [])


def test_no_room_for_what_a_body_decodes_to() -> None:
    """A small body that unfolds beyond the process's share is the certified 503, and what was held is given back."""
    packed = gzip.compress(b"x" * 5000)
    head = b"POST http://api.example.com/ HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    for buffered, status in ((5000, 503), (6000, None)):
        bench = GateBench(buffered=buffered, max_body=5000)
        transport = bench.converse(head % len(packed) + packed)
        account = bench.factory.account
        if status is None:
            assert len(bench.dialler.sent) == 1
            assert account.held == len(packed) + 5000
            transport.protocol.connectionLost()
        else:
            said, fields, _ = head_of(transport.value())
            assert said == status
            assert json.loads(fields["x-eve-decision-cert"])["matched_vector"] == "overload"
            assert not bench.reached_the_network
        assert account.held == 0


def test_no_room_for_the_body() -> None:
    """503 with Retry-After and a certificate of its own."""
    bench, client = GateBench(), Client()
    assert rule(bench, client, FakeBody(failure=Overloaded("EVE_PROXY_MAX_BUFFERED is used up"))) is None
    status, fields, _ = head_of(client.answers[0][0])
    assert (status, fields["retry-after"]) == (503, "1")
    assert bench.sink.certificates[0].draft.matched_vector == "overload"
    assert line(bench)["status"] == 503


def test_the_journal_cannot_be_written() -> None:
    """503, logged without a place in the journal, and no permit."""
    bench, client = GateBench(), Client()
    bench.sink.failure = JournalUnavailable("disk full")
    assert rule(bench, client) is None
    assert client.status == 503
    assert (line(bench)["verdict"], line(bench)["log_seq"]) == ("fail_closed", None)


def test_a_name_that_does_not_resolve_has_an_outcome() -> None:
    """An allow that came to nothing is no riddle for the auditor."""
    bench, client = GateBench(), Client()
    bench.resolver.answer = ResolveFailed("no such name")
    assert rule(bench, client) is None
    ((parent, details),) = bench.outcomes
    assert parent == bench.sink.certificates[0].certificate_id
    assert (details["status"], details["ended"], details["address"]) == (502, "failed", None)


def test_an_exchange_of_another_peer_keeps_its_own_line() -> None:
    """Lines are told apart by the certificate's id."""
    bench = GateBench(governor=FakeGovernor(VETO))
    for _ in range(2):
        rule(bench, Client())
    ids = [json.loads(written)["certificate_id"] for written in bench.lines]
    assert ids == [certificate.certificate_id for certificate in bench.sink.certificates]
    assert len(set(ids)) == 2
    assert exchange_of().id not in ids
