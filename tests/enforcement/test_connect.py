"""The entry point for CONNECT, between a client's bytes and the dialler."""

from __future__ import annotations

import json

import pytest

from eve_proxy.model.decision import Mode
from eve_proxy.model.errors import UpstreamFailed
from eve_proxy.model.exchange import Coverage, Route
from eve_proxy.model.verdict import Outcome, Verdict
from tests.enforcement.bench import GateBench
from tests.fakes.ports import FakeGovernor
from tests.integration.sidecar import head_of

CONNECT = b"CONNECT API.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"


def test_a_tunnel_is_judged_by_its_destination() -> None:
    """The governor is asked about host and port; there is no path and no body, and the certificate says so."""
    bench = GateBench()
    bench.converse(CONNECT)
    (asked,) = bench.governor.asked
    assert (asked.route, asked.coverage, asked.body) == (Route.CONNECT, Coverage.DESTINATION, None)
    assert str(asked.request.authority) == "api.example.com:443"
    certificate = bench.sink.certificates[0].to_dict()
    assert certificate["coverage"] == "destination"
    assert certificate["request"]["path_sha256"] is None
    ((permit, _),) = bench.dialler.tunnels
    assert (permit.mode, permit.certificate_id) == (Mode.TUNNEL, certificate["certificate_id"])
    assert bench.dialler.sent == []


def test_nothing_is_said_before_upstream_is_connected() -> None:
    """A client that gets its 200 can rely on it."""
    bench = GateBench()
    transport = bench.converse(CONNECT)
    assert transport.value() == b""
    assert bench.lines == []


def test_early_bytes_are_not_taken_for_a_body() -> None:
    """What a client sends ahead of the 200 belongs into the tunnel: it is neither judged nor sent elsewhere."""
    bench = GateBench()
    transport = bench.converse(CONNECT + b"\x16\x03\x01hello")
    assert bench.governor.asked[0].body is None
    assert len(bench.dialler.tunnels) == 1
    assert transport.value() == b""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_upstream_cannot_be_reached(version: str) -> None:
    """502 with the certificate of the allow, and a line that says why."""
    bench = GateBench()
    host = "" if version == "1.0" else "Host: api.example.com:443\r\n"
    transport = bench.converse(f"CONNECT api.example.com:443 HTTP/{version}\r\n{host}\r\n".encode())
    bench.dialler.tunnels[0][1].errback(UpstreamFailed("connection refused"))
    status, fields, body = head_of(transport.value())
    assert (status, body) == (502, b"upstream error: connection refused")
    assert json.loads(fields["x-eve-decision-cert"]) == bench.sink.certificates[0].to_dict()
    logged = json.loads(bench.lines[0])
    assert (logged["status"], logged["detail"], logged["route"]) == (502, "connection refused", "connect")


def test_a_refusal_opens_nothing() -> None:
    """After a veto there is no tunnel and no lookup."""
    bench = GateBench(governor=FakeGovernor(Verdict(outcome=Outcome.BLOCK, reason="no", pillar="128")))
    transport = bench.converse(CONNECT)
    assert transport.value().startswith(b"HTTP/1.1 451 ")
    assert not bench.reached_the_network
