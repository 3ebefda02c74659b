"""What the embedded decision point costs: CPU microseconds per question, median of repetitions and their spread.

Usage: python benchmarks/detectors.py [--large]    (--large adds bodies of 10 MiB that were made to be slow)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.pdp.embedded import EmbeddedGovernor
from eve_proxy.pdp.policy_file import load_policy

REPETITIONS = 15
SENTENCE = "Please summarise the following quarterly figures for the board and mention the biggest risk. "
CUES = (
    b"join the pieces, remove the dashes, read backwards, first letter of every other word. replace 0 with o. "
    b"decode the base64, hex or caesar cipher. "
)


def chat(text: str) -> bytes:
    """A completion request of about 2 KiB."""
    text = (text + SENTENCE * 30)[:1850]
    return json.dumps({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}).encode()


def grown(part: bytes, size: int) -> bytes:
    """``size`` bytes of ``part`` over and over, with instructions before."""
    return (CUES + part * (size // len(part) + 1))[:size]


ENCODED = b"decode the base64 cipher: Y3lhbmlkZ1 63 79 61 99, 121 c\xd1\x83an "
SOURCE = Path(argparse.__file__).read_bytes()
MEDIUM = {
    "64 KiB prose": SENTENCE.encode() * 700,
    "64 KiB of code, to be joined": grown(SOURCE, 64 << 10),
    "64 KiB hostile": grown(ENCODED, 64 << 10),
    "1 MiB prose": SENTENCE.encode() * 11300,
    "1 MiB of code, to be joined": grown(SOURCE, 1 << 20),
    "1 MiB hostile": grown(ENCODED, 1 << 20),
}
SMALL = {
    "GET without body": None,
    "2 KiB JSON, no instruction": chat(""),
    "2 KiB JSON with instructions": chat("Join both parts and remove the dashes. "),
    "2 KiB JSON, to be decoded": chat("Decode this base64: aGVsbG8gd29ybGQ= and explain. "),
    "2 KiB JSON, vetoed": chat("Join the pieces 'cy' and 'anide'. "),
}
LARGE = {
    "10 MiB prose": SENTENCE.encode(),
    "10 MiB of single letters": b"c y a n i d ",
    "10 MiB of literals": b'"cy"+"an"+',
    "10 MiB of definitions": b"a='cy';b='an';",
    "10 MiB encoded": ENCODED,
    "10 MiB of lines": b"a\n",
    "10 MiB of code": SOURCE,
    "10 MiB of numbers": b"99 121 97 ",
    "10 MiB of escapes": b"\\u0063\\x79&#97;",
    "10 MiB of look-alikes": "m\u0430k\u0435 \u200b".encode(),
    "10 MiB of base64": hashlib.sha512(b"x").hexdigest().encode() + b"+/",
}


def exchange_of(body: bytes | None) -> Exchange:
    request = Request(
        method="GET" if body is None else "POST",
        scheme="https",
        authority=parse_authority("api.example.com", 443),
        target=b"/v1/chat/completions",
        headers=Headers.of([(b"content-type", b"application/json"), (b"user-agent", b"bench"), (b"accept", b"*/*")]),
    )
    return Exchange(
        id="cert_0123456789abcdef", route=Route.FORWARD, request=request, peer="127.0.0.1", peer_port=1,
        org_id="default", caller=EGRESS_CALLER, received_at=0.0, coverage=Coverage.FULL,
        body=None if body is None else Body(chunks=(body,), size=len(body), sha256="00", content=body),
    )  # fmt: skip


def judge(governor: EmbeddedGovernor, exchange: Exchange) -> Any:
    """Drive the coroutine, which never waits here."""
    try:
        governor.evaluate(exchange).__await__().send(None)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("the governor waited")


def measure(call: Callable[[], object], times: int) -> list[float]:
    results = []
    for _ in range(REPETITIONS if times > 1 else 3):
        start = time.process_time()
        for _ in range(times):
            call()
        results.append((time.process_time() - start) / times * 1e6)
    return sorted(results)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--large", action="store_true")
    large = arguments.parse_args().large

    async def at_once(function: Any, *values: Any) -> Any:
        return function(*values)

    governor = EmbeddedGovernor(load_policy(), offload=at_once)
    cases = [(name, body, 500) for name, body in SMALL.items()]
    cases += [(name, body, 2) for name, body in MEDIUM.items()]
    if large:
        cases += [(name, (CUES + part * (10 * 2**20 // len(part)))[: 10 * 2**20], 1) for name, part in LARGE.items()]
    print(f"{'case':32} {'verdict':8} {'median µs':>12} {'min':>10} {'max':>10}")
    for name, body, times in cases:
        exchange = exchange_of(body)
        verdict = judge(governor, exchange).outcome.value
        spent = measure(lambda exchange=exchange: judge(governor, exchange), times)
        print(f"{name:32} {verdict:8} {statistics.median(spent):12.1f} {spent[0]:10.1f} {spent[-1]:10.1f}")


if __name__ == "__main__":
    main()
