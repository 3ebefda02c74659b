"""Ids by which others know a request: X-Request-Id and W3C trace context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eve_proxy.model.text import clean

_LONGEST: Final = 128
_LOWER_HEX: Final = b"0123456789abcdef"


def correlation(values: Mapping[bytes, list[bytes]]) -> tuple[str | None, str | None]:
    """``Request.request_id`` and ``Request.trace_id``.

    :param values: of the fields by lower-case name; ``x-request-id`` and ``traceparent`` are looked at.
    """
    trace_id = _trace_id(values.get(b"traceparent", []))
    for value in values.get(b"x-request-id", ()):
        if value:
            return clean(value.decode("utf-8", "replace"), _LONGEST), trace_id
    return trace_id, trace_id


def _trace_id(values: list[bytes]) -> str | None:
    """The trace id of ``version-traceid-parentid-flags`` (W3C Trace Context section 3.2), or None if it is invalid."""
    if len(values) != 1:
        return None
    version, *rest = values[0].split(b"-")
    if len(rest) < 3 or (version == b"00" and len(rest) != 3) or version == b"ff":
        return None
    trace, parent, flags = rest[:3]
    sizes = (len(version), len(trace), len(parent), len(flags))
    if sizes != (2, 32, 16, 2) or (version + trace + parent + flags).translate(None, _LOWER_HEX):
        return None
    if not trace.strip(b"0") or not parent.strip(b"0"):
        return None
    return trace.decode("ascii")
