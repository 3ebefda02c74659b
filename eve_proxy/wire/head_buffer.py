"""Collects bytes until the blank line that ends a head, within bounds."""

from __future__ import annotations

from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.grammar import BLANK_LINE, CRLF, TCHAR

# security.md, "HTTP/1.1, strict". Responses have the same bounds: 64 KiB is more than Envoy lets an upstream send
# (60 KiB) and four times what Node accepts, so what real origins send to real clients fits.
LINE_LIMIT: Final = 16 * 1024
HEAD_LIMIT: Final = 64 * 1024

_CR: Final = 0x0D
_TLS_HANDSHAKE: Final = 0x16
_FIRST_BYTES: Final = frozenset(TCHAR)


class HeadBuffer:
    """The heads of one connection, one after the other.

    :param blank_lines: how many empty lines may come before one: some clients send one after a body
        (RFC 9112 section 2.2). They are dropped.
    :ivar pending: what has arrived of a head that is incomplete.
    """

    __slots__ = ("_blank_lines", "_blank_lines_left", "pending")

    def __init__(self, blank_lines: int = 0) -> None:
        self._blank_lines = self._blank_lines_left = blank_lines
        self.pending = bytearray()

    def take(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add ``data``, which is not empty.

        :returns: the head, every line ended by CRLF, without the blank line; and what came after it. None while it
            is incomplete.
        :raises Malformed: a bound is passed, or it is certain that no acceptable head can follow.
        """
        if not self.pending and data[0] in _FIRST_BYTES:
            end = data.find(BLANK_LINE)
            if 0 < end <= LINE_LIMIT:
                # The usual case: all of it in one piece, and smaller than its first line alone might be.
                self._blank_lines_left = self._blank_lines
                return data[: end + 2], data[end + 4 :]
        return self._add(data)

    def _add(self, data: bytes) -> tuple[bytes, bytes] | None:
        pending = self.pending
        known = len(pending)
        pending += data
        while self._blank_lines_left and pending.startswith(CRLF):
            del pending[:2]
            self._blank_lines_left -= 1
            known = 0
        if not pending:
            return None
        # A CR may be half of an empty line, where one is still allowed.
        if pending[0] != _CR or len(pending) > 1 or not self._blank_lines_left:
            _check_first_byte(pending[0])
        end = pending.find(BLANK_LINE, max(0, known - 3))
        if end < 0:
            _check_incomplete(pending, known)
            return None
        whole = bytes(pending)
        pending.clear()
        self._blank_lines_left = self._blank_lines
        return _split(whole, end)


def _split(data: bytes, end: int) -> tuple[bytes, bytes]:
    if data.find(CRLF, 0, LINE_LIMIT + 2) < 0:
        raise _line_too_long()
    if end + 4 > HEAD_LIMIT:
        raise _head_too_large()
    return data[: end + 2], data[end + 4 :]


def _check_first_byte(byte: int) -> None:
    # Said at once: such a peer may wait for our answer before it sends anything that looks like an end of line.
    if byte not in _FIRST_BYTES:
        what = "TLS where plain HTTP is spoken" if byte == _TLS_HANDSHAKE else "the first byte does not begin HTTP"
        raise Malformed("not-http", what)


def _check_incomplete(pending: bytearray, known: int) -> None:
    if known and pending[known - 1] == _CR:
        known -= 1
    # A peer that ends lines with a bare LF would otherwise wait until the head timeout.
    if pending.count(b"\n", known) != pending.count(CRLF, known):
        raise Malformed("bare-lf", "a line ends with LF alone")
    # A CR at the end may be half of the line's end.
    if len(pending) > LINE_LIMIT + pending.endswith(b"\r") and pending.find(CRLF, 0, LINE_LIMIT + 2) < 0:
        raise _line_too_long()
    if len(pending) > HEAD_LIMIT:
        raise _head_too_large()


def _line_too_long() -> Malformed:
    return Malformed("line-too-long", f"the first line is longer than {LINE_LIMIT} bytes", status=414)


def _head_too_large() -> Malformed:
    return Malformed("head-too-large", f"the head is larger than {HEAD_LIMIT} bytes", status=431)
