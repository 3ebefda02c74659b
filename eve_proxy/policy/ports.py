"""Sets of ports: EVE_PROXY_CONNECT_PORTS (security.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from eve_proxy.policy.entries import read_entries

_ENTRY: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z")


@dataclass(frozen=True, slots=True)
class PortSet:
    """:ivar ports: None for every port."""

    ports: frozenset[int] | None

    @classmethod
    def parse(cls, text: str) -> PortSet:
        """Read ``443``, ``443,8443,9000-9100`` or ``*``.

        :raises ValueError: names each bad entry and what to write.
        """
        if text.strip() == "*":
            return cls(None)
        ranges = read_entries(text, _range)
        if not ranges:
            raise ValueError("write ports such as 443,8443,9000-9100, or * for all; no CONNECT at all is"
                             " EVE_PROXY_CONNECT_PASSTHROUGH=0")  # fmt: skip
        return cls(frozenset().union(*ranges))

    def __contains__(self, port: int) -> bool:
        return self.ports is None or port in self.ports


def _range(text: str) -> range:
    match = _ENTRY.match(text)
    if match is None:
        raise ValueError("write a port or a range such as 9000-9100; * stands alone")
    first = int(match[1])
    last = int(match[2] or match[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError("ports are numbers from 1 to 65535, the smaller first")
    return range(first, last + 1)
