"""Kinds whose texts have a parser of their own elsewhere: hosts, networks, clients, ports, addresses of the governor
and of parent proxies.
"""

from __future__ import annotations

from typing import Final

from eve_proxy.governance.address import GovernanceAddress, parse_governance_url
from eve_proxy.policy.clients import AllowedClients
from eve_proxy.policy.networks import AllowedNetworks
from eve_proxy.policy.parent_address import ParentAddress, parse_parent_url
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.suffixes import HostSet
from eve_proxy.settings.kinds import Kind


def _optional_hosts(text: str) -> HostSet | None:
    return HostSet.parse(text) if text else None


def _governance_url(text: str) -> GovernanceAddress:
    # Whether plain HTTP is allowed depends on another variable: agreement.py asks again.
    return parse_governance_url(text, insecure=True)


def parent_url(variable: str) -> Kind:
    """The address of a parent proxy; empty is none, the value None.

    :param variable: beside which the credentials' one stands.
    """

    def read(text: str) -> ParentAddress | None:
        return parse_parent_url(text, variable=variable) if text else None

    return Kind(label="URL", read=read, quiet=True)


HOSTS: Final = Kind(label="hosts", read=HostSet.parse)
OPTIONAL_HOSTS: Final = Kind(label="hosts", read=_optional_hosts)
NETWORKS: Final = Kind(label="networks", read=AllowedNetworks.parse)
CLIENTS: Final = Kind(label="networks", read=AllowedClients.parse)
PORTS: Final = Kind(label="ports", read=PortSet.parse)
GOVERNANCE_URL: Final = Kind(label="URL", read=_governance_url, quiet=True)
