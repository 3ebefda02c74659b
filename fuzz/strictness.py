"""What we refuse although h11 accepts it: every class by name, with what must be true of the bytes then.

The names are those of ``Malformed.fault``; the rules are security.md's ("HTTP/1.1, strict"). A fault that is not
listed is one that h11 refuses as well, so that h11 accepting it means that one of the two misreads. A listed fault
whose condition does not hold refuses a message for nothing. Both are findings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

# A host that nobody can misread; everything else is a question of taste, and ours may be stricter than h11's.
_PLAIN_LABEL: Final = rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# "ends in a number": those are addresses, and may be impossible ones.
PLAIN_HOST: Final = re.compile(
    rb"(?:%b\.){0,3}(?![0-9])%b\.?(?::0{0,2}[1-9][0-9]{0,3})?" % (_PLAIN_LABEL, _PLAIN_LABEL)
)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_OUR_LENGTH: Final = re.compile(rb"[0-9]{1,19}")
_TOKEN_LIST: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9a-z, \t]*")
_LINE: Final = re.compile(rb"(?m)^([^\r\n:]*):[ \t]*([^\r\n]*?)[ \t]*\r?\n")


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message that h11 accepts, so far at least.

    :ivar heads: the bytes of its head; of a response, of the 1xx heads before it too.
    :ivar body: the bytes after them, as far as h11 read.
    :ivar complete: h11 found its end.
    :ivar head: h11's event.
    :ivar informational: h11's 1xx events.
    :ivar trailers: h11's.
    """

    heads: bytes
    body: bytes
    complete: bool
    head: Any
    informational: list[Any]
    trailers: list[tuple[bytes, bytes]]

    @cached_property
    def first_line(self) -> bytes:
        """Without its end."""
        return self.heads.partition(b"\n")[0].removesuffix(b"\r")

    @cached_property
    def target(self) -> bytes:
        """As it came, not ASCII perhaps."""
        return self.first_line.split(b" ")[1]

    @cached_property
    def authority(self) -> bytes:
        """Of the target, userinfo included; empty for the forms that have none."""
        if self.head.method == b"CONNECT":
            return self.target
        after = self.target.partition(b"://")[2]
        return re.split(rb"[/?#]", after, maxsplit=1)[0]

    def raw(self, name: bytes) -> list[bytes]:
        """The values of the lines called ``name`` in the heads, not merged or normalised."""
        return [value for found, value in _LINE.findall(self.heads) if found.lower() == name]

    def values(self, name: bytes) -> list[bytes]:
        """What h11 says."""
        return [value for found, value in self.head.headers if found == name]

    def options(self) -> set[bytes]:
        """What ``Connection`` names, in any of the heads."""
        said = (member for value in self.raw(b"connection") for member in value.lower().split(b","))
        return {member.strip(b" \t") for member in said}

    def declares_body(self) -> bool:
        """By a Content-Length other than 0 or by the chunked coding."""
        lengths = self.values(b"content-length")
        return bool(self.values(b"transfer-encoding")) or any(int(length) for length in lengths)


Condition: TypeAlias = Callable[[Message], bool]


def _line_longer_than(bound: int) -> Condition:
    return lambda message: any(len(line) > bound for line in message.body.split(b"\r\n"))


# Either kind of message.
HEADS: Final[dict[str, Condition]] = {
    "bare-lf": lambda message: re.search(rb"(?<!\r)\n", message.heads) is not None,
    "bare-cr": lambda message: re.search(rb"\r(?!\n)", message.heads) is not None,
    "control-character": lambda message: _CONTROL.search(message.heads) is not None,
    "obs-fold": lambda message: re.search(rb"\n[ \t]", message.heads) is not None,
    "too-many-fields": lambda message: message.heads.count(b"\n") > 130,
    "line-too-long": lambda message: len(message.first_line) > 16 * 1024,
    "head-too-large": lambda message: len(message.heads) > 64 * 1024,
    "two-content-lengths": lambda message: len(message.raw(b"content-length")) > 1,
    "content-length": lambda message: any(not _OUR_LENGTH.fullmatch(value) for value in message.raw(b"content-length")),
    "length-and-encoding": lambda message: bool(message.raw(b"content-length") and message.raw(b"transfer-encoding")),
    "encoding-on-http10": lambda message: any(
        head.http_version == b"1.0" and name == b"transfer-encoding"
        for head in (message.head, *message.informational)
        for name, _ in head.headers
    ),
    # llhttp's own: a tab after the value of a field that it looks into.
    "field-line": lambda message: re.search(rb"(?i)\ntransfer-encoding:[^\r]*\t[ \t]*\r\n", message.heads) is not None,
    "connection-names-essential": lambda message: (
        not message.options().isdisjoint((b"content-length", b"host", b"max-forwards", b"transfer-encoding", b"via"))
    ),
}
# Of a chunked body: 16 digits, 1 KiB a line, 16 KiB of extensions a message; no blanks before the line's end.
CHUNKS: Final[dict[str, Condition]] = {
    "chunk-size": lambda message: re.search(rb"(?:[0-9A-Fa-f]{17}|[0-9A-Fa-f][ \t]+[;\r])", message.body) is not None,
    "chunk-line-too-long": _line_longer_than(1024),
    "chunk-extensions": lambda message: message.body.count(b";") > 15,
    # h11 goes on waiting for the CRLF, and then refuses the line too.
    "chunk-bare-lf": lambda message: not message.complete and b"\n" in message.body,
    "chunk-extension": lambda message: re.search(rb";[^\n]*[\x00-\x08\x0b-\x1f\x7f]", message.body) is not None,
}

REQUESTS: Final[dict[str, Condition]] = {
    **HEADS,
    **CHUNKS,
    "version": lambda message: message.head.http_version not in (b"1.0", b"1.1"),
    "method-too-long": lambda message: len(message.head.method) > 32,
    "fragment": lambda message: b"#" in message.target,
    "asterisk": lambda message: message.target == b"*" and message.head.method != b"OPTIONS",
    "target": lambda message: message.head.method != b"CONNECT" and not re.match(rb"/|\*\Z|.*://", message.target),
    "absolute-https": lambda message: message.target.lower().startswith(b"https://"),
    "absolute-scheme": lambda message: re.match(rb"(?i)(?!/|https?://).*://", message.target) is not None,
    "target-bytes": lambda message: not message.target.isascii(),
    "userinfo": lambda message: b"@" in message.authority,
    "authority": lambda message: not PLAIN_HOST.fullmatch(message.authority) or (
        message.head.method == b"CONNECT" and b":" not in message.authority
    ),
    "host-invalid": lambda message: not PLAIN_HOST.fullmatch(message.values(b"host")[0]),
    "connect-with-body": lambda message: message.head.method == b"CONNECT" and message.declares_body(),
    "trace-with-body": lambda message: message.head.method == b"TRACE" and message.declares_body(),
    "max-forwards": lambda message: not re.fullmatch(rb"[0-9]{1,10}", b",".join(message.values(b"max-forwards"))),
    "expectation": lambda message: any(
        member.strip(b" \t").lower() not in (b"", b"100-continue")
        for value in message.values(b"expect")
        for member in value.split(b",")
    ),
    "trailers": lambda message: bool(
        message.trailers or not message.complete or not message.body.endswith(b"\r\n\r\n")
    ),
}  # fmt: skip

RESPONSES: Final[dict[str, Condition]] = {
    **HEADS,
    **CHUNKS,
    "status-version": lambda message: any(
        head.http_version not in (b"1.0", b"1.1") for head in (message.head, *message.informational)
    ),
    "status-code": lambda message: message.head.status_code >= 600,
    "informational-with-body": lambda message: any(
        name == b"transfer-encoding" or (name == b"content-length" and int(value))
        for head in (message.head, *message.informational)
        if head.status_code < 200
        for name, value in head.headers
    ),
    "too-many-informational": lambda message: len(message.informational) > 16,
    "mismatched-101": lambda message: message.head.status_code == 101 and (
        message.head.http_version != b"1.1"
        or b"upgrade" not in message.options()
        or [value.lower() for value in message.values(b"upgrade")] != [b"websocket"]
    ),
    # RFC 9110 section 6.5.1: not where it could be taken for what it is not. h11 reads it like a header.
    "trailer-framing": lambda message: any(
        name in (b"content-length", b"transfer-encoding") for name, _ in message.trailers
    ),
    "trailers-too-large": lambda message: len(message.body) > 16 * 1024,
    "too-many-fields": lambda message: (message.heads + message.body).count(b"\n") > 130,
}  # fmt: skip
# Classes whose condition is exact: it never holds for what we accept. (That of the others is only necessary.)
NEVER_IN_HEADS: Final = (
    *("bare-lf", "bare-cr", "control-character", "obs-fold", "two-content-lengths", "content-length"),
    *("length-and-encoding", "encoding-on-http10", "connection-names-essential"),
)
NEVER_IN_REQUESTS: Final = (
    *NEVER_IN_HEADS,
    *("too-many-fields", "line-too-long", "head-too-large", "version", "method-too-long", "fragment", "asterisk"),
    *("target", "absolute-https", "absolute-scheme", "userinfo", "connect-with-body", "trace-with-body", "expectation"),
)
NEVER_IN_RESPONSES: Final = (
    *("status-version", "status-code", "informational-with-body", "too-many-informational", "mismatched-101"),
    "trailer-framing",
)
# A trailer section is made of field lines, and these are refused there as well.
IN_TRAILERS: Final = ("bare-lf", "bare-cr", "control-character", "obs-fold")
# So are framing fields, by the name of what is wrong with them if llhttp sees it first.
OF_TRAILER_FRAMING: Final = ("content-length", "two-content-lengths", "length-and-encoding")


def unfounded(fault: str, classes: dict[str, Condition], message: Message) -> str | None:
    """What is wrong with refusing ``message`` for ``fault``; None when it is strictness that we mean."""
    condition = classes.get(fault)
    if condition is None:
        return f"refused for {fault!r}, which h11 would refuse too, but h11 accepts"
    if not message.complete and fault in CHUNKS:
        return None  # h11 has not read the line that is refused yet
    if not condition(message):
        return f"refused for {fault!r}, but nothing in the message is"
    return None


def accepted_although(names: tuple[str, ...], classes: dict[str, Condition], message: Message) -> str | None:
    """The first of ``names`` for which ``message`` ought to have been refused."""
    return next((name for name in names if classes[name](message)), None)
