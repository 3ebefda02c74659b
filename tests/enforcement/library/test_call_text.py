"""What of a call is judged."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
from collections import UserDict, UserList, UserString, namedtuple
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.enforcement.library import call_text
from eve_proxy.enforcement.library.call_text import document_of
from eve_proxy.enforcement.library.terms import terms_of
from eve_proxy.model.errors import BodyTooLarge, JudgingFailed


def text(function: Callable[..., Any], *args: Any, fmi_input: Any = None, most: int = 100_000, **kwargs: Any) -> Any:
    terms = terms_of(function, caller="svc", org_id=None, timeout_s=1, run_fmi=True, fmi_input=fmi_input)
    return json.loads(document_of(terms, args, kwargs, most))


def call_llm(prompt: Any, *more: Any, system: Any = "be brief", **extra: Any) -> None: ...


def one(value: Any) -> None: ...


def read(value: Any) -> Any:
    """How one argument is judged."""
    return text(one, value)["arguments"]["value"]


def test_every_argument_is_judged_under_its_name() -> None:
    """Positional, variadic, keyword and default arguments are all there."""
    assert text(call_llm, "hello", "more", model="small") == {
        "arguments": {"prompt": "hello", "more": ["more"], "system": "be brief", "extra": {"model": "small"}}
    }


def test_fmi_input_is_judged_besides_the_arguments() -> None:
    """A fixed value cannot hide what the call itself says."""
    assert text(one, "real prompt", fmi_input="harmless") == {
        "fmi_input": "harmless",
        "arguments": {"value": "real prompt"},
    }


def test_a_callable_fmi_input_gets_the_calls_arguments() -> None:
    """It can pick text out of objects that are not read by themselves."""

    def pick(prompt: Any, *_: Any, **extra: Any) -> str:
        return f"{prompt}|{extra['model']}"

    assert text(call_llm, "hello", model="small", fmi_input=pick)["fmi_input"] == "hello|small"


def test_what_a_partial_holds_is_judged() -> None:
    """Text that was fixed by functools.partial is told to the function like any other, wherever it goes."""
    held = functools.partial(functools.partial(call_llm, "first", model="small"), "second", temper="hot")
    assert text(held, "third", system="s") == {
        "arguments": {
            "prompt": "first",
            "more": ["second", "third"],
            "system": "s",
            "extra": {"model": "small", "temper": "hot"},
        }
    }
    assert text(functools.partial(call_llm, prompt="kept"), prompt="replaced")["arguments"]["prompt"] == "replaced"


def injecting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that adds an argument, as those of many frameworks do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, session=object(), **kwargs)

    return wrapper


def test_a_decorator_below_that_adds_arguments_is_no_fault() -> None:
    """The call is judged as it was made, though it is not what the innermost function takes."""

    @injecting
    def ask(prompt: str, *, session: object) -> None: ...

    assert text(ask, "hello") == {"arguments": {"args": ["hello"], "kwargs": {}}}
    with pytest.raises(TypeError):
        text(functools.wraps(ask)(one), "too", "many")


def test_a_method_below_such_a_decorator_keeps_its_object_to_itself() -> None:
    """Neither the fields of the object nor its credentials are read where names do not tell which argument it is."""

    @dataclasses.dataclass
    class Client:
        token: str = "s3cret"

        @injecting
        def ask(self, prompt: str, *, session: object) -> None: ...

    for arguments in (text(Client.ask, Client(), "hello"), text(Client.ask, prompt="hello", self=Client())):
        assert "hello" in str(arguments)
        assert "s3cret" not in str(arguments)


def test_a_text_that_is_its_own_object_is_judged() -> None:
    """A method of a text, or a function that calls its text ``self``: what it works on is its text."""

    class Prompt(str):
        def send(self, to: str) -> None: ...

    assert text(Prompt.send, Prompt("attack"), "x") == {"arguments": {"self": "attack", "to": "x"}}


def test_self_is_not_walked() -> None:
    """A service's own fields, keys among them, are not sent to anybody."""

    @dataclasses.dataclass
    class Service:
        key: str

        def ask(self, prompt: str) -> None: ...

    assert text(Service.ask, Service("sk-secret"), "hello") == {"arguments": {"prompt": "hello"}}


@dataclasses.dataclass
class Message:
    role: str
    content: str


@attrs.frozen
class Turn:
    content: str


class Colour(Enum):
    RED = "red"


class Word(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something harmless"


class Model:
    """Stands for pydantic's."""

    model_fields = {"content": None}  # noqa: RUF012
    __pydantic_extra__ = {"more": "surprise"}  # noqa: RUF012

    def __init__(self) -> None:
        self.content = "hi"
        self.more = "surprise"


@pytest.mark.parametrize(
    ("value", "judged"),
    [
        ("text", "text"),
        (b"bytes", "bytes"),
        (bytearray(b"\xffraw"), "ÿraw"),
        (Word("what it is"), "what it is"),
        (7, 7),
        (2.5, 2.5),
        (True, True),
        (None, None),
        (10**400, 10**400),
        ({"messages": [{"role": "user", "content": "hi"}]}, {"messages": [{"role": "user", "content": "hi"}]}),
        ({1: "a", "1": "b"}, [[1, "a"], ["1", "b"]]),
        (("a", ("b",)), ["a", ["b"]]),
        ({"a"}, ["a"]),
        ([Message("user", "hi")], [{"role": "user", "content": "hi"}]),
        (Turn("hi"), {"content": "hi"}),
        (Model(), {"content": "hi", "more": "surprise"}),
        (namedtuple("Pair", "a b")("x", "y"), ["x", "y"]),
        (Colour.RED, "red"),
        (UserString("text"), "text"),
        (UserList([UserDict(a="b")]), [{"a": "b"}]),
        ({"a": "b"}.values(), ["b"]),
        ({"a": "b"}.items(), [["a", "b"]]),
        (range(10**12), {"unread": "builtins.range"}),
        (iter(["once"]), {"unread": "builtins.list_iterator"}),
        (Path("/etc/passwd"), "/etc/passwd"),
        (Decimal("1.5"), "1.5"),
        (datetime.date(2026, 4, 16), "2026-04-16"),
        (object(), {"unread": "builtins.object"}),
        (iter("abc"), {"unread": "builtins.str_ascii_iterator"}),
    ],
)
def test_text_is_found_in_what_programs_pass(value: Any, judged: Any) -> None:
    """Text in ordinary containers and data classes is read; a foreign object is named, not walked."""
    assert read(value) == judged


def test_a_lone_surrogate_does_not_hide_the_rest() -> None:
    """Text that is not valid Unicode is judged all the same."""
    assert read("bad \ud800 text") == "bad \ud800 text"


def test_the_size_is_bounded() -> None:
    """EVE_PROXY_MAX_BODY holds for calls too, without building what is too large."""
    assert len(read("x" * 90_000)) == 90_000
    for value in ("x" * 100_001, ["x"] * 100_001, {"k" * 100_001: 1}, "é" * 60_000):
        with pytest.raises(BodyTooLarge):
            read(value)


@pytest.mark.parametrize("value", ["x" * 100_001, ["x"] * 100_001, {"k" * 100_001: 1}, b"x" * 100_001])
def test_what_is_too_large_is_not_even_built(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A huge argument costs a look at its length."""
    monkeypatch.setattr(call_text, "orjson", None)
    with pytest.raises(BodyTooLarge):
        read(value)


def test_nesting_is_bounded() -> None:
    """A value that contains itself is refused instead of followed for ever."""
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(JudgingFailed, match="64 levels"):
        read(loop)


def test_wrong_arguments_are_the_callers_mistake() -> None:
    """A call that the function would refuse is not judged as something else."""
    with pytest.raises(TypeError):
        text(one)


def test_functions_without_a_signature_are_judged_by_position() -> None:
    """Some built-in functions do not tell their arguments' names."""
    assert text(max, "a", key=None) == {"arguments": {"args": ["a"], "kwargs": {"key": None}}}


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.tuples(inner, inner)))
def test_no_text_is_lost(value: Any) -> None:
    """Whatever text stands in a nested argument stands in what is judged."""

    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        return [found for member in value for found in texts(member)] if isinstance(value, list | tuple) else []

    assert texts(read(value)) == texts(value)
