"""What the proxy says of itself."""

from __future__ import annotations

import json

import pytest

from eve_proxy.enforcement.admin import Readiness
from eve_proxy.signing.key_document import jwks, public_keys
from eve_proxy.signing.private_key import Ed25519Signer
from tests.enforcement.bench import GateBench
from tests.fakes.keys import ed25519
from tests.integration.sidecar import head_of


def get(path: str, *, method: str = "GET", version: str = "1.1", host: str = "10.0.0.5:3128") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/readyz?verbose"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3"])
def test_probes_get_ok_from_anywhere(path: str, peer: str) -> None:
    """A kubelet that probes the pod's address gets 200 and `ok`."""
    bench = GateBench()
    status, fields, body = head_of(bench.converse(get(path), peer=peer).value())
    assert (status, body) == (200, b"ok")
    assert "x-eve-warning" not in fields
    assert bench.sink.certificates == []


def test_probe_without_host() -> None:
    """A load balancer's HTTP/1.0 probe has no Host."""
    status, fields, _ = head_of(GateBench().converse(b"GET /healthz HTTP/1.0\r\n\r\n").value())
    assert (status, fields["connection"]) == (200, "close")


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3"])
def test_probes_while_it_stops(peer: str) -> None:
    """A new probe learns that the pod is leaving and that it is alive; each answer ends its connection."""
    bench = GateBench()
    bench.factory.drain()
    bench.readiness = Readiness(problem="shutting down")
    for path, expected in (("/readyz", (503, b"shutting down\n")), ("/healthz", (200, b"ok"))):
        transport = bench.converse(get(path), peer=peer)
        status, fields, body = head_of(transport.value())
        assert ((status, body), fields["connection"]) == (expected, "close")
        assert transport.events == ["half-close"]
    assert bench.sink.certificates == []


def test_probes_may_go_on_one_connection() -> None:
    """A load balancer keeps its connection, and is told so."""
    transport = GateBench().converse(get("/healthz") + get("/readyz"))
    assert transport.value().count(b"HTTP/1.1 200 OK") == transport.value().count(b"Connection: keep-alive") == 2
    assert transport.events == []


def test_head_probe() -> None:
    """HEAD is answered without a body."""
    status, _, body = head_of(GateBench().converse(get("/readyz", method="HEAD")).value())
    assert (status, body) == (200, b"")


def test_not_ready_says_why() -> None:
    """An operator reads the reason in the probe's answer."""
    bench = GateBench()
    bench.readiness = Readiness(
        problem="the journal cannot be written: No space left on device", warnings=("low disk",)
    )
    status, fields, body = head_of(bench.converse(get("/readyz")).value())
    assert status == 503
    assert body == b"the journal cannot be written: No space left on device\n"
    assert fields["x-eve-warning"] == "low disk"
    assert head_of(bench.converse(get("/healthz")).value())[0] == 200


def test_warnings_do_not_unready() -> None:
    """A governor's blip is said, and the pod stays ready."""
    bench = GateBench()
    bench.readiness = Readiness(problem=None, warnings=("governance breaker open", "fail_open"))
    status, fields, _ = head_of(bench.converse(get("/readyz")).value())
    assert status == 200
    assert fields["x-eve-warning"] == "governance breaker open, fail_open"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_probes_are_read_only(method: str) -> None:
    """Only GET and HEAD."""
    assert head_of(GateBench().converse(get("/healthz", method=method)).value())[0] == 405


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 400), ("10.1.2.3", 403)])
def test_anything_else_is_no_way_out(peer: str, status: int) -> None:
    """An origin-form request is never forwarded to the host it names; strangers do not even learn what this is."""
    bench = GateBench()
    answered, _, body = head_of(bench.converse(get("/v1/x", host="api.example.com"), peer=peer).value())
    assert answered == status
    assert (b"forward proxy" in body) is (peer == "127.0.0.1")
    assert not bench.reached_the_network


def test_probe_of_another_host_is_not_forwarded_either() -> None:
    """`/healthz` in absolute-form is an ordinary request and is governed."""
    bench = GateBench()
    bench.converse(b"GET http://api.example.com/healthz HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    assert len(bench.sink.certificates) == 1
    assert len(bench.dialler.sent) == 1


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3"])
def test_public_keys_are_published(peer: str) -> None:
    """An auditor fetches the keys from the proxy itself, and gets no certificate for asking."""
    bench = GateBench()
    signer = Ed25519Signer(ed25519())
    bench.jwks = jwks([signer])
    status, fields, body = head_of(bench.converse(get("/.well-known/jwks.json"), peer=peer).value())
    assert (status, fields["content-type"]) == (200, "application/jwk-set+json")
    assert [key.key_id for key in public_keys(body)] == [signer.key_id]
    assert bench.sink.certificates == []
    status, fields, body = head_of(bench.converse(get("/.well-known/jwks.json", method="HEAD"), peer=peer).value())
    assert (status, fields["content-length"], body) == (200, str(len(bench.jwks)), b"")
    assert head_of(bench.converse(get("/.well-known/jwks.json", method="PUT"), peer=peer).value())[0] == 405


def test_a_shared_secret_has_nothing_to_publish() -> None:
    """With HMAC the set is empty."""
    _, _, body = head_of(GateBench().converse(get("/.well-known/jwks.json")).value())
    assert json.loads(body) == {"keys": []}


def test_metrics_for_allowed_clients() -> None:
    """A Prometheus that may use the proxy may scrape it; the page is the one for what it accepts."""
    bench = GateBench()
    request = get("/metrics?x=1").replace(b"\r\n\r\n", b"\r\nAccept: a/b\r\nAccept: c/d\r\n\r\n")
    status, fields, body = head_of(bench.converse(request).value())
    assert (status, fields["content-type"], fields["connection"]) == (200, "text/x", "keep-alive")
    assert body == b"numbers for a/b,c/d"
    head = head_of(bench.converse(get("/metrics", method="HEAD")).value())
    assert (head[0], head[1]["content-length"], head[2]) == (200, "12", b"")
    assert bench.sink.certificates == []


def test_metrics_are_not_for_strangers() -> None:
    """Anybody else gets the certified 403, as for everything but health."""
    bench = GateBench()
    assert head_of(bench.converse(get("/metrics"), peer="10.1.2.3").value())[0] == 403
    assert len(bench.sink.certificates) == 1


def test_metrics_take_no_other_method() -> None:
    """Nothing can be put there."""
    bench = GateBench()
    assert head_of(bench.converse(get("/metrics", method="DELETE")).value())[0] == 405
    assert head_of(bench.converse(get("/metricsx")).value())[0] == 400
