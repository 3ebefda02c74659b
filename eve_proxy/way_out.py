"""Puts the ways out together: the dialler, or three of them where there is a parent proxy, and the governor's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from eve_proxy.config import Config
from eve_proxy.interfaces import IResolver
from eve_proxy.model.authority import IPAddress
from eve_proxy.policy.parent_address import ParentAddress
from eve_proxy.policy.ways import Ways
from eve_proxy.settings.parents import GOVERNANCE, GOVERNANCE_CA, UPSTREAM, UPSTREAM_CA
from eve_proxy.settings.secret import Secret
from eve_proxy.transport.dialler import Dialler
from eve_proxy.transport.diallers import Diallers
from eve_proxy.transport.locality import is_own_address
from eve_proxy.transport.own_ends import OwnEnds
from eve_proxy.transport.parent import Parent
from eve_proxy.transport.pool import Pool
from eve_proxy.transport.tls import load_client_tls
from eve_proxy.transport.way_out import WayOut


def ways(config: Config) -> Ways | None:
    """What goes through the parent proxy; None where there is none."""
    if config.upstream_proxy is None:
        return None
    return Ways(
        name=config.upstream_proxy.name, direct=config.upstream_no_proxy, by_name=config.upstream_proxy_by == "name"
    )


def build_way_out(config: Config, *, reactor: Any, resolver: IResolver, ends: OwnEnds) -> WayOut:
    """What dials. EVE_PROXY_UPSTREAM_TIMEOUT bounds every way alike."""
    make = partial(Dialler, reactor=reactor, clock=reactor, timeout=config.upstream_timeout, ends=ends)
    if config.upstream_proxy is None:
        return make(pool=Pool())
    parent = Parent(
        config.upstream_proxy,
        variable=UPSTREAM,
        reactor=reactor,
        clock=reactor,
        resolver=resolver,
        tls=_tls(config.upstream_proxy, config.upstream_ca, UPSTREAM_CA),
        authorization=_revealed(config.upstream_proxy_credentials),
        ends=ends,
    )
    return Diallers(parent, lambda **way: make(pool=Pool(), **way))


def governance_parent(config: Config, *, reactor: Any, resolver: IResolver, ends: OwnEnds) -> Parent | None:
    """The proxy that the decision service is asked through; None where there is none."""
    if config.governance_proxy is None:
        return None
    return Parent(
        config.governance_proxy,
        variable=GOVERNANCE,
        reactor=reactor,
        clock=reactor,
        resolver=resolver,
        tls=_tls(config.governance_proxy, config.governance_proxy_ca, GOVERNANCE_CA),
        authorization=_revealed(config.governance_proxy_credentials),
        ends=ends,
    )


def parent_faults(config: Config, *, is_own: Callable[[IPAddress], bool] = is_own_address) -> list[str]:
    """What can be known to be wrong before anything listens: unusable roots, and a parent proxy that is this one."""
    faults = []
    for address, ca, variable, ca_variable in (
        (config.upstream_proxy, config.upstream_ca, UPSTREAM, UPSTREAM_CA),
        (config.governance_proxy, config.governance_proxy_ca, GOVERNANCE, GOVERNANCE_CA),
    ):
        if address is None:
            continue
        try:
            _tls(address, ca, ca_variable)
        except ValueError as error:
            faults.append(str(error))
        if _is_this_proxy(config, address, is_own):
            faults.append(f"{variable} leads to this proxy itself; name another host or port")
    return faults


def _is_this_proxy(config: Config, address: ParentAddress, is_own: Callable[[IPAddress], bool]) -> bool:
    # As ``OwnEnds``, which finds in the act what only the lookup of a name shows: one of our ports on this machine.
    authority = address.authority
    if authority.port not in (config.port, config.transparent_port, config.metrics_port):
        return False
    if authority.address is None:
        return authority.host == "localhost"
    return authority.address == ip_address(config.host) or is_own(authority.address)


def _tls(address: ParentAddress, ca: Path | None, variable: str) -> Any:
    if not address.secure:
        return None
    return load_client_tls(address.authority, ca=None if ca is None else str(ca), ca_variable=variable)


def _revealed(credentials: Secret | None) -> bytes | None:
    return None if credentials is None else credentials.reveal()
