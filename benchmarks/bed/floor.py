"""The least Python that does a governed request's work, to see what the sidecar's own code adds to it.

    python benchmarks/bed/floor.py ORIGIN_PORT GOVERNOR_PORT JOURNAL

Llhttp, a question with the body to the governor, a hashed, chained and signed certificate, a group-committed journal
with ``fdatasync`` before anything leaves, a line of log, the certificate in the answer: on the sidecar's own reactor.
It checks nothing, streams nothing, has no deadlines and survives no fault. Nobody could use it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from eve_proxy.transport.lean_reactor import install

install()

import httptools  # noqa: E402
import orjson  # noqa: E402
from twisted.internet import protocol, reactor  # noqa: E402, TID251

ORIGIN, GOVERNOR = int(sys.argv[1]), int(sys.argv[2])
HOP_BY_HOP = {b"connection", b"proxy-connection", b"keep-alive", b"host", b"content-length"}
# As in the sidecar: a commit begins when this many records wait, or when nothing more came for a while.
BATCH, PATIENCE = 8, 0.0005


def send(transport: Any, data: bytes) -> None:
    sent = transport.socket.send(data)
    if sent != len(data):
        transport.write(data[sent:])


class Journal:
    """Chained records; one thread commits them in groups."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._key = hmac.new(b"the secret of a benchmark, 32 and more", digestmod="sha256")
        self._previous, self._number = "0" * 64, 0
        self._batches: queue.SimpleQueue[list[tuple[bytes, Callable[[bytes], None]]]] = queue.SimpleQueue()
        self._waiting: list[tuple[bytes, Callable[[bytes], None]]] = []
        self._busy = False
        threading.Thread(target=self._commit, daemon=True).start()

    def record(self, fields: dict[str, Any], then: Callable[[bytes], None]) -> None:
        fields["log"] = {"id": "log", "seq": self._number, "prev": self._previous}
        digest = fields["content_hash"] = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
        mac = self._key.copy()
        mac.update(digest.encode())
        fields["signature"] = mac.hexdigest()
        self._previous, self._number = digest, self._number + 1
        self._waiting.append((orjson.dumps(fields), then))
        if not self._busy:
            if len(self._waiting) >= BATCH:
                self._flush()
            elif len(self._waiting) == 1:
                reactor.callLater(PATIENCE, self._flush)

    def _flush(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            batch, self._waiting = self._waiting, []
            self._batches.put(batch)

    def _commit(self) -> None:
        while True:
            batch = self._batches.get()
            os.write(self._file, b"\n".join([line for line, _ in batch]) + b"\n")
            os.fdatasync(self._file)
            reactor.callFromThread(self._landed, batch)

    def _landed(self, batch: list[tuple[bytes, Callable[[bytes], None]]]) -> None:
        self._busy = False
        self._flush()
        for line, then in batch:
            then(line)


class Message:
    """What llhttp found."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.url = self.body = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True

    def lines(self) -> bytes:
        return b"".join([b"%b: %b\r\n" % field for field in self.fields if field[0].lower() not in HOP_BY_HOP])


Then = Callable[[Message, Any], None]


class Upstream(protocol.Protocol):
    """A kept connection."""

    idle: ClassVar[dict[int, list[Upstream]]] = {ORIGIN: [], GOVERNOR: []}

    def __init__(self, port: int, data: bytes, then: Then) -> None:
        self._port, self._then, self._first = port, then, data
        self._parser: Any = None

    @classmethod
    def ask(cls, port: int, data: bytes, then: Then) -> None:
        if cls.idle[port]:
            connection = cls.idle[port].pop()
            connection._then = then
            send(connection.transport, data)
        else:
            factory = protocol.ClientFactory()
            factory.noisy = False
            factory.buildProtocol = lambda _: cls(port, data, then)
            reactor.connectTCP("127.0.0.1", port, factory)

    def connectionMade(self) -> None:
        send(self.transport, self._first)

    def dataReceived(self, data: bytes) -> None:
        if self._parser is None:
            self._message = Message()
            self._parser = httptools.HttpResponseParser(self._message)
        self._parser.feed_data(data)
        if self._message.complete:
            message, parser, self._parser = self._message, self._parser, None
            self.idle[self._port].append(self)
            self._then(message, parser)

    def connectionLost(self, reason: object = None) -> None:
        if self in self.idle[self._port]:
            self.idle[self._port].remove(self)


class Downstream(protocol.Protocol):
    """A client, one request at a time."""

    _parser: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self._parser is None:
            self._request = Message()
            self._parser = httptools.HttpRequestParser(self._request)
        self._parser.feed_data(data)
        if self._request.complete:
            self._judge()

    def _judge(self) -> None:
        request = self._request
        self._method, self._parser = self._parser.get_method(), None
        url = httptools.parse_url(request.url)
        self._path, self._authority = url.path, b"%b:%d" % (url.host, url.port or 80)
        self._digest = hashlib.sha256(request.body).hexdigest()
        self._id = os.urandom(8).hex()
        question = orjson.dumps(
            {
                "action_id": self._id,
                "method": self._method.decode(),
                "authority": self._authority.decode(),
                "path": self._path.decode(),
                "headers": {name.decode().lower(): value.decode() for name, value in request.fields},
                "body": request.body.decode(),
                "sha256": self._digest,
            }
        )
        head = b"POST /v1/decisions/evaluate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        Upstream.ask(GOVERNOR, b"%bContent-Length: %d\r\n\r\n%b" % (head, len(question), question), self._judged)

    def _judged(self, message: Message, _: Any) -> None:
        if orjson.loads(message.body)["decision"]["status"] != "ALLOWED":
            raise ValueError("the benchmark's governor allows everything")
        fields = {
            "certificate_id": self._id,
            "verdict": "ALLOW",
            "reason": "allowed by policy",
            "caller": "benchmark",
            "org_id": "benchmark",
            "latency_ms": 1.5,
            "timestamp": "2026-11-24T10:00:00.000Z",
            "algorithm": "HMAC-SHA256",
            "key_id": "benchmark",
            "request": {
                "method": self._method.decode(),
                "authority": self._authority.decode(),
                "path_sha256": hashlib.sha256(self._path).hexdigest(),
                "body_sha256": self._digest,
                "body_bytes": len(self._request.body),
            },
        }
        journal.record(fields, self._recorded)

    def _recorded(self, certificate: bytes) -> None:
        self._certificate = certificate
        request = self._request
        parts = (self._method, self._path, self._authority, request.lines(), len(request.body), request.body)
        Upstream.ask(ORIGIN, b"%b %b HTTP/1.1\r\nHost: %b\r\n%bContent-Length: %d\r\n\r\n%b" % parts, self._answered)

    def _answered(self, answer: Message, parser: Any) -> None:
        parts = (parser.get_status_code(), answer.lines(), len(answer.body), self._certificate, answer.body)
        head = b"HTTP/1.1 %d OK\r\n%bContent-Length: %d\r\nX-EVE-Decision-Cert: %b\r\n\r\n%b"
        send(self.transport, head % parts)
        line = {"time": time.monotonic(), "id": self._id, "verdict": "ALLOW", "authority": self._authority.decode()}
        os.write(log, orjson.dumps(line) + b"\n")


journal = Journal(sys.argv[3])
log = os.open(sys.argv[3] + ".log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
factory = protocol.ServerFactory()
factory.noisy = False
factory.protocol = Downstream
print(f"listening on 127.0.0.1:{reactor.listenTCP(0, factory, interface='127.0.0.1').getHost().port}", flush=True)
reactor.run()
