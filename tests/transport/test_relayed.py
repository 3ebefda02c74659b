"""Requests that the parent proxy carries out: our credentials on them, its 407 not on the answers."""

from __future__ import annotations

from typing import Any

import pytest
from OpenSSL import SSL

from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.relayed import ParentAnswers, exchange_relayed
from eve_proxy.transport.upstream import Unanswered
from eve_proxy.wire.response_head import parse_response_head
from tests.transport.bench import FakeHandle
from tests.transport.parent_bench import PREFIX, ParentBench
from tests.transport.test_dialler import Receiver

HEAD = b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"


def head(status: int) -> Any:
    length = b"" if status < 200 else b"Content-Length: 2\r\n"
    return parse_response_head(b"HTTP/1.1 %d X\r\n%b" % (status, length), "GET", websocket=False)


class Dialler:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.handle = FakeHandle()

    def exchange(self, permit: Any, head: bytes, body: Any, *, method: str, receiver: Any) -> Any:
        self.sent.append(head)
        self.receiver = receiver
        return self.handle


def begun(authorization: bytes | None = None) -> tuple[Dialler, Receiver]:
    dialler, receiver = Dialler(), Receiver()
    parent = ParentBench(authorization=authorization).parent
    exchange_relayed(dialler, parent, None, HEAD, (), method="GET", receiver=receiver)  # type: ignore[arg-type]
    return dialler, receiver


def test_our_credentials_stand_on_this_leg() -> None:
    """In the request to the proxy, at the end of its head; without any, nothing is added."""
    assert begun(b"Basic eA==")[0].sent == [HEAD[:-2] + b"Proxy-Authorization: Basic eA==\r\n\r\n"]
    assert begun()[0].sent == [HEAD]


@pytest.mark.parametrize("whole", [False, True])
def test_a_407_is_a_failure(whole: bool) -> None:
    """The client cannot answer it, and must not be asked."""
    dialler, receiver = begun()
    if whole:
        dialler.receiver.responseWhole(head(407), b"no")
    else:
        dialler.receiver.responseStarted(head(407))
        assert dialler.handle.events == ["abort"]
    ((kind, text, started),) = receiver.told
    assert (kind, started) == ("failed", False)
    assert text.startswith(PREFIX + "asks for credentials")


def test_every_other_answer_is_passed_on() -> None:
    """In the same calls, in the same order."""
    dialler, receiver = begun()
    answers: ParentAnswers = dialler.receiver
    answers.informational(head(103))
    answers.responseStarted(head(503))
    answers.responseData(b"pa")
    answers.flush()
    answers.responseData(b"ge")
    answers.responseEnded(Headers())
    assert receiver.told == [("informational", 103), ("started", 503), ("ended",)]
    assert receiver.body == b"page"
    dialler, receiver = begun()
    dialler.receiver.responseWhole(head(200), b"ok")
    assert (receiver.told, receiver.body) == ([("started", 200), ("ended",)], b"ok")


def test_failures_name_the_proxy_once() -> None:
    """A connection that is only to the proxy can only be failed by it; TLS says why."""
    broken = Unanswered("x")
    broken.__cause__ = SSL.Error([("", "", "certificate verify failed")])
    for error, said in (
        (UpstreamFailed("timed out after 30 s"), "timed out after 30 s"),
        (UpstreamFailed(PREFIX + "connection refused"), "connection refused"),
        (broken, "TLS certificate not verified"),
    ):
        dialler, receiver = begun()
        dialler.receiver.responseFailed(error, False)
        assert receiver.told == [("failed", PREFIX + said, False)]


def test_an_upgrade_is_refused() -> None:
    """Nobody asks for one in this form."""
    dialler, receiver = begun()

    class Transport:
        aborted = False

        def abortConnection(self) -> None:
            self.aborted = True

    transport = Transport()
    dialler.receiver.upgraded(head(200), transport, b"")
    assert transport.aborted
    assert receiver.told[0][0] == "failed"
