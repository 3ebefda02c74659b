"""Whether a 101 answers the handshake that was asked (RFC 6455 section 4.2.2)."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from eve_proxy.model.headers import Headers

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accepts(request: Headers, response: Headers) -> bool:
    """True when ``Sec-WebSocket-Accept`` was computed from this request's ``Sec-WebSocket-Key``."""
    keys, answers = request.get_all(b"sec-websocket-key"), response.get_all(b"sec-websocket-accept")
    if len(keys) != 1 or len(answers) != 1:
        return False
    return answers[0] == base64.b64encode(hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest())
