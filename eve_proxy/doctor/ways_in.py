"""The ways in: the proxy is there, it is ready, and what goes through it is decided, certified and recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from eve_proxy.doctor import messages
from eve_proxy.doctor.finding import Finding, fail, ok, skip, warn
from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.network import How
from eve_proxy.doctor.plan import Target, numbered
from eve_proxy.doctor.proxy import Certified, Trust, head_complete
from eve_proxy.doctor.reply import Reply, read_reply

# Seconds that two clocks may differ before it is said, and before records of both cannot be put in order.
_DRIFT: Final = 5.0
_ASTRAY: Final = 60.0
START: Final = "start it (twistd -n --pidfile= eve-sidecar), or give its address: --proxy http://HOST:PORT"
_TIME: Final = "run a time service (chrony, systemd-timesyncd) on both machines"
_KEY: Final = "give the key that signs now: --jwks FILE or --key FILE (docs/decision-certificate.md)"
# What stands in X-EVE-Warning, the check it belongs to, and what to do (docs/operations.md, "Health").
_WARNINGS: Final = (
    ("fail-closed", "fail_open", "set EVE_PROXY_FAIL_CLOSED=1", True),
    ("journal-sync", "sync off", "set EVE_PROXY_AUDIT_SYNC=batch", False),
    ("journal-disk", "low disk", "make room on the journal's disk before every request becomes a 503", False),
    ("journal-disk", "journal displaced", "take away what stands at EVE_PROXY_AUDIT_LOG, or make room", False),
    ("governor", "governance", "look at the decision service (docs/operations.md, X-EVE-Warning)", False),
)
HEALTH: Final = ("proxy-reachable", "healthz", "readyz", "fail-closed", "journal-sync", "journal-disk", "governor")
EVIDENCE: Final = ("certificate", "journal-record", "clock", "clock-outside")


def health(tools: Instruments) -> list[Finding]:
    """What the proxy says of itself (``HEALTH``)."""
    proxy = tools.proxy
    if not proxy.reachable:
        gone = [skip(check, "the proxy is not reachable") for check in HEALTH[1:]]
        return [fail(HEALTH[0], f"{proxy.authority} does not take connections", START), *gone]
    found = [ok(HEALTH[0], f"{proxy.authority} takes connections")]
    alive, ready = proxy.page("/healthz"), proxy.page("/readyz")
    if alive is not None and (alive.status, alive.body) == (200, b"ok"):
        found.append(ok("healthz", "it serves"))
    else:
        found.append(
            fail("healthz", f"{_status(alive)} instead of 200 ok", "is this proxy eve-proxy? give its --proxy")
        )
    if ready is None or ready.status not in (200, 503):
        found.append(fail("readyz", f"{_status(ready)} instead of 200", "is this proxy eve-proxy? give its --proxy"))
        return found + [skip(check, "it did not say") for check in HEALTH[3:]]
    said = ready.fields.get("x-eve-warning", "")
    if ready.status == 200:
        found.append(ok("readyz", f"it is ready; X-EVE-Warning: {said}" if said else "it is ready, without warnings"))
    else:
        reason = ready.body.decode("utf-8", "replace").strip()[:200]
        found.append(fail("readyz", f"not ready: {reason}", "docs/operations.md, Health, has what to do about each"))
    return found + [_warned(check, said) for check in HEALTH[3:]]


def _warned(check: str, said: str) -> Finding:
    for name, text, advice, breaks in _WARNINGS:
        if name == check and text in said:
            return (fail if breaks else warn)(check, f"the proxy warns: {said[:200]}", advice)
    return ok(check, "the proxy warns of nothing")


def governed_names(targets: tuple[Target, ...]) -> list[str]:
    """The checks of ``governed``, before ``EVIDENCE``."""
    return numbered(f"governed-{target.scheme}" for target in targets)


def governed(tools: Instruments) -> list[Finding]:
    """A request for each target through the proxy, and then what the first certificate shows (``EVIDENCE``)."""
    names = governed_names(tools.plan.targets)
    if not tools.proxy.reachable:
        return [skip(check, "the proxy is not reachable") for check in (*names, *EVIDENCE)]
    found: list[Finding] = []
    evidence: list[Finding] = []
    for check, target in zip(names, tools.plan.targets, strict=True):
        token = tools.token()
        reply = _ask(tools, target, token)
        certified = tools.proxy.certified(reply, token)
        found.append(_governed(check, target, reply, certified))
        if certified is not None and not evidence:
            assert reply is not None
            evidence = _evidence(tools, certified, reply)
    return found + (evidence or [skip(check, "there is no certificate to look at") for check in EVIDENCE])


def _ask(tools: Instruments, target: Target, token: str) -> Reply | None:
    """GET in absolute form, or CONNECT without a tunnel's first byte."""
    if target.scheme == "https":
        data, method = messages.open_tunnel(target.authority, token), "CONNECT"
    else:
        data, method = messages.get(target.url, target.authority.host_header("http"), token), "GET"
    heard = tools.proxy.send(data, head_complete)
    return read_reply(heard.data, method=method) if heard.how is How.ANSWERED else None


def _governed(check: str, target: Target, reply: Reply | None, certified: Certified | None) -> Finding:
    if reply is None:
        return fail(check, f"{target.url}: no answer in time", "look at the proxy's log; try a larger --timeout")
    if reply.status == 403:
        return fail(
            check,
            f"{target.url}: 403, this client may not use the proxy",
            "add its address to EVE_PROXY_ALLOWED_CLIENTS",
        )
    if certified is None:
        return fail(
            check,
            f"{target.url}: {reply.status} without a certificate of this request",
            "is this proxy eve-proxy, and the only one on the way? give its --proxy",
        )
    verdict, rule = certified.fields["verdict"], certified.fields["matched_vector"]
    said = f"{target.url}: {verdict}, {reply.status}"
    if reply.status == 451 and rule == "passthrough":
        return ok(check, f"{said}: decided; EVE_PROXY_CONNECT_PASSTHROUGH=0 refuses all HTTPS")
    if reply.status == 451:
        return warn(check, f"{said}: decided, and refused by {rule}", "give a --target that the policy lets out")
    if reply.status == 502:
        return fail(
            check,
            f"{said}: let out, but not reached",
            "check the proxy's own network and DNS; or give another --target",
        )
    if reply.status == 503:
        return fail(check, f"{said}: {certified.fields['reason']}", "docs/operations.md, reason of a FAIL_CLOSED")
    return ok(check, f"{said}: decided, certified ({certified.fields['coverage']}), answered")


def _evidence(tools: Instruments, certified: Certified, reply: Reply) -> list[Finding]:
    now = tools.wall()
    return [_verified(tools, certified), _in_journal(tools, certified), _clock(certified, now), _outside(reply, now)]


def _verified(tools: Instruments, certified: Certified) -> Finding:
    check, trust = "certificate", certified.trust
    signer = f"{certified.fields['algorithm']} {certified.fields['key_id']}"
    if trust is Trust.GIVEN:
        return ok(check, f"signed by {signer}: {trust.value}")
    if trust is Trust.PUBLISHED:
        return ok(
            check,
            f"signed by {signer}: {trust.value}. That only shows that the proxy agrees with itself; with --jwks "
            "FILE from the operator it shows more",
        )
    if trust is Trust.FORGED:
        return fail(
            check, f"signed by {signer}: {trust.value}", "something between answers in the proxy's name: find it"
        )
    if tools.proxy.keys:
        return fail(check, f"signed by {signer}, which is not among the keys that were given", _KEY)
    return skip(
        check,
        f"signed by {signer}: hash and question are right; the signature cannot be told from here, because the secret "
        "is not in this environment (nor should it be, in an application's)",
    )


def _in_journal(tools: Instruments, certified: Certified) -> Finding:
    check, fields = "journal-record", certified.fields
    if fields["log"] is None:
        return fail(check, "the decision could not be recorded", "see readyz; docs/operations.md, Health")
    page = tools.proxy.page(f"/certificates/{fields['certificate_id']}")
    if page is None or page.status == 403:
        return skip(check, "the proxy does not show its records to this client")
    if page.status != 200:
        return fail(
            check, f"the proxy does not find {fields['certificate_id']}", "look at its journal: eve-proxy verify"
        )
    return ok(check, f"{fields['certificate_id']} is record {fields['log']['seq']} of {fields['log']['id']}")


def _clock(certified: Certified, now: float) -> Finding:
    made = datetime.fromisoformat(certified.fields["timestamp"]).timestamp()
    return _compare("clock", "the proxy's clock", abs(now - made))


def _outside(reply: Reply, now: float) -> Finding:
    """Against the ``Date`` of whoever answered, which has whole seconds."""
    try:
        said = parsedate_to_datetime(reply.fields.get("date", ""))
    except ValueError:
        return skip("clock-outside", "no Date on the answer")
    if said.tzinfo is None:
        said = said.replace(tzinfo=UTC)
    return _compare("clock-outside", "the clock of the target", abs(now - said.timestamp()))


def _compare(check: str, whose: str, apart: float) -> Finding:
    said = f"{whose} and this one are {apart:.1f} s apart"
    if apart > _ASTRAY:
        return fail(check, said, _TIME)
    return warn(check, said, _TIME) if apart > _DRIFT else ok(check, said)


def _status(reply: Reply | None) -> str:
    return "no answer" if reply is None else str(reply.status)
