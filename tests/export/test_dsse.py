"""Exported DSSE envelopes, verified by a library that is not ours (securesystemslib)."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from eve_proxy.export.dsse import PAYLOAD_TYPE, envelope
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.seal import seal
from tests.fakes.journal import draft, link
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET


def their_key(signer: Ed25519Signer | P256Signer) -> Any:
    return SSlibKey.from_crypto(load_pem_public_key(signer.pem()), keyid=signer.key_id)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["allowed", "blocked: café"])
@pytest.mark.parametrize("signer", [Ed25519Signer(ed25519()), P256Signer(p256())], ids=["ed25519", "p256"])
def test_their_library_verifies_it(signer: Ed25519Signer | P256Signer, reason: str) -> None:
    """Signature, type and payload hold; another key or payload does not."""
    line = seal(draft(reason=reason), link(), signer).line
    raw = json.loads(envelope(line, signer))
    theirs = Envelope.from_dict(json.loads(envelope(line, signer)))
    assert list(theirs.verify([their_key(signer)], 1)) == [signer.key_id]
    assert (theirs.payload, theirs.payload_type) == (line, PAYLOAD_TYPE)
    other = SSlibKey.from_crypto(ed25519(2).public_key(), keyid=signer.key_id)
    with pytest.raises(VerificationError):
        theirs.verify([other], 1)
    for changed in ({"payloadType": "application/json"}, {"payload": raw["payload"].replace("I", "J", 1)}):
        with pytest.raises(VerificationError):
            Envelope.from_dict(json.loads(json.dumps(raw | changed))).verify([their_key(signer)], 1)


def test_a_shared_secret_signs_their_encoding() -> None:
    """The MAC is over the bytes that their library says are signed."""
    signer = HmacSigner(SECRET)
    raw = json.loads(envelope(seal(draft(reason="é"), link(), signer).line, signer))
    theirs = Envelope.from_dict(json.loads(json.dumps(raw)))
    expected = hmac.digest(SECRET, theirs.pae(), hashlib.sha256)
    assert bytes.fromhex(theirs.signatures[signer.key_id].signature) == expected
