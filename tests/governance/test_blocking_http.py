"""One question over a socket: sent whole, read strictly, in its time. A script on a Unix socket is the service."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eve_proxy.governance.address import parse_governance_url
from eve_proxy.governance.blocking_http import BlockingHttp, load_client_context
from eve_proxy.model.errors import GovernorMisbehaved, GovernorUnavailable
from eve_proxy.model.headers import Headers
from eve_proxy.system import SystemClock

HEADERS = Headers.of([(b"Content-Type", b"application/json")])
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
# What one connection does: each item answers one question; a callable is given the connection.
Script = list[bytes | Callable[[socket.socket], object]]


class Service:
    """Plays one script for each connection, in order, then closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.scripts: list[Script] = []
        self.heads: list[bytes] = []
        self.closed = threading.Semaphore(0)
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            with connection:
                for step in self.scripts.pop(0):
                    if not self.read(connection):
                        break
                    try:
                        step(connection) if callable(step) else connection.sendall(step)
                    except OSError:
                        break
            self.closed.release()

    def read(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(rest)
        while left:
            left -= len(connection.recv(min(left, 65536)))
        self.heads.append(head)
        return True


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path / "gov.sock")
    yield made
    made.listening.shutdown(socket.SHUT_RDWR)
    made.listening.close()


@pytest.fixture
def http(service: Service) -> Iterator[BlockingHttp]:
    made = BlockingHttp(parse_governance_url(f"unix:{service.path}"), clock=SystemClock(), tls=None)
    yield made
    made.close()


def ask(http: BlockingHttp, body: bytes = b"{}", seconds: float = 20) -> tuple[int, bytes]:
    status, _, answer = http.call("/v1/decisions/evaluate", HEADERS, body, seconds)
    return status, answer


def test_asks_and_keeps_the_connection(service: Service, http: BlockingHttp) -> None:
    """One connection serves many questions; a large one is sent whole."""
    service.scripts = [[GOOD, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", GOOD]]
    assert [ask(http), ask(http), ask(http, b"x" * 3_000_000)] == [(200, b"{}"), (503, b""), (200, b"{}")]
    assert service.heads[0] == (
        b"POST /v1/decisions/evaluate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2"
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
    ],
)
def test_every_framing_is_understood(service: Service, http: BlockingHttp, answer: bytes) -> None:
    """Chunked, until the end of the connection, after a 1xx."""
    service.scripts = [[answer]]
    assert ask(http) == (200, b"{}")


@pytest.mark.parametrize("fresh", [False, True])
def test_an_idle_connection_that_was_closed_is_tried_once_more(
    service: Service, http: BlockingHttp, fresh: bool
) -> None:
    """The service may close what is idle; a fresh connection that ends without an answer is a failure."""
    service.scripts = [[GOOD], [GOOD if fresh else lambda _: None]]
    ask(http)
    assert service.closed.acquire(timeout=20)
    if fresh:
        assert ask(http) == (200, b"{}")
    else:
        with pytest.raises(GovernorUnavailable, match="without a response"):
            ask(http)


def test_connections_that_must_not_be_kept_are_closed(service: Service, http: BlockingHttp) -> None:
    """``Connection: close``, and bytes that nobody asked for."""
    for answer in (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", GOOD + b"HTTP/1.1 200 OK"):
        service.scripts = [[answer, GOOD], [GOOD]]
        assert ask(http) == (200, b"{}")
        assert service.closed.acquire(timeout=20)
        assert http._idle == []
        service.scripts = []


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", GovernorMisbehaved, "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", GovernorMisbehaved, "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", GovernorUnavailable, "before the end"),
        (b"HTTP/1.1 200 OK\r\nContent-", GovernorUnavailable, "inside a response head"),
        (b"", GovernorUnavailable, "without a response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000, GovernorMisbehaved, "1 MiB"),
    ],
)
def test_what_is_no_answer_is_said(
    service: Service, http: BlockingHttp, answer: bytes, kind: type[Exception], said: str
) -> None:
    """Nothing that is not whole, strict HTTP of a bounded size is believed."""
    service.scripts = [[answer]]
    with pytest.raises(kind, match=said):
        ask(http)
    assert http._idle == []


def test_a_connection_with_a_bad_answer_is_closed(service: Service, http: BlockingHttp) -> None:
    """The service sees the end, and no descriptor is left behind."""
    ends: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"nonsense\r\n\r\n")
        connection.settimeout(5)
        ends.append(connection.recv(1))

    service.scripts = [[answer]]
    try:
        http.call("/", HEADERS, b"", 20)
    except GovernorMisbehaved as error:
        kept = error  # its traceback keeps the socket alive, as a caller's log might
    assert service.closed.acquire(timeout=20)
    assert (ends, str(kept)[:18]) == ([b""], "governance service")


def test_a_hanging_service_costs_its_time_and_no_more(service: Service, http: BlockingHttp) -> None:
    """The thread is free again when the time is up."""
    release = threading.Event()
    service.scripts = [[lambda _: release.wait(20)]]
    with pytest.raises(GovernorUnavailable, match="no answer in time"):
        ask(http, seconds=0.05)
    release.set()


def test_a_dripping_service_costs_its_time_and_no_more(service: Service, http: BlockingHttp) -> None:
    """A byte now and then does not buy a service more time."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        for position in range(len(GOOD)):
            connection.sendall(GOOD[position : position + 1])
            if stop.wait(0.02):
                return

    service.scripts = [[drip]]
    with pytest.raises(GovernorUnavailable, match="no answer in time"):
        ask(http, seconds=0.1)
    stop.set()


def test_no_time_is_no_question(service: Service, http: BlockingHttp) -> None:
    """Nothing is sent that could not be answered in time."""
    service.scripts = [[GOOD]]
    with pytest.raises(GovernorUnavailable, match="in time"):
        ask(http, seconds=0)
    assert service.heads == []


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    """The certificate's reason names the failure."""
    http = BlockingHttp(parse_governance_url(f"unix:{tmp_path}/none.sock"), clock=SystemClock(), tls=None)
    with pytest.raises(GovernorUnavailable, match="No such file"):
        ask(http)


def test_nothing_breaks_out_of_the_request_head(http: BlockingHttp) -> None:
    """A line end in a header or path is a defect that must not be sent."""
    for path, value in (("/a b", b"x"), ("/a\r\nb", b"x"), ("/a", b"x\r\nEvil: 1")):
        with pytest.raises(ValueError, match="request head"):
            http.call(path, Headers.of([(b"X", value)]), b"", 1)


def test_a_forked_child_forgets_the_parents_connections(service: Service, http: BlockingHttp) -> None:
    """Two processes on one connection would read each other's answers."""
    service.scripts = [[GOOD]]
    ask(http)
    http._lock.acquire()
    http.forget()
    assert http._idle == []


def test_few_connections_are_kept(http: BlockingHttp) -> None:
    """A burst does not leave a hundred open connections behind."""
    pairs = [socket.socketpair() for _ in range(20)]
    for ours, _ in pairs:
        http._keep(ours)
    assert len(http._idle) == 16
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_tls_exactly_where_the_address_says() -> None:
    """A defect of the composition shows at once."""
    with pytest.raises(ValueError, match="TLS settings"):
        BlockingHttp(parse_governance_url("https://gov.example"), clock=SystemClock(), tls=None)
    with pytest.raises(ValueError, match="TLS settings"):
        BlockingHttp(parse_governance_url("http://127.0.0.1:1"), clock=SystemClock(), tls=load_client_context())


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    """The variable is named, nothing of the file's content is."""
    bad = tmp_path / "bad.pem"
    bad.write_text("secret content")
    for files in ({"ca": bad}, {"cert": bad, "key": bad}):
        with pytest.raises(ValueError, match="EVE_PROXY_GOVERNANCE_C") as caught:
            load_client_context(**files)
        assert "secret" not in str(caught.value)
