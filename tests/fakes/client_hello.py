"""ClientHellos by hand, sound or not. Standard library only; knows nothing of the proxy."""

from __future__ import annotations

from collections.abc import Sequence

SERVER_NAME, ALPN, VERSIONS, KEY_SHARE, ECH = 0, 16, 43, 51, 0xFE0D


def vector(prefix: int, data: bytes) -> bytes:
    """``data`` after its length in ``prefix`` bytes."""
    return len(data).to_bytes(prefix, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    """One extension."""
    return kind.to_bytes(2, "big") + vector(2, data)


def server_name(*names: bytes, kind: int = 0) -> bytes:
    """The SNI extension with these names."""
    return extension(SERVER_NAME, vector(2, b"".join([bytes((kind,)) + vector(2, name) for name in names])))


def message(
    sni: str | None = "api.example.com",
    *,
    alpn: Sequence[bytes] = (b"h2", b"http/1.1"),
    ech: bool = False,
    key_share: int = 32,
    extensions: bytes | None = None,
    more: bytes = b"",
    version: bytes = b"\x03\x03",
    session: bytes = b"\x07" * 32,
    suites: bytes = b"\x13\x01\x13\x02",
    compression: bytes = b"\0",
    after: bytes = b"",
) -> bytes:
    """The handshake message.

    :param extensions: instead of the usual ones; ``b""`` leaves even the length of the block away.
    :param more: further extensions.
    :param after: what follows the extensions.
    """
    if extensions is None:
        extensions = b"" if sni is None else server_name(sni.encode())
        extensions += extension(ALPN, vector(2, b"".join([vector(1, name) for name in alpn]))) if alpn else b""
        extensions += extension(VERSIONS, vector(1, b"\x03\x04\x03\x03"))
        extensions += extension(KEY_SHARE, vector(2, b"\x11\xec" + vector(2, b"k" * key_share)))
        extensions += (
            extension(ECH, b"\0\0\x01\0\x01\x2a" + vector(2, b"e" * 32) + vector(2, b"p" * 144)) if ech else b""
        )
    extensions += more
    body = version + b"r" * 32 + vector(1, session) + vector(2, suites) + vector(1, compression)
    body += (vector(2, extensions) if extensions else b"") + after
    return b"\x01" + vector(3, body)


def record(data: bytes, *, kind: int = 22, version: bytes = b"\x03\x01") -> bytes:
    """One record."""
    return bytes((kind,)) + version + vector(2, data)


def records(data: bytes, size: int) -> bytes:
    """``data`` in records of at most ``size`` bytes."""
    return b"".join([record(data[start : start + size]) for start in range(0, len(data), size)])


def client_hello(sni: str | None = "api.example.com", **changes: object) -> bytes:
    """The usual case: one message in one record."""
    return record(message(sni, **changes))  # type: ignore[arg-type]
