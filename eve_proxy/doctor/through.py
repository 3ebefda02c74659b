"""What must not get through the proxy either: a port, this machine, the cloud's metadata. 451, with a certificate."""

from __future__ import annotations

from typing import Final

from eve_proxy.doctor import messages
from eve_proxy.doctor.finding import Finding, fail, ok, skip, warn
from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.network import How
from eve_proxy.doctor.proxy import head_complete
from eve_proxy.doctor.reply import read_reply
from eve_proxy.model.authority import Authority, parse_authority

LOOPBACK: Final = parse_authority("127.0.0.1:443", None)
METADATA: Final = parse_authority("169.254.169.254:443", None)
_NETWORKS: Final = "take it out of EVE_PROXY_ALLOWED_NETWORKS"


def port(tools: Instruments, check: str) -> Finding:
    """CONNECT to a port that should not be permitted."""
    first = tools.plan.targets[0].authority
    where = Authority(host=first.host, port=tools.plan.denied_port, address=first.address)
    token = tools.token()
    advice = f"take port {where.port} out of EVE_PROXY_CONNECT_PORTS"
    return _refused(tools, check, f"CONNECT {where}", messages.open_tunnel(where, token), token, advice)


def tunnel(tools: Instruments, check: str, where: Authority) -> Finding:
    """CONNECT to an address that is guarded."""
    token = tools.token()
    return _refused(tools, check, f"CONNECT {where}", messages.open_tunnel(where, token), token, _NETWORKS)


def request(tools: Instruments, check: str, host: str) -> Finding:
    """A request for an address that is guarded."""
    token = tools.token()
    return _refused(tools, check, f"GET http://{host}/", messages.get(f"http://{host}/", host, token), token, _NETWORKS)


def _refused(tools: Instruments, check: str, what: str, data: bytes, token: str, advice: str) -> Finding:
    if not tools.proxy.reachable:
        return skip(check, "the proxy is not reachable")
    heard = tools.proxy.send(data, head_complete)
    method = what.partition(" ")[0]
    reply = None if heard.how is not How.ANSWERED else read_reply(heard.data, method=method)
    if reply is None:
        return warn(check, f"{what}: the proxy gave no answer", "look at the proxy's log; try a larger --timeout")
    if reply.status == 403:
        return skip(check, f"{what}: this client may not use the proxy, so that its rules cannot be tried")
    if reply.status == 503:
        return warn(check, f"{what}: 503; nothing leaves, but no rule has refused it", "see readyz and governor")
    certified = tools.proxy.certified(reply, token)
    if reply.status != 451:
        return fail(check, f"{what}: {reply.status} instead of 451: the proxy does not refuse it", advice)
    if certified is None:
        return fail(check, f"{what}: 451 without a certificate of its own", "is this proxy eve-proxy? give its --proxy")
    return ok(check, f"{what}: 451, rule {certified.fields['matched_vector']}")
