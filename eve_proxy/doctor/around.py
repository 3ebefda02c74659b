"""The ways around: each is tried as an application would that has never heard of the proxy.

A connection that is made is no proof of a leak: rules may have led it to the proxy. The certificate tells: on the
answer, with the token of the question in it, or in the proxy's journal where TLS hides the question.
"""

from __future__ import annotations

from typing import Any, Final

from eve_proxy.doctor import messages
from eve_proxy.doctor.finding import Finding, fail, info, ok, warn
from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.network import How
from eve_proxy.doctor.plan import Target
from eve_proxy.doctor.proxy import PROVEN, Trust, head_complete
from eve_proxy.doctor.reply import read_reply
from eve_proxy.model.authority import Authority

RULES: Final = (
    "load etc/redirect.nft (nft -f etc/redirect.nft) or run etc/redirect-iptables.sh in this network namespace before "
    "the application starts (docs/transparent.md), or forbid it by a NetworkPolicy"
)
QUIC: Final = f"reject UDP to port 443: {RULES}"
METADATA: Final = (
    f"{RULES}; do not list the address in EVE_PROXY_ALLOWED_NETWORKS; and switch the service off where the "
    "application needs none (AWS: hop limit 1 and IMDSv2; GKE: Workload Identity)"
)
_UNVERIFIED: Final = (
    "give the proxy's key (--jwks FILE, --key FILE or JWT_SECRET_KEY), or let this client in "
    "(EVE_PROXY_ALLOWED_CLIENTS), so that the certificate can be verified"
)
_CLOSED: Final = {
    How.REFUSED: "refused at once",
    How.UNREACHABLE: "no route",
    How.SILENT: "no answer: dropped on the way, or nobody is there",
    How.NO_NAME: "the name does not resolve",
}


def tcp(tools: Instruments, check: str, where: Authority) -> Finding:
    """A connection to an outside address: with a TLS greeting on 443, else with a request for the bare address."""
    if where.port == 443:
        return _tls(tools, check, where, messages.server_name(tools.token()))
    return _http(tools, check, where.host, where.port, str(where) if where.port != 80 else where.bracketed)


def nameless(tools: Instruments, check: str, where: Authority) -> Finding:
    """TLS to a bare address, without a server name."""
    return _tls(tools, check, where, None)


def udp(tools: Instruments, check: str, where: Authority) -> Finding:
    """QUIC: an answer, a refusal and silence are three results."""
    how = tools.network.datagram(where.host, where.port, messages.quic_greeting(tools.token())).how
    if how is How.ANSWERED:
        return fail(check, f"{where} answers by UDP: QUIC goes around the proxy", QUIC)
    if how is How.SILENT:
        return warn(
            check,
            f"{where} is silent by UDP: dropped on the way, or nobody is there; that cannot be told from here",
            f"give an address that speaks QUIC (--direct), or know that it is dropped (--accept {check}); "
            "rejecting is better than dropping: clients turn to TCP at once",
        )
    return ok(check, f"{where} by UDP: {_CLOSED[how]}")


def metadata(tools: Instruments, check: str, host: str) -> Finding:
    """The cloud's metadata service: neither directly nor through the proxy."""
    token = tools.token()
    heard = tools.network.stream(host, 80, messages.get("/", _bracketed(host), token), head_complete)
    if not heard.reached:
        return ok(check, f"{host}: {_CLOSED[heard.how]}")
    reply = read_reply(heard.data)
    certified = tools.proxy.certified(reply, token)
    if certified is None or not certified.proven:
        return fail(check, f"{host} is reached without the proxy: the machine's credentials may be had there", METADATA)
    if reply is not None and reply.status in (403, 451):
        return ok(check, f"{host}: led to the proxy, which refuses it ({reply.status})")
    return fail(check, f"{host}: led to the proxy, which does not refuse it", METADATA)


def without_proxy(tools: Instruments, check: str, target: Target) -> Finding:
    """A fetch by name, as if no proxy variable were set."""
    where = target.authority
    if target.scheme == "https":
        return _tls(tools, check, where, where.host if where.address is None else None)
    return _http(tools, check, where.host, where.port, where.host_header("http"), target.path)


def resolver(tools: Instruments, check: str) -> Finding:
    """DNS to somebody outside. The rules leave it alone by default."""
    address = tools.plan.resolver
    how = tools.network.datagram(address, 53, messages.DNS_QUERY).how
    if how is How.ANSWERED:
        return info(
            check,
            f"{address} answers by DNS: names can carry data out, as documented; EVE_REDIRECT_DNS "
            "(docs/transparent.md) or a NetworkPolicy can permit your resolver only",
        )
    return ok(check, f"{address} by DNS: {_CLOSED[how]}")


def _http(tools: Instruments, check: str, host: str, port: int, named: str, path: str = "/") -> Finding:
    token = tools.token()
    heard = tools.network.stream(host, port, messages.get(path, named, token), head_complete)
    where = f"{_bracketed(host)}:{port}"
    if not heard.reached:
        return ok(check, f"{where}: {_CLOSED[heard.how]}")
    certified = tools.proxy.certified(read_reply(heard.data), token)
    if certified is None:
        return _open(check, where)
    if certified.trust in PROVEN:
        return ok(check, f"{where}: led to the proxy, and decided ({certified.fields['verdict']})")
    if certified.trust is Trust.CLAIMED:
        return warn(check, f"{where}: the answer bears a certificate, but {certified.trust.value}", _UNVERIFIED)
    return fail(
        check, f"{where}: the answer bears a certificate that is not the proxy's: {certified.trust.value}", RULES
    )


def _tls(tools: Instruments, check: str, where: Authority, name: str | None) -> Finding:
    proxy = tools.proxy
    known = {record["certificate_id"] for record in (proxy.recorded() or [])}
    heard = tools.network.stream(where.host, where.port, messages.client_hello(name), bool)
    if not heard.reached:
        return ok(check, f"{where}: {_CLOSED[heard.how]}")
    records = proxy.recorded()
    if records is None:
        if not proxy.reachable:
            return _open(check, str(where))
        return warn(
            check,
            f"{where} is reached; whether by way of the proxy cannot be told: it does not show this client its records",
            "let this client in: EVE_PROXY_ALLOWED_CLIENTS",
        )
    decided = [record for record in records if record["certificate_id"] not in known and _is(record, where, name)]
    if decided:
        return ok(check, f"{where}: led to the proxy, and decided ({decided[0]['verdict']})")
    return _open(check, str(where))


def _is(record: dict[str, Any], where: Authority, name: str | None) -> bool:
    """Whether it is the decision about a redirected TLS connection of ours; one by CONNECT has our request id."""
    request = record["request"]
    return (
        request is not None
        and (request["method"], request["port"]) == ("CONNECT", where.port)
        and request["host"] == (name or where.host)
        and request["request_id"] is None
    )


def _open(check: str, where: str) -> Finding:
    return fail(check, f"{where} is reached without the proxy", RULES)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
