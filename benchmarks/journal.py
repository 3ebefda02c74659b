"""What a durable record costs: CPU microseconds and latency, on the real reactor with a real fdatasync.

    python benchmarks/journal.py [--records N] [--directory DIR]

A record is sealed, queued, committed and answered; ``in flight`` of them wait at any time, each asking for the next
when it is answered, as connections do. CPU is user and system time of the whole process. ``pool`` uses the reactor's
thread pool (``deferToThread``) in place of the committer's own thread; ``off`` leaves out the fdatasync.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet import reactor  # noqa: TID251 - a benchmark of the real one
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from eve_proxy.audit.committer import Committer
from eve_proxy.audit.opening import open_journal
from eve_proxy.interfaces import IClock, IEntropy
from eve_proxy.model.certificate import DecisionCertificate, Draft, RequestDigest
from eve_proxy.model.verdict import PolicyRef
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal, timestamp

REACTOR: Any = reactor
ROUNDS = 5


@implementer(IClock)
class RealClock:
    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)  # noqa: TID251 - a benchmark measures real time


@implementer(IEntropy)
class RealEntropy:
    hex = staticmethod(secrets.token_hex)


DRAFT = Draft(
    certificate_id="cert_9a1b3c5d7e9f0123",
    verdict="allow",
    reason="allowed",
    matched_pillar=None,
    matched_vector=None,
    caller="sidecar.forward_proxy.egress",
    org_id="bank_tier1_a",
    latency_ms=1.412,
    timestamp=timestamp(1776349323.847),
    request=RequestDigest(
        method="POST",
        scheme="https",
        host="api.example.com",
        port=443,
        path_sha256="ab" * 32,
        body_sha256="cd" * 32,
        body_bytes=2048,
    ),
    coverage="full",
    governor="embedded",
    policy=PolicyRef(set="egress_v1", sha256="ef" * 32),
)


def pooled(function: Any, *args: Any) -> Deferred[Any]:
    return deferToThreadPool(REACTOR, REACTOR.getThreadPool(), function, *args)


def measure(directory: Path, way: str, in_flight: int, total: int) -> Deferred[tuple[float, float, float]]:
    """CPU µs per record, median latency in µs, records per second."""
    done: Deferred[tuple[float, float, float]] = Deferred()
    committer = Committer(REACTOR.callFromThread)
    journal = open_journal(
        directory / f"{way}-{in_flight}-{secrets.token_hex(4)}.jsonl",
        signer=HmacSigner(b"k" * 32),
        org_id="bench",
        clock=RealClock(),
        entropy=RealEntropy(),
        offload=pooled if way == "pool" else committer,
        reactor_clock=REACTOR,
        sync="off" if way == "off" else "batch",
    )
    started, answered = 0, 0
    latencies: list[float] = []
    cpu, clock = time.process_time(), time.perf_counter()

    def ask() -> None:
        nonlocal started
        if started < total:
            started += 1
            journal.record(DRAFT).addCallback(answer, time.perf_counter())

    def answer(_: DecisionCertificate, asked: float) -> None:
        nonlocal answered
        answered += 1
        latencies.append(time.perf_counter() - asked)
        if answered == total:
            spent, passed = time.process_time() - cpu, time.perf_counter() - clock
            result = (1e6 * spent / total, 1e6 * statistics.median(latencies), total / passed)
            journal.close().addCallback(lambda _: (committer.stop(), done.callback(result)))
        else:
            # The next request of a connection arrives with a later turn of the reactor.
            REACTOR.callLater(0, ask)

    for _ in range(in_flight):
        ask()
    return done


@inlineCallbacks
def compare(directory: Path, total: int) -> Iterator[Any]:
    print(
        f"seal alone: {time_seal():.1f} µs; CPU µs per record, median latency µs, records/s; median of {ROUNDS} rounds"
    )
    for in_flight in (1, 16, 64):
        results: dict[str, list[tuple[float, float, float]]] = {}
        for _ in range(ROUNDS):  # interleaved, so that a noisy minute hits every way
            for way in ("thread", "pool", "off"):
                measured = yield measure(directory, way, in_flight, total)
                results.setdefault(way, []).append(measured)
        for way, rounds in results.items():
            cpu, latency, rate = (statistics.median(column) for column in zip(*rounds, strict=True))
            spread = max(r[0] for r in rounds) - min(r[0] for r in rounds)
            print(f"{in_flight:3d} in flight  {way:7s} {cpu:7.1f} ±{spread / 2:.1f}  {latency:8.0f}  {rate:8.0f}")
    REACTOR.stop()


def time_seal() -> float:
    signer = HmacSigner(b"k" * 32)
    begin = time.process_time()
    for _ in range(5000):
        seal(DRAFT, None, signer)
    return 1e6 * (time.process_time() - begin) / 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=3000, help="per round")
    parser.add_argument("--directory", type=Path, help="on the device to measure (default: a temporary directory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        REACTOR.callWhenRunning(
            lambda: compare(Path(directory), options.records).addErrback(
                lambda failure: (failure.printTraceback(sys.stderr), os._exit(1))
            )
        )
        REACTOR.run()


if __name__ == "__main__":
    main()
