"""What the entry points decided, answered and let go, as numbers. Bumped per request, read by ``metrics/``.

Pillars and rules are a decision service's or a plugin's texts, and become labels of a time series each. So their
number is bounded, and what they may be spelled with: never with what an address, a host name or a path needs.
"""

from __future__ import annotations

import re
from collections import defaultdict
from http import HTTPStatus
from typing import Final, TypeAlias

from eve_proxy.counting import Latencies
from eve_proxy.model.exchange import Route
from eve_proxy.model.verdict import FAIL_SHUT_PILLAR, Outcome

# Most pairs of pillar and rule that are told apart, of judges outside and of this process each.
MOST: Final = 100
OTHER: Final = "other"
_LABEL: Final = re.compile(r"[A-Za-z0-9_:-]{0,32}")
_STATUSES: Final = frozenset(HTTPStatus)

# Outcome; route, None for a connection of which nothing was read; pillar; rule; the client's status, None when it had
# left, and OTHER for one that HTTP does not know.
Key: TypeAlias = tuple[Outcome, Route | None, str | None, str | None, int | str | None]

# There from the start: the first of a series that was not there before is no increase to whoever watches for one.
_EXPECTED: Final[tuple[Key, ...]] = tuple(
    (outcome, route, pillar, None, status)
    for route in (Route.FORWARD, Route.CONNECT, Route.TRANSPARENT)
    for outcome, pillar, status in (
        (Outcome.ALLOW, None, 200),
        (Outcome.ALLOW, None, 502),
        (Outcome.FAIL_CLOSED, FAIL_SHUT_PILLAR, 503),
        (Outcome.FAIL_OPEN, FAIL_SHUT_PILLAR, 200),
    )
)


class Released:
    """What became of one kind of exchange that was let go.

    :ivar latency: from the permit to upstream's response head; of a tunnel, until it was open and had shown what it is.
    :ivar failed: how many had no answer from upstream (502).
    :ivar to_upstream: bytes of content of those that have ended; ``to_downstream``: likewise.
    """

    __slots__ = ("failed", "latency", "to_downstream", "to_upstream")

    def __init__(self) -> None:
        self.latency = Latencies()
        self.failed = self.to_upstream = self.to_downstream = 0


class Counts:
    """The numbers of one proxy.

    :ivar decisions: by all that a series is told apart by. Bump it in place; on KeyError ask ``meet``.
    :ivar rejected: what never became a request, by status.
    :ivar enforcement: the enforcement clock of certified decisions.
    :ivar requests: HTTP exchanges; ``tunnels``: CONNECT, WebSockets, redirected TLS.
    """

    __slots__ = ("_met", "decisions", "enforcement", "rejected", "requests", "tunnels")

    def __init__(self) -> None:
        self.decisions = dict.fromkeys(_EXPECTED, 0)
        self.rejected: defaultdict[int, int] = defaultdict(int)
        self.enforcement = Latencies()
        self.requests = Released()
        self.tunnels = Released()
        usual: set[tuple[str | None, str | None]] = {(None, None), (FAIL_SHUT_PILLAR, None)}
        self._met = {remote: set(usual) for remote in (False, True)}

    def meet(self, key: Key, *, remote: bool) -> None:
        """Count a decision whose key is not there yet, or never will be.

        :param remote: somebody outside this process judged: then it cannot use up what local rules have.
        """
        outcome, route, pillar, rule, status = key
        pair, met = (pillar, rule), self._met[remote]
        if pair not in met:
            if len(met) < MOST and _LABEL.fullmatch(pillar or "") and _LABEL.fullmatch(rule or ""):
                met.add(pair)
            else:
                pair = (OTHER, OTHER)
        key = outcome, route, *pair, status if status is None or status in _STATUSES else OTHER
        self.decisions[key] = self.decisions.get(key, 0) + 1
