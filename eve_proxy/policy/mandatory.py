"""The pre-filters that no configuration can drop. They run before the others."""

from __future__ import annotations

from typing import Final

from eve_proxy.interfaces import IPreFilter, JudgeAddress
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.prefilters import ConnectPort, DestinationFilter, Passthrough

# Rules of ours that a plugin's name must not imitate in a certificate: the always-on pre-filters, the refusals of the
# entry points, and the content decoder's.
RESERVED_RULES: Final = frozenset(
    {
        "destination",
        "connect_port",
        "passthrough",
        "sni",
        "transparent",
        "client",
        "content_encoding",
        "overload",
        "draining",
        "local",
    }
)


def mandatory_prefilters(
    *, judge_address: JudgeAddress, connect_ports: PortSet, connect_passthrough: bool
) -> tuple[IPreFilter, ...]:
    """The always-on rules, all of the HEAD stage, in the order in which they are asked.

    :param judge_address: ``Destinations.judge``.
    """
    return (
        Passthrough(permitted=connect_passthrough),
        ConnectPort(ports=connect_ports),
        DestinationFilter(judge=judge_address),
    )
