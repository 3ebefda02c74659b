"""The proxy variables of this environment, as clients read them (curl, requests, Go: each a little differently)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from eve_proxy.doctor.finding import Finding, fail, ok, skip, warn
from eve_proxy.doctor.plan import read_proxy
from eve_proxy.model.authority import Authority

_HTTP: Final = ("http_proxy", "HTTP_PROXY")
_HTTPS: Final = ("https_proxy", "HTTPS_PROXY")
_ALL: Final = ("all_proxy", "ALL_PROXY")
_NOT: Final = ("no_proxy", "NO_PROXY")
# Names that only a network of one's own resolves (RFC 6761, RFC 6762, RFC 8375, Kubernetes).
_LOCAL: Final = ("localhost", "local", "internal", "svc", "home.arpa", "test", "invalid")
_SANE: Final = "localhost,127.0.0.1,.svc.cluster.local"


def proxy_variables(environ: Mapping[str, str], proxy: Authority) -> Finding:
    """Whether HTTP_PROXY and HTTPS_PROXY lead clients to this proxy."""
    check = "proxy-variables"
    here = {name: environ[name] for name in (*_HTTP, *_HTTPS, *_ALL) if environ.get(name)}
    if not here:
        return skip(check, "none is set: clients come here only if rules lead them (see no-proxy-http, no-proxy-https)")
    advice = f"set HTTP_PROXY, http_proxy, HTTPS_PROXY and https_proxy to http://{proxy}"
    for name, value in here.items():
        try:
            other = read_proxy(value)
        except ValueError:
            return fail(check, f"{name} is not the address of an HTTP proxy", advice)
        if (other.host, other.port) != (proxy.host, proxy.port) and not _same(other, proxy):
            return fail(check, f"{name} leads to {other}, not to {proxy}", advice)
    missing = [names[1] for names in (_HTTP, _HTTPS) if not any(environ.get(name) for name in (*names, *_ALL))]
    if missing:
        return warn(check, f"{' and '.join(missing)} is not set: those requests do not come here by themselves", advice)
    if not environ.get("http_proxy") and not environ.get("all_proxy"):
        return warn(check, "http_proxy is set in upper case only: curl reads it in lower case only", advice)
    return ok(check, f"they lead to {proxy}")


def no_proxy(environ: Mapping[str, str], internal: Sequence[str]) -> Finding:
    """Whether NO_PROXY exempts more than what is one's own.

    :param internal: suffixes of names that are.
    """
    check = "no-proxy-variable"
    entries = [entry for name in _NOT for entry in environ.get(name, "").replace(" ", ",").split(",") if entry]
    if not entries:
        return ok(check, "NO_PROXY exempts nothing")
    wide = sorted({entry for entry in entries if _is_public(entry, internal)})
    if wide:
        return fail(
            check,
            f"NO_PROXY exempts {', '.join(wide)[:200]}: what goes there does not come here",
            f"take it out of NO_PROXY and no_proxy ({_SANE} is enough), or say that it is yours: --internal SUFFIX",
        )
    if any(entry.startswith("169.254.") for entry in entries):
        return warn(
            check, "NO_PROXY exempts link-local addresses, the metadata service among them", f"{_SANE} is enough"
        )
    return ok(check, "NO_PROXY exempts local names and addresses only")


def _same(one: Authority, other: Authority) -> bool:
    """``localhost`` and ``127.0.0.1`` are one."""
    names = {"localhost", "127.0.0.1", "::1"}
    return one.port == other.port and one.host in names and other.host in names


def _is_public(entry: str, internal: Sequence[str]) -> bool:
    network = _network(entry)
    if network is not None:
        return not (network.is_private or network.is_loopback or network.is_link_local)
    labels = entry.lower().lstrip("*").strip(".").partition(":")[0]
    if not labels or "." not in labels:
        # A single label is a machine of the own network; "*", and a bare suffix such as ".com", are not.
        return labels not in _LOCAL and entry.startswith((".", "*"))
    return not any(labels == suffix or labels.endswith(f".{suffix}") for suffix in (*_LOCAL, *_normal(internal)))


def _normal(suffixes: Sequence[str]) -> list[str]:
    return [suffix.lower().strip(".") for suffix in suffixes]


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    host, _, port = entry.rpartition(":")
    for text in (entry, host if port.isdigit() else entry):
        try:
            return ip_network(text.strip("[]"), strict=False)
        except ValueError:
            continue
    return None
