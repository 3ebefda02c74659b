"""The rule ``sni`` by itself."""

from __future__ import annotations

import json

import pytest

from eve_proxy.decision.drafting import draft_of
from eve_proxy.enforcement.server_name import ACCESS_DENIED, objection, shown
from eve_proxy.model.authority import parse_authority
from eve_proxy.model.verdict import Outcome, refuse
from eve_proxy.signing.seal import header_value
from eve_proxy.wire.client_hello import ClientHello, ClientHelloReader, NotTls, Seen
from tests.fakes.client_hello import client_hello
from tests.fakes.ports import FakeSink, drive, exchange_of, request_of


def hello(sni: str | None, *, ech: bool = False, alpn: tuple[bytes, ...] = ()) -> ClientHello:
    return ClientHello(sni=sni, alpn=alpn, ech=ech, versions=(0x0304,))


ACCEPTED: list[tuple[str, Seen]] = [
    ("api.example.com:443", hello("api.example.com")),
    ("API.Example.com.:443", hello("api.example.com")),
    ("bücher.example:443", hello("xn--bcher-kva.example")),
    # GREASE, as browsers send it to everybody, or ECH whose outer name is what was judged.
    ("api.example.com:443", hello("api.example.com", ech=True)),
    ("93.184.216.34:443", hello(None)),
    ("[2606:2800::1]:443", hello(None)),
]
REFUSED: list[tuple[str, Seen, bytes, str]] = [
    ("api.example.com:443", hello("evil.example"), b"", "names evil.example, not the host"),
    ("api.example.com:443", hello("example.com"), b"", "names example.com, not the host"),
    ("api.example.com:443", hello("x.api.example.com"), b"", "names x.api.example.com, not the host"),
    ("api.example.com:443", hello(None), b"", "names no host"),
    ("api.example.com:443", hello(None, ech=True), b"", "names no host"),
    # The outer name of a real ECH is the front's, not the origin's.
    ("api.example.com:443", hello("cloudflare-ech.com", ech=True), b"", "names cloudflare-ech.com"),
    ("93.184.216.34:443", hello("api.example.com"), b"", "names api.example.com, not the host"),
    ("93.184.216.34:443", hello(None, ech=True), b"", "no name in the clear"),
    ("api.example.com:443", NotTls(reason="not TLS"), b"SSH-2.0-x\r\n", "not TLS (it looks like SSH)"),
    ("93.184.216.34:443", NotTls(reason="not TLS"), b"GET / HTTP/1.1\r\n", "not TLS (it looks like HTTP)"),
    (
        "api.example.com:443",
        NotTls(reason="half"),
        b"\x16\x03\x01\x02\0",
        "no acceptable ClientHello in the tunnel: half",
    ),
    ("api.example.com:443", NotTls(reason="no complete ClientHello in time"), b"", "no complete ClientHello in time"),
]


@pytest.mark.parametrize(("authority", "seen"), ACCEPTED)
def test_what_is_as_judged_travels(authority: str, seen: Seen) -> None:
    """A client that names the host it was allowed gets its tunnel, however it spelled it in CONNECT."""
    assert objection(parse_authority(authority, None), seen, b"") is None


@pytest.mark.parametrize(("authority", "seen", "first", "part"), REFUSED)
def test_what_is_not_is_refused(authority: str, seen: Seen, first: bytes, part: str) -> None:
    """The refusal is a local one, by the rule's name, and says what was wrong."""
    verdict = objection(parse_authority(authority, None), seen, first)
    assert verdict is not None
    assert (verdict.outcome, verdict.pillar, verdict.vector) == (Outcome.BLOCK, "local", "sni")
    assert part in verdict.reason
    assert len(verdict.reason) <= 200


def test_what_is_shown_is_bounded_and_printable() -> None:
    """A client chooses its protocol names; a log line and a certificate hold only so much, and nothing that acts."""
    alpn = tuple([bytes((27,)) + bytes((number,)) * 254 for number in range(100)])
    assert shown(hello("a.example", alpn=(b"h2", b"\x1b[2J"), ech=True)) == {
        "sni": "a.example", "alpn": ["h2", "\ufffd[2J"], "ech": True,
    }  # fmt: skip
    assert len(json.dumps(shown(hello("a.example", alpn=alpn)))) < 600
    assert shown(NotTls(reason="x")) == {"sni": None, "alpn": None, "ech": None}


def test_the_largest_refusal_fits_a_header() -> None:
    """Whatever a client names, its certificate can be delivered like any other (evidence.md, 4,096 bytes)."""
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    data = client_hello(name, alpn=[b"\xff" * 255] * 20, ech=True)
    seen = ClientHelloReader().feed(data)
    assert isinstance(seen, ClientHello)
    request = request_of(f"{name[:-1]}c:443", method="M" * 32, request_id="\U0001f600" * 128)
    verdict = objection(request.authority, seen, data)
    assert verdict is not None
    draft = draft_of(
        exchange_of(request, org_id="\U0001f600" * 20 + "x" * 100, caller="y" * 128),
        verdict,
        latency=1.2345,
        timestamp="2026-04-16T14:22:03.847Z",
        parent="cert_00000000000000aa",
        record={"tunnel": dict(shown(seen))},
    )
    assert len(header_value(drive(FakeSink().record(draft)))) < 4096


def test_the_alert_is_one_that_tls_knows() -> None:
    """The client's library reads: fatal, access denied (RFC 8446 section 6)."""
    assert bytes((21, 3, 3, 0, 2, 2, 49)) == ACCESS_DENIED


def test_the_rules_name_is_reserved() -> None:
    """No plugin may sign its refusals with it."""
    from eve_proxy.policy.mandatory import RESERVED_RULES

    assert refuse("sni", "x").vector in RESERVED_RULES
