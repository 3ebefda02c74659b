"""The guard of the unit tests works: each forbidden act fails in a pytest of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import socket
import time

from twisted.internet import reactor
from twisted.internet.task import Clock


def test_sleeps():
    time.sleep(0)


def test_opens_a_socket():
    socket.socket(socket.AF_INET).close()


def test_swallows_the_failure():
    try:
        socket.socket()
    except BaseException:
        pass


def test_uses_the_reactor():
    reactor.callLater(0, print)


async def test_is_a_coroutine():
    pass


def test_may_use_a_socket_pair():
    for end in socket.socketpair():
        end.close()


def test_may_use_a_fake_clock():
    Clock().callLater(0, print)
"""


def test_the_guard(pytester: pytest.Pytester) -> None:
    """A unit test that sleeps, opens a socket, uses the reactor or is a coroutine fails; integration tests may."""
    shutil.copy(Path(__file__).with_name("conftest.py"), pytester.path / "conftest.py")
    (pytester.path / "test_unit.py").write_text(TESTS, encoding="utf-8")
    (pytester.path / "integration").mkdir()
    (pytester.path / "integration" / "test_real.py").write_text(TESTS, encoding="utf-8")
    result = pytester.runpytest_subprocess("-rA", "-p", "no:cacheprovider", "--import-mode=importlib")
    outcome = {line.split()[1]: line.split()[0] for line in result.outlines if line.startswith(("PASSED", "FAILED"))}
    assert {name for name, word in outcome.items() if word == "FAILED"} == {
        "test_unit.py::test_sleeps",
        "test_unit.py::test_opens_a_socket",
        "test_unit.py::test_swallows_the_failure",
        "test_unit.py::test_uses_the_reactor",
        "test_unit.py::test_is_a_coroutine",
    }
    # The same acts are the point of an integration test.
    assert outcome["integration/test_real.py::test_opens_a_socket"] == "PASSED"
    assert outcome["test_unit.py::test_may_use_a_fake_clock"] == "PASSED"
