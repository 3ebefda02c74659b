"""The one pipeline: judge, record, locate, permit (architecture.md). No Twisted: the daemon drives it as a Deferred,
the library in a thread. Every entry point goes through here, and nothing else makes a Decision.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eve_proxy.decision.drafting import draft_of, unread_draft
from eve_proxy.decision.obligations import NotUnderstood, fulfil
from eve_proxy.decision.permits import permit_for
from eve_proxy.decision.posture import failure, verdict_of
from eve_proxy.decision.stopwatch import Stopwatch
from eve_proxy.interfaces import (
    IAuditSink,
    IBodySource,
    IClock,
    IEntropy,
    IGovernor,
    IPreFilter,
    IResolver,
    JudgeAddress,
    Race,
)
from eve_proxy.model.authority import IPAddress
from eve_proxy.model.certificate import DecisionCertificate, Draft
from eve_proxy.model.decision import Decision
from eve_proxy.model.errors import (
    BodyInterrupted,
    GovernorMisbehaved,
    JournalUnavailable,
    JudgingFailed,
    Malformed,
    Overloaded,
    ResolveFailed,
    SigningFailed,
)
from eve_proxy.model.exchange import Exchange, Route
from eve_proxy.model.verdict import PERMITS, Outcome, Verdict, refuse
from eve_proxy.policy.content import decode_content
from eve_proxy.policy.ways import Ways
from eve_proxy.signing.seal import timestamp

# Whether a recorded allow of this route makes us dial; the others only tell their caller.
DIALS = {
    Route.FORWARD: True,
    Route.CONNECT: True,
    Route.TRANSPARENT: True,
    Route.INTERCEPTED: True,
    Route.EXT_AUTHZ: False,
    Route.LIBRARY: False,
}
# What is small can still decode to EVE_PROXY_MAX_BODY, in some 20 ms; more goes to a thread, lest others wait.
INLINE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The parts, each behind its port.

    :ivar deadline: EVE_PROXY_ENFORCE_TIMEOUT, seconds.
    :ivar max_content: EVE_PROXY_MAX_BODY, bytes, also the bound of a decoded body.
    :ivar fail_open: EVE_PROXY_FAIL_CLOSED=0.
    :ivar ways: what goes through the parent proxy, and how; None: everything goes directly.
    :ivar race: the deadline's race (``interfaces.Race``).
    :ivar offload: ``offload(function, *arguments)``: awaitable result, computed off the reactor thread.
    """

    head_filters: Sequence[IPreFilter]
    body_filters: Sequence[IPreFilter]
    governor: IGovernor
    sink: IAuditSink
    resolver: IResolver
    judge_address: JudgeAddress
    race: Race[Any]
    offload: Callable[..., Awaitable[bytes]]
    clock: IClock
    entropy: IEntropy
    deadline: float
    max_content: int
    fail_open: bool = False
    ways: Ways | None = None

    async def decide(self, exchange: Exchange, source: IBodySource | None) -> Decision:
        """Decide one exchange.

        :param source: where its body comes from; None when it has none to read (CONNECT).
        :raises Malformed: the body's framing broke: this never became a request.
        :raises BodyInterrupted: the client went away before its body was complete.
        :raises Overloaded: there was no room for its body, or for what judging makes of it; the entry point refuses it
            (``refuse``).
        """
        watch = Stopwatch(self.clock, self.deadline)
        exchange, verdict = await self._judge(exchange, source, watch)
        leaving, record = exchange, None
        if verdict.obligations:
            try:
                leaving, record = fulfil(exchange, verdict.obligations)
            except (NotUnderstood, UnicodeError):
                verdict = replace(verdict, outcome=Outcome.BLOCK, obligations=(), reason="modification not understood")
        now = timestamp(self.clock.wall())
        draft = draft_of(exchange, verdict, latency=watch.elapsed, timestamp=now, record=record)
        verdict, certificate = await self._record(draft, verdict)
        if certificate is None or PERMITS[verdict.outcome] is not True or not DIALS[exchange.route]:
            return Decision(exchange=exchange, verdict=verdict, certificate=certificate)
        return await self._locate(leaving, verdict, certificate, watch)

    async def refuse(
        self,
        exchange: Exchange,
        verdict: Verdict,
        *,
        parent: DecisionCertificate | None = None,
        record: dict[str, Any] | None = None,
        latency: float = 0.0,
    ) -> Decision:
        """Certify a refusal that an entry point made itself: before there was anything to judge (client, overload), or
        when something came to light after the allow (a tunnel's server name, an enforced function that failed).

        :param parent: that allow; the refusal is then a second certificate of the same exchange.
        :param record: what came to light, for the certificate.
        :param latency: seconds on the entry point's clock.
        """
        if PERMITS[verdict.outcome] is not False:
            verdict = failure("a refusal that does not refuse")
        draft = draft_of(
            exchange,
            verdict,
            latency=latency,
            timestamp=timestamp(self.clock.wall()),
            certificate_id=None if parent is None else f"cert_{self.entropy.hex(8)}",
            parent=None if parent is None else parent.certificate_id,
            record=record,
        )
        verdict, certificate = await self._record(draft, verdict)
        return Decision(exchange=exchange, verdict=verdict, certificate=certificate)

    async def turn_away(
        self, verdict: Verdict, *, org_id: str, record: dict[str, Any]
    ) -> tuple[Verdict, DecisionCertificate | None]:
        """Certify the refusal of a connection of which nothing was read: there is no request that could be named.

        :param record: what is known of it, for the certificate.
        """
        draft = unread_draft(
            verdict,
            certificate_id=f"cert_{self.entropy.hex(8)}",
            org_id=org_id,
            timestamp=timestamp(self.clock.wall()),
            record=record,
        )
        return await self._record(draft, verdict)

    async def _judge(
        self, exchange: Exchange, source: IBodySource | None, watch: Stopwatch
    ) -> tuple[Exchange, Verdict]:
        reading = False
        try:
            verdict = _first_refusal(self.head_filters, exchange)
            if verdict is not None:
                return exchange, verdict
            watch.check()
            if source is not None:
                watch.pause()
                reading = True
                try:
                    body = await source.read()
                finally:
                    watch.resume()
                reading = False
                exchange = exchange.with_body(body)
                if exchange.request.headers.get(b"content-encoding") is not None:
                    exchange = await self._decoded(exchange, source, watch)
            verdict = _first_refusal(self.body_filters, exchange)
            if verdict is not None:
                return exchange, verdict
            left = watch.check()
            verdict = _from_governor(await self.race(self.governor.evaluate(exchange), left))
            # A refusal stays one however late it is; an allow is accepted in time or not at all.
            if PERMITS[verdict.outcome] is not False:
                watch.check()
        except Exception as error:  # law 4: whatever judging raised becomes a verdict
            if isinstance(error, Overloaded) or (reading and isinstance(error, (Malformed, BodyInterrupted))):
                raise  # a bound, which nothing opens; or the body's, not a judge's: this never became a request
            verdict = verdict_of(error, fail_open=self.fail_open)
            if verdict.pillar is not None and verdict.vector is None:
                verdict = replace(verdict, governor=self.governor.name)
        if verdict.outcome is Outcome.FAIL_OPEN:
            return await self._let_pass(exchange, source, verdict)
        return exchange, verdict

    async def _let_pass(
        self, exchange: Exchange, source: IBodySource | None, verdict: Verdict
    ) -> tuple[Exchange, Verdict]:
        """One judge failed and is passed over (EVE_PROXY_FAIL_CLOSED=0): what the local rules refuse stays refused.

        The body is read all the same: it is what leaves.
        """
        refusal = _any_refusal(self.head_filters, exchange)
        if refusal is None and source is not None and exchange.body is None:
            try:
                exchange = await self._decoded(exchange.with_body(await source.read()), source, None)
            except (Malformed, BodyInterrupted, Overloaded):
                raise
            except Exception as error:  # noqa: BLE001  a body that cannot be had cannot leave either
                refusal = verdict_of(error, fail_open=False)
        return exchange, refusal or _any_refusal(self.body_filters, exchange) or verdict

    async def _decoded(self, exchange: Exchange, source: IBodySource, watch: Stopwatch | None) -> Exchange:
        encodings, body = exchange.request.headers.tokens(b"content-encoding"), exchange.body
        if not encodings or body is None or not body.size:
            return exchange
        if body.size > self.max_content:
            return exchange  # the body_limit pre-filter refuses it; nobody needs its content
        if body.size <= INLINE_BYTES:
            content = decode_content(body.content, encodings, self.max_content)
        else:
            left = None if watch is None else watch.check()
            decoding = self.offload(decode_content, body.content, encodings, self.max_content)
            content = await (decoding if left is None else self.race(decoding, left))
        source.hold(len(content))
        return exchange.with_body(replace(body, content=content))

    async def _record(self, draft: Draft, verdict: Verdict) -> tuple[Verdict, DecisionCertificate | None]:
        """Write ``verdict`` down: what it then is, and its certificate. Without a record it is a failure."""
        try:
            return verdict, await self.sink.record(draft)
        except SigningFailed:
            return failure("signing failed"), None
        except JournalUnavailable as error:
            return failure(str(error)), error.certificate
        except Exception as error:  # noqa: BLE001  law 2: an undisclosed failure of the sink must not permit either
            return failure(f"journal failed: {type(error).__name__}"), None

    async def _locate(
        self, exchange: Exchange, verdict: Verdict, certificate: DecisionCertificate, watch: Stopwatch
    ) -> Decision:
        """Resolve, judge every address, permit. Only after the allow is in the journal: a DNS query is egress."""
        authority, ways = exchange.request.authority, self.ways
        addresses: tuple[IPAddress, ...]
        if ways is not None and ways.leaves_name(authority):
            # Nothing is looked up here, perhaps because nothing can be; the certificate's coverage says so.
            permit = permit_for(exchange, verdict, certificate, (), via=ways.name)
            return Decision(exchange=exchange, verdict=verdict, certificate=certificate, permit=permit)
        if authority.address is not None:
            addresses = (authority.address,)
        else:
            watch.pause()  # a lookup is upstream's time, not ours
            try:
                addresses = await self.resolver.resolve(authority.host)
            except ResolveFailed as error:
                return Decision(exchange=exchange, verdict=verdict, certificate=certificate, failure=str(error))
        refusal = self._refused_address(addresses, authority.port)
        if refusal is not None:
            draft = draft_of(
                exchange,
                refusal,
                latency=watch.elapsed,
                timestamp=timestamp(self.clock.wall()),
                certificate_id=f"cert_{self.entropy.hex(8)}",
                parent=certificate.draft.certificate_id,
            )
            refusal, second = await self._record(draft, refusal)
            return Decision(exchange=exchange, verdict=refusal, certificate=second)
        via = None if ways is None else ways.via(authority, addresses)
        permit = permit_for(exchange, verdict, certificate, addresses, via)
        return Decision(exchange=exchange, verdict=verdict, certificate=certificate, permit=permit)

    def _refused_address(self, addresses: tuple[IPAddress, ...], port: int) -> Verdict | None:
        if not addresses:
            return refuse("destination", "the name has no address")
        for address in addresses:
            refusal = self.judge_address(address, port)
            if refusal is not None:
                return refusal
        return None


def _first_refusal(filters: Sequence[IPreFilter], exchange: Exchange) -> Verdict | None:
    for prefilter in filters:
        try:
            verdict = prefilter.examine(exchange)
        except Exception as error:
            raise JudgingFailed(f"pre-filter {prefilter.name} failed: {type(error).__name__}") from error
        if verdict is not None:
            return _refusal(prefilter, verdict)
    return None


def _any_refusal(filters: Sequence[IPreFilter], exchange: Exchange) -> Verdict | None:
    """As ``_first_refusal``, but a filter that fails does not silence the ones behind it."""
    for prefilter in filters:
        try:
            verdict = _first_refusal((prefilter,), exchange)
        except JudgingFailed:
            continue
        if verdict is not None:
            return verdict
    return None


def _refusal(prefilter: IPreFilter, verdict: object) -> Verdict:
    if not isinstance(verdict, Verdict) or verdict.outcome is not Outcome.BLOCK:
        raise JudgingFailed(f"pre-filter {prefilter.name} answered something else than a refusal")
    return verdict


def _from_governor(verdict: object) -> Verdict:
    if not isinstance(verdict, Verdict) or verdict.outcome not in (Outcome.ALLOW, Outcome.BLOCK):
        raise GovernorMisbehaved("the governor gave no verdict")
    return verdict
