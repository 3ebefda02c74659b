"""CPU microseconds of one governance call without the network: encode, decode, the race and the whole evaluation.

``python benchmarks/governance_codec.py`` prints the median and the spread of 15 rounds for a 2 KiB JSON body and
typical headers. Process time, so that a busy machine disturbs it little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from eve_proxy.governance.breaker import Breaker
from eve_proxy.governance.codec import decode, encode
from eve_proxy.governance.deadline import race
from eve_proxy.governance.decision_service import DecisionService
from eve_proxy.governance.hosted import HostedGovernor
from eve_proxy.governance.redaction import Redactor
from eve_proxy.interfaces import IClock, IGovernanceTransport
from eve_proxy.model.authority import parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.transport.limits import BufferAccount

ROUNDS, CALLS = 15, 2000

CONTENT = orjson.dumps({"model": "m-1", "messages": [{"role": "user", "content": "word " * 395}]})
EXCHANGE = Exchange(
    id="cert_0123456789abcdef",
    route=Route.FORWARD,
    request=Request(
        method="POST",
        scheme="https",
        authority=parse_authority("api.example.com:443", None),
        target=b"/v1/completions?stream=1&key=s3cret",
        headers=Headers.of(
            [
                (b"Accept", b"*/*"),
                (b"Accept-Encoding", b"gzip, deflate"),
                (b"Authorization", b"Bearer sk-0123456789abcdef0123456789abcdef"),
                (b"Content-Type", b"application/json"),
                (b"User-Agent", b"client/1.0"),
                (b"X-Request-Id", b"0123456789abcdef"),
            ]
        ),
    ),
    peer="127.0.0.1",
    peer_port=50000,
    org_id="bank_tier1_a",
    caller=EGRESS_CALLER,
    received_at=1_776_348_143.0,
    coverage=Coverage.FULL,
    body=Body(chunks=(CONTENT,), size=len(CONTENT), sha256=sha256(CONTENT).hexdigest(), content=CONTENT),
)
LINK = LogLink(id="log_0123456789abcdef", seq=41, prev="sha256-" + "0" * 64)
REDACTOR = Redactor(b"k" * 32)
ANSWER = orjson.dumps(
    {
        "request_id": EXCHANGE.id,
        "decision": {"status": "ALLOWED", "reason": "no rule", "matched_pillar": None, "matched_vector": None},
        "policy_violations": [],
        "modifications": [],
        "audit": {"audit_id": "aud_0123456789", "hash": "sha256-" + "a" * 64, "signature": "ed25519-" + "b" * 128},
    }
)


@implementer(IClock)
class StillClock:
    def monotonic(self) -> float:
        return 1.0

    def wall(self) -> float:
        return 1_776_348_143.847


@implementer(IGovernanceTransport)
class Waiting:
    """Answers when told, as a socket does."""

    def call(self, path: str, headers: Headers, body: bytes) -> Any:
        self.waiting: Deferred[Any] = Deferred()
        return self.waiting


def encoding() -> None:
    encode(EXCHANGE, timestamp="2026-04-16T14:22:03.847Z", policy_set="egress_v1", redactor=REDACTOR, log=LINK)


def decoding() -> None:
    decode(200, Headers(), ANSWER, request_id=EXCHANGE.id, name="gov.example", policy_set="egress_v1")


def racing() -> Callable[[], None]:
    run = race(Clock())

    def once() -> None:
        inner: Deferred[None] = Deferred()
        run(inner, 2.0)
        inner.callback(None)

    return once


def evaluation() -> Callable[[], None]:
    transport, clock = Waiting(), StillClock()
    service = DecisionService(
        name="gov.example", policy_set="egress_v1", redactor=REDACTOR, clock=clock, chain_head=lambda: LINK
    )
    breaker = Breaker(5, clock.monotonic, lambda: 0.5)
    governor = HostedGovernor(transport, service, breaker=breaker, account=BufferAccount(1 << 20))
    run, answer = race(Clock()), (200, Headers(), ANSWER)

    def once() -> None:
        run(governor.evaluate(EXCHANGE), 2.0)
        transport.waiting.callback(answer)

    return once


def measure(once: Callable[[], None]) -> list[float]:
    once()
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS):
            once()
        rounds.append((time.process_time() - start) / CALLS * 1e6)
    return rounds


def main() -> None:
    print(f"body {len(CONTENT)} B, answer {len(ANSWER)} B; CPU µs: median (min–max) of {ROUNDS} rounds of {CALLS}")
    subjects = {"encode": encoding, "decode": decoding, "race": racing(), "evaluate under race": evaluation()}
    for name, once in subjects.items():
        rounds = measure(once)
        print(f"{name:20} {statistics.median(rounds):6.2f} ({min(rounds):.2f}–{max(rounds):.2f})")


if __name__ == "__main__":
    main()
