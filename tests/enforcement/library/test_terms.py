"""What can be decorated, and with which arguments: mistakes show when the program is imported, not in production."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from eve_proxy.enforcement.library.terms import Terms, is_coroutine_function, terms_of

GOOD: dict[str, Any] = {"caller": "svc", "org_id": None, "timeout_s": 2.0, "run_fmi": True, "fmi_input": None}


def make(function: Any = print, **changes: Any) -> Terms:
    return terms_of(function, **(GOOD | changes))


class Service:
    """Things that are decorated in a class."""

    def __call__(self) -> None: ...

    def method(self) -> None: ...


class Later:
    """An object whose call is a coroutine."""

    async def __call__(self) -> None: ...


class Stream:
    """An object whose call is a generator."""

    def __call__(self) -> Iterator[int]:
        yield 1


def generator() -> Iterator[int]:
    yield 1


async def stream() -> AsyncIterator[int]:
    yield 1


async def question() -> str:
    return ""


@pytest.mark.parametrize("function", [generator, stream, Stream(), functools.partial(generator)])
def test_generators_are_refused(function: Any) -> None:
    """Their body would run after the certificate; the message says what to do instead."""
    with pytest.raises(TypeError, match=r"cannot decorate a generator.*collect the result"):
        make(function)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (Service, "decorates functions"),
        (7, "decorates functions"),
        (staticmethod(print), "below @staticmethod"),
        (classmethod(print), "below @classmethod"),
        (property(print), "below @property"),
    ],
)
def test_what_is_no_function_is_refused(function: Any, text: str) -> None:
    """A class, a value or a descriptor gets a message that says where to put the decorator."""
    with pytest.raises(TypeError, match=text):
        make(function)


@pytest.mark.parametrize("name", ["caller", "org_id"])
@pytest.mark.parametrize("value", ["", "  ", "x" * 129, "line\nbreak", "e\u0301"])
def test_texts_that_no_certificate_can_carry_are_refused(name: str, value: str) -> None:
    """Both are stamped into every certificate as they stand."""
    with pytest.raises(ValueError, match=name):
        make(**{name: value})


def test_the_decorator_without_arguments_is_refused() -> None:
    """``@enforce`` without parentheses says how it is written."""
    with pytest.raises(TypeError, match="write @enforce"):
        make(caller=print)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 86_401])
def test_impossible_timeouts_are_refused(value: float) -> None:
    """A deadline has to be a moment that comes."""
    with pytest.raises(ValueError, match="timeout_s"):
        make(timeout_s=value)


@pytest.mark.parametrize(
    "changes", [{"timeout_s": "2"}, {"timeout_s": True}, {"run_fmi": 1}, {"run_fmi": "no"}, {"fmi_input": question}]
)
def test_arguments_of_another_type_are_refused(changes: dict[str, Any]) -> None:
    """A typo must not switch judging off."""
    with pytest.raises(TypeError):
        make(**changes)


@pytest.mark.parametrize(
    ("function", "target"),
    [
        (question, b"/tests.enforcement.library.test_terms.question"),
        (Service.method, b"/tests.enforcement.library.test_terms.Service.method"),
        (Service(), b"/tests.enforcement.library.test_terms.Service"),
        (functools.partial(functools.partial(question)), b"/tests.enforcement.library.test_terms.question"),
        (print, b"/builtins.print"),
    ],
)
def test_the_functions_name_is_what_policies_see_as_path(function: Any, target: bytes) -> None:
    """A rule can name a function by its module and qualified name."""
    assert make(function).target.replace(__name__.encode(), b"tests.enforcement.library.test_terms") == target


def test_coroutine_functions_are_told_apart() -> None:
    """What returns a coroutine is awaited, everything else is not."""
    assert is_coroutine_function(question)
    assert is_coroutine_function(Later())
    assert is_coroutine_function(functools.partial(question))
    assert not is_coroutine_function(Service())
    assert not is_coroutine_function(print)
