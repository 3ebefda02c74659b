"""Compressed bodies: what is judged is what the origin will read, and a bomb is only a refused request."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.policy.content import NotInspectable, decode_content

LIMIT = 10 * 1024 * 1024
TEXT = b'{"prompt": "hello"}' * 50


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


def streamed_zstd(data: bytes) -> bytes:
    """A frame that does not say its size beforehand."""
    encoder = zstandard.ZstdCompressor().compressobj()
    return encoder.compress(data) + encoder.flush()


ENCODERS: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"gzip", gzip.compress),
    (b"x-gzip", gzip.compress),
    (b"deflate", zlib.compress),
    (b"deflate", raw_deflate),
    (b"br", brotli.compress),
    (b"zstd", zstandard.compress),
    (b"zstd", streamed_zstd),
]
NAMES = ["gzip", "x-gzip", "zlib", "raw", "br", "zstd", "zstd-streamed"]
every_coding = pytest.mark.parametrize(("coding", "encode"), ENCODERS, ids=NAMES)


@given(
    data=st.binary(max_size=3000) | st.binary(max_size=20).map(lambda seed: seed * 5000),
    layers=st.lists(st.sampled_from(ENCODERS), min_size=1, max_size=3),
    cuts=st.lists(st.integers(1, 4000), max_size=5),
)
def test_what_was_encoded_is_decoded(
    data: bytes, layers: list[tuple[bytes, Callable[[bytes], bytes]]], cuts: list[int]
) -> None:
    """Any stack of up to three codings, cut anywhere, gives the governor exactly what the origin reads."""
    content = data
    for _, encode in layers:
        content = encode(content)
    chunks = []
    rest = content
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    codings = [coding for coding, _ in layers]
    assert decode_content((*chunks, rest), codings, max(len(data), 1)) == data
    assert decode_content(content, codings, max(len(data), 1)) == data


@pytest.mark.parametrize("outer", ENCODERS, ids=NAMES)
@every_coding
def test_every_pair_of_codings(
    coding: bytes, encode: Callable[[bytes], bytes], outer: tuple[bytes, Callable[[bytes], bytes]]
) -> None:
    """A small body under any two codings is read: the end of one layer is not taken for bytes after the next."""
    for data in (b"\0", TEXT):
        assert decode_content(outer[1](encode(data)), [coding, outer[0]], LIMIT) == data


@every_coding
def test_the_limit_is_exact(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    """A body of exactly EVE_PROXY_MAX_BODY passes, one byte more is refused."""
    for data in (b"a" * 200_000, bytes(range(256)) * 300):
        assert decode_content(encode(data), [coding], len(data)) == data
        with pytest.raises(NotInspectable, match="larger"):
            decode_content(encode(data), [coding], len(data) - 1)


@every_coding
def test_every_truncation_is_refused(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    """A body that stops early could go on in a way that nobody judged."""
    content = encode(TEXT)
    for size in range(1, len(content)):
        with pytest.raises(NotInspectable):
            decode_content(content[:size], [coding], LIMIT)


@every_coding
@pytest.mark.parametrize("garbage", [b"x", b"\0", b"\0" * 100, b"x" * 100])
def test_bytes_after_the_end_are_refused(coding: bytes, encode: Callable[[bytes], bytes], garbage: bytes) -> None:
    """What follows the compressed data would reach the origin unjudged; a small answer cannot hide it in a buffer."""
    for data in (TEXT, b"\0" * 300_000, b""):
        for content in (encode(data) + garbage, (encode(data), garbage)):
            with pytest.raises(NotInspectable):
                decode_content(content, [coding], LIMIT)


@every_coding
def test_corruption_is_refused(coding: bytes, encode: Callable[[bytes], bytes]) -> None:
    """Something that is not in its coding is not guessed at."""
    for content in (b"plain text, nothing else", b"\xff" * 40, encode(TEXT)[1:]):
        with pytest.raises(NotInspectable):
            decode_content(content, [coding], LIMIT)


def test_checksums_are_checked() -> None:
    """A gzip body whose check sum is wrong is refused, as the origin would."""
    content = bytearray(gzip.compress(TEXT))
    content[-6] ^= 1
    with pytest.raises(NotInspectable, match="not valid"):
        decode_content(bytes(content), [b"gzip"], LIMIT)


@pytest.mark.parametrize("codings", [[], [b"identity"], [b"identity", b"identity", b"identity", b"identity"]])
def test_identity_is_no_coding(codings: list[bytes]) -> None:
    """A plain body stays as it is, within the limit."""
    assert decode_content((b"a", b"", b"b"), codings, 2) == b"ab"
    with pytest.raises(NotInspectable):
        decode_content(b"abc", codings, 2)


@pytest.mark.parametrize("coding", [b"compress", b"x-compress", b"aes128gcm", b"GZIP", b"dcz", b"", b"gzip;q=1"])
def test_an_unknown_coding_is_refused(coding: bytes) -> None:
    """A body that we cannot read is not sent on unread."""
    for codings in ([coding], [coding, b"gzip"]):
        with pytest.raises(NotInspectable, match="not known"):
            decode_content(gzip.compress(TEXT), codings, LIMIT)


def test_four_codings_are_refused() -> None:
    """Nesting is work for us and a hiding place for others."""
    content = TEXT
    for _ in range(4):
        content = gzip.compress(content)
    with pytest.raises(NotInspectable, match="more content codings"):
        decode_content(content, [b"gzip"] * 4, LIMIT)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_an_empty_body_is_empty(coding: bytes) -> None:
    """A request without content but with a Content-Encoding is not refused for it."""
    assert decode_content((), [coding], LIMIT) == b""
    assert decode_content(b"", [coding], LIMIT) == b""


def test_members_and_frames_are_joined() -> None:
    """An origin that reads a concatenated gzip or zstd body reads nothing that was not judged."""
    assert decode_content(gzip.compress(b"a") + gzip.compress(b"b"), [b"gzip"], LIMIT) == b"ab"
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
    frames = zstandard.compress(b"a") + skippable + streamed_zstd(b"b")
    assert decode_content(frames, [b"zstd"], LIMIT) == b"ab"


@pytest.mark.parametrize(
    ("coding", "one"), [(b"gzip", gzip.compress(b"")), (b"zstd", zstandard.compress(b""))], ids=["gzip", "zstd"]
)
def test_a_flood_of_empty_members_is_refused(coding: bytes, one: bytes) -> None:
    """A body of many thousand empty parts cannot keep the daemon busy."""
    assert decode_content(one * 1000, [coding], LIMIT) == b""
    with pytest.raises(NotInspectable):
        decode_content(one * 1025, [coding], LIMIT)


def test_the_deflate_header_decides_alone() -> None:
    """A zlib body that is broken later is not read a second time as a raw stream with another content."""
    broken = bytearray(zlib.compress(TEXT))
    broken[-1] ^= 1
    with pytest.raises(NotInspectable):
        decode_content(bytes(broken), [b"deflate"], LIMIT)
    assert decode_content((b"\x78", zlib.compress(TEXT)[1:]), [b"deflate"], LIMIT) == TEXT


def test_windows_beyond_the_standard_are_refused() -> None:
    """A small body cannot make the daemon reserve 128 MiB."""
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27)).compressobj()
    with pytest.raises(NotInspectable):
        decode_content(wide.compress(b"a" * 1000) + wide.flush(), [b"zstd"], LIMIT)


def rle_bomb() -> bytes:
    """A zstd frame that is nothing but runs: 32 KiB for each byte."""
    block = ((131072 << 3) | 2).to_bytes(3, "little") + b"a"
    return b"\x28\xb5\x2f\xfd\x00\x38" + block * 50_000


BOMBS = {
    "gzip": ([b"gzip"], gzip.compress(b"\0" * (64 << 20), 6)),
    "zstd": ([b"zstd"], zstandard.compress(b"\0" * (256 << 20))),
    "zstd runs": ([b"zstd"], rle_bomb()),
    "br": ([b"br"], brotli.compress(b"\0" * (64 << 20), quality=3)),
    "gzip in gzip": ([b"gzip", b"gzip"], gzip.compress(gzip.compress(b"\0" * (64 << 20), 6))),
}


@pytest.mark.parametrize(("codings", "bomb"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_does_not_take_the_memory(codings: list[bytes], bomb: bytes) -> None:
    """A few kilobytes that unpack to hundreds of megabytes are refused within about twice the limit."""
    limit = 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(NotInspectable, match="larger"):
            decode_content(bomb, codings, limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * limit


def test_an_inner_bomb_of_another_layer_is_bounded_too() -> None:
    """A body whose middle layer explodes is refused although its innermost layer would be small."""
    skipped = b"\x50\x2a\x4d\x18" + (64 << 20).to_bytes(4, "little") + b"\0" * (64 << 20)
    with pytest.raises(NotInspectable, match="larger"):
        decode_content(gzip.compress(skipped + zstandard.compress(b"a"), 1), [b"zstd", b"gzip"], 1024 * 1024)


def test_a_stream_with_two_readings_is_not_inspectable() -> None:
    """Deflate that is one text as zlib and another as a raw stream is refused: origins try either first."""
    hidden = zlib.compressobj(wbits=-15)
    raw = hidden.compress(b"what a raw reader sees") + hidden.flush()
    # As zlib: a header and one stored block of 65,534 bytes. As raw: two small stored blocks, then ``raw``.
    shown = b"\x00\x00\xff\xff" + raw
    shown += b"." * (0xFFFE - len(shown))
    stream = b"\x78\x01\x00\xfe\xff\x01\x00" + shown + b"\x01\x00\x00\xff\xff"
    stream += zlib.adler32(shown).to_bytes(4, "big")
    assert zlib.decompress(stream) == shown
    assert zlib.decompressobj(-15).decompress(stream) == b"\x01what a raw reader sees"
    with pytest.raises(NotInspectable):
        decode_content(stream, [b"deflate"], 1 << 20)
