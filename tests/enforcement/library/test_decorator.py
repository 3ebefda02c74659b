"""The decorated function: it looks like the original, and methods stay methods."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from eve_proxy.model.errors import ConfigurationError
from tests.fakes.library import LibraryBench


def test_looks_like_the_original() -> None:
    """Frameworks read name, documentation and signature of what they are given."""

    def original(prompt: str, *, size: int = 3) -> dict[str, str]:
        """Its documentation."""
        return {}

    wrapped = LibraryBench().enforce()(original)
    assert (wrapped.__name__, wrapped.__doc__) == ("original", "Its documentation.")
    assert inspect.signature(wrapped) == inspect.signature(original)
    assert not inspect.iscoroutinefunction(wrapped)


def test_a_coroutine_function_stays_one() -> None:
    """FastAPI and others decide by that whether to await."""

    async def original() -> None: ...

    assert inspect.iscoroutinefunction(LibraryBench().enforce()(original))


def test_methods_can_be_enforced() -> None:
    """A method gets its self; static and class methods work with the decorator below theirs."""
    bench = LibraryBench()

    class Service:
        name = "service"

        @bench.enforce()
        def method(self, prompt: str) -> str:
            return f"{self.name}: {prompt}"

        @staticmethod
        @bench.enforce()
        def static(prompt: str) -> str:
            return prompt

        @classmethod
        @bench.enforce()
        def of_class(cls, prompt: str) -> str:
            return f"{cls.name}: {prompt}"

    assert Service().method("a") == "service: a"
    assert Service.static("b") == "b"
    assert Service.of_class("c") == "service: c"
    assert bench.judged == [b'{"arguments":{"prompt":"%b"}}' % text for text in (b"a", b"b", b"c")]


class NotReady:
    """A provider whose environment is faulty until it is repaired."""

    def __init__(self, bench: LibraryBench) -> None:
        self.bench = bench
        self.faulty = True
        self.made = 0

    def ready(self) -> None:
        return None

    def parts(self) -> object:
        self.made += 1
        if self.faulty:
            raise ConfigurationError(("JWT_SECRET_KEY is not set",))
        return self.bench.everything


def test_faults_of_the_environment_show_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decorating needs no environment; calling with a faulty one raises what is wrong, and nothing runs."""
    bench, ran = LibraryBench(), []
    provider = NotReady(bench)
    monkeypatch.setattr(LibraryBench, "ready", lambda _: provider.ready())
    monkeypatch.setattr(LibraryBench, "parts", lambda _: provider.parts())

    @bench.enforce()
    def plain() -> None:
        ran.append("plain")

    @bench.enforce()
    async def later() -> None:
        ran.append("coroutine")

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
            plain()
        with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
            asyncio.run(later())
    assert ran == []
    provider.faulty = False
    plain()
    asyncio.run(later())
    assert ran == ["plain", "coroutine"]
