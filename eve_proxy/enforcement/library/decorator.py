"""``@enforce``: from a function to an enforced one. Light on purpose: the pipeline is imported at the first call."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from eve_proxy.enforcement.library.terms import Terms, is_coroutine_function, terms_of

if TYPE_CHECKING:
    from eve_proxy.enforcement.library.parts import Provider

F = TypeVar("F", bound=Callable[..., Any])


def enforced(
    provider: Callable[[], Provider],
    *,
    caller: str,
    org_id: str | None,
    timeout_s: float,
    run_fmi: bool,
    fmi_input: Any,
) -> Callable[[F], F]:
    """The decorator for these terms (``eve_proxy.fail_closed.enforce`` documents them).

    :param provider: who has the parts, asked at each call.
    """

    def decorate(function: F) -> F:
        terms = terms_of(
            function, caller=caller, org_id=org_id, timeout_s=timeout_s, run_fmi=run_fmi, fmi_input=fmi_input
        )
        wrap = _coroutine if is_coroutine_function(function) else _plain
        return wrap(function, terms, provider)  # type: ignore[return-value]

    return decorate


def _plain(function: Callable[..., Any], terms: Terms, provider: Callable[[], Provider]) -> Callable[..., Any]:
    @functools.wraps(function)
    def enforced_function(*args: Any, **kwargs: Any) -> Any:
        from eve_proxy.enforcement.library.call import Call
        from eve_proxy.enforcement.library.running import run_plain
        from eve_proxy.enforcement.library.waiting import BlockingWait, drive

        call = Call(provider().parts(), terms, BlockingWait(), args, kwargs)
        return drive(run_plain(call, function, args, kwargs))

    return enforced_function


def _coroutine(function: Callable[..., Any], terms: Terms, provider: Callable[[], Provider]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def enforced_function(*args: Any, **kwargs: Any) -> Any:
        from eve_proxy.enforcement.library.call import Call
        from eve_proxy.enforcement.library.running import run_coroutine
        from eve_proxy.enforcement.library.waiting import AsyncioWait

        ours = provider()
        # The first call reads the environment and opens the journal: files, hence not on the event loop.
        parts = ours.ready()
        if parts is None:
            parts = await asyncio.to_thread(ours.parts)
        return await run_coroutine(Call(parts, terms, AsyncioWait(), args, kwargs), function, args, kwargs)

    return enforced_function
