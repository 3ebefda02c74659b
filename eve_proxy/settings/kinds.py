"""What a variable may hold. A kind reads one text into one value, or says in a ValueError what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from eve_proxy.model.text import clean
from eve_proxy.settings.secret import Secret
from eve_proxy.signing.secret import is_key_document, secret_bytes

_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?\Z")
_WHOLE: Final = re.compile(r"[0-9]{1,15}\Z")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How one text is read.

    :ivar label: what to write, for the table: ``seconds``, ``0 or 1``.
    :ivar read: text to value; raises ValueError whose message completes "NAME=value: ".
    :ivar quiet: a fault does not repeat the text: a URL may hold a password.
    """

    label: str
    read: Callable[[str], object]
    quiet: bool = False


def seconds(low: float, high: float) -> Kind:
    """A duration as a plain decimal number; the value is a float."""

    def read(text: str) -> float:
        if not _DECIMAL.match(text) or not low <= float(text) <= high:
            raise ValueError(f"write seconds from {low:g} to {high:g}, such as 2 or 0.5")
        return float(text)

    return Kind(label="seconds", read=read)


def whole(label: str, low: int, high: int) -> Kind:
    """A whole number within bounds, both included; the value is an int."""

    def read(text: str) -> int:
        if not _WHOLE.match(text) or not low <= int(text) <= high:
            raise ValueError(f"write a whole number from {low} to {high}")
        return int(text)

    return Kind(label=label, read=read)


def octets(low: int, high: int, *, or_off: bool = False) -> Kind:
    """A size in bytes, without a unit; the value is an int.

    :param or_off: 0 is a value, too.
    """

    def read(text: str) -> int:
        if or_off and text == "0":
            return 0
        if not _WHOLE.match(text) or not low <= int(text) <= high:
            off = ", or 0" if or_off else ""
            raise ValueError(f"write bytes from {low} to {high} without a unit, such as 10485760 for 10 MiB{off}")
        return int(text)

    return Kind(label="bytes", read=read)


def choice(*words: str) -> Kind:
    """One of a few words, exactly."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"write one of: {', '.join(words)}")
        return text

    return Kind(label=" / ".join(words), read=read)


def text(most: int) -> Kind:
    """Printable text in NFC, at most ``most`` characters, not empty: it is stamped into certificates as it stands."""

    def read(value: str) -> str:
        if not value.strip() or clean(value, most) != value:
            raise ValueError(f"write 1 to {most} printable characters")
        return value

    return Kind(label="text", read=read)


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("write 1 for on or 0 for off")
    return text == "1"


def _port(text: str) -> int:
    if not _WHOLE.match(text) or int(text) > 65535:
        raise ValueError("write a port from 1 to 65535, or 0 to let the kernel choose")
    return int(text)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("write an IP address without brackets, such as 127.0.0.1, 0.0.0.0 or ::") from None


def _optional_address(text: str) -> str | None:
    return _address(text) if text else None


def _hmac_secret(text: str) -> Secret | None:
    secret = _secret(text)
    # A public key taken for a shared secret would let everyone sign (evidence.md, "Keys").
    if secret is not None and is_key_document(secret.reveal()):
        raise ValueError("this is a PEM or JWKS key, not a shared secret; write random text: openssl rand -hex 32")
    return secret


def _token(text: str) -> Secret | None:
    if text and not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("it cannot stand in a header; write visible ASCII characters only")
    return _secret(text)


def _secret(text: str) -> Secret | None:
    return Secret(secret_bytes(text)) if text else None


def _path(text: str) -> Path | None:
    if "\0" in text:
        raise ValueError("write a path without NUL")
    return Path(text) if text else None


def split_names(text: str) -> tuple[str, ...]:
    """The members of a comma-separated list, without surrounding whitespace; blank ones are dropped."""
    return tuple(member for member in map(str.strip, text.split(",")) if member)


def _header_names(text: str) -> frozenset[str]:
    names = split_names(text)
    for name in names:
        if not _TOKEN.match(name):
            raise ValueError(f"{clean(name, 40)!r} is not a header name; write names separated by commas")
    return frozenset(name.lower() for name in names)


def _query_names(text: str) -> frozenset[str]:
    names = split_names(text)
    for name in names:
        if not name.isprintable() or any(mark in name for mark in "&=#?"):
            raise ValueError(f"{clean(name, 40)!r} is not a parameter name; write names separated by commas")
    return frozenset(name.lower() for name in names)


FLAG: Final = Kind(label="0 or 1", read=_flag)
PORT: Final = Kind(label="port", read=_port)
ADDRESS: Final = Kind(label="IP address", read=_address)
OPTIONAL_ADDRESS: Final = Kind(label="IP address", read=_optional_address)
HMAC_SECRET: Final = Kind(label="secret", read=_hmac_secret)
TOKEN: Final = Kind(label="secret", read=_token)
# A path that is written to, and one that must be readable at start.
FILE: Final = Kind(label="file", read=_path)
PATH: Final = Kind(label="path", read=_path)
HEADER_NAMES: Final = Kind(label="header names", read=_header_names)
QUERY_NAMES: Final = Kind(label="parameter names", read=_query_names)
# Whether each is found exactly once is for discover.py to say.
PLUGIN_NAMES: Final = Kind(label="names", read=split_names)
