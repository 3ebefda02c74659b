"""The guide's library interface (docs/library.md).

``from eve_proxy.fail_closed import enforce, FailClosedError, verify_certificate``. Importing it loads neither Twisted
nor zope: an auditor's script needs only the offline half, and the other loads at the first enforced call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from eve_proxy.enforcement.library.decorator import enforced
from eve_proxy.enforcement.library.errors import FailClosedError
from eve_proxy.signing.verification import verify_certificate

if TYPE_CHECKING:
    from eve_proxy.enforcement.library.parts import Provider
    from eve_proxy.model.certificate import DecisionCertificate

F = TypeVar("F", bound=Callable[..., Any])

__all__ = ["FailClosedError", "close", "enforce", "last_certificate", "prepare", "verify_certificate"]


def enforce(
    caller: str,
    org_id: str | None = None,
    timeout_s: float = 2.0,
    run_fmi: bool = True,
    fmi_input: Any = None,
) -> Callable[[F], F]:
    """Decorate a function so that it runs only when its call was judged, allowed and recorded.

    A function that returns a dict returns a copy of it with the signed allow under ``certificate``. Everything else is
    a FailClosedError with a signed certificate: a veto; and as pillar 114 any failure or timeout of judging, any
    exception of the function, and a function that is not done in time.

    :param caller: who calls, at most 128 characters: stamped into the certificate.
    :param org_id: the tenant; EVE_PROXY_ORG_ID by default.
    :param timeout_s: seconds for judging and running together.
    :param run_fmi: False does not judge the call's text; the certificate says ``coverage: none``.
    :param fmi_input: more to judge than the call's text arguments: a value, or a callable that is given the arguments
        of the call. A value is fixed when the function is decorated.
    :raises TypeError: a generator, a class, or an argument of the wrong type.
    :raises ValueError: a text that no certificate can carry, or a timeout that is none.
    """
    return enforced(_process, caller=caller, org_id=org_id, timeout_s=timeout_s, run_fmi=run_fmi, fmi_input=fmi_input)


def last_certificate() -> DecisionCertificate | None:
    """The certificate of the latest enforced call of this thread or task; for functions that return no dict."""
    from eve_proxy.enforcement.library.call import last_certificate as latest

    return latest()


def prepare() -> None:
    """Do now what the first enforced call would do: read the settings and open the journal.

    For the start of a program, so that a fault of its settings stops it there. May be called again.

    :raises ConfigurationError: every fault of the settings.
    """
    _process().parts()


def close() -> None:
    """End this process's journal with a ``session_close``. An enforced call after that begins another one.

    The exit of the interpreter does the same. This is for programs that end otherwise: by a signal, or ``os._exit``.
    """
    _process().close()


def _process() -> Provider:
    from eve_proxy.library import PROCESS

    return PROCESS
