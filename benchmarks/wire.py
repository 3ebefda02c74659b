#!/usr/bin/env python3
"""What the wire floor costs: CPU microseconds per typical message, medians of several rounds.

Run it from a checkout: ``python benchmarks/wire.py``. Nothing is sent anywhere.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from eve_proxy.model.authority import Authority
from eve_proxy.wire.events import RequestHead, ResponseHead
from eve_proxy.wire.machine import Event, Machine
from eve_proxy.wire.request_reader import RequestReader
from eve_proxy.wire.response_reader import ResponseReader
from eve_proxy.wire.serialize import chunk, request_head, response_head

ROUNDS, CALLS = 15, 3000

US = Authority(host="127.0.0.1", port=3128)
BODY = b"x" * 2048
HEAD = (
    b"POST http://api.example.com/v1/completions HTTP/1.1\r\nHost: api.example.com\r\n"
    b"User-Agent: python-requests/2.31.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
    b"Content-Type: application/json\r\nAuthorization: Bearer sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
)
POST = HEAD + b"Content-Length: 2048\r\n\r\n" + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(BODY) + b"0\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 200\r\nConnection: keep-alive\r\nX-Request-Id: abc\r\n\r\n" + b"y" * 200
)
STAMP = ((b"X-EVE-Decision-Cert", b"z" * 900),)
EXCHANGE = (
    Event.HEAD_STARTED,
    Event.HEAD_COMPLETE,
    Event.PERMIT_FORWARD,
    Event.RESPONSE_STARTED,
    Event.RESPONSE_COMPLETE,
)


def measure(call: Callable[[], object]) -> tuple[float, float]:
    """Median and quartile distance over the rounds, in CPU microseconds per call."""
    samples = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(CALLS):
            call()
        samples.append((time.process_time() - begun) / CALLS * 1e6)
    low, middle, high = statistics.quantiles(samples, n=4)
    return middle, high - low


def main() -> None:
    """Print the table."""
    head = RequestReader(default_authority=US).feed(POST)[0]
    answer = ResponseReader("POST").feed(RESPONSE)[0]
    assert isinstance(head, RequestHead)
    assert isinstance(answer, ResponseHead)
    machine = Machine()

    def warm_reader() -> object:
        warm.feed(POST)
        return warm.next_message()

    def exchange() -> None:
        for event in EXCHANGE:
            machine.fire(event)

    warm = RequestReader(default_authority=US)
    rows: list[tuple[str, Callable[[], object]]] = [
        ("request, 2 KiB POST, new reader", lambda: RequestReader(default_authority=US).feed(POST)),
        ("request, 2 KiB POST, keep-alive", warm_reader),
        ("request, 2 KiB POST, chunked", lambda: RequestReader(default_authority=US).feed(CHUNKED)),
        ("response, 200 B", lambda: ResponseReader("POST").feed(RESPONSE)),
        ("request_head()", lambda: request_head(head.request, framing_length=2048)),
        (
            "response_head()",
            lambda: response_head(
                answer.status, answer.reason, answer.headers, framing=answer.framing, extra=STAMP, keep_alive=True
            ),
        ),
        ("state machine, one exchange", exchange),
    ]
    print(f"{'CPU µs per call':34} {'median':>8} {'spread':>8}")
    for name, call in rows:
        median, spread = measure(call)
        print(f"{name:34} {median:8.2f} {spread:8.2f}")


if __name__ == "__main__":
    main()
