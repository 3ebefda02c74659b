"""Bodies by length and until close."""

from __future__ import annotations

from eve_proxy.wire.body import CloseDecoder, LengthDecoder, body_decoder
from eve_proxy.wire.chunked import ChunkedDecoder
from eve_proxy.wire.events import CHUNKED, END, NO_BODY, UNTIL_CLOSE, Data, Framing, FramingKind


def test_length() -> None:
    """Exactly the declared bytes are the body; the rest belongs to the next message."""
    decoder = LengthDecoder(5)
    assert decoder.feed(b"") == ([], None)
    assert decoder.feed(b"he") == ([Data(b"he")], None)
    assert decoder.feed(b"lloGET") == ([Data(b"llo"), END], b"GET")
    assert LengthDecoder(5).feed(b"hello") == ([Data(b"hello"), END], b"")


def test_close() -> None:
    """Everything is body."""
    assert CloseDecoder().feed(b"a") == ([Data(b"a")], None)


def test_the_framing_chooses_the_decoder() -> None:
    """No decoder where no body follows."""
    assert body_decoder(NO_BODY, trailers=False) is None
    assert body_decoder(Framing(kind=FramingKind.LENGTH, length=0), trailers=False) is None
    assert isinstance(body_decoder(Framing(kind=FramingKind.LENGTH, length=1), trailers=False), LengthDecoder)
    assert isinstance(body_decoder(CHUNKED, trailers=False), ChunkedDecoder)
    assert isinstance(body_decoder(UNTIL_CLOSE, trailers=False), CloseDecoder)
