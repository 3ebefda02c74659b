"""Exported JWS, verified by a JOSE library that is not ours (joserfc)."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from joserfc import jws as jose
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey

from eve_proxy.export.jws import CONTENT_TYPE, TYPE, compact, detached
from eve_proxy.interfaces import ISigner
from eve_proxy.signing.hmac_key import HmacSigner
from eve_proxy.signing.key_document import jwks
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.seal import seal
from eve_proxy.signing.verification import verify_certificate
from tests.fakes.journal import draft, link
from tests.fakes.keys import ed25519, p256
from tests.fakes.ports import SECRET

ALL = {
    "HS256": (HmacSigner(SECRET), OctKey.import_key(SECRET)),
    "EdDSA": (Ed25519Signer(ed25519()), OKPKey.import_key(Ed25519Signer(ed25519()).pem())),
    "ES256": (P256Signer(p256()), ECKey.import_key(P256Signer(p256()).pem())),
}


@pytest.fixture(params=ALL)
def case(request: pytest.FixtureRequest) -> tuple[str, ISigner, Any]:
    return request.param, *ALL[request.param]


def read(algorithm: str, token: bytes, key: Any, payload: bytes | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # RFC 9864 would rather have EdDSA called Ed25519; older readers know only it
        return jose.deserialize_compact(token, key, algorithms=[algorithm], payload=payload)


def test_compact(case: tuple[str, ISigner, Any]) -> None:
    """The signature holds, and the payload is the line, which still verifies by itself."""
    algorithm, signer, key = case
    line = seal(draft(reason="blocked: café"), link(), signer).line
    found = read(algorithm, compact(line, signer), key)
    assert found.payload == line
    assert found.headers() == {"alg": algorithm, "kid": signer.key_id, "typ": TYPE, "cty": CONTENT_TYPE}
    assert json.loads(line)["key_id"] == signer.key_id


def test_compact_is_refused_when_changed(case: tuple[str, ISigner, Any]) -> None:
    """A changed payload, header or signature does not verify."""
    algorithm, signer, key = case
    parts = compact(seal(draft(), link(), signer).line, signer).split(b".")
    for position, part in enumerate(parts):
        changed = [*parts]
        changed[position] = part[:20] + (b"B" if part[20:21] != b"B" else b"C") + part[21:]
        with pytest.raises(JoseError):
            read(algorithm, b".".join(changed), key)


def test_detached(case: tuple[str, ISigner, Any]) -> None:
    """Beside the journal's line, and only beside that line, the signature holds."""
    algorithm, signer, key = case
    line = seal(draft(), link(), signer).line
    token = detached(line, signer)
    assert token.count(b".") == 2
    assert b".." in token
    assert read(algorithm, token, key, payload=line).payload == line
    with pytest.raises(BadSignatureError):
        read(algorithm, token, key, payload=line.replace(b"allow", b"block"))


@pytest.mark.parametrize("signer", [Ed25519Signer(ed25519()), P256Signer(p256())])
def test_found_by_key_id_in_the_published_keys(signer: Ed25519Signer | P256Signer) -> None:
    """A library that gets /.well-known/jwks.json picks the key by itself."""
    keys = KeySet.import_key_set(json.loads(jwks([Ed25519Signer(ed25519()), P256Signer(p256())])))
    line = seal(draft(), link(), signer).line
    found = read("EdDSA" if isinstance(signer, Ed25519Signer) else "ES256", compact(line, signer), keys)
    assert verify_certificate(found.payload, signer.pem())
