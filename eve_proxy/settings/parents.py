"""What the variables of the parent proxies can get wrong together: the upstreams', and the decision service's."""

from __future__ import annotations

from typing import Final

from eve_proxy.governance.address import GovernanceAddress, Kind
from eve_proxy.policy.parent_address import ParentAddress
from eve_proxy.settings.reading import Reading
from eve_proxy.settings.secret import Secret
from eve_proxy.wire.basic_credentials import basic_credentials

UPSTREAM: Final = "EVE_PROXY_UPSTREAM_PROXY"
GOVERNANCE: Final = "EVE_PROXY_GOVERNANCE_PROXY"
UPSTREAM_CA: Final = "EVE_PROXY_UPSTREAM_CA"
GOVERNANCE_CA: Final = "EVE_PROXY_GOVERNANCE_PROXY_CA"
CREDENTIALS: Final = "_CREDENTIALS_FILE"
NO_PROXY: Final = "EVE_PROXY_UPSTREAM_NO_PROXY"
BY: Final = "EVE_PROXY_UPSTREAM_PROXY_BY"
# Says nothing without a proxy: it is the default.
BY_ADDRESS: Final = "address"

BY_NAME: Final = (
    f"{BY}=name: the parent proxy resolves names, so that no rule sees their addresses; what it can reach, so can every"
    " permitted name"
)


def check_parents(reading: Reading) -> None:
    """Read the credentials and compare; add to ``reading``'s faults and warnings."""
    _check(reading, UPSTREAM, UPSTREAM_CA, (NO_PROXY, BY))
    _check(reading, GOVERNANCE, GOVERNANCE_CA, ())
    values = reading.values
    if values.get("upstream_proxy") is not None and values.get("upstream_proxy_by") == "name":
        reading.warnings.append(BY_NAME)
        if values.get("transparent_verify") == "strict":
            reading.faults.append(
                f"{BY}=name and EVE_PROXY_TRANSPARENT_VERIFY=strict contradict each other: strict compares addresses,"
                " and none are known here; set dial-name or off, or address"
            )
    address = values.get("governance")
    if values.get("governance_proxy") is not None and isinstance(address, GovernanceAddress):
        where = _not_behind_a_proxy(address)
        if where is not None:
            reading.faults.append(
                f"{GOVERNANCE}: {where}; unset it, or name another service in EVE_PROXY_GOVERNANCE_URL"
            )


def _check(reading: Reading, proxy: str, ca: str, others: tuple[str, ...]) -> None:
    name = f"{proxy}{CREDENTIALS}"
    field = proxy.removeprefix("EVE_PROXY_").lower()
    reading.values[f"{field}_credentials"] = None
    if name in reading.contents:
        try:
            reading.values[f"{field}_credentials"] = Secret(basic_credentials(reading.contents[name]))
        except ValueError as error:
            reading.faults.append(f"{name}: {error}")
    if field not in reading.values:  # it has a fault of its own
        return
    address = reading.values[field]
    if not isinstance(address, ParentAddress):
        reading.faults += [
            f"{other} is set, and {proxy} is not: set that, or unset this"
            for other in (name, ca, *others)
            if reading.texts.get(other, "") not in ("", BY_ADDRESS)
        ]
        return
    if not address.secure:
        if ca in reading.texts:
            reading.faults.append(f"{ca} is set, and {proxy} is http: write https://, or unset the roots")
        if name in reading.texts:
            reading.warnings.append(
                f"{name}: its credentials travel in the clear to an http proxy; https:// hides them"
            )


def _not_behind_a_proxy(address: GovernanceAddress) -> str | None:
    if address.kind is Kind.EMBEDDED:
        return "the embedded governor is asked, which is not reached through a proxy"
    if address.kind is Kind.UNIX:
        return "a Unix socket is not reached through a proxy"
    authority = address.authority
    if authority is not None and (
        authority.host == "localhost" or (authority.address is not None and authority.address.is_loopback)
    ):
        return "the decision service is on this machine; a proxy would look for it on its own"
    return None
