"""The operator's parent proxy: where it is, who we are to it, and the ways through it (docs/parent-proxy.md).

Where it is is configuration, not egress: like the governance host it is looked up when it is dialled, and the
destination table does not judge it. Only our own listeners are refused: that loop would never end. What a way leads to
was judged before, and is chosen by whoever asks for it: a dialler with a permit, or the governor's connections.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.protocols.tls import TLSMemoryBIOFactory

from eve_proxy.interfaces import IResolver
from eve_proxy.model.authority import Authority, IPAddress
from eve_proxy.policy.parent_address import ParentAddress
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.parent_leg import Crossing
from eve_proxy.transport.racing import Dial, tcp
from eve_proxy.wire.serialize import connect_head


class Parent:
    """One parent proxy.

    :param address: where it is.
    :param variable: what it is set by, for messages: EVE_PROXY_UPSTREAM_PROXY or EVE_PROXY_GOVERNANCE_PROXY.
    :param reactor: dials (``IReactorTCP``); ``clock``: tells the time.
    :param resolver: for its name; caching.
    :param tls: from ``tls.load_client_tls``; None exactly where it is not reached by https.
    :param authorization: the value of Proxy-Authorization, or None.
    :param ends: our outgoing connections, shared by all that dials: what came back to us is known by them.
    """

    def __init__(
        self,
        address: ParentAddress,
        *,
        variable: str,
        reactor: Any,
        clock: IReactorTime,
        resolver: IResolver,
        tls: IOpenSSLClientConnectionCreator | None = None,
        authorization: bytes | None = None,
        ends: OwnEnds,
    ) -> None:
        if (tls is None) is address.secure:
            raise ValueError("TLS settings belong to an https proxy, and to no other")
        self.name = address.name
        self.variable = variable
        self.clock = clock
        self.ends = ends
        self.dial: Dial[IPAddress] = tcp(reactor, address.authority.port, tls=tls)
        self._authority = address.authority
        self._resolver = resolver
        self._authorization = authorization

    @property
    def authorization(self) -> bytes | None:
        """The value of Proxy-Authorization: for the proxy, and for nobody behind it."""
        return self._authorization

    def tunnel(
        self, authority: Authority, *, tls: IOpenSSLClientConnectionCreator | None = None
    ) -> Dial[IPAddress | None]:
        """Ways by CONNECT, to a target address at the authority's port, or to the authority itself for None.

        :param tls: spoken inside the tunnel, with whom it leads to.
        """

        def dial(target: IPAddress | None, attempt: Any, timeout: float) -> Crossing:
            to = authority
            if target is not None:
                to = Authority(host=str(target), port=authority.port, address=target)
            if tls is not None:
                attempt = TLSMemoryBIOFactory(tls, True, attempt)
                attempt.noisy = False
            return Crossing.begin(self, connect_head(to, self._authorization), attempt, timeout)

        return dial

    def relay(self) -> Dial[IPAddress | None]:
        """Ways to the proxy itself, which is asked in absolute-form."""

        def dial(_: IPAddress | None, attempt: Any, timeout: float) -> Crossing:
            return Crossing.begin(self, b"", attempt, timeout)

        return dial

    def look_up(self) -> Deferred[tuple[IPAddress, ...]]:
        """Its addresses.

        :errback ResolveFailed: there are none.
        """

        async def resolved() -> tuple[IPAddress, ...]:
            return await self._resolver.resolve(self._authority.host)

        if self._authority.address is not None:
            return succeed((self._authority.address,))
        return Deferred.fromCoroutine(resolved())

    def refusal_of_credentials(self) -> str:
        """What to do about a 407."""
        if self._authorization is None:
            return f"asks for credentials (status 407); put user:password into {self.variable}_CREDENTIALS_FILE"
        return f"does not accept the credentials in {self.variable}_CREDENTIALS_FILE (status 407)"
