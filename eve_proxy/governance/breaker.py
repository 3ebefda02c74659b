"""The governor's circuit breaker: a service that is down is not asked again and again (governance-api.md, "Answer").

It never decides anything: a refusal here is a failure of judging like any other. Pure: time and chance are arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

from eve_proxy.model.errors import GovernorUnavailable

OPEN_SECONDS: Final = 10.0
WINDOW: Final = 20
# Spread over 8 to 12 s, so that the daemons of one site do not all probe in the same instant.
_SPREAD: Final = 0.4


class State(Enum):
    """CLOSED asks; OPEN refuses; PROBING lets one call at a time try."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Breaker:
    """Counts how calls end.

    Every admitted call gets a ticket and ends in exactly one of ``answered``, ``upset``, ``unreachable`` and
    ``abandoned``. A ticket is the number of the state it was given in: a call that outlives its state says nothing
    about the present one, so a straggler neither closes an open breaker nor opens a fresh one.

    :ivar ended: calls by how they ended, and ``refused``: how many were not made.
    :param threshold: consecutive transport failures or timeouts that open it; 0 turns it off.
    :param monotonic: seconds that never go back.
    :param jitter: a number in [0, 1), different at each call.
    """

    __slots__ = ("_consecutive", "_epoch", "_errors", "_jitter", "_monotonic", "_probe", "_spotless", "_state", "_threshold", "_until", "_window", "ended")  # fmt: skip  # noqa: E501

    def __init__(self, threshold: int, monotonic: Callable[[], float], jitter: Callable[[], float]) -> None:
        if threshold < 0:
            raise ValueError("the breaker's threshold is a number of failures, or 0 for off")
        self._threshold = threshold
        self._monotonic = monotonic
        self._jitter = jitter
        self._state = State.CLOSED
        self._epoch = 0
        self._consecutive = 0
        self._window: deque[bool] = deque(maxlen=WINDOW)
        self._errors = 0
        self._until = 0.0
        self._probe = False
        self._spotless = False  # closed, and a full window without an error
        self.ended = dict.fromkeys(("answered", "upset", "unreachable", "abandoned", "refused"), 0)

    @property
    def state(self) -> State:
        """The present state, for readiness and warnings."""
        if self._state is State.OPEN and self._monotonic() >= self._until:
            self._enter(State.PROBING)
        return self._state

    def check(self) -> None:
        """Refuse what would be refused now; takes nothing.

        :raises GovernorUnavailable: open, or a probe is under way.
        """
        if self._state is State.CLOSED:
            return
        if self.state is State.OPEN or self._probe:
            self.ended["refused"] += 1
            raise GovernorUnavailable("governance breaker open")

    def admit(self) -> int:
        """A ticket for one call.

        :raises GovernorUnavailable: open, or a probe is under way.
        """
        if self._state is not State.CLOSED:
            self.check()
            self._probe = True
        return self._epoch

    def answered(self, ticket: int) -> None:
        """A well-formed answer, whatever it decided."""
        self.ended["answered"] += 1
        if self._spotless and ticket == self._epoch:
            return  # one more success behind twenty changes nothing
        self._end(ticket, error=False, transport=False)

    def upset(self, ticket: int) -> None:
        """An HTTP error or a malformed answer.

        Counts only in the window: a client must not shut the service off for all with a few bodies that upset it.
        """
        self.ended["upset"] += 1
        self._end(ticket, error=True, transport=False)

    def unreachable(self, ticket: int) -> None:
        """No connection, cut off, or no answer in time."""
        self.ended["unreachable"] += 1
        self._end(ticket, error=True, transport=True)

    def abandoned(self, ticket: int) -> None:
        """The client left before the service could show how it is: says nothing, and frees the probe."""
        self.ended["abandoned"] += 1
        if ticket == self._epoch:
            self._probe = False

    def _end(self, ticket: int, *, error: bool, transport: bool) -> None:
        if ticket != self._epoch or not self._threshold:
            return
        if self._state is State.PROBING:
            self._enter(State.OPEN if error else State.CLOSED)
            return
        self._consecutive = self._consecutive + 1 if transport else 0
        if len(self._window) == WINDOW:
            self._errors -= self._window[0]
        self._window.append(error)
        self._errors += error
        self._spotless = not self._errors and not transport and len(self._window) == WINDOW
        if not error:
            return  # an answer never opens it, even when it completes a window full of errors
        if self._consecutive >= self._threshold or (len(self._window) == WINDOW and 2 * self._errors >= WINDOW):
            self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self._state = state
        self._epoch += 1
        self._probe = self._spotless = False
        self._consecutive = self._errors = 0
        self._window.clear()
        if state is State.OPEN:
            self._until = self._monotonic() + OPEN_SECONDS * (1 + _SPREAD * (self._jitter() - 0.5))
