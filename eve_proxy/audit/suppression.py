"""A flood can't fill the disk: which refusals get a record of their own, and what is said about the rest.

Pure accounting (evidence.md): up to 10 per peer address and 100 in all per minute are recorded one by one, the rest
is counted. Memory is bounded whatever the number of peers.
"""

from __future__ import annotations

from typing import Any, Final

from eve_proxy.interfaces import IClock
from eve_proxy.signing.seal import timestamp

PER_PEER: Final = 10
IN_ALL: Final = 100
WINDOW: Final = 60.0  # seconds
_KINDS = 16
_PEERS = 16


class Suppressor:
    """Counts refusals. ``admit`` one by one, ``drain`` once a minute.

    :ivar suppressed: how many had no record of their own.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._window_ends = clock.monotonic() + WINDOW
        self._admitted: dict[str, int] = {}  # never more than IN_ALL peers
        self._admitted_in_all = 0
        self._count = self.suppressed = 0
        self._since = 0.0
        self._kinds: dict[str, int] = {}
        self._peers: dict[str, int] = {}

    def admit(self, peer: str, kind: str) -> bool:
        """Whether this refusal gets a record of its own; if not, it is counted.

        :param peer: the address, without port.
        :param kind: why it was refused: a short constant name.
        """
        now = self._clock.monotonic()
        if now >= self._window_ends:
            self._window_ends = now + WINDOW
            self._admitted.clear()
            self._admitted_in_all = 0
        so_far = self._admitted.get(peer, 0)
        if so_far < PER_PEER and self._admitted_in_all < IN_ALL:
            self._admitted[peer] = so_far + 1
            self._admitted_in_all += 1
            return True
        if self._count == 0:
            self._since = self._clock.wall()
        self._count += 1
        self.suppressed += 1
        _count(self._kinds, kind, _KINDS)
        _count(self._peers, peer, _PEERS)
        return False

    def drain(self) -> dict[str, Any] | None:
        """The details of a ``suppressed`` record on what was counted since the last call; None when that is nothing.

        ``{"count", "since", "until", "kinds": {kind: n}, "peers": {address: n}}``; what exceeds 16 kinds or 16 peers
        is under ``other``.
        """
        if self._count == 0:
            return None
        details = {
            "count": self._count,
            "since": timestamp(self._since),
            "until": timestamp(self._clock.wall()),
            "kinds": self._kinds,
            "peers": self._peers,
        }
        self._count = 0
        self._kinds = {}
        self._peers = {}
        return details


def _count(counts: dict[str, int], name: str, most: int) -> None:
    if name not in counts and len(counts) >= most:
        name = "other"
    counts[name] = counts.get(name, 0) + 1
