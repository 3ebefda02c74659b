"""The parts of a multipart body as text: transfer codings undone, short fields as ``name = "value"``. Pure."""

from __future__ import annotations

import binascii
from typing import Final

import re2

# Bodies with more parts than that keep the rest as it stands.
MOST_PARTS: Final = 1000
_LONGEST_HEADER: Final = 4096
_SHORT: Final = 64
_CODING = re2.compile(rb"(?i)content-transfer-encoding:[ \t]*\"?(base64|quoted-printable)")
_NAME = re2.compile(rb"(?i)content-disposition:[^\n]*\bname=\"?([^\";\r\n]{1,64})")
_FILE = re2.compile(rb"(?i)content-disposition:[^\n]*\bfilename")


def parts_as_text(content: bytes) -> bytes:
    """A multipart body (RFC 2046 section 5.1, RFC 7578) as one text.

    Parts are told by their delimiter line, whatever the boundary is: readers differ in which one they heed.
    """
    return b"\n".join([_part(part) for part in content.split(b"\n--", MOST_PARTS)])


def _part(part: bytes) -> bytes:
    head, blank, body = _divided(part)
    if not blank or b"ontent-" not in head.lower():
        return part
    body = _uncoded(head, body).removesuffix(b"\r")
    named = _NAME.search(head)
    if named is None or len(body) > _SHORT or b"\n" in body or _FILE.search(head):
        return body
    return b'%s = "%s"' % (named.group(1), body)


def _divided(part: bytes) -> tuple[bytes, bytes, bytes]:
    head = part[:_LONGEST_HEADER]
    places = [(at, mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := head.find(mark)) >= 0]
    if not places:
        return part, b"", b""
    at, mark = min(places)
    return part[:at], mark, part[at + len(mark) :]


def _uncoded(head: bytes, body: bytes) -> bytes:
    coding = _CODING.search(head)
    if coding is None:
        return body
    try:
        if coding.group(1).lower() == b"base64":
            return binascii.a2b_base64(body)
        return binascii.a2b_qp(body)
    except binascii.Error:
        return body
