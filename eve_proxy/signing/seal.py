"""From draft to certificate: hash, sign, and spell the line. On the request path: measured in microseconds."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from eve_proxy.model.certificate import DecisionCertificate, Draft, LogLink, unsigned_fields
from eve_proxy.model.errors import SigningFailed
from eve_proxy.model.text import escaped_size
from eve_proxy.signing.canonical import NotCanonical, canonical_number, content_hash, plain

if TYPE_CHECKING:
    from eve_proxy.interfaces import ISigner

# Latencies below this (milliseconds) need no closer look at their range.
_PLAIN: Final = 1e9

# Clients, nginx and Node accept a header field of this size; a certificate must always travel in one.
LARGEST: Final = 4096


def seal(draft: Draft, link: LogLink | None, signer: ISigner) -> DecisionCertificate:
    """Hash and sign ``draft`` in its place in the journal.

    :param link: its place, or None for the one certified answer without a line.
    :raises SigningFailed: the signer raised, or the draft breaks a rule of evidence.md (size, NFC, numbers): such a
        certificate would not verify, so it is not made.
    """
    try:
        draft = _normal(draft)
        algorithm, key_id = signer.algorithm, signer.key_id
        fields = unsigned_fields(draft, algorithm, key_id, link)
        digest = fields["content_hash"] = content_hash(fields)
        signature = fields["signature"] = signer.sign(digest)
        line = orjson.dumps(fields)
    except NotCanonical as error:
        raise SigningFailed(f"the draft is not canonical: {error}") from error
    except Exception as error:
        raise SigningFailed(f"the certificate could not be signed: {type(error).__name__}") from error
    _check(line)
    return DecisionCertificate(
        draft=draft,
        algorithm=algorithm,
        key_id=key_id,
        log=link,
        content_hash=digest,
        signature=signature,
        line=line,
    )


def signed(text: str, signer: ISigner) -> str:
    """``signer``'s signature over ``text``, which is not a certificate's: a checkpoint's, a witness's statement.

    :raises SigningFailed: the signer raised.
    """
    try:
        return signer.sign(text)
    except Exception as error:
        raise SigningFailed(f"the text could not be signed: {type(error).__name__}") from error


def _normal(draft: Draft) -> Draft:
    """The draft as it will read after a round trip through JSON; nearly always itself."""
    given = draft.latency_ms
    if draft.record is None:
        if type(given) is float:
            if 0.0 < given < _PLAIN and round(given, 3) == given and not given.is_integer():
                return draft
        elif given == 0:
            return draft
    latency = canonical_number(given)
    if latency != given or type(latency) is not type(given):
        draft = replace(draft, latency_ms=latency)
    if draft.record is not None:
        record: dict[str, Any] = plain(draft.record)
        draft = replace(draft, record=record)
    return draft


def _check(line: bytes) -> None:
    if line.isascii():
        size = len(line)
    else:
        text = line.decode("utf-8")
        # A quotation mark composes with nothing, so the line is NFC exactly when each of its strings is.
        if not unicodedata.is_normalized("NFC", text):
            raise SigningFailed("a text in the draft is not NFC")
        # Only what is not ASCII grows in the header; quotes and backslashes are escaped in the line already.
        size = len(line) + sum(
            escaped_size(character) - len(character.encode("utf-8")) for character in text if not character.isascii()
        )
    if size > LARGEST:
        raise SigningFailed(f"the certificate takes more than {LARGEST} bytes in a header")
    if b"\x7f" in line:  # JSON allows DEL, a header field does not (RFC 9110 section 5.5)
        raise SigningFailed("a text in the draft has a control character")


def header_value(certificate: DecisionCertificate) -> bytes:
    """The certificate as one line of ASCII JSON, at most 4,096 bytes: the value of ``X-EVE-Decision-Cert``."""
    line = certificate.line
    if line.isascii():
        return line
    return json.dumps(orjson.loads(line), separators=(",", ":")).encode("ascii")


def timestamp(wall: float) -> str:
    """UTC with milliseconds and ``Z`` (RFC 3339).

    :param wall: seconds since the epoch.
    """
    return _millisecond(int(wall * 1000))


# A request is given three of them, mostly within one millisecond.
@lru_cache(maxsize=16)
def _millisecond(number: int) -> str:
    second, thousandths = divmod(number, 1000)
    return f"{_second(second)}.{thousandths:03d}Z"


@lru_cache(maxsize=4)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")
