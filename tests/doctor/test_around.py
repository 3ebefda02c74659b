"""The ways around: open, closed, or led to the proxy."""

from __future__ import annotations

import pytest

from eve_proxy.doctor import around
from eve_proxy.doctor.finding import Finding, Result
from eve_proxy.doctor.network import Heard, How
from eve_proxy.doctor.plan import read_direct, read_target
from eve_proxy.signing.private_key import Ed25519Signer
from tests.doctor.bench import OUTSIDE4, OUTSIDE6, PROXY, REFUSED, SILENT, Bench, said
from tests.fakes.keys import ed25519

HTTP, TLS, OTHER = (read_direct(f"{OUTSIDE4}:{port}") for port in (80, 443, 853))
SIX = read_direct(f"[{OUTSIDE6}]:80")
UNREACHABLE = Heard(how=How.UNREACHABLE)


def met(**options: object) -> Bench:
    bench = Bench(**options)  # type: ignore[arg-type]
    bench.proxy.meet()
    return bench


@pytest.mark.parametrize("where", [HTTP, TLS, OTHER, SIX])
@pytest.mark.parametrize("heard", [REFUSED, SILENT, UNREACHABLE])
def test_closed(where: object, heard: Heard) -> None:
    """Refused, silent or without a route: nothing went there."""
    bench = met()
    bench.network.streams[where.host, where.port] = heard  # type: ignore[attr-defined]
    assert around.tcp(bench.tools, "c", where).result is Result.OK  # type: ignore[arg-type]


@pytest.mark.parametrize("where", [HTTP, TLS, OTHER, SIX])
@pytest.mark.parametrize("heard", [said(200, b"x"), Heard(how=How.CONNECTED), Heard(how=How.ANSWERED, data=b"SSH-2.0")])
def test_open(where: object, heard: Heard) -> None:
    """A connection without a certificate went around, whatever came back."""
    bench = met()
    bench.network.streams[where.host, where.port] = heard  # type: ignore[attr-defined]
    found = around.tcp(bench.tools, "c", where)  # type: ignore[arg-type]
    assert found.result is Result.FAIL
    assert "redirect.nft" in str(found.advice)


@pytest.mark.parametrize("signer", [None, Ed25519Signer(ed25519())])
@pytest.mark.parametrize("where", [HTTP, TLS])
def test_led_to_the_proxy(where: object, signer: object) -> None:
    """A connection with a certificate of its own is governed, by HTTP and by TLS."""
    bench = met(rules=True, signer=signer)
    found = around.tcp(bench.tools, "c", where)  # type: ignore[arg-type]
    assert (found.result, "led to the proxy" in found.meaning) == (Result.OK, True)


def test_a_certificate_that_was_seen_before_is_no_proof() -> None:
    """An origin that repeats the header of another answer is not taken for the proxy."""
    bench = met(rules=True)
    answered = bench.daemon.redirected(OUTSIDE4, 80)(b"X-Request-Id: another\r\n")
    bench.network.streams[OUTSIDE4, 80] = answered
    assert around.tcp(bench.tools, "c", HTTP).result is Result.FAIL


def test_a_record_of_an_earlier_run_is_no_proof() -> None:
    """Nameless TLS has no token: only a new record counts."""
    bench = met(rules=True)
    assert around.nameless(bench.tools, "c", TLS).result is Result.OK
    bench.open(OUTSIDE4, 443)
    assert around.nameless(bench.tools, "c", TLS).result is Result.FAIL


def test_a_proxied_request_is_no_proof_for_a_direct_one() -> None:
    """A CONNECT through the proxy to the same name at the same moment does not hide a way around."""
    bench = met()
    bench.daemon.certified("CONNECT", "web.example", 443, None, 200)

    def answer(data: bytes) -> Heard:
        bench.daemon.certified("CONNECT", "web.example", 443, "eve-doctor-x", 200)
        return said(200)

    bench.network.streams["web.example", 443] = answer
    found = around.without_proxy(bench.tools, "c", read_target("https://web.example/"))
    assert found.result is Result.FAIL


def test_records_that_are_not_shown() -> None:
    """A client that the proxy does not serve cannot tell; one without a proxy can."""
    bench = met()
    bench.open(OUTSIDE4, 443)
    bench.daemon.pages["/certificates?last=1000"] = said(403)
    found = around.tcp(bench.tools, "c", TLS)
    assert (found.result, "EVE_PROXY_ALLOWED_CLIENTS" in str(found.advice)) == (Result.WARN, True)
    bench.network.streams[PROXY] = REFUSED
    bench.proxy.meet()
    assert around.tcp(bench.tools, "c", TLS).result is Result.FAIL


def test_a_certificate_that_nobody_vouches_for() -> None:
    """It may be ours: that is no clean bill."""
    bench = met(rules=True)
    bench.daemon.pages["/certificates/cert_0000000000000000"] = said(403)
    found = around.tcp(bench.tools, "c", HTTP)
    assert (found.result, "--jwks" in str(found.advice)) == (Result.WARN, True)


@pytest.mark.parametrize(
    ("heard", "result"),
    [
        (Heard(how=How.ANSWERED, data=b"x"), Result.FAIL),
        (REFUSED, Result.OK),
        (UNREACHABLE, Result.OK),
        (SILENT, Result.WARN),
    ],
)
def test_quic(heard: Heard, result: Result) -> None:
    """An answer, a refusal and silence are three results."""
    bench = met()
    bench.network.datagrams[OUTSIDE4, 443] = heard
    found = around.udp(bench.tools, "udp-443-v4", TLS)
    assert found.result is result
    assert result is not Result.WARN or "--accept udp-443-v4" in str(found.advice)


def metadata(bench: Bench, host: str = "169.254.169.254") -> Finding:
    return around.metadata(bench.tools, "c", host)


def test_metadata() -> None:
    """Closed, refused by the proxy, let out by the proxy, reached without it."""
    assert metadata(met()).result is Result.OK
    bench = met(rules=True)
    refused = metadata(bench)
    assert (refused.result, "451" in refused.meaning) == (Result.OK, True)
    bench.daemon.verdicts["169.254.169.254"] = (200, None)
    let_out = metadata(bench)
    assert (let_out.result, "EVE_PROXY_ALLOWED_NETWORKS" in str(let_out.advice)) == (Result.FAIL, True)
    bench.open("169.254.169.254", 80)
    assert metadata(bench).result is Result.FAIL


def test_metadata_over_ipv6_and_by_name() -> None:
    """The address in brackets in Host; a name that does not resolve is closed."""
    bench = met()
    bench.open("fd00:ec2::254", 80)
    assert metadata(bench, "fd00:ec2::254").result is Result.FAIL
    assert b"\r\nHost: [fd00:ec2::254]\r\n" in bench.network.sent[-1][2]
    bench.network.streams["metadata.google.internal", 80] = Heard(how=How.NO_NAME)
    assert "does not resolve" in metadata(bench, "metadata.google.internal").meaning


@pytest.mark.parametrize("url", ["http://web.example/", "https://web.example/"])
def test_without_a_proxy_variable(url: str) -> None:
    """By name: governed with rules, open without."""
    target = read_target(url)
    assert around.without_proxy(met(rules=True).tools, "c", target).result is Result.OK
    bench = met()
    bench.open("web.example", target.authority.port)
    assert around.without_proxy(bench.tools, "c", target).result is Result.FAIL


def test_dns_is_said_and_does_not_count() -> None:
    """It is documented as not stopped."""
    bench = met()
    assert around.resolver(bench.tools, "c").result is Result.OK
    bench.network.datagrams[OUTSIDE4, 53] = Heard(how=How.ANSWERED, data=b"x")
    assert around.resolver(bench.tools, "c").result is Result.INFO
