"""What each built-in rule refuses. That they keep the port's contract is tests/conformance/test_prefilters.py."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from eve_proxy.interfaces import Stage
from eve_proxy.model.verdict import Verdict, refuse
from eve_proxy.policy.ports import PortSet
from eve_proxy.policy.prefilters import (
    Allowlist,
    Blocklist,
    BodyLimit,
    ConnectPort,
    DestinationFilter,
    Passthrough,
)
from eve_proxy.policy.suffixes import HostSet


def rule(verdict: Verdict | None) -> str | None:
    return None if verdict is None else verdict.vector


class TestBlocklist:
    blocklist = Blocklist(hosts=HostSet.parse("pastebin.com,8.8.8.0/24"))

    def test_a_listed_host_is_refused_and_the_entry_named(self, exchange) -> None:
        """The 451 says which host was blocked, by which variable and entry."""
        verdict = self.blocklist.examine(exchange("x.pastebin.com"))
        assert verdict == refuse("blocklist", "x.pastebin.com is blocked by EVE_PROXY_BLOCKED_HOSTS: pastebin.com")

    def test_a_listed_network_is_refused(self, exchange) -> None:
        """An address inside a listed network is blocked without any lookup."""
        assert rule(self.blocklist.examine(exchange("8.8.8.8"))) == "blocklist"

    def test_others_pass(self, exchange) -> None:
        """The list blocks nothing else."""
        assert self.blocklist.examine(exchange("example.com")) is None
        assert self.blocklist.examine(exchange("8.8.9.8")) is None


class TestAllowlist:
    allowlist = Allowlist(hosts=HostSet.parse("example.com,8.8.8.8"))

    @pytest.mark.parametrize("host", ["example.com", "api.EXAMPLE.com.", "8.8.8.8", "[::ffff:8.8.8.8]"])
    def test_listed_hosts_pass(self, exchange, host: str) -> None:
        """What is listed leaves."""
        assert self.allowlist.examine(exchange(host)) is None

    @pytest.mark.parametrize("host", ["example.org", "notexample.com", "8.8.4.4", "[2002:808:808::1]"])
    def test_all_others_are_refused(self, exchange, host: str) -> None:
        """Nothing else does."""
        assert rule(self.allowlist.examine(exchange(host))) == "allowlist"


class TestBodyLimit:
    limit = BodyLimit(most=10)

    def test_it_waits_for_the_body(self) -> None:
        """The rule is asked when the body has been read."""
        assert self.limit.stage is Stage.BODY

    @pytest.mark.parametrize(("size", "status"), [(None, None), (0, None), (10, None), (11, 413)])
    def test_the_bound(self, exchange, size: int | None, status: int | None) -> None:
        """A body of exactly EVE_PROXY_MAX_BODY bytes passes; one more is a 413 with the guide's text."""
        verdict = self.limit.examine(exchange("example.com", method="POST", size=size))
        assert (verdict and verdict.status) == status
        if verdict:
            assert (verdict.reason, verdict.vector) == ("body too large for inspection", "body_limit")


class TestDestination:
    def test_literals_are_put_to_the_judge(self, exchange) -> None:
        """http://10.0.0.1:81/ is refused before anything is looked up."""
        asked = []

        def judge(address, port):
            asked.append((address, port))
            return refuse("destination", "no")

        verdict = DestinationFilter(judge=judge).examine(exchange("0x0a.1:81"))
        assert rule(verdict) == "destination"
        assert asked == [(ip_address("10.0.0.1"), 81)]

    def test_names_are_not(self, exchange) -> None:
        """A name has no address yet."""
        assert (
            DestinationFilter(judge=lambda address, port: refuse("destination", "no")).examine(exchange("a.b")) is None
        )


class TestConnectPort:
    ports = ConnectPort(ports=PortSet.parse("443,8443"))

    @pytest.mark.parametrize(
        ("authority", "method", "refused"),
        [
            ("example.com:443", "CONNECT", False),
            ("example.com:8443", "CONNECT", False),
            ("example.com:22", "CONNECT", True),
            ("[2001:db8::1]:25", "CONNECT", True),
            ("example.com:22", "GET", False),
        ],
    )
    def test_tunnels_reach_listed_ports_only(self, exchange, authority: str, method: str, refused: bool) -> None:
        """CONNECT to port 22 is refused; plain requests are not the rule's business."""
        verdict = self.ports.examine(exchange(authority, method=method))
        assert rule(verdict) == ("connect_port" if refused else None)
        assert not refused or "EVE_PROXY_CONNECT_PORTS" in verdict.reason


class TestPassthrough:
    def test_off_refuses_every_tunnel(self, exchange) -> None:
        """With EVE_PROXY_CONNECT_PASSTHROUGH=0 no CONNECT is served, and the answer names the variable."""
        verdict = Passthrough(permitted=False).examine(exchange("example.com:443", method="CONNECT"))
        assert rule(verdict) == "passthrough"
        assert "EVE_PROXY_CONNECT_PASSTHROUGH" in verdict.reason

    def test_off_leaves_plain_requests_alone(self, exchange) -> None:
        """HTTP that can be inspected is still governed and forwarded."""
        assert Passthrough(permitted=False).examine(exchange("example.com")) is None

    def test_on_lets_tunnels_through(self, exchange) -> None:
        """The default serves HTTPS."""
        assert Passthrough(permitted=True).examine(exchange("example.com:443", method="CONNECT")) is None
