"""``eve-proxy doctor``: is there a way around the proxy from here, and do the ways in work?

Run where the application runs: its machine or container, its user, its environment. Neither Twisted nor zope.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final, TextIO, TypeVar

from eve_proxy.cli.trust import Usage, add_key_options, chosen_keys
from eve_proxy.doctor import machine, plan
from eve_proxy.doctor.examination import checks, examine, names_of
from eve_proxy.doctor.finding import Finding, exit_status, fail, ok
from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.network import Network, SocketNetwork
from eve_proxy.doctor.proxy import PROVEN, Proxy
from eve_proxy.doctor.report import Groups, all_of, document, posture_of, table
from eve_proxy.doctor.ways_in import START
from eve_proxy.model.posture import POSTURE
from eve_proxy.signing.spelling import Unacceptable, read_line
from eve_proxy.signing.verification import SECRET_FILE_VARIABLE, SECRET_VARIABLE, Key

USAGE: Final = 2
_Read = TypeVar("_Read")
_EXITS: Final = """exit status:
  0  nothing that was tried goes around the proxy, and the ways in work
  1  a way around is open, or a way in is broken
  2  usage
  3  nothing failed, and something cannot be vouched for (warn)

docs/doctor.md says what each check means, and what is sent to whom."""


def main(
    argv: Sequence[str],
    stdout: TextIO,
    stderr: TextIO,
    environ: Mapping[str, str],
    *,
    network: Callable[[float], Network] | None = None,
    here: machine.Machine | None = None,
    wall: Callable[[], float] = machine.wall,
    token: Callable[[], str] = machine.token,
) -> int:
    """Run the command and give back its exit status.

    :param environ: the proxy variables; and ``JWT_SECRET_KEY`` or ``JWT_SECRET_KEY_FILE`` when no key is given.
    :param network: makes the network from a timeout; the machine's by default, as is ``here``.
    """
    try:
        with redirect_stdout(stdout), redirect_stderr(stderr):
            options = _parser().parse_args(list(argv))
    except SystemExit as stop:
        return int(stop.code or 0)
    faults: list[str] = []
    chosen, keys = _plan(options, environ, faults), _keys(options, environ, faults)
    wires = (network or _sockets)(chosen.timeout)
    proxy = Proxy(wires, chosen.proxy, keys, token)
    tools = Instruments(plan=chosen, network=wires, proxy=proxy, token=token, wall=wall)
    here = here or machine.Machine.read()
    faults += _unknown(options.accept, tools, here, environ)
    if faults:
        stderr.writelines(f"eve-proxy doctor: {fault}\n" for fault in faults)
        return USAGE
    groups: Groups = examine(tools, here, environ, accepted=frozenset(options.accept))
    told = document(groups, wall=wall(), proxy=f"http://{chosen.proxy}")
    if options.record:
        finding, certificate = _record(proxy, groups, wall())
        groups = [*groups, ("record", [finding])]
        told |= document(groups, wall=wall(), proxy=told["proxy"]) | {"at": told["at"], "record": certificate}
    if options.json:
        json.dump(told, stdout, indent=2)
        stdout.write("\n")
    else:
        stdout.write(table(groups))
    return exit_status(all_of(groups))


def _record(proxy: Proxy, groups: Groups, wall: float) -> tuple[Finding, dict[str, Any] | None]:
    """Report to the daemon; what came of it, and the certificate."""
    check = "posture-record"
    if not proxy.reachable:
        return fail(check, f"nothing was recorded: {proxy.authority} is not reachable", START), None
    posture = posture_of(groups, wall)
    reply = proxy.report(json.dumps(posture.to_document(), separators=(",", ":")).encode("ascii"))
    if reply is None or reply.status != 201:
        said = "no answer" if reply is None else f"{reply.status} {reply.body.decode('utf-8', 'replace').strip()[:200]}"
        advice = (
            "403: EVE_PROXY_ALLOWED_CLIENTS; 429: wait a minute; 503: see readyz; 400 with an origin-form request: "
        )
        return fail(check, f"nothing was recorded: {said}", f"{advice}the daemon is older than this doctor"), None
    try:
        fields = read_line(reply.body)
    except Unacceptable as error:
        return fail(check, f"the answer is no certificate: {error.detail}", "is this proxy eve-proxy?"), None
    trust, record = proxy.trust(fields), fields["record"]
    if fields["kind"] != POSTURE or record is None or record.get("results") != posture.results or trust not in PROVEN:
        return fail(check, "the answer is not the signed record of this report", "is this proxy eve-proxy?"), None
    return ok(check, f"{fields['certificate_id']}, reported by {record.get('reported_by')}: {trust.value}"), fields


def _sockets(timeout: float) -> Network:
    return SocketNetwork(timeout, machine.monotonic)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eve-proxy doctor",
        description=__doc__.partition("\n")[0],
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    more: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("--proxy", metavar="URL", help=f"default: HTTP_PROXY, else {plan.PROXY}")
    parser.add_argument("--target", metavar="URL", **more, help=f"what to fetch; default: {' '.join(plan.TARGETS)}")
    parser.add_argument(
        "--direct", metavar="ADDRESS:PORT", **more, help=f"an outside address; default: {' '.join(plan.DIRECT)}"
    )
    parser.add_argument("--metadata", metavar="HOST", **more, help=f"default: {' '.join(plan.METADATA.values())}")
    parser.add_argument("--resolver", metavar="ADDRESS", default=plan.RESOLVER, help=f"default: {plan.RESOLVER}")
    parser.add_argument(
        "--denied-port", metavar="PORT", default=str(plan.DENIED_PORT), help=f"default: {plan.DENIED_PORT}"
    )
    parser.add_argument("--internal", metavar="SUFFIX", **more, help="names of yours, which NO_PROXY may hold")
    parser.add_argument("--accept", metavar="CHECK", **more, help="a check whose result you know of: it does not count")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        default=str(plan.TIMEOUT),
        help=f"of each wait; default: {plan.TIMEOUT:g}",
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument("--record", action="store_true", help="have the daemon sign and journal the result")
    add_key_options(parser)
    return parser


def _plan(options: argparse.Namespace, environ: Mapping[str, str], faults: list[str]) -> plan.Plan:
    """What the options ask for; what cannot be read is added to ``faults`` and left as usual."""
    named, proxy = ("--proxy", options.proxy) if options.proxy is not None else plan.proxy_of(environ)
    usual = plan.usual()
    proxies = _taken(named, [proxy], plan.read_proxy, faults)
    targets = _taken("--target", options.target, plan.read_target, faults)
    direct = _taken("--direct", options.direct, plan.read_direct, faults)
    metadata = _taken("--metadata", options.metadata, plan.read_host, faults)
    resolvers = _taken("--resolver", [options.resolver], plan.read_address, faults)
    ports = _taken("--denied-port", [options.denied_port], plan.read_port, faults)
    internal = _taken("--internal", options.internal, plan.read_suffix, faults)
    timeouts = _taken("--timeout", [options.timeout], plan.read_timeout, faults)
    return plan.Plan(
        proxy=(*proxies, usual.proxy)[0],
        targets=targets or usual.targets,
        direct=direct or usual.direct,
        metadata=dict(zip(plan.numbered("metadata" for _ in metadata), metadata, strict=True)) or usual.metadata,
        resolver=(*resolvers, usual.resolver)[0],
        denied_port=(*ports, usual.denied_port)[0],
        internal=internal,
        timeout=(*timeouts, usual.timeout)[0],
    )


def _taken(option: str, texts: Sequence[str], read: Callable[[str], _Read], faults: list[str]) -> tuple[_Read, ...]:
    values = []
    for text in texts:
        try:
            values.append(read(text))
        except ValueError as error:
            before, _, after = text.rpartition("@")  # before it may be a password
            faults.append(f"{option}: {f'***@{after}' if before else text!r}: {error}")
    return tuple(values)


def _unknown(
    accepted: Sequence[str], tools: Instruments, here: machine.Machine, environ: Mapping[str, str]
) -> list[str]:
    """Faults of ``--accept``. A name of the usual checks is fine: one list then serves several sets of targets."""
    known = [
        name for each in (tools, replace(tools, plan=plan.usual())) for name in names_of(checks(each, here, environ))
    ]
    faults = []
    for name in accepted:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/doctor.md has them all"
            faults.append(f"--accept: {name!r}: no check is called so; {hint}")
    return faults


def _keys(options: argparse.Namespace, environ: Mapping[str, str], faults: list[str]) -> tuple[Key, ...]:
    """What the operator gave; none is fine."""
    if options.key or options.jwks or environ.get(SECRET_VARIABLE) or environ.get(SECRET_FILE_VARIABLE):
        try:
            return chosen_keys(options.key, options.jwks, environ)
        except (Usage, ValueError, OSError) as error:
            faults.append(str(error))
    return ()
