"""Reads the first thing a TLS client says: the ClientHello, from bytes in any pieces.

Nothing is decrypted and nothing is changed; what was read is kept as it came, to be sent on. What an origin could read
in another way than we do is refused: an extension or a name that occurs twice, lengths that do not add up, a server
name that is not a plain host name, bytes beside the message. Sources: RFC 8446 sections 4.1.2 and 5.1, RFC 5246
sections 6.2.1 and 7.4.1.2, RFC 6066 section 3 (SNI), RFC 7301 section 3.1 (ALPN), RFC 9849 (Encrypted Client Hello).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, TypeAlias

from eve_proxy.model.authority import parse_host
from eve_proxy.model.errors import InvalidAuthority

# A hello with post-quantum key shares has about 1.8 KiB.
MOST_HANDSHAKE: Final = 64 * 1024
# RFC 8446 section 5.1; a plaintext record is never longer.
MOST_RECORD: Final = 16 * 1024
# A hello of the largest size in full records takes four. Cutting it finer serves only to hide it.
MOST_RECORDS: Final = 64
_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_RECORD_HEADER: Final = 5
_MESSAGE_HEADER: Final = 4

_SERVER_NAME: Final = 0
_ALPN: Final = 16
_SUPPORTED_VERSIONS: Final = 43
# Encrypted Client Hello, and the encrypted server name of its early drafts. GREASE (RFC 9849 section 6.2) looks the
# same on purpose: presence says only that a second name may be inside.
_ENCRYPTED: Final = frozenset((0xFE0D, 0xFFCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """What a client said in the clear.

    :ivar sni: the server name, lower case, or None when it named none.
    :ivar alpn: the protocols it offers, in its order; empty when it said nothing.
    :ivar ech: an encrypted hello, or GREASE that looks like one, came along.
    :ivar versions: the protocol versions it offers, as numbers of the wire (0x0304 is TLS 1.3), GREASE included.
    """

    sni: str | None
    alpn: tuple[bytes, ...]
    ech: bool
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTls:
    """The bytes do not begin with a ClientHello that everybody reads in the same way.

    :ivar reason: what is wrong with them, for a certificate; nothing of their content.
    """

    reason: str


Seen: TypeAlias = ClientHello | NotTls


class _Fault(Exception):
    """Not a ClientHello; the message becomes the reason. Never leaves this file."""


class ClientHelloReader:
    """One connection's first bytes.

    :ivar seen: the result, None until it is known; it never changes afterwards.
    """

    __slots__ = ("_left", "_message", "_pieces", "_records", "_rest", "seen")

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self._pieces: list[bytes] = []
        self._rest = b""
        self._left = 0
        self._records = 0
        self._message = bytearray()

    @property
    def held(self) -> bytes:
        """Every byte that was fed, in order."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def feed(self, data: bytes) -> Seen | None:
        """Take bytes in the order they came; never raises.

        :returns: the result, or None while more is needed to know. How the bytes are cut makes no difference.
        """
        self._pieces.append(data)
        if self.seen is None:
            try:
                self.seen = self._read(self._rest + data if self._rest else data)
            except _Fault as fault:
                self.seen = NotTls(reason=str(fault))
        return self.seen

    def _read(self, data: bytes) -> ClientHello | None:
        """Strip the record layer, in the order of the bytes: a fault is the same however they are cut."""
        position, end = 0, len(data)
        message = self._message
        while position < end:
            if not self._left:
                header = data[position : position + _RECORD_HEADER]
                self._left = self._record(header)
                if not self._left:
                    self._rest = header
                    return None
                position += _RECORD_HEADER
            taken = min(self._left, end - position)
            message += data[position : position + taken]
            position += taken
            self._left -= taken
            size = _message_size(message)
            if size is not None and len(message) >= size:
                # Whatever else stood in its record would be read by the origin, and by nobody here.
                if self._left or len(message) > size:
                    raise _Fault("bytes after the ClientHello in its record")
                self._rest = b""
                return _client_hello(memoryview(message)[_MESSAGE_HEADER:])
        self._rest = b""
        return None

    def _record(self, header: bytes) -> int:
        """The length of a record; 0 while its header is not complete."""
        if header and header[0] != _HANDSHAKE:
            raise _Fault(_kind(header[0]) if not self._records else "the ClientHello is broken off by another record")
        if len(header) > 1 and header[1] != 3:
            raise _Fault("a record of an unknown protocol version")
        if len(header) < _RECORD_HEADER:
            return 0
        self._records += 1
        length = header[3] << 8 | header[4]
        if not 0 < length <= MOST_RECORD:
            raise _Fault("a record that is empty or too long")
        if self._records > MOST_RECORDS:
            raise _Fault("the ClientHello is cut into too many records")
        return length


def protocol_name(data: bytes) -> str:
    """What bytes that are no ClientHello of one meaning look like: ``TLS``, ``SSH``, ``HTTP`` or ``unknown``."""
    if data.startswith(b"\x16\x03"):
        return "TLS"
    if data.startswith(b"SSH-"):
        return "SSH"
    line = data[:2048].partition(b"\r\n")[0]
    if b" HTTP/" in line or line.startswith(b"PRI * HTTP"):
        return "HTTP"
    return "unknown"


def _kind(first: int) -> str:
    if first in (20, 21, 23, 24):
        return "a TLS record other than a handshake"
    if first & 0x80:
        return "not TLS, or a hello of SSL 2"
    return "not TLS"


def _message_size(message: bytearray) -> int | None:
    """The length of the handshake message with its header, once that is known."""
    if message and message[0] != _CLIENT_HELLO:
        raise _Fault("a handshake that does not begin with a ClientHello")
    if len(message) < _MESSAGE_HEADER:
        return None
    size = _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER], "big")
    if size > MOST_HANDSHAKE:
        raise _Fault("the ClientHello is too long")
    return size


def _client_hello(body: memoryview) -> ClientHello:
    if len(body) < 35 or body[0] != 3:
        raise _Fault("the ClientHello is too short or of an unknown version")
    _, position = _vector(body, 34, 1, 0, 32)
    suites, position = _vector(body, position, 2, 2, 0xFFFE)
    compression, position = _vector(body, position, 1, 1, 0xFF)
    if len(suites) % 2:
        raise _Fault("half a cipher suite")
    if 0 not in compression:
        raise _Fault("the null compression method is not offered")
    extensions: dict[int, memoryview] = {}
    if position < len(body):
        block, position = _vector(body, position, 2, 0, 0xFFFF)
        extensions = _extensions(block)
    if position != len(body):
        raise _Fault("bytes after the extensions")
    name, protocols = extensions.get(_SERVER_NAME), extensions.get(_ALPN)
    versions = extensions.get(_SUPPORTED_VERSIONS)
    return ClientHello(
        sni=None if name is None else _server_name(name),
        alpn=() if protocols is None else _protocols(protocols),
        ech=not _ENCRYPTED.isdisjoint(extensions),
        versions=(body[0] << 8 | body[1],) if versions is None else _versions(versions),
    )


def _extensions(block: memoryview) -> dict[int, memoryview]:
    found: dict[int, memoryview] = {}
    position, end = 0, len(block)
    while position < end:
        if end - position < 4:
            raise _Fault("half an extension")
        kind, length = struct.unpack_from(">HH", block, position)
        position += 4
        if length > end - position:
            raise _Fault("an extension longer than its block")
        # RFC 8446 section 4.2: at most one of a type. Which of two counts is for nobody to choose.
        if kind in found:
            raise _Fault("an extension that occurs twice")
        found[kind] = block[position : position + length]
        position += length
    return found


def _server_name(data: memoryview) -> str:
    names, end = _vector(data, 0, 2, 1, 0xFFFF)
    if end != len(data):
        raise _Fault("bytes after the list of server names")
    if names[0] != 0:
        raise _Fault("a server name of an unknown type")
    name, end = _vector(names, 1, 2, 1, 0xFFFF)
    if end != len(names):
        raise _Fault("more than one server name")
    return _host(bytes(name))


def _host(raw: bytes) -> str:
    """RFC 6066 section 3: a host name in ASCII, no address, no trailing dot."""
    try:
        text = raw.decode("ascii").lower()
        host, address = parse_host(text)
    except (UnicodeDecodeError, InvalidAuthority):
        raise _Fault("a server name that is not a host name") from None
    if address is not None:
        raise _Fault("a server name that is an address")
    # No origin undoes percent-coding or a trailing dot in the way we do.
    if host != text:
        raise _Fault("a server name that is not in its one spelling")
    return host


def _protocols(data: memoryview) -> tuple[bytes, ...]:
    names, end = _vector(data, 0, 2, 2, 0xFFFF)
    if end != len(data):
        raise _Fault("bytes after the list of application protocols")
    found = []
    position = 0
    while position < len(names):
        name, position = _vector(names, position, 1, 1, 0xFF)
        found.append(bytes(name))
    return tuple(found)


def _versions(data: memoryview) -> tuple[int, ...]:
    numbers, end = _vector(data, 0, 1, 2, 0xFE)
    if end != len(data) or len(numbers) % 2:
        raise _Fault("a list of versions that does not add up")
    return struct.unpack(f">{len(numbers) // 2}H", numbers)


def _vector(data: memoryview, position: int, prefix: int, low: int, high: int) -> tuple[memoryview, int]:
    """A vector with a length in ``prefix`` bytes (RFC 8446 section 3.4), and where it ends."""
    start = position + prefix
    length = int.from_bytes(data[position:start], "big")
    if start > len(data) or not low <= length <= min(high, len(data) - start):
        raise _Fault("a length in the ClientHello that does not add up")
    return data[start : start + length], start + length
