"""The service's signature: carried when it is there, demanded when its keys are known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eve_proxy.governance.errors import NotWitnessed
from eve_proxy.governance.witness import NOBODY, Witnesses
from eve_proxy.model.certificate import LogLink
from eve_proxy.model.verdict import Witness
from eve_proxy.signing.private_key import Ed25519Signer, P256Signer
from eve_proxy.signing.witness import statement
from tests.contract.openapi import document
from tests.fakes.keys import ed25519, p256
from tests.fakes.parties import REQUEST

ID = "cert_0123456789abcdef"
HEAD = LogLink(id="log_00000000000000aa", seq=41, prev="sha256-" + "ab" * 32)
SIGNERS = [Ed25519Signer(ed25519(2)), P256Signer(p256(2))]


def said(signer: Any = SIGNERS[0], status: str = "ALLOWED", name: str = ID, head: LogLink = HEAD) -> dict[str, str]:
    text = statement(name, REQUEST.to_dict(), status, head.to_dict())
    return {"key_id": signer.key_id, "signature": signer.sign(text)}


@pytest.mark.parametrize("signer", SIGNERS)
def test_a_good_signature_is_taken(signer: Any) -> None:
    """The certificate gets the head that was shown, and the signature over it."""
    good = said(signer)
    found = Witnesses(SIGNERS).accept(ID, REQUEST, HEAD, good, "ALLOWED")
    assert found == Witness(seq=41, prev=HEAD.prev, key_id=signer.key_id, signature=good["signature"])


@pytest.mark.parametrize(
    ("answer", "status", "head", "expected"),
    [
        (None, "ALLOWED", HEAD, "bears no signature"),
        ({}, "ALLOWED", HEAD, "bears no signature"),
        (said(), "ALLOWED", None, "bears no signature"),
        (said(), "BLOCKED", HEAD, "its signature is wrong"),
        (said(name="cert_ffffffffffffffff"), "ALLOWED", HEAD, "its signature is wrong"),
        (said(head=LogLink(id=HEAD.id, seq=40, prev=HEAD.prev)), "ALLOWED", HEAD, "its signature is wrong"),
        (said(Ed25519Signer(ed25519(9))), "ALLOWED", HEAD, "a key that is not trusted"),
        ({**said(), "key_id": SIGNERS[1].key_id}, "ALLOWED", HEAD, "its signature is wrong"),
        ({**said(), "signature": "ed25519-" + "0" * 128}, "ALLOWED", HEAD, "its signature is wrong"),
        ({**said(), "signature": 'ed25519-"'}, "ALLOWED", HEAD, "bears no signature"),
        ({**said(), "signature": "x" * 193}, "ALLOWED", HEAD, "bears no signature"),
    ],
)
def test_anything_else_is_refused(answer: Any, status: str, head: LogLink | None, expected: str) -> None:
    """Another status, request, head or key: an answer that was given to something else, or by someone else."""
    with pytest.raises(NotWitnessed, match=expected):
        Witnesses(SIGNERS).accept(ID, REQUEST, head, answer, status)


def test_without_keys_it_is_carried_unverified() -> None:
    """An auditor who has the service's key can verify later what the proxy could not."""
    unknown = said(Ed25519Signer(ed25519(9)))
    found = NOBODY.accept(ID, REQUEST, HEAD, unknown, "ALLOWED")
    assert found is not None
    assert found.signature == unknown["signature"]
    assert NOBODY.accept(ID, REQUEST, None, unknown, "ALLOWED") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["key_id", "signature"]), inner),
)


@given(JSON)
def test_what_a_service_may_say_instead(answer: Any) -> None:
    """Whatever stands there, the certificate gets short printable texts or nothing."""
    found = NOBODY.accept(ID, REQUEST, HEAD, answer, "ALLOWED")
    assert found is None or all(0 < len(text) < 193 for text in (found.key_id, found.signature))
    with pytest.raises(NotWitnessed):
        Witnesses(SIGNERS).accept(ID, REQUEST, HEAD, answer, "ALLOWED")


def test_the_published_example_is_signed() -> None:
    """Who builds a service can check his signing against the file's own example."""
    post = document()["paths"]["/v1/decisions/evaluate"]["post"]
    question = post["requestBody"]["content"]["application/json"]["examples"]["forward"]["value"]
    answer = post["responses"]["200"]["content"]["application/json"]["examples"]["allowed"]["value"]
    text = statement(question["request_id"], question["context"]["request"], "ALLOWED", question["context"]["log"])
    assert SIGNERS[0].verify(text, answer["witness"]["signature"])
    assert answer["witness"]["key_id"] == SIGNERS[0].key_id
