"""The ClientHello reader: no input makes it raise, cutting changes nothing, and OpenSSL reads no other name.

A hello is cut twice: into segments, as TCP may, and into records, as TLS may (RFC 8446 section 5.1).
"""

from __future__ import annotations

import hashlib
import ssl
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from eve_proxy.model.authority import parse_host
from eve_proxy.wire.client_hello import MOST_RECORDS, ClientHello, ClientHelloReader, NotTls, Seen
from fuzz.choices import Choices
from fuzz.corpora import files
from tests.fakes.client_hello import client_hello, message, records, server_name, vector

LONGEST: Final = 2048
DICTIONARY: Final = (
    *(b"\x16\x03\x01", b"\x16\x03\x03\x00", b"\x01\x00\x00", b"\x03\x03"),
    *(b"\x00\x00\x00\x0e\x00\x0c\x00\x00\x09localhost", b"\x00\x10\x00\x05\x00\x03\x02h2"),
    *(b"\x00\x2b\x00\x03\x02\x03\x04", b"\xfe\x0d\x00\x00", b"\x0a\x0a\x00\x00", b"\x01\x00"),
)

_FRAGMENTS: Final = 24


def seeds() -> Iterator[bytes]:
    """The hellos of real clients, and small ones with what chance rarely makes: faults inside of three lengths."""
    yield from files("hellos/*.bin")
    name = server_name(b"api.example.com")
    yield client_hello()
    yield client_hello(None)
    yield client_hello(ech=True)
    yield client_hello(extensions=server_name(b"api.example.com", b"other.example"))
    yield client_hello(extensions=server_name(b"api.example.com", kind=1))
    yield client_hello(extensions=name + name)
    yield client_hello(extensions=name[:2] + vector(2, name[4:] + b"\0"))
    yield client_hello(extensions=name, after=b"\0")
    for host in (b"API.example.com", b"api.example.com.", b"127.0.0.1", b"api\0.example.com", b"\xe4.example", b""):
        yield client_hello(extensions=server_name(host))
    yield records(message(), 7)


def examine(data: bytes) -> None:
    """Read ``data`` whole, in two pieces and byte by byte; if it is a hello, over other records too."""
    whole = _read(data)
    assert whole is None or isinstance(whole, ClientHello | NotTls)
    cut = int.from_bytes(data[:2], "big") % (len(data) + 1)
    assert _read(data[:cut], data[cut:]) == whole, "two segments make a difference"
    if len(data) < 1024:
        assert _read(*[data[place : place + 1] for place in range(len(data))]) == whole, "segments make a difference"
    assert whole is None or _read(data, b"more") == whole, "what follows makes a difference"
    _compare_with_openssl(data, whole)
    if isinstance(whole, ClientHello):
        if whole.sni is not None:
            # What was accepted is canonical: it can be compared with a judged authority as it stands.
            assert parse_host(whole.sni) == (whole.sni, None)
        message = _message(data)
        _read_by_hand(message, whole)
        for records in _in_other_records(message, data[1:3]):
            assert _read(records) == whole, "records make a difference"
            _compare_with_openssl(records, whole)


def _read(*pieces: bytes) -> Seen | None:
    """What a reader makes of the pieces; all of them are held."""
    reader = ClientHelloReader()
    for piece in pieces:
        reader.feed(piece)
    assert reader.held == b"".join(pieces)
    return reader.seen


def _message(data: bytes) -> bytes:
    """The handshake message in the records of ``data``, which hold a whole one."""
    message = b""
    at = 0
    while at < len(data) and not (len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big")):
        end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
        message += data[at + 5 : end]
        at = end
    return message


def _read_by_hand(message: bytes, ours: ClientHello) -> None:
    """The extensions once more, by the lengths alone (RFC 8446 section 4.1.2)."""
    at = 4 + 2 + 32
    for prefix in (1, 2, 1):
        at += prefix + int.from_bytes(message[at : at + prefix], "big")
    assert at == len(message) or at + 2 + int.from_bytes(message[at : at + 2], "big") == len(message)
    at += 2
    found: list[tuple[int, bytes]] = []
    while at < len(message):
        end = at + 4 + int.from_bytes(message[at + 2 : at + 4], "big")
        found.append((int.from_bytes(message[at : at + 2], "big"), message[at + 4 : end]))
        at = end
    assert at <= len(message) + 2
    assert len(dict(found)) == len(found), "an extension that occurs twice is accepted"
    named = dict(found).get(0)
    # The list's length, the type of the one name, its length.
    assert ours.sni == (None if named is None else named[5:].decode("ascii").lower())
    assert named is None or named[:5] == bytes(
        (*(len(named) - 2).to_bytes(2, "big"), 0, *(len(named) - 5).to_bytes(2, "big"))
    ), "more than one server name is accepted"


def _in_other_records(message: bytes, version: bytes) -> Iterator[bytes]:
    """The same handshake message, as one record for each byte of its beginning, and cut at will."""
    choices = Choices(hashlib.sha256(message).digest())
    places = sorted({0, len(message), *(choices.below(len(message)) for _ in range(_FRAGMENTS // 2))})
    fine = [*range(_FRAGMENTS), len(message)]
    for cuts in (places, fine):
        pieces = [message[start:end] for start, end in pairwise(cuts)]
        assert len(pieces) <= MOST_RECORDS
        yield b"".join(b"\x16" + version + len(piece).to_bytes(2, "big") + piece for piece in pieces)


class _OpenSsl:
    """A server that only listens for the name."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.sni_callback = self._heard

    def _heard(self, _socket: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int:
        self.names.append(name)
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    def read(self, data: bytes) -> list[str | None]:
        """The name in the hello that OpenSSL reads in ``data``, None for one without; nothing if it refuses them."""
        self.names = []
        said, sys.unraisablehook = sys.unraisablehook, self._not_ascii
        incoming = ssl.MemoryBIO()
        incoming.write(data)
        try:
            self._context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
        except ssl.SSLError:
            pass
        finally:
            sys.unraisablehook = said
        return self.names

    def _not_ascii(self, _error: object) -> None:
        """Python cannot show ``_heard`` a name that is not ASCII, but OpenSSL has read it."""
        self.names.append("(not ASCII)")


_OPENSSL: Final = _OpenSsl()


def _compare_with_openssl(data: bytes, ours: Seen | None) -> None:
    names = _OPENSSL.read(data)
    if not names or isinstance(ours, NotTls):
        return  # one of us refuses: nothing is sent to a name that was not judged
    assert ours is not None, "OpenSSL has read a name where we wait for more"
    (theirs,) = names
    assert ours.sni == (None if theirs is None else theirs.lower()), "OpenSSL reads another name"
