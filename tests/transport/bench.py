"""A client connection without sockets: the real protocol and wire, a scripted site and a scripted dialler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from eve_proxy.model.authority import parse_authority
from eve_proxy.model.decision import Mode, Permit, Ticket
from eve_proxy.model.errors import Malformed
from eve_proxy.transport.factory import ProxyFactory
from eve_proxy.transport.limits import BufferAccount, Limits
from eve_proxy.transport.relay_account import Ending, Side
from eve_proxy.transport.tunnel_opening import TunnelOpening
from eve_proxy.transport.tunnel_watch import WatchedOpening
from eve_proxy.wire.events import END, RequestHead, ResponseHead


class ClientTransport(StringTransport):
    """Remembers how it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.nodelay = False

    def loseConnection(self) -> None:
        self.events.append("close")
        super().loseConnection()

    def loseWriteConnection(self) -> None:
        self.events.append("half-close")

    def abortConnection(self) -> None:
        self.events.append("abort")

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.nodelay = enabled


class SlowTransport(ClientTransport):
    """What is written stays in its queue until ``drain``, as in a socket whose peer does not read."""

    def __init__(self) -> None:
        super().__init__()
        self.dataBuffer = b""

    def write(self, data: bytes) -> None:
        self.dataBuffer += data

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if not streaming:
            producer.resumeProducing()

    def drain(self) -> None:
        """The peer reads everything."""
        data, self.dataBuffer = self.dataBuffer, b""
        super().write(data)
        if self.producer is not None and not self.streaming:
            self.producer.resumeProducing()


class InParts:
    """For a receiver to which a response in one read is the same as one in parts."""

    def responseWhole(self: Any, head: ResponseHead, data: bytes) -> None:
        self.responseStarted(head)
        if data:
            self.responseData(data)
        self.responseEnded(END.trailers)


def is_whole(events: Sequence[Any]) -> bool:
    """Whether an upstream connection passes ``events`` on in one call."""
    return 0 < len(events) <= 3 and isinstance(events[0], ResponseHead) and events[-1] is END


class FakeHandle:
    """What the dialler gives back for an exchange."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")

    def stopProducing(self) -> None:
        self.events.append("stop")

    def abort(self) -> None:
        self.events.append("abort")


class FakeDialler:
    """Writes down what it is asked to send.

    :ivar heard: takes what the origin of the last tunnel says before anybody reads.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[Permit, bytes, bytes]] = []
        self.receivers: list[Any] = []
        self.handles: list[FakeHandle] = []
        self.tunnels: list[tuple[Permit, Deferred[Any]]] = []
        self.own: set[tuple[str, int]] = set()

    def exchange(self, permit: Permit, head: bytes, body: Any, *, method: str, receiver: Any) -> FakeHandle:
        permit.ticket.take()
        self.sent.append((permit, head, b"".join(body)))
        self.receivers.append(receiver)
        self.handles.append(FakeHandle())
        return self.handles[-1]

    def tunnel(self, permit: Permit, heard: Any) -> Deferred[Any]:
        permit.ticket.take()
        self.heard = heard
        result: Deferred[Any] = Deferred()
        self.tunnels.append((permit, result))
        return result

    def is_own(self, peer: tuple[str, int], listener: tuple[str, int], meant: tuple[str, int] | None = None) -> bool:
        return peer in self.own


class ScriptedSite:
    """Remembers what began; ``script`` may act at once."""

    def __init__(self) -> None:
        self.begun: list[RequestHead] = []
        self.turned_away: list[Any] = []
        self.script: Callable[[Any, RequestHead], None] | None = None

    def begin(self, client: Any, head: RequestHead) -> None:
        self.begun.append(head)
        if self.script is not None:
            self.script(client, head)

    def malformed(self, _client: Any, error: Malformed) -> bytes:
        return b"malformed %d %b" % (error.status, error.fault.encode())

    def overloaded(self, client: Any) -> None:
        self.turned_away.append(client)
        client.turn_away(b"overloaded")


class OriginTransport(StringTransport):
    """The other end of a tunnel; remembers how it was closed. Not reading, as the dialler gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.pauseProducing()

    @property
    def reading(self) -> bool:
        return self.producerState == "producing"

    def loseConnection(self) -> None:
        self.events.append("close")

    def loseWriteConnection(self) -> None:
        self.events.append("half-close")

    def abortConnection(self) -> None:
        self.events.append("abort")


class HeardOutcome:
    """Remembers what became of an exchange.

    :ivar ends: how it ended after it was answered: ending, side, bytes down, bytes up.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.ends: list[tuple[str, str, int, int | None]] = []

    def ended(self, ending: Ending, by: Side, *, to_downstream: int, to_upstream: int | None = None) -> None:
        self.ends.append((ending.value, by.value, to_downstream, to_upstream))

    def answered(self, status: int) -> None:
        self.heard.append(status)

    def failed(self, detail: str) -> bytes:
        self.heard.append(detail)
        return b"upstream error: " + detail.encode()

    def abandoned(self, detail: str) -> None:
        self.heard.append(("abandoned", detail))


class Bench:
    """One connection, ready to receive."""

    def __init__(self, *, max_body: int = 1000, max_connections: int = 10, buffered: int = 10_000) -> None:
        self.clock = Clock()
        self.site = ScriptedSite()
        self.dialler = FakeDialler()
        self.account = BufferAccount(buffered)
        self.factory = ProxyFactory(
            self.site,
            dialler=self.dialler,
            limits=Limits(max_body=max_body, max_connections=max_connections),
            account=self.account,
            clock=self.clock,
            default_authority=parse_authority("127.0.0.1:3128", 80),
        )
        self.outcome = HeardOutcome()
        self.client, self.transport = self.connect()

    def connect(self, *, slow: bool = False) -> tuple[Any, Any]:
        client = self.factory.buildProtocol(None)
        transport = SlowTransport() if slow else ClientTransport()
        transport.protocol = client
        client.makeConnection(transport)
        return client, transport

    def receive(self, data: bytes) -> None:
        self.client.dataReceived(data)

    @property
    def written(self) -> bytes:
        return self.transport.value()

    def permit(self, mode: Mode = Mode.FORWARD) -> Permit:
        return permit_of(mode)

    def tunnel(self) -> None:
        """Let the current CONNECT go, without looking into it."""
        self.client.tunnel(permit_of(Mode.TUNNEL), TunnelOpening(self.client, b"200", self.outcome))

    def watch(self, *, lenient: bool = False) -> WatchedOpening:
        """Let the current CONNECT go, and look."""
        opening = WatchedOpening(self.client, b"200", self.outcome, lenient=lenient)
        self.client.tunnel(permit_of(Mode.TUNNEL), opening)
        return opening

    def forward(self) -> None:
        """Let the current request go."""
        head = self.site.begun[-1]
        mode = Mode.UPGRADE if head.request.websocket else Mode.FORWARD
        body: list[Any] = []
        Deferred.fromCoroutine(self.client.body.read()).addCallback(body.append)
        stamp = [(b"X-EVE-Decision-Cert", b"{}")]
        self.client.forward(permit_of(mode), head.request, body[0].chunks, stamp, self.outcome)


def permit_of(mode: Mode) -> Permit:
    """A permit as ``decision/permits.py`` would make it."""
    return Permit(
        authority=parse_authority("a.example", 80),
        addresses=(ip_address("93.184.216.34"),),
        mode=mode,
        certificate_id="cert_00000000000000aa",
        ticket=Ticket(),
    )
