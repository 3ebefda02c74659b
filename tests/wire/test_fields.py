"""Field lines."""

from __future__ import annotations

from unittest import mock

import pytest

from eve_proxy.model.errors import Malformed
from eve_proxy.wire import fields
from eve_proxy.wire.fields import FIELD_LIMIT, read_fields, split_head
from eve_proxy.wire.hop_by_hop import REQUEST, RESPONSE


def fault(block: bytes) -> tuple[str, int]:
    with pytest.raises(Malformed) as caught:
        read_fields(block, REQUEST)
    return caught.value.fault, caught.value.status


def test_fields_keep_order_name_and_value() -> None:
    """Names keep their spelling, values lose only the blanks around them."""
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-B:\t c\t d \t\r\nempty:\r\nx-b: \xe9\r\nhOST:b \r\n"
    first, rows, values = split_head(head, REQUEST)
    assert first == b"GET / HTTP/1.1"
    assert values == {b"host": [b"a", b"b"]}
    assert rows == [
        (b"x-b", b"X-B", b"c\t d"),
        (b"empty", b"empty", b""),
        (b"x-b", b"x-b", b"\xe9"),
    ]


def test_no_fields() -> None:
    """A head of one line is a head."""
    first, rows, values = split_head(b"HTTP/1.1 200 OK\r\n", RESPONSE)
    assert (first, rows, values) == (b"HTTP/1.1 200 OK", [], {})


@pytest.mark.parametrize("separator", [b"\x00", b"\x01", b"\x08", b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\r", b"\n"])
def test_no_control_character_anywhere(separator: bytes) -> None:
    """What some parsers take for a blank or a line end is never passed on, not even in the first line."""
    for head in (b"A: b%bc\r\n", b"A%b: c\r\n", b"A:%bc\r\n", b"A: b%b\r\n", b"%bA: b\r\n"):
        with pytest.raises(Malformed):
            read_fields(head % separator, REQUEST)
        with pytest.raises(Malformed):
            split_head(b"GET /%b HTTP/1.1\r\nA: b\r\n" % separator, REQUEST)


def test_field_count_bound() -> None:
    """128 fields are read, 129 are 431."""
    assert len(read_fields(b"A: b\r\n" * FIELD_LIMIT, REQUEST)[0]) == FIELD_LIMIT
    assert fault(b"A: b\r\n" * (FIELD_LIMIT + 1)) == ("too-many-fields", 431)
    assert len(split_head(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * FIELD_LIMIT, REQUEST)[1]) == FIELD_LIMIT


def test_upgrade_fields_do_not_stop_the_reading() -> None:
    """A field after Upgrade is read like any other."""
    block = b"Connection: upgrade\r\nUpgrade: h2c\r\nAfter: all\r\n"
    rows, values = read_fields(block, REQUEST)
    assert list(values) == [b"connection", b"upgrade"]
    assert rows == [(b"after", b"After", b"all")]


def test_unusual_but_sound_values_are_not_llhttps_to_refuse() -> None:
    """Whatever llhttp thinks of a message, only framing faults and broken lines are refused here."""
    block = b"Connection: close, close\r\nTE: gzip\r\nContent-Length: 0\r\nUpgrade: a, b\r\nProxy-Connection: x\r\n"
    assert len(read_fields(block, REQUEST)[1]) == 5


class _Lax:
    """A tokeniser with faults that llhttp does not have."""

    def __init__(self, collector: fields._Collector) -> None:
        self.collector = collector

    def feed_data(self, data: bytes) -> None:
        # Unfolds lines and takes blanks before a colon, as older parsers did.
        for line in data.replace(b"\r\n ", b" ").split(b"\r\n")[1:-2]:
            name, _, value = line.partition(b":")
            self.collector.on_header(name, value.strip())


@pytest.mark.parametrize(
    ("block", "expected"),
    [(b"A: b\r\n c\r\n", "obs-fold"), (b"A : b\r\n", "space-before-colon"), (b"A(: b\r\n", "field-name")],
)
def test_our_own_strictness_does_not_rest_on_llhttp(block: bytes, expected: str) -> None:
    """A laxer release of the parser opens no hole: its reading is compared with ours."""
    with mock.patch.object(fields, "HttpRequestParser", _Lax):
        assert fault(block) == (expected, 400)
