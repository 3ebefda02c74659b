"""Which changes a governor may ask for (governance-api.md, ``MODIFIED``). All of them, or the answer is a block.

A governor edits what the application says, never where it goes or how it is framed: routing, hop-by-hop and our own
fields stay ours.
"""

from __future__ import annotations

from typing import Any, Final

from eve_proxy.governance.schema import text
from eve_proxy.model.verdict import Modification

MOST: Final = 8
_LONGEST_VALUE: Final = 8192
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
# RFC 9110 section 7.6.1 and what frames, routes or negotiates a message.
_OURS: Final = frozenset(
    (
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
        "host", "content-length", "content-encoding", "expect", "http2-settings", "max-forwards", "via",
    )
)  # fmt: skip
_OUR_PREFIXES: Final = ("proxy-", "x-eve-", "sec-websocket-")


def obligations(modifications: list[dict[str, Any]]) -> tuple[Modification, ...]:
    """What to change before sending; empty when any of it is not ours to do, or there is none.

    Header names come out in lower case. The certificate records their digests (governance-api.md).

    :raises NotTheContract: a member is not text.
    """
    wanted: dict[str, Modification] = {}
    for modification in modifications:
        field, value = text(modification, "field"), text(modification, "modified_value")
        text(modification, "reason")
        # ASCII before lower(): the Kelvin sign's lower case is a "k".
        if field is None or value is None or not field.isascii():
            return ()
        if field.startswith("headers."):
            field = field.lower()
            if not _possible_header(field.removeprefix("headers."), value):
                return ()
        elif field != "body" or not _encodes(value, "utf-8"):
            return ()
        wanted[field] = Modification(field=field, value=value)
    # The same field twice would leave the choice to us.
    if not len(wanted) == len(modifications) <= MOST:
        return ()
    return tuple(wanted.values())


def _encodes(value: str, charset: str) -> bool:
    try:
        value.encode(charset)
    except UnicodeEncodeError:  # JSON can spell half a surrogate pair, and a field value is one byte a character
        return False
    return True


def _possible_header(name: str, value: str) -> bool:
    return (
        name != ""
        and _TOKEN.issuperset(name)
        and name not in _OURS
        and not name.startswith(_OUR_PREFIXES)
        and len(value) <= _LONGEST_VALUE
        and _encodes(value, "latin-1")
        and not any(character < " " or character == "\x7f" for character in value.replace("\t", ""))
    )
