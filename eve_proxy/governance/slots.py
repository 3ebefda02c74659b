"""How many questions may be under way at once (EVE_PROXY_GOVERNANCE_CONCURRENCY), first come, first served.

Not ``DeferredSemaphore``: its release calls the next waiter from inside the last one, so that a thousand waiters that
all fail at once (the breaker has just opened) end the stack, and its queue is a list popped from the front.
"""

from __future__ import annotations

from collections import OrderedDict

from twisted.internet.defer import Deferred


class Slots:
    """A fair counting gate.

    :param size: slots in all, at least 1.
    :ivar size: likewise.
    """

    __slots__ = ("_free", "_waiting", "_waking", "size")

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError("at least one governance call must be allowed at a time")
        self.size = self._free = size
        # An ordered set: a waiter that is cancelled leaves the middle of the queue at constant cost.
        self._waiting: OrderedDict[Deferred[None], None] = OrderedDict()
        self._waking = False

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return len(self._waiting)

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self.size - self._free

    def take(self) -> bool:
        """Take a slot if one is free; those that wait are served by ``release``, so nobody overtakes them."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def wait(self) -> Deferred[None]:
        """Fires when a slot has been taken for the caller. Cancelling it leaves the queue."""
        waiter: Deferred[None] = Deferred(self._leave)
        self._waiting[waiter] = None
        return waiter

    def release(self) -> None:
        """Give a slot back; the longest waiter gets it."""
        self._free += 1
        if not self._waiting or self._waking:
            return  # nobody waits, or a waiter finished inside the loop below, which goes on
        self._waking = True
        try:
            while self._free and self._waiting:
                waiter, _ = self._waiting.popitem(last=False)
                self._free -= 1
                waiter.callback(None)
        finally:
            self._waking = False

    def _leave(self, waiter: Deferred[None]) -> None:
        self._waiting.pop(waiter, None)
