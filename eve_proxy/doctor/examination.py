"""All checks, at once: which there are, in which order they are shown, and how long they may take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from eve_proxy.doctor import around, rights, surroundings, through, ways_in
from eve_proxy.doctor.finding import Finding, accepting, warn
from eve_proxy.doctor.instruments import Instruments
from eve_proxy.doctor.machine import Machine
from eve_proxy.doctor.plan import named, numbered, version

AROUND: Final = "ways around"
THROUGH: Final = "what the proxy must refuse"
WAYS_IN: Final = "ways in"
HERE: Final = "this environment"
# The longest check waits this many times, one after the other.
_WAITS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question, or several that are answered together.

    :ivar names: of its findings, in their order.
    """

    group: str
    names: Sequence[str]
    find: Callable[[], Sequence[Finding]]


def checks(tools: Instruments, machine: Machine, environ: Mapping[str, str]) -> list[Check]:
    """Every check of a plan, in the order of the table. The proxy has been met by now."""
    plan = tools.plan
    direct = named(plan.direct)
    tls = [each for _, each in direct if each.port == 443]
    quic = numbered(f"udp-443-v{version(each)}" for each in tls)
    bare = numbered(f"tls-nameless-v{version(each)}" for each in tls)
    by_name = numbered(f"no-proxy-{target.scheme}" for target in plan.targets)
    single: list[tuple[str, str, Callable[[str], Finding]]] = [
        *((AROUND, name, partial(_of, around.tcp, tools, where)) for name, where in direct),
        *((AROUND, name, partial(_of, around.nameless, tools, where)) for name, where in zip(bare, tls, strict=True)),
        *((AROUND, name, partial(_of, around.udp, tools, where)) for name, where in zip(quic, tls, strict=True)),
        *((AROUND, name, partial(_of, around.metadata, tools, host)) for name, host in plan.metadata.items()),
        *(
            (AROUND, name, partial(_of, around.without_proxy, tools, target))
            for name, target in zip(by_name, plan.targets, strict=True)
        ),
        (AROUND, "dns-outside", partial(around.resolver, tools)),
        (THROUGH, "connect-port", partial(through.port, tools)),
        (THROUGH, "connect-loopback", partial(_of, through.tunnel, tools, through.LOOPBACK)),
        (THROUGH, "connect-metadata", partial(_of, through.tunnel, tools, through.METADATA)),
        (THROUGH, "proxy-metadata", partial(_of, through.request, tools, through.METADATA.host)),
    ]
    here = [
        surroundings.proxy_variables(environ, plan.proxy),
        surroundings.no_proxy(environ, plan.internal),
        rights.privileges(machine),
        rights.same_user(tools, machine),
        rights.file_limit(machine),
    ]
    return [
        *(Check(group=group, names=(name,), find=partial(_alone, find, name)) for group, name, find in single),
        Check(group=WAYS_IN, names=ways_in.HEALTH, find=partial(ways_in.health, tools)),
        Check(
            group=WAYS_IN,
            names=(*ways_in.governed_names(plan.targets), *ways_in.EVIDENCE),
            find=partial(ways_in.governed, tools),
        ),
        Check(group=HERE, names=[each.check for each in here], find=lambda: here),
        Check(
            group=HERE,
            names=("daemon-file-limit",),
            find=lambda: [rights.daemons_file_limit(tools, machine, environ)],
        ),
    ]


def names_of(planned: Sequence[Check]) -> list[str]:
    """What the checks are called."""
    return [name for check in planned for name in check.names]


def examine(
    tools: Instruments, machine: Machine, environ: Mapping[str, str], *, accepted: frozenset[str] = frozenset()
) -> list[tuple[str, list[Finding]]]:
    """Carry out a plan: groups with their findings, in the order of the table."""
    tools.proxy.meet()
    planned = checks(tools, machine, environ)
    found = at_once([check.find for check in planned], tools.plan.timeout * _WAITS)
    groups: dict[str, list[Finding]] = {}
    for check, findings in zip(planned, found, strict=True):
        late = [warn(name, "this check did not end in time", "try a larger --timeout") for name in check.names]
        groups.setdefault(check.group, []).extend(accepting(late if findings is None else findings, accepted))
    return list(groups.items())


def at_once(finds: Sequence[Callable[[], Sequence[Finding]]], seconds: float) -> list[Sequence[Finding] | None]:
    """What each gives; None for those that are not done after ``seconds``, which are left behind."""
    found: list[Sequence[Finding] | None] = [None] * len(finds)
    done = threading.Event()
    left = len(finds)
    counting = threading.Lock()

    def run(place: int) -> None:
        nonlocal left
        try:
            found[place] = finds[place]()
        finally:
            with counting:
                left -= 1
                if not left:
                    done.set()

    for place in range(len(finds)):
        threading.Thread(target=run, args=(place,), daemon=True).start()
    if finds:
        done.wait(seconds)
    return list(found)


def _of(check: Callable[..., Finding], tools: Instruments, subject: object, name: str) -> Finding:
    return check(tools, name, subject)


def _alone(find: Callable[[str], Finding], name: str) -> Sequence[Finding]:
    return [find(name)]
