"""What a proxy says to our CONNECT (RFC 9110 section 9.3.6), as strictly as any response."""

from __future__ import annotations

from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.events import ResponseHead
from eve_proxy.wire.head_buffer import HeadBuffer
from eve_proxy.wire.response_head import parse_response_head

# As ample as for any other response.
_MOST_INFORMATIONAL: Final = 16


class ConnectAnswer:
    """Reads one answer, up to the end of its head.

    :ivar rest: what came after that. It belongs to the tunnel when the status is 2xx, which has no body whatever its
        head announces; otherwise it is the beginning of an error page.
    """

    __slots__ = ("_buffer", "_informational", "rest")

    def __init__(self) -> None:
        self.rest = b""
        self._buffer = HeadBuffer()
        self._informational = 0

    def feed(self, data: bytes) -> ResponseHead | None:
        """Take bytes in the order they came; the final head, once it is there.

        :raises Malformed: it is none, a bound is passed, or it is a 101, for which nobody asked.
        """
        while data:
            taken = self._buffer.take(data)
            if taken is None:
                return None
            raw, data = taken
            # As for HEAD: a body is announced, if at all, and does not follow.
            head = parse_response_head(raw, "HEAD", websocket=False)
            if head.status >= 200:
                self.rest = data
                return head
            self._informational += 1
            if self._informational > _MOST_INFORMATIONAL:
                raise Malformed("too-many-informational", f"more than {_MOST_INFORMATIONAL} 1xx responses")
        return None
