"""Runs one coroutine to its end: what ``Deferred.fromCoroutine`` does, without what its users here do not need.

No Deferred for the result, no context variables, no answer to a cancel of its own: that is a third of the work, and
every request drives two coroutines.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class Drive:
    """A coroutine under way. It starts at once, and may end before this object is made.

    :param coroutine: awaits Deferreds, and whatever awaits nothing else.
    :param returned: called with what it returns;
    :param failed: or with a ``Failure``, whatever it raised. Exactly one of them is called, once.
    """

    __slots__ = ("_coroutine", "_failed", "_returned", "_waiting")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, Any],
        returned: Callable[[Any], object],
        failed: Callable[[Failure], object],
    ) -> None:
        self._coroutine = coroutine
        self._returned = returned
        self._failed = failed
        self._waiting: Deferred[Any] | None = None
        self._go_on(None)

    def cancel(self) -> None:
        """Cancel what the coroutine waits for, as cancelling its Deferred would. It may catch that and go on."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()

    def _go_on(self, result: Any) -> None:
        try:
            waiting = self._coroutine.send(result)
        except StopIteration as end:
            value = end.value
        except BaseException:  # noqa: BLE001 - whatever it was, somebody waits for the end of this coroutine
            self._failed(Failure())  # type: ignore[no-untyped-call]
            return
        else:
            if isinstance(waiting, Deferred):
                self._waiting = waiting
                waiting.addCallbacks(self._go_on, self._throw)
            else:
                self._refuse()
            return
        # Out here, so that what it raises does not name the end of the coroutine as its context.
        self._returned(value)

    def _throw(self, failure: Failure) -> None:
        try:
            waiting = failure.throwExceptionIntoGenerator(self._coroutine)  # type: ignore[no-untyped-call]
        except StopIteration as end:
            value = end.value
        except BaseException:  # noqa: BLE001 - as above
            self._failed(Failure())  # type: ignore[no-untyped-call]
            return
        else:
            if isinstance(waiting, Deferred):
                self._waiting = waiting
                waiting.addCallbacks(self._go_on, self._throw)
            else:
                self._refuse()
            return
        self._returned(value)

    def _refuse(self) -> None:
        self._throw(Failure(TypeError("awaited something that is not a Deferred")))  # type: ignore[no-untyped-call]
