"""The request path in one process, without sockets, disk or threads: a number that a busy machine hardly disturbs.

    python benchmarks/request_path.py [--modules] [--functions] [--fresh] [--signatures]

The daemon's own parts, composed as the daemon composes them, between transports that answer at once. What is left is
the work of the interpreter, in CPU microseconds (the best of many rounds), in bytecodes and in calls of Python
functions. Those two are the same on every machine and nearly so in every run: look at them first when a change is meant
to make a request cheaper. They are split by thread: what the daemon's journal thread does is done inline here.
``--modules`` and ``--functions`` say where they go. With ``--fresh`` governor and origin answer with another head each
time, where otherwise all heads are alike. ``--signatures`` does it for each kind of key, and says how much of
the CPU time the two signatures of a request take (its decision's and its outcome's).
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from eve_proxy.audit.file import OsFile
from eve_proxy.audit.opening import open_journal
from eve_proxy.audit.suppression import Suppressor
from eve_proxy.composition import SystemClock, SystemEntropy, compose, configure
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer

ROUNDS, REQUESTS = 20, 300
# A journal is checkpointed every 1,000 records, and a request has two.
COUNTED = 500
ORIGIN, GOVERNOR, OURS = 40000, 40001, 3128
FIELDS = (
    b"Host: 127.0.0.1:40000\r\nUser-Agent: benchmark/1\r\nAccept: */*\r\n"
    b"Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
)
BODY = b'{"model": "m-1", "messages": [{"role": "user", "content": "' + b"four small words " * 116 + b'"}]}'
POST = b"POST http://127.0.0.1:40000/v1/messages HTTP/1.1\r\n%bContent-Type: application/json\r\n" % FIELDS
POST += b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
GET = b"GET http://127.0.0.1:40000/v1/messages HTTP/1.1\r\n%b\r\n" % FIELDS


def answer(body: bytes) -> bytes:
    """What nginx says around ``body``."""
    head = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 11:17:36 GMT\r\nConnection: keep-alive\r\n"
    return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Wire:
    """A transport whose peer, if it is given one, answers each write with the same bytes.

    :ivar written: what was written last.
    """

    disconnecting = False

    def __init__(self, loop: Loop, here: int, there: int, says: bytes | None = None) -> None:
        self._loop = loop
        self._ends = IPv4Address("TCP", "127.0.0.1", here), IPv4Address("TCP", "127.0.0.1", there)
        self._says = says
        self.protocol: Any = None
        self.written = b""

    def getHost(self) -> IPv4Address:
        return self._ends[0]

    def getPeer(self) -> IPv4Address:
        return self._ends[1]

    def write(self, data: bytes) -> None:
        self.written = data
        if self._says is not None:
            self._loop.due.append((self.protocol.dataReceived, self._loop.as_said(self._says)))

    def ignore(self, *_: object) -> None:
        """Producers, pauses and socket options change nothing here."""

    setTcpNoDelay = registerProducer = unregisterProducer = pauseProducing = resumeProducing = ignore


class Loop(Clock):
    """A reactor that connects at once and whose peers are nginx and a governor.

    :param fresh: each of their answers has a field that no other has.
    :ivar due: what happens next.
    """

    def __init__(self, fresh: bool = False) -> None:
        super().__init__()
        self._fresh = fresh
        self._said = 0
        self.due: list[tuple[Callable[[Any], None], Any]] = []
        self._port = 50000

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> None:
        said = b"x" * 200 if port == ORIGIN else b'{"decision":{"status":"ALLOWED"}}'
        self._port += 1
        wire = Wire(self, self._port, port, answer(said))
        wire.protocol = factory.buildProtocol(wire.getPeer())
        self.due.append((wire.protocol.makeConnection, wire))

    def as_said(self, answer: bytes) -> bytes:
        if not self._fresh:
            return answer
        self._said += 1
        return answer.replace(b"Server:", b"X-Request-ID: %016x\r\nServer:" % self._said, 1)

    def run(self) -> None:
        while self.due:
            call, argument = self.due.pop()
            call(argument)


class Committer:
    """The journal's thread, without being one.

    :ivar working: it is at work, not the reactor.
    """

    def __init__(self) -> None:
        self.working = False

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        self.working = True
        result = function(*arguments)
        self.working = False
        return succeed(result)


class NoDisk(OsFile):
    """The journal's file after its first records: what is appended goes nowhere."""

    def append(self, data: bytes, durable: bool) -> None:
        pass


def without_disk(path: Path) -> NoDisk:
    """An ``Opener``."""
    return NoDisk(os.open(path, os.O_RDWR | os.O_CREAT))


class Timed:
    """A signer that knows how long it took.

    :ivar spent: seconds.
    """

    def __init__(self, signer: Any) -> None:
        self.algorithm, self.key_id = signer.algorithm, signer.key_id
        self._sign = signer.sign
        self.spent = 0.0

    def sign(self, content_hash: str) -> str:
        begin = time.thread_time()
        signature: str = self._sign(content_hash)
        self.spent += time.thread_time() - begin
        return signature


def daemon(
    folder: Path, governance: str, signer: Any = None, committer: Committer | None = None, fresh: bool = False
) -> Callable[[bytes], bytes]:
    """A function that sends one request on a kept connection and gives back the answer."""
    loop = Loop(fresh)
    config, plugins = configure(
        {
            "JWT_SECRET_KEY": "the secret of a benchmark, 32 and more",
            "EVE_PROXY_HOST": "127.0.0.1",
            "EVE_PROXY_AUDIT_LOG": str(folder / "journal.jsonl"),
            "EVE_PROXY_ALLOWED_NETWORKS": "127.0.0.0/8",
            "EVE_PROXY_GOVERNANCE_URL": governance,
        }
    )
    journal = open_journal(
        config.audit_log,
        signer=signer or config.signer,
        org_id=config.org_id,
        clock=SystemClock(),
        entropy=SystemEntropy(),
        offload=committer or Committer(),
        reactor_clock=loop,
        opener=without_disk,
    )
    parts = compose(
        config,
        reactor=loop,
        journal=journal,
        own_ports={OURS},
        plugins=plugins,
        suppressor=Suppressor(SystemClock()),
        jwks=bytes,
        write_line=lambda line: None,
    )
    client = Wire(loop, OURS, 49000)
    protocol = parts.factory.buildProtocol(None)
    protocol.makeConnection(client)  # type: ignore[no-untyped-call]

    def ask(request: bytes) -> bytes:
        protocol.dataReceived(request)
        loop.run()
        return client.written

    return ask


def microseconds(ask: Callable[[bytes], bytes], request: bytes) -> float:
    """CPU per request in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(REQUESTS):
            ask(request)
        best = min(best, (time.process_time() - started) / REQUESTS)
    return best * 1e6


class Counted(NamedTuple):
    """What one thread did for one request, by ``package/module.py: function``."""

    bytecodes: Counter[str]
    calls: Counter[str]

    def by_module(self) -> Counted:
        """The same, by ``package/module.py``."""
        return Counted(*[_sums(counter) for counter in self])

    def __str__(self) -> str:
        return f"{self.bytecodes.total():,.0f} bytecodes in {self.calls.total():,.0f} calls"


def _sums(counter: Counter[str]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for name, count in counter.items():
        sums[name.partition(":")[0]] += count
    return sums


def count(ask: Callable[[bytes], bytes], request: bytes, committer: Committer) -> dict[str, Counted]:
    """What a request takes in each of the daemon's threads."""
    threads = {name: Counted(Counter(), Counter()) for name in ("reactor", "journal")}

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        bytecodes, calls = threads["journal" if committer.working else "reactor"]
        code = frame.f_code
        name = f"{'/'.join(Path(code.co_filename).parts[-2:])}: {code.co_name}"
        calls[name] += 1

        def step(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "opcode":
                bytecodes[name] += 1
            return step

        return step

    sys.settrace(enter)
    try:
        for _ in range(COUNTED):
            ask(request)
    finally:
        sys.settrace(None)
    for counter in (counter for counted in threads.values() for counter in counted):
        for name in counter:
            counter[name] /= COUNTED  # type: ignore[assignment]  # fractions of what not every request does
    return threads


def show(threads: dict[str, Counted], rows: int) -> None:
    """The largest shares."""
    for thread, counted in threads.items():
        print(f"  {thread}: bytecodes, calls")
        for name, bytecodes in counted.bytecodes.most_common(rows):
            if bytecodes >= 1:
                print(f"  {bytecodes:8,.0f} {counted.calls[name]:6,.1f}  {name}")


KEYS: tuple[Callable[[], Any], ...] = (
    lambda: HmacSigner(b"k" * 32),
    lambda: Ed25519Signer(Ed25519PrivateKey.generate()),
    lambda: P256Signer(ec.generate_private_key(ec.SECP256R1())),
)


def signatures() -> None:
    """The governed request with each kind of key."""
    for make in KEYS:
        signer = Timed(make())
        with tempfile.TemporaryDirectory() as folder:
            ask = daemon(Path(folder), f"http://127.0.0.1:{GOVERNOR}", signer)
            for _ in range(REQUESTS):
                ask(POST)
            spent, signer.spent = microseconds(ask, POST), 0.0
            for _ in range(REQUESTS):
                ask(POST)
        signing = 1e6 * signer.spent / REQUESTS
        print(f"{signer.algorithm:18} {spent:.0f} µs of CPU, of which signing {signing:.1f} µs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", action="store_true", help="name the modules that it goes to")
    parser.add_argument("--functions", action="store_true", help="name the functions that it goes to")
    parser.add_argument("--fresh", action="store_true", help="no two responses have the same head")
    parser.add_argument("--signatures", action="store_true", help="compare the kinds of keys")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, best of {ROUNDS} rounds of {REQUESTS} requests")
    if arguments.signatures:
        signatures()
        return
    for title, governance, request in (
        ("governed POST 2 KiB", f"http://127.0.0.1:{GOVERNOR}", POST),
        ("plain GET 200 B", "embedded", GET),
    ):
        with tempfile.TemporaryDirectory() as folder:
            committer = Committer()
            ask = daemon(Path(folder), governance, committer=committer, fresh=arguments.fresh)
            for _ in range(REQUESTS):
                said = ask(request)
            assert said.startswith(b"HTTP/1.1 200 "), said
            assert b"X-EVE-Decision-Cert: " in said, said
            spent, threads = microseconds(ask, request), count(ask, request, committer)
        print(f"{title}: {spent:.0f} µs of CPU")
        for thread, counted in threads.items():
            print(f"  {thread}: {counted}")
        if arguments.modules:
            show({thread: counted.by_module() for thread, counted in threads.items()}, 100)
        if arguments.functions:
            show(threads, 50)


if __name__ == "__main__":
    main()
