"""A certificate as an event of the Open Cybersecurity Schema Framework 1.5.0, for a SIEM.

Decisions are HTTP Activity (4002) with the profile Security Control, everything else that a journal records is
Application Lifecycle (6002). ``raw_data`` is the journal's line, so that the event can still be verified.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from eve_proxy import __version__
from eve_proxy.model.certificate import DECISION

VERSION: Final = "1.5.0"
_PRODUCT: Final = {"name": "eve-proxy", "vendor_name": "eve-proxy", "version": __version__}

_HTTP: Final = 4002
_ACTIVITIES: Final = {
    "CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8,
}  # fmt: skip
_LIFECYCLE: Final = 6002
_STAGES: Final = {"session_open": 3, "session_close": 4, "config_change": 8, "key_rotation": 8}
_OTHER: Final = 99

_ALLOWED, _DENIED = 1, 2
# verdict: action_id, disposition_id (Allowed, Blocked), severity_id (Informational, Low, Medium, High).
_VERDICTS: Final = {
    "allow": (_ALLOWED, 1, 1),
    "block": (_DENIED, 2, 3),
    "fail_closed": (_DENIED, 2, 3),
    "fail_open": (_ALLOWED, 1, 4),
}
_UNMAPPED: Final = ("verdict", "caller", "coverage", "governor", "latency_ms", "decision_ref", "record")


def event(line: bytes, fields: dict[str, Any]) -> dict[str, Any]:
    """The event of one certificate, JSON-ready; what is unknown is absent.

    :param line: the journal's, without newline.
    :param fields: what ``signing.spelling.read_line`` made of it.
    """
    decision = fields["kind"] == DECISION and fields["request"] is not None
    found = _decision(fields) if decision else _lifecycle(fields)
    class_uid, activity_id = found["class_uid"], found["activity_id"]
    unmapped = {name: fields[name] for name in _UNMAPPED if fields[name] is not None}
    if decision:
        digests = ("path_sha256", "body_sha256")
        unmapped |= {name: fields["request"][name] for name in digests if fields["request"][name] is not None}
    return {
        **found,
        "category_uid": class_uid // 1000,
        "type_uid": class_uid * 100 + activity_id,
        "time": round(datetime.fromisoformat(fields["timestamp"]).timestamp() * 1000),
        "message": fields["reason"],
        "metadata": _metadata(fields, decision),
        "unmapped": unmapped,
        "raw_data": line.decode("utf-8"),
    }


def _decision(fields: dict[str, Any]) -> dict[str, Any]:
    request, method = fields["request"], fields["request"]["method"]
    action, disposition, severity = _VERDICTS.get(fields["verdict"], (_OTHER, _OTHER, _OTHER))
    host, port = request["host"], request["port"]
    found = {
        "class_uid": _HTTP,
        "activity_id": _ACTIVITIES.get(method, _OTHER),
        "activity_name": method,  # what an activity that has no number is called by
        "severity_id": severity,
        "action_id": action,
        "disposition_id": disposition,
        "is_alert": action == _DENIED,
        "http_request": _known(
            http_method=method if method in _ACTIVITIES else None,
            uid=request["request_id"],
            body_length=request["body_bytes"],
            # The path was never written down, only its digest.
            url={"hostname": host, "port": port, "scheme": request["scheme"], "url_string": _origin(request)},
        ),
        "dst_endpoint": {("ip" if _is_address(host) else "hostname"): host, "port": port},
    }
    if fields["matched_pillar"] is not None or fields["matched_vector"] is not None:
        pillar, vector = fields["matched_pillar"], fields["matched_vector"]
        found["firewall_rule"] = _known(name=None if pillar is None else f"pillar {pillar}", uid=vector)
    if fields["policy"] is not None:
        found["policy"] = _known(name=fields["policy"]["set"], uid=fields["policy"]["sha256"])
    return found


def _lifecycle(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "class_uid": _LIFECYCLE,
        "activity_id": _STAGES.get(fields["kind"], _OTHER),
        "severity_id": 1,
        "app": _PRODUCT,
    }


def _metadata(fields: dict[str, Any], decision: bool) -> dict[str, Any]:
    log = fields["log"] or {"id": None, "seq": None}
    return _known(
        version=VERSION,
        product=_PRODUCT,
        profiles=["security_control"] if decision else None,
        uid=fields["certificate_id"],
        correlation_uid=fields["parent"],
        event_code=fields["kind"],
        log_name=log["id"],
        sequence=log["seq"],
        tenant_uid=fields["org_id"],
        original_time=fields["timestamp"],
    )


def _known(**attributes: Any) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _origin(request: dict[str, Any]) -> str:
    host = request["host"]
    return f"{request['scheme']}://{f'[{host}]' if ':' in host else host}:{request['port']}"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
