"""A permit is spent by one exchange."""

import pytest

from eve_proxy.model.decision import Ticket
from eve_proxy.model.errors import PermitSpent


def test_a_ticket_is_taken_once() -> None:
    """The same permit cannot open two connections (law 3)."""
    ticket = Ticket()
    ticket.take()
    with pytest.raises(PermitSpent):
        ticket.take()
