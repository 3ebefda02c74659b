"""A certificate in a Dead Simple Signing Envelope, version 1.0.2 of its protocol: the payload is the journal's line."""

from __future__ import annotations

import base64

import orjson

from eve_proxy.export.signature import sign
from eve_proxy.interfaces import ISigner

PAYLOAD_TYPE = "application/vnd.eve-proxy.certificate+json"


def envelope(line: bytes, signer: ISigner) -> bytes:
    """The JSON envelope, on one line.

    :param line: without newline.
    """
    text = line.decode("utf-8")
    # The pre-authentication encoding counts bytes.
    encoded = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(line)} {text}"
    signature = {"keyid": signer.key_id, "sig": _base64(sign(encoded, signer))}
    return orjson.dumps({"payload": _base64(line), "payloadType": PAYLOAD_TYPE, "signatures": [signature]})


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
