"""Which names of the environment are ours: a typo in ``EVE_PROXY_FAIL_CLOSED`` must not pass for a setting."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from eve_proxy.model.text import clean

_OURS: Final = "EVE_PROXY"
# What Kubernetes puts into every container of a namespace that has a Service called "eve-proxy".
_SERVICE: Final = re.compile(r"EVE_PROXY_(SERVICE_\w+|PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)\Z")
_PORT_URL: Final = re.compile(r"(tcp|udp|sctp)://")
# The same for a Service whose name only begins so: not ours to ignore, but the remedy can be named.
_OTHER_SERVICE: Final = re.compile(r"\w+_(SERVICE_(HOST|PORT)\w*|PORT(_[0-9]+_(TCP|UDP|SCTP)\w*)?)\Z")

# How other programs call what we read from a file only: an environment is shown to too many.
_CREDENTIALS: Final = re.compile(r"(EVE_PROXY_(?:UPSTREAM|GOVERNANCE)_PROXY)_(?:PASS|USER|LOGIN|AUTH|CRED)\w*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The environment's names, sorted.

    :ivar ours: known names with their texts, the injected ones left out.
    """

    ours: Mapping[str, str]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def sort_names(environ: Mapping[str, str], known: Collection[str]) -> Names:
    """Pick our variables out of ``environ``.

    :param known: every accepted name, those that plugins declare included.
    """
    ours: dict[str, str] = {}
    injected: list[str] = []
    faults: list[str] = []
    for name, value in environ.items():
        if (name == "EVE_PROXY_PORT" and _PORT_URL.match(value)) or (name not in known and _SERVICE.match(name)):
            injected.append(name)
        elif name in known:
            ours[name] = value
        elif name.upper().startswith(_OURS):
            faults.append(_unknown(name, value, known))
    warnings: tuple[str, ...] = ()
    if injected:
        warnings = (
            f"ignored, Kubernetes injected them for a Service called eve-proxy: {', '.join(sorted(injected))}; "
            "set enableServiceLinks: false in the pod, or rename the Service",
        )
    return Names(ours=ours, faults=tuple(faults), warnings=warnings)


def _unknown(name: str, value: str, known: Collection[str]) -> str:
    shown = clean(name, 80)
    if _OTHER_SERVICE.match(name) and (_PORT_URL.match(value) or "_SERVICE_" in name or "_PORT_" in name):
        return f"{shown}: unknown; if Kubernetes injected it for a Service, set enableServiceLinks: false in the pod"
    credentials = _CREDENTIALS.match(name.upper())
    if credentials is not None:
        return f"{shown}: unknown; put user:password into a file and name it in {credentials[1]}_CREDENTIALS_FILE"
    close = get_close_matches(name.upper(), list(known), n=1)
    if close:
        return f"{shown}: unknown; did you mean {close[0]}?"
    return f"{shown}: unknown; unset it, or see `eve-proxy config --list`"
