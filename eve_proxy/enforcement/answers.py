"""The answers of evidence.md, "What is certified, and how it is answered": one table, every route."""

from __future__ import annotations

from http import HTTPStatus

import orjson

from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.signing.seal import header_value
from eve_proxy.transport.downstream import Downstream
from eve_proxy.wire.events import RequestHead

CERTIFICATE_FIELD = b"X-EVE-Decision-Cert"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n"
_RETRY_AFTER = frozenset((429, 503))
_JSON = b"application/json"
_TEXT = b"text/plain; charset=utf-8"
Fields = list[tuple[bytes, bytes]]


def stamp(certificate: DecisionCertificate) -> Fields:
    """The fields that deliver a certificate."""
    return [(CERTIFICATE_FIELD, header_value(certificate))]


def refusal(verdict: Verdict, certificate: DecisionCertificate | None, *, head_only: bool = False) -> tuple[int, bytes]:
    """Status and bytes of the answer to a verdict without permit; the connection ends with it.

    :param head_only: the request was HEAD: the body is announced and left out (RFC 9110 section 9.3.2).
    """
    status = status_of(verdict)
    fields: Fields = []
    if verdict.status is not None or certificate is None:
        kind, body = _TEXT, f"{verdict.reason}\n".encode(errors="replace")
        if verdict.status == 413:
            body = body.rstrip(b"\n")
    else:
        kind, body = _JSON, _five_keys(verdict, certificate)
        fields.append((b"X-EVE-Verdict", _title(verdict)))
        fields.append((b"X-EVE-Pillar", _latin(verdict.pillar)))
    if certificate is not None:
        fields += stamp(certificate)
    if status in _RETRY_AFTER:
        fields.append((b"Retry-After", b"1"))
    return status, render(status, kind, body, fields, head_only=head_only)


def status_of(verdict: Verdict) -> int:
    """451 for a veto, 503 for a failure, or what the refusal says itself (403, 413, 429, 503)."""
    if verdict.status is not None:
        return verdict.status
    return 451 if verdict.outcome is Outcome.BLOCK else 503


def upstream_error(detail: str, certificate: DecisionCertificate, *, head_only: bool) -> bytes:
    """502 after an allow, with the allow's certificate."""
    return render(502, _TEXT, f"upstream error: {detail}".encode(), stamp(certificate), head_only=head_only)


def text(status: int, message: str, fields: Fields | None = None, *, head_only: bool = False) -> bytes:
    """An uncertified answer that ends the connection."""
    return render(status, _TEXT, f"{message}\n".encode(), fields or [], head_only=head_only)


def render(
    status: int, kind: bytes, body: bytes, fields: Fields, *, head_only: bool = False, keep: bool = False
) -> bytes:
    """A complete response of our own."""
    reason = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {reason}".encode("ascii"), b"Content-Type: " + kind]
    lines.append(b"Content-Length: %d" % len(body))
    lines += [name + b": " + value for name, value in fields]
    lines.append(b"Connection: keep-alive" if keep else b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else body)


def serve(client: Downstream, head: RequestHead, kind: bytes, body: bytes, fields: Fields) -> None:
    """Answer a request that was addressed to us; the connection goes on if it can, and the answer says which."""
    keep = client.may_continue
    client.answer(render(200, kind, body, fields, head_only=head.request.method == "HEAD", keep=keep), keep=keep)


def established(certificate: DecisionCertificate) -> bytes:
    """The 200 that opens a tunnel (RFC 9110 section 9.3.6: no Content-Length, no Transfer-Encoding)."""
    return ESTABLISHED + b"".join([b"%b: %b\r\n" % field for field in stamp(certificate)]) + b"\r\n"


def _five_keys(verdict: Verdict, certificate: DecisionCertificate) -> bytes:
    draft = certificate.draft
    return orjson.dumps(
        {
            "status": _title(verdict).decode("ascii"),
            "reason": draft.reason,
            "pillar": draft.matched_pillar,
            "vector": draft.matched_vector,
            "certificate": orjson.Fragment(certificate.line),
        }
    )


def _title(verdict: Verdict) -> bytes:
    return verdict.outcome.value.upper().encode("ascii")


def _latin(value: str | None) -> bytes:
    # A pillar comes from the decision service: only what a header may hold gets into one.
    return "".join([c for c in value or "" if "!" <= c <= "~"]).encode("ascii")
