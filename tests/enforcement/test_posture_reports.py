"""``POST /posture``: a report becomes a signed record, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.python.failure import Failure

from eve_proxy.audit.suppression import PER_PEER
from eve_proxy.model.errors import JournalUnavailable, SigningFailed
from eve_proxy.model.posture import MOST_CHECKS, RESULTS
from eve_proxy.signing.seal import LARGEST, seal
from eve_proxy.signing.verification import verify_certificate
from tests.enforcement.bench import GateBench
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET
from tests.integration.sidecar import head_of

REPORT = {
    "schema": "eve.posture/1",
    "at": "2026-04-16T14:22:03.847Z",
    "results": {"healthz": "ok", "tcp-80-v4": "fail"},
}
BODY = json.dumps(REPORT).encode()


def head(
    size: int | str = len(BODY),
    *fields: str,
    method: str = "POST",
    host: str = "127.0.0.1:3128",
    kind: str | None = "application/json",
    target: str = "/posture",
    version: str = "1.1",
) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", f"Host: {host}", *fields]
    lines += [] if kind is None else [f"Content-Type: {kind}"]
    lines += [f"Content-Length: {size}"] if isinstance(size, int) else [size]
    return "\r\n".join([*lines, "", ""]).encode()


def post(bench: GateBench, body: bytes = BODY, *, peer: str = "127.0.0.1", **options: Any) -> Any:
    return bench.converse(head(len(body), **options) + body, peer=peer)


@pytest.fixture
def bench() -> GateBench:
    return GateBench(max_body=10_000_000, buffered=20_000_000)


def test_a_report_becomes_a_signed_record(bench: GateBench) -> None:
    """The answer is the journal's line: kind posture, who reported, what, and the exit that follows from it."""
    transport = post(bench)
    status, fields, body = head_of(transport.value())
    assert status == 201
    assert verify_certificate(body, SECRET)
    record = json.loads(body)
    assert (record["kind"], record["verdict"], record["request"]) == ("posture", None, None)
    assert record["record"] == {
        "reported_by": "127.0.0.1",
        "reported_at": REPORT["at"],
        "exit": 1,
        "results": REPORT["results"],
    }
    assert fields["location"] == f"/certificates/{record['certificate_id']}"
    assert [certificate.line for certificate in bench.sink.certificates] == [body]
    assert not bench.reached_the_network


def test_the_connection_goes_on(bench: GateBench) -> None:
    """Two reports and a probe on one connection, in order: the body ends where it ends."""
    transport = bench.converse(head() + BODY + head() + BODY + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert transport.value().count(b"HTTP/1.1 201 Created") == 2
    assert transport.value().endswith(b"\r\n\r\nok")
    assert len(bench.sink.certificates) == 2


def test_in_pieces_and_chunked(bench: GateBench) -> None:
    """A client may send it as it likes."""
    chunked = b"".join([b"%x\r\n%b\r\n" % (1, BODY[at : at + 1]) for at in range(len(BODY))]) + b"0\r\n\r\n"
    data = head("Transfer-Encoding: chunked") + chunked
    transport = bench.converse(*[data[at : at + 7] for at in range(0, len(data), 7)])
    assert head_of(transport.value())[0] == 201


def test_a_client_that_waits_to_be_asked(bench: GateBench) -> None:
    """``Expect: 100-continue`` is answered when the head is acceptable, and not before what refuses it."""
    transport = bench.converse(head(len(BODY), "Expect: 100-continue"))
    assert transport.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    transport.protocol.dataReceived(BODY)
    assert b"HTTP/1.1 201 Created" in transport.value()
    large = bench.converse(head(16385, "Expect: 100-continue"))
    assert large.value().startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("framing", [16385, "Transfer-Encoding: chunked"])
def test_a_large_body_is_not_held(bench: GateBench, framing: int | str) -> None:
    """413 as soon as it is known, whatever EVE_PROXY_MAX_BODY allows; the rest is thrown away."""
    transport = bench.converse(head(framing))
    if isinstance(framing, str):
        assert transport.value() == b""
        transport.protocol.dataReceived(b"4001\r\n" + b"x" * 0x4001 + b"\r\n")
    status, fields, _ = head_of(transport.value())
    assert (status, fields["connection"]) == (413, "close")
    transport.protocol.dataReceived(b"x" * 1000)
    assert transport.protocol.body.size == 0
    assert bench.sink.certificates == []


def test_strangers_may_not_report(bench: GateBench) -> None:
    """A client that EVE_PROXY_ALLOWED_CLIENTS does not list gets the certified 403."""
    status, fields, body = head_of(post(bench, peer="10.1.2.3").value())
    assert status == 403
    assert b"EVE_PROXY_ALLOWED_CLIENTS" in body
    (certificate,) = bench.sink.certificates
    assert (certificate.draft.kind, certificate.draft.matched_vector) == ("decision", "client")
    assert "x-eve-decision-cert" in fields


def test_a_flood_is_bounded(bench: GateBench) -> None:
    """Ten a minute from one address; the rest gets 429 and is counted in the next suppressed record."""
    for _ in range(PER_PEER):
        assert head_of(post(bench).value())[0] == 201
    status, fields, _ = head_of(post(bench).value())
    assert (status, fields["retry-after"]) == (429, "60")
    assert len(bench.sink.certificates) == PER_PEER
    assert bench.suppressor.drain()["kinds"] == {"posture": 1}  # type: ignore[index]
    bench.clock.advance(60)
    assert head_of(post(bench).value())[0] == 201


@pytest.mark.parametrize(
    "failure", [JournalUnavailable("the journal cannot be written: full"), SigningFailed("broken")]
)
def test_a_journal_that_cannot_be_written(bench: GateBench, failure: Exception) -> None:
    """503 says that nothing was recorded; there is no certificate."""
    bench.sink.failure = failure
    status, fields, body = head_of(post(bench).value())
    assert status == 503
    assert body.decode() == f"the report was not recorded: {failure}\n"
    assert "x-eve-decision-cert" not in fields


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post(bench: GateBench, method: str) -> None:
    """405, and no record."""
    status, fields, body = head_of(post(bench, method=method).value())
    assert (status, fields["allow"]) == (405, "POST")
    assert (body == b"") is (method == "HEAD")
    assert bench.sink.certificates == []


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"kind": "text/plain"}, 415),
        ({"kind": "application/x-www-form-urlencoded"}, 415),
        ({"kind": "multipart/form-data; boundary=application/json"}, 415),
        ({"kind": None}, 415),
    ],
)
def test_a_page_in_a_browser_cannot_report(bench: GateBench, options: dict[str, Any], status: int) -> None:
    """Neither by a name of its own (DNS rebinding) nor by what a page may send without asking."""
    assert head_of(post(bench, **options).value())[0] == status
    assert bench.sink.certificates == []


def test_a_charset_does_no_harm(bench: GateBench) -> None:
    """Parameters of the type are ignored."""
    assert head_of(post(bench, kind="Application/JSON; charset=utf-8").value())[0] == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        BODY[:-1] + b',"at":"2026-04-16T14:22:03.847Z"}',
        BODY + b" x",
        BODY.replace(b'"ok"', b'"OK"'),
        BODY.replace(b'"ok"', b"1"),
        BODY.replace(b"healthz", b"../healthz"),
        BODY.replace(b"healthz", b"h" * 25),
        BODY.replace(b"posture/1", b"posture/2"),
        BODY.replace(b'"at"', b'"when"'),
        BODY.replace(b"847Z", b"847+00:00"),
        json.dumps({**REPORT, "results": {}}).encode(),
        json.dumps({**REPORT, "results": {f"c{n}": "ok" for n in range(MOST_CHECKS + 1)}}).encode(),
        json.dumps({**REPORT, "note": "x"}).encode(),
    ],
)
def test_what_is_no_report(bench: GateBench, body: bytes) -> None:
    """400 says what is expected; nothing of it gets into the journal or the answer."""
    status, _, said = head_of(post(bench, body).value())
    assert status == 400
    assert bench.sink.certificates == []
    assert b"../" not in said


def test_broken_framing_is_answered_once(bench: GateBench) -> None:
    """A chunk that is none: 400, severed, no record."""
    transport = bench.converse(head("Transfer-Encoding: chunked"), b"zz\r\n")
    assert transport.value().count(b"HTTP/1.1 ") == 1
    assert head_of(transport.value())[0] == 400
    assert bench.sink.certificates == []


def test_a_slow_body(bench: GateBench) -> None:
    """408 when the rest does not come."""
    transport = bench.converse(head(), BODY[:10])
    bench.reactor_clock.advance(31)
    assert head_of(transport.value())[0] == 408


def test_a_client_that_leaves_before_the_end(bench: GateBench) -> None:
    """Half a report is none; its memory is given back."""
    transport = bench.converse(head(), BODY[:10])
    transport.protocol.connectionLost(Failure(ConnectionError()))
    assert (transport.value(), bench.sink.certificates) == (b"", [])
    assert transport.protocol.body.size == 0


def test_the_proxys_own_path_is_the_admins_only_in_origin_form(bench: GateBench) -> None:
    """In absolute-form, and on a redirected connection, it is a request like any other: decided and forwarded."""
    bench.converse(head(target="http://api.example.com/posture", host="api.example.com") + BODY)
    bench.converse(head(host="api.example.com") + BODY, destination="93.184.216.34:80")
    assert [certificate.draft.kind for certificate in bench.sink.certificates] == ["decision", "decision"]
    assert [head.partition(b" HTTP")[0] for _, head, _ in bench.dialler.sent] == [b"POST /posture"] * 2


def test_to_the_proxy_itself_in_absolute_form_it_is_refused(bench: GateBench) -> None:
    """Our own listener is no destination."""
    assert head_of(post(bench, target="http://127.0.0.1:3128/posture").value())[0] == 451


@given(
    names=st.sets(st.from_regex(r"[a-z][a-z0-9-]{0,23}", fullmatch=True), min_size=1, max_size=MOST_CHECKS),
    result=st.sampled_from(sorted(RESULTS)),
)
def test_every_acceptable_report_fits_into_a_certificate(names: set[str], result: str) -> None:
    """4,096 bytes hold it, with the longest tenant and the longest address."""
    bench = GateBench(max_body=20_000, buffered=40_000)
    body = json.dumps({**REPORT, "results": dict.fromkeys(names, result)}).encode()
    status, _, line = head_of(post(bench, body).value())
    assert status == 201
    fullest = draft(
        kind="posture",
        verdict=None,
        org_id='"' * 128,
        record=json.loads(line)["record"] | {"reported_by": "f" * 45},
    )
    assert len(seal(fullest, link(), bench.sink.signer).line) <= LARGEST
