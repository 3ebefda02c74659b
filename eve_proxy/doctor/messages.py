"""Everything that the doctor sends, byte for byte. Nothing secret, nothing that changes anything.

Each probe carries a random token, so that the certificate which the proxy made for it can be told from all others: in
``X-Request-Id``, or, where TLS hides that, in a server name under ``.invalid`` (RFC 6761: it never resolves).
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from eve_proxy import __version__
from eve_proxy.model.authority import Authority

AGENT: Final = f"eve-proxy-doctor/{__version__}"
# A version that no server speaks: each answers with those that it does (RFC 9000 section 6.1, RFC 9369 section 7).
_GREASE_VERSION: Final = b"\x1a\x2a\x3a\x4a"
# RFC 9000 section 14.1: a server does not look at a smaller first datagram.
_FIRST_DATAGRAM: Final = 1200
# The name servers of the root (RFC 1035 section 4): tells nobody anything.
DNS_QUERY: Final = b"\x13\x37\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + b"\x00\x00\x02\x00\x01"


def request_id(token: str) -> str:
    """The ``X-Request-Id`` of a probe."""
    return f"eve-doctor-{token}"


def server_name(token: str) -> str:
    """The server name of a probe by TLS."""
    return f"eve-doctor-{token}.invalid"


def get(target: str, host: str, token: str) -> bytes:
    """A GET that ends its connection.

    :param target: a path, or the absolute URL for a proxy.
    """
    return _request(f"GET {target}", host, token, "Accept: */*")


def open_tunnel(authority: Authority, token: str) -> bytes:
    """A CONNECT; nothing is sent through the tunnel."""
    return _request(f"CONNECT {authority}", str(authority), token)


def post_json(path: str, host: str, token: str, body: bytes) -> bytes:
    """A report to the proxy itself."""
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return _request(f"POST {path}", host, token, *fields) + body


def client_hello(name: str | None) -> bytes:
    """The first flight of TLS, as Python's ssl makes it.

    :param name: the server name; None sends none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the handshake ends here: there is nobody to verify
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def quic_greeting(token: str) -> bytes:
    """A QUIC long header of a version that nobody speaks, padded as a first datagram is (RFC 9000 section 17.2)."""
    connection = token.encode("ascii")[:8].ljust(8, b"0")
    header = b"\xc0" + _GREASE_VERSION + bytes([8]) + connection + bytes([8]) + connection
    return header.ljust(_FIRST_DATAGRAM, b"\x00")


def _request(line: str, host: str, token: str, *fields: str) -> bytes:
    head: list[Any] = [
        f"{line} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: {AGENT}",
        f"X-Request-Id: {request_id(token)}",
        *fields,
        "Connection: close",
    ]
    return "\r\n".join([*head, "", ""]).encode("ascii")
