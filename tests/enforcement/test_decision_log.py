"""The canonical line."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

from eve_proxy.decision.drafting import draft_of
from eve_proxy.decision.permits import permit_for
from eve_proxy.enforcement.decision_log import DecisionLog
from eve_proxy.model.decision import Decision
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Outcome, Verdict, refuse
from tests.fakes.ports import FakeClock, FakeSink, drive, exchange_of, request_of

NAMES = [
    "event", "timestamp", "certificate_id", "verdict", "reason", "pillar", "vector", "governor", "route", "method",
    "host", "port", "peer", "org_id", "status", "latency_ms", "body_bytes", "log_seq", "parent", "request_id",
    "trace_id", "sni", "alpn", "ech", "detail",
]  # fmt: skip


def written(decision: Decision, status: int | None, detail: str | None = None) -> dict:
    lines: list[bytes] = []
    DecisionLog(lines.append, FakeClock()).decided(decision, status, detail=detail)
    assert len(lines) == 1
    assert lines[0].endswith(b"\n")
    return json.loads(lines[0])


def test_names_are_constant() -> None:
    """A log query written today works for every kind of decision."""
    exchange = exchange_of()
    bare = Decision(exchange=exchange, verdict=Verdict(outcome=Outcome.FAIL_CLOSED, reason="x"), certificate=None)
    verdict = Verdict(outcome=Outcome.ALLOW, reason="ok")
    draft = draft_of(exchange, verdict, latency=0.001, timestamp="2026-04-16T14:22:03.847Z")
    full = Decision(exchange=exchange, verdict=verdict, certificate=drive(FakeSink().record(draft)))
    assert list(written(bare, None)) == list(written(full, 200, "x")) == NAMES
    lines: list[bytes] = []
    DecisionLog(lines.append, FakeClock()).turned_away("10.1.2.3", "acme", refuse("overload", "no"), None, 503)
    assert list(json.loads(lines[0])) == NAMES


def test_nothing_secret_is_logged() -> None:
    """Neither path nor query nor header reaches the log."""
    request = request_of(target=b"/v1/SECRET?key=SECRET", headers=Headers.of([(b"Authorization", b"SECRET")]))
    exchange = exchange_of(replace(request, request_id="req-1", trace_id="ab" * 16))
    decision = Decision(exchange=exchange, verdict=Verdict(outcome=Outcome.BLOCK, reason="no"), certificate=None)
    line = written(decision, 451)
    assert "SECRET" not in json.dumps(line)
    assert (line["request_id"], line["trace_id"], line["status"]) == ("req-1", "ab" * 16, 451)


def test_rejected_bytes_have_a_line_of_their_own() -> None:
    """Garbage is counted and told, without repeating it."""
    lines: list[bytes] = []
    DecisionLog(lines.append, FakeClock()).rejected("10.0.0.1", 400, "bare-lf")
    line = json.loads(lines[0])
    assert (line["event"], line["fault"], line["status"]) == ("rejected", "bare-lf", 400)


def test_a_judges_text_cannot_break_its_line() -> None:
    """Line ends, surrogates and excess are logged as the certificate has them; the answer never fails for it."""
    verdict = Verdict(outcome=Outcome.ALLOW, reason="a\n\ud800" + "b" * 999, pillar="\ud800", governor="g" * 999)
    line = written(Decision(exchange=exchange_of(), verdict=verdict, certificate=None), 200)
    assert line["reason"].startswith("a\ufffd\ufffdb")
    assert (len(line["reason"]), line["pillar"]) == (200, "\ufffd")
    assert len(line["governor"]) <= 253


def test_a_released_request_is_told_in_the_words_of_its_certificate() -> None:
    """Log and journal cannot be read as two different reasons, whatever a judge wrote."""
    verdict = Verdict(
        outcome=Outcome.ALLOW, reason="a\n\ud800" + "b" * 999, pillar="\ud800", vector="v\x00", governor="é" * 300
    )
    exchange = exchange_of()
    draft = draft_of(exchange, verdict, latency=0.001, timestamp="2026-04-16T14:22:03.847Z")
    certificate = drive(FakeSink().record(draft))
    permit = permit_for(exchange, verdict, certificate, (ip_address("192.0.2.1"),))
    line = written(Decision(exchange=exchange, verdict=verdict, certificate=certificate, permit=permit), 200)
    fields = certificate.to_dict()
    names = {"reason": "reason", "pillar": "matched_pillar", "vector": "matched_vector", "governor": "governor"}
    assert {name: line[name] for name in names} == {name: fields[there] for name, there in names.items()}
