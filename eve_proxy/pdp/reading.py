"""What a body says: any content type, as one text that detectors can look at.

JSON is walked, so that a prompt split over ``messages[]`` ends up in one place; forms are percent-decoded;
everything else is read as it is. The text keeps case and stays bytes (UTF-8): ten MiB of it are handled by calls
that run in C, within a few copies' memory.
"""

from __future__ import annotations

import binascii
import html
import json
import re
from typing import Final

import re2

from eve_proxy.pdp.json_text import PROSE, json_as_text
from eve_proxy.pdp.multipart import parts_as_text

# A JSON tree costs up to 250 bytes a node, and a hostile body can be all nodes. Beyond this the text is only unescaped.
_LARGEST_TREE: Final = 1 << 20
FORM: Final = b"application/x-www-form-urlencoded"
_SHORT: Final = 64
_MOST_FIELDS: Final = 1000
_PROSE: Final = frozenset([name.encode() for name in PROSE])
_REFERENCES_AT_ONCE: Final = 64 << 10
_SWAP_PERCENT: Final = bytes.maketrans(b"%=+", b"=% ")
_BACK: Final = bytes.maketrans(b"%", b"=")
_REFERENCE = re2.compile(rb"&#(?:[0-9]{2,7}|[xX][0-9a-fA-F]{2,6})")
# Not those before \x41 and \101, which C and shells decode and JSON does not know.
_BACKSLASH = re.compile(rb"\\(?![xX0-9])")
# Letters and digits written as \u00XX: no JSON writer does that by itself.
_ESCAPED = re2.compile(rb"\\u00(?:[46][0-9a-fA-F]|[57][0-9aA]|3[0-9])")


def percent_decoded(text: bytes) -> bytes:
    """``text`` with ``%XX`` and ``+`` decoded, in C: quoted-printable is the same coding with ``=`` for ``%``.

    A literal ``%`` comes out as ``=``, which no pattern of ours tells apart.
    """
    return binascii.a2b_qp(text.translate(_SWAP_PERCENT)).translate(_BACK)


def glance(content: bytes, content_type: bytes) -> bytes:
    """A cheap first look: the text with the escapes that hide word boundaries undone."""
    if b"multipart/" in content_type:
        content = parts_as_text(content)
    wide = _from_wide(content)
    if wide:
        return _plain(wide, content_type) + b"\n" + _plain(content, content_type)
    return _plain(content, content_type)


def _plain(content: bytes, content_type: bytes) -> bytes:
    if b"x-www-form-urlencoded" in content_type:
        return _form(content)
    if b"\\" in content:
        content = _unescaped(content)
    return content


def _form(content: bytes) -> bytes:
    """The fields of a form, each on a line of its own. Beyond ``_MOST_FIELDS`` they stay where they are."""
    lines = []
    for field in content.split(b"&", _MOST_FIELDS):
        name, equals, value = field.partition(b"=")
        name, value = percent_decoded(name), percent_decoded(value)
        lines.append(value if not name else _member(name, value) if equals else name)
    return b"\n".join(lines)


def _member(name: bytes, value: bytes) -> bytes:
    if name in _PROSE or len(value) > _SHORT or b"\n" in value or b'"' in value:
        return value
    return b'%s = "%s"' % (name, value)


def full_text(content: bytes, content_type: bytes) -> bytes:
    """The text as its reader will see it.

    JSON strings come decoded, each on lines of its own, short members as ``name = "value"``.
    """
    if b"multipart/" in content_type:
        return full_text(parts_as_text(content), b"")
    wide = _from_wide(content)
    if wide:
        return full_text(wide, content_type) + b"\n" + _plain(content, content_type)
    if len(content) <= _LARGEST_TREE and content.lstrip()[:1] in (b"{", b"["):
        try:
            return json_as_text(content)
        except ValueError:
            pass  # Not (only) JSON, or nested beyond reason: read it as it stands.
    return _plain(content, content_type)


def _from_wide(content: bytes) -> bytes:
    """UTF-16 and UTF-32 text as UTF-8: common JSON readers take both unasked. Empty for anything else.

    It is read in addition: a first character that only looks wide must not hide what follows it.
    """
    encoding = json.detect_encoding(content)
    if encoding.startswith("utf-8"):
        return b""
    return content.decode(encoding, "replace").replace("\0", "").encode("utf-8", "replace")


def with_escapes_read(text: bytes) -> bytes:
    """``text`` with the characters that are still written as ``\\uXXXX`` or ``&#1072;`` read, linear."""
    if b"\\u" in text:
        # Pairs of surrogates are one character: UTF-16 puts them together.
        wide = (
            text.decode("utf-8", "replace").encode("ascii", "backslashreplace").decode("raw_unicode_escape", "replace")
        )
        text = wide.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode("utf-8", "replace")
    if b"&#" in text and _REFERENCE.search(text):
        # Dear in time and memory: piece by piece, and of a long text only the beginning (docs/policy.md).
        pieces = [text[at : at + _REFERENCES_AT_ONCE] for at in range(0, _LARGEST_TREE, _REFERENCES_AT_ONCE)]
        read = [html.unescape(piece.decode("utf-8", "replace")).encode("utf-8", "replace") for piece in pieces]
        text = b"".join(read) + text[_LARGEST_TREE:]
    return text


def _unescaped(text: bytes) -> bytes:
    if _ESCAPED.search(text):
        # Not exact for what is not JSON; good enough to be compared, and linear.
        text = text.decode("raw_unicode_escape", "replace").encode("utf-8", "replace")
    text = text.replace(b"\\n", b"\n").replace(b"\\r", b"\n").replace(b"\\t", b" ")
    return _BACKSLASH.sub(b"", text)
