"""Every row of the answers' table (evidence.md, "What is certified, and how it is answered"), through a whole proxy.

Bytes in, bytes out; only governor, journal, resolver and dialler are scripted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.python.failure import Failure

from eve_proxy.model.certificate import GENESIS
from eve_proxy.model.errors import (
    GovernorUnavailable,
    JournalUnavailable,
    ResolveFailed,
    SigningFailed,
    UpstreamFailed,
)
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import verify_certificate
from eve_proxy.wire.events import Data, ResponseHead
from eve_proxy.wire.response_reader import ResponseReader
from tests.enforcement.bench import GateBench
from tests.fakes.ports import SECRET, FakeGovernor
from tests.integration.sidecar import head_of

VETO = Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128", vector="706", governor="fake.governor")
FIVE = ["status", "reason", "pillar", "vector", "certificate"]


def post(host: str = "api.example.com", body: bytes = b"hello") -> bytes:
    return b"POST http://%b/p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (host.encode(), len(body), body)


CONNECT = b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n"


def answered(bench: GateBench) -> None:
    """Upstream answers."""
    reader = ResponseReader("POST", websocket=False)
    head, data, _ = reader.feed(b"HTTP/1.1 299 Fine\r\nX-Its-Own: yes\r\nContent-Length: 2\r\n\r\nok")
    assert isinstance(head, ResponseHead)
    assert isinstance(data, Data)
    bench.dialler.receivers[0].responseWhole(head, data.data)


def refused_by_upstream(bench: GateBench) -> None:
    """Nobody listens there."""
    bench.dialler.receivers[0].responseFailed(UpstreamFailed("connection refused"), False)


def tunnel_refused(bench: GateBench) -> None:
    """Nobody listens at the tunnel's end."""
    bench.dialler.tunnels[0][1].errback(Failure(UpstreamFailed("connection refused")))


def too_many(bench: GateBench) -> None:
    """The house is full."""
    for _ in range(100):
        bench.converse()


def unrecorded(bench: GateBench) -> None:
    """The journal refuses, as the real one does, with the certificate that has no line."""

    async def record(draft: Any) -> Any:
        refusal = bench.journal_refusal(draft)
        raise JournalUnavailable("No space left on device", refusal)

    bench.sink.record = record  # type: ignore[method-assign]


class Bench(GateBench):
    """With the journal's own words for a refusal."""

    def journal_refusal(self, draft: Any) -> Any:
        from eve_proxy.audit.records import Records
        from tests.fakes.ports import FakeEntropy

        records = Records(org_id="bank_tier1_a", caller="x", clock=self.clock, entropy=FakeEntropy())
        refusal = records.refusal(draft, "No space left on device")
        assert refusal is not None
        return seal(refusal, None, self.sink.signer)


@dataclass(frozen=True)
class Row:
    """One case: the proxy, what happens, and what a client and the journal then have."""

    code: int
    body: Any
    verdict: str | None
    request: bytes = field(default_factory=post)
    settings: dict[str, Any] = field(default_factory=dict)
    before: Callable[[Bench], object] = lambda _: None
    after: Callable[[Bench], object] = lambda _: None
    peer: str = "127.0.0.1"
    fields: dict[str, str] = field(default_factory=dict)
    line: bool = True


LOCAL = {"x-eve-verdict": "BLOCK", "x-eve-pillar": "local"}
CLOSED = {"x-eve-verdict": "FAIL_CLOSED", "x-eve-pillar": "114"}
ROWS: dict[str, Row] = {
    "allow": Row(code=299, body=b"ok", verdict="allow", after=answered, fields={"x-its-own": "yes"}),
    "veto by governor": Row(
        code=451, body="BLOCK", verdict="block", settings={"governor": FakeGovernor(VETO)},
        fields={"x-eve-verdict": "BLOCK", "x-eve-pillar": "128"},
    ),
    "blocklist": Row(code=451, body="BLOCK", verdict="block", settings={"blocked": "example.com"}, fields=LOCAL),
    "allowlist": Row(
        code=451, body="BLOCK", verdict="block", settings={"settings": {"EVE_PROXY_ALLOWED_HOSTS": "other.example"}},
        fields=LOCAL,
    ),
    "destination": Row(code=451, body="BLOCK", verdict="block", request=post("169.254.169.254"), fields=LOCAL),
    "CONNECT port": Row(
        code=451, body="BLOCK", verdict="block", request=CONNECT.replace(b":443", b":25"), fields=LOCAL
    ),
    "passthrough off": Row(
        code=451, body="BLOCK", verdict="block", request=CONNECT, settings={"passthrough": False}, fields=LOCAL
    ),
    "judging failed": Row(
        code=503, body="FAIL_CLOSED", verdict="fail_closed", fields=CLOSED,
        settings={"governor": FakeGovernor(GovernorUnavailable("refused"))},
    ),
    "judging timed out": Row(
        code=503, body="FAIL_CLOSED", verdict="fail_closed", fields=CLOSED,
        before=lambda bench: setattr(bench.governor, "before", lambda: bench.clock.advance(2)),
    ),
    "body over the limit": Row(
        code=413, body=b"body too large for inspection", verdict="block", request=post(body=b"x" * 101)
    ),
    "upstream network error": Row(
        code=502, body=b"upstream error: connection refused", verdict="allow", after=refused_by_upstream
    ),
    "upstream network error of a tunnel": Row(
        code=502, body=b"upstream error: connection refused", verdict="allow", request=CONNECT, after=tunnel_refused
    ),
    "no such name": Row(
        code=502, body=b"upstream error: no such host", verdict="allow",
        before=lambda bench: setattr(bench.resolver, "answer", ResolveFailed("no such host")),
    ),
    "client not allowed": Row(
        code=403, body=b"client 10.1.2.3 may not use this proxy; EVE_PROXY_ALLOWED_CLIENTS names who may\n",
        verdict="block", peer="10.1.2.3",
    ),
    "overloaded: bodies": Row(
        code=503, verdict="block", fields={"retry-after": "1"}, settings={"buffered": 4},
        body=b"request bodies in flight exceed EVE_PROXY_MAX_BUFFERED; try again later\n",
    ),
    "overloaded: connections": Row(
        code=503, verdict="block", fields={"retry-after": "1"}, before=too_many,
        body=b"too many connections (EVE_PROXY_MAX_CONNECTIONS); try again later\n",
    ),
    "journal can't be written": Row(
        code=503, body="FAIL_CLOSED", verdict="fail_closed", before=unrecorded, fields=CLOSED, line=False
    ),
    "signing fails": Row(
        code=503, body=b"signing failed\n", verdict=None, line=False,
        before=lambda bench: setattr(bench.sink, "failure", SigningFailed("no key")),
    ),
    "bytes that never became a request: 400": Row(
        code=400, body=b"", verdict=None, request=b"GET http://a/ HTTP/1.1\nHost: a\n\n", line=False
    ),
    "bytes that never became a request: 414": Row(
        code=414, body=b"", verdict=None, request=b"GET http://a/" + b"x" * 20_000, line=False
    ),
    "bytes that never became a request: 431": Row(
        code=431, body=b"", verdict=None, line=False,
        request=b"GET http://a/ HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ),
    "bytes that never became a request: 408": Row(
        code=408, body=b"", verdict=None, request=b"GET http://a/ HT", line=False,
        after=lambda bench: bench.reactor_clock.advance(10),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    """Code, fields, body and certificate are the table's, and the journal has the certificate that the client has."""
    row = ROWS[name]
    bench = Bench(**row.settings)
    row.before(bench)
    transport = bench.converse(row.request, peer=row.peer)
    row.after(bench)
    code, fields, body = head_of(transport.value())
    assert code == row.code
    assert row.fields.items() <= fields.items()
    certificate = json.loads(fields["x-eve-decision-cert"]) if "x-eve-decision-cert" in fields else None
    if isinstance(row.body, str):
        told = json.loads(body)
        assert list(told) == FIVE
        assert (told["status"], told["certificate"]) == (row.body, certificate)
    elif row.body:
        assert body == row.body
        assert "x-eve-verdict" not in fields
    else:
        assert body.count(b"\n") == 1
    if row.verdict is None:
        assert certificate is None
    else:
        assert certificate is not None
        assert certificate["verdict"] == row.verdict
        assert verify_certificate(certificate, SECRET)
    if row.line:
        (recorded,) = bench.sink.certificates
        assert recorded.to_dict() == certificate
        assert recorded.to_dict()["log"] == {"id": "log_0123456789abcdef", "seq": 0, "prev": GENESIS}
    else:
        assert bench.sink.certificates == []
        assert certificate is None or certificate["log"] is None
    if code not in (299, 502):
        assert not bench.reached_the_network
    if code != 299:
        assert fields["connection"] == "close"
        assert transport.events[:1] == ["half-close"]
    assert len(bench.lines) == 1
