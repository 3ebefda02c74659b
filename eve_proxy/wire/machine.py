"""The life of a client's connection as a table: state, event, next state.

This file knows no bytes, no sockets and no time. Whoever drives a connection says what happened; what is not in the
table did not happen, and the driver severs. ``scripts/draw-machine`` draws ``docs/state-machine.md`` from the table.

Law 3 is in the table's shape: the only edges into the states that reach an upstream are permits.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from eve_proxy.model.errors import EveError


class ProtocolViolation(EveError):
    """Something happened that the table does not have. Sever: nothing more may be forwarded."""


class _Member(Enum):
    # Members are singletons: identity is their hash. Enum's own is written in Python, and is taken on every event.
    __hash__ = object.__hash__


class State(_Member):
    """Where a connection is. The value is what the documentation says of it."""

    IDLE = "waiting for the first byte of a request"
    READING = "a head has begun to arrive"
    JUDGING = "the head is complete; its body may still be arriving; being decided"
    DIALING = "permitted: connecting, sending, waiting for the upstream's response head"
    RELAYING = "the response is on its way to the client"
    OPENING = "the tunnel's upstream is connected and has got nothing: the client's first bytes are looked at"
    TUNNEL = "bytes go both ways unread"
    INTERCEPT = "permitted: TLS ends here, each inner request has a machine of its own"
    SEVERING = (
        "the last byte is written and our side closed; input is discarded until the peer closes or the linger ends"
    )
    CLOSED = "over"


class Event(_Member):
    """What happens to a connection. The value is what the documentation says of it."""

    OVERLOADED = "there are too many connections: nothing is read, and a 503 answers"
    HEAD_STARTED = "the first byte of a request arrived"
    HEAD_COMPLETE = "its head is complete and acceptable"
    ANSWERED = "a complete answer of ours was written; the connection goes on"
    REFUSED = "an answer of ours was written that ends the connection"
    VIOLATION = "unacceptable or overdue bytes; the error answer was written"
    TIMED_OUT = "the peer was idle too long, or does not read"
    PERMIT_FORWARD = "permit: one HTTP exchange"
    PERMIT_UPGRADE = "permit: one HTTP exchange that may become a websocket"
    PERMIT_TUNNEL = "permit: an opaque tunnel"
    PERMIT_INTERCEPT = "permit: an intercepted tunnel"
    TUNNEL_OPENED = "the tunnel's upstream is connected; the 200 to CONNECT was written"
    TUNNEL_HELD = "the same, but what the client sends is held until it is known what it is"
    TUNNEL_CLEARED = "it is what was judged; what was held goes first"
    WITHDRAWN = "the client closed its tunnel without having sent anything"
    UPGRADED = "a matching 101 was relayed"
    RESPONSE_STARTED = "the upstream's final response head was relayed"
    RESPONSE_COMPLETE = "the response is complete; the connection goes on"
    RESPONSE_LAST = "the response is complete; the connection ends with it"
    UPSTREAM_FAILED = "the upstream failed and that ends the connection: a 502, or a response cut short"
    INPUT_ENDED = "the client closed its sending side"
    SHUTDOWN = "the daemon stops"
    PEER_GONE = "the connection is gone: lost, aborted, or its linger ended"


TRANSITIONS: Final[dict[State, dict[Event, State]]] = {
    State.IDLE: {
        Event.OVERLOADED: State.SEVERING,
        Event.HEAD_STARTED: State.READING,
        # A first byte that cannot begin a request.
        Event.VIOLATION: State.SEVERING,
        Event.TIMED_OUT: State.SEVERING,
        Event.INPUT_ENDED: State.SEVERING,
        Event.SHUTDOWN: State.SEVERING,
        Event.PEER_GONE: State.CLOSED,
    },
    State.READING: {
        Event.HEAD_COMPLETE: State.JUDGING,
        Event.VIOLATION: State.SEVERING,
        Event.INPUT_ENDED: State.SEVERING,
        # Only where the connection came after the stop: a head that had begun before it is waited for.
        Event.SHUTDOWN: State.SEVERING,
        Event.PEER_GONE: State.CLOSED,
    },
    # The body arrives here: the judge asks for it once the head filters have passed.
    State.JUDGING: {
        # Health and certificates.
        Event.ANSWERED: State.IDLE,
        # A refusal; an allow whose name did not resolve.
        Event.REFUSED: State.SEVERING,
        # In the framing of the body, or in what was sent ahead of the answer.
        Event.VIOLATION: State.SEVERING,
        Event.PERMIT_FORWARD: State.DIALING,
        Event.PERMIT_UPGRADE: State.DIALING,
        Event.PERMIT_TUNNEL: State.DIALING,
        Event.PERMIT_INTERCEPT: State.INTERCEPT,
        # A client may half-close after its request and still wait for the answer.
        Event.INPUT_ENDED: State.JUDGING,
        Event.PEER_GONE: State.CLOSED,
    },
    State.DIALING: {
        Event.TUNNEL_OPENED: State.TUNNEL,
        Event.TUNNEL_HELD: State.OPENING,
        Event.UPGRADED: State.TUNNEL,
        Event.RESPONSE_STARTED: State.RELAYING,
        # A 502 before any byte of a response: the connection can go on, or not.
        Event.ANSWERED: State.IDLE,
        Event.UPSTREAM_FAILED: State.SEVERING,
        Event.VIOLATION: State.SEVERING,
        Event.INPUT_ENDED: State.DIALING,
        Event.PEER_GONE: State.CLOSED,
    },
    State.RELAYING: {
        # Neither ANSWERED, REFUSED nor VIOLATION: a head of ours inside a response would be response splitting.
        # Whatever goes wrong now can only cut the response short.
        Event.RESPONSE_COMPLETE: State.IDLE,
        Event.RESPONSE_LAST: State.SEVERING,
        Event.UPSTREAM_FAILED: State.SEVERING,
        Event.TIMED_OUT: State.SEVERING,
        Event.INPUT_ENDED: State.RELAYING,
        Event.PEER_GONE: State.CLOSED,
    },
    State.OPENING: {
        Event.TUNNEL_CLEARED: State.TUNNEL,
        # A server name that is not the authority, something that is not TLS, or nothing in time.
        Event.REFUSED: State.SEVERING,
        Event.WITHDRAWN: State.SEVERING,
        # What it has sent before may be a part of a ClientHello, which is refused, or nothing, which is not.
        Event.INPUT_ENDED: State.OPENING,
        Event.PEER_GONE: State.CLOSED,
    },
    State.TUNNEL: {
        Event.TIMED_OUT: State.SEVERING,
        Event.SHUTDOWN: State.SEVERING,
        # Passed on: the other direction lives on.
        Event.INPUT_ENDED: State.TUNNEL,
        Event.PEER_GONE: State.CLOSED,
    },
    State.INTERCEPT: {
        Event.REFUSED: State.SEVERING,
        Event.VIOLATION: State.SEVERING,
        Event.TIMED_OUT: State.SEVERING,
        Event.SHUTDOWN: State.SEVERING,
        Event.INPUT_ENDED: State.SEVERING,
        Event.PEER_GONE: State.CLOSED,
    },
    State.SEVERING: {
        Event.INPUT_ENDED: State.CLOSED,
        Event.PEER_GONE: State.CLOSED,
    },
    State.CLOSED: {
        # Our own close comes back as the loss of the connection.
        Event.PEER_GONE: State.CLOSED,
    },
}

EGRESS: Final = frozenset((State.DIALING, State.RELAYING, State.OPENING, State.TUNNEL, State.INTERCEPT))

# What each permit lets happen. The states are the same for all of them, so the machine remembers which it was:
# a permit for one exchange never opens a tunnel.
GRANTS: Final[dict[Event, frozenset[Event]]] = {
    Event.PERMIT_FORWARD: frozenset((Event.RESPONSE_STARTED,)),
    Event.PERMIT_UPGRADE: frozenset((Event.RESPONSE_STARTED, Event.UPGRADED)),
    Event.PERMIT_TUNNEL: frozenset((Event.TUNNEL_OPENED, Event.TUNNEL_HELD)),
    Event.PERMIT_INTERCEPT: frozenset(),
}
PERMITS: Final = frozenset(GRANTS)
# The events that give leave, or need it. Most do neither.
_ABOUT_LEAVE: Final = PERMITS.union(*GRANTS.values())


class Machine:
    """One client connection.

    :ivar state: where it is now.
    """

    __slots__ = ("_grant", "state")

    def __init__(self) -> None:
        self.state = State.IDLE
        self._grant: frozenset[Event] = frozenset()

    def fire(self, event: Event) -> State:
        """Go on.

        :returns: the new state.
        :raises ProtocolViolation: the table has no such edge, or the permit was for something else. The state stays.
        """
        state = TRANSITIONS[self.state].get(event)
        if state is None:
            raise self._violation(event)
        if event in _ABOUT_LEAVE:
            if event in PERMITS:
                self._grant = GRANTS[event]
            elif event not in self._grant:
                raise self._violation(event)
        self.state = state
        return state

    def _violation(self, event: Event) -> ProtocolViolation:
        return ProtocolViolation(f"{event.name} cannot happen in {self.state.name}")
