"""Names to addresses, off the reactor thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from eve_proxy.model.errors import ResolveFailed
from eve_proxy.transport import resolver as module
from eve_proxy.transport.resolver import Resolver, system_lookup


class Case:
    """A resolver whose thread is the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, Deferred[Iterable[str]]]] = []
        self.resolver = Resolver(None, self.clock)
        monkeypatch.setattr(self.resolver, "_ask", self.ask)

    def ask(self, host: str) -> Deferred[Iterable[str]]:
        answer: Deferred[Iterable[str]] = Deferred()
        self.asked.append((host, answer))
        return answer

    def resolve(self, host: str = "a.example") -> list[Any]:
        """What the caller is told, when it is told."""
        told: list[Any] = []
        self.resolver.resolve(host).addCallbacks(
            lambda addresses: told.append([str(address) for address in addresses]),
            lambda failure: told.append(failure.value),
        )
        return told


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(monkeypatch)


@pytest.mark.parametrize("literal", ["192.0.2.1", "2001:db8::1"])
def test_a_literal_needs_no_lookup(case: Case, literal: str) -> None:
    """An address is its own answer: no query leaves."""
    assert case.resolve(literal) == [[literal]]
    assert case.asked == []


def test_every_address_once_families_in_turn(case: Case) -> None:
    """All addresses can be judged and tried, and a broken family costs one attempt."""
    told = case.resolve()
    case.asked[0][1].callback(["2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::1", "fe80::1%eth0"])
    assert told == [["2001:db8::1", "192.0.2.1", "2001:db8::2", "fe80::1"]]


def test_one_lookup_for_many_callers(case: Case) -> None:
    """A hundred requests to one name cost one query."""
    told = [case.resolve() for _ in range(100)]
    assert len(case.asked) == 1
    case.asked[0][1].callback(["192.0.2.1"])
    assert told == [[["192.0.2.1"]]] * 100
    assert case.clock.getDelayedCalls() == []


def test_kept_for_five_seconds(case: Case) -> None:
    """A name that moves is followed within five seconds."""
    case.resolve()
    case.asked[0][1].callback(["192.0.2.1"])
    case.clock.advance(4.9)
    assert case.resolve() == [["192.0.2.1"]]
    assert len(case.asked) == 1
    case.clock.advance(0.1)
    told = case.resolve()
    case.asked[1][1].callback(["192.0.2.2"])
    assert told == [["192.0.2.2"]]


def test_memory_is_bounded(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks for ever new names does not fill the memory."""
    monkeypatch.setattr(module, "_MOST_CACHED", 2)
    for name in ("a.example", "b.example", "c.example"):
        case.resolve(name)
        case.asked[-1][1].callback(["192.0.2.1"])
    case.resolve("c.example")
    assert len(case.asked) == 3
    case.resolve("a.example")
    assert len(case.asked) == 4


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "a.example: no such name"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "a.example: the name server does not answer"),
        (OSError("x"), "a.example: the lookup failed"),
        (UnicodeError("x"), "a.example: the lookup failed"),
    ],
)
def test_failures(case: Case, error: Exception, text: str) -> None:
    """The client learns that it is the name, and the next request asks again."""
    told = case.resolve()
    case.asked[0][1].errback(error)
    assert isinstance(told[0], ResolveFailed)
    assert str(told[0]) == text
    case.resolve()
    assert len(case.asked) == 2


def test_no_address(case: Case) -> None:
    """A name that exists without an address is a failure, never an empty permit."""
    told = case.resolve()
    case.asked[0][1].callback([])
    assert str(told[0]) == "a.example has no address"


def test_too_late(case: Case) -> None:
    """A name server that hangs holds a request for five seconds and no longer."""
    told = case.resolve()
    case.clock.advance(4.9)
    assert told == []
    case.clock.advance(0.1)
    assert str(told[0]) == "a.example: no answer within 5 s"
    case.asked[0][1].callback(["192.0.2.1"])
    assert len(told) == 1


def test_a_hanging_lookup_is_joined_not_repeated(case: Case) -> None:
    """A name server that hangs does not use up the threads, and each caller has its own five seconds."""
    case.resolve()
    case.clock.advance(6)
    told = case.resolve()
    assert len(case.asked) == 1
    case.clock.advance(4)
    case.asked[0][1].callback(["192.0.2.1"])
    assert told == [["192.0.2.1"]]


def test_cancel(case: Case) -> None:
    """A caller that gives up does not take the answer away from others."""
    other = case.resolve()
    waiting = case.resolver.resolve("a.example")
    waiting.addErrback(lambda failure: failure.trap(CancelledError))
    waiting.cancel()
    case.asked[0][1].callback(["192.0.2.1"])
    assert other == [["192.0.2.1"]]
    assert case.clock.getDelayedCalls() == []


@pytest.fixture
def asked_system(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def getaddrinfo(host: str, port: object, **_: object) -> list[Any]:
        names.append(host)
        return [(socket.AF_INET, 1, 6, "", ("192.0.2.1", 0)), (socket.AF_INET6, 1, 6, "", ("2001:db8::1", 0, 0, 0))]

    monkeypatch.setattr(module.socket, "getaddrinfo", getaddrinfo)
    return names


def test_search_domains_do_not_apply(asked_system: list[str], tmp_path: Path) -> None:
    """The name that was judged is the name that is asked for: resolv.conf cannot append anything to it."""
    assert system_lookup("api.example.com", hosts=str(tmp_path / "none")) == ["192.0.2.1", "2001:db8::1"]
    assert asked_system == ["api.example.com."]


def test_a_single_label_takes_the_systems_path(asked_system: list[str], tmp_path: Path) -> None:
    """localhost and a container's name work as everywhere else."""
    system_lookup("localhost", hosts=str(tmp_path / "none"))
    assert asked_system == ["localhost"]


def test_the_hosts_file_comes_first(asked_system: list[str], tmp_path: Path) -> None:
    """What an administrator wrote down holds."""
    hosts = tmp_path / "hosts"
    hosts.write_text("# a comment\n192.0.2.9 other Host.Docker.internal\n2001:db8::9 host.docker.internal\n")
    assert [str(ip_address(text)) for text in system_lookup("host.docker.internal", hosts=str(hosts))] == [
        "192.0.2.9",
        "2001:db8::9",
    ]
    assert asked_system == []


def test_runs_in_a_thread_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow name server never stops the reactor."""
    used: list[Any] = []

    def defer(reactor: Any, threads: Any, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        used.append((reactor, threads.name, function, arguments))
        threads.stop()
        return Deferred()

    monkeypatch.setattr(module, "deferToThreadPool", defer)
    reactor, clock = object(), Clock()
    Resolver(reactor, clock, lookup=len).resolve("a.example")  # type: ignore[arg-type]
    assert used == [(reactor, "resolver", len, ("a.example",))]
