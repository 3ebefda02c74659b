"""The lines of a head: our own strictness on the raw bytes, then llhttp takes the fields apart (security.md)."""

from __future__ import annotations

from typing import Final, TypeAlias

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from eve_proxy.model.errors import Malformed
from eve_proxy.model.headers import Field
from eve_proxy.wire.framing import declared_framing
from eve_proxy.wire.grammar import CRLF, OWS, TEXT, is_token
from eve_proxy.wire.hop_by_hop import Fates

FIELD_LIMIT: Final = 128

# llhttp refuses methods it does not know and targets outside ASCII, which are ours to judge. So it gets a first line
# of our own, for requests and responses alike: the grammar of fields is the same.
_FIRST_LINE: Final = b"GET / HTTP/1.1\r\n"

# The rows that travel on, in the order received; then the values of the other fields, and of those that are of interest
# here although they travel, by lower-case name and in the order received.
Fields: TypeAlias = tuple[list[Field], dict[bytes, list[bytes]]]


class _Collector:
    """llhttp's callbacks.

    :ivar rows: as in ``Fields``, and so are ``values``.
    :ivar stay: how many fields do not travel on.
    """

    __slots__ = ("_fates", "rows", "stay", "values")

    def __init__(self, fates: Fates) -> None:
        self._fates = fates
        self.rows: list[Field] = []
        self.values: dict[bytes, list[bytes]] = {}
        self.stay = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        lower, travels, read = self._fates[name]
        # Where there are no control characters, the only whitespace is blanks and tabs.
        value = value.rstrip()
        if travels:
            self.rows.append((lower, name, value))
            if not read:
                return
        else:
            self.stay += 1
        self.values.setdefault(lower, []).append(value)


def split_head(head: bytes, fates: Fates) -> tuple[bytes, list[Field], dict[bytes, list[bytes]]]:
    """Take a head apart.

    :param head: lines that end with CRLF, without the blank line.
    :returns: the first line without CRLF, and the parts of ``Fields``.
    :raises Malformed: as ``read_fields``.
    """
    cut = head.find(CRLF)
    rows, values = read_fields(head, fates, cut + 2)
    return head[:cut], rows, values


def read_fields(block: bytes, fates: Fates, start: int = 0) -> Fields:
    """The fields of ``block[start:]``; what stands before is checked for the same bytes.

    :param block: lines that end with CRLF (RFC 9112 section 5).
    :param fates: ``hop_by_hop.REQUEST``, ``RESPONSE`` or ``TRAILERS``.
    :raises Malformed: a bare CR or LF, NUL or another control character, folding, a name that is not a token or is
        followed by whitespace, a line without a colon, more than 128 fields.
    """
    lines = block.count(CRLF)
    # Once everything that may stand on a line is deleted, exactly the line ends are left.
    if len(block.translate(None, TEXT)) != 2 * lines:
        raise _control_character(block)
    if start:
        lines -= 1
    if lines > FIELD_LIMIT:
        raise Malformed("too-many-fields", f"there are more than {FIELD_LIMIT} fields", status=431)
    if not lines:
        return [], {}
    collector = _Collector(fates)
    try:
        HttpRequestParser(collector).feed_data(_FIRST_LINE + block[start:] + CRLF)
    except HttpParserUpgrade:
        # Raised after the last field; whether anything is upgraded is not llhttp's to say.
        pass
    except HttpParserError as error:
        raise _diagnose(block[start:]) from error
    rows, values = collector.rows, collector.values
    # Two readings that differ are a smuggler's opening. So there must be as many fields as lines (none was folded, or
    # taken for the end), and every name must be a token to us as well.
    if len(rows) + collector.stay != lines or b"" in values:
        raise _diagnose(block[start:])
    return rows, values


def _control_character(block: bytes) -> Malformed:
    if block.count(b"\n") != block.count(CRLF):
        return Malformed("bare-lf", "a line ends with LF alone")
    if block.count(b"\r") != block.count(CRLF):
        return Malformed("bare-cr", "a CR stands without LF")
    if b"\0" in block:
        return Malformed("nul", "NUL in the head")
    return Malformed("control-character", "a control character in the head")


def _diagnose(block: bytes) -> Malformed:
    """Name what llhttp refused, for counters and for the person who reads the answer."""
    values: dict[bytes, list[bytes]] = {}
    for line in block[:-2].split(CRLF):
        if line[:1] in (b" ", b"\t"):
            return Malformed("obs-fold", "a field is folded over several lines")
        name, colon, value = line.partition(b":")
        if not colon:
            return Malformed("missing-colon", "a field line has no colon")
        if name.rstrip(OWS) != name:
            return Malformed("space-before-colon", "whitespace between a field name and its colon")
        if not is_token(name):
            return Malformed("field-name", "a field name is empty or not a token")
        values.setdefault(name.lower(), []).append(value.strip(OWS))
    try:
        declared_framing("1.1", values.get(b"content-length", ()), values.get(b"transfer-encoding", ()))
    except Malformed as fault:
        return fault
    return Malformed("field-line", "a field line is not acceptable")
