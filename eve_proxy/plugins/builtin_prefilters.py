"""The pre-filters that come with the proxy: blocklist, allowlist, body_limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from twisted.plugin import IPlugin
from zope.interface import implementer

from eve_proxy.interfaces import IPreFilter, IPreFilterMaker
from eve_proxy.policy.prefilters import Allowlist, Blocklist, BodyLimit
from eve_proxy.policy.suffixes import HostSet


@implementer(IPlugin, IPreFilterMaker)
@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """Makes one filter from one variable.

    :ivar variable: the setting it reads; an unset one is empty text.
    :ivar build: the filter for that text, or None when there is nothing to do; ValueError without the variable's name.
    """

    name: str
    help: str
    variable: str
    build: Callable[[str], IPreFilter | None]

    def make(self, settings: Mapping[str, str]) -> IPreFilter | None:
        """The filter, or None when its setting leaves it without work."""
        try:
            return self.build(settings.get(self.variable, ""))
        except ValueError as error:
            raise ValueError(f"{self.variable}: {error}") from error


def _blocklist(text: str) -> IPreFilter | None:
    hosts = HostSet.parse(text)
    return Blocklist(hosts=hosts) if hosts else None


def _allowlist(text: str) -> IPreFilter | None:
    hosts = HostSet.parse(text)
    return Allowlist(hosts=hosts) if hosts else None


def _body_limit(text: str) -> IPreFilter:
    # The guide's default, for callers that hand over only what was set.
    text = text or "10485760"
    if not (text.isascii() and text.isdigit()):
        raise ValueError("write a number of bytes, such as 10485760")
    return BodyLimit(most=int(text))


blocklist: Final = BuiltIn(
    name="blocklist",
    help="Refuse the hosts of EVE_PROXY_BLOCKED_HOSTS.",
    variable="EVE_PROXY_BLOCKED_HOSTS",
    build=_blocklist,
)
allowlist: Final = BuiltIn(
    name="allowlist",
    help="Refuse all hosts but those of EVE_PROXY_ALLOWED_HOSTS, when it is set.",
    variable="EVE_PROXY_ALLOWED_HOSTS",
    build=_allowlist,
)
body_limit: Final = BuiltIn(
    name="body_limit",
    help="Refuse bodies over EVE_PROXY_MAX_BODY bytes.",
    variable="EVE_PROXY_MAX_BODY",
    build=_body_limit,
)
