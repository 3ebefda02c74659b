"""ACME's house rule: none of the methods of EVE_PROXY_ACME_METHODS leaves. Installed beside eve_proxy, not in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.plugin import IPlugin
from zope.interface import implementer

from eve_proxy.interfaces import IPreFilter, IPreFilterMaker, Stage
from eve_proxy.model.exchange import Exchange
from eve_proxy.model.verdict import Verdict, refuse


@implementer(IPreFilter)
@dataclass(frozen=True, slots=True)
class AcmeMethods:
    """Refuses the methods it was given."""

    methods: frozenset[str]
    name = "acme_methods"
    stage = Stage.HEAD

    def examine(self, exchange: Exchange) -> Verdict | None:
        """Refuse one of the methods."""
        method = exchange.request.method
        return refuse(self.name, f"ACME sends no {method}") if method in self.methods else None


@implementer(IPlugin, IPreFilterMaker)
class AcmeMaker:
    """Reads ACME's variable."""

    name = "acme_methods"
    help = "Refuse the methods of EVE_PROXY_ACME_METHODS."
    variables = ("EVE_PROXY_ACME_METHODS",)

    def make(self, settings: Mapping[str, str]) -> AcmeMethods | None:
        """The filter, or None when there is nothing to refuse."""
        text = settings.get("EVE_PROXY_ACME_METHODS", "")
        methods = frozenset(text.split(",")) if text else frozenset()
        if not all(method.isupper() for method in methods):
            raise ValueError("EVE_PROXY_ACME_METHODS: write methods in capitals, such as PUT,DELETE")
        return AcmeMethods(methods) if methods else None


acme = AcmeMaker()
