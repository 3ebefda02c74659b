"""What a decorator was told, checked when the function is decorated."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from eve_proxy.model.text import clean

_LONGEST: Final = 128
_LONGEST_TIMEOUT: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The guide's arguments, and what is known of the function.

    :ivar org_id: None for EVE_PROXY_ORG_ID.
    :ivar timeout_s: seconds for judging and running together.
    :ivar run_fmi: whether the call's text is judged; without it only who calls is (``coverage: none``).
    :ivar fmi_input: further text to judge: a value, or a callable of the call's arguments; None for none.
    :ivar target: ``/module.qualified_name``, percent-coded: what the question calls ``path``.
    :ivar held: arguments that a ``functools.partial`` adds in front of the call's; ``named``: those it adds by name.
    :ivar signatures: how arguments may be bound: as the innermost function takes them, then as its outermost wrapper
        does (a decorator may add arguments of its own); none when the function does not tell.
    """

    caller: str
    org_id: str | None
    timeout_s: float
    run_fmi: bool
    fmi_input: Any
    target: bytes
    held: tuple[Any, ...]
    named: Mapping[str, Any]
    signatures: tuple[inspect.Signature, ...]


def terms_of(
    function: Callable[..., Any],
    *,
    caller: str,
    org_id: str | None,
    timeout_s: float,
    run_fmi: bool,
    fmi_input: Any,
) -> Terms:
    """Check the arguments of ``enforce`` and look at ``function``.

    :raises TypeError: an argument of the wrong type; something that cannot be enforced as a function.
    :raises ValueError: a text that no certificate can carry, a timeout that is none.
    """
    _check_function(function)
    _check_text("caller", caller)
    if org_id is not None:
        _check_text("org_id", org_id)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
        raise TypeError("timeout_s must be a number of seconds")
    if not 0 < timeout_s <= _LONGEST_TIMEOUT:
        raise ValueError("timeout_s must be more than 0 and at most 86400 seconds")
    if not isinstance(run_fmi, bool):
        raise TypeError("run_fmi must be True or False")
    if inspect.iscoroutinefunction(fmi_input):
        raise TypeError("fmi_input must be a value or an ordinary function: it is called in a thread, not awaited")
    called, held, named = _without_partials(function)
    return Terms(
        caller=caller,
        org_id=org_id,
        timeout_s=float(timeout_s),
        run_fmi=run_fmi,
        fmi_input=fmi_input,
        target=_target(called),
        held=held,
        named=named,
        signatures=_signatures(called),
    )


def is_coroutine_function(function: Any) -> bool:
    """Whether calling it gives a coroutine: an ``async def``, or an object whose ``__call__`` is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _check_function(function: Any) -> None:
    if isinstance(function, classmethod | staticmethod | property):
        raise TypeError(f"put @enforce below @{type(function).__name__}, directly on the function")
    if inspect.isclass(function) or not callable(function):
        raise TypeError("@enforce(...) decorates functions; decorate the method that does the work")
    for candidate in (function, getattr(function, "__call__", None)):  # noqa: B004
        if inspect.isgeneratorfunction(candidate) or inspect.isasyncgenfunction(candidate):
            raise TypeError(
                "@enforce cannot decorate a generator: its body would run after the call, outside the deadline and "
                "the certificate; decorate the function that makes the request, or collect the result"
            )


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text; write @enforce(caller=..., ...) with its arguments")
    if not value.strip() or clean(value, _LONGEST) != value:
        raise ValueError(f"{name} must be 1 to {_LONGEST} printable characters: it is stamped into every certificate")


def _without_partials(function: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """What a ``functools.partial`` calls, with the arguments it adds: they are part of what the function is told."""
    held: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    while isinstance(function, functools.partial):
        held, named, function = (*function.args, *held), {**function.keywords, **named}, function.func
    return function, held, named


def _target(function: Any) -> bytes:
    named = function if hasattr(function, "__qualname__") else type(function)
    name = f"{getattr(named, '__module__', None) or 'builtins'}.{named.__qualname__}"
    return b"/" + quote(name, safe=".<>").encode("ascii")


def _signatures(function: Any) -> tuple[inspect.Signature, ...]:
    try:
        innermost = inspect.signature(function)
        outermost = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # some built-in functions
        return ()
    return (innermost,) if innermost == outermost else (innermost, outermost)
