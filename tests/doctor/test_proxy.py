"""The proxy as a client sees it: which certificates are believed, and why."""

from __future__ import annotations

import json

import pytest

from eve_proxy.doctor import messages
from eve_proxy.doctor.proxy import Certified, Trust, head_complete
from eve_proxy.doctor.reply import read_reply
from eve_proxy.signing.private_key import Ed25519Signer
from tests.doctor.bench import PROXY, REFUSED, SECRET, Bench, said
from tests.fakes.keys import ed25519


def ask(bench: Bench, token: str = "00000000000000aa", asked: str | None = None) -> Certified | None:
    """A request with ``token``, and the certificate when ``asked`` (the same) is looked for."""
    heard = bench.proxy.send(messages.get("http://web.example/", "web.example", token), head_complete)
    return bench.proxy.certified(read_reply(heard.data), asked or token)


@pytest.mark.parametrize(
    ("bench", "trust"),
    [
        (Bench(key=SECRET), Trust.GIVEN),
        (Bench(signer=Ed25519Signer(ed25519())), Trust.PUBLISHED),
        (Bench(), Trust.RECORDED),
        (Bench(key=b"another secret, of 32 bytes at least"), Trust.RECORDED),
    ],
    ids=["given", "published", "recorded", "another key"],
)
def test_why_it_is_believed(bench: Bench, trust: Trust) -> None:
    """By the key that was given, by the published one, or because the journal has it."""
    bench.proxy.meet()
    found = ask(bench)
    assert found is not None
    assert (found.trust, found.proven) == (trust, True)
    assert (bench.proxy.reachable, bench.proxy.admits) == (True, True)


def test_a_certificate_that_nobody_vouches_for() -> None:
    """Not in the journal, and no key: it only claims."""
    bench = Bench()
    bench.proxy.meet()
    bench.daemon.unrecorded = True
    heard = bench.proxy.send(messages.get("http://web.example/", "web.example", "a" * 16), head_complete)
    bench.daemon.lines.clear()
    found = bench.proxy.certified(read_reply(heard.data), "a" * 16)
    assert found is not None
    assert (found.trust, found.proven) == (Trust.CLAIMED, False)


def test_a_wrong_signature() -> None:
    """The key's id and another signature: forged, whatever the journal says."""
    bench = Bench(key=SECRET)
    bench.proxy.meet()

    def forge(header: str) -> str:
        fields = json.loads(header)
        fields["signature"] = "hmac-" + "0" * 64
        return json.dumps(fields, separators=(",", ":"))

    bench.daemon.stamped = forge
    found = ask(bench)
    assert found is not None
    assert found.trust is Trust.FORGED


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.replace('"allow"', '"block"'),
        lambda header: header.replace(",", ", "),
        lambda header: "{}",
        lambda header: "\xff",
    ],
)
def test_what_was_changed_is_none(change) -> None:  # type: ignore[no-untyped-def]
    """A value, a space, another document: no certificate."""
    bench = Bench(key=SECRET)
    bench.daemon.stamped = change
    bench.proxy.meet()
    assert ask(bench) is None


def test_another_requests_certificate_is_none() -> None:
    """Who answers with a certificate that was good once is not taken for the proxy."""
    bench = Bench(key=SECRET)
    bench.proxy.meet()
    assert ask(bench, asked="00000000000000bb") is None


def test_nobody_is_there() -> None:
    """Refused: not reachable, and nothing is known."""
    bench = Bench()
    bench.network.streams[PROXY] = REFUSED
    bench.proxy.meet()
    assert (bench.proxy.reachable, bench.proxy.admits) == (False, False)
    assert bench.proxy.recorded() is None
    assert bench.proxy.page("/healthz") is None


def test_something_else_is_there() -> None:
    """Records that are none are no records."""
    bench = Bench()
    bench.daemon.pages["/certificates?last=1000"] = said(200, b"hello\n")
    assert bench.proxy.recorded() is None


def test_pages_are_asked_for_as_localhost() -> None:
    """The proxy refuses names that a web page could have made up."""
    bench = Bench()
    bench.proxy.meet()
    assert all(b"\r\nHost: localhost\r\n" in data for _, _, data in bench.network.sent)
