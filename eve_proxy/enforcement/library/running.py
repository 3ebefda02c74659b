"""Running what was allowed, until the deadline at the latest: a plain function in a thread, a coroutine as a task."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import inspect
from collections.abc import Callable
from typing import Any, Final

from eve_proxy.enforcement.library.call import Call
from eve_proxy.model.certificate import DecisionCertificate

_INTERRUPTED: Final = "whoever called was interrupted"
# Tasks that were abandoned at their deadline: the loop itself keeps only weak references to tasks.
_abandoned: set[asyncio.Task[Any]] = set()


async def run_plain(call: Call, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Judge, then run in a thread of the bounded pool.

    :raises FailClosedError: refused, raised, or not done at the deadline.
    """
    certificate = await call.admit()
    context = contextvars.copy_context()
    try:
        future = call.parts.functions.submit(context.run, function, *args, **kwargs)
    except RuntimeError as error:  # no more threads
        await call.raised(error)
    except BaseException:
        call.abandon(_INTERRUPTED)
        raise
    try:
        done = await call.waiting.settled(future, call.deadline.left)
    except BaseException:
        future.cancel()
        call.abandon(_INTERRUPTED)
        raise
    if not done:
        future.cancel()
        await call.overran()
    failed = future.exception()
    if call.deadline.left <= 0 and failed is None:
        await call.overran()
    _carry_back(context)
    if failed is not None:
        await call.raised(failed)
    return await _handed_out(call, future.result(), certificate)


async def run_coroutine(call: Call, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Judge off the event loop, then run in a task of its own.

    :raises FailClosedError: refused, raised, or not done at the deadline; then the task is cancelled, and not waited
        for: a coroutine may refuse to end.
    :raises asyncio.CancelledError: the caller was cancelled; so is the function.
    """
    certificate = await call.admit()
    context = contextvars.copy_context()
    task = asyncio.get_running_loop().create_task(_awaited(function, args, kwargs), context=context)
    try:
        await asyncio.wait({task}, timeout=max(0.0, call.deadline.left))
    except BaseException:
        call.abandon("the calling task was cancelled")
        task.cancel()
        # A cancelled function may clean up, as long as it had to run.
        _keep(task)
        await asyncio.wait({task}, timeout=max(0.0, call.deadline.left))
        raise
    if not task.done():
        task.cancel()
        _keep(task)
        await call.overran()
    failed = asyncio.CancelledError() if task.cancelled() else task.exception()
    if call.deadline.left <= 0 and failed is None:
        await call.overran()
    _carry_back(context)
    if failed is not None:
        await call.raised(failed)
    return await _handed_out(call, task.result(), certificate)


async def _awaited(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await function(*args, **kwargs)


def _keep(task: asyncio.Task[Any]) -> None:
    def ended(task: asyncio.Task[Any]) -> None:
        _abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # seen: what an abandoned function still says is nobody's

    _abandoned.add(task)
    task.add_done_callback(ended)


async def _handed_out(call: Call, result: Any, certificate: DecisionCertificate) -> Any:
    """The result; a dict as a copy with the certificate in it."""
    if inspect.isgenerator(result) or inspect.isasyncgen(result) or inspect.isawaitable(result):
        if inspect.isgenerator(result) or inspect.iscoroutine(result):
            result.close()
        await call.veto("the function returned a generator or awaitable, whose work would be done after the deadline")
    call.succeeded(certificate)
    if not isinstance(result, dict):
        return result
    if type(result) is dict:
        return {**result, "certificate": certificate.to_dict()}
    try:
        kept = copy.copy(result)
        kept["certificate"] = certificate.to_dict()
    except Exception as error:  # noqa: BLE001 - a dict of somebody's own class may raise anything
        await call.raised(error)
    return kept


def _carry_back(context: contextvars.Context) -> None:
    """What the function set in its context is visible to its caller, as if it had run in place."""
    here = contextvars.copy_context()
    for variable in context:
        value = context[variable]
        if variable not in here or here[variable] is not value:
            variable.set(value)
