"""What every check is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from eve_proxy.doctor.network import Network
from eve_proxy.doctor.plan import Plan
from eve_proxy.doctor.proxy import Proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """The plan, and the means to carry it out.

    :ivar token: a random text of 16 lower-case hex digits, another one each time.
    :ivar wall: seconds since the epoch, UTC.
    """

    plan: Plan
    network: Network
    proxy: Proxy
    token: Callable[[], str]
    wall: Callable[[], float]
