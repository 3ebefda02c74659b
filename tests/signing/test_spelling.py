"""One certificate, one spelling."""

from __future__ import annotations

import json

import pytest

from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.seal import header_value, seal
from eve_proxy.signing.spelling import Unacceptable, arrange, read_header, read_line
from tests.fakes.journal import draft, link
from tests.fakes.ports import SECRET

CERTIFICATE = seal(
    draft(reason="péril", latency_ms=2, record={"a": {"x": 1, "y": 2}, "b": 1}), link(), HmacSigner(SECRET)
)
LINE = CERTIFICATE.line


def test_reads_what_was_written() -> None:
    """A journal line gives back the certificate."""
    assert read_line(LINE) == CERTIFICATE.to_dict()


def fault(raw: bytes) -> str:
    with pytest.raises(Unacceptable) as caught:
        read_line(raw)
    return caught.value.fault


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"verdict":"allow"', b'"verdict": "allow"'),
        (b'"latency_ms":2,', b'"latency_ms":2.0,'),
        (b'"latency_ms":2,', b'"latency_ms":2e0,'),
        ("é".encode(), b"\\u00e9"),
        (b"allow", b"\\u0061llow"),
        (b'"set":"egress_v1","sha256":"' + b"cd" * 32 + b'"', b'"sha256":"' + b"cd" * 32 + b'","set":"egress_v1"'),
        (b'{"x":1,"y":2}', b'{"y":2,"x":1}'),
    ],
)
def test_another_spelling_is_respaced(old: bytes, new: bytes) -> None:
    """An edit that leaves every value alone still shows: spaces, escapes, numbers, key order."""
    assert old in LINE
    assert fault(LINE.replace(old, new, 1)) == "respaced"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"verdict":"allow"', b'"verdict":"block","verdict":"allow"'),
        (b'"b":1', b'"b":2,"b":1'),
        (b'"port":443', b'"port":80,"port":443'),
    ],
)
def test_duplicate_keys_are_named(old: bytes, new: bytes) -> None:
    """A second verdict that some readers would believe is refused at any depth, and called what it is."""
    assert old in LINE
    assert fault(LINE.replace(old, new, 1)) == "duplicate-keys"


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{}", b"\xff", b"{" * 3000, b"[" * 100_000, LINE[:-1], LINE + b"x", LINE * 2]
)
def test_not_a_certificate(raw: bytes) -> None:
    """Anything else at all is reported as an edited line."""
    assert fault(raw) == "edited"


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"schema": "eve.decision/2"},
        {"request": {}},
        {"policy": {"set": "x", "sha256": None, "more": 1}},
        {"policy": {"set": "x", "other": 1}},
        {"log": {"id": "x", "seq": "1", "prev": "y"}},
        {"log": {"id": "x", "seq": True, "prev": "y"}},
        {"record": []},
        {"reason": None},
        {"latency_ms": float("nan")},
    ],
)
def test_fields_must_be_those_of_the_schema(change: dict[str, object]) -> None:
    """An unknown, missing or mistyped field is not a certificate of this schema."""
    with pytest.raises(Unacceptable):
        arrange(CERTIFICATE.to_dict() | change)


def test_each_field_is_required() -> None:
    """No field can be left out."""
    for name in CERTIFICATE.to_dict():
        fields = CERTIFICATE.to_dict()
        del fields[name]
        with pytest.raises(Unacceptable):
            arrange(fields)
        with pytest.raises(Unacceptable):
            arrange(fields | {"renamed": 1})


def test_header_form_is_read_but_no_third_spelling() -> None:
    """A header's escaped text is accepted as it was sent, and only so."""
    value = header_value(CERTIFICATE)
    assert value != LINE
    assert read_header(value) == read_header(LINE) == CERTIFICATE.to_dict()
    with pytest.raises(Unacceptable):
        read_header(json.dumps(json.loads(value)).encode())
    with pytest.raises(Unacceptable):
        read_header(value.replace(b"\\u00e9", b"\\u00E9"))
