"""Exported OCSF events, validated against the published schema of OCSF 1.5.0."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from eve_proxy.export.ocsf import VERSION, event
from eve_proxy.model.certificate import RequestDigest
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import seal
from eve_proxy.signing.spelling import read_line
from eve_proxy.signing.verification import verify_certificate
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET


@cache
def schema(name: str, *profiles: str) -> Any:
    published = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION)).get_class_schema(name, list(profiles))
    jsonschema.Draft202012Validator.check_schema(published)
    return jsonschema.Draft202012Validator(published)


def validated(**changes: Any) -> dict[str, Any]:
    line = seal(draft(**changes), link(), HmacSigner(SECRET)).line
    made = event(line, read_line(line))
    if made["class_uid"] == 4002:
        schema("http_activity", "security_control").validate(made)
    else:
        schema("application_lifecycle").validate(made)
    assert made["raw_data"].encode() == line
    assert verify_certificate(made["raw_data"], SECRET)
    return made


@pytest.mark.parametrize(
    ("verdict", "action", "disposition", "alert"),
    [("allow", 1, 1, False), ("block", 2, 2, True), ("fail_closed", 2, 2, True), ("fail_open", 1, 1, False)],
)
def test_verdicts(verdict: str, action: int, disposition: int, alert: bool) -> None:
    """A SIEM sees what was let out and what was stopped in its own words."""
    made = validated(verdict=verdict, matched_pillar="128", matched_vector="706", reason="assembly detected")
    assert (made["action_id"], made["disposition_id"], made["is_alert"]) == (action, disposition, alert)
    assert made["firewall_rule"] == {"name": "pillar 128", "uid": "706"}
    assert made["message"] == "assembly detected"
    assert made["unmapped"]["verdict"] == verdict


@pytest.mark.parametrize(("method", "activity"), [("GET", 3), ("POST", 6), ("CONNECT", 1), ("PATCH", 99), ("call", 99)])
def test_methods(method: str, activity: int) -> None:
    """Methods that OCSF has no number for are Other."""
    made = validated(request=RequestDigest(method=method, scheme="https", host="api.example.com", port=443))
    assert (made["activity_id"], made["type_uid"]) == (activity, 400200 + activity)
    assert made["activity_name"] == method
    assert made["http_request"].get("http_method") == (None if activity == 99 else method)


@pytest.mark.parametrize(
    ("host", "endpoint", "url"),
    [
        ("api.example.com", {"hostname": "api.example.com"}, "https://api.example.com:443"),
        ("192.0.2.7", {"ip": "192.0.2.7"}, "https://192.0.2.7:443"),
        ("2001:db8::1", {"ip": "2001:db8::1"}, "https://[2001:db8::1]:443"),
    ],
)
def test_destinations(host: str, endpoint: dict[str, str], url: str) -> None:
    """Names and addresses go where a SIEM looks for them."""
    made = validated(request=RequestDigest(method="GET", scheme="https", host=host, port=443, request_id="abc"))
    assert made["dst_endpoint"] == {**endpoint, "port": 443}
    assert made["http_request"]["url"]["url_string"] == url
    assert made["http_request"]["uid"] == "abc"


def test_place_and_time() -> None:
    """The event can be found in the journal again, and sorts by when it happened."""
    made = validated(parent="cert_0000000000000009")
    metadata = made["metadata"]
    assert (metadata["uid"], metadata["log_name"], metadata["sequence"]) == (
        "cert_0000000000000001",
        "log_0123456789abcdef",
        0,
    )
    assert (metadata["tenant_uid"], metadata["correlation_uid"]) == ("acme", "cert_0000000000000009")
    assert made["time"] == 1776348143847
    assert metadata["original_time"] == "2026-04-16T14:02:23.847Z"


@pytest.mark.parametrize(
    ("kind", "activity"),
    [("session_open", 3), ("session_close", 4), ("key_rotation", 8), ("heartbeat", 99), ("posture", 99)],
)
def test_records_that_are_no_decisions(kind: str, activity: int) -> None:
    """What the proxy says of itself is the life of an application."""
    made = validated(
        kind=kind, verdict=None, request=None, policy=None, coverage="none", record={"cause": "x", "bytes": 3}
    )
    assert (made["class_uid"], made["activity_id"]) == (6002, activity)
    assert made["metadata"]["event_code"] == kind
    assert made["unmapped"]["record"] == {"cause": "x", "bytes": 3}
