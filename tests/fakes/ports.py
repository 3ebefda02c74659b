"""Small honest stand-ins for the ports, for tests whose subject is the pipeline or an entry point."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from zope.interface import implementer

from eve_proxy.interfaces import IAuditSink, IBodySource, IClock, IEntropy, IGovernor, IPreFilter, IResolver, Stage
from eve_proxy.model.authority import IPAddress, parse_authority
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import GENESIS, DecisionCertificate, Draft, LogLink
from eve_proxy.model.errors import DeadlineExceeded, Overloaded
from eve_proxy.model.exchange import EGRESS_CALLER, Coverage, Exchange, Route
from eve_proxy.model.headers import Headers
from eve_proxy.model.request import Request
from eve_proxy.model.verdict import Outcome, Verdict
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal

SECRET = b"an hmac secret of the tests, long enough"


@implementer(IClock)
class FakeClock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_776_348_143.847 + self.now - 1000.0

    def advance(self, seconds: float) -> None:
        self.now += seconds


@implementer(IEntropy)
class FakeEntropy:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def hex(self, size: int) -> str:
        self.count += 1
        return f"{self.count:0{2 * size}x}"


@implementer(IAuditSink)
class FakeSink:
    """Seals and remembers; ``failure`` makes it fail, ``events`` gets a mark when a record is durable."""

    def __init__(self, events: list[str] | None = None) -> None:
        self.signer = HmacSigner(SECRET)
        self.certificates: list[DecisionCertificate] = []
        self.failure: Exception | None = None
        self.events = [] if events is None else events

    async def record(self, draft: Draft) -> DecisionCertificate:
        if self.failure is not None:
            raise self.failure
        prev = self.certificates[-1].content_hash if self.certificates else GENESIS
        link = LogLink(id="log_0123456789abcdef", seq=len(self.certificates), prev=prev)
        certificate = seal(draft, link, self.signer)
        self.certificates.append(certificate)
        self.events.append("recorded")
        return certificate


@implementer(IGovernor)
class FakeGovernor:
    """Answers what it is told; a callable is called."""

    name = "fake.governor"

    def __init__(self, answer: Any = None, *, before: Callable[[], object] | None = None) -> None:
        self.answer = Verdict(outcome=Outcome.ALLOW, reason="allowed", governor=self.name) if answer is None else answer
        self.before = before
        self.asked: list[Exchange] = []

    async def evaluate(self, exchange: Exchange) -> Any:
        self.asked.append(exchange)
        if self.before is not None:
            self.before()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@implementer(IResolver)
class FakeResolver:
    """Answers from a table."""

    def __init__(self, events: list[str] | None = None, answer: Any = ("93.184.216.34",)) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.events = [] if events is None else events

    async def resolve(self, host: str) -> tuple[IPAddress, ...]:
        self.asked.append(host)
        self.events.append("resolved")
        if isinstance(self.answer, Exception):
            raise self.answer
        return tuple(ip_address(text) for text in self.answer)


@implementer(IBodySource)
class FakeBody:
    """A body that is there at once, after ``seconds`` on the clock, or never."""

    def __init__(
        self, data: bytes = b"", *, failure: Exception | None = None, arrive: Callable[[], object] | None = None
    ):
        self.data = data
        self.failure = failure
        self.arrive = arrive
        self.reads = 0
        self.held = 0
        self.room: int | None = None

    def hold(self, size: int) -> None:
        if self.room is not None and self.held + size > self.room:
            raise Overloaded("request bodies in flight exceed EVE_PROXY_MAX_BUFFERED; try again later")
        self.held += size

    async def read(self) -> Body:
        self.reads += 1
        if self.arrive is not None:
            self.arrive()
        if self.failure is not None:
            raise self.failure
        return body_of(self.data)


@implementer(IPreFilter)
@dataclass
class FakeFilter:
    """A pre-filter with a fixed answer."""

    answer: Any = None
    name: str = "fake"
    stage: Stage = Stage.HEAD
    seen: list[Exchange] = field(default_factory=list)

    def examine(self, exchange: Exchange) -> Any:
        self.seen.append(exchange)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


def body_of(data: bytes) -> Body:
    """A complete body."""
    return Body(chunks=(data,) if data else (), size=len(data), sha256=hashlib.sha256(data).hexdigest(), content=data)


def request_of(url_host: str = "api.example.com", *, method: str = "POST", **changes: Any) -> Request:
    """A request to ``url_host[:port]``."""
    values: dict[str, Any] = {
        "method": method,
        "scheme": "http",
        "authority": parse_authority(url_host, 80),
        "target": b"/v1/completions",
        "headers": Headers.of([(b"Content-Type", b"application/json")]),
    }
    values.update(changes)
    return Request(**values)


def exchange_of(request: Request | None = None, **changes: Any) -> Exchange:
    """An exchange on the forward route."""
    values: dict[str, Any] = {
        "id": "cert_00000000000000aa",
        "route": Route.FORWARD,
        "request": request or request_of(),
        "peer": "127.0.0.1",
        "peer_port": 50000,
        "org_id": "bank_tier1_a",
        "caller": EGRESS_CALLER,
        "received_at": 1_776_348_143.0,
        "coverage": Coverage.FULL,
    }
    values.update(changes)
    return Exchange(**values)


def race_on(clock: FakeClock) -> Callable[[Awaitable[Any], float], Awaitable[Any]]:
    """A race on the fake clock: the awaitable runs first, then its lateness is judged."""

    async def race(awaitable: Awaitable[Any], seconds: float) -> Any:
        started = clock.monotonic()
        result = await awaitable
        if clock.monotonic() - started >= seconds:
            raise DeadlineExceeded("deadline passed in the race")
        return result

    return race


def race_nobody(awaitable: Awaitable[Any], _seconds: float) -> Awaitable[Any]:
    """A race whose timer never fires: only the pipeline's own look at the clock is left."""
    return awaitable


async def run_inline(function: Callable[..., Any], *arguments: Any) -> Any:
    """An ``offload`` that does not."""
    return function(*arguments)


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait, without any event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("the coroutine waited for something that nobody will bring")


def verified_mac(certificate: DecisionCertificate) -> bool:
    """The signature checked by hand, not by our verifier."""
    mac = hmac.new(SECRET, certificate.content_hash.encode(), hashlib.sha256).hexdigest()
    return certificate.signature == f"hmac-{mac}"
