"""The chunked coding."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.model.errors import Malformed
from eve_proxy.wire.chunked import ChunkedDecoder
from eve_proxy.wire.events import Data, End


def decode(*pieces: bytes, trailers: bool = False) -> tuple[bytes, End | None, bytes | None]:
    decoder = ChunkedDecoder(trailers=trailers)
    body, end, rest = b"", None, None
    for piece in pieces:
        assert rest is None
        events, rest = decoder.feed(piece)
        assert len(events) <= 2
        for event in events:
            if isinstance(event, Data):
                assert event.data
                body += event.data
            else:
                end = event
    assert (end is None) is (rest is None)
    return body, end, rest


def fault(*pieces: bytes, trailers: bool = False) -> str:
    with pytest.raises(Malformed) as caught:
        decode(*pieces, trailers=trailers)
    return caught.value.fault


def test_chunks_and_what_follows() -> None:
    """The body is put together and the next message is left alone."""
    body, end, rest = decode(b"5\r\nhello\r\n006;a=b\r\n world\r\n0;c\r\n\r\nGET /")
    assert (body, rest) == (b"hello world", b"GET /")
    assert end is not None
    assert not len(end.trailers)


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(0, 300), max_size=8), st.booleans()
)
def test_split_anywhere(chunks: list[bytes], cuts: list[int], upper: bool) -> None:
    """However the network cuts it, the body is the same."""
    size = "%X" if upper else "%x"
    raw = b"".join([(size % len(chunk)).encode() + b"\r\n" + chunk + b"\r\n" for chunk in chunks]) + b"0\r\n\r\n"
    places = sorted({0, len(raw), *[cut for cut in cuts if cut < len(raw)]})
    pieces = [raw[start:stop] for start, stop in pairwise(places)]
    body, _, rest = decode(*pieces)
    assert (body, rest) == (b"".join(chunks), b"")


def test_bounds_are_the_same_however_the_bytes_are_cut() -> None:
    """What just fits is accepted when the network cuts between CR and LF as well."""
    size = b"1;".ljust(1024, b"a")
    assert decode(size + b"\r", b"\nx\r\n0\r\n\r\n")[0] == b"x"
    assert fault(size + b"a\r", b"\nx\r\n") == "chunk-line-too-long"
    trailers = b"A: ".ljust(16 * 1024, b"b")
    for cut in range(4):
        end = b"\r\n\r\n"
        assert decode(b"0\r\n" + trailers + end[:cut], end[cut:], trailers=True)[1] is not None
        assert fault(b"0\r\n" + trailers + b"b" + end[:cut], end[cut:], trailers=True) == "trailers-too-large"


def test_trailers_that_end_with_a_bare_lf_are_refused_at_once() -> None:
    """A peer that takes its message for complete is not waited for until a timeout."""
    assert fault(b"0\r\nA: b\n\n", trailers=True) == "bare-lf"
    assert fault(b"0\r\nA: b\r\n\n", trailers=True) == "bare-lf"
    assert fault(b"0\r\n\n", trailers=True) == "bare-lf"
    assert decode(b"0\r\nA: b\r", b"\n\r", b"\n", trailers=True)[1] is not None


@pytest.mark.parametrize(
    "field", [b"Content-Length: 3", b"transfer-encoding: chunked", b"Transfer-Encoding: gzip, chunked"]
)
def test_trailers_that_frame_a_message_are_refused(field: bytes) -> None:
    """What a looser reader could take for a head's framing is not dropped in silence."""
    assert fault(b"0\r\nA: b\r\n" + field + b"\r\n\r\n", trailers=True) == "trailer-framing"


def test_body_bytes_are_given_on_at_once() -> None:
    """A chunk that is still arriving is not held back: an event stream flows."""
    decoder = ChunkedDecoder(trailers=False)
    assert decoder.feed(b"5\r\nhe") == ([Data(b"he")], None)
    assert decoder.feed(b"l") == ([Data(b"l")], None)
    assert decoder.feed(b"lo\r\n3\r\nab") == ([Data(b"loab")], None)


@pytest.mark.parametrize("size", [b"", b"g", b"0x5", b"+5", b"-5", b"5_0", b" 5", b"5 ", b"5\t", b"5 ;a", b"1" * 17])
def test_sizes_are_plain_hexadecimal(size: bytes) -> None:
    """Whatever int() would also take for a number is refused."""
    assert fault(size + b"\r\n") == "chunk-size"


def test_largest_size() -> None:
    """Sixteen digits are a size like another; nothing is reserved for it."""
    assert decode(b"f" * 16 + b"\r\nabc") == (b"abc", None, None)


def test_chunk_must_end_where_it_said() -> None:
    """A chunk that is longer or shorter than its size is a smuggler's."""
    assert fault(b"3\r\nhello\r\n") == "chunk-end"
    assert fault(b"5\r\nhello", b"\n") == "chunk-end"
    assert fault(b"5\r\nhello", b"\r", b"0") == "chunk-end"


def test_size_line_bound() -> None:
    """1 KiB of size line is read, more is not waited for."""
    assert decode(b"1;".ljust(1024, b"a") + b"\r\nx\r\n0\r\n\r\n")[0] == b"x"
    assert fault(b"1;".ljust(1025, b"a")) == "chunk-line-too-long"
    assert fault(b"1;".ljust(1025, b"a") + b"\r\n") == "chunk-line-too-long"


def test_extensions_bound() -> None:
    """A peer cannot make us read kilobytes for every byte of body."""
    chunk = b"1;" + b"a" * 1000 + b"\r\nx\r\n"
    assert decode(chunk * 16)[0] == b"x" * 16
    assert fault(*[chunk] * 17) == "chunk-extensions"


def test_bare_lf_is_noticed_at_once() -> None:
    """A size line that ends with LF alone is not waited on."""
    assert fault(b"5\n") == "chunk-bare-lf"
    assert fault(b"5\nhello\r\n") == "chunk-size"
    assert fault(b"5;\n\r\n") == "chunk-extension"


def test_trailers_of_requests_are_refused() -> None:
    """A request's trailers would be fields that nobody judged."""
    assert fault(b"0\r\nA: b\r\n\r\n") == "trailers"
    assert fault(b"0\r\n", b"A") == "trailers"


def test_trailers_of_responses() -> None:
    """They are given on, but for those that would change how the message is understood."""
    raw = b"0\r\nChecksum: abc\r\nContent-Type: a\r\nX-EVE-Verdict: ALLOW\r\nSet-Cookie: a\r\n\r\nrest"
    for pieces in (
        (raw,),
        (raw[:10], raw[10:]),
        [raw[at : at + 1] for at in range(len(raw) - len(b"rest"))],
    ):
        _, end, _ = decode(*pieces, trailers=True)
        assert end is not None
        assert list(end.trailers) == [(b"checksum", b"abc")]


def test_trailers_bound() -> None:
    """16 KiB of trailers are read, more is not waited for."""
    assert decode(b"0\r\nA: ".ljust(16000, b"b") + b"\r\n\r\n", trailers=True)[1] is not None
    assert fault(b"0\r\nA: ".ljust(17000, b"b"), trailers=True) == "trailers-too-large"
    assert fault(b"0\r\nA: ".ljust(17000, b"b") + b"\r\n\r\n", trailers=True) == "trailers-too-large"
