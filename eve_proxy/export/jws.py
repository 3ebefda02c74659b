"""A certificate as a JSON Web Signature (RFC 7515), compact or detached: the payload is the journal's line."""

from __future__ import annotations

import orjson

from eve_proxy.export.signature import JOSE, jose_signature
from eve_proxy.interfaces import ISigner
from eve_proxy.signing.public_key import base64url

# Explicit, so that nobody takes it for a JWT signed with the same secret (RFC 8725 section 3.11).
TYPE = "vnd.eve-proxy.certificate+jws"
CONTENT_TYPE = "vnd.eve-proxy.certificate+json"


def compact(line: bytes, signer: ISigner) -> bytes:
    """``header.payload.signature`` (section 7.1).

    :param line: without newline.
    """
    signed = f"{_header(signer)}.{base64url(line)}"
    return f"{signed}.{base64url(jose_signature(signed, signer))}".encode("ascii")


def detached(line: bytes, signer: ISigner) -> bytes:
    """``header..signature``: whoever verifies it puts the line's base64url between the dots (appendix F)."""
    header, _, signature = compact(line, signer).split(b".")
    return b"%b..%b" % (header, signature)


def _header(signer: ISigner) -> str:
    header = {"alg": JOSE[signer.algorithm], "kid": signer.key_id, "typ": TYPE, "cty": CONTENT_TYPE}
    return base64url(orjson.dumps(header))
