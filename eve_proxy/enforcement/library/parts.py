"""What every enforced call of a process shares. Made by the composition root (``eve_proxy/library.py``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from eve_proxy.audit.blocking import Entry
from eve_proxy.enforcement.library.runners import Runners
from eve_proxy.interfaces import IClock, IEntropy, IGovernor, IPreFilter
from eve_proxy.model.certificate import Draft
from eve_proxy.model.errors import JournalUnavailable


class Journal(Protocol):
    """Where calls are written down (``audit.process_journal.ProcessJournal``).

    :ivar timeout: EVE_PROXY_AUDIT_TIMEOUT, seconds.
    """

    @property
    def timeout(self) -> float:
        """See the class."""

    def submit(self, draft: Draft) -> Entry:
        """See ``BlockingJournal.submit``."""

    def give_up(self, entry: Entry) -> JournalUnavailable | None:
        """See ``BlockingJournal.give_up``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a call needs.

    :ivar governor: the governor for a call that may take so many seconds.
    :ivar body_filters: built-in pre-filters; those about destinations have nothing to look at here.
    :ivar org_id: EVE_PROXY_ORG_ID.
    :ivar max_body: EVE_PROXY_MAX_BODY.
    :ivar fail_open: EVE_PROXY_FAIL_CLOSED=0.
    :ivar judges: threads that judge; ``functions``: threads that run plain enforced functions. Two pools, so that
        functions that hang do not keep others from being judged.
    """

    governor: Callable[[float], IGovernor]
    journal: Journal
    clock: IClock
    entropy: IEntropy
    org_id: str
    max_body: int
    body_filters: tuple[IPreFilter, ...] = ()
    fail_open: bool = False
    judges: Runners = field(default_factory=lambda: Runners("eve-judge"))
    functions: Runners = field(default_factory=lambda: Runners("eve-function"))


class Provider(Protocol):
    """Hands out the parts."""

    def ready(self) -> Parts | None:
        """The parts when they are there; does not block."""

    def parts(self) -> Parts:
        """The parts; made now when they are not there yet.

        :raises ConfigurationError: every fault of the environment.
        """

    def close(self) -> None:
        """End the journal; the next call begins anew."""
