"""The decision point over HTTP: conversations on a string transport."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher

from eve_proxy.governor_site import LARGEST_QUESTION, governor_site
from eve_proxy.pdp.embedded import INLINE_BODY
from eve_proxy.pdp.policy_file import load_policy
from tests.pdp.test_question import document

PATH = b"POST /v1/decisions/evaluate HTTP/1.1\r\nHost: gov\r\n"
ATTACK = document(body="print('cy' + 'anide')")


class Conversation:
    """One client's connection to a site whose thread pool is the test."""

    def __init__(self, token: bytes | None = None, witness: Any = None) -> None:
        self.clock = Clock()
        self.jobs: list[tuple[Deferred[Any], Any, tuple[Any, ...]]] = []
        self.ids = 0
        site = governor_site(
            load_policy(),
            reactor=self.clock,
            offload=self.offload,
            new_id=self.new_id,
            token=token,
            witness=witness,
        )
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", "192.0.2.1", 1))
        self.protocol = site.buildProtocol(None)
        self.protocol.makeConnection(self.transport)

    def new_id(self, size: int) -> str:
        self.ids += 1
        return f"{self.ids:0{2 * size}x}"

    def offload(self, function: Any, *arguments: Any) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred()
        self.jobs.append((waiting, function, arguments))
        return waiting

    def say(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def post(self, body: bytes, head: bytes = b"") -> tuple[int, Any]:
        self.say(PATH + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.answer()

    def answer(self) -> tuple[int, Any]:
        said = self.transport.value()
        self.transport.clear()
        head, _, body = said.partition(b"\r\n\r\n")
        assert b"\r\nContent-Length: %d\r\n" % len(body) in (head + b"\r\n").replace(
            b"content-length", b"Content-Length"
        )
        return int(head.split(b" ")[1]), json.loads(body) if body.startswith(b"{") else body


def test_questions_are_answered_on_one_connection() -> None:
    """A sidecar keeps its connection: allow, block and allow again without reconnecting."""
    talk = Conversation()
    statuses = [talk.post(body)[1]["decision"]["status"] for body in (document(), ATTACK, document())]
    assert statuses == ["ALLOWED", "BLOCKED", "ALLOWED"]
    assert not talk.transport.disconnecting


def test_each_answer_has_its_own_audit_id() -> None:
    """Every evaluation can be told from every other."""
    talk = Conversation()
    answers = [talk.post(document())[1] for _ in range(2)]
    assert [answer["audit"]["audit_id"] for answer in answers] == ["aud_0000000000000001", "aud_0000000000000002"]
    assert answers[0]["request_id"] == "cert_1"


def test_a_bad_question_is_400() -> None:
    """A client with a defect is told, and the connection lives on."""
    talk = Conversation()
    assert talk.post(b"{")[0] == 400
    assert talk.post(document())[0] == 200


def test_health_is_ok() -> None:
    """A probe sees that the service lives."""
    talk = Conversation(token=b"t")
    talk.say(b"GET /healthz HTTP/1.1\r\nHost: gov\r\n\r\n")
    assert talk.answer() == (200, b"ok")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET /v1/decisions/evaluate", b"405"), (b"GET /nothing", b"404"), (b"POST /", b"404")],
)
def test_nothing_else_is_served(request_line: bytes, status: bytes) -> None:
    """Other paths and methods have no answer."""
    talk = Conversation()
    talk.say(request_line + b" HTTP/1.1\r\nHost: gov\r\nContent-Length: 0\r\n\r\n")
    assert talk.transport.value().split(b" ")[1] == status


@pytest.mark.parametrize("method", [b"GET", b"PUT", b"TRACE", b"X-UNHEARD-OF"])
def test_another_method_is_told_which_ones_there_are(method: bytes) -> None:
    """A method that nobody has heard of is the client's mistake, not a 501 that reads like a defect of the service."""
    talk = Conversation()
    talk.say(method + b" /v1/decisions/evaluate HTTP/1.1\r\nHost: gov\r\n\r\n")
    assert b"\r\nallow: post\r\n" in talk.transport.value().lower()
    assert talk.answer() == (405, {"error": "only POST"})


def test_health_is_only_read() -> None:
    """HEAD is as good as GET to a probe; nothing can be posted there."""
    talk = Conversation()
    talk.say(b"HEAD /healthz HTTP/1.1\r\nHost: gov\r\n\r\n")
    said = talk.transport.value()
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"\r\n\r\n")
    talk.transport.clear()
    talk.say(b"POST /healthz HTTP/1.1\r\nHost: gov\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nallow: get, head\r\n" in talk.transport.value().lower()
    assert talk.answer() == (405, {"error": "only GET, HEAD"})


@pytest.mark.parametrize("head", [b"", b"Authorization: Bearer no\r\n", b"Authorization: Basic dA==\r\n"])
def test_a_token_is_required_where_one_is_set(head: bytes) -> None:
    """Who cannot show the token gets no decision."""
    talk = Conversation(token=b"sesame")
    status, answer = talk.post(document(), head)
    assert (status, answer) == (401, {"error": "a valid bearer token is required"})


def test_the_token_opens() -> None:
    """The right token is accepted."""
    assert Conversation(token=b"sesame").post(document(), b"Authorization: Bearer sesame\r\n")[0] == 200


def test_large_questions_are_judged_elsewhere() -> None:
    """While a large question is judged, the service answers others."""
    talk = Conversation()
    body = document(body="print('cy' + 'anide')".ljust(INLINE_BODY))
    talk.say(PATH + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert talk.transport.value() == b""
    waiting, function, arguments = talk.jobs.pop()
    waiting.callback(function(*arguments))
    assert talk.answer()[1]["decision"]["status"] == "BLOCKED"


def test_a_client_that_leaves_early_harms_nobody() -> None:
    """An answer for a connection that is gone is dropped."""
    talk = Conversation()
    body = document(body="x" * INLINE_BODY)
    talk.say(PATH + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    waiting, function, arguments = talk.jobs.pop()
    talk.protocol.connectionLost(ConnectionResetError())
    failures: list[dict[str, Any]] = []
    globalLogPublisher.addObserver(failures.append)
    try:
        waiting.callback(function(*arguments))
    finally:
        globalLogPublisher.removeObserver(failures.append)
    assert failures == []
    assert talk.transport.value() == b""


def test_a_failed_evaluation_is_500_and_no_decision() -> None:
    """A defect never looks like an allow."""
    talk = Conversation()
    body = document(body="x" * INLINE_BODY)
    talk.say(PATH + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    talk.jobs.pop()[0].errback(RuntimeError("pool stopped"))
    status, answer = talk.answer()
    assert status == 500
    assert "decision" not in answer


def test_what_announces_too_much_is_cut_off() -> None:
    """Nobody can fill the memory or the disk with one question."""
    talk = Conversation()
    talk.say(PATH + b"Content-Length: %d\r\n\r\n" % (LARGEST_QUESTION + 1))
    assert talk.answer()[0] == 413
    assert talk.transport.disconnecting


def test_what_sends_too_much_in_chunks_is_cut_off() -> None:
    """A body without announced length is bounded just the same."""
    talk = Conversation()
    talk.say(PATH + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    for _ in range(LARGEST_QUESTION // 0x100000 + 1):
        if talk.transport.disconnecting:
            break
        talk.say(chunk)
    assert talk.transport.disconnecting
    assert talk.transport.value().startswith(b"HTTP/1.1 413 ")
    assert talk.transport.value().count(b"HTTP/1.1") == 1


def test_an_idle_connection_is_closed() -> None:
    """Forgotten connections do not pile up."""
    talk = Conversation()
    talk.clock.advance(100)
    assert talk.transport.disconnecting or talk.transport.disconnected


class Signing:
    """A witness whose journal is the test."""

    jwks = b'{"keys": []}'

    def __init__(self) -> None:
        self.judged: list[Any] = []
        self.waiting: list[Deferred[tuple[int, bytes]]] = []

    def now(self) -> float:
        return 0.0

    def answer(self, judged: Any, audit_id: str, begun: float) -> Deferred[tuple[int, bytes]]:
        self.judged.append(judged)
        self.waiting.append(Deferred())
        return self.waiting[-1]


def test_a_witness_answers_when_it_has_written() -> None:
    """Every question goes by the witness, small or large; a broken one is refused without it."""
    witness = Signing()
    conversation = Conversation(witness=witness)
    body = document()
    conversation.say(PATH + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert conversation.transport.value() == b""
    witness.waiting[0].callback((200, b'{"decision": {}}'))
    assert conversation.answer() == (200, {"decision": {}})
    assert conversation.post(b"{}")[0] == 400
    large = document(body="x" * INLINE_BODY)
    conversation.say(PATH + b"Content-Length: %d\r\n\r\n" % len(large) + large)
    waiting, function, arguments = conversation.jobs[0]
    waiting.callback(function(*arguments))
    witness.waiting[1].callback((503, b'{"error": "x"}'))
    assert conversation.answer() == (503, {"error": "x"})
    assert [judged.status for judged in witness.judged] == ["ALLOWED", "ALLOWED"]


def test_its_keys_are_published() -> None:
    """Whoever wants to trust the witness finds its key; a decision point that signs nothing has none."""
    conversation = Conversation(witness=Signing())
    conversation.say(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: gov\r\n\r\n")
    assert b"application/jwk-set+json" in conversation.transport.value()
    assert conversation.answer() == (200, {"keys": []})
    conversation.say(b"POST /.well-known/jwks.json HTTP/1.1\r\nHost: gov\r\nContent-Length: 0\r\n\r\n")
    assert conversation.answer()[0] == 405
    conversation = Conversation()
    conversation.say(b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: gov\r\n\r\n")
    assert b"404" in conversation.transport.value().split(b"\r\n")[0]
