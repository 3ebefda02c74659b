"""Addresses and names of the command line."""

from __future__ import annotations

import pytest

from eve_proxy.doctor import plan
from eve_proxy.model.posture import CHECK_NAME, MOST_CHECKS


def test_targets() -> None:
    """A URL as one would type it."""
    target = plan.read_target("https://Web.example/a?b=c")
    assert (str(target.authority), target.path, target.url) == (
        "web.example:443",
        "/a?b=c",
        "https://web.example/a?b=c",
    )
    assert plan.read_target("http://web.example:8080").url == "http://web.example:8080/"


@pytest.mark.parametrize(
    "text", ["web.example", "ftp://web.example/", "http:///x", "http://a b/", "http://u@h/", "http://h/ä"]
)
def test_what_is_no_target(text: str) -> None:
    """The message shows what to write, or what is wrong."""
    with pytest.raises(ValueError, match=r"write|authority|user"):
        plan.read_target(text)


def test_direct_addresses_are_literal() -> None:
    """A name would need a lookup, which is another check."""
    assert str(plan.read_direct("[2001:DB8::1]:443")) == "[2001:db8::1]:443"
    for text in ("web.example:443", "192.0.2.1", "192.0.2.1:0"):
        with pytest.raises(ValueError, match="write a literal address and a port"):
            plan.read_direct(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("http://127.0.0.1:3128", "127.0.0.1:3128"),
        ("http://eve-proxy:3128", "eve-proxy:3128"),
        ("HTTP://[::1]:3128", "[::1]:3128"),
        ("10.0.0.5:8080", "10.0.0.5:8080"),
        ("http://user:secret@10.0.0.5:3128/", "10.0.0.5:3128"),
    ],
)
def test_proxies(text: str, read: str) -> None:
    """As clients take it from HTTP_PROXY; a password in it goes nowhere."""
    assert str(plan.read_proxy(text)) == read


@pytest.mark.parametrize(
    "text",
    ["", "x", "http://", "http://h", "http://h:3128/path", "http://h:0", "https://h:1", "socks5://127.0.0.1:1080"],
)
def test_a_proxy_that_is_none(text: str) -> None:
    """Another protocol, no port (clients disagree about the default), or more than an address."""
    with pytest.raises(ValueError, match=r"^write http://host:port$"):
        plan.read_proxy(text)


def test_hosts() -> None:
    """Names and addresses, in brackets or not; nothing around them."""
    assert plan.read_host("metadata.google.internal") == "metadata.google.internal"
    assert plan.read_host("[fd00:ec2::254]") == plan.read_host("fd00:ec2::254") == "fd00:ec2::254"
    for text in ("http://h/", "h:80", "h/x", ""):
        with pytest.raises(ValueError, match="write a name or an address"):
            plan.read_host(text)


def test_numbers_and_suffixes() -> None:
    """What they are in the plan, and what is refused."""
    assert (plan.read_port("25"), plan.read_timeout("0.5")) == (25, 0.5)
    assert plan.read_suffix(".corp.example") == ".corp.example"
    for read, text in (
        (plan.read_port, "-1"), (plan.read_port, "65536"), (plan.read_timeout, "61"), (plan.read_timeout, "inf"),
        (plan.read_suffix, ""), (plan.read_suffix, "http://x"), (plan.read_suffix, "a,b"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"^write "):
            read(text)


def test_the_environments_proxy() -> None:
    """What an application would take, or else the daemon's default."""
    assert plan.proxy_of({}) == ("--proxy", plan.PROXY)
    assert plan.proxy_of({"HTTP_PROXY": "", "HTTPS_PROXY": "http://b:1"}) == ("HTTPS_PROXY", "http://b:1")


def test_names_of_checks() -> None:
    """By port and version, numbered when there are several, and within what a report may hold."""
    names = [name for name, _ in plan.named([plan.read_direct(text) for text in (*plan.DIRECT, "192.0.2.9:443")])]
    assert names[:2] == ["tcp-80-v4", "tcp-443-v4"]
    assert names[-1] == "tcp-443-v4-2"
    assert all(CHECK_NAME.fullmatch(name) for name in [*names, *plan.METADATA, "tcp-65535-v6-99"])
    assert len(names) < MOST_CHECKS
