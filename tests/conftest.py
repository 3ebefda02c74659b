"""The guard of the unit tests, and the profiles of Hypothesis.

Everything outside tests/integration, tests/packaging and the relays' suite is a unit test: it opens no internet
socket, does not touch the real reactor and does not sleep. What breaks that fails, whoever swallows the exception.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import hypothesis
import pytest
from twisted.internet import base

HERE = Path(__file__).parent
REAL = (HERE / "integration", HERE / "packaging", HERE / "conformance" / "test_relays.py")

hypothesis.settings.register_profile("fast", max_examples=60, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "fast"))


def is_unit(item: pytest.Item) -> bool:
    """Whether the guard holds for a test."""
    return not any(item.path.is_relative_to(folder) for folder in REAL)


class Guard:
    """Fails what a unit test must not do. An audit hook cannot be removed, so that it is one, switched on and off."""

    def __init__(self) -> None:
        self.on = False
        self.offences: list[str] = []

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event == "socket.__new__" and arguments[1] in (socket.AF_INET, socket.AF_INET6):
            self.offend("it opens an internet socket: use a fake transport, or move it to tests/integration")

    def offend(self, what: str) -> NoReturn:
        self.offences.append(what)
        pytest.fail(f"not a unit test: {what}")

    def sleep(self, seconds: float) -> NoReturn:
        self.offend("it sleeps: pass a clock (law 5)")

    def touch_reactor(self, *arguments: object, **named: object) -> NoReturn:
        self.offend("it uses the real reactor: use task.Clock or a memory reactor, or move it to tests/integration")


GUARD = Guard()
sys.addaudithook(GUARD.audit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    if not is_unit(item):
        return (yield)
    GUARD.offences.clear()
    # Only the real reactors are made of it: neither task.Clock nor the memory reactors are.
    touch = GUARD.touch_reactor
    reactor = mock.patch.multiple(base.ReactorBase, run=touch, callLater=touch, callFromThread=touch)
    with reactor, mock.patch.object(time, "sleep", GUARD.sleep):
        GUARD.on = True
        try:
            result = yield
        finally:
            GUARD.on = False
    if GUARD.offences:
        pytest.fail(f"not a unit test: {GUARD.offences[0]}")
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Calls unit tests directly: pytest-twisted would run each, and each example of a property, in the reactor."""
    if not is_unit(pyfuncitem):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    result = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    if result is not None:
        pytest.fail(f"a unit test returned {type(result).__name__}: was it meant for tests/integration?")
    return True
