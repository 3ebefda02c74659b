"""The built-in pre-filters: each looks at one exchange and refuses, or says nothing (evidence.md, rule names)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from zope.interface import implementer

from eve_proxy.interfaces import IPreFilter, JudgeAddress, Stage
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.suffixes import HostSet

_TOO_LARGE: Final = "body too large for inspection"


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True, kw_only=True)
class Blocklist:
    """EVE_PROXY_BLOCKED_HOSTS: these hosts are never reached."""

    hosts: HostSet
    name: ClassVar[str] = "blocklist"
    stage: ClassVar[Stage] = Stage.HEAD

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse a listed host, on any port and route."""
        authority = exchange.request.authority
        entry = self.hosts.touched_by(authority)
        if entry is None:
            return None
        return refuse(self.name, f"{authority.host} is blocked by EVE_PROXY_BLOCKED_HOSTS: {entry}")


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True, kw_only=True)
class Allowlist:
    """EVE_PROXY_ALLOWED_HOSTS: only these hosts are reached. The other rules still apply to them."""

    hosts: HostSet
    name: ClassVar[str] = "allowlist"
    stage: ClassVar[Stage] = Stage.HEAD

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse a host that is not listed."""
        authority = exchange.request.authority
        if authority in self.hosts:
            return None
        return refuse(self.name, f"{authority.host} is not listed in EVE_PROXY_ALLOWED_HOSTS")


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimit:
    """EVE_PROXY_MAX_BODY: what is too large to inspect does not leave.

    :ivar most: bytes, as received.
    """

    most: int
    name: ClassVar[str] = "body_limit"
    stage: ClassVar[Stage] = Stage.BODY

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse a larger body with 413."""
        if exchange.body is None or exchange.body.size <= self.most:
            return None
        return refuse(self.name, _TOO_LARGE, status=413)


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationFilter:
    """Literal addresses, before any lookup; what names resolve to is put to the same judge later."""

    judge: JudgeAddress
    name: ClassVar[str] = "destination"
    stage: ClassVar[Stage] = Stage.HEAD

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse a guarded address."""
        authority = exchange.request.authority
        return None if authority.address is None else self.judge(authority.address, authority.port)


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectPort:
    """EVE_PROXY_CONNECT_PORTS: an opaque tunnel to any port would carry any protocol (RFC 9110 section 9.3.6)."""

    ports: PortSet
    name: ClassVar[str] = "connect_port"
    stage: ClassVar[Stage] = Stage.HEAD

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse CONNECT to another port."""
        request = exchange.request
        if not request.is_connect or request.authority.port in self.ports:
            return None
        return refuse(
            self.name, f"CONNECT to port {request.authority.port} is not permitted by EVE_PROXY_CONNECT_PORTS"
        )


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True, kw_only=True)
class Passthrough:
    """EVE_PROXY_CONNECT_PASSTHROUGH: whether tunnels are opened whose content nobody inspects.

    :ivar permitted: False for ``0``.
    """

    permitted: bool
    name: ClassVar[str] = "passthrough"
    stage: ClassVar[Stage] = Stage.HEAD

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse every CONNECT when it is off."""
        if self.permitted or not exchange.request.is_connect:
            return None
        return refuse(self.name, "CONNECT is not permitted: EVE_PROXY_CONNECT_PASSTHROUGH is 0")
