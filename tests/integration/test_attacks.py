"""Attacks on a real daemon; a recording origin is the judge of what left."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.origin import Origin, echo, raw, respond
from tests.integration.client import pause
from tests.integration.sidecar import Sidecar, head_of, until

CERTIFICATE = "x-eve-decision-cert"


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with Sidecar(tmp_path_factory.mktemp("sidecar"), EVE_PROXY_BLOCKED_HOSTS="blocked.example") as running:
        yield running
        assert "Traceback" not in running.output


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """No network is permitted beyond the defaults."""
    with Sidecar(tmp_path_factory.mktemp("guarded"), EVE_PROXY_ALLOWED_NETWORKS=None) as running:
        yield running


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


def get(netloc: str, *fields: str, method: str = "GET", path: str = "/") -> bytes:
    lines = [f"{method} http://{netloc}{path} HTTP/1.1", "Host: ignored.example", *fields, "", ""]
    return "\r\n".join(lines).encode()


HIDDEN = b"GET http://%b/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
AMBIGUOUS = {
    "length and encoding": (("Content-Length: 4", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    "encoding and length": (("Transfer-Encoding: chunked", "Content-Length: 4"), b"0\r\n\r\n"),
    "two lengths": (("Content-Length: 0", "Content-Length: 4"), b"abcd"),
    "equal lengths": (("Content-Length: 4", "Content-Length: 4"), b"abcd"),
    "a list of lengths": (("Content-Length: 4, 4",), b"abcd"),
    "a signed length": (("Content-Length: +4",), b"abcd"),
    "a hexadecimal length": (("Content-Length: 0x4",), b"abcd"),
    "another coding": (("Transfer-Encoding: gzip, chunked",), b"0\r\n\r\n"),
    "identity": (("Transfer-Encoding: identity",), b""),
    "two codings": (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    "a tab before": (("Transfer-Encoding:\x0bchunked",), b"0\r\n\r\n"),
    "a space before the colon": (("Content-Length : 4",), b"abcd"),
    "a folded field": (("X: y\r\n Content-Length: 4",), b"abcd"),
    "a bare LF": (("X: y\nContent-Length: 4",), b"abcd"),
    "a bare CR": (("X: y\rContent-Length: 4",), b"abcd"),
    "NUL": (("X: y\0z",), b""),
    "named by Connection": (("Content-Length: 4", "Connection: content-length"), b"abcd"),
    "a trailer": (("Transfer-Encoding: chunked",), b"0\r\nContent-Length: 4\r\n\r\n"),
    "a signed chunk": (("Transfer-Encoding: chunked",), b"+0\r\n\r\n"),
    "a prefixed chunk": (("Transfer-Encoding: chunked",), b"0x0\r\n\r\n"),
    "an LF chunk": (("Transfer-Encoding: chunked",), b"0\n\n"),
    "an overlong chunk": (("Transfer-Encoding: chunked",), b"0" * 17 + b"\r\n\r\n"),
    "a chunk without end": (("Transfer-Encoding: chunked",), b"1\r\naXX0\r\n\r\n"),
    "a second Host": (("Host: other",), b""),
    "an expectation": (("Expect: 100-continue, x",), b""),
}


@pytest.mark.parametrize("name", sorted(AMBIGUOUS))
def test_nothing_ambiguous_leaves(sidecar: Sidecar, origin: Origin, name: str) -> None:
    """A message with two readings is refused, and what it hides behind it is never taken for a request."""
    fields, body = AMBIGUOUS[name]
    answer = sidecar.ask(get(origin.netloc, *fields, method="POST") + body + HIDDEN % origin.netloc.encode())
    assert head_of(answer)[0] in (400, 417)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert origin.received == b""


UPSTREAM_TRICKS = {
    "length and encoding": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nabcd",
    "folded": b"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 4\r\n\r\nabcd",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "unasked upgrade": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "endless interim": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100,
    "interim with a body": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nabcdHTTP/1.1 200 OK\r\n\r\n",
    "encoding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "not HTTP": b"220 smtp ready\r\n",
    "version": b"HTTP/2.0 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(UPSTREAM_TRICKS))
def test_an_origin_cannot_split_a_response(sidecar: Sidecar, name: str) -> None:
    """A response with two readings is a 502, the only final answer that the client gets."""
    with Origin(raw(UPSTREAM_TRICKS[name])) as origin:
        answer = sidecar.ask(get(origin.netloc, "Connection: close"))
    finals = [part for part in answer.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit() and part[:1] != b"1"]
    assert [final[:3] for final in finals] == [b"502"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_surplus_is_not_the_next_answer(sidecar: Sidecar, method: str) -> None:
    """What an origin sends beyond its response reaches nobody, neither this client nor the next."""
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + b"real" * (method == "GET")
    with Origin(raw(first + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", close=False)) as origin:
        with sidecar.connect() as connection:
            for _ in range(3):
                connection.sendall(get(origin.netloc, method=method))
                answer = connection.recv(65536)
                assert head_of(answer)[0] == 200
                assert b"poison" not in answer
        assert len(origin.arrivals) == 3


def test_nobody_else_speaks_in_our_name(sidecar: Sidecar) -> None:
    """X-EVE-* of a client stops here, and so does an origin's, trailers included."""
    forged = (
        b"HTTP/1.1 200 OK\r\nX-EVE-Decision-Cert: forged\r\nx-eve-verdict: FORGED\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nX-EVE-Pillar: forged\r\n\r\n"
    )
    with Origin(raw(forged)) as origin:
        answer = sidecar.ask(get(origin.netloc, "X-EVE-Verdict: FORGED", "TE: trailers", "Connection: TE, close"))
        assert b"forged" not in answer.lower()
        assert answer.lower().count(b"x-eve-") == 1
        assert b"x-eve" not in origin.received.lower()


def test_the_certificate_describes_what_left(sidecar: Sidecar) -> None:
    """Whatever a client sends in whatever framing: host, port, method, path and body digest are those that arrived."""
    dice = random.Random(20260416)
    with Origin() as origin, sidecar.connect() as connection:
        start = 0
        for number in range(60):
            method = dice.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "MKCALENDAR"))
            body = dice.randbytes(dice.choice((0, 1, 50, 5000, 70_000)))
            path = f"/{number}?" + "".join(dice.choices("abc%20/?=&;@:!$'()*+,~.-_", k=dice.randrange(60)))
            fields, sent = [f"X-Noise: {dice.randrange(9)}"], body
            if dice.random() < 0.3:
                fields.append("Content-Encoding: " + dice.choice(("gzip", "GZIP", "gzip, identity", "x-gzip")))
                body = sent = gzip.compress(body)
            if dice.random() < 0.5:
                fields.append("Transfer-Encoding: chunked")
                cut = dice.randrange(len(body) + 1)
                pieces = [piece for piece in (body[:cut], body[cut:]) if piece]
                sent = b"".join(b"%x;x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
            else:
                fields.append(f"Content-Length: {len(body)}")
            data = get(origin.netloc, *fields, method=method, path=path) + sent
            cut = dice.randrange(len(data))
            connection.sendall(data[:cut])
            connection.sendall(data[cut:])
            answer = b""
            while not answer.endswith(b"hello from the origin\n"):
                answer += connection.recv(65536)
            certificate = json.loads(head_of(answer)[1][CERTIFICATE])
            arrived = bytes(origin.arrivals[0].data[start:])
            start += len(arrived)
            head, _, arrived_body = arrived.partition(b"\r\n\r\n")
            line, host = head.split(b"\r\n")[:2]
            said = certificate["request"]
            assert line.split(b" ")[0].decode() == said["method"] == method
            assert hashlib.sha256(line.split(b" ")[1]).hexdigest() == said["path_sha256"]
            assert host == f"Host: {said['host']}:{said['port']}".encode() == f"Host: {origin.netloc}".encode()
            assert arrived_body == body
            assert said["body_bytes"] == len(body)
            assert said["body_sha256"] == (hashlib.sha256(body).hexdigest() if body else None)
            assert certificate in sidecar.decisions()
    assert len(origin.arrivals) == 1


LOOPBACK = (
    *(
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
    ),
    *("%31%32%37.0.0.1", "127。0。0。1", "１２７.0.0.1", "0", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]"),
    *(
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST.",
        "127.8.9.1",
    ),
    *("[::ffff:0:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:0001]"),
)


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("connect", [False, True])
def test_loopback_is_denied_in_every_spelling(guarded: Sidecar, origin: Origin, host: str, connect: bool) -> None:
    """No spelling of an address leads where the address itself may not, by URL or by CONNECT."""
    target = f"{host}:{origin.port}"
    request = f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\nearly" if connect else get(target).decode()
    status, _, body = head_of(guarded.ask(request.encode()))
    assert status == 451, body
    assert json.loads(body)["vector"] == "destination"
    assert origin.arrivals == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "0.0.0.0", "0x7f000001", "localhost"])
def test_the_proxy_is_no_destination(sidecar: Sidecar, host: str) -> None:
    """A request for the proxy itself ends in a refusal, even where loopback is permitted."""
    for request in (
        get(f"{host}:{sidecar.port}"),
        f"CONNECT {host}:{sidecar.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    ):
        status, _, body = head_of(sidecar.ask(request))
        assert status == 451
        assert json.loads(body)["vector"] == "destination"


def test_early_tunnel_data_waits_for_the_decision(sidecar: Sidecar) -> None:
    """Bytes sent along with a CONNECT reach an origin after the 200, and a refused CONNECT's reach nobody."""
    with Origin(echo) as origin, sidecar.connect() as connection:
        connection.sendall(f"CONNECT {origin.netloc} HTTP/1.1\r\nHost: x\r\n\r\nearly".encode())
        until(lambda: origin.received == b"early")
        assert any(record["request"]["port"] == origin.port for record in sidecar.decisions())
    refused = sidecar.ask(
        b"CONNECT x.blocked.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" + HIDDEN % origin.netloc.encode()
    )
    assert refused.count(b"HTTP/1.1 ") == 1
    assert b"hidden" not in origin.received


def test_fail_open_opens_nothing_else(tmp_path: Path, origin: Origin) -> None:
    """EVE_PROXY_FAIL_CLOSED=0 with a dead governor: rules, destinations, bounds and parsing stay as they are."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    settings = {
        "EVE_PROXY_FAIL_CLOSED": "0",
        "EVE_PROXY_GOVERNANCE_URL": dead,
        "EVE_PROXY_BLOCKED_HOSTS": "blocked.example",
        "EVE_PROXY_MAX_BODY": "1000",
        "EVE_PROXY_MAX_BUFFERED": "100000",
        "EVE_PROXY_CONNECT_PORTS": "443",
    }
    with Sidecar(tmp_path, **settings) as sidecar:
        opened = sidecar.ask(get(origin.netloc, "Content-Length: 4", "Connection: close", method="POST") + b"abcd")
        assert json.loads(head_of(opened)[1][CERTIFICATE])["verdict"] == "fail_open"
        before = origin.received
        assert before.endswith(b"abcd")
        refused = {
            get("x.blocked.example"): 451,
            get("10.0.0.1"): 451,
            f"CONNECT {origin.netloc} HTTP/1.1\r\nHost: x\r\n\r\n".encode(): 451,
            get(origin.netloc, "Content-Length: 1001", method="POST") + b"x" * 1001: 413,
            get(origin.netloc, "Content-Length: 3", "Content-Encoding: gzip", method="POST") + b"abc": 451,
            get(origin.netloc, "Content-Length: 3", "Content-Length: 3", method="POST") + b"abc": 400,
        }
        for request, status in refused.items():
            assert head_of(sidecar.ask(request))[0] == status, request[:80]
        assert origin.received == before


def test_a_slow_reader_gets_the_whole_download(sidecar: Sidecar) -> None:
    """The last megabytes of a response are not reset away while the client is still reading them."""
    size = 6_000_000
    with Origin(respond(b"x" * size)) as origin, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", sidecar.port))
        connection.sendall(get(origin.netloc, "Connection: close"))
        until(lambda: len(origin.arrivals) == 1)
        got = 0
        # Until only what the kernel holds is left; then nothing is read for longer than the proxy lingers.
        while got < size - 1_500_000:
            got += len(connection.recv(65536))
        pause(6)
        while piece := connection.recv(65536):
            got += len(piece)
    assert got > size


def test_a_pipeline_whose_answers_nobody_reads_stays_small(sidecar: Sidecar) -> None:
    """Requests in a row are not answered into memory without bound; the rest waits until the client reads."""
    with Origin(respond(b"y" * 60_000)) as origin, sidecar.connect() as connection:
        connection.sendall(get(origin.netloc) * 2000)
        until(lambda: len(origin.arrivals) == 1)
        pause(2)
        mine = sum(record["request"]["port"] == origin.port for record in sidecar.decisions())
        assert 0 < mine < 500


def test_a_pipeline_of_health_checks(sidecar: Sidecar) -> None:
    """A flood of requests that are answered at once costs answers, not the stack."""
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answers = sidecar.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 1500 + last)
    assert answers.count(b"HTTP/1.1 200 OK") == 1501
    assert head_of(sidecar.ask(last.replace(b"Host: a", b"Host: a\r\nContent-Length: 99999999")))[0] == 200


def test_storms_leave_nothing_behind(sidecar: Sidecar, origin: Origin) -> None:
    """Clients that vanish in every state leave no descriptor, no traceback and no stuck connection."""
    descriptors = Path(f"/proc/{sidecar.process.pid}/fd")
    with Origin(echo) as tunnel:
        connect = f"CONNECT {tunnel.netloc} HTTP/1.1\r\nHost: x\r\n\r\nearly".encode()
        storm = (
            get(origin.netloc, "Content-Length: 50", method="POST") + b"abc",
            get(origin.netloc, "Content-Length: 3", method="POST") + b"abc",
            get(origin.netloc, "Expect: 100-continue", "Content-Length: 9", method="POST"),
            get(origin.netloc) * 5,
            connect,
            b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\nHost: a\n\n",
            get("10.0.0.1"),
            get(origin.netloc, "Content-Length: 99999999", method="POST") + b"x" * 100_000,
        )
        before = len(os.listdir(descriptors))
        for number in range(270):
            with sidecar.connect(timeout=0.1) as connection:
                try:
                    connection.sendall(storm[number % len(storm)])
                    if number % 4 == 1:
                        connection.recv(100)
                except OSError:
                    pass
                if number % 3:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A few more are the pool's, and the pipes that the tunnels used.
        until(lambda: len(os.listdir(descriptors)) <= before + 20, timeout=20)
