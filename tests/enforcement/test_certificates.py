"""Fetching certificates from the proxy: by clients that it serves, and only what is in the journal."""

from __future__ import annotations

import pytest
from twisted.python.failure import Failure

from tests.enforcement.bench import GateBench, PeerTransport
from tests.integration.sidecar import head_of

ID = "cert_9a1b3c5d7e9f0123"
LINE = b'{"certificate_id":"cert_9a1b3c5d7e9f0123"}'


def ask(bench: GateBench, path: str, *, peer: str = "127.0.0.1", method: str = "GET", host: str = "127.0.0.1:3128"):  # type: ignore[no-untyped-def]
    return bench.converse(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), peer=peer)


def answer_of(transport: PeerTransport) -> tuple[int, dict[str, str], bytes]:
    return head_of(transport.value())


def test_one_by_id() -> None:
    """The body is the journal's line and nothing else, so that it verifies as it is."""
    bench = GateBench()
    transport = ask(bench, f"/certificates/{ID}")
    ((what, waiting),) = bench.asked.pending
    assert (what, transport.value()) == (ID, b"")
    waiting.callback(LINE)
    status, fields, body = answer_of(transport)
    assert (status, body) == (200, LINE)
    assert (fields["content-type"], fields["cache-control"]) == ("application/json", "no-store")
    assert bench.sink.certificates == []


def test_the_last_ones() -> None:
    """Lines of the journal, each ended, oldest first."""
    bench = GateBench()
    transport = ask(bench, "/certificates?last=2")
    ((what, waiting),) = bench.asked.pending
    assert what == 2
    waiting.callback([b'{"a":1}', b'{"b":2}'])
    status, fields, body = answer_of(transport)
    assert (status, body) == (200, b'{"a":1}\n{"b":2}\n')
    assert fields["content-type"] == "application/x-ndjson"


def test_head_and_the_next_request_on_the_connection() -> None:
    """HEAD has no body, and the connection goes on."""
    bench = GateBench()
    transport = ask(bench, f"/certificates/{ID}", method="HEAD")
    bench.asked.pending[0][1].callback(LINE)
    assert transport.value().endswith(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(LINE) in transport.value()
    transport.protocol.dataReceived(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert transport.value().endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("name", [ID[:-1], ID + "0", ID.upper(), "..%2f..%2fetc", "cert_9a1b3c5d7e9f01%32", "x/y"])
def test_what_is_no_id_is_not_found(name: str) -> None:
    """Nobody is asked, and nothing of the path is used."""
    bench = GateBench()
    status, _, body = answer_of(ask(bench, f"/certificates/{name}"))
    assert (status, bench.asked.pending) == (404, [])
    assert b"not among the last certificates" in body


def test_an_id_that_is_not_there() -> None:
    """404 says where else to look."""
    bench = GateBench()
    transport = ask(bench, f"/certificates/{ID}")
    bench.asked.pending[0][1].callback(None)
    assert answer_of(transport)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/certificates",
        "/certificates/",
        "/certificates?last=0",
        "/certificates?last=1001",
        "/certificates?last=-1",
        "/certificates?last=5&last=6",
        "/certificates?last=٣",
        "/certificates?first=1",
        f"/certificates/{ID}?last=1",
    ],
)
def test_other_questions_say_how_to_ask(path: str) -> None:
    """400 with the two forms; the journal is not read."""
    bench = GateBench()
    status, _, body = answer_of(ask(bench, path.encode("utf-8").decode("latin-1")))
    assert status == 400
    assert bench.asked.pending == []
    assert b"?last=N" in body or "٣" in path


@pytest.mark.parametrize("path", [f"/certificates/{ID}", "/certificates?last=1"])
def test_strangers_read_nothing(path: str) -> None:
    """Who may not use the proxy may not read what others did through it."""
    bench = GateBench()
    status, _, body = answer_of(ask(bench, path, peer="10.1.2.3"))
    assert (status, bench.asked.pending) == (403, [])
    assert b"EVE_PROXY_ALLOWED_CLIENTS" in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3128", "127.0.0.1.evil.example"])
def test_a_browser_on_this_machine_cannot_be_made_to_read(host: str) -> None:
    """A web site that points its own name at the proxy (DNS rebinding) gets no certificate out of it."""
    bench = GateBench()
    assert answer_of(ask(bench, "/certificates?last=5", host=host))[0] == 403
    assert bench.asked.pending == []


@pytest.mark.parametrize("host", ["localhost:3128", "127.0.0.1", "[::1]:3128", "10.0.0.5:3128", "eve-proxy:3128"])
def test_names_that_nobody_else_can_own(host: str) -> None:
    """Addresses, localhost and names of the own network are fine."""
    bench = GateBench()
    ask(bench, "/certificates?last=5", host=host)
    assert len(bench.asked.pending) == 1


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_read_only(method: str) -> None:
    """There is no way to change or remove one."""
    bench = GateBench()
    assert answer_of(ask(bench, f"/certificates/{ID}", method=method))[0] == 405


def test_a_journal_that_cannot_be_read() -> None:
    """The client hears it, without a path or an errno."""
    bench = GateBench()
    transport = ask(bench, f"/certificates/{ID}")
    bench.asked.pending[0][1].errback(Failure(OSError(5, "Input/output error", "/secret/place")))
    status, _, body = answer_of(transport)
    assert (status, body) == (503, b"the journal cannot be read\n")


def test_a_client_that_left() -> None:
    """An answer for nobody is dropped."""
    bench = GateBench()
    transport = ask(bench, f"/certificates/{ID}")
    transport.protocol.connectionLost(Failure(ConnectionError()))
    bench.asked.pending[0][1].callback(LINE)
    assert transport.value() == b""


def test_absolute_form_is_an_ordinary_request() -> None:
    """`/certificates` of another host is governed and forwarded like any other path."""
    bench = GateBench()
    bench.converse(b"GET http://api.example.com/certificates?last=1 HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    assert len(bench.dialler.sent) == 1
    assert bench.asked.pending == []
