"""A governor that misbehaves on demand: real sockets, standard library only, never eve_proxy.

As a module: ``with FakeGovernor("reset") as governor: ... governor.url ... governor.questions()``.
As a program: ``python tests/fakes/governor.py --mode reset`` prints its port (or socket path) on one line and serves
until it is killed. Whatever the mode, ``GET /_log`` gives the questions asked so far as JSON, and ``POST /_mode`` with
``{"mode": "allow", "delay": 0.1}`` changes the behaviour of a running program.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

MODES = {
    "allow": "ALLOWED, but BLOCKED when the body contains BLOCKME",
    "block": "BLOCKED, pillar 128, vector 706",
    "modify": "MODIFIED: replaces the body by 'modified'",
    "refused": "nobody listens on the port",
    "hang": "reads the question and says nothing",
    "late": "as allow, after --delay seconds",
    "slow-then-allow": "the head at once, the allowing body after --delay seconds",
    "status-500": "any status-NNN: that status with a body that allows; 429 says Retry-After: 7",
    "garbage": "200 with a body that is not JSON",
    "truncated": "half of an allow, then the end of the connection",
    "oversize": "an allow of 2 MiB",
    "unknown-verdict": "decision.status MAYBE",
    "duplicate-keys": "decision.status twice: BLOCKED, then ALLOWED",
    "no-request-id": "as allow, without request_id",
    "other-request": "an allow for another request_id",
    "drip": "an allow, one byte per half second",
    "reset": "half of an allow, then RST",
    "close-idle": "as allow, then closes the kept-alive connection without saying so",
    "chunked": "as allow, in three chunks",
    "not-http": "the greeting of another protocol",
    "empty": "closes without a byte",
}
PATTERN = "BLOCKME"


class FakeGovernor:
    """A threaded server on a port that the kernel chooses.

    :param mode: a key of ``MODES``, or ``status-NNN``; may be changed while it runs.
    :param unix: serve on this socket path instead of TCP.
    :param tls: certificate and key files (PEM).
    :param client_ca: with ``tls``: demand a client certificate signed by this CA (PEM).
    :param delay: seconds, for ``late`` and ``slow-then-allow``.
    """

    def __init__(
        self,
        mode: str = "allow",
        *,
        port: int = 0,
        unix: str | None = None,
        tls: tuple[str, str] | None = None,
        client_ca: str | None = None,
        delay: float = 1.0,
    ) -> None:
        self.delay = delay
        self.connections = 0
        self._mode = _known(mode)
        self._unix = unix
        self._log: list[dict[str, Any]] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._tls: ssl.SSLContext | None = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
            if client_ca is not None:
                self._tls.load_verify_locations(client_ca)
                self._tls.verify_mode = ssl.CERT_REQUIRED
        if unix is None:
            self._listener = socket.create_server(("127.0.0.1", port))
            self.port = self._listener.getsockname()[1]
        else:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(unix)
            self._listener.listen(128)
            self.port = 0

    @property
    def url(self) -> str:
        """What EVE_PROXY_GOVERNANCE_URL should be."""
        if self._unix is not None:
            return f"unix:{self._unix}"
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = _known(mode)

    def questions(self) -> list[dict[str, Any]]:
        """Every question so far: ``method``, ``path``, ``headers``, ``connection`` (number from 1), ``question``."""
        with self._lock:
            return list(self._log)

    def start(self) -> FakeGovernor:
        if self._mode == "refused":
            self._listener.close()
        else:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection that is open now."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> FakeGovernor:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(300)
            if self._unix is None:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.add(connection)
            try:
                reader = connection.makefile("rb")
                while (request := _read(reader)) is not None and self._answer(connection, number, *request):
                    pass
                reader.close()
            finally:
                with self._lock:
                    self._open.discard(connection)
                connection.close()

    def _answer(
        self,
        connection: socket.socket,
        number: int,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> bool:
        """Answer one request. Whether the connection goes on."""
        if path == "/_log":
            connection.sendall(_response(json.dumps(self.questions()).encode()))
            return True
        if path == "/_mode":
            wanted = json.loads(body)
            self.mode = wanted.get("mode", self.mode)
            self.delay = wanted.get("delay", self.delay)
            connection.sendall(_response(b"{}"))
            return True
        try:
            question = json.loads(body)
        except ValueError:
            question = None
        entry = {"method": method, "path": path, "headers": headers, "connection": number, "question": question}
        with self._lock:
            self._log.append(entry)
        mode = self._mode
        special = _SPECIAL.get(mode)
        if special is not None:
            return special(self, connection, _response(_decision(question)))
        if mode == "late":
            self._stopped.wait(self.delay)
        connection.sendall(_ordinary(mode, question))
        return mode != "close-idle"

    # The modes in which the connection itself misbehaves. Each gets an answer that allows.

    def _hang(self, connection: socket.socket, allow: bytes) -> bool:
        connection.recv(1)  # until the client gives up
        return False

    def _slow(self, connection: socket.socket, allow: bytes) -> bool:
        head, _, body = allow.partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        self._stopped.wait(self.delay)
        connection.sendall(body)
        return True

    def _truncated(self, connection: socket.socket, allow: bytes) -> bool:
        connection.sendall(allow[:-20])
        return False

    def _drip(self, connection: socket.socket, allow: bytes) -> bool:
        for position in range(len(allow)):
            connection.sendall(allow[position : position + 1])
            if self._stopped.wait(0.5):
                return False
        return True

    def _reset(self, connection: socket.socket, allow: bytes) -> bool:
        connection.sendall(allow[:-20])
        self._stopped.wait(0.05)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _not_http(self, connection: socket.socket, allow: bytes) -> bool:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        return False

    def _empty(self, connection: socket.socket, allow: bytes) -> bool:
        return False


_SPECIAL: dict[str, Callable[[FakeGovernor, socket.socket, bytes], bool]] = {
    "hang": FakeGovernor._hang,
    "slow-then-allow": FakeGovernor._slow,
    "truncated": FakeGovernor._truncated,
    "drip": FakeGovernor._drip,
    "reset": FakeGovernor._reset,
    "not-http": FakeGovernor._not_http,
    "empty": FakeGovernor._empty,
}


def _known(mode: str) -> str:
    if mode not in MODES and not (mode.startswith("status-") and mode[7:].isdigit()):
        raise ValueError(f"unknown mode {mode!r}: one of {', '.join(MODES)}")
    return mode


def _read(reader: Any) -> tuple[str, str, list[tuple[str, str]], bytes] | None:
    """One request, or None at the end of the connection."""
    line = reader.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = []
    while (field := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = field.partition(":")
        headers.append((name.lower(), value.strip()))
    known = dict(headers)
    if known.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(reader))
    else:
        body = reader.read(int(known.get("content-length", "0")))
    return line[0], line[1], headers, body


def _chunks(reader: Any) -> Iterator[bytes]:
    while size := int(reader.readline().split(b";")[0], 16):
        yield reader.read(size)
        reader.readline()
    reader.readline()


def _decision(question: Any, status: str = "ALLOWED", **members: Any) -> bytes:
    request_id = question.get("request_id") if isinstance(question, dict) else None
    decision = {"status": status, "reason": f"fake {status.lower()}"}
    if status == "BLOCKED":
        decision |= {"matched_pillar": "128", "matched_vector": "706"}
    answer = {"request_id": request_id, "decision": decision, "audit": {"audit_id": f"aud_{request_id}"}, **members}
    return json.dumps(answer).encode()


def _judged(question: Any) -> str:
    return "BLOCKED" if PATTERN in json.dumps(question) else "ALLOWED"


def _ordinary(mode: str, question: Any) -> bytes:
    """The whole answer of a mode in which only its content is special."""
    if mode.startswith("status-"):
        extra = b"Retry-After: 7\r\n" if mode == "status-429" else b""
        return _response(_decision(question), status=int(mode[7:]), extra=extra)
    if mode == "block":
        return _response(_decision(question, "BLOCKED"))
    if mode == "modify":
        change = {"field": "body", "modified_value": "modified", "reason": "fake"}
        return _response(_decision(question, "MODIFIED", modifications=[change]))
    if mode == "garbage":
        return _response(b"<html>ALLOWED \xff\xfe</html>")
    if mode == "oversize":
        return _response(_decision(question, padding="x" * 2 * 1024 * 1024))
    if mode == "unknown-verdict":
        return _response(_decision(question, "MAYBE"))
    if mode == "duplicate-keys":
        return _response(b'{"decision": {"status": "BLOCKED", "status": "ALLOWED"}}')
    if mode == "no-request-id":
        return _response(b'{"decision": {"status": "%s"}}' % _judged(question).encode())
    if mode == "other-request":
        return _response(_decision({"request_id": "cert_ffffffffffffffff"}))
    body = _decision(question, _judged(question))
    if mode == "chunked":
        parts = (body[:7], body[7:8], body[8:])
        chunks = b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in parts)
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    return _response(body)


def _response(body: bytes, *, status: int = 200, extra: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %d Fake\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    return head % (status, extra, len(body)) + body


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="A governor that misbehaves on demand")
    parser.add_argument("--mode", default="allow", help=f"one of {', '.join(MODES)}; any status-NNN")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--unix", metavar="PATH")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--client-ca", metavar="CA")
    parser.add_argument("--delay", type=float, default=1.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    governor = FakeGovernor(
        given.mode,
        port=given.port,
        unix=given.unix,
        tls=tuple(given.tls) if given.tls else None,
        client_ca=given.client_ca,
        delay=given.delay,
    ).start()
    print(given.unix or governor.port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    governor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
