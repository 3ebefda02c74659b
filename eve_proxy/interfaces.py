"""Floor 1: the ports. Everything an outsider may implement, and everything the pipeline is given.

Each port has a conformance suite in ``tests/conformance/`` that every implementation passes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from enum import Enum
from typing import Any, Generic, TypeVar

from zope.interface import Attribute, Interface

from eve_proxy.model.authority import IPAddress
from eve_proxy.model.body import Body
from eve_proxy.model.certificate import DecisionCertificate, Draft
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.headers import Headers
from eve_proxy.model.verdict import Verdict

T = TypeVar("T")


class Ready(Generic[T]):
    """A result behind an ``Awaitable`` of these ports that is there already: nobody has to wait or to be driven."""

    __slots__ = ("result",)

    def __init__(self, result: T) -> None:
        self.result = result

    def __await__(self) -> Generator[Any, Any, T]:
        return self.result
        yield  # what makes it a generator


class Stage(Enum):
    """When a pre-filter looks: before the body is read, or at the whole exchange."""

    HEAD = "head"
    BODY = "body"


class IPreFilter(Interface):
    """A local rule. Pure, synchronous, no I/O. It can refuse; it has no way to say allow."""

    name: str = Attribute("The rule's name: at most 32 characters, unique; the certificate's matched_vector.")
    stage: Stage = Attribute("When it looks.")

    def examine(exchange: Exchange) -> Verdict | None:
        """A refusal (made with ``model.verdict.refuse``), or None to pass. Anything else is a failure of judging."""


class IPreFilterMaker(Interface):
    """What a drop-in registers, together with ``twisted.plugin.IPlugin`` (docs/plugins.md)."""

    name: str = Attribute("The name by which EVE_PROXY_PREFILTERS requires it.")
    help: str = Attribute("One line for ``eve-proxy config``.")

    def make(settings: Mapping[str, str]) -> IPreFilter | None:
        """Build the filter from ``EVE_PROXY_*`` settings (names as keys, secrets absent).

        None when its settings leave it without work. Raise ValueError with a text for the operator when they are wrong.
        """


class IGovernor(Interface):
    """The decision service. May fail in any way; never trusted to be on time."""

    name: str = Attribute("``embedded`` or the service's host: the certificate's ``governor``.")

    def evaluate(exchange: Exchange) -> Awaitable[Verdict]:
        """The service's verdict on an exchange whose body has been read (if its route has one).

        :raises Overloaded: there is no room for the question. That is no failure of judging: the request is refused,
            whatever EVE_PROXY_FAIL_CLOSED says.
        """


class IVerifier(Interface):
    """Checks signatures of one key. No I/O; never raises."""

    algorithm: str = Attribute("The only ``algorithm`` this key can have made.")
    key_id: str = Attribute("16 characters (evidence.md).")

    def verify(content_hash: str, signature: str) -> bool:
        """True only if this key made ``signature`` over ``content_hash``."""


class ISigner(IVerifier):
    """Makes signatures, and knows its own. No I/O."""

    def sign(content_hash: str) -> str:
        """The certificate's ``signature`` over the ASCII bytes of ``content_hash``, tag included."""


class IAuditSink(Interface):
    """Where decisions are written down."""

    def record(draft: Draft) -> Awaitable[DecisionCertificate]:
        """Take the chain's next link, sign, and queue the line in one synchronous step; answer when it is durable.

        :raises SigningFailed: no certificate could be made.
        :raises JournalUnavailable: not durable, or not within EVE_PROXY_AUDIT_TIMEOUT; it carries the signed
            ``fail_closed`` certificate with ``log: null``.
        """


class IResolver(Interface):
    """Names to addresses. Called only after a recorded allow (law 1)."""

    def resolve(host: str) -> Awaitable[tuple[IPAddress, ...]]:
        """At least one address.

        :raises ResolveFailed: no such name, no answer, or too late.
        """


class IBodySource(Interface):
    """The body of the exchange that is being decided; the connection stands behind it."""

    def read() -> Awaitable[Body]:
        """Let the client send (``100 Continue``), and answer when the body is complete. Called at most once.

        :raises BodyTooLarge: more than EVE_PROXY_MAX_BODY bytes.
        :raises Overloaded: EVE_PROXY_MAX_BUFFERED is used up.
        :raises Malformed: broken framing or too slow.
        :raises BodyInterrupted: the client went away.
        """

    def hold(size: int) -> None:
        """Count bytes that were made of the body (its decoded content) with it, until the exchange is over.

        :raises Overloaded: as ``read``; nothing was counted.
        """


class IClock(Interface):
    """Time as an argument (law 5)."""

    def monotonic() -> float:
        """Seconds that never go back."""

    def wall() -> float:
        """Seconds since the epoch, UTC."""


class IEntropy(Interface):
    """Randomness as an argument (law 5)."""

    def hex(size: int) -> str:
        """``2 * size`` lower-case hex digits that nobody can guess."""


class IGovernanceTransport(Interface):
    """One question over HTTP/1.1 to the governance host, on warm connections."""

    def call(path: str, headers: Headers, body: bytes) -> Awaitable[tuple[int, Headers, bytes]]:
        """POST and give back status, headers and the whole body (at most 1 MiB).

        :raises GovernorUnavailable: refused, reset, TLS not verified, cut off before the end.
        :raises GovernorMisbehaved: not HTTP, or too large.
        """


# ``race(awaitable, seconds)``: the awaitable's result, or DeadlineExceeded, whichever comes first. The loser is
# cancelled and whatever it says later is discarded (architecture.md, "The deadline is fail-closed").
Race = Callable[[Awaitable[T], float], Awaitable[T]]
# Judges one resolved address and port: a refusal or None. (policy/destinations.py)
JudgeAddress = Callable[[IPAddress, int], Verdict | None]
Settings = Mapping[str, Any]
