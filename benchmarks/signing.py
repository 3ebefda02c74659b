"""What each kind of key costs, and whether another thread should sign.

    python benchmarks/signing.py [--records N]

First the parts, in CPU microseconds: a signature, a sealed certificate, a verified one, and the bytes of a line. Then
decisions with their outcomes through the journal on the real reactor, with a real fdatasync: Ed25519 signed on the
reactor's thread, as the daemon does it, and by the committer's thread before it writes, which would be as durable.
Each decision comes with some work of the interpreter and two system calls, as a request does. CPU is that of the whole
process, both threads.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from journal import DRAFT, REACTOR, RealClock, RealEntropy
from twisted.internet.defer import Deferred, inlineCallbacks

from eve_proxy.audit.committer import Committer
from eve_proxy.audit.file import OsFile, open_file
from eve_proxy.audit.opening import open_journal
from eve_proxy.model.certificate import DecisionCertificate
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import check_fields

ROUNDS = 5
HASH = "sha256-" + "ab" * 32
HMAC = HmacSigner(b"k" * 32)
ED25519 = Ed25519Signer(Ed25519PrivateKey.generate())
P256 = P256Signer(ec.generate_private_key(ec.SECP256R1()))
NULL = os.open(os.devnull, os.O_WRONLY)


def microseconds(function: Callable[..., object], *arguments: Any, times: int = 1000) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(times):
            function(*arguments)
        best = min(best, (time.process_time() - begin) / times)
    return 1e6 * best


def parts() -> None:
    for signer in (HMAC, ED25519, P256):
        certificate = seal(DRAFT, None, signer)
        fields = certificate.to_dict()
        print(
            f"{signer.algorithm:18} sign {microseconds(signer.sign, HASH):5.1f} µs"
            f"  seal {microseconds(seal, DRAFT, None, signer):5.1f} µs"
            f"  verify {microseconds(check_fields, fields, (signer,)):5.1f} µs"
            f"  line {len(certificate.line)} bytes"
        )


class Signing(OsFile):
    """Signs each line in the committer's thread; what the reactor's thread signed is as good as free (HMAC)."""

    def append(self, data: bytes, durable: bool) -> None:
        for _ in range(data.count(b"\n")):
            ED25519.sign(HASH)
        super().append(data, durable)


def signing_file(path: Path) -> Signing:
    opened = open_file(path)
    return Signing(opened._fd)


def request() -> None:
    """Some 50 µs of the interpreter, and two calls that let go of its lock, as sockets do."""
    total = 0
    for number in range(1000):
        total += number
    os.write(NULL, b"request")
    os.write(NULL, b"response")


def measure(directory: Path, way: str, in_flight: int, total: int) -> Deferred[tuple[float, float, float]]:
    """CPU µs per decision, median latency in µs, decisions per second."""
    done: Deferred[tuple[float, float, float]] = Deferred()
    committer = Committer(REACTOR.callFromThread)
    journal = open_journal(
        directory / f"{way}-{in_flight}-{secrets.token_hex(4)}.jsonl",
        signer=ED25519 if way == "reactor" else HMAC,
        org_id="bench",
        clock=RealClock(),
        entropy=RealEntropy(),
        offload=committer,
        reactor_clock=REACTOR,
        opener=signing_file if way == "committer" else open_file,
    )
    started, answered = 0, 0
    latencies: list[float] = []
    cpu, clock = time.process_time(), time.perf_counter()

    def ask() -> None:
        nonlocal started
        if started < total:
            started += 1
            request()
            journal.record(DRAFT).addCallback(answer, time.perf_counter())

    def answer(certificate: DecisionCertificate, asked: float) -> None:
        nonlocal answered
        answered += 1
        latencies.append(time.perf_counter() - asked)
        request()
        journal.outcome(certificate.certificate_id, {"status": 200})
        if answered == total:
            spent, passed = time.process_time() - cpu, time.perf_counter() - clock
            result = (1e6 * spent / total, 1e6 * statistics.median(latencies), total / passed)
            journal.close().addCallback(lambda _: (committer.stop(), done.callback(result)))
        else:
            REACTOR.callLater(0, ask)

    for _ in range(in_flight):
        ask()
    return done


@inlineCallbacks
def compare(directory: Path, total: int) -> Iterator[Any]:
    print(f"CPU µs per decision, median latency µs, decisions/s; median of {ROUNDS} interleaved rounds")
    for in_flight in (1, 16, 64):
        results: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(ROUNDS):
            for way in ("hmac", "reactor", "committer"):
                measured = yield measure(directory, way, in_flight, total)
                results.setdefault(way, []).append(measured)
        for way, rounds in results.items():
            cpu, latency, rate = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{in_flight:3d} in flight  {way:9s} {cpu:7.1f}  {latency:8.0f}  {rate:8.0f}")
    REACTOR.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=2000, help="per round")
    options = parser.parse_args()
    parts()
    with tempfile.TemporaryDirectory() as directory:
        REACTOR.callWhenRunning(
            lambda: compare(Path(directory), options.records).addErrback(
                lambda failure: (failure.printTraceback(sys.stderr), os._exit(1))
            )
        )
        REACTOR.run()


if __name__ == "__main__":
    main()
