"""Questions to the decision service: HTTP/1.1 on warm connections, over TLS, plain TCP or a Unix socket.

The governance host is configuration, not egress: it is looked up and dialled without a permit, and nothing else can
be reached from here, because a call has no destination to choose.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from eve_proxy.governance.address import GovernanceAddress, Kind
from eve_proxy.interfaces import IGovernanceTransport, IResolver
from eve_proxy.model.authority import Authority
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.headers import Headers
from eve_proxy.transport.governance_answer import Answer, GovernanceAnswer
from eve_proxy.transport.outgoing import OutgoingExchange
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.parent import Parent
from eve_proxy.transport.pool import Pool
from eve_proxy.transport.racing import Race, tcp, unix
from eve_proxy.transport.upstream import UpstreamConnection
from eve_proxy.transport.warm import WarmConnections

# All connections lead to the one service, whatever address its name has at the moment, so all share one key: a
# lookup is needed to dial, never to ask.
_SERVICE: Final = IPv4Address(0)
_LOCAL: Final = Authority(host="localhost", port=80)
_LOOP: Final = "EVE_PROXY_GOVERNANCE_URL leads to this proxy itself"
_CLOSING: Final = "the proxy is shutting down"


@implementer(IGovernanceTransport)
class GovernanceHttp:
    """One configured service.

    :param address: where it is; not ``embedded``.
    :param reactor: dials (``IReactorTCP``, ``IReactorUNIX``); ``clock``: tells the time.
    :param tls: from ``tls.load_client_tls``; None exactly where the address is not https.
    :param resolver: for a host that is a name; caching.
    :param ends: our outgoing connections, shared by all that dials: what came back to us is known by them.
    :param timeout: seconds to connect, and again to be answered; whoever calls has a deadline of its own.
    :param parent: the proxy to go through, by CONNECT to the service's name, which is then not looked up here; TLS is
        spoken inside, with the service. It never is a Unix socket's.
    """

    def __init__(
        self,
        address: GovernanceAddress,
        *,
        reactor: Any,
        clock: IReactorTime,
        tls: IOpenSSLClientConnectionCreator | None,
        resolver: IResolver,
        ends: OwnEnds,
        timeout: float = 10.0,
        pool: Pool[UpstreamConnection] | None = None,
        parent: Parent | None = None,
    ) -> None:
        if (tls is None) is (address.kind is Kind.HTTPS):
            raise ValueError("TLS settings belong to an https address, and to no other")
        self._address = address
        self._authority = address.authority or _LOCAL
        self._reactor = reactor
        self._clock = clock
        self._tls = tls
        self._resolver = resolver
        self._parent = parent
        self._timeout = timeout
        self._ends = ends
        self._warm = WarmConnections(Pool(per_key=256, in_all=256) if pool is None else pool, clock)
        self._prefix: tuple[str, Headers, bytes] = ("", Headers(), b"")

    def call(self, path: str, headers: Headers, body: bytes) -> Deferred[Answer]:
        """POST ``body`` and give back status, headers and the whole answer.

        Cancelling the Deferred ends the call and closes its connection.

        :errback GovernorUnavailable: refused, reset, TLS not verified, cut off before the end.
        :errback GovernorMisbehaved: not HTTP, or an answer of more than 1 MiB.
        :raises ValueError: ``path`` or ``headers`` would break the request head.
        """
        answer = GovernanceAnswer()
        exchange = OutgoingExchange(
            self._head(path, headers, len(body)),
            (body,),
            method="POST",
            websocket=False,
            receiver=answer,
            redial=self._connect,
            # Asking twice does no harm, so a connection that died while idle costs no decision.
            retriable=True,
        )
        answer.abort = exchange.abort
        connection = self._warm.take(self._authority, (_SERVICE,), retriable=True)
        if connection is None:
            self._connect(exchange)
        else:
            exchange.use(connection)
        return answer.result

    def close(self) -> None:
        """Fail what is under way and close every connection."""
        self._warm.close(UpstreamFailed(_CLOSING))

    def _head(self, path: str, headers: Headers, size: int) -> bytes:
        cached_path, cached_headers, prefix = self._prefix
        if cached_headers is not headers or cached_path != path:
            scheme = "https" if self._tls is not None else "http"
            lines = [b"POST %b HTTP/1.1" % path.encode("ascii"), b"Host: " + self._host(scheme)]
            lines += [b"%b: %b" % (name, value) for _, name, value in headers.fields]
            prefix = b"\r\n".join(lines)
            if prefix.count(b"\n") != len(lines) - 1 or prefix.count(b"\r") != len(lines) - 1 or " " in path:
                raise ValueError("a path or header that would break the request head")
            self._prefix = (path, headers, prefix)
        return b"%b\r\nContent-Length: %d\r\n\r\n" % (prefix, size)

    def _host(self, scheme: str) -> bytes:
        return self._authority.host_header(scheme).encode("ascii")

    # -- connecting --------------------------------------------------------------------------------------------

    def _connect(self, exchange: OutgoingExchange) -> None:
        if self._warm.closed:
            exchange.fail(UpstreamFailed(_CLOSING))
        elif self._parent is not None:
            self._race(exchange, (None,), self._parent.tunnel(self._authority, tls=self._tls))
        elif self._address.socket_path is not None:
            self._race(exchange, (self._address.socket_path,), unix(self._reactor))
        elif self._authority.address is not None:
            self._dial(exchange, (self._authority.address,))
        else:
            looking: Deferred[Any] = Deferred.fromCoroutine(_awaited(self._resolver, self._authority.host))
            exchange.connecting(looking.cancel)
            looking.addCallbacks(partial(self._dial, exchange), partial(_not_found, exchange))

    def _dial(self, exchange: OutgoingExchange, addresses: Any) -> None:
        self._race(exchange, addresses, tcp(self._reactor, self._authority.port, tls=self._tls))

    def _race(self, exchange: OutgoingExchange, targets: Any, dial: Callable[..., Any]) -> None:
        def made(connection: UpstreamConnection) -> None:
            if not self._ends.enter(race, connection.transport):
                connection.transport.abortConnection()
                exchange.fail(UpstreamFailed(_LOOP))
            elif self._warm.closed:
                connection.transport.abortConnection()
                exchange.fail(UpstreamFailed(_CLOSING))
            else:
                self._warm.enter(connection)
                exchange.connected(connection)

        def build(_: Any) -> UpstreamConnection:
            return UpstreamConnection(
                self._authority,
                _SERVICE,
                clock=self._clock,
                timeout=self._timeout,
                stall=self._timeout,
                made=made,
                released=self._warm.released,
                lost=self._warm.lost,
            )

        race: Race[Any] = Race(
            targets,
            dial,
            clock=self._clock,
            build=build,
            failed=exchange.fail,
            closed=lambda: self._ends.leave(race),
            timeout=self._timeout,
        )
        exchange.connecting(race.cancel)
        race.start()


async def _awaited(resolver: IResolver, host: str) -> Any:
    return await resolver.resolve(host)


def _not_found(exchange: OutgoingExchange, failure: Failure) -> None:
    # After a cancel nobody listens any more; otherwise the text says which name.
    exchange.fail(UpstreamFailed(failure.getErrorMessage()))
