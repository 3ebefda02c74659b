"""Compressed bodies, decoded so that what is judged is what the origin will read (governance-api.md, "Request").

A body is hostile until decoded: every step yields a bounded piece, the sum is bounded, and what does not end exactly
where its format says it ends is not inspectable. Codings: RFC 9110 section 8.4, RFC 7932, RFC 8878 and RFC 9659.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from typing import Final

import brotli
import zstandard

from eve_proxy.model.errors import EveError

# Nobody compresses more than twice on purpose; each layer multiplies the work of a bomb.
MOST_CODINGS: Final = 3
# Members of a gzip file and frames of a zstd stream cost a new decoder each, and may be empty.
_MOST_MEMBERS: Final = 1024
_STEP: Final = 64 * 1024
# RFC 9659 section 3: what a receiver of the zstd content coding must accept, and need not exceed.
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
# RFC 8878 section 3.1.1.2: a block decodes to 128 KiB at most, and an RLE block takes four bytes.
_ZSTD_RATIO: Final = 128 * 1024 // 4
_ZSTD_LEAST: Final = 32

Pieces = Iterator[bytes | memoryview]


class NotInspectable(EveError):
    """The body cannot be decoded completely within the bounds. It is refused: BLOCK, ``body not inspectable``."""


def decode_content(content: bytes | Iterable[bytes], encodings: Sequence[bytes], limit: int) -> bytes:
    """The body without its content codings.

    An empty body stays empty: there is nothing in it to inspect, and clients do send ``Content-Encoding`` without one.

    :param content: the body as received, whole or in chunks.
    :param encodings: the lower-case members of ``Content-Encoding`` in the order applied.
    :param limit: bytes of the result (EVE_PROXY_MAX_BODY). No bomb makes this allocate more than about twice as much.
    :raises NotInspectable: unknown, corrupt, truncated, followed by other bytes, or larger than ``limit``.
    """
    codings = [coding for coding in encodings if coding != b"identity"]
    if len(codings) > MOST_CODINGS:
        raise NotInspectable("more content codings than are undone")
    chunks = (content,) if isinstance(content, bytes) else tuple(content)
    pieces = _pieces(chunks)
    if any(chunks):
        # An intermediate layer is compressed data itself, and is a little larger than its content at worst.
        cap = limit + limit // 16 + 1024
        for position, coding in enumerate(reversed(codings), 1):
            decoder = _DECODERS.get(coding)
            if decoder is None:
                raise NotInspectable("a content coding that is not known")
            pieces = decoder(pieces, limit if position == len(codings) else cap)
    decoded = BytesIO()
    try:
        for piece in pieces:
            decoded.write(piece)
            if decoded.tell() > limit:
                raise NotInspectable("larger than the limit when decoded")
    except (zlib.error, brotli.error, zstandard.ZstdError):
        raise NotInspectable("not valid in its content coding") from None
    return decoded.getvalue()


def _pieces(chunks: Iterable[bytes]) -> Pieces:
    for chunk in chunks:
        for start in range(0, len(chunk), _STEP):
            yield memoryview(chunk)[start : start + _STEP]


def _gzip(pieces: Pieces, cap: int) -> Pieces:
    return _bounded(_inflate(pieces, zlib.MAX_WBITS | 16, _MOST_MEMBERS), cap)


def _deflate(pieces: Pieces, cap: int) -> Pieces:
    """Zlib format as RFC 9110 says, or the raw stream that some clients send.

    The header decides alone. Falling back after an error would give an attacker bytes that we and the origin read
    differently; for the same reason a zlib header that also begins a raw stream is refused.
    """
    head = b""
    while len(head) < 5 and (piece := next(pieces, None)) is not None:
        head += piece
    if len(head) < 2:
        raise NotInspectable("cut off")
    # RFC 1950 section 2.2: method 8, a window of at most 32 KiB, and a check sum over the two bytes.
    is_zlib = head[0] & 0x8F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    # As a raw stream such a header is a stored block, which has its length twice, the second time inverted
    # (RFC 1951 section 3.2.4). By chance that is so once in 65,536 streams.
    if is_zlib and bytes(byte ^ 0xFF for byte in head[1:3]) == head[3:5]:
        raise NotInspectable("readable in two ways")
    wbits = zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS
    return _bounded(_inflate(chain((head,), pieces), wbits, 1), cap)


def _inflate(pieces: Pieces, wbits: int, most: int) -> Pieces:
    decoder = None
    members = 0
    for piece in pieces:
        rest: bytes | memoryview = piece
        while rest:
            if decoder is None:
                if members == most:
                    raise NotInspectable("followed by other bytes")
                decoder = zlib.decompressobj(wbits)
                members += 1
            yield decoder.decompress(rest, _STEP)
            if decoder.eof:
                rest, decoder = decoder.unused_data, None
            else:
                rest = decoder.unconsumed_tail
    while decoder is not None and not decoder.eof:
        # The last input can be consumed while a part of the output still waits inside the decoder.
        output = decoder.decompress(b"", _STEP)
        if not output and not decoder.eof:
            raise NotInspectable("cut off")
        yield output


def _brotli(pieces: Pieces, cap: int) -> Pieces:
    return _bounded(_unbrotli(pieces), cap)


def _unbrotli(pieces: Pieces) -> Pieces:
    decoder = brotli.Decompressor()
    for piece in pieces:
        if decoder.is_finished():
            raise NotInspectable("followed by other bytes")
        yield decoder.process(piece, output_buffer_limit=_STEP)
        while not decoder.can_accept_more_data():
            yield decoder.process(b"", output_buffer_limit=_STEP)
    while not decoder.is_finished():
        output = decoder.process(b"", output_buffer_limit=_STEP)
        if not output:
            raise NotInspectable("cut off")
        yield output


def _zstd(pieces: Pieces, cap: int) -> Pieces:
    return _bounded(_unzstd(pieces, cap), cap)


def _unzstd(pieces: Pieces, cap: int) -> Pieces:
    """The library gives back all that its input decodes to, so the input is rationed by what may still come out."""
    zstd = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    decoder = None
    frames = produced = 0
    for piece in pieces:
        rest: bytes | memoryview = piece
        while rest:
            if decoder is None:
                if frames == _MOST_MEMBERS:
                    raise NotInspectable("in too many frames")
                decoder = zstd.decompressobj()
                frames += 1
            ration = max(_ZSTD_LEAST, min(_STEP, (cap - produced) // _ZSTD_RATIO))
            output = decoder.decompress(rest[:ration])
            produced += len(output)
            yield output
            rest = rest[ration:]
            if decoder.eof:
                rest, decoder = decoder.unused_data + bytes(rest), None
    if decoder is not None:
        raise NotInspectable("cut off")


def _bounded(pieces: Pieces, cap: int) -> Pieces:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > cap:
            raise NotInspectable("larger than the limit when decoded")
        if piece:  # an empty one is not "other bytes" to the next layer
            yield piece


_DECODERS: Final[dict[bytes, Callable[[Pieces, int], Pieces]]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
