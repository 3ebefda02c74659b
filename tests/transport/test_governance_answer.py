"""One answer, or one reason why there is none."""

from __future__ import annotations

from typing import Any

import pytest
from OpenSSL import SSL
from service_identity import VerificationError

from eve_proxy.model.errors import EveError, GovernorMisbehaved, GovernorUnavailable, UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.governance_answer import GovernanceAnswer, describe
from eve_proxy.transport.upstream import Unanswered, Unintelligible
from eve_proxy.wire.events import ResponseHead
from eve_proxy.wire.response_reader import ResponseReader


def head(length: int) -> ResponseHead:
    events = ResponseReader("POST").feed(b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: %d\r\n\r\n" % length)
    assert isinstance(events[0], ResponseHead)
    return events[0]


def answer() -> tuple[GovernanceAnswer, list[Any]]:
    made, told = GovernanceAnswer(), []
    made.abort = lambda: told.append("abort")
    made.result.addCallbacks(told.append, lambda failure: told.append(failure.value))
    return made, told


def test_whole() -> None:
    """Status, headers and every byte."""
    made, told = answer()
    made.responseStarted(head(5))
    made.responseData(b"he")
    made.flush()
    made.responseData(b"llo")
    assert told == []
    made.responseEnded(Headers())
    assert [(status, list(headers), body) for status, headers, body in told] == [(200, [(b"x-a", b"b")], b"hello")]


def test_in_one_read() -> None:
    """The usual answer, told in one call, is the same and has the same bound."""
    made, told = answer()
    made.responseWhole(head(5), b"hello")
    assert [(status, list(headers), body) for status, headers, body in told] == [(200, [(b"x-a", b"b")], b"hello")]
    made, told = answer()
    made.responseWhole(head(5), b"x" * (1024 * 1024 + 1))
    assert isinstance(told[0], GovernorMisbehaved)


@pytest.mark.parametrize("announced", [True, False])
def test_bounded(announced: bool) -> None:
    """A decision service cannot fill our memory: over 1 MiB is a failure of judging."""
    made, told = answer()
    if announced:
        made.responseStarted(head(1024 * 1024 + 1))
    else:
        made.responseStarted(head(0))
        made.responseData(b"x" * 1024 * 1024)
        assert told == []
        made.responseData(b"x")
    assert told[0] == "abort"
    assert isinstance(told[1], GovernorMisbehaved)


def test_exactly_the_bound() -> None:
    """1 MiB itself is accepted."""
    made, told = answer()
    made.responseStarted(head(1024 * 1024))
    made.responseData(b"x" * 1024 * 1024)
    made.responseEnded(Headers())
    assert len(told[0][2]) == 1024 * 1024


def test_cancel() -> None:
    """A call whose deadline passed is ended."""
    made, told = answer()
    made.result.cancel()
    assert told[0] == "abort"


def caused(error: UpstreamFailed, cause: Exception) -> UpstreamFailed:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (UpstreamFailed("connection refused"), GovernorUnavailable, "connection refused"),
        (Unintelligible("malformed response: bare LF"), GovernorMisbehaved, "malformed response: bare LF"),
        (
            caused(Unanswered("x"), SSL.Error([("SSL routines", "", "certificate verify failed")])),
            GovernorUnavailable,
            "TLS certificate not verified",
        ),
        (
            caused(Unanswered("x"), SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")])),
            GovernorUnavailable,
            "TLS: tlsv13 alert certificate required",
        ),
        (caused(Unanswered("x"), SSL.Error()), GovernorUnavailable, "TLS: the handshake failed"),
        (
            caused(Unanswered("x"), VerificationError(errors=[])),
            GovernorUnavailable,
            "TLS certificate not verified: it is not for this host",
        ),
    ],
)
def test_failures(error: UpstreamFailed, kind: type[EveError], text: str) -> None:
    """The certificate's reason says what was wrong with the service, in a few words."""
    made, told = answer()
    made.responseFailed(error, started=False)
    assert (type(told[0]), str(told[0])) == (kind, f"governance service: {text}")
    assert str(describe(error)) == str(told[0])
