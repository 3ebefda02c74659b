"""The chunked coding, strictly (RFC 9112 section 7.1)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Headers
from eve_proxy.wire.events import END, Data, End
from eve_proxy.wire.fields import read_fields
from eve_proxy.wire.grammar import BLANK_LINE, CRLF, HEX, TEXT
from eve_proxy.wire.hop_by_hop import TRAILERS

_SIZE_DIGITS: Final = 16
# Extensions mean nothing to us. The bound per line is generous to signatures; the bound per message keeps a peer from
# making us read kilobytes for every byte of body.
_LINE_LIMIT: Final = 1024
_EXTENSIONS_LIMIT: Final = 16 * 1024
_TRAILERS_LIMIT: Final = 16 * 1024


class _Expect(Enum):
    SIZE = "the line with a chunk's size"
    BYTES = "a chunk's bytes"
    CHUNK_END = "the CRLF after them"
    TRAILERS = "the trailer section"
    NOTHING = "nothing"


class ChunkedDecoder:
    """One body.

    :param trailers: False refuses them (requests), True gives them in ``End`` (responses).
    """

    __slots__ = ("_end", "_expect", "_extensions", "_held", "_left", "_trailers")

    def __init__(self, *, trailers: bool) -> None:
        self._trailers = trailers
        self._expect = _Expect.SIZE
        self._end = END
        # Bytes of the current chunk still to come; an incomplete line; bytes spent on extensions.
        self._left = 0
        self._held = b""
        self._extensions = 0

    def feed(self, data: bytes) -> tuple[list[Data | End], bytes | None]:
        """Decode.

        :returns: at most one ``Data`` and the ``End``; then what follows the message, None while it is incomplete.
        :raises Malformed: anything but the exact grammar, or a bound is passed.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        at = 0
        while self._expect is not _Expect.NOTHING:
            if self._expect is _Expect.BYTES:
                piece = data[at : at + self._left]
                if not piece:
                    return _body(pieces), None
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._expect = _Expect.CHUNK_END
                continue
            after = self._line(data, at)
            if after is None:
                self._held = data[at:]
                return _body(pieces), None
            at = after
        events = _body(pieces)
        events.append(self._end)
        return events, data[at:]

    def _line(self, data: bytes, at: int) -> int | None:
        """Read one element of the framing at ``at``: the position after it, or None when more bytes are needed."""
        if self._expect is _Expect.SIZE:
            return self._size_line(data, at)
        if self._expect is _Expect.TRAILERS:
            return self._trailer_section(data, at)
        if data.startswith(CRLF, at):
            self._expect = _Expect.SIZE
            return at + 2
        if data[at:] in (b"", b"\r"):
            return None
        raise Malformed("chunk-end", "a chunk is not followed by CRLF")

    def _size_line(self, data: bytes, at: int) -> int | None:
        end = data.find(CRLF, at, at + _LINE_LIMIT + 2)
        if end < 0:
            # A CR at the end may be half of the line's end.
            if len(data) - at > _LINE_LIMIT + data.endswith(b"\r"):
                raise Malformed("chunk-line-too-long", f"a chunk size line is longer than {_LINE_LIMIT} bytes")
            if b"\n" in data[at:]:
                raise Malformed("chunk-bare-lf", "a chunk size line ends with LF alone")
            return None
        digits, semicolon, extension = data[at:end].partition(b";")
        if semicolon:
            self._extensions += len(extension)
            if self._extensions > _EXTENSIONS_LIMIT:
                raise Malformed("chunk-extensions", f"more than {_EXTENSIONS_LIMIT} bytes of chunk extensions")
            if extension.translate(None, TEXT):
                raise Malformed("chunk-extension", "a control character in a chunk extension")
        # Not int(digits, 16) alone: it takes signs, underscores, blanks and 0x.
        if not 0 < len(digits) <= _SIZE_DIGITS or digits.translate(None, HEX):
            raise Malformed("chunk-size", "a chunk size is not a hexadecimal number of at most 16 digits")
        self._left = int(digits, 16)
        self._expect = _Expect.BYTES if self._left else _Expect.TRAILERS
        return end + 2

    def _trailer_section(self, data: bytes, at: int) -> int | None:
        if data.startswith(CRLF, at):
            self._expect = _Expect.NOTHING
            return at + 2
        if data[at:] in (b"", b"\r"):
            return None
        if not self._trailers:
            raise Malformed("trailers", "trailers on a request are not accepted")
        end = data.find(BLANK_LINE, at, at + _TRAILERS_LIMIT + 4)
        if end < 0:
            if len(data) - at > _TRAILERS_LIMIT + 3:  # all but the last byte of their end may be here
                raise Malformed("trailers-too-large", f"more than {_TRAILERS_LIMIT} bytes of trailers")
            # To a peer that ends lines with a bare LF its message is complete: it would wait, and we would too.
            if data.count(b"\n", at) != data.count(CRLF, at):
                raise Malformed("bare-lf", "a trailer ends with LF alone")
            return None
        rows, values = read_fields(data[at : end + 2], TRAILERS)
        # Others are dropped; these could only be there to be taken for a head's (RFC 9110 section 6.5.1).
        if b"content-length" in values or b"transfer-encoding" in values:
            raise Malformed("trailer-framing", "a trailer that frames a message")
        self._end = End(Headers(fields=tuple(rows)))
        self._expect = _Expect.NOTHING
        return end + 4


def _body(pieces: list[bytes]) -> list[Data | End]:
    if not pieces:
        return []
    return [Data(pieces[0] if len(pieces) == 1 else b"".join(pieces))]
